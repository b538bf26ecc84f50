"""What a piece of work needs on our side, counted: `python -m tests.bench.counts` shows it, and the bounds for it.

Our host is driven by the real loop over a device in memory; the peer is another host of ours, whose work is not
counted. Time is virtual: each turn of the loop takes 100 us.
"""

from __future__ import annotations

import gc
import os
import select
import sys
import tracemalloc
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from typing import Any

from lastack.apps.reactor import Reactor
from lastack.bench import memory, services
from lastack.bench.memory import MemoryDevice
from lastack.device.driver import Driver
from lastack.device.tun import GSO_LIMIT
from lastack.host import options
from lastack.host.host import Host
from lastack.host.sockets import Socket
from lastack.tcp.config import DEFAULT
from lastack.wire.packet import PARTIAL, VERIFIED, Packet

PORT = 7000
OURS, THEIRS = "10.0.0.1", "10.0.0.2"
TURN = 100  # us
PIECE = 65_536
BLOCK = bytes(4 * PIECE)


@dataclass(frozen=True)
class Counts:
    """For one piece of work, on the average of many: system calls, packets, calls of Python functions. `peak` is the
    most memory in KiB that one turn of the loop needed for a while, `kept` how many blocks of memory stay for each."""

    reads: float
    writes: float
    polls: float
    packets_in: float
    packets_out: float
    calls: float
    peak: float
    kept: float


class Bench:
    """Both hosts, and the loop that drives ours. `piece` does one piece of work and returns when it is done."""

    def __init__(self, service: str, gso: int = GSO_LIMIT) -> None:
        self.now = 1_000_000
        self.device = MemoryDevice(gso)
        self.host = self._host(OURS)
        self.peer = self._host(THEIRS)
        self.reactor = Reactor(self.host)
        self.driver = Driver(self.host, self.device, on_ready=self.reactor, clock=lambda: self.now)
        self.reactor.listen(self.now, PORT, services.make(service))
        self.profile: Callable[[Any, str, Any], None] | None = None
        self.peak = 0
        self.turn()

    def _host(self, address: str) -> Host:
        return Host((address,), DEFAULT, secret=bytes(16), gso=self.device.gso, checksum_offload=self.device.offload)

    def close(self) -> None:
        self.driver.close()
        self.device.close()

    def turn(self) -> None:
        """What the peer has sent arrives, the loop turns once, and what we have sent arrives."""
        self.now += TURN
        deadline = self.peer.deadline()
        if deadline is not None and deadline <= self.now:
            self.peer.advance(self.now)
        self.device.arrive(*map(_carried, self.peer.transmit(self.now)))
        if tracemalloc.is_tracing():
            before = tracemalloc.get_traced_memory()[0]
            tracemalloc.reset_peak()
        sys.setprofile(self.profile)
        self.driver.turn(0)
        sys.setprofile(None)
        if tracemalloc.is_tracing():
            self.peak = max(self.peak, tracemalloc.get_traced_memory()[1] - before)
        for packet in self.device.take():
            self.peer.receive(self.now, _carried(packet))
        self.peer.ready()  # nobody asks: its sockets are polled

    def until(self, done: Callable[[], bool]) -> None:
        for _ in range(10_000):
            if done():
                return
            self.turn()
        raise AssertionError(f"not done after 10,000 turns: {self.host.counters.snapshot()}")

    def connect(self) -> Socket:
        """The peer's side of a connection that is open."""
        socket = self.peer.socket()
        try:
            socket.connect(self.now, (OURS, PORT))
        except BlockingIOError:
            self.until(lambda: bool(socket.poll() & options.POLLOUT))
        socket.setsockopt(options.IPPROTO_TCP, options.TCP_NODELAY, 1)
        return socket

    def hear(self, socket: Socket, size: int) -> bytes:
        """What comes next on it."""
        self.until(lambda: bool(socket.poll() & options.POLLIN))
        return socket.recv(self.now, size)


def _carried(packet: Packet) -> Packet:
    checksum = VERIFIED if packet.checksum == PARTIAL else packet.checksum
    return Packet(packet.joined(), (), checksum, packet.gso_size, packet.transport)


# --- the pieces of work: each makes what is to be called for one of them ---


def bulk_in(bench: Bench) -> Callable[[], None]:
    """64 KiB from the peer."""
    socket = bench.connect()
    read = bench.reactor.counters["bytes in"]

    def piece() -> None:
        nonlocal read
        read += PIECE

        def done() -> bool:
            while bench.reactor.counters["bytes in"] < read:
                try:
                    socket.send(bench.now, BLOCK)
                except BlockingIOError:
                    return False
            return True

        bench.until(done)

    return piece


def bulk_out(bench: Bench) -> Callable[[], None]:
    """64 KiB to the peer."""
    socket = bench.connect()
    wanted = heard = 0

    def piece() -> None:
        nonlocal wanted
        wanted += PIECE

        def done() -> bool:
            nonlocal heard
            while heard < wanted:
                try:
                    heard += len(socket.recv(bench.now, PIECE))
                except BlockingIOError:
                    return False
            return True

        bench.until(done)

    return piece


