"""Proportional rate reduction, RFC 6937: how much leaves while the window is on its way down to `ssthresh`."""

from __future__ import annotations

from lastack.tcp.tcb import Tcb


def proportional(tcb: Tcb, size: int, safe: bool = False) -> None:
    """`size` bytes were delivered in this episode: PRR with its conservative reduction bound, and where the ACK is
    `safe` (SND.UNA moved, and no more was lost) with the slow-start one, as Linux and the RFC's revision choose between
    the two. Without SACK the pipe is what is left when each duplicate ACK has taken a segment off."""
    # RFC 6937 section 3
    one = tcb.episode
    if one is None or not tcb.config.prr:
        return
    congestion = tcb.congestion
    one.delivered += size
    pipe = max(tcb.pipe - one.presumed, 0)
    if pipe > congestion.ssthresh:
        room = -(-one.delivered * congestion.ssthresh // one.flight) - one.out
    else:
        room = min(congestion.ssthresh - pipe, max(one.delivered - one.out, size) + tcb.snd_mss * safe)
    if not one.out:
        room = max(room, tcb.snd_mss)
    congestion.cwnd = max(tcb.pipe + max(room, 0), tcb.snd_mss)
