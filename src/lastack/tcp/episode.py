"""A loss and its repair: when fast recovery begins, how much is sent meanwhile (RFC 6937), when it ends (RFC 6582)."""

from __future__ import annotations

from lastack.tcp import control, prr, ranges
from lastack.tcp.scoreboard import Episode
from lastack.tcp.sequence import HALF, MASK
from lastack.tcp.tcb import Tcb


def repairing(tcb: Tcb) -> bool:
    """Whether something below `recover` is not acknowledged: in fast recovery, or after a time-out."""
    return (tcb.recover - tcb.snd_una - 1) & MASK < HALF


def begin(tcb: Tcb, now: int) -> None:
    """Fast recovery begins: RFC 5681 3.2 steps 2 and 3, RFC 6937 section 3.

    Or it begins again: what went again in it was lost, and the window is reduced a second time (RFC 5681 4.3).
    """
    # RFC 5681 3.2 step 2, RFC 6582 3.2 step 2, RFC 6675 section 5.1
    congestion = tcb.congestion
    again, tcb.in_recovery = tcb.in_recovery, True
    if again:
        congestion.cwnd = congestion.ssthresh  # what the first time has left of it
    tcb.recover = tcb.snd_nxt
    flight = ranges.flight_size(tcb)
    whole = flight if tcb.config.reduce_from_cwnd else (tcb.snd_nxt - tcb.snd_una) & MASK  # RecoverFS
    one = tcb.episode = Episode(tcb.snd_una, max(whole, 1), False, now)
    control.lost(tcb, flight, now, again)
    if tcb.rack is None:
        one.presumed = tcb.dup_acks * tcb.snd_mss
    else:
        tcb.rack.tlp_end = None  # RFC 8985 section 7.1
    if tcb.config.prr:
        congestion.cwnd = tcb.pipe + tcb.snd_mss  # the first goes again at once
    else:
        congestion.cwnd = congestion.ssthresh + one.presumed


def duplicate(tcb: Tcb) -> None:
    """A duplicate ACK without SACK in fast recovery: a segment has left the network (RFC 5681 3.2 step 4)."""
    one = tcb.episode
    if one is None:
        return
    one.presumed += tcb.snd_mss
    if tcb.config.prr:
        prr.proportional(tcb, tcb.snd_mss)
    else:
        tcb.congestion.cwnd += tcb.snd_mss


def partial(tcb: Tcb, acked: int) -> None:
    """A partial acknowledgment without SACK: the next hole goes again (RFC 6582 3.2 step 3)."""
    one = tcb.episode
    ranges.mark_first_lost(tcb)
    if one is None:
        return
    held = max(min(acked - tcb.snd_mss, one.presumed), 0)  # by duplicate ACKs this was counted before
    one.presumed -= held
    if tcb.config.prr:
        prr.proportional(tcb, acked - held)
    else:
        deflated = max(tcb.congestion.cwnd - acked, 0)
        tcb.congestion.cwnd = max(deflated + (tcb.snd_mss if acked >= tcb.snd_mss else 0), tcb.snd_mss)


def over(tcb: Tcb) -> None:
    """All that was outstanding when the loss was noticed is acknowledged (RFC 5681 3.2 step 6)."""
    rack, congestion = tcb.rack, tcb.congestion
    if rack is not None:  # RFC 8985 section 6.2 step 4
        rack.reo_persist -= 1
        if rack.reo_persist <= 0:
            rack.reo_mult = 1
    if tcb.episode is not None:
        tcb.episode.until = tcb.snd_nxt
        tcb.episode.frto = 0
    if not tcb.in_recovery:
        return
    tcb.in_recovery = False
    if tcb.config.prr or rack is not None:
        congestion.cwnd = max(congestion.ssthresh, tcb.snd_mss)
    else:
        congestion.cwnd = min(congestion.ssthresh, max(tcb.pipe, tcb.snd_mss) + tcb.snd_mss)
    congestion.recovered()


def forget(tcb: Tcb, ack: int) -> None:
    """A round after its end an episode is forgotten: its duplicates would have been reported by now."""
    one = tcb.episode
    if one is not None and one.until is not None and ranges.reaches(ack, one.until):
        tcb.episode = None
