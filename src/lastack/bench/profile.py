"""Where the time of one work goes on our side: every function's own time and calls, for each piece of work."""

from __future__ import annotations

import cProfile
import pstats
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
class Profile:
    """One work under the profiler: `pieces` of it were done. `idle` is the part of the time in which the loop waited;
    the other times are without that."""

    name: str
    title: str
    piece: str
    pieces: int
    microseconds: float
    calls: float
    idle: float
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
    return Profile(work.name, work.title, work.piece, pieces, busy / pieces * 1e6, calls, waited / whole, rows[:most])


def _name(where: tuple[str, int, str]) -> str:
    """`tcp/output.py:73 transmit`, or a builtin's own description."""
    file, line, function = where
    if file == "~":
        return function.strip("<>")
    path = Path(file)
    shown = path.relative_to(_SOURCE).as_posix() if path.is_relative_to(_SOURCE) else path.name
    return f"{shown}:{line} {function}"
