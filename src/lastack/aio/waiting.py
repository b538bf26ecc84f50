"""The selector of a world: it waits by letting the world go on."""

from __future__ import annotations

from collections.abc import Iterable
from math import ceil
from typing import Protocol

from lastack.aio.errors import WorldStuck
from lastack.aio.garbage import Rounds
from lastack.aio.selector import HostSelector, Ready
from lastack.sim.world import SECOND, World, WorldLimit

# Turns of the loop at one moment of virtual time, after which a program is taken to go round in circles.
TURNS_LIMIT = 1_000_000
# Turns in which tasks may end when a world has failed (it has reached a limit, a rule has an error ...); no time passes
# any more.
TURNS_TO_END = 1_000
_TRIFLE = 0.001  # of a microsecond
# The last of those turns, of which is told what they did; and how much of it.
_LAST_TURNS = 100
_TOLD = 20


class Programs(Protocol):
    """What runs in a world, for who has to tell of it."""

    def stuck(self) -> str:
        """Who waits, where nothing will ever happen again."""

    def next_to_run(self, ready: Ready) -> Iterable[str]:
        """What the loop is going to call, when these sockets are ready."""

    def keep_going(self) -> Iterable[str]:
        """Who keeps the world from its end: what is waited for first."""

    def ended_by(self, error: Exception) -> Exception:
        """The world comes to its end by this, which will be raised."""


class WorldSelector(HostSelector):
    """Waits by letting the world go on."""

    def __init__(self, sim: World, programs: Programs) -> None:
        super().__init__()
        self._sim = sim
        self._programs = programs
        self._busy: dict[str, None] = {}  # what has run of late, where it is to be told
        self._found: Ready = []
        self._rounds = Rounds()
        self._turns = 0
        self._moment = -1
        self._reached = 0.0  # the last moment that was waited for, where it lies within the microsecond that it is
        self._failure: BaseException | None = None  # by which the world came to its end
        self._patience = TURNS_TO_END

    @property
    def now(self) -> float:
        """The world's time in seconds: never before what was waited for."""
        now = self._sim.clock.now / SECOND
        return now if now > self._reached else self._reached

    def select(self, timeout: float | None = None) -> Ready:
        """What is ready, after `timeout` seconds of the world's time at the latest."""
        ready = self._some_ready()
        if self._failure is not None:
            if not self._patience:
                raise self._failure
            self._patience -= 1
            return self._found
        try:
            self._go_on(ready, timeout)
        except WorldStuck as error:  # tasks that are cancelled may sleep, and wait for peers
            raise self._programs.ended_by(error) from None
        except WorldLimit as error:
            self._failure = self._programs.ended_by(error)
            raise self._failure from None
        except BaseException as error:
            self._failure = error
            raise
        return self._found

    def _go_on(self, ready: bool, timeout: float | None) -> None:
        self._rounds.turn(len(self._owners))
        sim = self._sim
        if sim.clock.now != self._moment:
            self._moment, self._turns = sim.clock.now, 0
            self._busy.clear()
        self._turns += 1
        if self._turns > TURNS_LIMIT - _LAST_TURNS:
            self._count(sim.now)
        try:
            if ready:
                sim.settle()  # what programs have sent is on its way before anything else happens
            elif timeout is not None:
                self._sleep(timeout)
            elif not sim.run(self._some_ready):
                raise WorldStuck(self._programs.stuck())
        except WorldLimit as error:
            raise WorldLimit(self._told(error), error.limit) from None

    def _told(self, error: WorldLimit) -> str:
        """The limit, as it was given to a world of programs, and who has come up to it."""
        sim, what = self._sim, str(error)
        if error.limit == "max_time":
            what = f"max_time={sim.max_time / SECOND:.15g} s have passed"
        elif error.limit == "max_events":
            what = f"max_events={sim.max_events:,} packets and timers of hosts have come to pass"
        return _listed(f"{what}, and the world goes on for these:", self._programs.keep_going())

    def _count(self, now: int) -> None:
        """Remember what runs in one of the last turns. WorldLimit after them."""
        self._busy.update(dict.fromkeys(self._programs.next_to_run(self._found)))
        if self._turns > TURNS_LIMIT:
            self._sim.counters["limit: turns at one moment"] += 1
            first = f"the program does not come to rest at {now / SECOND:.6f} s: {TURNS_LIMIT:,} turns, the last of:"
            raise WorldLimit(_listed(first, self._busy))

    def _sleep(self, timeout: float) -> None:
        """Let so many seconds pass, to the last digit. A deadline is a sum of floats, and may come a trifle after the
        microsecond that is meant: it belongs to that, but a clock that stood before it would send who looks at it back
        to sleep, for ever."""
        then = self.now + timeout
        microseconds, left = ceil(then * SECOND - self._sim.clock.now - _TRIFLE), self._sim.time_left()
        self._sim.run(self._some_ready, max(min(microseconds, left), 0))
        if not self._found and microseconds > left:
            raise self._sim.out_of_time()
        if not self._found and self.now < then:
            self._reached = then

    def _some_ready(self) -> bool:
        self._found = self._ready() if self._ask else []
        return bool(self._found)


def _listed(first: str, names: Iterable[str]) -> str:
    """Some of them, each on a line."""
    told = list(dict.fromkeys(names))
    more = [f"... and {len(told) - _TOLD:,} more"] if len(told) > _TOLD else []
    return "\n  ".join([first, *told[:_TOLD], *more])
