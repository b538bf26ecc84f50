"""FINs on a connection on which nothing is out of the ordinary: one that comes, ours, and the ACK of ours.

The short cuts in front of SEGMENT ARRIVES and of `output._send`. Their law is that of header prediction: they can be
deleted without any observable change.
"""

from __future__ import annotations

from lastack.tcp import control, plpmtud, rtt, text, time_wait, tlp, window
from lastack.tcp.calls import ended
from lastack.tcp.config import NEVER
from lastack.tcp.rack import sent_after
from lastack.tcp.scoreboard import SentRange
from lastack.tcp.sequence import HALF, MASK
from lastack.tcp.states import Event, State, move
from lastack.tcp.statistics import IDLE
from lastack.tcp.tcb import PUSHED, WRITABLE, Reason, Tcb
from lastack.wire.options import build_timestamp
from lastack.wire.segment import ACK, FIN, PSH, Segment

_FIN_ACK = FIN | ACK


def heard(tcb: Tcb, segment: Segment, now: int) -> bool:
    """A FIN without text, or an ACK of all that was sent: taken here, or False and nothing is done. 15 us less than the
    general path, 25 where our FIN is acknowledged."""
    rack, ack, flags, val = tcb.rack, segment.ack, segment.flags, segment.ts_val
    new = (ack - tcb.snd_una) & MASK
    if (
        flags & ~FIN != ACK
        or segment.seq != tcb.rcv_nxt
        or segment.length
        or ack != tcb.snd_nxt
        or not (new or flags & FIN)
        or (flags & FIN and tcb.fin_received)
        or tcb.rcv_adv == tcb.rcv_nxt
        or not tcb.snd_wnd
        or rack is None
        or rack.tlp_end is not None
        or rack.dsack_round is not None
        or tcb.episode is not None
        or tcb.ecn is not None
        or tcb.path is not None
        or tcb.reassembly is not None
        or tcb.in_recovery
        or tcb.probes
    ):
        return False
    if tcb.ts_on:
        # A timestamp alone that is not older than TS.Recent.
        if val is None or len(segment.options) != 12 or (val - tcb.ts_recent) & MASK >= HALF:
            return False
    elif segment.options:
        return False
    if new and not _acknowledged(tcb, ack, new, now):
        return False
    tcb.received_at = now
    tcb.keepalive_sent = tcb.soft_error = 0
    seq = segment.seq
    if new or (seq - tcb.snd_wl1 - 1) & MASK < HALF or (tcb.snd_wl1 == seq and (ack - tcb.snd_wl2) & MASK < HALF):
        tcb.snd_wnd = offered = segment.window << tcb.snd_wscale
        tcb.snd_wl1, tcb.snd_wl2 = seq, ack
        if offered > tcb.max_snd_wnd:
            tcb.max_snd_wnd = offered
    if tcb.fin_seq is None or state_after_ack(tcb, now):
        if tcb.ts_on and val is not None and (tcb.last_ack_sent - seq) & MASK < HALF:
            tcb.ts_recent, tcb.ts_recent_at, tcb.ts_echo = val, now, segment.ts_ecr
        if flags & FIN:
            text.fin_received(tcb, now)
    return True


