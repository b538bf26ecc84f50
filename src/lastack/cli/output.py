"""Where a fetched file goes: a file, or the standard output, which may be a pipe that somebody reads slowly."""

from __future__ import annotations

import os
import select
import stat
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from types import TracebackType

from lastack.device.driver import Driver
from lastack.device.poll import OUT
from lastack.wire.packet import Buffer

# What a pipe that says that it is writable takes without blocking (PIPE_BUF, pipe(7)). The descriptor is shared with
# other programs and is left blocking.
_PIPE = 4096
_IOV_MAX = 1024  # <limits.h>: pieces that one writev takes


class Output:
    """`begin` opens it, so that what was in the file stays if nothing comes; it gives what takes the bytes."""

    def __init__(self, target: Path | None, overwrite: bool = True) -> None:
        """`target` None is the standard output; without `overwrite` a file that exists is refused."""
        self.target = target
        self.overwrite = overwrite
        self.begun = False
        self._fd = -1
        self._owned = False
        self._driver: Driver | None = None
        self._resume: Callable[[], None] = lambda: None
        self._waiting = False

    def attach(self, driver: Driver, resume: Callable[[], None]) -> None:
        """While it has no room `driver` watches it, and `resume` is called when it has some again."""
        self._driver = driver
        self._resume = resume

    def begin(self) -> Callable[[Sequence[Buffer]], int]:
        """Open it. Raises OSError."""
        if self.target is None:
            sys.stdout.flush()
            self._fd = sys.stdout.fileno()
        else:
            flags = os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC | (os.O_TRUNC if self.overwrite else os.O_EXCL)
            self._fd = os.open(self.target, flags, 0o666)
            self._owned = True
        self.begun = True
        return self._write if stat.S_ISREG(os.fstat(self._fd).st_mode) else self._write_pipe

    def _write(self, views: Sequence[Buffer]) -> int:
        return os.writev(self._fd, views if len(views) <= _IOV_MAX else (b"".join(views),))

    def _write_pipe(self, views: Sequence[Buffer]) -> int:
        """What a pipe or terminal takes now."""
        poll = select.poll()
        poll.register(self._fd, select.POLLOUT)
        taken = 0
        for data in views:
            view = memoryview(data)
            while view and poll.poll(0):
                written = os.write(self._fd, view[:_PIPE])
                view = view[written:]
                taken += written
            if view:
                if not self._waiting and self._driver is not None:
                    self._waiting = True
                    self._driver.watch(self._fd, self._room, OUT)
                break
        return taken

    def _room(self, events: int) -> None:
        self._stop_waiting()
        self._resume()

    def _stop_waiting(self) -> None:
        if self._waiting and self._driver is not None:
            self._waiting = False
            self._driver.unwatch(self._fd)

    def __enter__(self) -> Output:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, where: TracebackType | None
    ) -> None:
        self._stop_waiting()
        if self._owned:
            self._owned = False
            os.close(self._fd)
