"""The system calls of the Linux kernel, made for real on sockets of a sandbox."""

from __future__ import annotations

import array
import ctypes
import errno
import fcntl
import os
import select
import socket
from collections.abc import Sequence

from lastack.device.sandbox import Sandbox
from lastack.packetdrill.kernel import options
from lastack.packetdrill.kernel.files import KernelFile, kernel_file
from lastack.packetdrill.machine import Address, Doing, File, Received, Value
from lastack.packetdrill.symbols import CONSTANTS

_ADD, _DELETE, _MODIFY = (CONSTANTS[f"EPOLL_CTL_{name}"] for name in ("ADD", "DEL", "MOD"))
_CONTROL = 4096  # bytes of room for control messages
_UNSPECIFIED = bytes(16)  # struct sockaddr_in of AF_UNSPEC


class KernelSystem:
    """See `System`. What may block does, so its calls are to be made where that is no harm; `release` ends it."""

    def __init__(self, box: Sandbox) -> None:
        self._box = box
        self.files: list[KernelFile] = []
        self.congestion = ""  # of new sockets, where it is not the namespace's
        self._over = os.eventfd(0, os.EFD_CLOEXEC)

    def release(self) -> None:
        """Let all calls that wait in other threads come to an end."""
        os.eventfd_write(self._over, 1)
        for file in self.files:
            file.wake()

    def close(self, file: File) -> Doing:
        """See `System`."""
        kernel_file(file).close()
        return None
        yield

    def close_all(self) -> None:
        """Give everything back."""
        for file in self.files:
            file.close()
        self.files.clear()
        if self._over >= 0:
            os.close(self._over)
            self._over = -1

    def _keep(self, file: KernelFile) -> KernelFile:
        self.files.append(file)
        return file

    # --- opening ---

    def socket(self, domain: int, kind: int, protocol: int) -> File:
        """See `System`."""
        made = self._box.socket(domain, kind, protocol)
        if self.congestion and made.type == socket.SOCK_STREAM and made.family in (socket.AF_INET, socket.AF_INET6):
            made.setsockopt(socket.IPPROTO_TCP, socket.TCP_CONGESTION, self.congestion.encode())
        return self._keep(KernelFile(made))

    def bind(self, file: File, address: Address) -> None:
        """See `System`."""
        sock = kernel_file(file).sock
        sock.bind(_fitting(sock, address))

    def listen(self, file: File, backlog: int) -> None:
        """See `System`."""
        sock = kernel_file(file).sock
        # Python takes no negative number, which to the kernel is a very large one.
        sock.listen(backlog if backlog >= 0 else (1 << 31) - 1)

    def accept(self, file: File, flags: int = 0) -> Doing:
        """See `System`."""
        if flags & ~(socket.SOCK_NONBLOCK | socket.SOCK_CLOEXEC):
            raise OSError(errno.EINVAL, os.strerror(errno.EINVAL))
        child, address = kernel_file(file).sock.accept()
        made = self._keep(KernelFile(child))
        if flags & socket.SOCK_NONBLOCK:
            made.blocking = False
        return made, address[:2]
        yield

    def connect(self, file: File, address: Address | None) -> Doing:
        """See `System`."""
        sock = kernel_file(file).sock
        if address is None:
            _dissolve(sock)
        else:
            sock.connect(_fitting(sock, address))
        return None
        yield

    def shutdown(self, file: File, how: int) -> None:
        """See `System`."""
        kernel_file(file).sock.shutdown(how)

    # --- data ---

    def send(self, file: File, buffers: Sequence[bytes], flags: int = 0, address: Address | None = None) -> Doing:
        """See `System`."""
        sock = kernel_file(file).sock
        return sock.sendmsg(buffers, [], flags, *([_fitting(sock, address)] if address is not None else []))
        yield

    def recv(self, file: File, size: int, flags: int = 0, *, wants_control: bool = False) -> Doing:
        """See `System`."""
        data, control, came, address = kernel_file(file).sock.recvmsg(size, _CONTROL if wants_control else 0, flags)
        messages = tuple(options.control(*one) for one in control)
        return Received(data, address[:2] if address else None, came, messages)
        yield

    # --- options ---

    def setsockopt(self, file: File, level: int, option: int, value: Value) -> None:
        """See `System`."""
        options.set_option(kernel_file(file).sock, level, option, value)

    def getsockopt(self, file: File, level: int, option: int) -> Value:
        """See `System`."""
        return options.get_option(kernel_file(file).sock, level, option)

    def getsockname(self, file: File) -> Address:
        """See `System`."""
        name = kernel_file(file).sock.getsockname()
        return name[0], name[1]

    def getpeername(self, file: File) -> Address:
        """See `System`."""
        name = kernel_file(file).sock.getpeername()
        return name[0], name[1]

    def fcntl(self, file: File, command: int, argument: int) -> int:
        """See `System`."""
        return fcntl.fcntl(kernel_file(file).fileno(), command, argument)

    def ioctl(self, file: File, request: int) -> int:
        """See `System`."""
        answer = array.array("i", [0])
        fcntl.ioctl(kernel_file(file).fileno(), request, answer, True)
        return answer[0]

    # --- readiness ---

    def poll(self, files: Sequence[tuple[File, int]], timeout: int) -> Doing:
        """See `System`."""
        asked: dict[int, int] = {}
        for file, events in files:
            number = kernel_file(file).fileno()
            asked[number] = asked.get(number, 0) | events
        found = self._wait(asked, timeout)
        always = select.POLLERR | select.POLLHUP
        return [found.get(kernel_file(file).fileno(), 0) & (events | always) for file, events in files]
        yield

    def _wait(self, asked: dict[int, int], timeout: int) -> dict[int, int]:
        """poll(2), which `release` ends."""
        poller = select.poll()
        for number, events in asked.items():
            poller.register(number, events)
        if timeout:
            poller.register(self._over, select.POLLIN)
        return dict(poller.poll(timeout if timeout >= 0 else None))

    def epoll_create(self) -> File:
        """See `System`."""
        return self._keep(KernelFile(select.epoll()))

    def epoll_control(self, epoll: File, operation: int, file: File, events: int, data: int) -> None:
        """See `System`. Python's epoll gives the descriptor for its data."""
        number, watching = kernel_file(file).fileno(), kernel_file(epoll)
        if operation == _DELETE:
            watching.epoll.unregister(number)
        elif operation == _ADD:
            watching.epoll.register(number, events)
        elif operation == _MODIFY:
            watching.epoll.modify(number, events)
        else:
            raise OSError(errno.EINVAL, os.strerror(errno.EINVAL))
        watching.data[number] = data

    def epoll_wait(self, epoll: File, most: int, timeout: int) -> Doing:
        """See `System`."""
        watching = kernel_file(epoll)
        if timeout:
            self._wait({watching.epoll.fileno(): select.POLLIN}, timeout)
        found = watching.epoll.poll(0, most)
        return [(events, watching.data.get(number, number)) for number, events in found]
        yield


def _fitting(sock: socket.socket, address: Address) -> Address:
    """An address that Python takes for a socket of this family. OSError as the kernel's for the other one's."""
    if (":" in address[0]) != (sock.family == socket.AF_INET6) and address[0]:
        raise OSError(errno.EAFNOSUPPORT, os.strerror(errno.EAFNOSUPPORT))
    return address


def _dissolve(sock: socket.socket) -> None:
    """connect(2) with AF_UNSPEC, which Python has not."""
    library = ctypes.CDLL(None, use_errno=True)
    if library.connect(sock.fileno(), _UNSPECIFIED, len(_UNSPECIFIED)):
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))
