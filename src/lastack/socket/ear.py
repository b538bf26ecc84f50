"""Who is told when a socket is ready: threads that wait for it, and a file descriptor that shows it."""

from __future__ import annotations

import os
import socket
from threading import Condition
from typing import Any

from lastack.aio.stack import READ, WRITE, events_in, events_of
from lastack.host.options import POLLHUP, POLLRDHUP
from lastack.host.sockets import Socket

# More than fills the shortest queue of a Unix socket, and as much as it takes at a time.
_FILL = bytes(4096)


class Mirror:
    """A file descriptor that select, poll and epoll find readable and writable when a socket of ours is.

    It is one end of a pair, whose other end we hold: a byte makes it readable, and its own full queue unwritable. Where
    the peer, or both, will say nothing more, the pair is shut down in the same way, and stays so.
    """

    __slots__ = ("_ended", "_readable", "_shown", "_writable", "fd")

    def __init__(self) -> None:
        shown = self._begin()
        self.fd = shown.detach()

    def _begin(self) -> socket.socket:
        shown, ours = socket.socketpair(socket.AF_UNIX, socket.SOCK_STREAM)
        shown.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 1)  # the least there is
        for one in (shown, ours):
            one.setblocking(False)
        self._shown = ours
        self._readable = False
        self._writable = True
        self._ended = 0
        return shown

    def show(self, events: int, ended: int = 0) -> None:
        """Be ready for READ and WRITE as told, and `ended` by none, one or both of POLLRDHUP and POLLHUP."""
        if self._ended & ~ended:  # the socket has begun anew
            self._shown.close()
            with self._begin() as shown:
                os.dup2(shown.fileno(), self.fd, inheritable=False)
        if not self._ended:
            self._show_readable(events)
        if not self._ended & POLLHUP:
            self._show_writable(events)
        if ended & ~self._ended:
            self._ended = ended
            self._shown.shutdown(socket.SHUT_RDWR if ended & POLLHUP else socket.SHUT_WR)

    def _show_readable(self, events: int) -> None:
        if bool(events & READ) is not self._readable:
            self._readable = not self._readable
            if self._readable:
                self._shown.send(b"\0")
            else:
                os.read(self.fd, 1)

    def _show_writable(self, events: int) -> None:
        if bool(events & WRITE) is not self._writable:
            self._writable = not self._writable
            if self._writable:
                self._shown.recv(len(_FILL))
            else:
                os.write(self.fd, _FILL)

    def close(self, *, given: bool = False) -> None:
        """Give the descriptors back, but for one that was `given` away."""
        self._shown.close()
        if not given:
            os.close(self.fd)


class Ear:
    """What a host's socket has for a user. All of it is called by who holds the lock."""

    __slots__ = ("_lock", "_mirror", "_waiting", "inner", "over")

    def __init__(self, inner: Socket, lock: Any) -> None:
        self.inner = inner
        self.over = False  # the socket is closed, or nothing will ever come
        self._lock = lock
        self._mirror: Mirror | None = None
        self._waiting: list[tuple[int, Condition]] = []

    def look(self) -> None:
        """The socket may have become ready, or may be so no more."""
        if self._mirror is None and not self._waiting:
            return
        found = 0 if self.over else self.inner.poll()
        events = READ | WRITE if self.over else events_in(found)
        if self._mirror is not None:
            self._mirror.show(events, found & (POLLRDHUP | POLLHUP) if self._was_open() else 0)
        for wanted, condition in self._waiting:
            if wanted & events:
                condition.notify()

    def _was_open(self) -> bool:
        """Whether there is a connection, or was one: what has never been may begin again, in the same descriptor."""
        return not self.over and self.inner.tcb is not None and self.inner.tcb.snd_mss > 0

    def wait(self, events: int, seconds: float | None) -> bool:
        """Wait until the socket is ready; False where the time was not enough."""
        condition = Condition(self._lock)
        entry = events, condition
        self._waiting.append(entry)
        try:
            return condition.wait_for(lambda: self.over or events_of(self.inner) & events, seconds) != 0
        finally:
            self._waiting.remove(entry)

    def fileno(self) -> int:
        """A file descriptor that shows when the socket is ready."""
        if self._mirror is None:
            self._mirror = Mirror()
            self.look()
        return self._mirror.fd

    def give(self) -> None:
        """Somebody else closes the descriptor."""
        if self._mirror is not None:
            mirror, self._mirror = self._mirror, None
            mirror.close(given=True)

    def tell(self) -> None:
        """Nothing will ever come: who waits need not."""
        self.over = True
        self.look()

    def close(self) -> None:
        """The socket is closed."""
        self.tell()
        if self._mirror is not None:
            self._mirror.close()
            self._mirror = None


def tell(now: int, sockets: Any) -> None:
    """What hosts call: the readiness of these has changed."""
    for socket_ in sockets:
        ear = socket_.user
        if ear is not None:
            ear.look()
