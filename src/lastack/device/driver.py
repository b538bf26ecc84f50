"""The loop that drives one host over one device in real time.

It calls the host's five verbs and nothing else of it, waits in one place (epoll) for the device, the host's next
deadline, packets on their way through fault rules, other file descriptors, and a word from a signal or another thread.
"""

from __future__ import annotations

import os
import signal
import subprocess
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from time import monotonic_ns
from types import FrameType, TracebackType
from typing import Any, Protocol

from lastack.device.collector import COLLECT_EVERY, Hold
from lastack.device.counters import Counters
from lastack.device.memory import keep_heap
from lastack.device.poll import IN, OUT, SPIN_LIMIT, Callback, Poller
from lastack.device.reading import BATCH, Device, Reader
from lastack.link.finishing import finish
from lastack.link.pipeline import Line, Pipeline
from lastack.wire.packet import Packet

# Microseconds of reading and answering before the loop looks at all else again.
_MEANWHILE = 2_000
# Packets that wait for a device that has no room. While any waits the host is not asked for more.
_WAITING = 4096
# A packet that is larger bears text: IPv4 and TCP have at most 60 bytes of header each, IPv6 has 40.
_HEADERS = 120
# Rounds of sending and telling the application before the device is looked at again.
_ROUNDS = 8

Tap = Callable[[int, bool, Packet], None]
Application = Callable[[int, Sequence[Any]], None]


class Drivable(Protocol):
    """The five verbs of a host."""

    def receive(self, now: int, packet: Packet) -> None: ...
    def advance(self, now: int) -> None: ...
    def transmit(self, now: int) -> list[Packet]: ...
    def deadline(self) -> int | None: ...
    def ready(self) -> Sequence[Any]: ...


def clock() -> int:
    """The time of real hosts: microseconds since some moment, never backwards."""
    return monotonic_ns() // 1000


