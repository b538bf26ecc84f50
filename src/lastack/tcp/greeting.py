"""A plain handshake, from either side: the short cuts in front of LISTEN, SYN-SENT and SYN-RECEIVED in SEGMENT ARRIVES,
and in front of the SYN,ACK in `output`.

Their law is that of header prediction: they can be deleted without any observable change. What the general path finds
out step by step is written here for a SYN with the usual options and the SYN,ACK that answers it, each of which left
once, and for an ACK, perhaps with text, that says nothing unusual.
"""

from __future__ import annotations

from lastack.tcp import handshake, mss, rtt
from lastack.tcp.config import MAX_SHIFT, NEVER
from lastack.tcp.congestion import create
from lastack.tcp.scoreboard import Rack, SentRange
from lastack.tcp.sequence import HALF, MASK
from lastack.tcp.states import Event, State, move
from lastack.tcp.tcb import OPENED, READABLE, WRITABLE, Tcb
from lastack.tcp.text import acknowledge_text
from lastack.wire.options import USUAL, USUAL_SYN
from lastack.wire.segment import ACK, PSH, SYN, Segment

CLOSED = State.CLOSED
_SYN_ACK = SYN | ACK


def begun(tcb: Tcb, syn: Segment, now: int) -> bool:
    """In LISTEN, a SYN with the usual options: taken here, or False and nothing is done. 200 bytecodes less than
    `handshake.accept_syn`."""
    config, options = tcb.config, syn.options
    if (
        syn.flags != SYN
        or len(options) != USUAL_SYN.size
        or not config.usual_greeting
        or not (tcb.sack_on and tcb.ts_on and tcb.ws_on)
        or tcb.fast_open is not None
        or tcb.ecn is not None
        or tcb.way is not None
        or tcb.rcv_adv != tcb.rcv_nxt
        or tcb.retransmissions
    ):
        return False
    head, told, stamp, val, _, scale = USUAL_SYN.unpack(options)
    size = len(tcb.local[0])
    room = tcb.mtu - mss.IP_AND_TCP[size]
    full = (told if told < room else room) - mss.TIMESTAMP_LENGTH
    if (head, stamp, scale >> 8) != USUAL or full < 1 or told < config.min_snd_mss:
        return False
    shift, seq, window, default = scale & 0xFF, syn.seq, syn.window, mss.DEFAULT_MSS[size]
    tcb.irs = seq
    tcb.rcv_nxt = tcb.last_ack_sent = tcb.rcv_adv = (seq + 1) & MASK
    tcb.snd_wscale = shift if shift < MAX_SHIFT else MAX_SHIFT
    tcb.ts_recent, tcb.ts_recent_at = val, now
    tcb.send_mss, tcb.snd_mss, tcb.rcv_mss = told, full, full if full < default else default
    tcb.congestion = create(config, full)
    tcb.rack = Rack(tcb.iss)
    tcb.snd_wnd = tcb.max_snd_wnd = window
    tcb.snd_wl1, tcb.snd_wl2 = seq, syn.ack
    tcb.received_at = now
    move(tcb, Event.RCV_SYN, now)
    return True


