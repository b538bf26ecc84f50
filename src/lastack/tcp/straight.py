"""New text on a connection on which nothing is out of the ordinary: the short cut in front of `output._send`.

Its law is that of header prediction: it can be deleted without any observable change.
"""

from __future__ import annotations

from lastack.tcp import sizes, tlp, window
from lastack.tcp.config import NEVER
from lastack.tcp.scoreboard import SentRange
from lastack.tcp.sequence import MASK
from lastack.tcp.states import State
from lastack.tcp.tcb import PUSHED, Tcb
from lastack.wire.options import build_timestamp
from lastack.wire.segment import ACK, PSH, Segment

ACK_PSH = ACK | PSH

ESTABLISHED = State.ESTABLISHED


def send(tcb: Tcb, now: int, out: list[Segment]) -> bool:
    """Send what both windows have room for; False, and nothing is done, where that is for the general path."""
    buffer, rack, config = tcb.send_buffer, tcb.rack, tcb.config
    una, nxt = tcb.snd_una, tcb.snd_nxt
    flight = (nxt - una) & MASK
    if (
        tcb.state is not ESTABLISHED
        or tcb.pipe != flight  # something is lost
        or rack is None
        or tcb.episode is not None
        or tcb.ecn is not None
        or tcb.path is not None
        or tcb.fast_open is not None
        or tcb.reassembly is not None
        or tcb.dsack is not None
        or tcb.pingpong is not None
        or tcb.snd_up is not None
        or tcb.fin_queued
        or buffer.cuts
        or config.push_bursts
    ):
        return False
    unsent = buffer.length - flight
    if not unsent:
        return True
    if not flight and tcb.sent_at and tcb.snd_wnd:
        tcb.congestion.resumes(now, config.idle_restart and now - tcb.sent_at > tcb.rto)
    usable = tcb.snd_wnd - flight
    if usable < 0:
        return True  # the window shrank (MUST-34)
    mss = tcb.snd_mss
    room = tcb.congestion.cwnd - flight
    if room > usable:
        room = usable
    unit = sizes.unit(tcb, mss)
    while unsent and room > 0:
        size = unsent if unsent < room else room
        if size > unit:
            size = unit
        if size < unsent:
            size = sizes.whole_segments(tcb, size, usable, mss)
        elif size % mss and (config.nagle or config.cork or tcb.hold) and sizes.nagle_holds(tcb):
            size -= size % mss  # the small rest waits
        if not size:
            break
        _send_range(tcb, flight, size, size == unsent and tcb.hold in PUSHED, now, out)
        flight += size
        unsent -= size
        room -= size
        usable -= size
    if tcb.snd_nxt != nxt:
        if tcb.retransmission_at != NEVER:
            tlp.arm(tcb, rack, now)
        tcb.sent_at = now
        if tcb.stalled_since == NEVER:
            tcb.stalled_since = now
        tcb.ack_now = False
        tcb.delayed_ack_at = NEVER
        tcb.last_ack_sent = tcb.rcv_nxt
    return True


def _send_range(tcb: Tcb, position: int, size: int, push: bool, now: int, out: list[Segment]) -> None:
    """A range of new text, in one segment or super-segment where the device takes it; what `segments.emit` makes."""
    mss, seq, rcv_nxt, counted = tcb.snd_mss, tcb.snd_nxt, tcb.rcv_nxt, tcb.statistics
    tcb.snd_nxt = end = (seq + size) & MASK
    sent = SentRange(seq, end, now)
    sent.push, sent.size = push, mss
    tcb.sent.append(sent)
    if size % mss:
        tcb.snd_sml = end
    tcb.pipe += size
    count = -(-size // mss)
    counted.text_out += count
    counted.segments_out += count
    most = tcb.unit
    most = most - most % mss or mss
    val, ecr, options = None, 0, b""
    if tcb.ts_on:
        val, ecr = (now // 1000 + tcb.ts_offset) & MASK, tcb.ts_recent
        options = build_timestamp(val, ecr)
    port, other, view = tcb.local[1], tcb.remote[1], tcb.send_buffer.view
    field = window.advertise(tcb)  # the same for all of one moment
    gso = mss if most > mss else 0
    while size > most:
        segment = Segment(port, other, seq, rcv_nxt, ACK, field, 0, options, view(position, most), most, gso)
        segment.ts_val, segment.ts_ecr = val, ecr
        out.append(segment)
        seq = (seq + most) & MASK
        position += most
        size -= most
    flags = ACK_PSH if push else ACK
    gso = mss if size > mss else 0
    segment = Segment(port, other, seq, rcv_nxt, flags, field, 0, options, view(position, size), size, gso)
    segment.ts_val, segment.ts_ecr = val, ecr
    out.append(segment)