class Driver:
    """Host and device in real time.

    `on_ready(now, sockets)` is called with what `host.ready()` gave; without it the caller asks the host itself after
    each `turn`. `incoming` and `outgoing` are the lines with the fault rules of each direction (rules may be added at
    any time: `driver.outgoing.pipeline.add(...)`). Each of `taps` is called as tap(now, outgoing, packet) with every
    finished packet as the host sends and receives it: before the rules on its way out, behind them on its way in.
    Long garbage collections are put off until the driver is closed (`lastack.device.collector`), unless
    `long_collections`.
    With `spin` the loop looks for packets for so many microseconds before it sleeps: answers are quicker by what it
    takes to be woken, at the price of a processor. `poller` is what it sleeps in, closed with it.
    """

    __slots__ = (
        "_device_fd",
        "_due",
        "_hold",
        "_poller",
        "_queue",
        "_reader",
        "_stopped",
        "clock",
        "counters",
        "device",
        "host",
        "incoming",
        "on_ready",
        "outgoing",
        "signal",
        "spin",
        "taps",
    )

    def __init__(
        self,
        host: Drivable,
        device: Device,
        *,
        on_ready: Application | None = None,
        incoming: Pipeline | None = None,
        outgoing: Pipeline | None = None,
        taps: Sequence[Tap] = (),
        clock: Callable[[], int] = clock,
        batch: int = BATCH,
        long_collections: bool = False,
        spin: int = 0,
        poller: Poller | None = None,
    ) -> None:
        """Raises ValueError for a `spin` that is not from 0 to SPIN_LIMIT."""
        if not 0 <= spin <= SPIN_LIMIT:
            raise ValueError(f"spin is {spin}: 0 to {SPIN_LIMIT:,} microseconds")
        self.host = host
        self.device = device
        self.on_ready = on_ready
        self.incoming = Line(incoming if incoming is not None else Pipeline())
        self.outgoing = Line(outgoing if outgoing is not None else Pipeline())
        self.taps = list(taps)
        self.clock = clock
        self.spin = spin
        self.counters = Counters()
        self._reader = Reader(device, self.counters, batch)
        self.signal: int | None = None  # the last that asked for the end
        self._queue: deque[Packet] = deque()
        self._due: int | None = None  # the host's deadline, as it was before the wait
        self._stopped = False
        self._poller = poller if poller is not None else Poller()
        self._watch_device(IN)
        keep_heap()
        self._hold = None if long_collections else Hold(host)

    def watch(self, fd: int, callback: Callback, events: int = IN) -> None:
        """Call `callback(events)` whenever `fd` is ready: see `Poller.watch`."""
        self._poller.watch(fd, callback, events)

    def unwatch(self, fd: int) -> None:
        """Forget `fd`."""
        self._poller.unwatch(fd)

    def exchange(self, device: Device) -> Device:
        """Go on with another device; the old one is returned, and what waited for it is dropped."""
        old = self.device
        self.device = self._reader.device = device
        self._poller.unwatch(self._device_fd)
        self._queue.clear()
        self._watch_device(IN)
        return old

    def wake(self) -> None:
        """End a turn's waiting, from any thread or signal handler."""
        self._poller.wake()

    def stop(self) -> None:
        """Make `run` return, the one under way or the next; from any thread or signal handler."""
        self._stopped = True
        self.wake()

    def run(self, until: Callable[[], bool] | None = None, timeout: float | None = None) -> bool:
        """Turn until `until()` is true (then True), `timeout` seconds are over, or `stop` was called (then False).

        It may be called again, to let connections close in good order: each `stop` ends one run.
        """
        end = None if timeout is None else self.clock() + int(timeout * 1_000_000)
        while not self._stopped:
            if until is not None and until():
                return True
            patience = None
            if end is not None:
                patience = end - self.clock()
                if patience <= 0:
                    return False
            self.turn(patience)
            if self.on_ready is not None and self._go_on(until):
                return True
        self._stopped = False
        return False

    def run_while(self, process: subprocess.Popen[Any], timeout: float | None = None) -> int | None:
        """Turn while a program runs; its exit status, or None where `stop` or `timeout` (seconds) came first."""
        fd = os.pidfd_open(process.pid)
        ended: list[int] = []  # asked for each turn: to ask the process costs 2 us
        try:
            self.watch(fd, ended.append)
            self.run(lambda: bool(ended), timeout)
        finally:
            self.unwatch(fd)
            os.close(fd)
        return process.poll()

    def turn(self, patience: int | None = None) -> None:
        """One turn: send what is to be sent, wait (at most `patience` us; None: for ever), take what has come.

        Raises DeviceError where the device is gone.
        """
        self._count_turn()
        # What was done since the last turn, and what that one had no time for.
        now = self.clock()
        while not self._queue and (packets := self.host.transmit(now)):
            self._put(packets, now)
        # What the host sends to itself has arrived already, and nothing else would end the wait.
        if self.on_ready is not None and (sockets := self.host.ready()):
            self.on_ready(now, sockets)
            patience = 0
        events = self._poller.wait(self.patience(now, patience), self.spin)
        now = self.clock()
        if events and self._take(now, events):
            now = self.clock()
        self.settle(now)

    @contextmanager
    def signals(self, *numbers: int) -> Iterator[None]:
        """Let SIGINT and SIGTERM (or `numbers`) stop the loop, meanwhile; `signal` tells which came.

        To be used in the main thread. The handlers there were are put back.
        """
        with self._poller.signals(self._on_signal, *(numbers or (signal.SIGINT, signal.SIGTERM))):
            yield

    def close(self) -> None:
        """Give back what the loop holds; device and host are the caller's. Twice is once."""
        self._poller.close()
        if self._hold is not None:
            self._hold.close()

    def __enter__(self) -> Driver:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, where: TracebackType | None
    ) -> None:
        self.close()

    def _on_signal(self, number: int, frame: FrameType | None) -> None:
        self.signal = number
        self.stop()

    def _count_turn(self) -> None:
        self.counters.turns = turns = self.counters.turns + 1
        if not turns % COLLECT_EVERY and self._hold is not None:
            self._hold.turn()

    def patience(self, now: int, patience: int | None = None) -> float | None:
        """Seconds to wait for events, at most `patience` us; None: for ever."""
        self._due = nearest = self.host.deadline()
        if self._stopped:
            return 0
        if patience is not None and (nearest is None or now + patience < nearest):
            nearest = now + patience
        if self.incoming.waiting or self.outgoing.waiting:
            ways = [line.waiting[0][0] for line in (self.incoming, self.outgoing) if line.waiting]
            nearest = min(ways if nearest is None else (*ways, nearest))
        if nearest is None:
            return None
        return (nearest - now) / 1_000_000 if nearest > now else 0

    def settle(self, now: int) -> None:
        """Bring all to rest at `now`: delayed packets, timers, the application's turn, and sending."""
        if self.incoming.waiting:
            for packet in self.incoming.pop(now):
                self._receive(now, packet)
        if self.outgoing.waiting:
            for packet in self.outgoing.pop(now):
                self._put((packet,))
        host, on_ready = self.host, self.on_ready
        if self._due is not None and now >= self._due:
            host.advance(now)
        # The application first: what acknowledges a request, or the peer's FIN, rides on its answer, or on its own FIN.
        asked = False
        for _ in range(_ROUNDS):
            if on_ready is not None and (sockets := host.ready()):
                on_ready(now, sockets)
            elif asked:
                return  # nobody has done anything since
            # Once: the next round, or the next turn, hears what is left.
            asked = not self.outgoing.pipeline.rules  # which may answer in the peer's place
            if not self._queue and (packets := host.transmit(now)):
                self._put(packets, now)
            elif on_ready is None or not sockets:
                return
        self.wake()

    def _watch_device(self, events: int) -> None:
        # Its number is kept: a device that was closed has none any more, and must still be forgotten.
        self._device_fd = self.device.fileno()
        self._poller.watch_own(self._device_fd, events)

    def _take(self, now: int, events: int) -> bool:
        """The device is ready: a batch of packets from it to the host; whether that took a while."""
        if self._queue or events & OUT:
            self._flush()
            if not events & ~OUT:
                return False
        reader, line = self._reader, self.incoming
        if not reader.lone:
            packets = reader.come()
        else:
            packet = reader.alone()
            packets = [] if packet is None else [packet]
        straight = not (self.taps or line.pipeline.rules or line.waiting)
        if straight and self.device.offload:
            reader.hand_in(self.host, now, packets)
        else:
            self._pass_in(now, packets, straight)
        return len(packets) > 1

    def _goes_straight(self) -> bool:
        """Whether packets that come are for the host as they are, and those that go find room."""
        line = self.incoming
        return self.device.offload and not (self._queue or self.taps or line.pipeline.rules or line.waiting)

    def _go_on(self, until: Callable[[], bool] | None) -> bool:
        """For a while, packets that are there already: read and answered, without looking at anything else in between,
        23 us less for a connection that took 185. To ask in vain costs 2 us, in which the peer is at work. True where
        `until()` was."""
        host, reader, clock = self.host, self._reader, self.clock
        end = clock() + _MEANWHILE
        while not self._stopped and self._goes_straight():
            if until is not None and until():
                return True
            if reader.lone:
                packet = reader.alone()
                if packet is None:
                    break
                now = clock()
                host.receive(now, packet)
            else:
                packets = reader.come()
                if not packets:
                    break
                now = clock()
                reader.hand_in(host, now, packets)
            self._count_turn()
            self.settle(now)
            if now >= end:
                break
        return False

    def _pass_in(self, now: int, packets: list[Packet], straight: bool) -> None:
        """Packets from the device, by way of taps and rules, or of a plain device."""
        line, each = self.incoming, not self.device.offload
        for packet in packets:
            if straight:
                self.host.receive(now, packet)
            else:
                for arrived in line.push(now, packet):
                    self._receive(now, arrived)
                if replies := line.take_replies():
                    self._put(replies)
            # Without super-segments every second full segment is acknowledged (RFC 9293 3.8.6.3, SHLD-19) in a batch,
            # too. That is dear: of 0.34 Gbit/s of bulk data in 0.20 are left.
            if each and len(packet.data) > _HEADERS and not self._queue and (answers := self.host.transmit(now)):
                self._put(answers, now)

    def _receive(self, now: int, packet: Packet) -> None:
        if self.taps:
            for finished in finish(packet):
                for tap in self.taps:
                    tap(now, False, finished)
        self.host.receive(now, packet)

    def _pass_out(self, now: int, packets: Sequence[Packet]) -> list[Packet]:
        """What of the host's packets leaves now, having passed taps and rules."""
        line = self.outgoing
        leaving: list[Packet] = []
        for packet in packets:
            for tap in self.taps:
                for finished in finish(packet):
                    tap(now, True, finished)
            leaving += line.push(now, packet)
            for reply in line.take_replies():
                self._receive(now, reply)
        return leaving

    def _put(self, packets: Sequence[Packet], now: int | None = None) -> None:
        """Hand packets to the device; with `now` they come from the host, and meet taps and rules, if there are any."""
        if now is not None and (self.taps or self.outgoing.pipeline.rules or self.outgoing.waiting):
            packets = self._pass_out(now, packets)
        queue, counters = self._queue, self.counters
        for packet in packets:
            taken = 0 if queue else self.device.write(packet)
            if taken > 0:
                counters.packets_out += 1
                counters.bytes_out += taken
            elif taken < 0:
                counters.refused += 1
            else:
                self._wait_for_room(packet)

    def _wait_for_room(self, packet: Packet) -> None:
        if not self._queue:
            self.counters.blocked += 1
            self._watch_device(IN | OUT)
        if len(self._queue) < _WAITING:
            self._queue.append(packet)
        else:
            self.counters.queue_full += 1

    def _flush(self) -> None:
        """The device has room again."""
        waiting = tuple(self._queue)
        self._queue.clear()
        self._watch_device(IN)
        self._put(waiting)
