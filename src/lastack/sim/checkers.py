"""What must hold of every connection after every event, and of every host when all is over.

`watch(world)` puts all of them in place. `WireWatch` judges the segments, `Streams` the text; here stand the checks
that look inside: the variables, timers and buffers of RFC 9293 section 3.3.1, and the moves of its state machine.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from operator import attrgetter
from typing import Any

from lastack.sim.ecn_watch import EcnWatch
from lastack.sim.node import Node
from lastack.sim.streams import Streams
from lastack.sim.taps import Silent, TraceHash
from lastack.sim.wire_watch import WireWatch
from lastack.sim.world import World
from lastack.tcp import units, window
from lastack.tcp.config import NEVER
from lastack.tcp.states import RECEIVE_CLOSED, SYNCHRONIZED, TRANSITIONS, Event, State
from lastack.tcp.tcb import Tcb

_MASK = 0xFFFFFFFF
_HALF = 0x80000000

_TIMERS = ("retransmission_at", "persist_at", "delayed_ack_at", "keepalive_at", "fin_wait_2_at", "time_wait_at")
_LATEST_ACK = 500_000
_timers = attrgetter(*_TIMERS)
_CAN_SEND = frozenset({State.ESTABLISHED, State.FIN_WAIT_1, State.CLOSE_WAIT, State.CLOSING, State.LAST_ACK})


class TcbCheck:
    """Looks into every connection of the hosts that an event touched."""

    def check(self, world: World, touched: Sequence[Node]) -> None:
        """See `Checker`."""
        for node in touched:
            if node.host is None:
                continue
            deadline = node.host.deadline()
            for tcb in node.host.connections():
                problem = (
                    _sequence_problem(tcb)
                    or _timer_problem(tcb, world.now, deadline)
                    or _liveness_problem(tcb)
                    or _silence_problem(tcb, world.now)
                    or _buffer_problem(tcb)
                )
                if problem:
                    raise world.fail(node.name, f"{tcb.state.value} port {tcb.local[1]} to {tcb.remote[1]}: {problem}")


def _sequence_problem(tcb: Tcb) -> str:
    outstanding = (tcb.snd_nxt - tcb.snd_una) & _MASK
    if outstanding >= _HALF:
        return f"SND.UNA {tcb.snd_una} is beyond SND.NXT {tcb.snd_nxt}"
    at, flight = tcb.snd_una, 0
    for sent in tcb.sent:
        if sent.first != at:
            return f"the ranges sent have a gap or an overlap at {at}: {sent.first}"
        at = sent.end
        if not sent.lost and not sent.sacked:
            flight += (sent.end - sent.first) & _MASK
    if at != tcb.snd_nxt:
        return f"the ranges sent end at {at}, and SND.NXT is {tcb.snd_nxt}"
    if flight != tcb.pipe:
        return f"{flight} bytes are in flight, and {tcb.pipe} are counted"
    if tcb.snd_mss and tcb.congestion.cwnd < tcb.snd_mss:
        return f"the congestion window of {tcb.congestion.cwnd} bytes is less than a segment (RFC 5681 section 3.1)"
    if tcb.state is not State.CLOSED and (tcb.rcv_adv - tcb.rcv_nxt) & _MASK >= _HALF:
        return f"RCV.NXT {tcb.rcv_nxt} is beyond the right edge {tcb.rcv_adv} that was advertised"
    return ""


def _timer_problem(tcb: Tcb, now: int, deadline: int | None) -> str:
    """No timer is missed, and each runs exactly when it is needed."""
    earliest = min(_timers(tcb))
    state = tcb.state
    if earliest != NEVER:
        if state is State.CLOSED:
            return f"closed, with timers: {_armed(tcb)}"
        if earliest < now or deadline is None or deadline > earliest:
            return f"a timer is due at {earliest} us, and the host wants to wake at {deadline}: {_armed(tcb)}"
    outstanding = tcb.snd_una != tcb.snd_nxt
    if outstanding != (tcb.retransmission_at != NEVER):
        if outstanding and tcb.persist_at == NEVER:
            return "text is outstanding and no timer would send it again (RFC 6298 section 5.1)"
        if not outstanding:
            return "the retransmission timer runs, and nothing is outstanding (RFC 6298 section 5.2)"
    if not outstanding and tcb.rack is not None and min(tcb.rack.probe_at, tcb.rack.reo_at) != NEVER:
        return "a timer of loss detection runs, and nothing is outstanding (RFC 8985 section 7.2)"
    if (tcb.time_wait_at != NEVER) != (state is State.TIME_WAIT):
        return "the 2MSL timer runs, or not, against the state"
    if tcb.fin_wait_2_at != NEVER and state is not State.FIN_WAIT_2:
        return "the FIN-WAIT-2 timer runs in another state"
    if state is State.FIN_WAIT_2 and tcb.orphan and tcb.config.fin_wait_2_timeout and tcb.fin_wait_2_at == NEVER:
        return "nobody holds it, and no timer would end it"
    if tcb.keepalive_at != NEVER and not tcb.config.keeps_alive:
        return "the keep-alive timer runs uncalled for (RFC 9293 MUST-25)"
    return ""


def _armed(tcb: Tcb) -> str:
    """The timers that run, in words."""
    return ", ".join(f"{name} {getattr(tcb, name)}" for name in _TIMERS if getattr(tcb, name) != NEVER)


def _liveness_problem(tcb: Tcb) -> str:
    """What waits must have something that it waits for."""
    if tcb.state in _CAN_SEND and tcb.snd_una == tcb.snd_nxt:
        waiting = tcb.send_buffer.length or (tcb.fin_queued and tcb.fin_seq is None)
        if waiting and tcb.persist_at == NEVER:
            return "something waits to be sent, nothing is outstanding, and no timer runs (RFC 9293 section 3.8.6.1)"
    return ""


def _silence_problem(tcb: Tcb, now: int) -> str:
    """What the peer must be told has been said, or a timer will see to it."""
    if tcb.state not in RECEIVE_CLOSED and tcb.state in SYNCHRONIZED and tcb.rcv_adv == tcb.rcv_nxt:
        room = window.room(tcb)
        due = window.update_due(tcb) if tcb.config.freebsd_windows else room >= max(window.step(tcb), 1)
        if due and tcb.delayed_ack_at == NEVER:
            return f"the window is closed, {room} bytes have room, and the peer was not told (RFC 9293 3.8.6.2.2)"
    if tcb.state in (State.CLOSED, State.LISTEN, State.SYN_SENT) or tcb.rcv_nxt == tcb.last_ack_sent:
        return ""
    # A FIN or text was taken: its ACK has left with this event, or the delayed one will (MUST-40).
    if tcb.delayed_ack_at == NEVER:
        return f"{tcb.rcv_nxt} is received, {tcb.last_ack_sent} acknowledged, and no timer runs (MUST-40)"
    if tcb.delayed_ack_at > now + _LATEST_ACK:
        return f"an ACK is delayed until {tcb.delayed_ack_at} us (MUST-40: less than 0.5 s)"
    waiting = (tcb.rcv_nxt - tcb.last_ack_sent) & _MASK
    if waiting >= 2 * tcb.rcv_mss:
        return f"{waiting} bytes are unacknowledged, two segments of {tcb.rcv_mss} (MUST-58)"
    return ""


def _buffer_problem(tcb: Tcb) -> str:
    config = tcb.config
    most = config.send_buffer + (2 * units.UNIT if config.send_units else 0)
    if config.whole_segment_buffers:
        most += max(tcb.send_mss - 1, 0)
    if tcb.send_buffer.length > most:
        return f"{tcb.send_buffer.length} bytes wait to be sent, {most} may"
    held = tcb.receive_buffer.length + (tcb.reassembly.length if tcb.reassembly is not None else 0)
    # Rounding by the scale may have promised a little more than there is (RFC 7323 section 2.4).
    size = max(tcb.rcv_buf, config.receive_buffer, 1 << tcb.rcv_wscale)
    if held > window.limit(size):
        return f"{held} bytes were received, {window.limit(size)} may be held"
    if tcb.reassembly is not None and len(tcb.reassembly.blocks) > config.reassembly_holes:
        return f"{len(tcb.reassembly.blocks)} blocks behind holes, {config.reassembly_holes} may be held"
    return ""


class Moves(Silent):
    """Every move of a state is an edge of `TRANSITIONS`, and TIME-WAIT lasts 2MSL at least (RFC 9293 section 3.6.1).

    The moves seen are counted for who wants them all.
    """

    def __init__(self, world: World, host: str, seen: Counter[tuple[State, Event]]) -> None:
        self.world = world
        self.host = host
        self.seen = seen
        self._waiting: dict[Any, int] = {}  # since when, by (local, remote)

    def moved(self, now: int, connection: Any, old: State, event: Event, new: State) -> None:
        self.seen[old, event] += 1
        if TRANSITIONS[old].get(event) is not new:
            raise self.world.fail(self.host, f"{old.value} went to {new.value} by {event.value}: no edge does")
        if connection.state is not new:
            raise self.world.fail(self.host, f"moved to {new.value}, and is in {connection.state.value}")
        if now != self.world.now:
            raise self.world.fail(self.host, f"moved at {now} us, and it is {self.world.now} us")
        name = (connection.local, connection.remote)
        if event is Event.TIME_WAIT_TIMEOUT:
            lasted = now - self._waiting.pop(name, now)
            if lasted < 2 * self.world.nodes[self.host].config.msl:
                raise self.world.fail(self.host, f"TIME-WAIT lasted {lasted} us, less than 2MSL (section 3.6.1)")
        elif new is State.TIME_WAIT and event is not Event.RCV_RST_OLD_DUPLICATE:
            self._waiting[name] = now


class Checks:
    """All checks of one world, and what they have counted."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.moves: Counter[tuple[State, Event]] = Counter()
        self.streams = Streams(world)
        self.trace = TraceHash()
        world.checkers.append(TcbCheck())
        world.tap(self.trace)
        world.tap(WireWatch(world))
        world.tap(EcnWatch(world))
        world.observe(lambda host: Moves(world, host, self.moves))

    def nothing_left(self) -> None:
        """When all is over: no connection, no timer, no TIME-WAIT, no packet under way. Fails for what is left."""
        for node in self.world.nodes.values():
            host = node.host
            if host is None:
                continue
            left = [f"{tcb.state.value} port {tcb.local[1]} to {tcb.remote[1]}" for tcb in host.connections()]
            if left:
                raise self.world.fail(node.name, f"connections are left: {', '.join(left)}")
            if host.ports.in_use():
                raise self.world.fail(node.name, f"{host.ports.in_use()} holders of ports are left")
            if len(host.time_wait):
                raise self.world.fail(node.name, f"{len(host.time_wait)} TIME-WAIT records are left")
            if host.listeners():
                raise self.world.fail(node.name, f"{len(host.listeners())} listeners are left")
            if host.deadline() is not None:
                raise self.world.fail(node.name, f"a timer is left, due at {host.deadline()} us")
        if self.world.network.under_way:
            raise self.world.fail("network", f"{self.world.network.under_way} packets are under way")


def watch(world: World) -> Checks:
    """Put every check into a world; hosts may be added before or after."""
    return Checks(world)
