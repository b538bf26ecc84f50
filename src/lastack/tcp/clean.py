"""An ACK while nothing was lost: the short cut in front of `recovery.new_ack`.

Its law is that of header prediction: it can be deleted without any observable change. What `recovery` and `rack` find
out step by step for any ACK is written here for the one case in which each step has one outcome.
"""

from __future__ import annotations

from lastack.tcp import control, plpmtud, rtt
from lastack.tcp.config import NEVER
from lastack.tcp.sequence import HALF, MASK
from lastack.tcp.tcb import Tcb


def acknowledged(tcb: Tcb, ack: int, now: int) -> bool:
    """SND.UNA < SEG.ACK =< SND.NXT; no episode, nothing sacked, no probe: taken here, or False and nothing is done."""
    rack, ranges, una = tcb.rack, tcb.sent, tcb.snd_una
    flight = (tcb.snd_nxt - una) & MASK
    # Something is lost, or being repaired, or comes late.
    if rack is None or tcb.pipe != flight or tcb.dup_acks or tcb.in_recovery or (tcb.recover - una - 1) & MASK < HALF:
        return False
    if rack.dsack_round is not None or not rack.min_rtt or (ranges[0].end - rack.fack) & MASK >= HALF:
        return False
    if tcb.path is not None or tcb.snd_up is not None:
        return False
    mss = tcb.snd_mss
    gone = segments = 0
    sample_at = left_at = -1  # when the last left of what is acknowledged whole; the last of all
    part = None  # what the acknowledgment reaches into
    for one in ranges:
        first, end = one.first, one.end
        if first == ack:
            break
        if one.transmissions != 1 or one.forgotten or one.syn or one.fin:
            return False
        left_at = one.sent_at
        if (ack - end) & MASK >= HALF:
            part = one
            segments += -(-((end - first) & MASK) // mss) - -(-((end - ack) & MASK) // mss)
            break
        segments += -(-((end - first) & MASK) // mss)
        gone += 1
        sample_at = left_at
    took = now - left_at
    # What left last of it, left after all that was delivered before (`rack.sent_after`).
    if took < 0 or left_at < rack.xmit or (left_at == rack.xmit and not 0 < (ack - rack.end) & MASK < HALF):
        return False
    rest = (count := len(ranges)) > gone
    if rest and (ranges[gone].transmissions != 1 or ranges[gone].sent_at < left_at):
        return False
    # From here on it is taken: what was delivered (RFC 8985 6.2 steps 1 and 2; step 5 finds nothing lost) ...
    rack.fack = rack.end = ack
    rack.xmit, rack.rtt, rack.once, rack.sampled = left_at, took, True, True
    if took < rack.min_rtt:
        rack.min_rtt = took or 1
    rack.reo_at = rack.probe_at = NEVER
    tcb.statistics.delivered += segments
    text = (ack - una) & MASK
    if gone and tcb.mss_acked < mss and tcb.mss_acked < text:
        plpmtud.arrived(tcb, ranges[:gone])
    # ... is forgotten, and measured (RFC 6298 section 3, RFC 7323 Appendix G) ...
    if part is not None:
        part.first = ack
        if gone:
            took = now - sample_at
    del ranges[:gone]
    tcb.send_buffer.drop(text)
    tcb.pipe = flight = flight - text
    tcb.snd_una = ack
    samples = -(-(flight + text) // (2 * mss))
    rtt.measured(tcb, took, samples if samples < count else count)
    if (ack - 1 - tcb.recover) & MASK < HALF:
        tcb.recover = (ack - 1) & MASK
    if (ack - tcb.snd_sml) & MASK < HALF:
        tcb.snd_sml = ack
    # ... and what waited for it is stopped (RFC 6298 (5.3)).
    tcb.retransmissions = tcb.unanswered_probes = tcb.soft_error = 0
    tcb.stalled_since = now if rest or tcb.send_buffer.length else NEVER
    tcb.retransmission_at = NEVER
    if tcb.ecn is not None:
        control.acknowledged(tcb, text, text, now)
    else:
        tcb.congestion.acknowledged(text, flight, now, text)
    return True
