"""asyncio in virtual time: when nothing is ready, the clock jumps to what happens next."""

from __future__ import annotations

import asyncio
import contextlib
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import Context
from functools import wraps
from math import ulp
from typing import Any, TypeVar
from weakref import WeakKeyDictionary

from lastack.aio import borders, garbage, signals
from lastack.aio.computer import Process, process_of
from lastack.aio.errors import Escaped
from lastack.aio.ground import CURRENT, Ground
from lastack.aio.loop import HostLoop
from lastack.aio.order import Info, counted
from lastack.aio.outcome import as_coroutine
from lastack.aio.sockets import HostSocket

_H = TypeVar("_H", bound=asyncio.Handle)


class SimulatedLoop(HostLoop):
    """An event loop in a `World`: a new one of one host, `localhost`, where none is given.

    For `asyncio.Runner(loop_factory=SimulatedLoop)`, or with a seed `lambda: SimulatedLoop(seed=7)`. Which host code
    runs on is known by a context variable: whatever a program on a host starts is part of that program.
    """

    def __init__(self, world: Ground | None = None, *, seed: int = 0) -> None:
        if world is None:
            from lastack.aio.world import World

            world = World(seed)
        world.may_run()
        self.world = world
        self._generators: WeakKeyDictionary[Any, Process] = WeakKeyDictionary()
        self.tasks_made = 0
        super().__init__(world.selector)
        self.set_task_factory(counted)
        world.entered_by(self)

    def time(self) -> float:
        """The world's time in seconds."""
        return self.world.now

    @property
    def _clock_resolution(self) -> float:
        """What asyncio lets a callback come early by: the least that it can do with."""
        return ulp(self.time())

    @_clock_resolution.setter
    def _clock_resolution(self, seconds: float) -> None:
        """That of the real clock is none of ours."""

    @property
    def process(self) -> Process:
        """The program as part of which the caller runs."""
        return process_of(None) or self.world.main

    @contextmanager
    def _inside(self) -> Iterator[None]:
        with borders.closed(self.world), garbage.held():
            yield

    def close(self) -> None:
        """As asyncio's; programs that were ended before are laid to rest."""
        if not self.is_closed():
            super().close()
            self.world.left_by(self)

    # --- what is part of a program that is no more does not run ---

    def call_soon(self, callback: Any, *arguments: Any, context: Context | None = None) -> asyncio.Handle:  # type: ignore[override]
        """As asyncio's."""
        process = CURRENT.get() if context is None else context.get(CURRENT)
        if process is None or process.alive:
            return super().call_soon(callback, *arguments, context=context)
        return _never(asyncio.Handle(callback, arguments, self, context))

    def call_soon_threadsafe(self, callback: Any, *arguments: Any, context: Context | None = None) -> asyncio.Handle:  # type: ignore[override]
        """As asyncio's, for signal handlers. Escaped from another thread, whose moment no seed would know."""
        if self._thread_id is not None and threading.get_ident() != self._thread_id:  # type: ignore[attr-defined]
            raise Escaped("waking the loop from another thread", "use asyncio.to_thread, which calls it at once")
        return self.call_soon(callback, *arguments, context=context)

    def call_at(  # type: ignore[override]
        self, when: float, callback: Any, *arguments: Any, context: Context | None = None
    ) -> asyncio.TimerHandle:
        """As asyncio's."""
        process = CURRENT.get() if context is None else context.get(CURRENT)
        if process is None or process.alive:
            return super().call_at(when, callback, *arguments, context=context)
        return _never(asyncio.TimerHandle(when, callback, arguments, self, context))

    def create_task(self, coro: Any, *, name: Any = None, context: Context | None = None, **more: Any) -> Any:
        """As asyncio's; what `host.run` returns is taken too."""
        task = super().create_task(as_coroutine(coro), name=name, context=context, **more)
        process = process_of(context)
        if process is not None:
            process.began(task)
        return task

    def forget(self, process: Process) -> None:
        """A program has ended: cancel what was to be called as part of it."""
        for handle in (*self._ready, *self._scheduled):  # type: ignore[attr-defined]
            if process_of(handle._context) is process:
                handle.cancel()
        for generator, owner in tuple(self._generators.items()):
            if owner is process:
                self._asyncgens.discard(generator)  # type: ignore[attr-defined]
        transports = self._transports  # type: ignore[attr-defined]
        process.transports += [transports[number] for number in process.sockets if number in transports]

    def _asyncgen_firstiter_hook(self, generator: Any) -> None:
        process = process_of(None)
        if process is not None:
            self._generators[generator] = process
        super()._asyncgen_firstiter_hook(generator)  # type: ignore[misc]

    def _asyncgen_finalizer_hook(self, generator: Any) -> None:
        process = self._generators.get(generator)
        if process is None or process.alive:
            super()._asyncgen_finalizer_hook(generator)  # type: ignore[misc]

    # --- names ---

    async def getaddrinfo(
        self, host: Any, port: Any, *, family: int = 0, type: int = 0, proto: int = 0, flags: int = 0
    ) -> list[Any]:
        """As socket.getaddrinfo, for the names that the world knows."""
        return self.world.names.getaddrinfo(host, port, family, type, proto, flags)

    async def _create_server_getaddrinfo(self, host: Any, port: Any, family: int, flags: int) -> list[Any]:
        return [Info(one) for one in await super()._create_server_getaddrinfo(host, port, family, flags)]  # type: ignore[misc]

    async def getnameinfo(self, sockaddr: Any, flags: int = 0) -> tuple[str, str]:
        """As socket.getnameinfo, for the names that the world knows."""
        return self.world.names.look_back(sockaddr, flags)

    def call_exception_handler(self, context: dict[str, Any]) -> None:
        """As asyncio's. What would have left the simulation and nobody caught ends the world's run."""
        error = context.get("exception")
        if isinstance(error, asyncio.CancelledError) and self.world.over:
            return  # streams of Python 3.11 complain of a handler that was cancelled
        if isinstance(error, Escaped):
            self.world.escaped(error)
        super().call_exception_handler(context)

    # --- what there is not ---

    def _make_socket_transport(self, sock: Any, *arguments: Any, **more: Any) -> Any:
        _ours(sock)
        return super()._make_socket_transport(sock, *arguments, **more)  # type: ignore[misc]

    def _add_reader(self, fd: Any, callback: Any, *arguments: Any) -> Any:
        self._known(fd)
        return super()._add_reader(fd, callback, *arguments)  # type: ignore[misc]

    def _add_writer(self, fd: Any, callback: Any, *arguments: Any) -> Any:
        self._known(fd)
        return super()._add_writer(fd, callback, *arguments)  # type: ignore[misc]

    def _known(self, fd: Any) -> None:
        number = fd if isinstance(fd, int) else fd.fileno()
        if number >= 0 and not self.world.selector.knows(number):
            raise Escaped(
                f"waiting for file descriptor {number}", "only sockets of the world's hosts can be waited for"
            )

    def run_in_executor(self, executor: Any, func: Callable[..., Any], *arguments: Any) -> Any:  # type: ignore[override]
        """Call it at once, as part of the caller's program, whatever the executor: threads have no virtual time."""
        future = self.create_future()
        try:
            with self.world.in_a_thread() as slept:
                result = func(*arguments)
        except (SystemExit, KeyboardInterrupt):
            raise
        except BaseException as error:
            self.call_later(slept.seconds, _set, future, None, error)
        else:
            self.call_later(slept.seconds, _set, future, result, None)
        return future

    async def shutdown_default_executor(self, timeout: float | None = None) -> None:
        """There is none."""

    def add_signal_handler(self, sig: int, callback: Callable[..., object], *arguments: Any) -> None:  # type: ignore[override]
        """As asyncio's, for the signals that `world.signal` sends to this host."""
        signals.check(sig, callback)
        self.process.signals[sig] = lambda: self.call_soon(callback, *arguments)

    def remove_signal_handler(self, sig: int) -> bool:
        """As asyncio's."""
        signals.check(sig)
        return self.process.signals.pop(sig, None) is not None

    async def subprocess_exec(self, *arguments: Any, **more: Any) -> Any:
        """Escaped: another process has its own time."""
        raise Escaped("a process", "let it be a host of the world, or a fake of what it would do")

    async def subprocess_shell(self, *arguments: Any, **more: Any) -> Any:
        """Escaped, as `subprocess_exec`."""
        raise Escaped("a process", "let it be a host of the world, or a fake of what it would do")

    async def create_datagram_endpoint(self, *arguments: Any, **more: Any) -> Any:
        """Escaped: there is no UDP."""
        raise Escaped("a UDP socket", "the hosts of a world speak TCP alone")

    async def create_unix_connection(self, *arguments: Any, **more: Any) -> Any:
        """Escaped: there are no Unix sockets."""
        raise Escaped("a Unix socket", "use TCP to localhost: each host has its own")

    async def create_unix_server(self, *arguments: Any, **more: Any) -> Any:
        """Escaped: there are no Unix sockets."""
        raise Escaped("a Unix socket", "use TCP to localhost: each host has its own")

    async def connect_read_pipe(self, *arguments: Any, **more: Any) -> Any:
        """Escaped: who writes to a pipe is outside."""
        raise Escaped("a pipe", "use a TCP connection between hosts of the world")

    async def connect_write_pipe(self, *arguments: Any, **more: Any) -> Any:
        """Escaped: who reads a pipe is outside."""
        raise Escaped("a pipe", "use a TCP connection between hosts of the world")

    # Nobody outside can wake this loop: it does not sleep.

    def _make_self_pipe(self) -> None:
        self._ssock = self._csock = None

    def _close_self_pipe(self) -> None:
        pass

    def _write_to_self(self) -> None:
        pass


def _for_ours(name: str) -> Any:
    """The loop's method of that name, whose first argument must be a socket of the world."""
    plain = getattr(HostLoop, name)

    @wraps(plain)
    async def method(self: SimulatedLoop, sock: Any, *arguments: Any) -> Any:
        _ours(sock)
        return await plain(self, sock, *arguments)

    return method


for _name in ("sock_connect", "sock_accept", "sock_recv", "sock_recv_into", "sock_sendall"):
    setattr(SimulatedLoop, _name, _for_ours(_name))


def _never(handle: _H) -> _H:
    """Cancel what no loop knows of."""
    asyncio.Handle.cancel(handle)
    return handle


def _ours(sock: Any) -> None:
    if not isinstance(sock, HostSocket):
        raise Escaped(f"a real socket ({sock!r})", "make it by socket.socket(...) while the loop runs")


def _set(future: asyncio.Future[Any], result: Any, error: BaseException | None) -> None:
    """The end of what was called in an executor, unless nobody waits for it any more."""
    with contextlib.suppress(asyncio.InvalidStateError):
        if error is not None:
            future.set_exception(error)
        else:
            future.set_result(result)
