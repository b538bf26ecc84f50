"""One structure for all timers of a host: a heap of deadlines with one live entry a connection.

A connection's timers are fields that are written as often as one likes; `schedule` is told once it has come to rest.
The heap hears of it only when the earliest moves to before its entry. An entry that comes up too early is put back.
"""

from __future__ import annotations

from heapq import heappop, heappush, heapreplace
from typing import TYPE_CHECKING

from lastack.tcp import timeouts
from lastack.tcp.config import NEVER
from lastack.tcp.tcb import Tcb

if TYPE_CHECKING:
    from lastack.host.brief import Brief

# How many stale entries there may be beside as many as there are live ones.
_STALE = 64
# How many entries are looked at for each that comes or goes, while they are sorted out.
_STEP = 8


class Timers:
    """`Tcb.due_at` is the earliest of its timers, `Tcb.wake_at` the time of its live entry; any other is stale."""

    __slots__ = ("_count", "_heap", "_live", "_moved", "_old")

    def __init__(self) -> None:
        self._heap: list[tuple[int, int, Tcb | Brief]] = []
        self._count = 0  # ties go by age: a heap must not compare TCBs
        self._live = 0
        # A heap that is sorted out: bit by bit what lives in it moves over, each connection once.
        self._old: list[tuple[int, int, Tcb | Brief]] = []
        self._moved: set[Tcb | Brief] = set()

    def __len__(self) -> int:
        return self._live

    @property
    def entries(self) -> int:
        """What the heap holds, live and stale."""
        return len(self._heap) + len(self._old)

    def schedule(self, tcb: Tcb) -> None:
        """The timers of `tcb` may have changed."""
        tcb.due_at = at = timeouts.deadline(tcb)
        if at < tcb.wake_at:
            self._wake(tcb, at)

    def wake(self, brief: Brief, at: int) -> None:
        """None of the timers that a brief connection would have runs out before this time."""
        brief.due_at = at
        if at < brief.wake_at:
            self._wake(brief, at)

    def _wake(self, tcb: Tcb | Brief, at: int) -> None:
        self._live += tcb.wake_at == NEVER
        tcb.wake_at = at
        self._count += 1
        heappush(self._heap, (at, self._count, tcb))
        self._tidy()

    def forget(self, tcb: Tcb | Brief) -> None:
        """This connection is gone."""
        if tcb.wake_at != NEVER:
            tcb.wake_at = NEVER
            self._live -= 1
            self._tidy()

    def _tidy(self) -> None:
        """A stale entry holds a connection that may be long gone: there are never many of them.

        All at once took 14 ms at 100,000 connections.
        """
        if not self._old:
            if len(self._heap) <= 2 * self._live + _STALE:
                return
            self._old, self._heap = self._heap, []
        for _ in range(min(_STEP, len(self._old))):
            self._move(self._old.pop())  # without its last element a heap is one still

    def _move(self, entry: tuple[int, int, Tcb | Brief]) -> None:
        at, _, tcb = entry
        if tcb.wake_at == at and tcb not in self._moved:
            self._moved.add(tcb)
            heappush(self._heap, entry)
        if not self._old:
            self._moved.clear()

    def deadline(self) -> int | None:
        """When the next timer of any connection runs out, exactly."""
        heap = self._heap
        while heap or self._old:
            if self._old and (not heap or self._old[0] < heap[0]):
                self._move(heappop(self._old))
                continue
            at, _, tcb = heap[0]
            if tcb.wake_at != at:
                heappop(heap)
            elif tcb.due_at <= at:
                return at
            elif tcb.due_at == NEVER:
                self._take(tcb)
            else:
                tcb.wake_at = tcb.due_at
                self._count += 1
                heapreplace(heap, (tcb.due_at, self._count, tcb))
        return None

    def _take(self, tcb: Tcb | Brief) -> None:
        heappop(self._heap)
        tcb.wake_at = NEVER
        self._live -= 1

    def due(self, now: int) -> Tcb | Brief | None:
        """Take out a connection whose timer has run out."""
        if self._old:
            self._tidy()
        if not self._old and (not self._heap or self._heap[0][0] > now):  # no entry is late
            return None
        at = self.deadline()
        if at is None or at > now:
            return None
        tcb = self._heap[0][2]
        self._take(tcb)
        return tcb
