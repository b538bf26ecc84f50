"""The segments themselves: how a range of `Tcb.sent`, an acknowledgment, a SYN or a RST looks when it leaves.

What leaves, and when, is decided in `lastack.tcp.output`.
"""

from __future__ import annotations

from lastack.tcp import bursts, ecn, fast_open, handshake, pingpong, plpmtud, sack, window
from lastack.tcp.config import NEVER
from lastack.tcp.scoreboard import SentRange
from lastack.tcp.sequence import HALF, MASK, lt
from lastack.tcp.states import State
from lastack.tcp.tcb import Tcb
from lastack.wire.options import build_timestamp
from lastack.wire.segment import ACK, ECE, FIN, PSH, RST, SYN, URG, Segment

SYN_SENT = State.SYN_SENT


def _segment(tcb: Tcb, seq: int, flags: int, now: int, sacks: bytes = b"") -> Segment:
    """A segment with the acknowledgment and window of this moment, which thereby are given."""
    segment = Segment(tcb.local[1], tcb.remote[1], seq, tcb.rcv_nxt, flags, window.advertise(tcb))
    if tcb.ts_on:
        segment.ts_val, segment.ts_ecr = val, ecr = (now // 1000 + tcb.ts_offset) & MASK, tcb.ts_recent
        segment.options = build_timestamp(val, ecr)
    if tcb.ecn is not None and tcb.ecn.echo:
        segment.flags |= ECE
    if sacks:
        segment.options = bytes(segment.options) + sacks
    tcb.ack_now = False
    tcb.delayed_ack_at = NEVER
    tcb.last_ack_sent = tcb.rcv_nxt
    tcb.statistics.segments_out += 1
    return segment


def pure_ack(tcb: Tcb, now: int, follow: int = 0) -> Segment:
    """<SEQ=SND.NXT><ACK=RCV.NXT><CTL=ACK>, or SEQ = the right edge where a probe went beyond it.

    A peer with a closed window would not take an ACK from behind its edge (RFC 9293 Appendix A.2, simultaneous window
    probes).
    """
    seq = tcb.snd_nxt
    if seq != tcb.snd_una:
        edge = (tcb.snd_una + tcb.snd_wnd) & MASK
        seq = edge if lt(edge, seq) else seq
    told = tcb.reassembly is not None or tcb.dsack is not None
    return _segment(tcb, seq, ACK, now, sack.option(tcb, follow) if told else b"")


def syn(tcb: Tcb, now: int) -> Segment:
    """<SEQ=ISS><CTL=SYN>, or <SEQ=ISS><ACK=RCV.NXT><CTL=SYN,ACK> once the peer's SYN has come."""
    tcb.statistics.segments_out += 1
    segment = Segment(tcb.local[1], tcb.remote[1], tcb.iss, 0, SYN)
    first = tcb.state is SYN_SENT
    if not first:
        segment.flags, segment.ack = SYN | ACK, tcb.rcv_nxt
        tcb.last_ack_sent = tcb.rcv_nxt
    if first or tcb.ecn is not None:
        segment.flags |= ecn.syn_flags(tcb)
    segment.options = handshake.syn_options(tcb, now)
    if tcb.fast_open is not None:
        fast_open.add_option(tcb, segment)
    # The window of a SYN is never scaled (RFC 7323 2.2).
    room = window.space(tcb)
    if room > tcb.rcv_buf:
        room = tcb.rcv_buf
    segment.window = room if room < 0xFFFF else 0xFFFF
    edge = (tcb.rcv_nxt + segment.window) & MASK
    if first or (tcb.rcv_adv - edge) & MASK >= HALF:
        tcb.rcv_adv = edge
    tcb.ack_now = False
    tcb.delayed_ack_at = NEVER
    return segment


def emit(tcb: Tcb, sent: SentRange, now: int, out: list[Segment]) -> None:
    """Make a range segments: one, where the device cuts it, else cut at the MSS. PSH and FIN on the last alone."""
    # RFC 9293 MUST-61, SHLD-27
    seq = sent.first
    size = ((sent.end - seq) & MASK) - sent.fin
    position = (seq - handshake.text_start(tcb)) & MASK
    full = tcb.snd_mss if tcb.path is None else plpmtud.segment_size(tcb, sent)
    # No super-segment while something is urgent: not every device adjusts the pointer when it cuts.
    unit = tcb.unit if tcb.snd_up is None else 0
    alike = full if tcb.reassembly is None and tcb.dsack is None else 0
    if sent.transmissions == 1:
        sent.size = alike
        if tcb.config.push_bursts and size > full:
            sent.burst = bursts.length(tcb, full) * full
    elif sent.size != alike or (alike and ((seq - sent.origin) & MASK) % alike):
        sent.size = 0
    if size and tcb.pingpong is not None:
        pingpong.text_left(tcb, now)
    while True:
        sacks = sack.option(tcb) if full == tcb.snd_mss else b""  # a probe of the path has its size
        mss = full - len(sacks)
        part = min(size, max(unit - unit % mss, mss))
        size -= part
        flags = ACK
        if not size:
            flags |= (FIN if sent.fin else 0) | (PSH if part and sent.push else 0)
        if sent.burst and bursts.ends(sent, seq, part, mss):
            flags |= PSH
        segment = _segment(tcb, seq, flags, now, sacks)
        if part:
            segment.payload = tcb.send_buffer.view(position, part)
            segment.length = part
            segment.gso_size = mss if part > mss else 0
            if sent.transmissions == 1 and tcb.snd_wnd:  # into a closed window goes a probe
                ecn.mark(tcb, segment)
            count = -(-part // mss) if part > mss else 1
            tcb.statistics.text_out += count
            tcb.statistics.segments_out += count - 1
        if tcb.snd_up is not None:
            _mark_urgent(tcb, segment)
        out.append(segment)
        if not size:
            return
        seq = (seq + part) & MASK
        position += part


def _mark_urgent(tcb: Tcb, segment: Segment) -> None:
    """SND.UP points behind the urgent data (MUST-62); it is told as long as it lies ahead of the segment's start."""
    # RFC 9293 MUST-30, MUST-31
    assert tcb.snd_up is not None
    ahead = (tcb.snd_up - segment.seq) & MASK
    if 0 < ahead <= 0xFFFF:
        segment.flags |= URG
        segment.urgent = ahead
    elif ahead < HALF and lt(tcb.snd_nxt, (segment.seq + 0xFFFF) & MASK):
        # Too far for the field: as far as it can say (MUST-31), where that points at nothing that was sent, so that
        # no byte is taken for the urgent one.
        segment.flags |= URG
        segment.urgent = 0xFFFF


def keepalive_probe(tcb: Tcb, now: int) -> Segment:
    """SEG.SEQ = SND.NXT-1, no data (RFC 9293 3.8.4, SHLD-12)."""
    return _segment(tcb, (tcb.snd_nxt - 1) & MASK, ACK, now)


def reset(tcb: Tcb, now: int) -> Segment:
    """<SEQ=SND.NXT><CTL=RST> (3.10.5). With ACK, as every segment of a synchronized state (3.8), and the timestamps
    that were agreed (RFC 7323 3.2: SHOULD)."""
    segment = Segment(tcb.local[1], tcb.remote[1], tcb.snd_nxt, tcb.rcv_nxt, RST | ACK)
    if tcb.ts_on:
        segment.options = build_timestamp(handshake.timestamp(tcb, now), tcb.ts_recent)
    return segment
