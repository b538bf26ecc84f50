"""Sockets that are the host's or the kernel's, which is known when they are bound or connected.

A library makes a socket first, and tells an address later. So a socket begins as the kernel's, remembers what options
it was given, and becomes a host's where the address is the host's or reached by it.
"""

from __future__ import annotations

import errno
import socket
from collections.abc import Callable
from inspect import getattr_static
from typing import Any, Protocol

from lastack.aio.sockets import HostSocket
from lastack.aio.stack import Stack

_ANY = frozenset({"", "0.0.0.0", "::"})


class DividedStack(Stack, Protocol):
    """One beside the kernel's."""

    def moving(self, number: int) -> Callable[[int], None]:
        """A socket gives up its file descriptor: what is to be called with the number that it has thereafter, so that
        who waits for it in the loop goes on to."""


class KernelSocket(HostSocket):
    """One that has become the kernel's: every method is `socket.socket`'s again."""

    __slots__ = ()


for _name in vars(HostSocket):
    if _name not in ("__init__", "__slots__", "__module__", "__doc__", "__qualname__") and hasattr(
        socket.socket, _name
    ):
        setattr(KernelSocket, _name, getattr_static(socket.socket, _name))


class Undecided(KernelSocket):
    """One that is the kernel's until it is known better."""

    __slots__ = ()

    _stack: DividedStack

    def __init__(self, stack: DividedStack, family: int, type: int, proto: int) -> None:
        """As socket.socket(...) of a stream."""
        socket.socket.__init__(self, family, type, proto)
        self._asked: list[tuple[Any, ...]] = []
        self._stack = stack

    def setsockopt(self, *arguments: Any) -> None:
        """As socket.setsockopt; known to the host's socket too, where it becomes one."""
        super().setsockopt(*arguments)
        self._asked.append(arguments)

    def bind(self, address: Any) -> None:
        """As socket.bind. Every address ("", "0.0.0.0", "::") means those of the host."""
        self.decide(address, here=True)
        self.bind(address)

    def listen(self, *arguments: Any) -> None:
        """As socket.listen; without a bind before it is the host's."""
        self._to_host()
        self.listen(*arguments)

    def connect(self, address: Any) -> None:
        """As socket.connect."""
        self.decide(address)
        self.connect(address)

    def connect_ex(self, address: Any) -> int:
        """As socket.connect_ex."""
        self.decide(address)
        return self.connect_ex(address)

    def decide(self, address: Any, *, here: bool = False) -> None:
        """Become what the address asks for: one of the host where it is routed to it, or with `here` means the host
        itself. A name is not looked up: it is the kernel's."""
        text = address[0]
        if self._stack.routes(text) or (here and text in _ANY):
            self._to_host()
        else:
            self.__class__ = KernelSocket  # type: ignore[assignment]

    def _to_host(self) -> None:
        family, timeout, asked, stack = self.family, self.gettimeout(), self._asked, self._stack
        moved = stack.moving(self.fileno())
        socket.socket._real_close(self)  # type: ignore[attr-defined]
        self.__class__ = HostSocket  # type: ignore[assignment]
        HostSocket.__init__(self, stack, family)
        moved(self.fileno())
        self.settimeout(timeout)
        for arguments in asked:
            try:
                HostSocket.setsockopt(self, *arguments)
            except OSError as error:
                if error.errno != errno.ENOPROTOOPT:  # the kernel knows more options, and has taken this one
                    raise
