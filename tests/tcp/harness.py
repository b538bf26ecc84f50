"""The language of the segment tests: what one connection gets and sends, in packetdrill's notation.

    t = established()
    t.gets("S 1:1(0) win 1000")
    t.sends(". 1:1(0) ack 1")

Numbers are relative: those of a side's own direction to its initial sequence number. An option, a window or an urgent
pointer is compared only where it is written. Silence is strict: nothing may be said, asked or waited for while a
segment that was sent is not expected yet, and none may be left when a test ends.
"""

from __future__ import annotations

from typing import Any

import pytest

from lastack.tcp import calls, sizes
from lastack.tcp.config import DEFAULT, Config
from lastack.tcp.connection import Connection
from lastack.tcp.sequence import MASK
from lastack.tcp.states import TRANSITIONS, Event, State
from lastack.tcp.tcb import Tcb
from lastack.wire.notation import format_segment, parse_line, parse_segment
from lastack.wire.options import build_timestamp
from lastack.wire.segment import ACK, RST, SYN, URG, Segment
from tests.tcp.invariants import problem

PERIOD = 251
PATTERN = bytes(range(PERIOD)) * 600
START = 1_000_000
STRIDE = 1 << 28
# (what this TCP begins with, what its peer begins with): each test runs with each (see conftest).
NUMBERS = {"plain": (1000, 5000), "wraps": (MASK - 2, MASK - 4), "half": (0x7FFF_FFFE, 0x7FFF_FF00)}
numbers = NUMBERS["plain"]
running: list[Exchange] = []


