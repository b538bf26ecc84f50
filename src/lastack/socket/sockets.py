"""The sockets of this room: a host's, called under the lock of who drives it."""

from __future__ import annotations

import errno
import os
import socket as kernel
import warnings
from collections.abc import Callable
from functools import wraps
from typing import Any, TypeVar

from lastack.aio.sockets import HostSocket
from lastack.host.sockets import Socket
from lastack.socket.ear import Ear
from lastack.socket.stack import Stack, current

_C = TypeVar("_C", bound=Callable[..., Any])

_FLAGS = getattr(kernel, "SOCK_NONBLOCK", 0) | getattr(kernel, "SOCK_CLOEXEC", 0)


def _locked(method: _C) -> _C:
    """The method, called by who holds the lock; whoever waits for the socket is told what it did to it."""

    @wraps(method)
    def call(self: Any, *arguments: Any) -> Any:
        with self._stack.lock:
            if self._number == -1:
                raise OSError(errno.EBADF, os.strerror(errno.EBADF))
            self._stack.check()
            try:
                return method(self, *arguments)
            finally:
                self.ear.look()

    return call  # type: ignore[return-value]


class socket(HostSocket):
    """As socket.socket, for TCP over IPv4 and IPv6, on the stack that is in use (see `use`).

    Its errors are the kernel's. OSError EPROTONOSUPPORT and its like for what a stack does not know.
    """

    __slots__ = ("ear",)

    ear: Ear
    _stack: Stack

    def __init__(self, family: int = -1, type: int = -1, proto: int = -1, fileno: int | None = None) -> None:
        self._number = -1
        if fileno is not None:
            raise OSError(errno.EOPNOTSUPP, f"file descriptor {fileno} is the kernel's: no socket of a stack has one")
        kind = kernel.SOCK_STREAM if type == -1 else type & ~_FLAGS
        if kind != kernel.SOCK_STREAM or proto not in (-1, 0, kernel.IPPROTO_TCP):
            raise OSError(errno.EPROTONOSUPPORT, "a stack speaks TCP alone: SOCK_STREAM")
        self._begin(current(), kernel.AF_INET if family == -1 else family, None)
        if type != -1 and type & _FLAGS & getattr(kernel, "SOCK_NONBLOCK", 0):
            self.setblocking(False)

    def _begin(self, stack: Stack, family: int, inner: Socket | None) -> None:
        with stack.lock:
            HostSocket.__init__(self, stack, family, inner)
        self.settimeout(kernel.getdefaulttimeout())

    @classmethod
    def of(cls, stack: Stack, family: int = kernel.AF_INET, inner: Socket | None = None) -> socket:
        """A socket of this stack, whichever is in use."""
        made = socket.__new__(socket)
        made._number = -1
        made._begin(stack, family, inner)
        return made

    def _face(self, inner: Socket) -> socket:
        return socket.of(self._stack, self._family, inner)

    def __repr__(self) -> str:
        """As that of socket.socket, with the state in place of the file descriptor.

        Without the lock, which the garbage collection could ask for (see `__del__`) while its thread holds another's.
        """
        if self._number == -1:
            return "<lastack.socket.socket [closed]>"
        text = f"<lastack.socket.socket {self.state.name}, family={int(self._family)}"
        for name, ask in (("laddr", HostSocket.getsockname), ("raddr", HostSocket.getpeername)):
            try:
                text += f", {name}={ask(self)}"
            except OSError:
                continue
        return text + ">"

    def __del__(self) -> None:
        number = getattr(self, "_number", -1)
        if number != -1 and not self._stack.background.over:
            try:
                warnings.warn(f"unclosed {self!r}", ResourceWarning, source=self, stacklevel=2)
            finally:
                self._number = -1
                self._stack.background.abandon(self._stack, number)

    def fileno(self) -> int:
        """A file descriptor for select, poll and epoll, which find it ready when the socket is; -1 once that is closed.

        It is good for nothing else: what is read from it or written to it is not the connection's.
        """
        with self._stack.lock:
            return -1 if self._number == -1 else self.ear.fileno()

    listen = _locked(HostSocket.listen)
    accept = _locked(HostSocket.accept)
    recv = _locked(HostSocket.recv)
    send = _locked(HostSocket.send)
    sendall = _locked(HostSocket.sendall)
    sendto = _locked(HostSocket.sendto)
    shutdown = _locked(HostSocket.shutdown)
    getsockname = _locked(HostSocket.getsockname)
    getpeername = _locked(HostSocket.getpeername)
    setsockopt = _locked(HostSocket.setsockopt)
    getsockopt = _locked(HostSocket.getsockopt)
    _bind = _locked(HostSocket.bind)
    _connect = _locked(HostSocket.connect)

    def bind(self, address: Any) -> None:
        """As socket.bind."""
        self._bind(self._looked_up(address))

    def connect(self, address: Any) -> None:
        """As socket.connect."""
        self._connect(self._looked_up(address))

    def _real_close(self, _ss: Any = None) -> None:
        with self._stack.lock:
            super()._real_close()

    def detach(self) -> int:
        """OSError EOPNOTSUPP: there is no file descriptor that could live on."""
        if self._number != -1:
            # ssl.SSLContext.wrap_socket comes here with the number that `fileno` gave, and closes that in the end.
            with self._stack.lock:
                self.ear.give()
        raise OSError(
            errno.EOPNOTSUPP,
            "no file descriptor stands for this connection. TLS goes over it with "
            "`context.sslsocket_class = lastack.socket.SSLSocket`, set before wrap_socket",
        )

    def _looked_up(self, address: Any) -> Any:
        """The address with its name looked up, which may take a while: not under the lock."""
        if isinstance(address, tuple) and len(address) >= 2 and isinstance(address[0], str) and address[0]:
            return (self._stack.resolve(address[0], self._family), *address[1:])
        return address
