"""Explicit congestion notification (RFC 3168, SHLD-8): agreed on by the SYNs, marked by routers, echoed by receivers.

The IP header's two bits come and go with each segment, as `Segment.ecn`.
"""

from __future__ import annotations

from lastack.tcp import prr, ranges
from lastack.tcp.config import NEVER
from lastack.tcp.marks import PLAIN, SETUP, Ecn
from lastack.tcp.scoreboard import Episode
from lastack.tcp.sequence import HALF, MASK
from lastack.tcp.states import State
from lastack.tcp.tcb import Tcb
from lastack.wire.segment import ACK, CE, CWR, ECE, ECT_0, Segment

# --- the handshake, section 6.1.1 ---


def syn_flags(tcb: Tcb) -> int:
    """The flags of the SYN or SYN,ACK that is sent now; which sort it was is noted (RFC 3168 6.1.1, 6.1.1.1).

    A SYN that stays without an answer is sent without them after `ecn_syns` times (6.1.1.1): something on the path
    may drop it. Once one of ours was plain, so is the rest: ECT is forbidden then.
    """
    state = tcb.ecn
    if state is None and tcb.state is State.SYN_SENT and tcb.config.ecn == "on":
        state = tcb.ecn = Ecn()
    if state is None:
        return 0
    if tcb.state is State.SYN_SENT:
        setup, flags = state.asked < tcb.config.ecn_syns, ECE | CWR
        state.asked += setup
    else:
        setup, flags = state.heard == SETUP and not state.sent & PLAIN, ECE
    state.sent |= SETUP if setup else PLAIN
    return flags if setup else 0


def heard(tcb: Tcb, segment: Segment) -> None:
    """A SYN or SYN,ACK has come. One that reflects our own flags is no ECN-setup SYN,ACK (RFC 3168 6.1.1, 6.1.1.2)."""
    setup = segment.flags & (ECE | CWR) == (ECE if segment.flags & ACK else ECE | CWR)
    if tcb.ecn is None:
        # Without a plain SYN or SYN,ACK of ours before it: that would forbid ECT.
        if not setup or tcb.config.ecn == "off" or tcb.state is State.SYN_SENT or not tcb.syn_queued:
            return
        tcb.ecn = Ecn()
    tcb.ecn.heard |= SETUP if setup else PLAIN


def cookie_returned(tcb: Tcb) -> None:
    """Our SYN,ACK was a cookie, and an ECN-setup one, if the SYN was."""
    if tcb.ecn is not None:
        tcb.ecn.sent = SETUP


# --- the receiver, section 6.1.3 ---


def arrived(tcb: Tcb, segment: Segment) -> None:
    """An acceptable segment: CWR ends the echo, a mark begins it. One outside of the window says nothing (6.1.5)."""
    # RFC 3168 6.1.3
    state = tcb.ecn
    assert state is not None
    if segment.ecn:
        state.seen = True
    if segment.flags & CWR:
        state.echo = False
    if segment.ecn == CE and segment.length and state.echoes:
        state.echo = True


def unusual(tcb: Tcb, mark: int) -> bool:
    """For header prediction: whether a segment's mark is news."""
    return tcb.ecn is not None and (mark == CE or not tcb.ecn.seen)


# --- the sender, section 6.1.2 ---


def echoed(tcb: Tcb, segment: Segment, now: int) -> None:
    """An acceptable ACK, before it is taken: ECE reduces the window as a loss would, once a window of data.

    Where the window is one segment already, new text waits until the retransmission timer, begun anew, expires.
    """
    # RFC 3168 6.1.2
    state = tcb.ecn
    assert state is not None
    state.quiet = bool(segment.flags & ECE) and state.on
    if not state.quiet or tcb.in_recovery or not _passed(tcb, segment.ack):
        return
    control = tcb.congestion
    if control.cwnd <= tcb.snd_mss:
        state.hold = True
        tcb.retransmission_at = tcb.persist_at = NEVER
    flight = ranges.flight_size(tcb)
    if tcb.config.prr_on_marks and tcb.config.prr and not state.hold:
        control.lost(flight, now)
        tcb.episode = Episode(tcb.snd_una, max(flight, 1), False, now, mark=True)
    else:
        control.echoed(flight, now)
    reduced(tcb)


def paced(tcb: Tcb) -> bool:
    """Whether the window is on its way down for a mark: `Config.prr_on_marks`."""
    return tcb.episode is not None and tcb.episode.mark


def delivered(tcb: Tcb, size: int) -> None:
    """An ACK was taken that says so many bytes have arrived: how much may leave now, if the window is going down."""
    assert tcb.ecn is not None
    tcb.ecn.quiet = False
    if paced(tcb):
        prr.proportional(tcb, size)


def _passed(tcb: Tcb, ack: int) -> bool:
    """Whether an ACK tells of what was sent after the last reduction, by a mark, a loss or a time-out."""
    assert tcb.ecn is not None
    return tcb.ecn.recover is None or 0 < (ack - tcb.ecn.recover) & MASK < HALF


def reduced(tcb: Tcb) -> None:
    """The window was reduced, for whatever reason: the peer is told, and for a window of data that is all."""
    state = tcb.ecn
    if state is not None and state.on:
        state.cwr = True
        state.recover = tcb.snd_nxt


def reducing(tcb: Tcb) -> bool:
    """Whether a reduction is so young that what was sent before it is still outstanding (Linux's state CWR)."""
    state = tcb.ecn
    return state is not None and state.recover is not None and 0 < (state.recover - tcb.snd_una) & MASK < HALF


def progress(tcb: Tcb) -> None:
    """SND.UNA has moved: a reduction that lies behind it says nothing any more, and 2**31 bytes later would."""
    if tcb.ecn is not None and _passed(tcb, tcb.snd_una):
        tcb.ecn.recover = None
        if paced(tcb):
            tcb.congestion.cwnd = tcb.congestion.ssthresh
            tcb.congestion.recovered()
            tcb.episode = None


def mark(tcb: Tcb, segment: Segment) -> None:
    """New text leaves: ECT(0), and CWR on the first after a reduction. Nothing else bears them: no retransmission
    (6.1.5), no pure ACK (6.1.4), no window probe (6.1.6), no SYN (6.1.1)."""
    # RFC 3168 section 5, 6.1.4, 6.1.5, 6.1.6
    state = tcb.ecn
    if state is not None and state.on:
        segment.ecn = ECT_0
        if state.cwr:
            segment.flags |= CWR
            state.cwr = False
