"""The user's calls: RFC 9293 sections 3.10.1 to 3.10.6, and the ways in which a connection ends.

Misuse raises the OSError that a BSD socket would raise, with the RFC's own words.
"""

from __future__ import annotations

from errno import ECONNABORTED, ECONNRESET, EINVAL, EISCONN, ENOTCONN, EPIPE

from lastack.tcp import autotune, fast_open, handshake, sending, units
from lastack.tcp.config import NEVER
from lastack.tcp.congestion import create
from lastack.tcp.early import FastOpen
from lastack.tcp.segments import reset
from lastack.tcp.sequence import HALF, MASK
from lastack.tcp.states import CLOSED, SEND_CLOSED, Event, State, move
from lastack.tcp.tcb import ENDED, MORE_FOLLOWS, NOTHING_SAID, READABLE, UNKNOWN_MSS, WRITABLE, Reason, Tcb
from lastack.tcp.window import update_due
from lastack.wire.packet import Buffer
from lastack.wire.segment import RST, Segment

ESTABLISHED = State.ESTABLISHED


def _told(tcb: Tcb, now: int, call: str, detail: str = "") -> None:
    if tcb.observer is not None:
        tcb.observer.call_made(now, tcb, call, detail)


def open_passive(tcb: Tcb, now: int) -> None:
    """OPEN, passive: to LISTEN. `lastack.host` gives each SYN a TCB of its own, which begins here."""
    _require_closed(tcb)
    move(tcb, Event.PASSIVE_OPEN, now)


def open_active(tcb: Tcb, now: int, iss: int, fast: FastOpen | None = None) -> None:
    """OPEN, active, in CLOSED or LISTEN: a SYN will be sent with the initial sequence number `iss`.

    With a `fast` open that may bear text the SYN waits for the first SEND (RFC 7413 section 4.2.2).
    """
    if tcb.state is not State.LISTEN:
        _require_closed(tcb)
    tcb.fast_open = fast
    if fast is not None:
        fast.waits = fast.most > 0
    _told(tcb, now, "OPEN", "active")
    _begin(tcb, Event.ACTIVE_OPEN, now, iss)


def _require_closed(tcb: Tcb) -> None:
    if tcb.state is not CLOSED or tcb.reason is not Reason.OPEN:
        raise OSError(EISCONN, "connection already exists")


def _begin(tcb: Tcb, event: Event, now: int, iss: int) -> None:
    if not tcb.remote[1]:
        raise OSError(EINVAL, "remote socket unspecified")
    tcb.opened_from = CLOSED
    if tcb.state is State.LISTEN:
        tcb.congestion = create(tcb.config, UNKNOWN_MSS)
    set_iss(tcb, iss)
    move(tcb, event, now)


def set_iss(tcb: Tcb, iss: int) -> None:
    """The send variables before our SYN; what it will offer (RFC 6582 3.2 step 1)."""
    tcb.iss = tcb.snd_una = tcb.snd_nxt = tcb.recover = tcb.snd_sml = iss
    tcb.syn_queued = True
    handshake.offer(tcb)


def send(
    tcb: Tcb,
    data: Buffer,
    now: int,
    *,
    urgent: bool = False,
    more: bool = False,
    record: bool = False,
    iss: int | None = None,
) -> int:
    """SEND: queue what there is room for; returns the bytes taken (0 when the buffer is full).

    In LISTEN with a remote socket it turns the passive OPEN into an active one, and needs `iss`. `more`: do not PUSH.
    `record`: where all is taken, what follows begins a segment of its own.
    Raises OSError ENOTCONN where there is no connection, BrokenPipeError where it is closing.
    """
    state = tcb.state
    if state is not ESTABLISHED:
        if state is State.LISTEN and iss is not None:
            _begin(tcb, Event.SEND, now, iss)
        elif state is CLOSED or state is State.LISTEN:
            raise OSError(ENOTCONN, "connection does not exist")
        if state in SEND_CLOSED:
            raise BrokenPipeError(EPIPE, "connection closing")
    if tcb.fin_queued or tcb.close_pending:
        raise BrokenPipeError(EPIPE, "connection closing")
    if tcb.observer is not None:
        _told(tcb, now, "SEND", str(len(data)))
    tcb.hold = MORE_FOLLOWS if more else NOTHING_SAID
    tcb.quiet = None  # `hold` is out of the ordinary, also where there is no room
    if tcb.fast_open is not None:
        tcb.fast_open.waits = False
    size = queue(tcb, data, now)
    if record and size and size == len(data):
        tcb.send_buffer.end_record()
    if urgent and size:
        tcb.snd_up = (handshake.text_start(tcb) + tcb.send_buffer.length) & MASK
    return size


