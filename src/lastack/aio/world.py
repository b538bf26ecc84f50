"""A world for asyncio programs: named hosts with real TCPs, a network that can be broken, and virtual time.

world = World(seed=7)
world.host("server", serve)          # `serve` and `work` are coroutine functions
world.client("client", work)
world.run()                          # until every client has ended
"""

from __future__ import annotations

import asyncio
from collections.abc import Collection, Coroutine, Iterable, Iterator
from contextlib import suppress
from inspect import iscoroutine, signature
from ipaddress import ip_interface
from math import inf
from typing import Any, TypeVar, overload

from lastack.aio import garbage
from lastack.aio.burial import bury
from lastack.aio.chaos import Chaos, Faults
from lastack.aio.computer import Computer, Main, Process
from lastack.aio.controls import Controlled
from lastack.aio.errors import Escaped, WorldStuck
from lastack.aio.links import Link
from lastack.aio.names import check_name, key_of
from lastack.aio.simulated import SimulatedLoop
from lastack.aio.watching import first_line
from lastack.host.host import Host
from lastack.sim.network import Path
from lastack.sim.world import HOUR, SECOND, WorldLimit
from lastack.tcp.config import DEFAULT, Config
from lastack.tcp.presets import preset

T = TypeVar("T")
LOCALHOST = "localhost"
_LOOPBACK = ("127.0.0.1/8", "::1/128")


