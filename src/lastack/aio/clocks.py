"""The clocks that a program in a world reads, in the place of those of the module `time`."""

from __future__ import annotations

import time
import uuid
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any
from zlib import crc32

from lastack.aio.ground import Ground

Chosen = Callable[[Ground], Callable[..., Any]]

_WALL = frozenset(getattr(time, name, None) for name in ("CLOCK_REALTIME", "CLOCK_TAI"))
_STEADY = frozenset(getattr(time, "CLOCK_" + name, None) for name in ("MONOTONIC", "MONOTONIC_RAW", "BOOTTIME"))
_1582 = 0x01B21DD213814000  # from the beginning of UUIDs to 1970, in units of 100 ns


def clocks() -> Iterator[tuple[Any, str, Chosen]]:
    """(module, name, what it is in a world)."""
    yield time, "time", lambda w: w.wall_clock
    yield time, "time_ns", lambda w: partial(_wall_ns, w)
    for name in ("monotonic", "perf_counter"):
        yield time, name, lambda w: w.clock
        yield time, name + "_ns", lambda w: partial(_steady_ns, w)
    for name in ("gmtime", "localtime", "ctime"):
        yield time, name, _of_now(getattr(time, name))
    yield time, "asctime", _of_today(time.asctime, time.localtime, 0)
    yield time, "strftime", _of_today(time.strftime, time.localtime, 1)
    if hasattr(time, "clock_gettime"):
        yield time, "clock_gettime", _by_number(time.clock_gettime, Ground.wall_clock, Ground.clock)
        yield time, "clock_gettime_ns", _by_number(time.clock_gettime_ns, _wall_ns, _steady_ns)
    yield uuid, "uuid1", _uuid1


def _of_now(real: Callable[..., Any]) -> Chosen:
    def chosen(world: Ground) -> Callable[..., Any]:
        return lambda seconds=None, /: real(world.wall_clock() if seconds is None else seconds)

    return chosen


def _of_today(real: Callable[..., Any], today: Callable[..., Any], before: int) -> Chosen:
    """For a function that takes a moment after `before` other arguments."""

    def chosen(world: Ground) -> Callable[..., Any]:
        def call(*arguments: Any) -> Any:
            more = (today(world.wall_clock()),) if len(arguments) == before else ()
            return real(*arguments, *more)

        return call

    return chosen


def _wall_ns(world: Ground) -> int:
    return world.wall_clock_us() * 1000


def _steady_ns(world: Ground) -> int:
    return world.clock_us() * 1000


def _by_number(
    real: Callable[[int], Any], wall: Callable[[Ground], float], steady: Callable[[Ground], float]
) -> Chosen:
    def chosen(world: Ground) -> Callable[[int], Any]:
        def read(number: int, /) -> Any:
            if number in _WALL:
                return wall(world)
            return steady(world) if number in _STEADY else real(number)

        return read

    return chosen


def _uuid1(world: Ground) -> Callable[..., uuid.UUID]:
    def uuid1(node: int | None = None, clock_seq: int | None = None) -> uuid.UUID:
        ticks = world.last_tick = max(world.wall_clock_us() * 10 + _1582, world.last_tick + 1)
        host = 1 << 40 | crc32(world.process.name.encode()) if node is None else node
        turn = world.secrets.getrandbits(14) if clock_seq is None else clock_seq
        low, middle, high = ticks & 0xFFFFFFFF, ticks >> 32 & 0xFFFF, ticks >> 48 & 0x0FFF
        return uuid.UUID(fields=(low, middle, high, turn >> 8 & 0x3F, turn & 0xFF, host), version=1)

    return uuid1
