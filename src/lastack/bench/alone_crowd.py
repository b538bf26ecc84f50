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


def pauses(scale: float) -> dict[str, float]:
    """The longest time in which a host with 100,000 connections does not look at its device, in milliseconds.

    The loop is the real one, over a device in memory, and garbage is collected as it always is. 240,000 segments arrive
    on any of the connections, in batches of four, and 30,000 times one connection is closed and another one opened.
    """
    clients, coming = max(int(SIZES[-1] * scale), 10), max(int(_COMING * scale), 10)
    crowd = Crowd(clients + coming)
    device = MemoryDevice()
    longest = collection = began = 0.0

    def collected(phase: str, info: dict[str, int]) -> None:
        nonlocal began, collection
        if phase == "start":
            began = perf_counter()
        else:
            collection = max(collection, perf_counter() - began)

    with Driver(crowd.host, device, clock=lambda: crowd.now) as driver:
        gc.collect()
        gc.freeze()  # as `lastack serve` does at its start
        crowd.open_all(0, clients)
        draw = Random(1)
        gc.callbacks.append(collected)
        try:
            for first in range(coming):
                for _ in range(_BATCHES):
                    numbers = [draw.randrange(first, first + clients) for _ in range(4)]
                    longest = max(longest, _batch(crowd, driver, device, numbers))
                begun = perf_counter()
                crowd.close(first)
                crowd.open(first + clients)
                longest = max(longest, perf_counter() - begun)
        finally:
            gc.callbacks.remove(collected)
            gc.unfreeze()
        device.close()
    return {"pause": max(longest, collection) * 1000, "collection": collection * 1000}


def _batch(crowd: Crowd, driver: Driver, device: MemoryDevice, numbers: list[int]) -> float:
    """One turn of the loop, with a segment on each of these connections; its seconds."""
    crowd.now += 10 * len(numbers)
    device.arrive(*[crowd.packet(number, ACK | PSH, _PAYLOAD) for number in numbers])
    begun = perf_counter()
    driver.turn(0)
    for socket in crowd.host.ready():
        socket.recv(crowd.now, 1000)
    seconds = perf_counter() - begun
    device.take()
    return seconds
