"""What a world stands on: its time, its chance, its names, and whose turn it is.

`World` adds the controls. What works inside a world (its hosts, its loop, its borders) knows no more than this.
"""

from __future__ import annotations

import asyncio
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from random import Random
from typing import Any, Protocol

from lastack.aio.decisions import Decisions
from lastack.aio.errors import Escaped
from lastack.aio.escapes import Escapes
from lastack.aio.names import Names
from lastack.aio.selector import Ready
from lastack.aio.standing import told_handle, told_task, traceback_of, wakes_a_task
from lastack.aio.waiting import WorldSelector
from lastack.sim.world import SECOND, World

# The wall clock of a world when it begins: the first second of 2026, in seconds since 1970.
BEGINNING = 1_767_225_600


class Program(Protocol):
    """A program on a host, as far as others know it (`lastack.aio.computer.Process`)."""

    alive: bool

    @property
    def name(self) -> str:
        """The name of its host."""

    def ahead(self) -> int:
        """By how many microseconds the clock of its host is ahead of the world's."""

    def socket(self, family: int) -> Any:
        """A new socket."""


class Sleep:
    """How long a function that is called in place of a thread has slept."""

    def __init__(self) -> None:
        self.seconds = 0.0


# The program as part of which code runs. Tasks and callbacks have it from who made them.
CURRENT: ContextVar[Any] = ContextVar("lastack program", default=None)


class Ground:
    """`sim` is the network in virtual time, `main` the program that code belongs to which no host runs, `loop` the loop
    that runs the world, while it does; `graves` are the programs that were ended."""

    main: Any
    loop: Any

    def __init__(self, seed: int, only: Collection[str] | None, max_time: float, max_events: int) -> None:
        """`max_time` in seconds."""
        self.seed = seed
        self.random = Random(f"world {seed}")  # for who writes a test
        self.secrets = Random(f"secrets {seed}")  # what os.urandom gives
        self.chance = Random(f"random {seed}").getstate()  # of the module `random`
        self.decisions = Decisions(seed, only)
        self.sim = World(seed, max_time=round(max_time * SECOND), max_events=max_events, told=True)
        self.names = Names(well_known=True)
        self.selector = WorldSelector(self.sim, self)
        self.loop = None
        self.graves: list[Any] = []
        self.waits: Any = None  # the task that waits for all the others
        self.sleeps: list[Sleep] = []  # of what is called in place of threads just now
        self.last_tick = 0  # of the last uuid1
        self.escapes = Escapes()  # what programs were kept from
        self.over = False  # whether the run is, and only ends what is left of it

    # --- whose turn it is ---

    @property
    def process(self) -> Any:
        """The program that the caller belongs to."""
        return CURRENT.get() or self.main

    # --- time ---

    @property
    def now(self) -> float:
        """Seconds since the world began."""
        return self.selector.now

    @contextmanager
    def in_a_thread(self) -> Iterator[Sleep]:
        """Meanwhile time.sleep is counted, and who reads a clock sees it."""
        slept = Sleep()
        self.sleeps.append(slept)
        try:
            yield slept
        finally:
            self.sleeps.pop()

    def clock_us(self) -> int:
        """Microseconds since the world began, as the caller sees it."""
        return self.sim.now + round(sum(one.seconds for one in self.sleeps) * SECOND)

    def clock(self) -> float:
        """What time.monotonic gives."""
        return self.now + sum(one.seconds for one in self.sleeps)

    def wall_clock_us(self) -> int:
        """Microseconds since 1970, by the clock of the caller's host."""
        program: Program = self.process
        return BEGINNING * SECOND + self.clock_us() + program.ahead()

    def wall_clock(self) -> float:
        """What time.time gives."""
        return self.wall_clock_us() / SECOND

    # --- what a loop tells a world ---

    def may_run(self) -> None:
        """RuntimeError where it has run, or runs."""
        raise NotImplementedError

    def entered_by(self, loop: asyncio.AbstractEventLoop) -> None:
        """A loop begins to run this world."""
        raise NotImplementedError

    def left_by(self, loop: asyncio.AbstractEventLoop) -> None:
        """The loop is closed: nothing runs here any more."""
        raise NotImplementedError

    def main_ended(self, task: asyncio.Task[Any]) -> None:
        """The `main` of a host has returned, or failed."""
        raise NotImplementedError

    def kill(self, name: Any) -> None:
        """End a host's program."""
        raise NotImplementedError

    def escapes_by(self, error: Escaped) -> None:
        """Something would leave the simulation, and whoever calls it is about to be told."""
        program: Program = self.process
        if program.alive:  # what its `finally` does, once it stands still, counts no more
            self.escapes.note(error, program.name)

    def escaped(self, error: Escaped) -> None:
        """Something would have left the simulation, and no program has caught that."""

    def stuck(self) -> str:
        """Who waits, where nothing will ever happen again."""
        lines = ["nothing will ever happen again, and these wait for something:"]
        for task in asyncio.all_tasks(self.loop):
            if task is self.waits:
                continue
            lines.append(f"  {told_task(task)}")
        return "\n".join([lines[0], *sorted(lines[1:])])

    def next_to_run(self, ready: Ready) -> Iterator[str]:
        """What the loop is going to call, when these sockets are ready."""
        due = (timer for timer in self.loop._scheduled if timer._when <= self.loop.time())
        watched = (one for key, _ in ready for one in key.data if one is not None)
        for handle in (*self.loop._ready, *sorted(due), *watched):
            if not handle._cancelled:
                yield told_handle(handle)

    def keep_going(self) -> Iterator[str]:
        """For whom a world goes on: who is waited for, what timers of programs are going to call, and who waits."""
        yield from map(told_task, self.awaited())
        for timer in sorted(self.loop._scheduled):
            if not timer._cancelled and not wakes_a_task(timer):
                yield told_handle(timer)
        yield from sorted(told_task(task) for task in asyncio.all_tasks(self.loop) if task is not self.waits)

    def awaited(self) -> Iterator[asyncio.Task[Any]]:
        """The tasks for whose end the run waits."""
        raise NotImplementedError

    def ended_by(self, error: Exception) -> Exception:
        """The error by which the world comes to its end: as if it were raised where the program waits, since what the
        loop does then says nothing."""
        task = next(self.awaited(), None)
        name = f"{task.get_name()}, " if task is not None else ""
        error.add_note(f"in the world of seed {self.seed}, {name}at {self.now:.6f} s")
        return error.with_traceback(traceback_of(task)) if task is not None else error
