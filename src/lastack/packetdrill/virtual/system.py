"""The system calls of a virtual machine, over the sockets of its host: what blocks there waits in virtual time."""

from __future__ import annotations

import errno
import os
from collections.abc import Sequence
from typing import Protocol

from lastack.host import options as o
from lastack.host.host import Host
from lastack.packetdrill.errors import Unsupported
from lastack.packetdrill.machine import Address, Doing, File, Received, Value
from lastack.packetdrill.symbols import CONSTANTS
from lastack.packetdrill.virtual import options as virtual_options
from lastack.packetdrill.virtual import sending as virtual_sending
from lastack.packetdrill.virtual.configuring import SystemWide
from lastack.packetdrill.virtual.epoll import EpollFile
from lastack.packetdrill.virtual.files import SocketFile
from lastack.tcp.config import MILLISECOND, SECOND
from lastack.tcp.states import State

_VERSIONS = {CONSTANTS["AF_INET"]: 4, CONSTANTS["AF_INET6"]: 6}
_NONBLOCK = CONSTANTS["SOCK_NONBLOCK"]
_FLAGS = _NONBLOCK | CONSTANTS["SOCK_CLOEXEC"]
_WAITALL, _ERRQUEUE, _FIN = CONSTANTS["MSG_WAITALL"], CONSTANTS["MSG_ERRQUEUE"], CONSTANTS["MSG_FIN"]
_CLOSING = frozenset({State.FIN_WAIT_1, State.CLOSING, State.LAST_ACK})
_INQ = (CONSTANTS["SOL_TCP"], CONSTANTS["TCP_CM_INQ"])


class Stack(virtual_sending.Clock, Protocol):
    """What of a virtual machine its system calls need."""

    @property
    def host(self) -> Host:
        """The host whose sockets they are."""


def _error(number: int) -> OSError:
    return OSError(number, os.strerror(number))


def _would_block() -> OSError:
    return BlockingIOError(errno.EAGAIN, os.strerror(errno.EAGAIN))


def _socket_of(file: File) -> SocketFile:
    if not isinstance(file, SocketFile):
        raise _error(errno.ENOTSOCK)
    if file.closed:
        raise _error(errno.EBADF)
    return file


def _epoll_of(file: File) -> EpollFile:
    if not isinstance(file, EpollFile):
        raise _error(errno.EINVAL)
    return file


