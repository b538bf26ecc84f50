"""The borders of a simulated world: what a program makes within it is of it, and what would leave it raises `Escaped`.

While a simulated loop runs, `socket.socket` and `socket.getaddrinfo` are the world's, time is virtual, and chance comes
from the world's seed, for who is called by that loop, by whatever name a module holds them; other threads notice
nothing. What gets round that (a class derived earlier, a library in C) is stopped by an audit hook (PEP 578), as far as
Python tells of it.
"""

from __future__ import annotations

import asyncio
import os
import random
import signal
import socket
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from functools import partial
from types import ModuleType
from typing import Any, ClassVar

from lastack.aio import services, signals
from lastack.aio.clocks import clocks
from lastack.aio.early import exchanged
from lastack.aio.errors import Escaped
from lastack.aio.gate import Opening, gate_of
from lastack.aio.ground import Ground

_MAKE_A_HOST = "let it be a host of the world, or a fake of what it would do"
_MAKE_A_SOCKET = "make it by socket.socket(...) while the loop runs, not by a class that was imported earlier"
_MAKE_A_CONNECTION = (
    "make a connection on localhost (asyncio.start_server, open_connection), or use an asyncio.Queue; "
    "and a second event loop, which would make a pair, cannot run here: await what it would run"
)
_NAMES = "use the loop's getaddrinfo, which knows the world's hosts"
_SERVICES = "call it as socket.getservby..., which knows the world's names, not by what was kept of it"
_A_WAIT = "waiting for another thread (threading's Event, queue.Queue, a Future's result() ...)"
_AWAIT = "await in the loop (asyncio.Event, asyncio.Queue, the coroutine itself); nothing else runs while this waits"
_THREADS = "use asyncio.to_thread or the loop's run_in_executor, which call it at once"

# What Python tells an audit hook of, what that is, and what to do instead.
_OUTSIDE: dict[str, tuple[str, str]] = {
    "socket.__new__": ("a real socket", _MAKE_A_SOCKET),
    "socket.connect": ("a real socket's connect", _MAKE_A_SOCKET),
    "socket.bind": ("a real socket's bind", _MAKE_A_SOCKET),
    "socket.sendto": ("a real socket's sendto", _MAKE_A_SOCKET),
    "socket.sendmsg": ("a real socket's sendmsg", _MAKE_A_SOCKET),
    "socket.getaddrinfo": ("asking the machine for an address", _NAMES),
    "socket.gethostbyname": ("asking the machine for an address", _NAMES),
    "socket.gethostbyaddr": ("asking the machine for a name", _NAMES),
    "socket.getnameinfo": ("asking the machine for a name", _NAMES),
    "socket.getservbyname": ("asking the machine for a port", _SERVICES),
    "socket.getservbyport": ("asking the machine for a port's name", _SERVICES),
    "subprocess.Popen": ("a process", _MAKE_A_HOST),
    "os.system": ("a process", _MAKE_A_HOST),
    "os.posix_spawn": ("a process", _MAKE_A_HOST),
    "os.exec": ("another program", _MAKE_A_HOST),
    "os.fork": ("a process", _MAKE_A_HOST),
    "os.forkpty": ("a process", _MAKE_A_HOST),
    "_thread.start_new_thread": ("a thread", _THREADS),
    "_thread.start_joinable_thread": ("a thread", _THREADS),
    "time.sleep": ("time.sleep", "await asyncio.sleep: who blocks the loop blocks every host"),
}


# Libraries whose threads and sockets are C's, of which Python tells nobody: module, and the class that begins it all.
_IN_C = {
    "grpc._channel": "Channel",
    "grpc._server": "_Server",
    "grpc.aio._channel": "Channel",
    "grpc.aio._server": "Server",
}
_PACKAGES_IN_C = frozenset(name.partition(".")[0] for name in _IN_C)
_IN_C_ALONE = "its sockets and threads are C's: put what speaks by it behind an interface, and a fake in its place"


