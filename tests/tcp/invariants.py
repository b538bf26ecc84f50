"""What must hold of a connection after every event, whatever its peer and its user have done."""

from __future__ import annotations

from lastack.tcp import units, window
from lastack.tcp.config import NEVER
from lastack.tcp.sequence import HALF, MASK
from lastack.tcp.states import State
from lastack.tcp.tcb import Tcb

TIMERS = ("retransmission_at", "persist_at", "delayed_ack_at", "keepalive_at", "fin_wait_2_at", "time_wait_at")
SENDERS = frozenset({State.ESTABLISHED, State.FIN_WAIT_1, State.CLOSE_WAIT, State.CLOSING, State.LAST_ACK})
UNOPENED = frozenset({State.CLOSED, State.LISTEN, State.SYN_SENT})


def problem(tcb: Tcb, now: int) -> str:
    """What is wrong with a connection that has just said all that it had to say, or ""."""
    return _sequence(tcb) or _buffers(tcb) or _timers(tcb, now)


def _sequence(tcb: Tcb) -> str:
    if (tcb.snd_nxt - tcb.snd_una) & MASK >= HALF:
        return "SND.UNA is beyond SND.NXT"
    at = tcb.snd_una
    for sent in tcb.sent:
        if sent.first != at or sent.first == sent.end:
            return f"the ranges sent have a gap, an overlap or nothing at {at}"
        at = sent.end
    if at != tcb.snd_nxt:
        return "the ranges sent do not end at SND.NXT"
    pipe = sum((sent.end - sent.first) & MASK for sent in tcb.sent if not sent.lost and not sent.sacked)
    if pipe != tcb.pipe:
        return f"{pipe} bytes are in flight, and the pipe says {tcb.pipe}"
    if tcb.state not in UNOPENED and (tcb.rcv_adv - tcb.rcv_nxt) & MASK >= HALF:
        return "RCV.NXT is beyond the right edge that was advertised"
    return ""


def _buffers(tcb: Tcb) -> str:
    config = tcb.config
    held = tcb.reassembly
    most = max(config.send_buffer, tcb.snd_buf) if config.whole_segment_buffers else config.send_buffer
    if tcb.send_buffer.length > most + (2 * units.UNIT if config.send_units else 0):
        return "more waits to be sent than may"
    room = max(config.receive_buffer, tcb.rcv_buf, 1 << tcb.rcv_wscale)  # no window is smaller than a unit of its scale
    if tcb.receive_buffer.length + (held.length if held else 0) > window.limit(room):
        return "more was received than there is room for"
    if held is not None:
        if len(held.blocks) > config.reassembly_holes:
            return "more blocks behind holes than may be"
        if held.length != sum((block.end - block.first) & MASK for block in held.blocks):
            return "the reassembly has miscounted its bytes"
        edges = [edge - tcb.rcv_nxt & MASK for block in held.blocks for edge in (block.first, block.end)]
        if edges != sorted(edges) or any(block.first == block.end for block in held.blocks):
            return "the blocks behind holes are out of order"
    return ""


def _timers(tcb: Tcb, now: int) -> str:
    armed = {name for name in TIMERS if getattr(tcb, name) != NEVER}
    if tcb.state in (State.CLOSED, State.LISTEN):
        return f"timers run in {tcb.state.value}: {sorted(armed)}" if armed else ""
    late = [name for name in armed if getattr(tcb, name) < now]
    if late:
        return f"timers are overdue: {late}"
    outstanding = tcb.snd_una != tcb.snd_nxt
    if outstanding and not armed & {"retransmission_at", "persist_at"}:
        return "something is outstanding and nothing would send it again (RFC 6298 section 5.1)"
    if not outstanding and "retransmission_at" in armed:
        return "nothing is outstanding and the retransmission timer runs (RFC 6298 section 5.2)"
    if not outstanding and tcb.rack is not None and min(tcb.rack.probe_at, tcb.rack.reo_at) != NEVER:
        return "nothing is outstanding and a timer of loss detection runs (RFC 8985 section 7.2)"
    if ("time_wait_at" in armed) != (tcb.state is State.TIME_WAIT):
        return "the 2MSL timer and the state disagree"
    if "fin_wait_2_at" in armed and tcb.state is not State.FIN_WAIT_2:
        return "the FIN-WAIT-2 timer runs in another state"
    waiting = tcb.send_buffer.length or (tcb.fin_queued and tcb.fin_seq is None)
    if tcb.state in SENDERS and not outstanding and waiting and "persist_at" not in armed:
        return "something waits to be sent and nothing would send it (RFC 9293 section 3.8.6.1)"
    if tcb.state not in UNOPENED and tcb.rcv_nxt != tcb.last_ack_sent and "delayed_ack_at" not in armed:
        return "something received will never be acknowledged (MUST-40)"
    return ""
