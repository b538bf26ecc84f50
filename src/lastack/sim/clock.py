"""Virtual time: nothing here waits, and nothing reads a real clock."""

from __future__ import annotations

from collections.abc import Callable
from heapq import heapify, heappop, heappush

# What an event does; it tells by its name which host it touched, None if it may have been any, "" if none.
Action = Callable[[], str | None]


class Event:
    """Something that happens at `at` (microseconds). Events of one time happen in the order of their planning."""

    __slots__ = ("action", "at", "order")

    def __init__(self, at: int, order: int, action: Action) -> None:
        self.at = at
        self.order = order
        self.action: Action | None = action

    def cancel(self) -> None:
        """It will not happen. Cancelling what has happened does nothing."""
        self.action = None

    def __lt__(self, other: Event) -> bool:
        return (self.at, self.order) < (other.at, other.order)


class Clock:
    """The time of a world, in microseconds, and what is planned."""

    __slots__ = ("_events", "_order", "now")

    def __init__(self, start: int = 0) -> None:
        self.now = start
        self._events: list[Event] = []
        self._order = 0

    def plan(self, at: int, action: Action) -> Event:
        """Let `action` happen at `at`, which must not be in the past."""
        assert at >= self.now, f"planned for {at}, and it is {self.now} already"
        self._order += 1
        event = Event(at, self._order, action)
        heappush(self._events, event)
        return event

    def next_time(self) -> int | None:
        """When the next event happens; None while nothing is planned."""
        events = self._events
        while events and events[0].action is None:
            heappop(events)
        return events[0].at if events else None

    def advance(self, at: int) -> None:
        """Set the time, forwards."""
        assert at >= self.now, f"the clock would go back from {self.now} to {at}"
        self.now = at

    def pop(self) -> Action:
        """The next event's action; the time becomes the event's."""
        if self.next_time() is None:
            raise IndexError("nothing is planned")
        event = heappop(self._events)
        self.advance(event.at)
        assert event.action is not None
        return event.action

    def clear(self) -> None:
        """Nothing that was planned will happen."""
        self._events.clear()

    def __len__(self) -> int:
        self._events = [event for event in self._events if event.action is not None]
        heapify(self._events)
        return len(self._events)