def queue(tcb: Tcb, data: Buffer, now: int) -> int:
    """What SEND does where the connection is known to be open, and plain data is all it is given (`Tcb.quiet`)."""
    counted = tcb.statistics
    tcb.more_at = counted.segments_in
    size = whole = len(data)
    # Where there is room as it is, nothing need be asked: 50 bytecodes less.
    if whole > tcb.snd_buf - tcb.send_buffer.length or not tcb.config.plain:
        size = _room(tcb, whole, now)
    counted.wants_room = size < whole
    if size <= 0:
        return 0
    counted.bytes_written += size
    tcb.send_buffer.append(data if size == whole else memoryview(data)[:size])
    return size


def _room(tcb: Tcb, size: int, now: int) -> int:
    """How many of `size` bytes SEND takes; first the buffer grows, where it may."""
    if tcb.config.send_units:
        autotune.grow_send(tcb, units.at_first(tcb), now)
        return units.take(tcb, size)
    if size > tcb.snd_buf - tcb.send_buffer.length:
        autotune.grow_send(tcb, 2 * tcb.congestion.cwnd, now)
    room = tcb.snd_buf - tcb.send_buffer.length
    if low_water := sending.low_water(tcb):
        room = min(room, low_water - sending.unsent(tcb))
    return size if size <= room else max(room, 0)


def has_room(tcb: Tcb) -> bool:
    """Whether there is room enough to wake who has something to send: a third of the buffer, as on Linux; with
    TCP_NOTSENT_LOWAT less than half of it waits to be sent (Linux again)."""
    low_water = sending.low_water(tcb)
    if low_water and 2 * sending.unsent(tcb) >= low_water:
        return False
    held = units.held(tcb) if tcb.config.send_units else tcb.send_buffer.length
    return 3 * held <= 2 * tcb.snd_buf


def notice_room(tcb: Tcb, now: int) -> None:
    """What could leave has left: is there room for a user who found none? Where text is what the congestion window
    lacks, the buffer grows (with `send_units`, as tcp_check_space() has it)."""
    counted = tcb.statistics
    if counted.wants_room:
        if tcb.config.send_units and tcb.pipe + tcb.snd_mss <= tcb.congestion.cwnd:
            autotune.grow_send(tcb, units.grown(tcb), now)
        counted.wants_room = not has_room(tcb)


def fin_acknowledged(tcb: Tcb) -> bool:
    """The peer has our FIN, and so all before it."""
    return tcb.fin_seq is not None and tcb.snd_una == (tcb.fin_seq + 1) & MASK


def receive(tcb: Tcb, size: int, now: int) -> bytes:
    """RECEIVE: up to `size` bytes in order, b"" where there are none (at the end: `at_end`).

    May open the window, which then is told (`output.transmit`).
    """
    data = tcb.receive_buffer.read(size)
    _has_read(tcb, len(data), now)
    return data


def receive_views(tcb: Tcb, size: int, now: int) -> list[Buffer]:
    """RECEIVE without a copy: the same bytes as they lie in the receive buffer."""
    buffer = tcb.receive_buffer
    before = buffer.length
    views = buffer.take(size)
    _has_read(tcb, before - buffer.length, now)
    return views


