"""What an acceptable ACK does to what is outstanding, and what a time-out does: RFC 5681, RFC 6298 section 5.

The losses themselves are found here by duplicate ACKs where there is no SACK (RFC 5681 3.2, RFC 6582), and by
`lastack.tcp.rack` where it is agreed.
"""

from __future__ import annotations

from lastack.tcp import control, episode, plpmtud, prr, rack, ranges, rtt, sack, spurious, tlp
from lastack.tcp.config import NEVER
from lastack.tcp.scoreboard import Episode, SentRange
from lastack.tcp.sequence import HALF, MASK
from lastack.tcp.tcb import WRITABLE, Tcb
from lastack.wire.segment import Segment, segment_length

_DUPLICATES = 3  # RFC 5681 3.2: the third duplicate ACK says "lost"
_NOTHING, _AMBIGUOUS = -1, -2  # instead of a time


def ack_arrived(tcb: Tcb, segment: Segment, now: int) -> None:
    """An ACK of ESTABLISHED and later: SEG.ACK =< SND.NXT."""
    ack = segment.ack
    new = (ack - tcb.snd_una) & MASK
    advances = 0 < new < HALF
    sacked = tcb.sacked
    alone = 12 if tcb.ts_on else 0  # a timestamp
    told = sack.NOTHING if tcb.rack is None or len(segment.options) <= alone else sack.arrived(tcb, segment)
    ts_ecr = segment.ts_ecr if tcb.ts_on else None
    if advances:
        _advanced(tcb, ack, now, ts_ecr)
        tcb.signals |= WRITABLE
    elif not told.news and told.twice is None:
        window = segment.window << tcb.snd_wscale
        if new == 0 and tcb.sent and not tcb.probes and not segment_length(segment) and window == tcb.snd_wnd:
            duplicate_ack(tcb, now)
            tlp.answered(tcb, ack, None, not told.option, now)
        elif not new and not segment_length(segment):
            tlp.answered(tcb, ack, None, not told.option, now)
        return
    state = tcb.rack
    if state is not None:
        if told.option or state.tlp_end is not None or state.dsack_round is not None:
            _told(tcb, ack, told, ts_ecr, now)
        _delivered(tcb, (new if advances else 0) + tcb.sacked - sacked, advances, now)
    if tcb.episode is not None:
        spurious.doubt(tcb, ack, advances, [one.end for one in told.news], now)
        if advances:
            spurious.acknowledged(tcb, ack, ts_ecr, now)


def new_ack(tcb: Tcb, ack: int, now: int, ts_ecr: int | None) -> None:
    """An ACK of new data that says nothing else, while nothing is repaired: what `ack_arrived` does of it."""
    new = (ack - tcb.snd_una) & MASK
    _advanced(tcb, ack, now, ts_ecr)
    state = tcb.rack
    if state is not None:
        if state.dsack_round is not None:
            rack.widen(tcb, state, False)
        _delivered(tcb, new, True, now)


def _told(tcb: Tcb, ack: int, told: sack.Told, ts_ecr: int | None, now: int) -> None:
    """What an ACK says beside its number: what is held behind holes, and what came twice."""
    state = tcb.rack
    assert state is not None
    late = [one.first for one in told.news if rack.delivered(tcb, state, one, one.end, now, ts_ecr)]
    if late:
        rack.reordered(tcb, state, late[0])
    ranges.join_sacked(tcb, told.news)
    tcb.statistics.duplicates_told += told.twice is not None
    if told.twice is not None and told.twice[1] != state.tlp_end:
        spurious.reported_twice(tcb, *told.twice, now)
    rack.widen(tcb, state, told.twice is not None)
    tlp.answered(tcb, ack, told.twice, False, now)


def _delivered(tcb: Tcb, size: int, advances: bool, now: int) -> None:
    """Where SACK is agreed: find what was lost, and how much may leave meanwhile."""
    state = tcb.rack
    assert state is not None
    if advances and tcb.sent and tcb.sent[0].sacked:
        _reneged(tcb, now)
    more_lost = rack.detect(tcb, state, now)
    if tcb.sacked:
        state.probe_at = NEVER  # what is missing will be noticed without a probe
    if tcb.in_recovery:
        prr.proportional(tcb, max(size, 0), advances and not more_lost)


def _reneged(tcb: Tcb, now: int) -> None:
    """The peer acknowledges up to what it said it holds, and not that: it has thrown it away (RFC 2018 section 8)."""
    tcb.count("reneged: what was sacked is gone")
    ranges.forget_sacked(tcb)
    if not episode.repairing(tcb):
        episode.begin(tcb, now)


