"""ICMP errors about connections: RFC 9293 section 3.9.2.2, RFC 1122, 4443; whom to believe, RFC 5927.

Soft errors are noted and end no connection (MUST-56), unless `soft_errors_end_opening` says otherwise for one that is
being opened. Hard errors end one that is not synchronized yet (SHLD-26); in a synchronized state they are soft, as RFC
5927 section 5 recommends and Linux does.
"""

from __future__ import annotations

from errno import EACCES, ECONNREFUSED, EHOSTDOWN, EHOSTUNREACH, ENETUNREACH, ENONET, ENOPROTOOPT, EPROTO

from lastack.tcp import fast_open, pmtud
from lastack.tcp.calls import ended
from lastack.tcp.sequence import MASK
from lastack.tcp.states import Event, State
from lastack.tcp.tcb import Reason, Tcb
from lastack.wire import icmp
from lastack.wire.icmp import Kind

# Destination unreachable, by code: what the user is told, in the systems' words. IPv4: RFC 1122 3.2.2.1 and RFC 1812
# 5.2.7.1; code 4 is path MTU discovery. IPv6: RFC 4443 section 3.1.
_ERRNO_4 = {
    0: ENETUNREACH,
    1: EHOSTUNREACH,
    2: ENOPROTOOPT,
    3: ECONNREFUSED,
    5: EHOSTUNREACH,  # source route failed
    6: ENETUNREACH,
    7: EHOSTDOWN,
    8: ENONET,
    9: ENETUNREACH,
    10: EHOSTUNREACH,
    11: ENETUNREACH,
    12: EHOSTUNREACH,
    13: EHOSTUNREACH,
    14: EHOSTUNREACH,
    15: EHOSTUNREACH,
}
_ERRNO_6 = {0: ENETUNREACH, 1: EACCES, 2: EHOSTUNREACH, 3: EHOSTUNREACH, 4: ECONNREFUSED, 5: EACCES, 6: EACCES}
# RFC 9293 3.9.2.2 names the codes 2 to 4 hard and 0, 1, 5 soft. Of the others, those that will not heal soon are hard.
_HARD_4 = frozenset({2, 3, 6, 7, 8, 9, 10, 13, 14, 15})
_HARD_6 = frozenset({1, 4, 5, 6})  # RFC 5927 section 5.2 names 1 and 4
_OPENING = frozenset({State.SYN_SENT, State.SYN_RCVD})


def quotes(tcb: Tcb, quoted: icmp.Quoted) -> bool:
    """Whether the segment that is complained of can be one that is under way (RFC 5927 section 4.1)."""
    if quoted.seq is None or tcb.state in (State.CLOSED, State.LISTEN, State.TIME_WAIT):
        return False
    # SND.NXT itself may be quoted: an ACK without text bears it.
    return (quoted.seq - tcb.snd_una) & MASK <= (tcb.snd_nxt - tcb.snd_una) & MASK


def error_arrives(tcb: Tcb, message: icmp.Message, now: int) -> None:
    """An ICMP error for this connection (MUST-54; RFC 5927 5.2 and 6.2)."""
    kind = message.kind
    if kind is Kind.TOO_BIG:
        assert message.quoted is not None
        assert message.quoted.seq is not None
        pmtud.too_big(tcb, message.quoted.seq, message.mtu, now)
    elif kind is Kind.UNREACHABLE:
        four = message.version == 4
        error = (_ERRNO_4 if four else _ERRNO_6).get(message.code, EHOSTUNREACH)
        _told(tcb, error, message.code in (_HARD_4 if four else _HARD_6), now)
    elif kind is Kind.TIME_EXCEEDED:
        _told(tcb, EHOSTUNREACH, False, now)
    elif kind is Kind.PARAMETER_PROBLEM:
        _told(tcb, EPROTO, False, now)


def _told(tcb: Tcb, error: int, hard: bool, now: int) -> None:
    """A hard error ends an opening (SHLD-26); any other is told when the time is up (SHLD-25)."""
    opening = tcb.state in _OPENING and not (fast_open.opened(tcb) and tcb.socket is not None)  # whose user has it
    if opening and (hard or tcb.config.soft_errors_end_opening):
        reason = Reason.REFUSED if error == ECONNREFUSED else Reason.UNREACHABLE
        ended(tcb, Event.HARD_ERROR, now, reason, error)
    elif tcb.config.receive_errors and tcb.socket is not None and tcb.socket.listener is None:
        tcb.socket.told(error)
    else:
        tcb.soft_error = error
