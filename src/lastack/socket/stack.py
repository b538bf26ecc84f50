"""One host, as the blocking sockets of a program see it, and which of them a program uses."""

from __future__ import annotations

import errno
import os
import socket
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from threading import Lock
from typing import Any

from lastack.aio.names import Names
from lastack.device.driver import Driver
from lastack.device.tun import Tun
from lastack.host.host import Host
from lastack.host.sockets import Socket
from lastack.link.pipeline import Pipeline
from lastack.socket.background import Background, InProcess, OverDevice
from lastack.socket.ear import Ear, tell
from lastack.tcp.config import DEFAULT, Config

LOOPBACK = ("127.0.0.1/8", "::1/128")
# Urgent data is out of band unless a program asks otherwise (socket(7), SO_OOBINLINE): programs count on it.
CONFIG = DEFAULT.having(oob_inline=False)
# As the kernel's loopback has it, as far as IPv4 lets it.
_LOOPBACK_MTU = 65_535

_getaddrinfo = socket.getaddrinfo


class Stack:
    """One host in the background. Leaving its `with`, or `close`, closes every socket of it and ends its thread.

    `names` are those that it knows besides the machine's.
    """

    def __init__(self, background: Background, host: Host, names: Names) -> None:
        self.background = background
        self.names = names
        self._host = host
        self._ears: dict[int, Ear] = {}
        self._next = 0
        background.stacks.append(self)

    def close(self) -> None:
        """Close all sockets, let connections end in good order (two seconds at most), and end the thread."""
        self.background.close()

    def __enter__(self) -> Stack:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    @property
    def lock(self) -> Any:
        """Who calls the host holds it."""
        return self.background.lock

    # --- what sockets stand on ---

    @property
    def host(self) -> Host:
        """The host. OSError ENETDOWN where nobody drives it any more."""
        self.check()
        return self._host

    def check(self) -> None:
        """OSError ENETDOWN where nobody drives the host any more."""
        if self.background.over:
            raise OSError(errno.ENETDOWN, self.background.over)

    def now(self) -> int:
        """The host's time."""
        return self.background.now()

    def touched(self) -> None:
        """What is to be sent is sent at once."""
        self.background.touched()

    def entered(self, owner: Any, inner: Socket) -> int:
        """A socket came into being."""
        number = self._next
        self._next += 1
        owner.ear = inner.user = self._ears[number] = Ear(inner, self.lock)
        return number

    def left(self, number: int) -> None:
        """A socket is gone."""
        ear = self._ears.pop(number, None)
        if ear is not None:
            ear.close()

    def routes(self, address: str) -> bool:
        """Everything goes by this host."""
        return True

    def resolve(self, name: str, family: int) -> str:
        """A name where an address belongs. Raises socket.gaierror."""
        return str(self.getaddrinfo(name, None, family, socket.SOCK_STREAM)[0][4][0])

    def wait(self, owner: Any, events: int, timeout: float | None) -> None:
        """Block the calling thread, which holds the lock, and gives it back meanwhile."""
        self.check()
        if not owner.ear.wait(events, timeout):
            raise TimeoutError("timed out")
        self.check()

    def getaddrinfo(
        self, host: Any, port: Any, family: int = 0, type: int = 0, proto: int = 0, flags: int = 0
    ) -> list[Any]:
        """As socket.getaddrinfo: by our own names, else as the machine does. Raises socket.gaierror."""
        own = host is None or (isinstance(host, str) and self.names.addresses(host))
        return (self.names.look_up if own else _getaddrinfo)(host, port, family, type, proto, flags)

    def name_of(self, address: str) -> str | None:
        """What an address of its own is called; None for others."""
        return self.names.name_of(address)

    # --- its end ---

    def bury(self, number: int) -> None:
        """Close a socket that nobody has any more."""
        ear = self._ears.get(number)
        if ear is not None:
            ear.inner.close(self.now())
            ear.inner.user = None
            self.left(number)

    def end(self) -> None:
        """Close every socket, as the end of a process does."""
        for number in tuple(self._ears):
            self.bury(number)

    def tell(self) -> None:
        """Nothing will ever come: who waits need not."""
        for ear in self._ears.values():
            ear.tell()


def open_device(
    device: Tun | str,
    addresses: str | Sequence[str],
    *,
    config: Config = CONFIG,
    mtu: int = 1500,
    incoming: Pipeline | None = None,
    outgoing: Pipeline | None = None,
    spin: int = 0,
) -> Stack:
    """A host over a device: a Tun, or the name of one, which is opened or made; it is closed with the stack.

    `addresses` are the host's, with prefix lengths ("10.9.0.7/24"); it has 127.0.0.1 and ::1 for itself as well.
    `incoming` and `outgoing` hold rules of `lastack.link`, `spin` is as for `Driver`. Raises DeviceError, WireError and
    ValueError for what cannot be opened.
    """
    texts = (addresses,) if isinstance(addresses, str) else tuple(addresses)
    tun = Tun.open(device) if isinstance(device, str) else device
    whole = (*texts, *LOOPBACK)
    try:
        host = Host(whole, config, secret=os.urandom(16), mtu=mtu, gso=tun.gso, checksum_offload=tun.offload)
    except BaseException:
        if tun is not device:
            tun.close()
        raise
    background = OverDevice(tun)
    background.drive(
        Driver(host, tun, on_ready=tell, incoming=incoming, outgoing=outgoing, spin=spin, poller=background.poller)
    )
    stack = Stack(background, host, Names())
    background.start()
    return stack


def open_host(config: Config = CONFIG) -> Stack:
    """A host of this process with nobody to talk to but itself, at 127.0.0.1 and ::1."""
    background = InProcess()
    host = background.sim.host("localhost", LOOPBACK, config, mtu=_LOOPBACK_MTU)
    background.sim.nodes["localhost"].on_ready = tell
    stack = Stack(background, host, Names())
    background.start()
    return stack


# --- which one a program uses ---

_MINE: ContextVar[Stack | None] = ContextVar("lastack stack", default=None)
_IN_USE: list[Stack] = []
_MAKING = Lock()


@contextmanager
def use(stack: Stack) -> Iterator[Stack]:
    """Meanwhile `socket()` and its like are of this stack: in this thread, and in all that have chosen none.
    TypeError for what is no stack."""
    if not isinstance(stack, Stack):
        two = ": a pair has two, pair.client and pair.server" if hasattr(stack, "client") else ""
        raise TypeError(f"a stack is used, not {stack!r}{two}")
    token = _MINE.set(stack)
    _IN_USE.append(stack)
    try:
        yield stack
    finally:
        _IN_USE.remove(stack)
        _MINE.reset(token)


def current() -> Stack:
    """The stack in use; where none is, a host of this process, made when it is first asked for."""
    stack = _MINE.get()
    if stack is None and _IN_USE:
        stack = _IN_USE[-1]
    return stack if stack is not None else _own()


class _Own:
    stack: Stack | None = None


def _own() -> Stack:
    with _MAKING:
        if _Own.stack is None or _Own.stack.background.over:
            _Own.stack = open_host()
        return _Own.stack
