"""The open files of a script on the kernel: sockets of a sandbox, and epoll instances."""

from __future__ import annotations

import errno
import fcntl
import os
import select
import socket
from contextlib import suppress

from lastack.packetdrill.machine import File


class KernelFile:
    """A socket, or an epoll instance."""

    def __init__(self, opened: socket.socket | select.epoll) -> None:
        self._opened = opened
        self.data: dict[int, int] = {}  # of epoll: what it is to give for a descriptor

    @property
    def blocking(self) -> bool:
        """Whether calls wait (O_NONBLOCK is not set)."""
        return not fcntl.fcntl(self.fileno(), fcntl.F_GETFL) & os.O_NONBLOCK

    @blocking.setter
    def blocking(self, value: bool) -> None:
        os.set_blocking(self.fileno(), value)

    @property
    def sock(self) -> socket.socket:
        """The socket. OSError ENOTSOCK for anything else."""
        if not isinstance(self._opened, socket.socket):
            raise OSError(errno.ENOTSOCK, os.strerror(errno.ENOTSOCK))
        return self._opened

    @property
    def epoll(self) -> select.epoll:
        """The epoll instance. OSError EINVAL for anything else."""
        if not isinstance(self._opened, select.epoll):
            raise OSError(errno.EINVAL, os.strerror(errno.EINVAL))
        return self._opened

    def fileno(self) -> int:
        """The descriptor in this process. OSError EBADF once it is closed."""
        number = _number(self._opened)
        if number < 0:
            raise OSError(errno.EBADF, os.strerror(errno.EBADF))
        return number

    def close(self) -> None:
        """Give the descriptor back; twice is once."""
        self._opened.close()

    def wake(self) -> None:
        """End what waits of a socket, in any thread."""
        if isinstance(self._opened, socket.socket):
            with suppress(OSError):
                self._opened.shutdown(socket.SHUT_RDWR)


def _number(opened: socket.socket | select.epoll) -> int:
    return -1 if isinstance(opened, select.epoll) and opened.closed else opened.fileno()


def kernel_file(file: File) -> KernelFile:
    """The same, known to be the kernel's."""
    assert isinstance(file, KernelFile)
    return file