class VirtualSystem:
    """See `System`."""

    __slots__ = ("_stack", "_system_wide")

    def __init__(self, stack: Stack, system_wide: SystemWide) -> None:
        self._stack = stack
        self._system_wide = system_wide

    def _deadline(self, timeout: int | None) -> int | None:
        return None if timeout is None else self._stack.host_now() + timeout

    def _over(self, deadline: int | None) -> bool:
        return deadline is not None and self._stack.host_now() >= deadline

    # --- opening and closing ---

    def socket(self, domain: int, kind: int, protocol: int) -> SocketFile:
        """A stream socket: any other kind is Unsupported, and what is none for nobody OSError."""
        flags, kind = kind & _FLAGS, kind & ~_FLAGS
        version = _VERSIONS.get(domain)
        if version is None:
            raise Unsupported(f"sockets of the address family {domain}")
        if kind != CONSTANTS["SOCK_STREAM"]:
            name = next((name for name, number in CONSTANTS.items() if name[:5] == "SOCK_" and number == kind), "")
            raise Unsupported(f"sockets of the kind {name or kind}")
        if protocol in (CONSTANTS["IPPROTO_SCTP"], CONSTANTS["IPPROTO_MPTCP"]):
            raise Unsupported("IPPROTO_SCTP" if protocol == CONSTANTS["IPPROTO_SCTP"] else "IPPROTO_MPTCP")
        if protocol not in (0, CONSTANTS["IPPROTO_TCP"]):
            raise _error(errno.EPROTONOSUPPORT)
        socket = self._system_wide.opened(self._stack.host.socket(version))
        return SocketFile(socket, blocking=not flags & _NONBLOCK)

    def bind(self, file: File, address: Address) -> None:
        """See `System`."""
        binding = _socket_of(file)
        try:
            binding.socket.bind(address)
        except OSError as error:
            raise virtual_options.taken(binding, error) from None

    def listen(self, file: File, backlog: int) -> None:
        """See `System`."""
        listening = _socket_of(file)
        self._system_wide.listens(listening.socket)
        try:
            listening.socket.listen(self._stack.host_now(), backlog if backlog >= 0 else 1 << 30)
        except OSError as error:
            raise virtual_options.taken(listening, error) from None

    def accept(self, file: File, flags: int = 0) -> Doing:
        """See `System`."""
        if flags & ~_FLAGS:
            raise _error(errno.EINVAL)
        listening = _socket_of(file)
        deadline = self._deadline(listening.receive_timeout)
        while True:
            try:
                child, address = _socket_of(file).socket.accept(self._stack.host_now())
            except BlockingIOError:
                if not listening.blocking or self._over(deadline):
                    raise
                yield deadline
            else:
                listening.accepted += 1
                accepted = SocketFile(self._system_wide.opened(child), blocking=not flags & _NONBLOCK)
                virtual_options.inherit(accepted, listening)
                return accepted, address

    def connect(self, file: File, address: Address | None) -> Doing:
        """See `System`."""
        opening = _socket_of(file)
        if address is None:
            if self._stack.host.config.name == "bsd":
                raise _error(errno.EAFNOSUPPORT)
            opening.socket.disconnect(self._stack.host_now())
            self._stack.touched()
            return
        try:
            opening.socket.connect(self._stack.host_now(), address)
        except BlockingIOError:
            if not opening.blocking:
                self._stack.touched()
                raise
        else:
            self._stack.touched()
            return
        self._stack.touched()
        deadline = self._deadline(opening.send_timeout)
        while opening.opening:
            if self._over(deadline):
                raise _error(errno.EINPROGRESS)
            yield deadline
        _socket_of(file).socket.connect(self._stack.host_now(), address)  # how it has ended

    def close(self, file: File) -> Doing:
        """See `System`. As on Linux SO_LINGER is waited for whether the socket blocks or not."""
        if isinstance(file, EpollFile):
            file.closed = True
            return
        socket = _socket_of(file).socket
        tcb, deadline = socket.tcb, self._deadline((socket.linger or 0) * SECOND)
        socket.close(self._stack.host_now())
        self._stack.touched()
        while tcb is not None and tcb.state in _CLOSING and not self._over(deadline):
            yield deadline

    def shutdown(self, file: File, how: int) -> None:
        """See `System`."""
        _socket_of(file).socket.shutdown(self._stack.host_now(), how)
        self._stack.touched()

    # --- data ---

    def send(self, file: File, buffers: Sequence[bytes], flags: int = 0, address: Address | None = None) -> Doing:
        """See `System`. MSG_FIN (MSG_EOF of FreeBSD) closes this half behind the data."""
        sending = _socket_of(file)
        if flags & CONSTANTS["MSG_ZEROCOPY"]:
            raise Unsupported("MSG_ZEROCOPY")
        data = memoryview(b"".join(buffers))
        taken = yield from virtual_sending.send(self._stack, sending, data, flags, address)
        if flags & _FIN and taken == len(data):
            sending.socket.shutdown(self._stack.host_now(), o.SHUT_WR)
        self._stack.touched()
        return taken

    def recv(self, file: File, size: int, flags: int = 0, *, wants_control: bool = False) -> Doing:
        """See `System`. There is nothing in the queue of errors."""
        receiving = _socket_of(file)
        if flags & _ERRQUEUE:
            if receiving.socket.config.receive_errors and receiving.socket.state in (State.SYN_SENT, State.CLOSED):
                raise Unsupported("the queue of ICMP errors of IP_RECVERR")
            raise _would_block()
        waits = receiving.blocking and not flags & o.MSG_DONTWAIT
        deadline = self._deadline(receiving.receive_timeout)
        least = size if flags & _WAITALL else min(size, receiving.socket.config.receive_low_water)
        data = b""
        while True:
            socket = _socket_of(file).socket
            try:
                if data and socket.error and not socket.unread():
                    break
                new = socket.recv(self._stack.host_now(), size if flags & o.MSG_PEEK else size - len(data), flags)
            except BlockingIOError:
                if not waits or self._over(deadline):
                    if data:
                        break
                    raise
            except OSError:
                if data:
                    break
                raise
            else:
                data = new if flags & o.MSG_PEEK else data + new
                if not new or len(data) >= least or not waits or self._over(deadline) or flags & o.MSG_OOB:
                    break
                if not flags & o.MSG_PEEK:
                    continue  # is that the end, or is there more to come?
            self._stack.touched()
            yield deadline
        self._stack.touched()
        control = (_unread(receiving),) if wants_control and receiving.tells_unread else ()
        return Received(data, control=control)

    # --- options ---

    def setsockopt(self, file: File, level: int, option: int, value: Value) -> None:
        """See `System`. Unsupported for what Linux has and this host has not."""
        virtual_options.set_option(_socket_of(file), level, option, value)
        self._stack.touched()

    def getsockopt(self, file: File, level: int, option: int) -> Value:
        """See `System`."""
        return virtual_options.get_option(_socket_of(file), level, option, self._stack.host_now())

    def getsockname(self, file: File) -> Address:
        """See `System`."""
        return _socket_of(file).socket.getsockname()

    def getpeername(self, file: File) -> Address:
        """See `System`. OSError ENOTCONN also while the connection is being opened, and after its end."""
        socket = _socket_of(file).socket
        if socket.state in (State.SYN_SENT, State.CLOSED):
            raise _error(errno.ENOTCONN)
        return socket.getpeername()

    def fcntl(self, file: File, command: int, argument: int) -> int:
        """F_GETFL and F_SETFL, of which O_NONBLOCK alone says something here."""
        if command == CONSTANTS["F_GETFL"]:
            return CONSTANTS["O_RDWR"] | (0 if file.blocking else CONSTANTS["O_NONBLOCK"])
        if command == CONSTANTS["F_SETFL"]:
            file.blocking = not argument & CONSTANTS["O_NONBLOCK"]
        elif command not in (CONSTANTS["F_GETFD"], CONSTANTS["F_SETFD"]):
            raise Unsupported(f"fcntl with the command {command}")
        return 0

    def ioctl(self, file: File, request: int) -> int:
        """See `System`."""
        socket = _socket_of(file).socket
        if request == CONSTANTS["SIOCINQ"]:
            return socket.unread()
        if request == CONSTANTS["SIOCOUTQ"]:
            return socket.unacknowledged()
        if request == CONSTANTS["SIOCOUTQNSD"]:
            return socket.unsent()
        if request in (CONSTANTS["FIONWRITE"], CONSTANTS["FIONSPACE"]):
            held, room = socket.buffered()
            return held if request == CONSTANTS["FIONWRITE"] else room
        if request == CONSTANTS["SIOCATMARK"]:
            return int(socket.at_mark())
        raise Unsupported(f"ioctl with the request {request:#x}")

    # --- readiness ---

    def poll(self, files: Sequence[tuple[File, int]], timeout: int) -> Doing:
        """See `System`."""
        deadline = self._deadline(timeout * MILLISECOND if timeout >= 0 else None)
        always = o.POLLERR | o.POLLHUP
        while True:
            found = [_socket_of(file).poll() & (events | always) for file, events in files]
            if any(found) or self._over(deadline):
                return found
            yield deadline

    def epoll_create(self) -> EpollFile:
        """See `System`."""
        return EpollFile()

    def epoll_control(self, epoll: File, operation: int, file: File, events: int, data: int) -> None:
        """See `System`."""
        _epoll_of(epoll).control(operation, _socket_of(file), events, data)

    def epoll_wait(self, epoll: File, most: int, timeout: int) -> Doing:
        """See `System`."""
        deadline = self._deadline(timeout * MILLISECOND if timeout >= 0 else None)
        while True:
            found = _epoll_of(epoll).collect(most)
            if found or self._over(deadline):
                return found
            yield deadline


def _unread(file: SocketFile) -> tuple[int, int, int]:
    """What TCP_INQ tells: the bytes that wait; at the end of the stream, which is to be read, too, one at least."""
    tcb = file.socket.tcb
    return (*_INQ, file.socket.unread() or int(tcb is not None and tcb.fin_received))
