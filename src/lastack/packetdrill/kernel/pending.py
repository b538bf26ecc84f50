"""System calls in threads of their own: what blocks in the kernel must not stop the script."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from queue import SimpleQueue
from threading import Thread
from typing import Any

from lastack.packetdrill.machine import Doing


class KernelPending:
    """A system call under way, or done. See `Pending`."""

    __slots__ = ("doing", "error", "finished", "value")

    def __init__(self, doing: Doing) -> None:
        self.doing = doing
        self.value: Any = None
        self.error: Exception | None = None
        self.finished: int | None = None

    def make(self, clock: Callable[[], int]) -> None:
        """Make it, to its end."""
        try:
            next(self.doing)
            raise AssertionError("a system call of the kernel waits by itself")
        except StopIteration as end:
            self.value = end.value
        except Exception as error:
            self.error = error
        self.finished = clock()


class _Worker:
    """A thread that makes calls, one after the other."""

    def __init__(self, begun: Callable[[], object], clock: Callable[[], int], wake: Callable[[], None]) -> None:
        self.idle = True
        self.tasks: SimpleQueue[KernelPending | None] = SimpleQueue()
        self._begun = begun
        self._clock = clock
        self._wake = wake
        self.thread = Thread(target=self._run, name="lastack packetdrill", daemon=True)
        self.thread.start()

    def _run(self) -> None:
        self._begun()
        while (task := self.tasks.get()) is not None:
            task.make(self._clock)
            self.idle = True
            with suppress(OSError):
                self._wake()


class Workers:
    """As many threads as calls wait at a time; `begun` is called in each when it begins, `wake` when a call ended."""

    def __init__(self, begun: Callable[[], object], clock: Callable[[], int], wake: Callable[[], None]) -> None:
        self._begun = begun
        self._clock = clock
        self._wake = wake
        self._all: list[_Worker] = []

    def begin(self, doing: Doing) -> KernelPending:
        """Have a call made."""
        worker = next((one for one in self._all if one.idle), None)
        if worker is None:
            worker = _Worker(self._begun, self._clock, self._wake)
            self._all.append(worker)
        pending = KernelPending(doing)
        worker.idle = False
        worker.tasks.put(pending)
        return pending

    def end(self, patience: float) -> bool:
        """Let the threads end, which takes that no call waits any more; whether they have, within some seconds."""
        for worker in self._all:
            worker.tasks.put(None)
        for worker in self._all:
            worker.thread.join(patience)
        self._all = [worker for worker in self._all if worker.thread.is_alive()]
        return not self._all