def _has_read(tcb: Tcb, size: int, now: int) -> None:
    if tcb.fin_received:
        tcb.end_read = not tcb.receive_buffer.length
    if not size:
        return
    if tcb.observer is not None:
        _told(tcb, now, "RECEIVE", str(size))
    tcb.statistics.bytes_read += size
    tuning = tcb.tuning
    if tuning is None:
        if tcb.config.autotuning:
            autotune.begin(tcb, now)
    elif now >= tuning.at:
        autotune.round_over(tcb, tuning, now)
    if update_due(tcb):
        tcb.ack_now = True
    if tcb.rcv_up is not None and not urgent_left(tcb):
        tcb.rcv_up = None


def urgent_left(tcb: Tcb) -> int:
    """Bytes of urgent data that the user has not read (MUST-33)."""
    if tcb.rcv_up is None:
        return 0
    left = (tcb.rcv_up - autotune.read_up_to(tcb)) & MASK
    return left if left < HALF else 0


def at_end(tcb: Tcb) -> bool:
    """The peer's FIN has come and all before it is read."""
    return tcb.fin_received and not tcb.receive_buffer.length


def close(tcb: Tcb, now: int, detail: str = "") -> None:
    """CLOSE, "I have no more data to send": the FIN follows what is queued. A second CLOSE does nothing.

    The state moves at the call, also from CLOSE-WAIT, where section 3.10.4 moves when the FIN is sent. `detail` is
    for the observer.
    """
    _told(tcb, now, "CLOSE", detail)
    _close(tcb, now)


def _close(tcb: Tcb, now: int) -> None:
    state = tcb.state
    if state is State.LISTEN or state is State.SYN_SENT:
        ended(tcb, Event.CLOSE, now, Reason.CLOSED_BEFORE_OPEN, 0)
    elif state is State.SYN_RCVD:
        if tcb.send_buffer.length and not fast_open.opened(tcb):
            tcb.close_pending = True
        else:
            _queue_fin(tcb, now)
    elif state is State.ESTABLISHED or state is State.CLOSE_WAIT:
        _queue_fin(tcb, now)


def _queue_fin(tcb: Tcb, now: int) -> None:
    tcb.fin_queued = True
    tcb.signals |= WRITABLE
    move(tcb, Event.CLOSE, now)


def deferred_close(tcb: Tcb, now: int) -> None:
    """A CLOSE made in SYN-RECEIVED with data queued, now that ESTABLISHED is reached (3.10.4)."""
    if tcb.close_pending and tcb.state is not CLOSED:
        tcb.close_pending = False
        _queue_fin(tcb, now)


def release(tcb: Tcb, now: int) -> None:
    """The user closes both directions and lets go (MAY-1): unread data, or data that comes later, ends in a RST
    (SHLD-3), and from here on FIN-WAIT-2 has a timer."""
    if tcb.observer is not None:
        _told(tcb, now, "CLOSE")
    tcb.receive_shut = True
    over = tcb.state is State.TIME_WAIT  # all was acknowledged, both ways: the peer has nothing to be told
    if tcb.receive_buffer.length and not over:
        if not tcb.config.reset_at_close:
            tcb.receive_buffer.read(tcb.receive_buffer.length)
        elif tcb.config.reset_on_unread_data:
            abort_for_lost_data(tcb, now)
    state = tcb.state
    if state is State.ESTABLISHED or state is State.CLOSE_WAIT:
        _queue_fin(tcb, now)
    else:
        _close(tcb, now)
    orphaned(tcb, now)


def orphaned(tcb: Tcb, now: int) -> None:
    """No user holds it any more: from here on FIN-WAIT-2 has a timer."""
    tcb.orphan = True
    if tcb.state is State.FIN_WAIT_2 and tcb.config.fin_wait_2_timeout and tcb.fin_wait_2_at == NEVER:
        tcb.fin_wait_2_at = now + tcb.config.fin_wait_2_timeout


def abort(tcb: Tcb, now: int, reason: Reason = Reason.ABORTED) -> None:
    """ABORT: <SEQ=SND.NXT><CTL=RST> where the peer may think that there is a connection."""
    _told(tcb, now, "ABORT")
    _abort(tcb, now, reason, ECONNABORTED)