def world_of_caller() -> Ground | None:
    """The world in whose loop the caller runs; None elsewhere, in other threads too."""
    return getattr(asyncio._get_running_loop(), "world", None)


class _State:
    """What holds in this process (there is one interpreter, and its hooks can't be taken away)."""

    hooked: ClassVar[bool] = False


@contextmanager
def closed(world: Ground) -> Iterator[None]:
    """The borders of this world, meanwhile."""
    if not _State.hooked:
        _State.hooked = True
        sys.addaudithook(_audit)
    with ExitStack() as stack:
        pairs = []
        for owner, name, mine in _replacements(world):
            real = getattr(owner, name)
            stack.callback(setattr, owner, name, real)
            setattr(owner, name, mine)
            if isinstance(owner, ModuleType):
                pairs.append((real, mine))
        stack.enter_context(exchanged(pairs))
        chance = random.getstate()
        stack.callback(random.setstate, chance)
        random.setstate(world.chance)
        yield
        world.chance = random.getstate()


def _audit(event: str, arguments: tuple[Any, ...]) -> None:
    found = _OUTSIDE.get(event)
    if event == "import" and (arguments[0] in _IN_C or arguments[0] in _PACKAGES_IN_C):  # once there, it is not noticed
        found = (arguments[0], f"{_IN_C_ALONE}; what only imports it may do so before the loop runs")
    if found is None or Opening.count or world_of_caller() is None:
        return
    raise Escaped(*found)


def _replacements(world: Ground) -> Iterator[tuple[Any, str, Any]]:
    """(module, name, what stands there while the world's loop runs)."""
    yield socket, "socket", gate_of(socket.socket, _make)
    yield socket, "getaddrinfo", _within(socket.getaddrinfo, lambda w: w.names.getaddrinfo)
    yield socket, "gethostbyname", _within(socket.gethostbyname, lambda w: w.names.gethostbyname)
    yield socket, "gethostname", _within(socket.gethostname, lambda w: lambda: w.process.name)
    # Else what C has made of it by then would be left open.
    refused = partial(_refusing, "a socketpair, which is the kernel's,", _MAKE_A_CONNECTION)
    yield socket, "socketpair", _within(socket.socketpair, refused)
    yield socket, "gethostbyname_ex", _within(socket.gethostbyname_ex, lambda w: w.names.gethostbyname_ex)
    yield socket, "gethostbyaddr", _within(socket.gethostbyaddr, lambda w: w.names.gethostbyaddr)
    yield socket, "getnameinfo", _within(socket.getnameinfo, lambda w: w.names.look_back)
    yield socket, "getservbyname", _within(socket.getservbyname, lambda w: services.getservbyname)
    yield socket, "getservbyport", _within(socket.getservbyport, lambda w: services.getservbyport)
    for module, name, chosen in tuple(clocks()):  # which stand on each other, so all of them are the real ones
        yield module, name, _within(getattr(module, name), chosen)
    yield time, "sleep", _sleeping(time.sleep)
    # By which Event, Semaphore, Barrier, queue.Queue and concurrent.futures.Future wait.
    yield threading.Condition, "wait", _waiting(threading.Condition.wait)
    for name in _THREAD_STARTS:
        if hasattr(threading, name):
            yield (
                threading,
                name,
                _within(getattr(threading, name), partial(_refusing, *_OUTSIDE["_thread.start_new_thread"])),
            )
    yield signal, "signal", _within(signal.signal, lambda w: partial(signals.set_handler, w.process))
    yield signal, "getsignal", _within(signal.getsignal, lambda w: partial(signals.get_handler, w.process))
    yield signal, "raise_signal", _within(signal.raise_signal, lambda w: partial(signals.raise_signal, w))
    for place, name in _IN_C.items():
        if (found := getattr(sys.modules.get(place), name, None)) is not None:
            yield found, "__init__", _within(found.__init__, partial(_refusing, place, _IN_C_ALONE))
    # multiprocessing begins a process by this, of which an audit hook is not told.
    if (found := sys.modules.get("_posixsubprocess")) is not None:
        yield found, "fork_exec", _within(found.fork_exec, partial(_refusing, "a process", _MAKE_A_HOST))
    # uuid, secrets and random.SystemRandom ask it, by whatever name.
    yield os, "urandom", _within(os.urandom, lambda w: w.secrets.randbytes)
    if hasattr(os, "getrandom"):
        yield os, "getrandom", _within(os.getrandom, lambda w: lambda size, flags=0: w.secrets.randbytes(size))
    # Who makes a generator of his own, or a new beginning, without a seed: C would ask the machine for one.
    yield random.Random, "seed", _seeding(random.Random.seed)
    yield random, "seed", random._inst.seed


