"""Virtual time: nothing here waits, and nothing reads a real clock."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from heapq import heappop, heappush
from typing import Any


class Event:
    """A call that can be cancelled, planned for `at` (microseconds)."""

    __slots__ = ("_callback", "_clock", "at")

    def __init__(self, clock: Clock, at: int, callback: Callable[[], object]) -> None:
        self.at = at
        self._clock = clock
        self._callback: Callable[[], object] | None = callback

    @property
    def over(self) -> bool:
        """Whether it has happened, or never will."""
        return self._callback is None

    def cancel(self) -> None:
        """It will not happen. Cancelling what has happened does nothing."""
        if self._callback is not None:
            self._callback = None
            self._clock.cancelled += 1

    def happen(self) -> None:
        """Make the call."""
        callback, self._callback = self._callback, None
        assert callback is not None
        callback()


class Clock:
    """The time of a world, in microseconds, and what is planned: calls of one argument.

    Events of one time happen in the order of their planning. `present` holds those of this very moment, so what is
    planned for now goes to its end: 0.4 us less than through the heap of what comes later. Who lets time pass takes
    them out in front. `cancelled` counts the events that are still planned and will not happen.
    """

    __slots__ = ("_later", "_order", "cancelled", "now", "present")

    def __init__(self, start: int = 0) -> None:
        self.now = start
        self.cancelled = 0
        self.present: deque[tuple[Callable[[Any], Any], Any]] = deque()
        self._later: list[tuple[int, int, Callable[[Any], Any], Any]] = []
        self._order = 0

    def post(self, at: int, action: Callable[[Any], Any], argument: Any) -> None:
        """Let `action(argument)` happen at `at`, which must not be in the past."""
        if at == self.now:
            self.present.append((action, argument))
            return
        assert at > self.now, f"planned for {at}, and it is {self.now} already"
        self._order += 1
        heappush(self._later, (at, self._order, action, argument))

    def plan(self, at: int, callback: Callable[[], object]) -> Event:
        """Let `callback()` happen at `at`, unless the event that this returns is cancelled."""
        event = Event(self, at, callback)
        self.post(at, Event.happen, event)
        return event

    def next_time(self) -> int | None:
        """When the next event happens; None while nothing is planned."""
        if self.cancelled:
            self._forget_cancelled()
        if self.present:
            return self.now
        return self._later[0][0] if self._later else None

    def advance(self, at: int) -> None:
        """Set the time, forwards, but not beyond the next event."""
        assert at >= self.now, f"the clock would go back from {self.now} to {at}"
        assert at == self.now or not self.present, f"the clock would go past what happens at {self.now}"
        self.now = at
        later = self._later
        while later and later[0][0] <= at:
            _, _, action, argument = heappop(later)
            self.present.append((action, argument))

    def _forget_cancelled(self) -> None:
        """Take away the cancelled events in front."""
        present, later = self.present, self._later
        while present and _is_over(present[0][1]):
            present.popleft()
            self.cancelled -= 1
        while later and _is_over(later[0][3]):
            heappop(later)
            self.cancelled -= 1


def _is_over(argument: Any) -> bool:
    return isinstance(argument, Event) and argument.over
