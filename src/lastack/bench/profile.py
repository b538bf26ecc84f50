"""Where the time of one work goes on our side: every function's own time and calls, for each piece of work."""

from __future__ import annotations

import cProfile
import pstats
from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from lastack.bench.sides import OwnSide
from lastack.bench.works import Work
from lastack.tcp.presets import PRESETS

_SHOWN = 30
_SOURCE = Path(__file__).parents[1]
_WAITING = "<method 'poll' of 'select.epoll' objects>"


@dataclass(frozen=True, slots=True)
class Row:
    """A function: its own time and calls for each piece; `share` is of the time that is not waiting."""

    function: str
    microseconds: float
    share: float
    calls: float


@dataclass(frozen=True, slots=True)
class Room:
    """A room of the code, or what lies below it: the time of its own for each piece, and its `share`."""

    name: str
    microseconds: float
    share: float


@dataclass(frozen=True, slots=True)
class Profile:
    """One work under the profiler: `pieces` of it were done. `idle` is the part of the time in which the loop waited;
    the other times are without that. All of it is in `rooms`, the functions with the most time in `rows`."""

    name: str
    title: str
    piece: str
    pieces: int
    microseconds: float
    calls: float
    idle: float
    rooms: list[Room]
    rows: list[Row]


def profile(work: Work, seconds: float, preset: str = "default", most: int = _SHOWN) -> Profile:
    """Run a work on our side under cProfile. Raises BenchError, DeviceError."""
    profiler = cProfile.Profile()

    def around(drive: Callable[[], Any]) -> Any:
        return profiler.runcall(drive)

    with OwnSide(PRESETS[preset], around) as side:
        done = side.run(work, seconds)
    stats: dict[tuple[str, int, str], tuple[int, int, float, float, Any]] = vars(pstats.Stats(profiler))["stats"]
    pieces = max(done.amount // work.size, 1)
    waited = sum(entry[2] for where, entry in stats.items() if where[2] == _WAITING)
    whole = sum(entry[2] for entry in stats.values())
    busy = whole - waited
    rows = [
        Row(_name(where), own / pieces * 1e6, own / busy, calls / pieces)
        for where, (_, calls, own, _, _) in stats.items()
        if where[2] != _WAITING
    ]
    rows.sort(key=lambda row: -row.microseconds)
    calls = sum(entry[1] for entry in stats.values()) / pieces
    spent: defaultdict[str, float] = defaultdict(float)
    for where, entry in stats.items():
        if where[2] != _WAITING:
            spent[_room(where)] += entry[2]
    rooms = [Room(name, own / pieces * 1e6, own / busy) for name, own in spent.items()]
    rooms.sort(key=lambda room: -room.microseconds)
    busy *= 1e6 / pieces
    return Profile(work.name, work.title, work.piece, pieces, busy, calls, waited / whole, rooms, rows[:most])


def _room(where: tuple[str, int, str]) -> str:
    """`tcp/`, or what is no room of ours."""
    file, _, function = where
    if file == "~":
        return next((f"{call}(2)" for call in ("read", "writev") if f"posix.{call}>" in function), "builtin functions")
    path = Path(file)
    return f"{path.relative_to(_SOURCE).parts[0]}/" if path.is_relative_to(_SOURCE) else "the standard library"


def _name(where: tuple[str, int, str]) -> str:
    """`tcp/output.py:73 transmit`, or a builtin's own description."""
    file, line, function = where
    if file == "~":
        return function.strip("<>")
    path = Path(file)
    shown = path.relative_to(_SOURCE).as_posix() if path.is_relative_to(_SOURCE) else path.name
    return f"{shown}:{line} {function}"