class World(Controlled):
    """Hosts in virtual time, from a `seed`: the same seed is the same run, to the byte.

    `latency` is that of each path between two hosts, in seconds each way, unless it is set otherwise. `config` (a
    `Config`, or the name of a preset) is for hosts that are not given another. `only` leaves out all that happens by
    chance but what it names (see `Decisions`). `max_time` (seconds of virtual time) and `max_events` end what runs
    away, by WorldLimit.
    """

    def __init__(
        self,
        seed: int = 0,
        *,
        latency: float = 0.0005,
        config: Config | str = DEFAULT,
        only: Collection[str] | None = None,
        max_time: float = 1_000 * HOUR / SECOND,
        max_events: int = 1_000_000_000,
    ) -> None:
        if not isinstance(seed, int) or not -(1 << 127) <= seed < 1 << 127:
            raise ValueError(f"a seed is an int of up to 127 bits, not {seed!r}")
        if isinstance(only, str):
            raise ValueError(f"only takes several names, not one text: [{only!r}]")
        for what, value in (("max_time", max_time), ("max_events", max_events)):
            if not isinstance(value, int | float) or not 0 < value < inf:
                raise ValueError(f"{what} is a number above 0, not {value!r}")
        if not isinstance(latency, int | float) or not 0 <= latency < inf:
            raise ValueError(f"latency is a time in seconds, not {latency!r}")
        super().__init__(seed, only, max_time, max_events)
        self.sim.network.on_path = self._begin_path
        self._latency = latency
        self._config = preset(config)
        self._over: asyncio.Future[None] | None = None
        self._main: asyncio.Task[Any] | None = None
        self._chaos: list[Chaos] = []
        self._ran = False
        self.host(LOCALHOST)

    # --- hosts ---

    def host(
        self,
        name: str,
        main: Main | None = None,
        *,
        addresses: str | Iterable[str] = (),
        config: Config | str | None = None,
        **options: Any,
    ) -> Computer:
        """Put a host into the world that runs `main()`, if that is given, for as long as the world runs, and begins it
        anew after a `bounce`. What `main` raises ends the run.

        `addresses` are texts ("10.1.0.1", or "10.1.0.1/24" for its subnet); by default the next free one of
        10.0.0.0/8. `options` go to `Host` (mtu, gso ...). ValueError for a name or an address that is taken.
        """
        self._check(name, options)
        if main is not None and not callable(main):
            if iscoroutine(main):
                main.close()  # nobody is going to await it
            raise TypeError(
                f"{name} runs a function, which is called each time it begins: serve, not serve(): {main!r}"
            )
        given = (addresses,) if isinstance(addresses, str) else tuple(addresses)
        for text in given:
            if ip_interface(text).ip.is_loopback:
                raise ValueError(f"{text} is of each host itself: give {name} an address that others can reach")
        if not given:
            number = len(self.computers) + 1
            given = (f"10.{number >> 16}.{number >> 8 & 255}.{number & 255}/8",)
        chosen = self._config if config is None else preset(config)
        self.sim.host(name, (*given, *_LOOPBACK), chosen, **options)
        self.sim.nodes[name].on_ready = self.selector.on_ready
        computer = Computer(self, name, tuple(text.partition("/")[0] for text in given), main)
        self.computers[name] = computer
        self.names.add(name, computer.addresses)
        if self.loop is not None:
            for chaos in self._chaos:
                chaos.joined(name)
            computer.boot()
        return computer

    def _check(self, name: str, options: Collection[str]) -> None:
        check_name(name)
        for known in self.computers:
            if key_of(known) == key_of(name):
                raise ValueError(f"there is a host {known} already")
        unknown = [option for option in options if option not in signature(Host).parameters]
        if unknown:
            raise TypeError(f"a host does not know {', '.join(unknown)}: {', '.join(signature(Host).parameters)}")

    def client(self, name: str, main: Main, **more: Any) -> Computer:
        """As `host`; `run` is over when the `main` of every client has returned."""
        computer = self.host(name, main, **more)
        self.clients.append(computer)
        return computer

    @property
    def main(self) -> Process:
        """The program that code belongs to which no host runs: that of `localhost`."""
        return self.computers[LOCALHOST].process

    # --- running ---

    @overload
    def run(self, main: None = None) -> None: ...

    @overload
    def run(self, main: Coroutine[Any, Any, T]) -> T: ...

    def run(self, main: Coroutine[Any, Any, Any] | None = None) -> Any:
        """Run until the `main` of every client has returned, and `main` too, whose result is returned; it runs on
        `localhost`. A world runs once. Raises what one of them raised, or a host's; WorldStuck where all wait for
        ever; WorldLimit."""
        if self._ran and main is not None:
            main.close()  # nobody is going to await it
        try:
            result = self._run(main)
        except BaseException as error:
            self.escapes.add_to(error)
            garbage.FAILED.add(self)
            raise
        self.escapes.warn()
        return result

    def _run(self, main: Coroutine[Any, Any, Any] | None) -> Any:
        with garbage.held(), asyncio.Runner(loop_factory=lambda: SimulatedLoop(self)) as runner:
            try:
                return runner.run(self._whole(main))
            except (WorldStuck, WorldLimit):
                self._give_up(runner.get_loop())
                raise

    async def _whole(self, main: Coroutine[Any, Any, Any] | None) -> Any:
        assert self.loop is not None
        self.waits = asyncio.current_task()
        self._over = self.loop.create_future()
        self._main = self.loop.create_task(main, name=LOCALHOST) if main is not None else None
        if self._main is not None:
            self._main.add_done_callback(self.main_ended)
        self.look_if_over()
        try:
            await self._over
        finally:
            self.over = True
            self.tell_watchers()
            if self._main is not None and not self._main.done():  # before what it waits for stands still
                if not self._main.cancelling():
                    self._main.cancel()
                await asyncio.wait([self._main])
            self._stop()
        return self._main.result() if self._main is not None else None

    def _give_up(self, loop: asyncio.AbstractEventLoop) -> None:
        """End as every run does, before asyncio cancels what is left: hosts stand still, and say nothing of it."""
        assert self.waits is not None
        self.waits.cancel()
        with suppress(asyncio.CancelledError, WorldStuck, WorldLimit):
            loop.run_until_complete(self.waits)
        self._stop()

    def awaited(self) -> Iterator[asyncio.Task[Any]]:
        """The tasks for whose end the run waits."""
        clients = (one.task for one in self.clients if one.process.alive)
        return (task for task in (self._main, *clients) if task is not None and not task.done())

    def _stop(self) -> None:
        """It is over: what the hosts were doing stands still. What ran on `localhost` ends as asyncio lets it."""
        for computer in self.computers.values():
            if computer.name != LOCALHOST and computer.process.alive:
                computer.process.end(closes=False)

    def main_ended(self, task: asyncio.Task[Any]) -> None:
        """The `main` of a host has returned, or failed."""
        if task.cancelled() or (error := task.exception()) is None:
            self.look_if_over()
            return
        error.add_note(f"in the world of seed {self.seed}, {task.get_name()}, at {self.now:.6f} s")
        self.note(f"{task.get_name()} fails: {first_line(error)}")
        if self._over is not None and not self._over.done():
            self._over.set_exception(error)
        elif self._over is None and self.loop is not None:
            self.loop.call_exception_handler({"message": "a host has failed", "exception": error, "task": task})

    def escaped(self, error: Escaped) -> None:
        """Something would have left the simulation, and no program has caught that: the run has failed."""
        if self._over is not None and not self._over.done():
            error.add_note(f"in the world of seed {self.seed}, at {self.now:.6f} s")
            self._over.set_exception(error)

    def look_if_over(self) -> None:
        """Whether nobody is waited for any more: a client that was ended from outside is not."""
        if self._over is None or self._over.done():
            return
        if self._main is not None and not self._main.done():
            return
        if all(one.returned or not one.process.alive for one in self.clients):
            self._over.set_result(None)

    def may_run(self) -> None:
        """RuntimeError where it has run, or runs."""
        if self._ran:
            raise RuntimeError("a world runs once: make a new one (of the same seed it is the same)")

    def forgotten(self) -> list[str]:
        """The hosts whose programs nobody has run, and nobody runs."""
        return [] if self._ran else [one.name for one in self.computers.values() if one.main is not None]

    def entered_by(self, loop: asyncio.AbstractEventLoop) -> None:
        """A loop begins to run this world: its hosts begin their programs."""
        self._ran, self.loop = True, loop
        for computer in self.computers.values():
            computer.boot()
        for chaos in self._chaos:
            chaos.begin()

    def left_by(self, loop: asyncio.AbstractEventLoop) -> None:
        """The loop is closed: nothing runs here any more."""
        self.loop = None
        self.close_files()
        bury(self, loop)
        if self._over is None:  # nobody has called `run`, who will say so
            self.escapes.warn()

    def chaos(self, **faults: Any) -> Chaos:
        """Let things go wrong by chance, from now on or from when the world begins; `faults` are those of
        `lastack.aio.chaos.Faults`: loss=0.01, partition_every=60 ... ValueError for what makes no sense."""
        chaos = Chaos(self, len(self._chaos) + 1, Faults(**faults))
        self._chaos.append(chaos)
        if self.loop is not None:
            chaos.begin()
        return chaos

    def _begin_path(self, path: Path) -> None:
        if self._latency:
            Link(self, (path,)).latency(self._latency)
