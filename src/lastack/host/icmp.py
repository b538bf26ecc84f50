"""ICMP, in and out: RFC 9293 section 3.9.2.2, RFC 792, 1191, 4443, 8201; whom to believe, RFC 5927.

Soft errors are noted and never end a connection (MUST-56). Hard errors end one that is not synchronized yet; in a
synchronized state they are soft, as RFC 5927 section 5 recommends and Linux does.
"""

from __future__ import annotations

from errno import ECONNREFUSED, EHOSTUNREACH, ENETUNREACH, ENOPROTOOPT, EPROTO

from lastack.tcp import handshake, recovery
from lastack.tcp.calls import ended
from lastack.tcp.sequence import MASK
from lastack.tcp.states import Event, State
from lastack.tcp.tcb import Reason, Tcb
from lastack.wire import icmp
from lastack.wire.icmp import Kind

_ERRNO_4 = {0: ENETUNREACH, 1: EHOSTUNREACH, 2: ENOPROTOOPT, 3: ECONNREFUSED, 5: ENETUNREACH}
_ERRNO_6 = {0: ENETUNREACH, 1: EHOSTUNREACH, 3: EHOSTUNREACH, 4: ECONNREFUSED}
_HARD_4 = frozenset({2, 3, 9, 10, 13})
_HARD_6 = frozenset({1, 4})
_MINIMUM_MTU = {4: 576, 16: 1280}
_OPENING = frozenset({State.SYN_SENT, State.SYN_RCVD})


def quotes(tcb: Tcb, quoted: icmp.Quoted) -> bool:
    """Whether the segment that is complained of can be one that is under way (RFC 5927 section 4.1; RFC 5927 4.1)."""
    if quoted.seq is None or tcb.state in (State.CLOSED, State.LISTEN, State.TIME_WAIT):
        return False
    # SND.NXT itself may be quoted: an ACK without text bears it.
    return (quoted.seq - tcb.snd_una) & MASK <= (tcb.snd_nxt - tcb.snd_una) & MASK


def error_arrives(tcb: Tcb, message: icmp.Message, now: int) -> None:
    """An ICMP error for this connection (MUST-54; RFC 5927 5.2 and 6.2; RFC 5927 5.2 and 6.2)."""
    kind = message.kind
    if kind is Kind.TOO_BIG:
        too_big(tcb, message.mtu)
    elif kind is Kind.UNREACHABLE:
        four = message.version == 4
        error = (_ERRNO_4 if four else _ERRNO_6).get(message.code, EHOSTUNREACH)
        if message.code in (_HARD_4 if four else _HARD_6) and tcb.state in _OPENING:
            reason = Reason.REFUSED if error == ECONNREFUSED else Reason.UNREACHABLE
            ended(tcb, Event.HARD_ERROR, now, reason, error)
        else:
            tcb.soft_error = error
    elif kind is Kind.TIME_EXCEEDED:
        tcb.soft_error = EHOSTUNREACH
    elif kind is Kind.PARAMETER_PROBLEM:
        tcb.soft_error = EPROTO


def too_big(tcb: Tcb, mtu: int) -> None:
    """Path MTU discovery: the path takes no more than `mtu`; what is outstanding and larger is sent again, smaller."""
    mtu = max(mtu, _MINIMUM_MTU[len(tcb.local[0])])
    if mtu >= tcb.mtu:
        return
    tcb.mtu = mtu
    if not tcb.send_mss:
        return
    largest = tcb.snd_mss
    handshake.set_mss(tcb)
    for sent in tcb.sent:
        if (sent.end - sent.first) & MASK > tcb.snd_mss and tcb.snd_mss < largest:
            recovery.mark_lost(tcb, sent)
