"""Loss detection by time where SACK is agreed: RACK of RFC 8985 section 6. The probes of section 7 are in `tlp`."""

from __future__ import annotations

from lastack.tcp import episode, plpmtud, ranges
from lastack.tcp.config import NEVER
from lastack.tcp.scoreboard import Rack, SentRange
from lastack.tcp.sequence import HALF, MASK
from lastack.tcp.tcb import Tcb

PERSIST = 16  # recoveries for which a widened reordering window stays (section 6.2 step 4)
_THRESHOLD = 3  # DupThresh
FARTHEST = 300  # segments: Linux's tcp_max_reordering


def sent_after(at: int, end: int, other_at: int, other_end: int) -> bool:
    """Whether a range that ends at `end` was sent after another; of one moment, the later in sequence."""
    return at > other_at or (at == other_at and 0 < (end - other_end) & MASK < HALF)


def sent_again(tcb: Tcb, rack: Rack, now: int) -> None:
    """Something goes again: what may have left at this moment, too, but before it?"""
    if rack.again_at != now:
        rack.again_at, rack.again_behind = now, tcb.snd_nxt


def _went_again_later(rack: Rack, sent: SentRange) -> bool:
    """Of one moment the later in sequence was sent later, but where the earlier had been lost already: that is so where
    a round trip takes no time."""
    tie = sent.transmissions > 1 and sent.sent_at == rack.xmit == rack.again_at and rack.once
    return tie and (rack.again_behind - rack.end) & MASK < HALF


def delivered(tcb: Tcb, rack: Rack, sent: SentRange, end: int, now: int, ts_ecr: int | None) -> bool:
    """Steps 1 and 2 of section 6.2: a range was acknowledged up to `end`, cumulatively or selectively. Returns whether
    it came out of order (step 3), which the caller tells to `reordered` once an ACK."""
    # RFC 8985 6.2 steps 1 to 3
    if sent.forgotten:
        return False
    late = False
    if (end - rack.fack) & MASK < HALF:
        rack.fack = end
    else:
        late = sent.transmissions == 1
    took = now - sent.sent_at
    if sent.transmissions > 1:
        if ts_ecr and (ts_ecr - (sent.sent_at // 1000 + tcb.ts_offset)) & MASK >= HALF:
            return late  # an answer to an earlier transmission
        if (took or 1) < rack.min_rtt:
            return late
    else:
        # What takes no time at all took less than the clock can tell; 0 stands for "not measured".
        rack.min_rtt = min(rack.min_rtt or took, took) or 1
    if sent_after(sent.sent_at, end, rack.xmit, rack.end):
        rack.xmit, rack.end, rack.rtt, rack.once = sent.sent_at, end, took, sent.transmissions == 1
    elif tcb.config.rack_in_sequence:
        rack.rtt = took
    return late


def reordered(tcb: Tcb, rack: Rack, first: int) -> None:
    """Step 3: an ACK brought what begins at `first`, after what had been sent later, and had not gone again."""
    # RFC 8985 6.2 step 3
    rack.reorderings += 1
    behind = -(-((rack.fack - first) & MASK) // max(tcb.snd_mss, 1))
    rack.reordering = max(rack.reordering, min(behind, FARTHEST))


def widen(tcb: Tcb, rack: Rack, twice: bool) -> None:
    """Step 4: what came twice was taken for lost too early. Once a round the reordering window grows."""
    # RFC 8985 6.2 step 4
    if rack.dsack_round is not None and (tcb.snd_una - rack.dsack_round) & MASK < HALF:
        rack.dsack_round = None
    if twice and rack.dsack_round is None:
        rack.dsack_round = tcb.snd_nxt
        rack.reo_mult += 1
        rack.reo_persist = PERSIST


def reordering_window(tcb: Tcb, rack: Rack) -> int:
    """RACK.reo_wnd in microseconds, section 6.2 step 4 (RFC 8985 6.2 step 4)."""
    if not rack.reorderings and (episode.repairing(tcb) or _many_sacked(tcb)):
        return 0
    return min(rack.reo_mult * rack.min_rtt // 4, tcb.srtt or 0)


def _many_sacked(tcb: Tcb) -> bool:
    """DupThresh segments, as RFC 6675 section 4 (IsLost) counts them: by bytes, or by pieces that lie apart."""
    if not tcb.sacked:
        return False
    if tcb.sacked > (_THRESHOLD - 1) * tcb.snd_mss:
        return True
    return sum([sent.sacked for sent in tcb.sent]) >= _THRESHOLD


def detect(tcb: Tcb, rack: Rack, now: int) -> bool:
    """Step 5: mark lost what was sent so long before something that has arrived; a timer waits for what is younger.

    Recovery begins, also anew where what was sent again in it is lost. Returns whether something was marked.
    """
    # RFC 8985 6.2 step 5, RFC 8985 7.4.1
    rack.reo_at = NEVER
    if rack.xmit < 0 or not tcb.sent:
        return False
    xmit, edge = rack.xmit, rack.end
    oldest = -1  # sent_at of what is lost as soon as this much time has passed
    begun = tcb.episode.at if tcb.in_recovery and tcb.episode is not None else NEVER
    marked = lost = again = False
    for sent in tcb.sent:
        if sent.sacked or sent.lost:
            continue
        if not sent_after(xmit, edge, sent.sent_at, sent.end) or _went_again_later(rack, sent):
            if sent.transmissions == 1:
                break  # so was all behind it, and of that nothing has gone again
            continue
        if oldest < 0:
            slack = rack.rtt + reordering_window(tcb, rack)
            oldest = now - slack
        if sent.sent_at <= oldest:
            ranges.mark_lost(tcb, sent)
            marked = True
            lost = not plpmtud.probe_lost(tcb, sent, now) or lost
            again = again or (sent.transmissions > 1 and sent.sent_at >= begun)
        else:
            rack.reo_at = min(rack.reo_at, sent.sent_at + slack)
    if (again and tcb.config.reduce_again) or (lost and not episode.repairing(tcb)):
        rack.probe_at = NEVER
        episode.begin(tcb, now)
    return marked


def timed_out(tcb: Tcb, rack: Rack, now: int) -> None:
    """Section 6.3: the first is lost, and of the others what was sent more than a round trip ago."""
    # RFC 8985 section 6.3
    slack = rack.rtt + reordering_window(tcb, rack)
    for index, sent in enumerate(tcb.sent):
        if not index or sent.sent_at + slack <= now:
            ranges.mark_lost(tcb, sent)
    rack.reo_at = rack.probe_at = NEVER
    rack.tlp_end = None


def stop(rack: Rack) -> None:
    """Both timers off (section 8)."""
    rack.reo_at = rack.probe_at = NEVER
