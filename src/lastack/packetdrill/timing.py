"""When events are due, and whether what happened was in time, as packetdrill judges it."""

from __future__ import annotations

from typing import NamedTuple

from lastack.packetdrill.errors import Failed
from lastack.packetdrill.language.syntax import Call, Clock, Event, PacketEvent
from lastack.packetdrill.settings import Settings

_SECOND = 1_000_000
_GRACE = 2 * _SECOND  # after its time that something is still waited for, so as to tell how late it was


class Due(NamedTuple):
    """The time of an event from the start of the script: `start` to `end`, or any time where `end` is None."""

    start: int
    end: int | None

    def text(self) -> str:
        """For who reads it."""
        if self.end is None or self.end == self.start:
            return f"at {self.start / _SECOND:.6f} s"
        return f"between {self.start / _SECOND:.6f} and {self.end / _SECOND:.6f} s"


class Timing:
    """Goes through the events of a script. Times are microseconds from its start."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._last = 0  # when the event before was due
        self._earliest = 0  # by what the script says of itself and those before it
        self._arriving = False  # and it was a packet for the machine
        self._begun = 0  # when this event was come to
        self._lag = 0  # from when it happened until it was over
        self._early = 0  # how much sooner than due the next may be, for that

    def due(self, event: Event, now: int) -> Due:
        """When an event is due. Failed where that is before the event before it.

        As with packetdrill a relative time counts from when the event before it was over, be it late, so that what is
        late once is so once. Packets in a row that come in keep to the script's times among each other.
        """
        when, action = event.when, event.action
        arriving = isinstance(action, PacketEvent) and not action.outgoing
        if when.clock is Clock.ANY:
            due = Due(now, None)
        elif when.clock is Clock.ABSOLUTE:
            due = Due(when.start, when.start if when.end is None else when.end)
            if due.start < self._earliest:
                before = f"{self._earliest / _SECOND:.6f} s"
                raise Failed(f"its time is before that of the event before ({before})", event.line)
            self._earliest = due.start
        else:
            self._earliest += when.start
            base = self._last if arriving and self._arriving else now
            due = Due(base + when.start, base + (when.start if when.end is None else when.end))
        self._early = self._lag if when.clock is Clock.RELATIVE else 0
        self._before, self._begun, self._lag = self._last, now, 0
        self._last, self._arriving = due.start, arriving
        return due

    def over(self, happened: int, now: int) -> None:
        """The event is over, `now`; it happened, or began to, some time before where the machine's time is real. The
        next counts from now, but what the event brings about may come as soon as it happens."""
        self._lag = now - max(happened, self._begun)

    def end_of(self, event: Event, due: Due) -> int | None:
        """When a call that blocks is to return; None for any other event."""
        if not isinstance(event.action, Call) or event.action.end is None:
            return None
        return due.start - event.when.start + event.action.end

    def tolerance(self, due: int, since: int | None = None) -> int:
        """Microseconds by which what was due then may be early or late: more, the longer it was waited for, `since`
        the event before or another moment."""
        share = int(self._settings.tolerance_percent / 100 * (due - (self._before if since is None else since)))
        return max(self._settings.tolerance_usecs, share)

    def wait_until(self, due: Due, since: int | None = None) -> int:
        """How long to wait for what has to happen: as long as it is in time, and a while longer; `since` as for
        `tolerance`."""
        assert due.end is not None
        return due.end + max(self.tolerance(due.start, since), _GRACE)

    def check(self, what: str, due: Due, happened: int, since: int | None = None) -> None:
        """Raise Failed where what happened did so too early or too late; `since` as for `tolerance`."""
        if due.end is None:
            return
        tolerance = self.tolerance(due.start, since)
        if not due.start - tolerance - self._early <= happened <= due.end + tolerance:
            came = f"at {happened / _SECOND:.6f} s"
            raise Failed(
                f"{what} was due {due.text()} and happened {came} (tolerance {tolerance / _SECOND:.6f} s)",
                expected=due.text(),
                got=came,
            )
