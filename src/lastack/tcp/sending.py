"""What waits to be sent, and what the windows have room for."""

from __future__ import annotations

from lastack.tcp import episode, handshake
from lastack.tcp.sequence import HALF, MASK
from lastack.tcp.states import State
from lastack.tcp.tcb import Tcb


def unsent(tcb: Tcb) -> int:
    """Bytes that wait to be sent for the first time."""
    if tcb.fin_seq is not None:
        return 0
    if tcb.syn_queued:
        return tcb.send_buffer.length
    return tcb.send_buffer.length - ((tcb.snd_nxt - handshake.text_start(tcb)) & MASK)


def congestion_window(tcb: Tcb) -> int:
    """The congestion window for new data. Limited transmit (RFC 3042): the first two duplicate ACKs let a segment each
    out beyond it. With SACK the pipe shrinks by what is held, so that each lets one out (RFC 6675 section 5 (3))."""
    # RFC 3042 section 2, RFC 5681 3.2 step 1, RFC 5681 3.2 step 5
    limited = tcb.config.limited_transmit
    if tcb.rack is None:
        beyond = min(tcb.dup_acks, 2) * tcb.snd_mss if limited else 0
    else:
        beyond = 0 if limited else -tcb.sacked
    return tcb.congestion.cwnd + (beyond if beyond and not episode.repairing(tcb) else 0)


def usable(tcb: Tcb) -> int:
    """What the peer's window has room for (RFC 9293 3.8.6.2.1); 0 where it has shrunk (MUST-34)."""
    room = (handshake.text_start(tcb) + tcb.snd_wnd - tcb.snd_nxt) & MASK
    return room if room < HALF else 0


def may_leave(tcb: Tcb) -> int:
    """The text that both windows have room for now."""
    if tcb.state is State.SYN_SENT or tcb.syn_queued:
        return 0
    own = (handshake.text_start(tcb) - tcb.snd_una) & MASK  # our SYN takes no part of them
    return max(min(usable(tcb), congestion_window(tcb) + own - tcb.pipe), 0)


def low_water(tcb: Tcb) -> int:
    """TCP_NOTSENT_LOWAT, or what stands for it where the socket has none; 0: none."""
    return tcb.config.notsent_low_water or tcb.config.notsent_low_water_default
