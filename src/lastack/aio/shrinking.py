"""A failing run made smaller: with fewer of the faults that befell it, and the same failure.

What befell a world by chance is known by names (`Decisions.taken`), each "KIND WHERE #NUMBER". First whole kinds are
left out, then all of one kind in one place, then single ones, by delta debugging (Zeller and Hildebrandt, 2002).
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from types import TracebackType

from lastack.aio.standing import of_program

# How often a run is repeated to make it smaller, and for how many seconds, where nobody says otherwise.
RUNS = 200
SECONDS = 60.0


@dataclass(frozen=True)
class Failure:
    """What two failures have in common that are the same: the exception, and the place in the program."""

    kind: str
    place: str
    within: tuple[Failure, ...] = ()  # of a group

    def __str__(self) -> str:
        return f"{self.kind} in {self.place}" if self.place else self.kind


def failure_of(error: BaseException) -> Failure:
    """What makes this failure one of its own. Its place is the innermost line that is neither Python's nor ours."""
    within = error.exceptions if isinstance(error, BaseExceptionGroup) else ()
    return Failure(type(error).__qualname__, _place(error.__traceback__), tuple(failure_of(one) for one in within))


def in_program(traceback: TracebackType) -> bool:
    """Whether this level of a traceback is in the program, and neither in Python's library nor in what is installed."""
    return of_program(traceback.tb_frame)


def _place(traceback: TracebackType | None) -> str:
    place = ""
    while traceback is not None:
        if in_program(traceback):
            place = f"{traceback.tb_frame.f_code.co_filename}:{traceback.tb_lineno}"
        traceback = traceback.tb_next
    return place


@dataclass(frozen=True)
class Shrunk:
    """What is left: `needed`, in the order in which it happened, found in so many `runs`. `whole`: nothing more can be
    left out by itself; else the limit came first."""

    needed: tuple[str, ...]
    runs: int
    whole: bool


# Repeats a run with nothing but these faults: those that happened, where it fails in the same way; else None.
Fails = Callable[[Sequence[str]], Sequence[str] | None]


def shrink(
    taken: Iterable[str],
    fails: Fails,
    *,
    runs: int = RUNS,
    seconds: float = SECONDS,
    clock: Callable[[], float] = time.monotonic,
) -> Shrunk:
    """The fewest of the faults `taken` that can be found with which a run still fails, within so many runs and so much
    (real) time."""
    search = _Search(tuple(taken), fails, runs, clock() + seconds, clock)
    whole = True
    try:
        search.without_any()
        search.without_groups(kind)
        search.without_groups(place)
        search.one_by_one()
    except _Enough:
        whole = False
    return Shrunk(search.needed, search.runs, whole)


def kind(name: str) -> str:
    """Of what kind a fault is: "loss", "partition" ..."""
    return name.partition(" ")[0]


def place(name: str) -> str:
    """Its kind and where it happens, without its number."""
    return name.rpartition(" #")[0] or name


class _Enough(Exception):
    """The limit is reached."""


class _Search:
    """The smallest set of faults found up to now, `needed`, and what was tried."""

    def __init__(
        self, taken: tuple[str, ...], fails: Fails, most: int, until: float, clock: Callable[[], float]
    ) -> None:
        self.needed = taken
        self.runs = 0
        self._fails = fails
        self._most = most
        self._until = until
        self._clock = clock
        self._passed: set[frozenset[str]] = set()

    def _try(self, names: Iterable[str]) -> bool:
        """Whether a run with these fails. If so they are what is left, without those that did not happen any more."""
        chosen = tuple(names)
        if frozenset(chosen) in self._passed:
            return False
        if self.runs >= self._most or self._clock() >= self._until:
            raise _Enough
        self.runs += 1
        happened = self._fails(chosen)
        if happened is None:
            self._passed.add(frozenset(chosen))
            return False
        known = set(chosen)
        self.needed = tuple(name for name in happened if name in known)
        return True

    def without_any(self) -> None:
        """Perhaps it fails without any fault."""
        if self.needed:
            self._try(())

    def without_groups(self, group: Callable[[str], str]) -> None:
        """Leave out whole groups, the largest first."""
        sizes: dict[str, int] = {}
        for name in self.needed:
            sizes[group(name)] = sizes.get(group(name), 0) + 1
        if len(sizes) > 1:
            for left_out in sorted(sizes, key=lambda one: -sizes[one]):
                kept = [name for name in self.needed if group(name) != left_out]
                if len(kept) < len(self.needed):
                    self._try(kept)

    def one_by_one(self) -> None:
        """Leave out ever smaller parts, until nothing can be left out by itself."""
        parts = 2
        while len(self.needed) > 1:
            size = -(-len(self.needed) // parts)
            before = self.needed
            for begin in range(0, len(before), size):
                part = set(before[begin : begin + size])
                kept = [name for name in self.needed if name not in part]
                if len(kept) < len(self.needed):
                    self._try(kept)
            if len(self.needed) == len(before):
                if size == 1:
                    return
                parts = min(parts * 2, len(self.needed))
            else:
                parts = max(min(parts, len(self.needed)), 2)
