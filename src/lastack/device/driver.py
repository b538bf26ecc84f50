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

from lastack.device.collector import Hold
from lastack.device.memory import keep_heap
from lastack.device.poll import IN, OUT, Callback, Poller
from lastack.link.finishing import finish
from lastack.link.pipeline import Line, Pipeline
from lastack.wire.packet import Packet

# Small batches, so that acknowledgments leave and timers run in time; 16 super-segments are a megabyte.
_BATCH = 16
# After a batch of one packet, so many turns read just one: that many, or fewer, come late where a burst begins.
_LONE = 8
# Packets that wait for a device that has no room. While any waits the host is not asked for more.
_WAITING = 4096
# Rounds of sending and telling the application before the device is looked at again.
_ROUNDS = 8

Tap = Callable[[int, bool, Packet], None]
Application = Callable[[int, Sequence[Any]], None]


class Device(Protocol):
    """What carries packets: a Tun, or anything that can be waited for (see Tun for the methods)."""

    def fileno(self) -> int: ...
    def read(self) -> Packet | None: ...
    def write(self, packet: Packet) -> int: ...


class Drivable(Protocol):
    """The five verbs of a host."""

    def receive(self, now: int, packet: Packet) -> None: ...
    def advance(self, now: int) -> None: ...
    def transmit(self, now: int) -> list[Packet]: ...
    def deadline(self) -> int | None: ...
    def ready(self) -> Sequence[Any]: ...