# Python 3.11 tells an audit hook of no threads.
_THREAD_STARTS = ("_start_new_thread", "_start_joinable_thread")


def _within(real: Callable[..., Any], chosen: Callable[[Ground], Callable[..., Any]]) -> Callable[..., Any]:
    """A function that for callers within the world does what is `chosen`, for others the real thing."""

    def either(*arguments: Any, **more: Any) -> Any:
        world = world_of_caller()
        return real(*arguments, **more) if world is None or Opening.count else chosen(world)(*arguments, **more)

    return either


def _sleeping(real: Callable[[float], None]) -> Callable[[float], None]:
    def sleep(seconds: float, /) -> None:
        world = world_of_caller()
        if world is None:
            real(seconds)
        elif world.sleeps:
            world.sleeps[-1].seconds += max(seconds, 0)
        else:
            raise Escaped(*_OUTSIDE["time.sleep"])

    return sleep


def _waiting(real: Callable[..., bool]) -> Callable[..., bool]:
    def wait(self: threading.Condition, timeout: float | None = None) -> bool:
        if (timeout is not None and timeout <= 0) or Opening.count or world_of_caller() is None:
            return real(self, timeout)
        raise Escaped(_A_WAIT, _AWAIT, "stop the loop")

    return wait


def _seeding(real: Callable[..., None]) -> Callable[..., None]:
    def seed(self: random.Random, a: Any = None, version: int = 2) -> None:
        world = world_of_caller()
        inside = a is None and world is not None and not Opening.count
        real(self, world.secrets.getrandbits(256) if inside else a, version)  # type: ignore[union-attr]

    return seed


def _refusing(what: str, instead: str, world: Ground) -> Callable[..., Any]:
    def refuse(*arguments: Any, **more: Any) -> Any:
        raise Escaped(what, instead)

    return refuse


def _make(real: Any, family: int, type: int, proto: int, fileno: int | None) -> Any:
    """`socket.socket(...)`, for who calls it within a world or elsewhere."""
    world = world_of_caller()
    if world is None or Opening.count:
        return None
    family = socket.AF_INET if family == -1 else family
    kind = socket.SOCK_STREAM if type == -1 else type & ~(socket.SOCK_NONBLOCK | socket.SOCK_CLOEXEC)
    if fileno is not None:
        raise Escaped(f"a socket made of file descriptor {fileno}", _MAKE_A_SOCKET)
    if family not in (socket.AF_INET, socket.AF_INET6) or kind != socket.SOCK_STREAM:
        raise Escaped(f"a socket of {_named(family)}, {_named_kind(kind)}", "the hosts of a world speak TCP alone")
    made = world.process.socket(family)
    made.settimeout(0 if type != -1 and type & socket.SOCK_NONBLOCK else socket.getdefaulttimeout())
    return made


def _named(family: int) -> str:
    return getattr(socket.AddressFamily(family), "name", str(family)) if family in _FAMILIES else f"family {family}"


def _named_kind(kind: int) -> str:
    return socket.SocketKind(kind).name if kind in _KINDS else f"type {kind}"


_FAMILIES = frozenset(int(one) for one in socket.AddressFamily)
_KINDS = frozenset(int(one) for one in socket.SocketKind)
