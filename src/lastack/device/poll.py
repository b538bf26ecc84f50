"""Waiting in one place for many file descriptors, and being woken from anywhere."""

from __future__ import annotations

import os
import select
import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from threading import current_thread, main_thread
from time import monotonic_ns
from typing import Any

IN = select.EPOLLIN
OUT = select.EPOLLOUT

Callback = Callable[[int], None]


# The longest that a wait may look without sleeping (us): it keeps a processor busy all that time.
SPIN_LIMIT = 100_000
# The longest wait, in seconds: epoll counts milliseconds in 31 bits, which a deadline weeks away would exceed.
_LONGEST = 3600
# Descriptors told of at a time. (By default Python makes room for 1,023 in each call, which costs 0.1 us.)
_MOST = 64


class Poller:
    """An epoll with callbacks, and a pipe to wake it by.

    One descriptor, `own`, has no callback: `wait` returns its events, so that who waits mostly for that one is spared
    the way through a callback (0.3 us).
    """

    __slots__ = ("_always", "_epoll", "_read", "_watched", "_write", "own")

    def __init__(self) -> None:
        self.own = -1
        self._watched: dict[int, Callback] = {}
        self._always: dict[int, int] = {}
        self._read, self._write = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)
        self._epoll = select.epoll()
        self.watch(self._read, self._woken)

    def watch(self, fd: int, callback: Callback, events: int = IN) -> None:
        """Call `callback(events)` whenever `fd` is ready; anew for the same `fd` changes callback and events.

        A regular file is always ready, also for what is asked of it in vain.
        """
        known = fd in self._watched
        self._watched[fd] = callback
        if fd in self._always:
            self._always[fd] = events
            return
        try:
            (self._epoll.modify if known else self._epoll.register)(fd, events)
        except PermissionError:  # epoll takes no regular files
            self._always[fd] = events

    def watch_own(self, fd: int, events: int = IN) -> None:
        """Let `wait` return the events of `fd`."""
        self.watch(fd, _nothing, events)
        self.own = fd

    def unwatch(self, fd: int) -> None:
        """Forget `fd`, also one that is closed by now or was never watched."""
        if fd == self.own:
            self.own = -1
        if self._watched.pop(fd, None) is None or self._always.pop(fd, None) is not None:
            return
        with suppress(OSError):
            self._epoll.unregister(fd)

    def wait(self, seconds: float | None, spin: int = 0) -> int:
        """Wait until something is ready (None: for ever; in steps of a millisecond), and call its callbacks; the events
        of `own`. With `spin` look without sleeping for so many microseconds at first."""
        if self._always:
            seconds = 0
        elif seconds is None or seconds > _LONGEST:
            seconds = _LONGEST
        found = None
        if spin and seconds:
            spin = min(spin, int(seconds * 1_000_000))
            found = self._spin(spin)
            seconds = max(seconds - spin / 1_000_000, 0)
        ours = 0
        for fd, events in found or self._epoll.poll(seconds, _MOST):
            if fd == self.own:
                ours = events
            elif fd in self._watched:  # a callback before may have forgotten it
                self._watched[fd](events)
        if self._always:
            for fd, events in tuple(self._always.items()):
                if fd in self._always:
                    self._watched[fd](events)
        return ours

    def _spin(self, microseconds: int) -> list[tuple[int, int]]:
        poll = self._epoll.poll
        until = monotonic_ns() + 1000 * microseconds
        while not (found := poll(0, _MOST)) and monotonic_ns() < until:
            pass
        return found

    def wake(self) -> None:
        """End the wait under way, or the next; from any thread or signal handler."""
        with suppress(BlockingIOError):
            os.write(self._write, b"\0")

    @contextmanager
    def signals(self, handler: Callable[[int, Any], None], *numbers: int) -> Iterator[None]:
        """Handle the signals `numbers` meanwhile; a wait ends for them. The handlers there were are put back.

        For the main thread: RuntimeError elsewhere.
        """
        if current_thread() is not main_thread():
            raise RuntimeError("signals are for the main thread")
        # Without it a signal that comes just before the wait begins would be handled only when it is over.
        wakeup = signal.set_wakeup_fd(self._write, warn_on_full_buffer=False)
        old: dict[int, Any] = {}
        try:
            for number in numbers:
                old[number] = signal.signal(number, handler)
            yield
        finally:
            for number, before in old.items():
                signal.signal(number, signal.SIG_DFL if before is None else before)
            signal.set_wakeup_fd(wakeup)

    def close(self) -> None:
        """Give the descriptors back; twice is once."""
        if not self._epoll.closed:
            self._epoll.close()
            os.close(self._read)
            os.close(self._write)

    def _woken(self, events: int) -> None:
        with suppress(BlockingIOError):
            os.read(self._read, 4096)


def _nothing(events: int) -> None:
    """The own descriptor's callback."""
