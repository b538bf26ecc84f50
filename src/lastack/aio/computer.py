"""The hosts of a world, and the programs on them: what runs where, and how it ends without being asked."""

from __future__ import annotations

import asyncio
import errno
import os
from collections.abc import Awaitable, Callable, Coroutine
from contextlib import suppress
from contextvars import Context, copy_context
from typing import TYPE_CHECKING, Any, TypeVar, cast
from weakref import WeakValueDictionary

from lastack.aio.errors import Escaped, HostDown
from lastack.aio.ground import CURRENT, Ground
from lastack.aio.outcome import Outcome
from lastack.aio.sockets import HostSocket
from lastack.host.host import Host
from lastack.host.sockets import Socket
from lastack.sim.world import SECOND

if TYPE_CHECKING:
    from lastack.aio.outcome import Running

T = TypeVar("T")
Main = Callable[[], Awaitable[Any]]


class Computer:
    """One host: `name`, `addresses` (text), `kernel` (a `lastack.host.host.Host`; None while it is off) and `process`,
    the program that it runs, begun by calling `main`.

    `skew` is by how many seconds its clock is ahead of the world's, `drift` how many seconds it gains in each.
    """

    def __init__(self, world: Ground, name: str, addresses: tuple[str, ...], main: Main | None) -> None:
        self.world = world
        self.name = name
        self.addresses = addresses
        self.main = main
        self.node = world.sim.nodes[name]
        self.skew = 0.0
        self.drift = 0.0
        self.process = Process(self)
        self.task: asyncio.Task[Any] | None = None  # that `main` runs in
        self.returned = False  # whether it has

    def __repr__(self) -> str:
        return f"<host {self.name} {' '.join(self.addresses)} {'up' if self.kernel is not None else 'off'}>"

    def ahead(self) -> int:
        """By how many microseconds its clock is ahead of the world's."""
        return round((self.skew + self.drift * self.world.now) * SECOND)

    @property
    def kernel(self) -> Any:
        """Its TCP; None while it is off."""
        self.world.sim.stir(self.node)  # whoever asks may call it
        return self.node.host

    def boot(self) -> None:
        """Begin the program, as a process of its own."""
        self.process = Process(self)
        self.returned = False
        if self.main is not None and self.world.loop is not None:
            self.task = self._begin(self.main())
            self.task.add_done_callback(self._ended, context=Context())  # who has begun it may be no more

    def _ended(self, task: asyncio.Task[Any]) -> None:
        self.returned = task is self.task
        self.world.main_ended(task)

    def run(self, coroutine: Coroutine[Any, Any, T]) -> Running[T]:
        """Run a coroutine as part of this host's program. What this returns ends as the coroutine does, or by HostDown
        where the program is ended; to cancel it cancels the coroutine. It can be awaited, gathered, and given to
        `create_task`, also of a TaskGroup. HostDown where there is no program."""
        problem: Exception | None = None
        if self.world.loop is None:
            problem = RuntimeError("the world does not run: give host() a `main`, or call this from a coroutine in it")
        elif not self.process.alive:
            problem = HostDown(f"no program runs on {self.name}: begin it anew by bounce({self.name!r})")
        if problem is not None:
            if asyncio.iscoroutine(coroutine):
                coroutine.close()  # nobody is going to await it
            raise problem
        return cast("Running[T]", self.process.outcome(self._begin(coroutine)))

    def _begin(self, coroutine: Any) -> asyncio.Task[Any]:
        context = copy_context()
        context.run(CURRENT.set, self.process)
        task: asyncio.Task[Any] = self.world.loop.create_task(coroutine, name=f"{self.name}", context=context)
        return task

    def end(self, *, power: bool) -> None:
        """End the program where it stands; with `power` off the kernel too, and what it knew."""
        if self.process.alive:
            self.process.end(closes=not power)
            self.process.tell()
        if power:
            self.world.sim.power_off(self.name)


