"""Sockets as Python's own module has them, over a host's: what asyncio and libraries hold, and call.

They are `socket.socket` to whoever asks, so that no library need know them; but there is no file descriptor behind
them, and `fileno` gives a number that only our own selectors know.
"""

from __future__ import annotations

import errno
import os
import socket
import warnings
from collections.abc import Iterable
from typing import Any, cast

from lastack.aio.buffers import kept, room
from lastack.aio.option_values import given, shown
from lastack.aio.stack import READ, WRITE, Stack, events_of
from lastack.host.sockets import Socket
from lastack.tcp.states import State
from lastack.wire.packet import Buffer

# The numbers of sockets begin where no file descriptor gets to (the kernel's most is 2**30, fs.nr_open).
FIRST_NUMBER = 1 << 30

Address = tuple[Any, ...]


class HostSocket(socket.socket):
    """One stream socket of a host. Its errors are those of the kernel's sockets.

    A blocking call (`settimeout` other than 0) waits by the stack's `wait`, which an event loop refuses.
    """

    # `_asked` is for a subclass: the options that were set before there was a host's socket.
    __slots__ = ("_asked", "_family", "_inner", "_number", "_stack", "_timeout")

    def __init__(self, stack: Stack, family: int = socket.AF_INET, inner: Socket | None = None) -> None:
        """A new socket, or the face of `inner`. OSError EAFNOSUPPORT for what is neither IPv4 nor IPv6."""
        if family not in (socket.AF_INET, socket.AF_INET6):
            raise OSError(errno.EAFNOSUPPORT, os.strerror(errno.EAFNOSUPPORT))
        # socket.socket's own constructor, which opens a file descriptor, is left out; its closing needs these two.
        self._io_refs = 0
        self._closed = False
        self._stack = stack
        self._family = socket.AddressFamily(family)
        self._timeout: float | None = None
        self._inner = inner if inner is not None else stack.host.socket(4 if family == socket.AF_INET else 6)
        self._number = stack.entered(self, self._inner)

    # --- what it is ---

    family = property(lambda self: self._family)
    type = property(lambda self: socket.SOCK_STREAM)
    proto = property(lambda self: socket.IPPROTO_TCP)
    timeout = property(lambda self: self._timeout)

    @property
    def inner(self) -> Socket:
        """The host's socket."""
        return self._inner

    @property
    def stack(self) -> Stack:
        """What it stands on."""
        return self._stack

    @property
    def state(self) -> State:
        """The state of the connection, or of the listener."""
        return self._inner.state

    def fileno(self) -> int:
        """Its number; -1 once it is closed."""
        return self._number

    def events(self, wanted: int = READ | WRITE) -> int:
        """Which of READ and WRITE there are, as a selector over epoll would tell them."""
        return events_of(self._inner, wanted)

    # --- opening ---

    def bind(self, address: Any) -> None:
        """As socket.bind; a name in place of an address is looked up."""
        self._inner.bind(self._given(address))

    def listen(self, backlog: int = 128, /) -> None:
        """As socket.listen."""
        self._inner.listen(self._stack.now(), backlog)
        self._stack.touched()

    def accept(self) -> tuple[HostSocket, Address]:
        """As socket.accept."""
        end = None
        while True:
            try:
                inner, peer = self._inner.accept(self._stack.now())
            except BlockingIOError:
                end = self._wait(READ, 0, end)
            else:
                self._stack.touched()
                return self._face(inner), self._shown(peer)

    def connect(self, address: Any) -> None:
        """As socket.connect."""
        found = self._given(address)
        try:
            self._inner.connect(self._stack.now(), found)
        except BlockingIOError:
            self._stack.touched()
            if self._timeout == 0:
                raise
            self._wait(WRITE)
            self._opened(found)
        self._stack.touched()

    def connect_ex(self, address: Any) -> int:
        """As socket.connect_ex: the number of the error, 0 where there is none."""
        try:
            self.connect(address)
        except socket.gaierror:
            raise
        except OSError as error:
            return error.errno or errno.EAGAIN  # a TimeoutError has none
        return 0

    # --- data ---

    def recv(self, size: int, flags: int = 0, /) -> bytes:
        """As socket.recv. Only who waits for ever is given all by MSG_WAITALL, as with Python's own sockets."""
        if size < 0:
            raise ValueError("negative buffersize in recv")
        end = None
        while True:
            try:
                data = self._inner.recv(self._stack.now(), size, flags & ~_WAITALL)
            except BlockingIOError:
                if flags & socket.MSG_OOB:
                    raise  # nobody waits for urgent data
                end = self._wait(READ, flags, end)
                continue
            self._stack.touched()
            if flags & _WAITALL and self._timeout is None and data:
                return self._whole(data, size, flags & ~_WAITALL)
            return data

    def recv_into(self, buffer: Any, size: int = 0, flags: int = 0) -> int:
        """As socket.recv_into."""
        view = room(buffer, size)
        data = self.recv(len(view), flags)
        view[: len(data)] = data
        return len(data)

    def recvfrom(self, size: int, flags: int = 0, /) -> tuple[bytes, Any]:
        """As socket.recvfrom of a stream, which does not say from whom."""
        return self.recv(size, flags), None

    def recvfrom_into(self, buffer: Any, size: int = 0, flags: int = 0) -> tuple[int, Any]:
        """As socket.recvfrom_into of a stream."""
        return self.recv_into(buffer, size, flags), None

    def recvmsg(self, size: int, ancillary: int = 0, flags: int = 0, /) -> tuple[bytes, list[Any], int, Any]:
        """As socket.recvmsg; there is no ancillary data."""
        return self.recv(size, flags), [], 0, None

    def recvmsg_into(
        self, buffers: Iterable[Any], ancillary: int = 0, flags: int = 0, /
    ) -> tuple[int, list[Any], int, Any]:
        """As socket.recvmsg_into; there is no ancillary data."""
        views = [room(buffer, 0) for buffer in buffers]
        data = memoryview(self.recv(sum(map(len, views)), flags))
        size = len(data)
        for view in views:
            view[: len(data)] = data[: len(view)]
            data = data[len(view) :]
        return size, [], 0, None

    def send(self, data: Any, flags: int = 0, /) -> int:
        """As socket.send. Who waits for ever has all of it sent, as with Python's own sockets."""
        whole, end = kept(data), None
        while True:
            try:
                sent = self._inner.send(self._stack.now(), whole, flags)
            except BlockingIOError:
                end = self._wait(WRITE, flags, end)
                continue
            self._stack.touched()
            return sent if self._timeout is not None else self._rest(whole, sent, flags)

    def sendall(self, data: Any, flags: int = 0, /) -> None:
        """As socket.sendall: the time-out is for all of it."""
        view, end = memoryview(kept(data)).cast("B"), None
        while view:
            try:
                view = view[self._inner.send(self._stack.now(), view, flags) :]
            except BlockingIOError:
                end = self._wait(WRITE, flags, end)
            else:
                self._stack.touched()

    def sendto(self, data: Any, *arguments: Any) -> int:
        """As socket.sendto: (data, address) or (data, flags, address)."""
        flags, address = arguments if len(arguments) == 2 else (0, *arguments)
        to = self._given(address) if address is not None else None
        try:
            return self._inner.sendto(self._stack.now(), kept(data), flags, to)
        finally:
            self._stack.touched()  # also where it says that it has begun to connect

    def sendmsg(
        self, buffers: Iterable[Any], ancillary: Iterable[Any] = (), flags: int = 0, address: Any = None, /
    ) -> int:
        """As socket.sendmsg. OSError EINVAL for ancillary data."""
        if list(ancillary):
            raise OSError(errno.EINVAL, "no ancillary data is sent here")
        data = b"".join(bytes(buffer) for buffer in buffers)
        return self.send(data, flags) if address is None else self.sendto(data, flags, address)

    def sendfile(self, file: Any, offset: int = 0, count: int | None = None) -> int:
        """As socket.sendfile: the file is read and sent."""
        return cast(int, self._sendfile_use_send(file, offset, count))  # type: ignore[attr-defined]

    # --- names ---

    def getsockname(self) -> Address:
        """As socket.getsockname."""
        return self._shown(self._inner.getsockname())

    def getpeername(self) -> Address:
        """As socket.getpeername."""
        if self._inner.state in _NOT_CONNECTED:
            raise OSError(errno.ENOTCONN, os.strerror(errno.ENOTCONN))
        return self._shown(self._inner.getpeername())

    # --- options ---

    def setsockopt(self, level: int, option: int, value: Any, length: int = 0, /) -> None:
        """As socket.setsockopt: numbers, or bytes as the kernel takes them."""
        self._inner.setsockopt(level, option, given(level, option, value))
        self._stack.touched()

    def getsockopt(self, level: int, option: int, length: int = 0, /) -> Any:
        """As socket.getsockopt: a number, or with `length` bytes as the kernel gives them."""
        return shown(level, option, self._inner.getsockopt(level, option), length)

    def setblocking(self, flag: bool, /) -> None:
        """As socket.setblocking."""
        self._timeout = None if flag else 0.0

    def settimeout(self, value: float | None, /) -> None:
        """As socket.settimeout."""
        if value is not None and value < 0:
            raise ValueError("Timeout value out of range")
        self._timeout = None if value is None else float(value)

    def gettimeout(self) -> float | None:
        """As socket.gettimeout."""
        return self._timeout

    def getblocking(self) -> bool:
        """As socket.getblocking."""
        return self._timeout != 0

    def get_inheritable(self) -> bool:
        """Never: there is nothing to inherit."""
        return False

    def set_inheritable(self, inheritable: bool) -> None:
        """OSError EINVAL where it is to be inherited: no other process can have it."""
        if inheritable:
            raise OSError(errno.EINVAL, "a socket of this host cannot be inherited by a process")

    # --- the end ---

    def shutdown(self, how: int, /) -> None:
        """As socket.shutdown."""
        self._inner.shutdown(self._stack.now(), how)
        self._stack.touched()

    def detach(self) -> int:
        """OSError EOPNOTSUPP: there is no file descriptor that could live on."""
        raise OSError(errno.EOPNOTSUPP, "a socket of this host has no file descriptor to give away")

    def dup(self) -> HostSocket:
        """OSError EOPNOTSUPP: there is no file descriptor to double."""
        raise OSError(errno.EOPNOTSUPP, "a socket of this host has no file descriptor to double")

    def _real_close(self, _ss: Any = None) -> None:
        """What socket.close() comes to, once no file made of the socket is open (see `makefile`)."""
        if self._number != -1:
            self._inner.close(self._stack.now())
            self._stack.touched()
            self.forsake()

    def close_now(self) -> None:
        """Close it, whatever files were made of it."""
        self._closed = True
        self._real_close()

    def forsake(self) -> None:
        """Let go of the host's socket as it is."""
        number, self._number = self._number, -1
        self._inner.user = None
        self._stack.left(number)

    def __del__(self) -> None:
        """As Python's: whoever drops an open socket is warned, and it is closed."""
        if getattr(self, "_number", -1) != -1:
            try:
                warnings.warn(f"unclosed {self!r}", ResourceWarning, source=self, stacklevel=2)
            finally:
                self._real_close()

    # --- inside ---

    def _wait(self, events: int, flags: int = 0, end: int | None = None) -> int | None:
        """Wait as long as the socket is patient: until `end`, which is returned and None at first. BlockingIOError
        where it is not patient at all."""
        self._stack.touched()
        if self._timeout == 0 or flags & _DONTWAIT:
            raise BlockingIOError(errno.EAGAIN, os.strerror(errno.EAGAIN))
        if self._timeout is None:
            self._stack.wait(self, events, None)
            return None
        now = self._stack.now()
        if end is None:
            end = now + int(self._timeout * 1_000_000)
        self._stack.wait(self, events, max(end - now, 0) / 1_000_000)
        return end

    def _face(self, inner: Socket) -> HostSocket:
        """What accept() gives for a host's socket."""
        return type(self)(self._stack, self._family, inner)

    def _opened(self, address: tuple[str, int]) -> None:
        """How the opening ended: asked by connect() itself, or by SO_ERROR, as Python does with a time-out."""
        if self._timeout is None:
            self._inner.connect(self._stack.now(), address)
        elif number := self.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR):
            raise OSError(number, os.strerror(number))

    def _whole(self, data: bytes, size: int, flags: int) -> bytes:
        """All that MSG_WAITALL asks for, or what there was before the end; a later call tells of an error."""
        parts, left = [data], size - len(data)
        while left and data and not flags & (socket.MSG_PEEK | socket.MSG_DONTWAIT):
            try:
                data = self._inner.recv(self._stack.now(), left, flags)
            except BlockingIOError:
                self._wait(READ)
                continue
            except OSError as error:
                self._inner.error = error.errno or 0
                break
            self._stack.touched()
            parts.append(data)
            left -= len(data)
        return b"".join(parts)

    def _rest(self, data: Buffer, sent: int, flags: int) -> int:
        """Send the rest of what was sent in part; how much was sent in all. A later call tells of an error."""
        view = memoryview(data).cast("B")
        while sent < len(view) and not flags & socket.MSG_DONTWAIT:
            try:
                sent += self._inner.send(self._stack.now(), view[sent:], flags)
            except BlockingIOError:
                self._wait(WRITE)
                continue
            except BrokenPipeError:
                break
            except OSError as error:
                self._inner.error = error.errno or 0
                break
            self._stack.touched()
        return sent

    def _given(self, address: Any) -> tuple[str, int]:
        """(address as text, port) of what a caller gives."""
        if not isinstance(address, tuple) or len(address) < 2:
            raise TypeError(f"an address is (host, port), not {address!r}")
        name, port = address[:2]
        if not isinstance(name, str) or not isinstance(port, int):
            raise TypeError(f"an address is (host, port), not {address!r}")
        if not 0 <= port <= 0xFFFF:
            raise OverflowError(f"port must be 0-65535, not {port}")
        return (self._stack.resolve(name, self._family) if name else name), port

    def _shown(self, address: tuple[str, int]) -> Address:
        return address if self._family == socket.AF_INET else (*address, 0, 0)


# An operation on a flag of an enumeration takes 0.5 us.
_WAITALL, _DONTWAIT = int(socket.MSG_WAITALL), int(socket.MSG_DONTWAIT)
_NOT_CONNECTED = frozenset({State.CLOSED, State.LISTEN, State.SYN_SENT})
