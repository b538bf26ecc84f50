"""How much text leaves at once: full segments, silly-window avoidance, Nagle (RFC 9293 3.7.4, 3.8.6.2.1)."""

from __future__ import annotations

from lastack.tcp import handshake, sack
from lastack.tcp.sequence import lt
from lastack.tcp.tcb import MORE_FOLLOWS, RELEASED, Tcb

UNIT = 65_000  # payload bytes decided at once; with the largest headers it stays below 65,535
_BURST = 16  # super-segments decided at once, where the device takes such: 23.2 Gbit/s out, where one by one are 20.1


def full(tcb: Tcb) -> int:
    """The text of a full segment beside the options that it bears now: Eff.snd.MSS (RFC 9293 3.7.1 MUST-16)."""
    return tcb.snd_mss - sack.space(tcb) if tcb.reassembly is not None or tcb.dsack is not None else tcb.snd_mss


def unit(tcb: Tcb, mss: int) -> int:
    """The text decided at once: some super-segments, or about as many whole segments as one has; one of the largest."""
    most = tcb.unit
    return _BURST * (most - most % mss) if most >= mss else UNIT - UNIT % mss or mss


def whole_segments(tcb: Tcb, size: int, usable: int, mss: int) -> int:
    """Of `size` bytes, fewer than wait: whole segments, or a large part of a small window (RFC 9293 3.8.6.2.1 (3))."""
    # RFC 9293 MUST-38
    whole = size - size % mss
    if whole or size < usable or tcb.sent:
        return whole
    return size if 2 * size >= tcb.max_snd_wnd else 0


def nagle_holds(tcb: Tcb) -> bool:
    """A segment that is not full waits while something is outstanding (3.7.4), or something small (Appendix A.3).

    Under TCP_CORK and after MSG_MORE it waits until the persist timer overrides that (`Config.sws_override`). What is
    urgent does not wait, nor does what the FIN follows.
    """
    # RFC 9293 SHLD-7, MAY-16
    if tcb.fin_queued or tcb.snd_up is not None or tcb.hold in RELEASED:
        return False
    if tcb.config.cork or (tcb.hold == MORE_FOLLOWS and _more_holds(tcb)):
        return True
    if not tcb.config.nagle:
        return False
    if tcb.config.nagle_modified:
        return lt(tcb.snd_una, tcb.snd_sml)
    return tcb.snd_nxt != handshake.text_start(tcb)  # our SYN is no text


def _more_holds(tcb: Tcb) -> bool:
    return not tcb.config.more_until_ack or tcb.more_at == tcb.statistics.segments_in
