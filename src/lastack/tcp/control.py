"""What happens to a connection, as its congestion control is told: by acknowledgments, losses, time-outs, silence.

RFC 5681, RFC 9293 section 3.8.2 (MUST-19). The algorithms know no sequence numbers; here is where those are.
"""

from __future__ import annotations

from lastack.tcp import ecn
from lastack.tcp.sequence import MASK
from lastack.tcp.tcb import Tcb


def acknowledged(tcb: Tcb, size: int, news: int, now: int) -> None:
    """`size` bytes of text were acknowledged outside of recovery, of which `news` may open the window; SND.UNA has
    moved. The SYN does not count (RFC 5681 3.1: its acknowledgment must not open the window)."""
    if tcb.ecn is not None:
        ecn.progress(tcb)
        if tcb.ecn.quiet or ecn.paced(tcb):  # SHOULD NOT increase (RFC 3168 6.1.2)
            return
    tcb.congestion.acknowledged(size, (tcb.snd_nxt - tcb.snd_una) & MASK, now, news)


def lost(tcb: Tcb, flight: int, now: int, again: bool = False) -> None:
    """A loss was found by other means than the timer. Where the window was reduced for a mark in the same window of
    data, that was the reduction for the loss too, unless what went again was lost (RFC 3168 6.1.2)."""
    if ecn.reducing(tcb) and not again:
        tcb.congestion.remember()
        return
    tcb.congestion.lost(flight, now)
    ecn.reduced(tcb)


def timed_out(tcb: Tcb, flight: int, now: int) -> None:
    """The retransmission timer fired; `Tcb.retransmissions` is not counted up yet. In fast recovery the window was
    reduced already, and where that is done once an episode it holds for the time-out, too."""
    reduced = tcb.in_recovery and not tcb.config.reduce_again
    tcb.congestion.timed_out(flight, now, again=tcb.retransmissions > 0 or reduced)
    ecn.reduced(tcb)
    if tcb.ecn is not None:
        tcb.ecn.hold = False


def resumes(tcb: Tcb, now: int) -> None:
    """New data is about to be sent, and nothing is outstanding: has it been silent for longer than the RTO?"""
    tcb.congestion.resumes(now, tcb.config.idle_restart and now - tcb.sent_at > tcb.rto)
