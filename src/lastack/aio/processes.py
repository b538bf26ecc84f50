"""Programs on the hosts of a world: what runs where, and how it ends without being asked."""

from __future__ import annotations

import asyncio
import errno
import os
from collections.abc import Callable
from contextlib import suppress
from contextvars import Context, ContextVar
from typing import TYPE_CHECKING, Any
from weakref import WeakValueDictionary

from lastack.aio.errors import Escaped
from lastack.aio.sockets import HostSocket
from lastack.host.host import Host
from lastack.host.sockets import Socket

if TYPE_CHECKING:
    from lastack.aio.computer import Computer

# The process as part of which code runs. Tasks and callbacks have it from who made them.
CURRENT: ContextVar[Process | None] = ContextVar("lastack process", default=None)


class Process:
    """A program on a host: its tasks, callbacks and sockets. It is what its sockets stand on (`stack.Stack`).

    When it is ended nothing of it runs again, not even a `finally`: as after SIGKILL, or without power.
    """

    def __init__(self, computer: Computer) -> None:
        self.computer = computer
        self.alive = True
        self.tasks: dict[asyncio.Task[Any], None] = {}
        self.sockets: WeakValueDictionary[int, HostSocket] = WeakValueDictionary()
        self.signals: dict[int, Callable[[], object]] = {}  # what each signal calls
        self.transports: list[Any] = []  # that stood still with it (see burial.py)
        self._sim = computer.world.sim
        self._node = computer.node
        self._host = computer.node.host

    def __repr__(self) -> str:
        return f"<process on {self.computer.name}{'' if self.alive else ', ended'}>"

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
        """The world asks the host before time passes."""
        self._sim.stir(self._node)

    def entered(self, owner: HostSocket, socket: Socket) -> int:
        """A socket came into being."""
        number = self.computer.world.selector.entered(owner, socket)
        self.sockets[number] = owner
        return number

    def left(self, number: int) -> None:
        """A socket is gone."""
        self.sockets.pop(number, None)
        self.computer.world.selector.left(number)

    def routes(self, address: str) -> bool:
        """All there is, is in the world."""
        return True

    def resolve(self, name: str, family: int) -> str:
        """As the names of the world are."""
        return self.computer.world.names.address(name, family)

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

    def end(self, *, closes: bool) -> None:
        """Let nothing of it run again. `closes`: the kernel closes its sockets; else they are left as they are, since
        the kernel is gone as well."""
        self.alive = False
        world = self.computer.world
        if world.loop is not None:
            world.loop.forget(self)
        for socket in tuple(self.sockets.values()):
            if closes:
                socket.close_now()
            else:
                socket.forsake()
        for task in self.tasks:
            asyncio._unregister_task(task)
            with suppress(AttributeError):  # a Task in C lets it be set, one of another make may not know it
                task._log_destroy_pending = False  # type: ignore[attr-defined]
        world.graves.append(self)


def process_of(context: Context | None) -> Process | None:
    """As part of which process a callback will run."""
    return CURRENT.get() if context is None else context.get(CURRENT)