def ping_pong(bench: Bench) -> Callable[[], None]:
    """A byte there and back."""
    socket = bench.connect()

    def piece() -> None:
        socket.send(bench.now, b"x")
        assert bench.hear(socket, 1) == b"x"

    return piece


def connection(bench: Bench) -> Callable[[], None]:
    """Opened, a byte there and back, closed by the peer."""

    def piece() -> None:
        socket = bench.connect()
        socket.send(bench.now, b"x")
        assert bench.hear(socket, 1) == b"x"
        socket.close(bench.now)
        bench.until(lambda: not bench.host.table)

    return piece


def connection_closed(bench: Bench) -> Callable[[], None]:
    """The same, closed by us: a TIME-WAIT stays."""

    def piece() -> None:
        socket = bench.connect()
        socket.send(bench.now, b"x")
        assert bench.hear(socket, 1) == b"x"
        assert bench.hear(socket, 1) == b""
        socket.close(bench.now)
        bench.until(lambda: not bench.host.table)

    return piece


# By name: the service, the work, how many pieces warm up, how many are counted, and the device's super-segments.
WORKS: dict[str, tuple[str, Callable[[Bench], Callable[[], None]], int, int, int]] = {
    "bulk-in": ("discard", bulk_in, 600, 400, GSO_LIMIT),
    "bulk-out": ("chargen", bulk_out, 600, 400, GSO_LIMIT),
    "bulk-in-plain": ("discard", bulk_in, 300, 20, 0),
    "bulk-out-plain": ("chargen", bulk_out, 300, 20, 0),
    "ping-pong": ("echo", ping_pong, 100, 200, GSO_LIMIT),
    "connect": ("echo", connection, 50, 100, GSO_LIMIT),
    "connect-closed": ("once", connection_closed, 50, 100, GSO_LIMIT),
}


@contextmanager
def _bench(service: str, gso: int) -> Iterator[Bench]:
    bench = Bench(service, gso)
    try:
        yield bench
    finally:
        bench.close()


def count(name: str) -> Counts:
    """What one piece of a work needs."""
    service, make, warm, pieces, gso = WORKS[name]
    with _bench(service, gso) as bench:
        piece = make(bench)
        _repeat(piece, warm)
        calls = _Calls()
        device, counters = bench.device, bench.driver.counters
        before = (device.reads, device.writes, counters.packets_in, counters.packets_out)
        bench.profile = calls
        _repeat(piece, pieces)
        bench.profile = None
        after = (device.reads, device.writes, counters.packets_in, counters.packets_out)
        reads, writes, packets_in, packets_out = (late - early for late, early in zip(after, before, strict=True))
        numbers = (reads + calls.reads, writes + calls.writes, calls.polls, packets_in, packets_out, calls.python)
        return Counts(*(one / pieces for one in numbers), *_memory(bench, piece, pieces))


def _memory(bench: Bench, piece: Callable[[], None], pieces: int) -> tuple[float, float]:
    """KiB at the peak of a turn, blocks kept for each piece."""
    gc.collect()
    gc.disable()
    try:
        tracemalloc.start()
        _repeat(piece, pieces)
        tracemalloc.stop()
        gc.collect()
        kept = sys.getallocatedblocks()
        _repeat(piece, pieces)
        gc.collect()
        return bench.peak / 1024, max(sys.getallocatedblocks() - kept, 0) / pieces
    finally:
        gc.enable()


def _repeat(piece: Callable[[], None], times: int) -> None:
    for _ in range(times):
        piece()


class _Calls:
    """A profile function that counts calls of Python functions, but the device's, and system calls of the loop."""

    def __init__(self) -> None:
        self.python = self.reads = self.writes = self.polls = 0

    def __call__(self, frame: Any, event: str, argument: Any) -> None:
        if event == "call":
            self.python += frame.f_code.co_filename != memory.__file__
        elif event == "c_call" and frame.f_code.co_filename != memory.__file__:
            if isinstance(getattr(argument, "__self__", None), select.epoll):
                self.polls += 1
            elif argument is os.read:
                self.reads += 1
            elif argument is os.write:
                self.writes += 1


def bounds_for(found: Counts) -> Counts:
    """5 % above what was found; of memory that is kept, a few blocks more: tables grow when they grow."""
    peak, kept = found.peak * 1.05, found.kept * 1.05 + 1
    numbers = (found.reads, found.writes, found.polls, found.packets_in, found.packets_out, found.calls)
    return Counts(*(round(one * 1.05 + 0.005, 2) for one in numbers), round(peak, 1), round(kept, 1))


if __name__ == "__main__":
    for name in WORKS:
        found = count(name)
        shown = ", ".join(f"{what} {value:.2f}" for what, value in asdict(found).items())
        bounds = ", ".join(f"{value:g}" for value in asdict(bounds_for(found)).values())
        sys.stdout.write(f'# {shown}\n    "{name}": Counts({bounds}),\n')