def advance_una(tcb: Tcb, ack: int, now: int, ts_ecr: int | None) -> int:
    """SND.UNA < SEG.ACK =< SND.NXT: take the acknowledged ranges off, measure, and stop what waited for them.

    Returns the bytes of text among them.
    """
    # RFC 6298 section 3
    before = tcb.send_buffer.length
    flight = (tcb.snd_nxt - tcb.snd_una) & MASK
    count = len(tcb.sent)
    sent_at = _take_off(tcb, ack, now, ts_ecr)
    tcb.snd_una = ack
    _pull_up(tcb, ack)
    if tcb.path is not None:
        plpmtud.acked(tcb)
    if sent_at >= 0:
        _measured(tcb, ack, now - sent_at, flight, count)
    elif sent_at == _AMBIGUOUS and ts_ecr:  # RFC 7323 section 4: the echo says which transmission it answers
        _measured(tcb, ack, max(((now // 1000 + tcb.ts_offset - ts_ecr) & MASK) * 1000, 1), flight, count)
    tcb.retransmissions = tcb.probes = tcb.unanswered_probes = 0
    tcb.soft_error = 0
    tcb.stalled_since = now if tcb.sent or tcb.send_buffer.length else NEVER
    tcb.retransmission_at = NEVER  # RFC 6298 (5.3): armed anew by what is outstanding; TLP too
    if tcb.rack is not None:
        tcb.rack.probe_at = NEVER
    return before - tcb.send_buffer.length


def _measured(tcb: Tcb, ack: int, sample: int, flight: int, count: int) -> None:
    """A round trip, one of about as many as there are ACKs for this flight (RFC 7323 Appendix G), or ranges in it."""
    if tcb.episode is not None:
        spurious.adapt_timer(tcb, ack, sample)
    rtt.measured(tcb, sample, min(-(-flight // (2 * tcb.snd_mss)), count) if tcb.snd_mss else 1)
    if tcb.rack is not None:
        tcb.rack.sampled = True


def _take_off(tcb: Tcb, ack: int, now: int, ts_ecr: int | None) -> int:
    """Take off what is acknowledged. When the last of it had left; _AMBIGUOUS where Karn's algorithm (MUST-18) forbids
    to ask: what was sent twice says nothing, nor does what may have waited behind it; _NOTHING where no range is
    acknowledged whole, or only such as were sacked before."""
    text = (ack - tcb.snd_una) & MASK
    state = tcb.rack
    sent_at, again = _NOTHING, False
    late = None  # where the first begins of what came out of order
    gone = 0
    for sent in tcb.sent:
        length = (sent.end - sent.first) & MASK
        if (ack - sent.end) & MASK >= HALF:  # reaches into this range only
            length = (ack - sent.first) & MASK
            text -= sent.syn and length > 0
        else:
            gone += 1
            text -= sent.syn + sent.fin
            if not sent.sacked:
                sent_at = sent.sent_at
                tcb.statistics.delivered += 0 if sent.forgotten else ranges.segments(tcb, sent)
                if state is not None and rack.delivered(tcb, state, sent, sent.end, now, ts_ecr) and late is None:
                    late = sent.first
        if sent.sacked:
            tcb.sacked -= length
        elif not sent.lost:
            tcb.pipe -= length
        if length:
            again = again or sent.transmissions > 1 or sent.forgotten
        if (ack - sent.end) & MASK >= HALF:
            if length:
                if not (gone or again or sent.sacked):
                    sent_at = sent.sent_at
                if state is not None and not sent.sacked and rack.delivered(tcb, state, sent, ack, now, ts_ecr):
                    late = sent.first if late is None else late
                _delivered_in_part(tcb, sent, ack)
            break
    if state is not None and late is not None:
        rack.reordered(tcb, state, late)
    if gone and tcb.mss_acked < tcb.snd_mss:
        plpmtud.arrived(tcb, tcb.sent[:gone])
    del tcb.sent[:gone]
    tcb.send_buffer.drop(text)
    return _AMBIGUOUS if again and sent_at >= 0 else sent_at


def _delivered_in_part(tcb: Tcb, sent: SentRange, ack: int) -> None:
    """What is acknowledged reaches into this range: a SYN, or whole segments, and the rest is left."""
    before = ranges.segments(tcb, sent)
    if not sent.sacked:
        tcb.statistics.delivered += sent.syn
    syn, sent.first, sent.syn = sent.syn, ack, False
    if not sent.sacked:
        tcb.statistics.delivered += 0 if syn else before - ranges.segments(tcb, sent)


def _pull_up(tcb: Tcb, ack: int) -> None:
    """What points behind SND.UNA says nothing any more, and 2**31 bytes later would say the opposite."""
    if not tcb.in_recovery and (ack - 1 - tcb.recover) & MASK < HALF:
        tcb.recover = (ack - 1) & MASK
    if (ack - tcb.snd_sml) & MASK < HALF:
        tcb.snd_sml = ack
    if tcb.snd_up is not None and (ack - tcb.snd_up) & MASK < HALF:
        tcb.snd_up = None
    if tcb.rack is not None and (ack - tcb.rack.fack) & MASK < HALF:
        tcb.rack.fack = ack


def _advanced(tcb: Tcb, ack: int, now: int, ts_ecr: int | None) -> None:
    """New data is acknowledged: the window grows, or recovery goes on."""
    acked = (ack - tcb.snd_una) & MASK
    repairing = episode.repairing(tcb)
    recover = tcb.recover
    sacked, duplicates = tcb.sacked, tcb.dup_acks
    text = advance_una(tcb, ack, now, ts_ecr)
    tcb.dup_acks = 0
    if tcb.episode is not None:
        tcb.episode.advance = acked
        episode.forget(tcb, ack)
    if not tcb.in_recovery and text:
        news = _news(tcb, text, repairing, sacked - tcb.sacked, duplicates)
        control.acknowledged(tcb, text, news, now)
    if repairing and (ack - recover) & MASK < HALF:  # RFC 6582 3.2 step 3, full acknowledgment
        episode.over(tcb)
    elif tcb.in_recovery and tcb.rack is None:
        episode.partial(tcb, acked)


def _news(tcb: Tcb, text: int, repairing: bool, sacked: int, duplicates: int) -> int:
    """For how many bytes of text an ACK opens the window. What duplicate ACKs have told of is no news (RFC 5681 3.1:
    "previously unacknowledged"; it would let a burst out); after a time-out an ACK may stand for much that arrived long
    before, and counts as one segment at most (RFC 3465 2.3)."""
    if repairing:
        return min(text, tcb.snd_mss)
    if sacked:
        return max(text - sacked, 0)
    return max(text - duplicates * tcb.snd_mss, min(text, tcb.snd_mss)) if duplicates else text


def duplicate_ack(tcb: Tcb, now: int) -> None:
    """RFC 5681 section 2: nothing new, no text, the window unchanged, something outstanding (RFC 6582 3.2 step 2)."""
    spurious.doubt(tcb, tcb.snd_una, False, [], now)
    if tcb.rack is not None:
        return  # it would have had SACK blocks, were there a hole
    tcb.dup_acks += 1
    if tcb.in_recovery:
        episode.duplicate(tcb)
    elif tcb.dup_acks == _DUPLICATES and plpmtud.probe_lost(tcb, tcb.sent[0], now):
        ranges.mark_lost(tcb, tcb.sent[0])
    elif tcb.dup_acks == _DUPLICATES and not _sent_again_in_vain(tcb):
        episode.begin(tcb, now)
        ranges.mark_first_lost(tcb)
        prr.proportional(tcb, tcb.snd_mss)


def _sent_again_in_vain(tcb: Tcb) -> bool:
    """RFC 6582 3.2 step 2: duplicates of what lies below `recover` may answer what was sent again without need. They
    do not where the ACK before moved by little, section 4.1: then what was sent again is itself lost."""
    if (tcb.snd_una - 1 - tcb.recover) & MASK < HALF:
        return False
    one = tcb.episode
    return not (one and tcb.congestion.cwnd > tcb.snd_mss and 0 < one.advance <= 4 * tcb.snd_mss)


def restart_timer(tcb: Tcb) -> None:
    """What is sent again now has a whole RTO for its answer, and no tail probe stands for it any more."""
    tcb.retransmission_at = NEVER
    if tcb.rack is not None:
        rack.stop(tcb.rack)
        tcb.rack.tlp_end = None


def timed_out(tcb: Tcb, now: int) -> None:
    """The retransmission timer fired: RFC 6298 (5.4) to (5.6), RFC 5681 3.1, RFC 6582 3.2 step 4."""
    # RFC 6582 3.2 step 4, RFC 6675 5.1
    again = tcb.retransmissions > 0
    doubted = spurious.may_doubt(tcb)
    if tcb.episode is None or not again:
        tcb.episode = Episode(tcb.snd_una, max((tcb.snd_nxt - tcb.snd_una) & MASK, 1), True, now)
        if tcb.srtt is not None:
            tcb.episode.rtt_before = (tcb.srtt, tcb.rttvar)
    control.timed_out(tcb, ranges.flight_size(tcb), now)
    tcb.episode.frto = int(doubted)
    tcb.retransmissions += 1
    tcb.statistics.time_outs += 1
    tcb.statistics.time_out_recoveries += not again
    if tcb.rack is not None and not again and tcb.sacked >= _DUPLICATES * tcb.snd_mss:
        tcb.rack.reordering = min(tcb.rack.reordering, _DUPLICATES)
    if rtt.timeout(tcb) < tcb.config.rto_max:
        tcb.backoff += 1
    tcb.recover = tcb.snd_nxt
    tcb.in_recovery = False
    tcb.dup_acks = 0
    ranges.forget_sacked(tcb)
    if tcb.rack is not None:
        rack.timed_out(tcb, tcb.rack, now)
    else:
        for sent in tcb.sent:
            ranges.mark_lost(tcb, sent)