class Counters:
    """What passed between host and device."""

    __slots__ = ("blocked", "bytes_in", "bytes_out", "packets_in", "packets_out", "queue_full", "refused", "turns")

    def __init__(self) -> None:
        self.packets_in = 0  # read from the device; a super-segment is one
        self.packets_out = 0  # taken by the device
        self.bytes_in = 0  # with IP headers
        self.bytes_out = 0
        self.blocked = 0  # times that the device had no room
        self.queue_full = 0  # packets dropped because too many waited for it
        self.refused = 0  # packets that the device would not have
        self.turns = 0  # of the loop

    def snapshot(self) -> dict[str, int]:
        """All of them by name."""
        return {name: getattr(self, name) for name in self.__slots__}


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
    """

    __slots__ = (
        "_device_fd",
        "_hold",
        "_lone",
        "_poller",
        "_queue",
        "_stopped",
        "batch",
        "clock",
        "counters",
        "device",
        "host",
        "incoming",
        "on_ready",
        "outgoing",
        "signal",
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
        batch: int = _BATCH,
        long_collections: bool = False,
    ) -> None:
        self.host = host
        self.device = device
        self.on_ready = on_ready
        self.incoming = Line(incoming if incoming is not None else Pipeline())
        self.outgoing = Line(outgoing if outgoing is not None else Pipeline())
        self.taps = list(taps)
        self.clock = clock
        self.batch = batch
        self.counters = Counters()
        self.signal: int | None = None  # the last that asked for the end
        self._queue: deque[Packet] = deque()
        self._lone = 0
        self._stopped = False
        self._poller = Poller()
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
        self._poller.unwatch(self._device_fd)
        self._queue.clear()
        self.device = device
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
        self._stopped = False
        return False

    def run_while(self, process: subprocess.Popen[Any], timeout: float | None = None) -> int | None:
        """Turn while a program runs; its exit status, or None where `stop` or `timeout` (seconds) came first."""
        fd = os.pidfd_open(process.pid)
        try:
            self.watch(fd, lambda _: None)
            self.run(lambda: process.poll() is not None, timeout)
        finally:
            self.unwatch(fd)
            os.close(fd)
        return process.poll()

    def turn(self, patience: int | None = None) -> None:
        """One turn: send what is to be sent, wait (at most `patience` us; None: for ever), take what has come.

        Raises DeviceError where the device is gone.
        """
        self.counters.turns += 1
        self._poller.wait(self._patience(self._send(self.clock()), patience))
        self._settle(self.clock())

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

    def _patience(self, now: int, patience: int | None) -> float | None:
        """Seconds to wait for events."""
        if self._stopped:
            return 0
        nearest = None if patience is None else now + patience
        for deadline in (self.host.deadline(), self.incoming.deadline(), self.outgoing.deadline()):
            if deadline is not None and (nearest is None or deadline < nearest):
                nearest = deadline
        if nearest is None:
            return None
        return (nearest - now) / 1_000_000 if nearest > now else 0

    def _settle(self, now: int) -> None:
        """Bring all to rest at `now`: delayed packets, timers, sending, and the application's turn."""
        if self.incoming.deadline() is not None:
            for packet in self.incoming.pop(now):
                self._receive(now, packet)
        if self.outgoing.deadline() is not None:
            for packet in self.outgoing.pop(now):
                self._write(packet)
        self.host.advance(now)
        if self.on_ready is None:
            self._send(now)
            return
        # The application first: what acknowledges a request, or the peer's FIN, rides on its answer, or on its own FIN.
        for rounds in range(_ROUNDS):
            sockets = self.host.ready()
            if sockets:
                self.on_ready(now, sockets)
            elif rounds:
                return
            self._send(now)
        self.wake()

    def _watch_device(self, events: int) -> None:
        # Its number is kept: a device that was closed has none any more, and must still be forgotten.
        self._device_fd = self.device.fileno()
        self._poller.watch(self._device_fd, self._device_ready, events)

    def _device_ready(self, events: int) -> None:
        if events & OUT:
            self._flush()
        if events & ~OUT:
            self._read(self.clock())

    def _read(self, now: int) -> None:
        """A batch of packets from the device to the host."""
        read = self.device.read
        receive = self.host.receive
        line = self.incoming
        counters = self.counters
        plain = not self.taps and not line.pipeline.rules and line.deadline() is None
        # To ask in vain costs 2 us. Where one packet came at a time, one is read; the loop comes back for others.
        self._lone -= 1
        count = 1 if self._lone > 0 else self.batch
        for number in range(count):
            packet = read()
            if packet is None:
                self._lone = _LONE if number == 1 else 0
                return
            counters.packets_in += 1
            counters.bytes_in += len(packet.data)
            if plain:
                receive(now, packet)
                continue
            for arrived in line.push(now, packet):
                self._receive(now, arrived)
            for reply in line.take_replies():
                self._write(reply)

    def _receive(self, now: int, packet: Packet) -> None:
        if self.taps:
            for finished in finish(packet):
                for tap in self.taps:
                    tap(now, False, finished)
        self.host.receive(now, packet)

    def _send(self, now: int) -> int:
        """All that the host wants to send, unless the device has no room; `now` again."""
        transmit = self.host.transmit
        line = self.outgoing
        while not self._queue:
            packets = transmit(now)
            if not packets:
                break
            if not self.taps and not line.pipeline.rules and line.deadline() is None:
                self._write_all(packets)
                continue
            for packet in packets:
                for tap in self.taps:
                    for finished in finish(packet):
                        tap(now, True, finished)
                for departed in line.push(now, packet):
                    self._write(departed)
                for reply in line.take_replies():
                    self._receive(now, reply)
        return now

    def _write_all(self, packets: list[Packet]) -> None:
        write = self.device.write
        count = size = 0
        for packet in packets:
            taken = 0 if self._queue else write(packet)
            if taken > 0:
                count += 1
                size += taken
            elif taken < 0:
                self.counters.refused += 1
            else:
                self._wait_for_room(packet)
        self.counters.packets_out += count
        self.counters.bytes_out += size

    def _write(self, packet: Packet) -> None:
        self._write_all([packet])

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
        waiting, self._queue = self._queue, deque()
        self._watch_device(IN)
        self._write_all(list(waiting))