def replied(tcb: Tcb, now: int, out: list[Segment]) -> bool:
    """In SYN-RECEIVED, our SYN,ACK for the first time, where that is all there is to send: it is in `out`, or False and
    nothing is done. 180 bytecodes less than the general path."""
    config, iss, nxt = tcb.config, tcb.iss, tcb.rcv_nxt
    if (
        not config.usual_greeting
        or not (tcb.sack_on and tcb.ts_on and tcb.ws_on)
        or tcb.ecn is not None
        or tcb.fast_open is not None
        or tcb.path is not None
        or tcb.way is not None
        or tcb.send_buffer.length
        or tcb.receive_buffer.length
        or tcb.fin_queued
        or tcb.ack_now
        or tcb.rcv_adv != nxt
    ):
        return False
    tcb.syn_queued = False
    tcb.snd_nxt = end = (iss + 1) & MASK
    tcb.sent.append(SentRange(iss, end, now, syn=True))
    tcb.pipe = 1
    tcb.stalled_since = now
    tcb.statistics.segments_out += 1
    # The window of a SYN is never scaled (RFC 7323 2.2).
    window = tcb.rcv_buf if tcb.rcv_buf < 0xFFFF else 0xFFFF
    tcb.rcv_adv = (nxt + window) & MASK
    segment = Segment(tcb.local[1], tcb.remote[1], iss, nxt, _SYN_ACK, window)
    offered = mss.offer(config, tcb.link_mtu, len(tcb.local[0]))
    stamp = ((now // 1000 + tcb.ts_offset) & MASK, tcb.ts_recent)
    segment.options = handshake.offered(config, offered, True, stamp, tcb.rcv_wscale)
    out.append(segment)
    tcb.retransmission_at = now + (tcb.rto if tcb.rto < config.rto_max else config.rto_max)
    return True


def answered(tcb: Tcb, segment: Segment, now: int) -> bool:
    """In SYN-SENT, the SYN,ACK: taken here, or False and nothing is done. 600 bytecodes less than the general path."""
    config, ranges, ack = tcb.config, tcb.sent, segment.ack
    if (
        segment.flags != _SYN_ACK
        or ack != tcb.snd_nxt
        or segment.length
        or len(ranges) != 1  # our SYN, without text
        or ranges[0].transmissions != 1
        or tcb.retransmissions
        or tcb.pipe != 1  # it is lost
        or tcb.fast_open is not None
        or tcb.episode is not None
        or tcb.path is not None
        or tcb.close_pending
        or config.check_echo_of_syn
        or config.pingpong
    ):
        return False
    handshake.accept_syn(tcb, segment, now)
    tcb.received_at = now
    # Our SYN is delivered (RFC 8985 6.2 steps 1 and 2), measured (RFC 6298 (2.2)) ...
    left_at = ranges[0].sent_at
    took = now - left_at
    rack = tcb.rack
    if rack is not None:
        rack.xmit, rack.rtt, rack.min_rtt, rack.once, rack.sampled = left_at, took, took or 1, True, True
        rack.fack = rack.end = ack
    tcb.snd_una = tcb.snd_sml = ack
    if (ack - 1 - tcb.recover) & MASK < HALF:
        tcb.recover = (ack - 1) & MASK
    del ranges[0]
    tcb.pipe = 0
    counted = tcb.statistics
    counted.delivered = 1
    rtt.measured(tcb, took)
    # ... and nothing waits for it any more.
    tcb.probes = tcb.unanswered_probes = tcb.soft_error = 0
    tcb.stalled_since = now if tcb.send_buffer.length else NEVER
    tcb.retransmission_at = NEVER
    _is_open(tcb, Event.RCV_SYN_ACK, now)
    tcb.ack_now = True
    return True


def completed(tcb: Tcb, segment: Segment, now: int) -> bool:
    """In SYN-RECEIVED: taken here, or False and nothing is done. 30 us less than the general path."""
    rack, ranges, ack, size, val = tcb.rack, tcb.sent, segment.ack, segment.length, segment.ts_val
    if (
        segment.flags & ~PSH != ACK
        or segment.seq != tcb.rcv_nxt
        or ack != tcb.snd_nxt
        or size > (tcb.rcv_adv - tcb.rcv_nxt) & MASK
        or tcb.opened_from is CLOSED
        or rack is None
        or tcb.fast_open is not None  # else our SYN is all that has left
        or ranges[0].transmissions != 1
        or tcb.pipe != 1  # it is lost
        or tcb.send_buffer.length
        or tcb.ecn is not None
    ):
        return False
    # First, check sequence number: nothing is older than the SYN (RFC 7323 5.3 R1).
    if tcb.ts_on and (val is None or (val - tcb.ts_recent) & MASK >= HALF):
        return False
    # Fifth, check the ACK field: our SYN is delivered (RFC 8985 6.2 steps 1 and 2), measured (RFC 6298 (2.2)) ...
    left_at = ranges[0].sent_at
    took = now - left_at
    rack.xmit, rack.rtt, rack.min_rtt, rack.once, rack.sampled = left_at, took, took or 1, True, True
    rack.fack = rack.end = tcb.snd_una = tcb.snd_sml = ack
    if (ack - 1 - tcb.recover) & MASK < HALF:
        tcb.recover = (ack - 1) & MASK
    del ranges[0]
    tcb.pipe = 0
    counted = tcb.statistics
    counted.delivered += 1
    rtt.measured(tcb, took)
    # ... and nothing waits for it any more.
    tcb.probes = tcb.unanswered_probes = tcb.soft_error = 0
    tcb.stalled_since = tcb.retransmission_at = rack.probe_at = NEVER
    _is_open(tcb, Event.RCV_ACK_OF_SYN, now)
    tcb.snd_wnd = window = segment.window << tcb.snd_wscale
    tcb.snd_wl1, tcb.snd_wl2 = segment.seq, ack
    if window > tcb.max_snd_wnd:
        tcb.max_snd_wnd = window
    tcb.received_at = now
    if tcb.ts_on and val is not None:
        tcb.ts_recent, tcb.ts_recent_at, tcb.ts_echo = val, now, segment.ts_ecr
    # Seventh, process the segment text.
    if size:
        full = segment.gso_size or size
        if full > tcb.rcv_mss:
            mss.heard(tcb, full)
        tcb.rcv_nxt = (tcb.rcv_nxt + size) & MASK
        tcb.receive_buffer.append(segment.payload)
        tcb.signals |= READABLE
        acknowledge_text(tcb, size, now)
    return True


def _is_open(tcb: Tcb, event: Event, now: int) -> None:
    move(tcb, event, now)
    counted, config = tcb.statistics, tcb.config
    counted.text_at = counted.text_at or now
    if config.keeps_alive:
        tcb.keepalive_at = now + config.keepalive_idle
    tcb.signals |= OPENED | WRITABLE
