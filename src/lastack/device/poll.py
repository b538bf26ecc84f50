"""Waiting in one place for many file descriptors, and being woken from anywhere."""

from __future__ import annotations

import os
import select
import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from threading import current_thread, main_thread
from typing import Any

IN = select.EPOLLIN
OUT = select.EPOLLOUT

Callback = Callable[[int], None]


class Poller:
    """An epoll with callbacks, and a pipe to wake it by."""

    __slots__ = ("_always", "_epoll", "_read", "_watched", "_write")

    def __init__(self) -> None:
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

    def unwatch(self, fd: int) -> None:
        """Forget `fd`, also one that is closed by now or was never watched."""
        if self._watched.pop(fd, None) is None or self._always.pop(fd, None) is not None:
            return
        with suppress(OSError):
            self._epoll.unregister(fd)

    def wait(self, seconds: float | None) -> None:
        """Wait until something is ready (None: for ever; in steps of a millisecond), and call its callbacks."""
        for fd, events in self._epoll.poll(0 if self._always else seconds):
            # A callback before may have forgotten this one.
            callback = self._watched.get(fd)
            if callback is not None:
                callback(events)
        if self._always:
            for fd, events in tuple(self._always.items()):
                if fd in self._always:
                    self._watched[fd](events)

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
