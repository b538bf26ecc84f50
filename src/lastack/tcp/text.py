"""SEGMENT ARRIVES, sixth to eighth step: the URG bit, the segment text, the FIN bit (RFC 9293 section 3.10.7.4)."""

from __future__ import annotations

from lastack.tcp import mss, pingpong, sack, time_wait
from lastack.tcp.calls import abort_for_lost_data, urgent_left
from lastack.tcp.reassembly import Payload, Reassembly, trim_back, trim_front
from lastack.tcp.sequence import HALF, MASK, later
from lastack.tcp.states import RECEIVE_CLOSED, Event, State, move
from lastack.tcp.tcb import READABLE, URGENT, Tcb
from lastack.tcp.window import receive_window
from lastack.wire.segment import FIN, URG, Segment


def check_urg(tcb: Tcb, segment: Segment) -> None:
    """Sixth: RCV.UP <- max(RCV.UP, SEG.UP); the user is told if that is ahead of what it has read (MUST-32)."""
    if not segment.flags & URG or tcb.state in RECEIVE_CLOSED:
        return
    pointer = (segment.seq + segment.urgent) & MASK
    known = tcb.rcv_up
    if known is None or (known - pointer) & MASK >= HALF:
        if known is not None and not tcb.config.oob_inline and urgent_left(tcb) == 1:
            tcb.receive_buffer.read(1)  # it was to be read apart: it must not become a byte of the stream
        tcb.rcv_up = pointer if known is None else later(known, pointer)
        if urgent_left(tcb):
            tcb.signals |= URGENT


def process_text(tcb: Tcb, segment: Segment, now: int) -> None:
    """Seventh: trim to the window, deliver what is in order, hold what is ahead (SHLD-31)."""
    # RFC 7323 5.3 R4, RFC 7323 5.3 R5
    size = segment.length
    if not size or tcb.state in RECEIVE_CLOSED:
        return
    if tcb.receive_shut and tcb.config.reset_on_unread_data:
        abort_for_lost_data(tcb, now, segment.ack)
        return
    if (segment.gso_size or size) > tcb.rcv_mss:
        mss.heard(tcb, segment.gso_size or size)
    payload, first = segment.payload, segment.seq
    behind = (tcb.rcv_nxt - first) & MASK
    if 0 < behind < HALF:
        tcb.ack_now = True  # part of it is old: the ACK may have been lost
        sack.behind(tcb, first, size)
        pingpong.quicken(tcb)
        if behind >= size:
            return
        payload, first, size = trim_front(payload, behind), tcb.rcv_nxt, size - behind
    room = (tcb.rcv_adv - first) & MASK
    if size > room:
        payload, size = trim_back(payload, room), room
        segment.flags &= ~FIN  # it lies beyond the window
        tcb.ack_now = True
    if not size:
        return
    if first == tcb.rcv_nxt:
        if segment.flags & FIN and tcb.config.pingpong:
            pingpong.end_comes(tcb, now)
        _in_order(tcb, payload, size, now)
    else:
        _ahead(tcb, first, payload, size)


def _ahead(tcb: Tcb, first: int, payload: Payload, size: int) -> None:
    """Text beyond a hole: hold it, and say at once what is missing (RFC 5681 4.2: an immediate duplicate ACK)."""
    # RFC 9293 MAY-13
    if tcb.reassembly is None:
        tcb.reassembly = Reassembly()
    if not tcb.reassembly.insert(first, payload, size, tcb.config.reassembly_holes):
        tcb.count("limit: reassembly holes")
    if tcb.reassembly.duplicate is not None:
        sack.duplicate(tcb, *tcb.reassembly.duplicate)
    tcb.dup_acks_owed += 1
    tcb.statistics.out_of_order += 1


def _in_order(tcb: Tcb, payload: Payload, size: int, now: int) -> None:
    tcb.rcv_nxt = (tcb.rcv_nxt + size) & MASK
    tcb.receive_buffer.append(payload)
    held = tcb.reassembly
    if held is not None and held.blocks:
        more, more_size = held.take(tcb.rcv_nxt)
        if more_size:
            tcb.rcv_nxt = (tcb.rcv_nxt + more_size) & MASK
            tcb.receive_buffer.append(more)
        tcb.ack_now = True  # a hole was filled, in part or whole (RFC 5681 4.2)
    tcb.signals |= READABLE
    acknowledge_text(tcb, size, now)


def acknowledge_text(tcb: Tcb, size: int, now: int) -> None:
    """At once for every second full segment (SHLD-19), else a little later (SHLD-18, MUST-40)."""
    config = tcb.config
    delay = pingpong.text_arrived(tcb, now) if config.pingpong else config.delayed_ack
    waiting = (tcb.rcv_nxt - tcb.last_ack_sent) & MASK
    if waiting >= 2 * tcb.rcv_mss:
        tcb.ack_now = True
    elif tcb.quick_acks > 0 and (tcb.pingpong is None or not tcb.pingpong.answers):
        tcb.quick_acks -= 1
        tcb.ack_now = True
    elif not delay:
        tcb.ack_now = True
    elif now + delay < tcb.delayed_ack_at:
        tcb.delayed_ack_at = now + delay
    elif config.ack_second_segment:
        tcb.ack_now = True


def check_fin(tcb: Tcb, segment: Segment, now: int) -> None:
    """Eighth: the FIN is taken when all text before it has come; ahead of a hole it is remembered."""
    state = tcb.state
    if state is State.CLOSED or tcb.fin_received:
        return
    if segment.flags & FIN:
        fin = (segment.seq + segment.length) & MASK
        if fin == tcb.rcv_nxt and not receive_window(tcb):
            return  # a closed window has no room for it either: acknowledged, not taken
        if fin != tcb.rcv_nxt:
            if tcb.reassembly is None:
                tcb.reassembly = Reassembly()
            tcb.reassembly.fin = fin
            if not segment.length:
                tcb.dup_acks_owed += 1
            return
    elif tcb.reassembly is None or tcb.reassembly.fin != tcb.rcv_nxt:
        return
    fin_received(tcb, now)


def fin_received(tcb: Tcb, now: int) -> None:
    """The peer's FIN, behind all its text."""
    tcb.rcv_nxt = (tcb.rcv_nxt + 1) & MASK
    tcb.fin_received = True
    if tcb.pingpong is None or tcb.state is not State.ESTABLISHED:
        tcb.ack_now = True
    else:
        pingpong.end_came(tcb, now)
    tcb.signals |= READABLE
    if tcb.reassembly is not None:
        tcb.reassembly.clear()
    move(tcb, Event.RCV_FIN, now)
    if tcb.state is State.TIME_WAIT:
        time_wait.enter(tcb, now)