def abort_for_lost_data(tcb: Tcb, now: int, expected: int | None = None) -> None:
    """Data was received that nobody will read (RFC 2525 section 2.17): the peer hears of it in every state.

    `expected` is the number that the peer expects next, where that is known: what we have sent may be lost, and a RST
    with SND.NXT would only be challenged (RFC 5961 3.2).
    """
    error = 0 if tcb.orphan else ECONNRESET
    if expected is not None:
        tcb.replies.append(Segment(tcb.local[1], tcb.remote[1], expected, flags=RST))
        ended(tcb, Event.ABORT, now, Reason.DATA_LOST, error)
        return
    if tcb.state is State.CLOSING or tcb.state is State.LAST_ACK:
        tcb.replies.append(reset(tcb, now))
    _abort(tcb, now, Reason.DATA_LOST, error)


def forget(tcb: Tcb, now: int) -> None:
    """ABORT of a half-open connection without a word: who is there will hear of it at the next segment."""
    _told(tcb, now, "ABORT")
    ended(tcb, Event.ABORT, now, Reason.ABORTED, 0)


def abort_orphan(tcb: Tcb, now: int) -> None:
    """One connection too many that nobody holds: the peer hears of it in every state."""
    if tcb.state is State.CLOSING or tcb.state is State.LAST_ACK:
        tcb.replies.append(reset(tcb, now))
    _abort(tcb, now, Reason.ORPHANS, 0)


def _abort(tcb: Tcb, now: int, reason: Reason, error: int) -> None:
    state = tcb.state
    if state is CLOSED:
        return
    if state in _RESET_ON_ABORT:
        tcb.replies.append(reset(tcb, now))
    ended(tcb, Event.ABORT, now, reason, error)


_RESET_ON_ABORT = frozenset({State.SYN_RCVD, State.ESTABLISHED, State.FIN_WAIT_1, State.FIN_WAIT_2, State.CLOSE_WAIT})


def status(tcb: Tcb) -> dict[str, object]:
    """STATUS (3.9.1.5): the connection's variables by their RFC names (MUST-47, SHLD-20)."""
    return {
        "state": tcb.state.value,
        "local": tcb.local,
        "remote": tcb.remote,
        "SND.UNA": tcb.snd_una,
        "SND.NXT": tcb.snd_nxt,
        "SND.WND": tcb.snd_wnd,
        "RCV.NXT": tcb.rcv_nxt,
        "RCV.WND": (tcb.rcv_adv - tcb.rcv_nxt) & MASK,
        "ISS": tcb.iss,
        "IRS": tcb.irs,
        "unacknowledged": (tcb.snd_nxt - tcb.snd_una) & MASK,
        "unsent": sending.unsent(tcb),
        "unread": tcb.receive_buffer.length,
        "urgent": urgent_left(tcb),
        "RTO": tcb.rto,
        "soft error": tcb.soft_error,
        "reason": tcb.reason.value,
    }


def ended(tcb: Tcb, event: Event, now: int, reason: Reason, error: int) -> None:
    """The connection is over: move, tell the user why (MUST-12), flush the queues, stop the timers.

    What was received in order stays readable.
    """
    tcb.reason = reason
    tcb.error = error
    tcb.signals |= ENDED | READABLE | WRITABLE
    move(tcb, event, now)
    if tcb.send_buffer.length:
        tcb.statistics.bytes_written -= tcb.send_buffer.length
        tcb.send_buffer.clear()
    tcb.sent.clear()
    tcb.pipe = tcb.sacked = 0
    tcb.snd_una = tcb.snd_nxt
    if tcb.reassembly is not None:
        tcb.reassembly.clear()
    tcb.ack_now = False
    tcb.dup_acks_owed = 0
    stop_timers(tcb)


def stop_timers(tcb: Tcb) -> None:
    """All timers off."""
    tcb.retransmission_at = tcb.persist_at = tcb.delayed_ack_at = NEVER
    tcb.keepalive_at = tcb.fin_wait_2_at = tcb.time_wait_at = NEVER
    tcb.stalled_since = NEVER
    if tcb.rack is not None:
        tcb.rack.reo_at = tcb.rack.probe_at = NEVER