def text(position: int, size: int) -> bytes:
    """The bytes that stand at a place of either stream."""
    start = position % PERIOD
    if start + size <= len(PATTERN):
        return PATTERN[start : start + size]
    return (PATTERN * (size // len(PATTERN) + 2))[start : start + size]


class Watch:
    """An observer that keeps the moves, the timers and the calls."""

    def __init__(self) -> None:
        self.edges: list[tuple[State, Event]] = []
        self.timers: list[str] = []
        self.calls: list[str] = []

    def segment_in(self, now: int, connection: Any, segment: Segment) -> None:
        """Not needed: the test wrote it."""

    def segment_out(self, now: int, connection: Any, segment: Segment) -> None:
        """Not needed: the test expects it."""

    def moved(self, now: int, connection: Any, old: State, event: Event, new: State) -> None:
        assert TRANSITIONS[old][event] is new is connection.state
        self.edges.append((old, event))

    def timer_fired(self, now: int, connection: Any, timer: str) -> None:
        self.timers.append(timer)

    def call_made(self, now: int, connection: Any, call: str, detail: str) -> None:
        self.calls.append(call)


class Calls:
    """The user's calls, at the present time. What SEND gives and RECEIVE returns is held to the pattern."""

    def __init__(self, exchange: Exchange) -> None:
        self._t = exchange
        self.given = 0
        self.taken = 0

    def open(self, *, passive: bool = False) -> None:
        self._t.step(lambda c, now: c.open(now, self._t.iss, passive=passive))

    def send(self, size: int, *, urgent: bool = False, more: bool = False) -> int:
        """SEND of the next `size` bytes of the pattern; how many were taken."""
        data = text(self.given, size)
        took = self._t.step(lambda c, now: c.send(now, data, urgent=urgent, more=more, iss=self._t.iss))
        self.given += took
        return took

    def receive(self, size: int = 1 << 30) -> int:
        """RECEIVE; how many bytes came."""
        data = self._t.step(lambda c, now: c.receive(now, size))
        assert data == text(self.taken, len(data)), f"other bytes than were sent, from {self.taken} on"
        self.taken += len(data)
        return len(data)

    def close(self) -> None:
        self._t.step(lambda c, now: c.close(now))

    def abort(self) -> None:
        self._t.step(lambda c, now: c.abort(now))

    def leave(self) -> None:
        """The user gives the descriptor up: CLOSE of both directions, and an orphan from here on."""
        self._t.step(lambda c, now: calls.release(c.tcb, now))


class Exchange:
    """One connection in the middle of a test; `now` is in microseconds and begins at 1 s."""

    def __init__(self, config: Config = DEFAULT, *, mtu: int = 1500, unit: int = 0, version: int = 4) -> None:
        self.iss, self.irs = numbers
        self.now = START
        self.window = 65535
        self.peer_clock = 7000  # what the peer's timestamps are ahead of ours
        self.watch = Watch()
        addresses = (
            (b"\x0a\0\0\1", b"\x0a\0\0\2") if version == 4 else (b"\xfd" + bytes(15), b"\xfd" + bytes(14) + b"\2")
        )
        local, remote = (addresses[0], 8080), (addresses[1], 4711)
        self.connection = Connection(local, remote, config, mtu=mtu, unit=unit, observer=self.watch)
        self.call = Calls(self)
        self.pending: list[tuple[int, Segment]] = []
        self.transcript: list[str] = []
        self._edge = 0
        self._heard = 0
        running.append(self)

    @property
    def tcb(self) -> Tcb:
        return self.connection.tcb

    @property
    def state(self) -> State:
        return self.connection.state

    @property
    def zero(self) -> int:
        """The absolute sequence number 0 as a relative one: a RST in answer to a segment without an ACK bears it."""
        return -self.iss & MASK

    @property
    def edges(self) -> list[tuple[State, Event]]:
        return self.watch.edges

    # --- segments in ---

    def gets(self, *lines: str) -> None:
        """Segments come in, several as one batch: what they make us send is asked for behind the last."""
        self._settled("gets " + "; ".join(lines))
        for line in lines:
            self._note("<", line)
            segment = self.segment(line)
            self.connection.receive_segment(self.now, segment)
        self._transmit()

    def segment(self, line: str) -> Segment:
        """The segment that a line of the peer says, with the pattern as its text."""
        made = parse_segment(line, iss=self.irs, irs=self.iss, window=self.window)
        made.source_port, made.destination_port = 4711, 8080
        if made.length:
            first = (made.seq + (made.flags >> 1 & 1) - self.irs - 1) & MASK  # the text stands behind a SYN
            made.payload = (memoryview(text(first, made.length)),)
        if self.tcb.ts_on and "<" not in line and not made.flags & SYN:
            made.ts_val, made.ts_ecr = (self.now // 1000 + self.peer_clock) & MASK, self._heard
            made.options = build_timestamp(made.ts_val, made.ts_ecr)
        return made

    # --- segments out ---

    def sends(self, *lines: str) -> list[Segment]:
        """Exactly these segments have just been sent, in this order."""
        found = [segment for _, segment in self.pending]
        self.pending.clear()
        shown = [self.line(segment) for segment in found]
        good = len(found) == len(lines) and all(map(self._is, found, lines))
        assert good, self._story("sent", shown, "expected", list(lines))
        return found

    def silent(self) -> None:
        """Nothing has been sent that was not expected."""
        self._settled("silence")

    def log(self, ms: float) -> list[tuple[float, str]]:
        """Time passes: (milliseconds from now, line) of all that is sent meanwhile."""
        self._settled("log")
        start = self.now
        self._pass_to(start + round(ms * 1000))
        sent = [((at - start) / 1000, self.line(segment)) for at, segment in self.pending]
        self.pending.clear()
        return sent

    def line(self, segment: Segment) -> str:
        return format_segment(segment, iss=self.iss, irs=self.irs)

    def _is(self, segment: Segment, line: str) -> bool:
        want = parse_line(line, iss=self.iss, irs=self.irs)
        assert (want.ack is not None) == bool(want.flags & ACK), f"write its ack: {line}"
        return (
            (segment.flags, segment.seq, segment.length) == (want.flags, want.seq, want.length)
            and want.ack in (None, segment.ack)
            and want.window in (None, segment.window)
            and (not want.flags & URG or want.urgent in (None, segment.urgent))
            and want.ecn in (None, segment.ecn)
            and ("<" not in line or want.options is None or want.options == bytes(segment.options))
        )

    def streams(self, size: int) -> None:
        """`size` bytes leave and are acknowledged in strides, and nobody looks at them. See `LONG`."""
        self.gets(f". 1:1(0) ack {self.tcb.snd_nxt - self.iss & MASK}")  # its window is scaled, that of a SYN is not
        self.tcb.congestion.cwnd = 2 * STRIDE
        cut, self.tcb.unit = self.tcb.unit, STRIDE
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(sizes, "UNIT", STRIDE)
            for start in range(0, size, STRIDE):
                stride = min(STRIDE, size - start)
                assert self.connection.send(self.now, bytes(stride)) == stride
                assert sum(segment.length for segment in self.connection.transmit(self.now)) == stride
                self.call.given = (self.call.given + stride) & MASK
                self.gets(f". 1:1(0) ack {self.tcb.snd_nxt - self.iss & MASK}")
        self.tcb.unit = cut

    # --- time, calls ---

    def after(self, ms: float) -> None:
        """Time passes; what is sent may be sent at its very end alone."""
        self._settled(f"after {ms} ms")
        end = self.now + round(ms * 1000)
        self._pass_to(end)
        early = [f"+{(at - end) / 1000} ms: {self.line(segment)}" for at, segment in self.pending if at < end]
        assert not early, self._story("sent too early", early, "expected", [])

    def step(self, action: Any) -> Any:
        """One call on the connection at this moment."""
        self._settled("a call")
        try:
            return action(self.connection, self.now)
        finally:
            self._transmit()

    def refuses(self, kind: type[OSError], action: Any) -> int:
        """`action` raises `kind` and sends nothing; its errno."""
        try:
            action()
        except kind as error:
            self.silent()
            return error.errno or 0
        raise AssertionError(self._story("raised", ["nothing"], "expected", [kind.__name__]))

    def _pass_to(self, end: int) -> None:
        for _ in range(100_000):
            at = self.connection.deadline()
            if at is None or at > end:
                self.now = end
                return
            self.now = max(at, self.now)
            self.connection.advance(self.now)
            self._transmit()
        raise AssertionError("a timer that never stops")

    def _transmit(self) -> None:
        # A second question at once is answered by nothing.
        for segment in self.connection.transmit(self.now):
            self._note(">", self.line(segment))
            self.pending.append((self.now, segment))
            self._check_text(segment)
            self._check_edge(segment)
            self._heard = segment.ts_val if segment.ts_val is not None else self._heard
        assert self.connection.transmit(self.now) == []
        if self.state in (State.CLOSED, State.LISTEN, State.SYN_SENT, State.TIME_WAIT):
            self._edge = 0
        wrong = problem(self.tcb, self.now)
        assert not wrong, self._story(wrong, [], "in", [self.state.value])

    def _check_text(self, segment: Segment) -> None:
        sent = b"".join(segment.payload)
        assert len(sent) == segment.length
        first = segment.seq + (segment.flags >> 1 & 1)  # the text stands behind a SYN
        assert sent == text((first - self.iss - 1) & MASK, len(sent)), "other bytes than were given"

    def _check_edge(self, segment: Segment) -> None:
        """The right edge of the window, as the peer sees it, never moves back (SHLD-14, RFC 7323 section 2.4)."""
        if segment.flags & (SYN | RST | ACK) != ACK or self.state in (State.CLOSED, State.TIME_WAIT):
            return
        edge = (segment.ack + (segment.window << self.tcb.rcv_wscale) - self.irs) & MASK
        assert edge >= self._edge, self._story("the right edge moved back", [str(edge)], "from", [str(self._edge)])
        self._edge = edge

    def _settled(self, what: str) -> None:
        shown = [self.line(segment) for _, segment in self.pending]
        assert not shown, self._story(f"unexpected before {what!r}", shown, "expected", [])

    def _note(self, way: str, line: str) -> None:
        self.transcript.append(f"{(self.now - START) / 1000:>12.3f} {way} {line}")

    def _story(self, one: str, first: list[str], other: str, second: list[str]) -> str:
        parts = [one, *(f"    {line}" for line in first), other, *(f"    {line}" for line in second), "transcript"]
        return "\n".join(parts + self.transcript[-40:])


# What `established` needs for `Exchange.streams`: a window and a buffer that take a stride.
LONG: dict[str, Any] = {"options": "mss 1024,nop,wscale 14", "send_buffer": STRIDE}


def _made(config: Config, more: dict[str, Any]) -> Exchange:
    place = {name: more.pop(name) for name in ("mtu", "unit", "version") if name in more}
    more.setdefault("autotuning", False)  # whole buffers from the start, but in tests of their growth
    return Exchange(config.having(**more), **place)


def opening(config: Config = DEFAULT, *, passive: bool = False, **more: Any) -> Exchange:
    """A connection after its OPEN: in SYN-SENT with its SYN sent, or in LISTEN. `more`: settings, and Exchange's."""
    t = _made(config, more)
    t.call.open(passive=passive)
    if not passive:
        t.sends("S 0:0(0)")
    return t


def established(
    config: Config = DEFAULT,
    *,
    passive: bool = False,
    options: str = "mss 1460",
    window: int = 65535,
    rtt: float = 0.0,
    **more: Any,
) -> Exchange:
    """A connection in ESTABLISHED, reached by the three-way handshake; `options` are those of the peer's SYN,
    `window` is its window in every segment where a line does not say another, `rtt` how long its answer took."""
    t = opening(config, passive=passive, **more)
    t.window = window
    offer = f"<{options}>" if options else ""
    if passive:
        t.gets(f"S 0:0(0) win {window} {offer}")
        t.sends("S. 0:0(0) ack 1")
        t.after(rtt)
        t.gets(". 1:1(0) ack 1")
    else:
        t.after(rtt)
        t.gets(f"S. 0:0(0) ack 1 win {window} {offer}")
        t.sends(". 1:1(0) ack 1")
    assert t.state is State.ESTABLISHED
    return t


def reach(state: State, config: Config = DEFAULT, **more: Any) -> Exchange:
    """A connection in `state`, got there by calls and segments alone. LISTEN and SYN-RECEIVED by a passive OPEN."""
    if state is State.CLOSED:
        return _made(config, more)
    if state in (State.LISTEN, State.SYN_RCVD):
        t = opening(config, passive=True, **more)
        if state is State.SYN_RCVD:
            t.gets("S 0:0(0) win 65535 <mss 1460>")
            t.sends("S. 0:0(0) ack 1")
    elif state is State.SYN_SENT:
        t = opening(config, **more)
    else:
        t = established(config, **more)
        if state in (State.CLOSE_WAIT, State.LAST_ACK):
            t.gets("F. 1:1(0) ack 1")
            t.sends(". 1:1(0) ack 2")
        if state not in (State.ESTABLISHED, State.CLOSE_WAIT):
            t.call.close()
            t.sends(f"F. 1:1(0) ack {2 if state is State.LAST_ACK else 1}")
        if state is State.CLOSING:
            t.gets("F. 1:1(0) ack 1")
            t.sends(". 2:2(0) ack 2")
        elif state in (State.FIN_WAIT_2, State.TIME_WAIT):
            t.gets(". 1:1(0) ack 2")
            if state is State.TIME_WAIT:
                t.gets("F. 1:1(0) ack 2")
                t.sends(". 2:2(0) ack 2")
    assert t.state is state
    return t
