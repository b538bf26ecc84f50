"""A world for asyncio programs: named hosts with real TCPs, a network that can be broken, and virtual time.

world = World(seed=7)
world.host("server", serve)          # `serve` and `work` are coroutine functions
world.client("client", work)
world.run()                          # until every client has ended
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Collection, Coroutine, Iterable
from contextvars import copy_context
from random import Random
from typing import Any

from lastack.aio.burial import bury
from lastack.aio.chaos import Chaos, Faults
from lastack.aio.computer import Computer, Main
from lastack.aio.decisions import Decisions
from lastack.aio.links import Link
from lastack.aio.names import Names
from lastack.aio.processes import CURRENT, Process
from lastack.aio.simulated import SimulatedLoop, WorldSelector
from lastack.aio.watching import Watched, first_line
from lastack.sim.network import Path
from lastack.sim.world import HOUR, SECOND
from lastack.sim.world import World as SimulatedWorld
from lastack.tcp.config import DEFAULT, Config
from lastack.tcp.presets import PRESETS

# The wall clock of a world when it begins: the first second of 2026, in seconds since 1970.
BEGINNING = 1_767_225_600
LOCALHOST = "localhost"
_LOOPBACK = ("127.0.0.1/8", "::1/128")

HostName = str | Computer


class World(Watched):
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
        super().__init__()
        self.seed = seed
        self.random = Random(f"world {seed}")  # for who writes a test
        self.secrets = Random(f"secrets {seed}")  # what os.urandom gives
        self.chance = Random(f"random {seed}").getstate()  # of the module `random`
        self.decisions = Decisions(seed, only)
        self.sim = SimulatedWorld(seed, max_time=round(max_time * SECOND), max_events=max_events, told=True)
        self.sim.network.on_path = self._begin_path
        self.names = Names()
        self.computers: dict[str, Computer] = {}
        self.graves: list[Process] = []
        self.selector = WorldSelector(self)
        self.loop: SimulatedLoop | None = None
        self._latency = latency
        self._config = _config(config)
        self._clients: list[Computer] = []
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
        if name in self.computers:
            raise ValueError(f"there is a host {name} already")
        given = (addresses,) if isinstance(addresses, str) else tuple(addresses)
        if not given:
            number = len(self.computers) + 1
            given = (f"10.{number >> 16}.{number >> 8 & 255}.{number & 255}/8",)
        chosen = self._config if config is None else _config(config)
        self.sim.host(name, (*given, *_LOOPBACK), chosen, **options)
        self.sim.nodes[name].on_ready = self.selector.on_ready
        computer = Computer(self, name, tuple(text.partition("/")[0] for text in given), main)
        self.computers[name] = computer
        self.names.enter(computer)
        if self.loop is not None:
            computer.boot()
        return computer

    def client(self, name: str, main: Main, **more: Any) -> Computer:
        """As `host`; `run` is over when the `main` of every client has returned."""
        computer = self.host(name, main, **more)
        self._clients.append(computer)
        return computer

    def computer(self, name: HostName) -> Computer:
        """The host of that name. KeyError where there is none."""
        if isinstance(name, Computer):
            return name
        if name not in self.computers:
            raise KeyError(f"there is no host {name!r}: {', '.join(self.computers)}")
        return self.computers[name]

    __getitem__ = computer

    @property
    def main(self) -> Process:
        """The program that code belongs to which no host runs: that of `localhost`."""
        return self.computers[LOCALHOST].process

    @property
    def process(self) -> Process:
        """The program that the caller belongs to."""
        return CURRENT.get() or self.main

    # --- time ---

    @property
    def now(self) -> float:
        """Seconds since the world began."""
        return self.sim.now / SECOND

    def clock(self) -> float:
        """What time.monotonic gives."""
        return self.sim.now / SECOND

    def wall_clock_us(self) -> int:
        """Microseconds since 1970, by the clock of the caller's host."""
        computer = self.process.computer
        return BEGINNING * SECOND + self.sim.now + round((computer.skew + computer.drift * self.now) * SECOND)

    def wall_clock(self) -> float:
        """What time.time gives."""
        return self.wall_clock_us() / SECOND

    def skew(self, name: HostName, seconds: float, drift: float = 0.0) -> None:
        """Put a host's wall clock ahead (or back) of the world's; `drift` is what it gains in each second. Timers and
        `time.monotonic` go by the world's."""
        computer = self.computer(name)
        computer.skew, computer.drift = seconds, drift

    # --- running ---

    def run(self, main: Coroutine[Any, Any, Any] | None = None) -> Any:
        """Run until the `main` of every client has returned, and `main` too, whose result is returned; it runs on
        `localhost`. A world runs once. Raises what one of them raised, or a host's; WorldStuck where all wait for
        ever; WorldLimit."""
        if self._ran and main is not None:
            main.close()  # nobody is going to await it
        with asyncio.Runner(loop_factory=lambda: SimulatedLoop(self)) as runner:
            return runner.run(self._whole(main))

    async def _whole(self, main: Coroutine[Any, Any, Any] | None) -> Any:
        assert self.loop is not None
        self._over = self.loop.create_future()
        self._main = self.loop.create_task(main, name=LOCALHOST) if main is not None else None
        if self._main is not None:
            self._main.add_done_callback(self.main_ended)
        self._look_if_over()
        try:
            await self._over
        finally:
            self._stop()
        return self._main.result() if self._main is not None else None

    def _stop(self) -> None:
        """It is over: what the hosts were doing stands still. What ran on `localhost` ends as asyncio lets it."""
        self.tell_watchers()
        for computer in self.computers.values():
            if computer.name != LOCALHOST and computer.process.alive:
                computer.process.end(closes=False)

    def main_ended(self, task: asyncio.Task[Any]) -> None:
        """The `main` of a host has returned, or failed."""
        if task.cancelled() or (error := task.exception()) is None:
            self._look_if_over()
            return
        error.add_note(f"in the world of seed {self.seed}, {task.get_name()}, at {self.now:.6f} s")
        self.note(f"{task.get_name()} fails: {first_line(error)}")
        if self._over is not None and not self._over.done():
            self._over.set_exception(error)
        elif self._over is None and self.loop is not None:
            self.loop.call_exception_handler({"message": "a host has failed", "exception": error, "task": task})

    def _look_if_over(self) -> None:
        """Whether nobody is waited for any more: a client that was ended from outside is not."""
        if self._over is None or self._over.done():
            return
        if self._main is not None and not self._main.done():
            return
        if all(one.returned or not one.process.alive for one in self._clients):
            self._over.set_result(None)

    def may_run(self) -> None:
        """RuntimeError where it has run, or runs."""
        if self._ran:
            raise RuntimeError("a world runs once: make a new one (of the same seed it is the same)")

    def entered_by(self, loop: SimulatedLoop) -> None:
        """A loop begins to run this world: its hosts begin their programs."""
        self._ran, self.loop = True, loop
        for computer in self.computers.values():
            computer.boot()
        for chaos in self._chaos:
            chaos.begin()

    def left_by(self, loop: SimulatedLoop) -> None:
        """The loop is closed: nothing runs here any more."""
        self.loop = None
        self.close_files()
        bury(loop, self.graves)

    def stuck(self) -> str:
        """Who waits, where nothing will ever happen again."""
        assert self.loop is not None
        lines = ["nothing will ever happen again, and these wait for something:"]
        for task in asyncio.all_tasks(self.loop):
            frames = task.get_stack(limit=1)
            place = f"{frames[0].f_code.co_filename}:{frames[0].f_lineno}" if frames else "?"
            lines.append(f"  {task.get_name()}, in {place}")
        return "\n".join([lines[0], *sorted(lines[1:])])

    # --- hosts come and go ---

    def crash(self, name: HostName) -> None:
        """Cut a host's power: its program ends where it stands (no `finally` runs), its TCP forgets everything and
        says nothing, and what is sent to it is lost. Who was connected to it does not know (a half-open connection)."""
        self._kill(name, power=True)

    def kill(self, name: HostName) -> None:
        """End a host's program where it stands, as SIGKILL does: its TCP goes on, and closes what the program had open
        (by a RST where it had not read all, RFC 9293 3.10.4 as updated by RFC 2525 2.17; else by a FIN)."""
        self._kill(name, power=False)

    def bounce(self, name: HostName, *, keep_kernel: bool = False) -> None:
        """Begin a host's program anew: after a `crash` of the whole host, or with `keep_kernel` after a `kill`, so that
        its connections in TIME-WAIT are still there."""
        computer = self.computer(name)
        if computer.process.alive:
            self._kill(name, power=not keep_kernel)
        if computer.kernel is None:
            self.sim.power_on(computer.name)
        computer.boot()

    def _kill(self, name: HostName, *, power: bool) -> None:
        computer = self.computer(name)
        if computer.process is CURRENT.get():
            raise RuntimeError(
                f"{computer.name} cannot end itself: let another host do it, or call_soon from `localhost`"
            )
        computer.end(power=power)
        self._look_if_over()

    def signal(self, name: HostName, number: int) -> bool:
        """Send a signal to a host's program: what it gave to `loop.add_signal_handler` is called. Whether it gave
        anything."""
        process = self.computer(name).process
        handler = process.signals.get(number)
        if handler is None or not process.alive:
            return False
        copy_context().run(_as_part_of, process, handler)
        return True

    def servers(self) -> list[str]:
        """The names of the hosts that run a program and are no clients."""
        return [one.name for one in self.computers.values() if one.main is not None and one not in self._clients]

    def chaos(self, **faults: Any) -> Chaos:
        """Let things go wrong by chance, from now on or from when the world begins; `faults` are those of
        `lastack.aio.chaos.Faults`: loss=0.01, partition_every=60 ... ValueError for what makes no sense."""
        chaos = Chaos(self, len(self._chaos) + 1, Faults(**faults))
        self._chaos.append(chaos)
        if self.loop is not None:
            chaos.begin()
        return chaos

    # --- the network ---

    def link(self, sender: HostName, receiver: HostName) -> Link:
        """What befalls segments from one host to another, one way."""
        return Link(self, (self._path(sender, receiver),))

    def links(self, one: HostName, other: HostName) -> Link:
        """What befalls segments between two hosts, both ways."""
        return Link(self, (self._path(one, other), self._path(other, one)))

    def partition(self, one: HostName, other: HostName, *, one_way: bool = False) -> None:
        """Let nothing pass between two hosts until `repair`; or with `one_way` nothing from the one to the other."""
        (self.link if one_way else self.links)(one, other).partition()

    def repair(self, one: HostName, other: HostName) -> None:
        """End a partition, whichever way it is; what was lost stays lost."""
        self.links(one, other).repair()

    def hold(self, one: HostName, other: HostName) -> None:
        """Keep all that is sent between two hosts until `release`."""
        self.links(one, other).hold()

    def release(self, one: HostName, other: HostName) -> None:
        """Let what is held arrive."""
        self.links(one, other).release()

    def latency(self, one: HostName, other: HostName, seconds: float, jitter: float = 0.0) -> None:
        """How long a segment takes between two hosts, each way; by up to `jitter` more, by chance."""
        self.links(one, other).latency(seconds, jitter)

    def loss(self, one: HostName, other: HostName, probability: float) -> None:
        """With what probability a segment between two hosts is lost."""
        self.links(one, other).loss(probability)

    def bandwidth(self, one: HostName, other: HostName, bits: float | None, queue: int = 256 * 1024) -> None:
        """Bits a second between two hosts, each way, behind a queue of so many bytes; None: without bound."""
        self.links(one, other).bandwidth(bits, queue)

    def _path(self, sender: HostName, receiver: HostName) -> Path:
        return self.sim.path(self.computer(sender).name, self.computer(receiver).name)

    def _begin_path(self, path: Path) -> None:
        if self._latency:
            Link(self, (path,)).latency(self._latency)


def _as_part_of(process: Process, call: Callable[[], object]) -> None:
    CURRENT.set(process)
    call()


def _config(given: Config | str) -> Config:
    if isinstance(given, Config):
        return given
    if given not in PRESETS:
        raise ValueError(f"there is no preset {given!r}: {', '.join(PRESETS)}")
    return PRESETS[given]
