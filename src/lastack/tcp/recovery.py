"""What has left and is not acknowledged: the ranges, their loss, and fast recovery by RFC 5681 3.2 and RFC 6582.

`Tcb.sent` covers SND.UNA to SND.NXT without gaps. A range marked lost no longer counts as in flight (`Tcb.pipe`) until
`lastack.tcp.output` has sent it again. Where SACK is agreed `lastack.tcp.rack` finds the losses; what it needs to know
of each range that was delivered is noted here.
"""

from __future__ import annotations

from lastack.tcp import control, plpmtud, rtt
from lastack.tcp.config import NEVER
from lastack.tcp.scoreboard import SentRange
from lastack.tcp.sequence import HALF, MASK
from lastack.tcp.tcb import Tcb

PERSIST = 16  # recoveries for which a widened reordering window stays (RFC 8985 6.2 step 4)
_DUPLICATES = 3  # RFC 5681 3.2: the third duplicate ACK says "lost"


def advance_una(tcb: Tcb, ack: int, now: int, ts_ecr: int | None) -> None:
    """SND.UNA < SEG.ACK =< SND.NXT: take the acknowledged ranges off, measure, and let the window grow."""
    # RFC 6298 section 3
    acked = (ack - tcb.snd_una) & MASK
    text = acked
    sent_at, again = now, False
    gone = 0
    for sent in tcb.sent:
        length = (sent.end - sent.first) & MASK
        if (ack - sent.end) & MASK >= HALF:  # reaches into this range only
            part = (ack - sent.first) & MASK
            if part:
                if sent.sacked:
                    tcb.sacked -= part
                elif not sent.lost:
                    tcb.pipe -= part
                text -= sent.syn
                again = again or sent.transmissions > 1
                sent.first, sent.syn = ack, False
            break
        gone += 1
        text -= sent.syn + sent.fin
        if sent.sacked:
            tcb.sacked -= length
            continue
        if not sent.lost:
            tcb.pipe -= length
        if tcb.rack is not None:
            delivered(tcb, sent, now, ts_ecr)
        sent_at, again = sent.sent_at, again or sent.transmissions > 1
    if gone and tcb.mss_acked < tcb.snd_mss:
        plpmtud.arrived(tcb, tcb.sent[:gone])
    del tcb.sent[:gone]
    tcb.send_buffer.drop(text)
    repairing = (tcb.recover - tcb.snd_una - 1) & MASK < HALF
    tcb.snd_una = ack
    _pull_up(tcb, ack)
    if tcb.path is not None:
        plpmtud.acked(tcb)
    # Karn (MUST-18): what was sent twice says nothing, nor does what may have waited behind it.
    if gone and not again:
        rtt.measured(tcb, now - sent_at)
    elif gone and ts_ecr:  # RFC 7323 section 4: the echoed timestamp says which transmission it answers
        rtt.measured(tcb, max(((now // 1000 + tcb.ts_offset - ts_ecr) & MASK) * 1000, 1))
    tcb.retransmissions = tcb.probes = tcb.unanswered_probes = 0
    tcb.soft_error = 0
    tcb.stalled_since = now if tcb.sent or tcb.send_buffer.length else NEVER
    tcb.retransmission_at = NEVER  # RFC 6298 (5.3): armed anew by what is outstanding
    _grow(tcb, ack, acked, text, repairing, now)


def _pull_up(tcb: Tcb, ack: int) -> None:
    """What points behind SND.UNA says nothing any more, and 2**31 bytes later would say the opposite."""
    if not tcb.in_recovery and (ack - 1 - tcb.recover) & MASK < HALF:
        tcb.recover = (ack - 1) & MASK
    if (ack - tcb.snd_sml) & MASK < HALF:
        tcb.snd_sml = ack
    if tcb.snd_up is not None and (ack - tcb.snd_up) & MASK < HALF:
        tcb.snd_up = None


def _grow(tcb: Tcb, ack: int, acked: int, text: int, repairing: bool, now: int) -> None:
    tcb.dup_acks = 0
    if not tcb.in_recovery:
        if text:
            control.acknowledged(tcb, text, repairing, now)
    elif tcb.rack is not None:  # RFC 6937: what is sent follows what is delivered
        if (ack - tcb.recover) & MASK < HALF:
            _recovered(tcb)
    elif (ack - tcb.recover) & MASK < HALF:  # RFC 6582 3.2 step 3, full acknowledgment
        tcb.in_recovery = False
        tcb.congestion.cwnd = min(tcb.congestion.ssthresh, max(tcb.pipe, tcb.snd_mss) + tcb.snd_mss)
        tcb.congestion.recovered()
    else:  # partial acknowledgment: the next hole; deflate by what was acknowledged
        tcb.congestion.cwnd = max(tcb.congestion.cwnd - acked, 0) + tcb.snd_mss
        mark_first_lost(tcb)


def flight_size(tcb: Tcb) -> int:
    """FlightSize of RFC 5681 (2), of which a loss leaves half. Behind a hole that is repaired slowly it may span many
    windows, most of which the peer holds, and half of that would be no reduction: no more than a window counts."""
    return min((tcb.snd_nxt - tcb.snd_una) & MASK, tcb.congestion.cwnd)


def duplicate_ack(tcb: Tcb, now: int) -> None:
    """RFC 5681 section 2: nothing new, no text, the window unchanged, something outstanding."""
    tcb.dup_acks += 1
    if tcb.in_recovery:
        tcb.congestion.cwnd += tcb.snd_mss  # step 4: one segment has left the network
    elif tcb.dup_acks == _DUPLICATES and plpmtud.probe_lost(tcb, tcb.sent[0], now):
        mark_lost(tcb, tcb.sent[0])
    elif tcb.dup_acks == _DUPLICATES and (tcb.snd_una - 1 - tcb.recover) & MASK < HALF:
        tcb.recover = tcb.snd_nxt
        tcb.in_recovery = True
        control.lost(tcb, flight_size(tcb), now)
        tcb.congestion.cwnd = tcb.congestion.ssthresh + 3 * tcb.snd_mss
        mark_first_lost(tcb)


def delivered(tcb: Tcb, sent: SentRange, now: int, ts_ecr: int | None) -> None:
    """Steps 1 to 3 of section 6.2: a range was acknowledged, cumulatively or selectively."""
    rack = tcb.rack
    assert rack is not None
    took = now - sent.sent_at
    if sent.transmissions > 1:
        if ts_ecr and (ts_ecr - (sent.sent_at // 1000 + tcb.ts_offset)) & MASK >= HALF:
            return  # an answer to an earlier transmission
        if took < rack.min_rtt:
            return
    else:
        if (sent.end - rack.fack) & MASK >= HALF:
            rack.reordered = True
        rack.min_rtt = min(rack.min_rtt, took) if rack.min_rtt else max(took, 1)
    if (sent.end - rack.fack) & MASK < HALF:
        rack.fack = sent.end
    if sent_after(sent.sent_at, sent.end, rack.xmit, rack.end):
        rack.xmit, rack.end, rack.rtt = sent.sent_at, sent.end, took


def sent_after(at: int, end: int, other_at: int, other_end: int) -> bool:
    """Whether a range that ends at `end` was sent after another; of one moment, the later in sequence."""
    return at > other_at or (at == other_at and 0 < (end - other_end) & MASK < HALF)


def _recovered(tcb: Tcb) -> None:
    """All that was outstanding at the beginning of recovery is acknowledged."""
    rack = tcb.rack
    assert rack is not None
    tcb.in_recovery = False
    tcb.congestion.cwnd = max(tcb.congestion.ssthresh, tcb.snd_mss)
    tcb.congestion.recovered()
    rack.reo_persist -= 1
    if rack.reo_persist <= 0:
        rack.reo_mult = 1


def mark_first_lost(tcb: Tcb) -> None:
    """The first segment not acknowledged is to be sent again."""
    if tcb.sent:
        cut(tcb, 0, tcb.snd_mss)
        mark_lost(tcb, tcb.sent[0])


def mark_lost(tcb: Tcb, sent: SentRange) -> None:
    """This range is no longer in flight."""
    if not sent.lost and not sent.sacked:
        sent.lost = True
        tcb.pipe -= (sent.end - sent.first) & MASK


def restart_timer(tcb: Tcb) -> None:
    """What is sent again now has a whole RTO for its answer, and no tail probe stands for it any more."""
    tcb.retransmission_at = NEVER
    if tcb.rack is not None:
        tcb.rack.reo_at = tcb.rack.probe_at = NEVER
        tcb.rack.tlp_end = None


def cut(tcb: Tcb, index: int, size: int) -> None:
    """Cut the range at `index` behind `size` sequence numbers, where it is longer."""
    sent = tcb.sent[index]
    if not 0 < size < (sent.end - sent.first) & MASK:
        return
    middle = (sent.first + size) & MASK
    rest = sent.copy()
    rest.first, rest.syn = middle, False
    sent.end, sent.fin, sent.push = middle, False, False
    tcb.sent.insert(index + 1, rest)


def timed_out(tcb: Tcb, now: int) -> None:
    """The retransmission timer fired: RFC 6298 (5.4) to (5.6), RFC 5681 3.1, RFC 6582 section 4."""
    control.timed_out(tcb, flight_size(tcb), now)
    tcb.retransmissions += 1
    if rtt.timeout(tcb) < tcb.config.rto_max:
        tcb.backoff += 1
    tcb.recover = tcb.snd_nxt
    tcb.in_recovery = False
    tcb.dup_acks = 0
    for sent in tcb.sent:  # what the peer said it holds too: it may have forgotten it (RFC 2018 section 8)
        if sent.sacked:
            sent.sacked, sent.lost = False, True
        else:
            mark_lost(tcb, sent)
    tcb.sacked = 0
    if tcb.rack is not None:
        tcb.rack.reo_at = tcb.rack.probe_at = NEVER
        tcb.rack.tlp_end = None