def _acknowledged(tcb: Tcb, ack: int, new: int, now: int) -> bool:
    """All that is outstanding is one range that left once, with our FIN or without: False where it is not so."""
    rack, ranges, mss = tcb.rack, tcb.sent, tcb.snd_mss
    assert rack is not None
    one = ranges[0]
    left_at = one.sent_at
    took = now - left_at
    if (
        len(ranges) != 1
        or one.transmissions != 1
        or one.syn
        or one.forgotten
        or tcb.pipe != new  # it is lost, or held
        or tcb.dup_acks
        or tcb.snd_up is not None
        or (tcb.recover - tcb.snd_una - 1) & MASK < HALF  # it is being repaired
        or (ack - rack.fack) & MASK >= HALF  # it comes late
        or not rack.min_rtt
        or took < 0
        or not sent_after(left_at, ack, rack.xmit, rack.end)
    ):
        return False
    # From here on it is taken, as in `clean.acknowledged`.
    size = new - one.fin
    rack.fack = rack.end = ack
    rack.xmit, rack.rtt, rack.once, rack.sampled = left_at, took, True, True
    if took < rack.min_rtt:
        rack.min_rtt = took or 1
    rack.reo_at = rack.probe_at = NEVER
    tcb.statistics.delivered += -(-size // mss) or 1
    if tcb.mss_acked < mss and tcb.mss_acked < size:
        plpmtud.arrived(tcb, ranges)
    ranges.clear()
    tcb.pipe = 0
    tcb.snd_una = ack
    rtt.measured(tcb, took)
    if (ack - 1 - tcb.recover) & MASK < HALF:
        tcb.recover = (ack - 1) & MASK
    if (ack - tcb.snd_sml) & MASK < HALF:
        tcb.snd_sml = ack
    tcb.retransmissions = tcb.unanswered_probes = 0
    tcb.retransmission_at = NEVER
    if size:
        tcb.send_buffer.drop(size)
    tcb.stalled_since = now if tcb.send_buffer.length else NEVER
    if size:
        control.acknowledged(tcb, size, size, now)
    tcb.signals |= WRITABLE
    return True


def over(tcb: Tcb, segment: Segment, now: int) -> bool:
    """In LAST-ACK, the ACK of our FIN where nobody holds or watches the connection: it ends, and what else that ACK
    tells of the path and the peer nobody can ask any more. Taken here, or False and nothing is done. 500 bytecodes less
    than `heard`."""
    if segment.flags != ACK or not _is_last(tcb, segment):
        return False
    ended(tcb, Event.RCV_ACK_OF_FIN, now, Reason.FINISHED, 0)
    return True


def both_over(tcb: Tcb, segment: Segment, now: int) -> bool:
    """In FIN-WAIT-1, a FIN that acknowledges ours, under the same conditions: what is left is a TIME-WAIT, and nobody
    will ask how long the last round trip took. Taken here, or False and nothing is done. 700 bytecodes less than
    `heard`."""
    if (
        segment.flags != _FIN_ACK
        or tcb.fin_received
        or tcb.last_ack_sent != tcb.rcv_nxt  # its timestamp is not to be echoed (RFC 7323 4.3 (2))
        or tcb.rcv_adv == tcb.rcv_nxt
        or tcb.reassembly is not None
        or tcb.dsack is not None
        or tcb.retransmissions
        or not _is_last(tcb, segment)
    ):
        return False
    move(tcb, Event.RCV_ACK_OF_FIN, now)
    tcb.sent.clear()
    tcb.pipe = 0
    tcb.snd_una = segment.ack
    tcb.send_buffer.drop(tcb.send_buffer.length)
    if tcb.rack is not None:
        tcb.rack.reo_at = tcb.rack.probe_at = NEVER
    tcb.statistics.limit = IDLE
    tcb.received_at = now
    if tcb.ts_on and segment.ts_val is not None:
        tcb.ts_recent, tcb.ts_recent_at, tcb.ts_echo = segment.ts_val, now, segment.ts_ecr
    text.fin_received(tcb, now)
    return True


def _is_last(tcb: Tcb, segment: Segment) -> bool:
    """Whether it acknowledges all, our FIN too, says nothing unusual, and nobody holds or watches the connection."""
    val, options = segment.ts_val, segment.options
    if (
        segment.ack != tcb.snd_nxt
        or segment.seq != tcb.rcv_nxt
        or segment.length
        or not tcb.orphan
        or tcb.observer is not None
        or tcb.fin_seq is None
        # What the host would hear of.
        or tcb.path is not None
        or tcb.ecn is not None
        or tcb.fast_open is not None
        or tcb.episode is not None
        or tcb.sacked
    ):
        return False
    if tcb.ts_on:
        return val is not None and len(options) == 12 and (val - tcb.ts_recent) & MASK < HALF
    return not options


def state_after_ack(tcb: Tcb, now: int) -> bool:
    """What the ACK of our FIN does in each state. "Our FIN" is asked of its sequence number, never of the state."""
    if tcb.fin_seq is None or tcb.snd_una != (tcb.fin_seq + 1) & MASK:
        return True
    state = tcb.state
    if state is State.FIN_WAIT_1:
        move(tcb, Event.RCV_ACK_OF_FIN, now)
        start_fin_wait_2(tcb, now)
    elif state is State.CLOSING:
        move(tcb, Event.RCV_ACK_OF_FIN, now)
        time_wait.enter(tcb, now)
    elif state is State.LAST_ACK:
        ended(tcb, Event.RCV_ACK_OF_FIN, now, Reason.FINISHED, 0)
        return False
    return True


def start_fin_wait_2(tcb: Tcb, now: int) -> None:
    """An orphan does not wait for ever for the FIN of a peer that may never send it (no RFC; Linux, BSD)."""
    if tcb.orphan and tcb.config.fin_wait_2_timeout:
        tcb.fin_wait_2_at = now + tcb.config.fin_wait_2_timeout


def send(tcb: Tcb, now: int, out: list[Segment]) -> bool:
    """The FIN that is queued, with the text before it where one segment has room for both, or nothing where it has left
    and is not lost; False, and nothing is done, where that is for the general path. 15 us less than that."""
    buffer, rack = tcb.send_buffer, tcb.rack
    una, nxt, mss, ranges = tcb.snd_una, tcb.snd_nxt, tcb.snd_mss, tcb.sent
    flight = (nxt - una) & MASK
    if tcb.fin_seq is not None:
        if tcb.pipe != flight or tcb.episode is not None or tcb.path is not None:
            return False
        if not flight and tcb.sent_at and tcb.snd_wnd:
            control.resumes(tcb, now)
        return True
    size = buffer.length - flight
    edge = (una + tcb.snd_wnd - nxt) & MASK
    if (
        tcb.pipe != flight  # something is lost
        or rack is None
        or size > mss
        or not size < edge < HALF
        or size > tcb.congestion.cwnd - flight
        or tcb.episode is not None
        or tcb.ecn is not None
        or tcb.path is not None
        or tcb.fast_open is not None
        or tcb.reassembly is not None
        or tcb.dsack is not None
        or tcb.pingpong is not None
        or tcb.snd_up is not None
        or buffer.cuts
        or (ranges and ranges[0].syn)
    ):
        return False
    if not flight and tcb.sent_at and tcb.snd_wnd:
        control.resumes(tcb, now)
    end = (nxt + size + 1) & MASK
    sent = SentRange(nxt, end, now, fin=True)
    sent.push, sent.size = tcb.hold in PUSHED, mss
    ranges.append(sent)
    tcb.fin_seq = (end - 1) & MASK
    tcb.snd_nxt = end
    tcb.pipe += size + 1
    tcb.sent_at = now
    if tcb.stalled_since == NEVER:
        tcb.stalled_since = now
    counted, rcv_nxt = tcb.statistics, tcb.rcv_nxt
    segment = Segment(tcb.local[1], tcb.remote[1], nxt, rcv_nxt, _FIN_ACK, window.advertise(tcb))
    if size:
        if size % mss:
            tcb.snd_sml = end
        counted.text_out += 1
        segment.payload = buffer.view(flight, size) if flight else buffer.whole()
        segment.length = size
        if sent.push:
            segment.flags |= PSH
    if tcb.ts_on:
        segment.ts_val, segment.ts_ecr = val, ecr = (now // 1000 + tcb.ts_offset) & MASK, tcb.ts_recent
        segment.options = build_timestamp(val, ecr)
    counted.segments_out += 1
    out.append(segment)
    tcb.ack_now = False
    tcb.delayed_ack_at = NEVER
    tcb.last_ack_sent = rcv_nxt
    alone = rack.sampled and rack.tlp_end is None and size < mss and not (flight or tcb.backoff or tcb.sacked)
    if tcb.retransmission_at != NEVER:
        tlp.arm(tcb, rack, now)
    elif alone and tcb.srtt is not None and tcb.config.plain:
        tlp.begin(tcb, rack, tcb.srtt, now)
    return True