class Process:
    """A program on a host: its tasks, callbacks and sockets. It is what its sockets stand on (`stack.Stack`).

    When it is ended nothing of it runs again, not even a `finally`: as after SIGKILL, or without power.
    """

    def __init__(self, computer: Computer) -> None:
        self.computer = computer
        self._ground = computer.world
        self.alive = True
        self.tasks: dict[asyncio.Task[Any], None] = {}
        self.outcomes: dict[Outcome, None] = {}  # of what it runs for others
        self.sockets: WeakValueDictionary[int, HostSocket] = WeakValueDictionary()
        self.signals: dict[int, Callable[[], object]] = {}  # what each signal calls
        self.handlers: dict[int, Any] = {}  # what it gave to signal.signal
        self.transports: list[Any] = []  # that stood still with it (see burial.py)
        self._sim = computer.world.sim
        self._node = computer.node
        self._host = computer.node.host

    def __repr__(self) -> str:
        return f"<process on {self.computer.name}{'' if self.alive else ', ended'}>"

    @property
    def name(self) -> str:
        """The name of its host."""
        return self.computer.name

    def ahead(self) -> int:
        """By how many microseconds the clock of its host is ahead of the world's."""
        return self.computer.ahead()

    def socket(self, family: int) -> HostSocket:
        """A new socket, as socket.socket(family, SOCK_STREAM)."""
        return HostSocket(self, family)

    # --- what sockets stand on ---

    @property
    def host(self) -> Host:
        """The host. OSError ENETDOWN where the process is no more, or its host was switched off."""
        if not self.alive or self._node.host is not self._host:
            raise OSError(errno.ENETDOWN, os.strerror(errno.ENETDOWN))
        host: Host = self._host
        return host

    def now(self) -> int:
        """The world's time."""
        return self._sim.clock.now

    def touched(self) -> None:
        """What a call makes the host say leaves within the call: two writes are two segments, not one of both."""
        if self._node.host is self._host:
            self._sim.say(self._node)

    def entered(self, owner: HostSocket, socket: Socket) -> int:
        """A socket came into being."""
        number = self._ground.selector.entered(owner, socket)
        self.sockets[number] = owner
        return number

    def left(self, number: int) -> None:
        """A socket is gone."""
        self.sockets.pop(number, None)
        self._ground.selector.left(number)

    def routes(self, address: str) -> bool:
        """All there is, is in the world."""
        return True

    def resolve(self, name: str, family: int) -> str:
        """As the names of the world are."""
        return self._ground.names.address(name, family)

    def wait(self, owner: Any, events: int, timeout: float | None) -> None:
        """Nothing may wait here but the loop."""
        raise Escaped(
            "a call that blocks", "make the socket non-blocking (setblocking(False)) and use the loop's sock_..."
        )

    # --- its life ---

    def began(self, task: asyncio.Task[Any]) -> None:
        """A task of this process came into being."""
        self.tasks[task] = None
        task.add_done_callback(self._ended, context=Context())  # not as part of this process, which may be no more

    def _ended(self, task: asyncio.Task[Any]) -> None:
        self.tasks.pop(task, None)

    def outcome(self, task: asyncio.Task[Any]) -> Outcome:
        """What becomes of a task of this process, for others."""
        outcome = Outcome(task, self._ground.loop)
        self.outcomes[outcome] = None
        outcome.add_done_callback(lambda one: self.outcomes.pop(one, None), context=Context())
        return outcome

    def tell(self) -> None:
        """Who waits for what it did hears that it was ended."""
        for outcome in tuple(self.outcomes):
            outcome.host_down(self.name)

    def _find_tasks(self, loop: asyncio.AbstractEventLoop) -> None:
        """Those too that were made without the loop: `asyncio.Task(..., eager_start=True)`, from Python 3.12 on."""
        for task in asyncio.all_tasks(loop):
            if hasattr(task, "get_context") and process_of(task.get_context()) is self:
                self.tasks[task] = None

    def end(self, *, closes: bool) -> None:
        """Let nothing of it run again. `closes`: the kernel closes its sockets; else they are left as they are, since
        the kernel is gone as well."""
        self.alive = False
        world = self._ground
        if world.loop is not None:
            world.loop.forget(self)
            self._find_tasks(world.loop)
        for socket in tuple(self.sockets.values()):
            if closes:
                socket.close_now()
            else:
                socket.forsake()
        for outcome in self.outcomes:
            outcome.stand_still()
        for task in self.tasks:
            asyncio._unregister_task(task)
            with suppress(AttributeError):  # a Task in C lets it be set, one of another make may not know it
                task._log_destroy_pending = False  # type: ignore[attr-defined]
        world.graves.append(self)


def process_of(context: Context | None) -> Process | None:
    """As part of which process a callback will run."""
    return CURRENT.get() if context is None else context.get(CURRENT)
