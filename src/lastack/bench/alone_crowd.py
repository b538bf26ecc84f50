"""What 100,000 open connections cost: on a segment, and by the pauses of garbage collection."""

from __future__ import annotations

import gc
from random import Random
from time import perf_counter, process_time

from lastack.bench.crowd import Crowd
from lastack.bench.memory import MemoryDevice
from lastack.device.driver import Driver
from lastack.wire.segment import ACK, PSH

SIZES = (1, 1_000, 100_000)
_SEGMENTS = 10_000
_ROUNDS = 5
_PAYLOAD = bytes(100)

_COMING = 30_000  # connections
_BATCHES = 2  # of segments, for each of them


def costs(scale: float) -> dict[str, float]:
    """Microseconds of a segment of 100 bytes, with 1 connection open; and how many times that with more of them.

    A segment that arrives in order on an open connection: parsed, verified, found its connection, processed; its
    application reads it; ACKs leave as they usually do, and timers that are due run. Of five rounds of 10,000 segments
    the median, all in one host, to which connections are added.
    """
    sizes = [max(int(size * scale), 1) for size in SIZES]
    crowd = Crowd(sizes[-1])
    gc.collect()
    gc.freeze()
    draw = Random(1)
    count = max(int(_SEGMENTS * scale), 20)
    found: dict[str, float] = {}
    opened = 0
    for size, name in zip(sizes, SIZES, strict=True):
        crowd.open_all(opened, size)
        opened = size
        gc.collect()
        same = _median([_round(crowd, [0] * count) for _ in range(_ROUNDS)])
        if name == 1:
            found["segment-1"] = same
            continue
        found[f"same-{name}"] = same / found["segment-1"]
        chosen = [draw.choices(range(size), k=count) for _ in range(_ROUNDS)]
        found[f"random-{name}"] = _median([_round(crowd, numbers) for numbers in chosen]) / found["segment-1"]
    return found


def _median(values: list[float]) -> float:
    return sorted(values)[len(values) // 2]


def _round(crowd: Crowd, numbers: list[int]) -> float:
    """One segment on each of these connections in turn; microseconds each."""
    arrivals = [crowd.packet(number, ACK | PSH, _PAYLOAD) for number in numbers]
    host, now = crowd.host, crowd.now
    begun = process_time()
    for packet in arrivals:
        now += 10
        host.receive(now, packet)
        deadline = host.deadline()
        if deadline is not None and deadline <= now:
            host.advance(now)
        host.transmit(now)
        for one in host.ready():
            one.recv(now, 1000)
            host.transmit(now)
    seconds = process_time() - begun
    crowd.now = now
    return seconds / len(numbers) * 1e6


class _Longest:
    """The longest of what is timed by `with`, in seconds: of the processor, and by the clock on the wall."""

    __slots__ = ("_begun", "processor", "wall")

    def __init__(self) -> None:
        self.processor = self.wall = 0.0
        self._begun = 0.0, 0.0

    def __enter__(self) -> None:
        self._begun = process_time(), perf_counter()

    def __exit__(self, *_: object) -> None:
        processor, wall = self._begun
        self.processor = max(self.processor, process_time() - processor)
        self.wall = max(self.wall, perf_counter() - wall)

    def collected(self, phase: str, info: dict[str, int]) -> None:
        """For gc.callbacks."""
        if phase == "start":
            self.__enter__()
        else:
            self.__exit__()


def pauses(scale: float) -> dict[str, float]:
    """The longest time in which a host with 100,000 connections does not look at its device, in milliseconds.

    The loop is the real one, over a device in memory, and garbage is collected as it always is with it. 100,000
    connections are opened; 240,000 segments arrive on any of them, in batches of four, and 30,000 times one connection
    is closed and another one opened; then all are closed. What else runs on the machine is in the time by the clock.
    """
    clients, coming = max(int(SIZES[-1] * scale), 10), max(int(_COMING * scale), 10)
    crowd = Crowd(clients + coming)
    device = MemoryDevice()
    pause, collection = _Longest(), _Longest()
    with Driver(crowd.host, device, clock=lambda: crowd.now) as driver:
        gc.collect()
        gc.freeze()  # as `lastack serve` does at its start
        gc.callbacks.append(collection.collected)
        try:
            for number in range(clients):
                _open(crowd, number, pause)
            draw = Random(1)
            for first in range(coming):
                for _ in range(_BATCHES):
                    numbers = [draw.randrange(first, first + clients) for _ in range(4)]
                    _batch(crowd, driver, device, numbers, pause)
                _close(crowd, first, pause)
                _open(crowd, first + clients, pause)
            for number in range(coming, coming + clients):
                _close(crowd, number, pause)
        finally:
            gc.callbacks.remove(collection.collected)
            gc.unfreeze()
        device.close()
    found = {"pause": pause.processor, "pause-wall": pause.wall, "collection": collection.processor}
    return {name: seconds * 1000 for name, seconds in found.items()}


def _open(crowd: Crowd, number: int, pause: _Longest) -> None:
    crowd.now += 10
    with pause:
        crowd.open(number)
    with pause:
        crowd.advance()


def _close(crowd: Crowd, number: int, pause: _Longest) -> None:
    with pause:
        crowd.close(number)


def _batch(crowd: Crowd, driver: Driver, device: MemoryDevice, numbers: list[int], pause: _Longest) -> None:
    """One turn of the loop, with a segment on each of these connections."""
    crowd.now += 10 * len(numbers)
    device.arrive(*[crowd.packet(number, ACK | PSH, _PAYLOAD) for number in numbers])
    with pause:
        driver.turn(0)
        for socket in crowd.host.ready():
            socket.recv(crowd.now, 1000)
    device.take()
