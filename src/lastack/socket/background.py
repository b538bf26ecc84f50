"""What lets time pass for hosts, in a thread, while programs call their sockets from others.

One lock is over all of it: who holds it may call the hosts, and the thread gives it back while it sleeps. A call from a
program sends what is to be sent itself, so that the thread need not be woken for it.
"""

from __future__ import annotations

import atexit
import os
from collections import deque
from math import inf
from threading import RLock, Thread, current_thread
from time import monotonic
from typing import TYPE_CHECKING, Any
from weakref import WeakSet

from lastack.device.driver import Driver, clock
from lastack.device.errors import DeviceError
from lastack.device.poll import Poller
from lastack.device.tun import Tun
from lastack.sim.world import World
from lastack.tcp.states import State

if TYPE_CHECKING:
    from lastack.socket.stack import Stack

_MICROSECONDS = 1_000_000
# How long connections that were closed may take to end in good order, when all ends (seconds).
GRACE = 2.0


class Sleep(Poller):
    """A poller that gives the lock back while it sleeps."""

    __slots__ = ("_lock", "_until")

    def __init__(self, lock: Any) -> None:
        super().__init__()
        self._lock = lock
        self._until = 0.0  # 0 while awake

    def wait(self, seconds: float | None, spin: int = 0) -> int:
        """As `Poller.wait`."""
        self._until = inf if seconds is None else monotonic() + seconds
        self._lock.release()
        try:
            return super().wait(seconds, spin)
        finally:
            self._lock.acquire()
            self._until = 0.0

    def sooner(self, seconds: float | None) -> None:
        """Be awake in so many seconds (None: whenever)."""
        if seconds is not None and monotonic() + seconds < self._until:
            self.wake()


class Background:
    """A thread that drives hosts, and the `lock` over them; `over` says why it does so no more."""

    def __init__(self) -> None:
        self.lock = RLock()
        self.poller = Sleep(self.lock)
        self.stacks: list[Stack] = []
        self.over = ""
        self._abandoned: deque[tuple[Stack, int]] = deque()
        self._grace = 0.0
        self._thread = Thread(target=self._run, name="lastack", daemon=True)
        _ALL.add(self)

    def start(self) -> None:
        """Begin, once there are hosts."""
        self._thread.start()

    # --- what a subclass knows ---

    def now(self) -> int:
        """The hosts' time in microseconds."""
        raise NotImplementedError

    def settle(self) -> None:
        """Bring the hosts to rest: what is to be sent is sent, and who waits is told."""
        raise NotImplementedError

    def patience(self) -> float | None:
        """In how many seconds something is to be done; None: only when something comes."""
        raise NotImplementedError

    def turn(self) -> None:
        """Do what is to be done, and sleep until the next."""
        raise NotImplementedError

    def end(self, grace: float) -> None:
        """Let connections that were closed end, for so many seconds."""

    def dispose(self) -> None:
        """Give back what it has."""
        self.poller.close()

    # --- from any thread ---

    def touched(self) -> None:
        """A host was called, by who holds the lock."""
        if self.over:
            return
        try:
            self.settle()
        except DeviceError as error:
            self._fail(error)
        else:
            self.poller.sooner(self.patience())

    def abandon(self, stack: Stack, number: int) -> None:
        """Nobody has that socket any more. Called by Python's garbage collection, wherever that comes in between, so
        nothing is touched here."""
        if not self.over:
            self._abandoned.append((stack, number))
            self.poller.wake()

    def close(self, grace: float = GRACE) -> None:
        """End everything; twice is once."""
        with self.lock:
            if not self.over:
                for stack in self.stacks:
                    stack.end()
                self._grace, self.over = grace, "the stack is closed"
                self.poller.wake()
        if self._thread.is_alive() and current_thread() is not self._thread:
            self._thread.join()

    def forked(self) -> None:
        """In a child process, which has no such thread, and no right to speak for the parent."""
        self.lock = RLock()
        self.over = "the stack belongs to the parent process: make another after the fork"

    # --- the thread ---

    def _run(self) -> None:
        with self.lock:
            try:
                while not self.over:
                    self._bury()
                    self.turn()
                self.end(self._grace)
            except DeviceError as error:
                self._fail(error)
            except BaseException as error:
                self._fail(error)
                raise
            finally:
                self.dispose()

    def _bury(self) -> None:
        if self._abandoned:
            while self._abandoned:
                stack, number = self._abandoned.popleft()
                stack.bury(number)
            self.settle()  # as a call from a program does, and none may follow

    def _fail(self, error: BaseException) -> None:
        self.over = self.over or f"the stack has failed: {error}"
        self.poller.wake()
        for stack in self.stacks:
            stack.tell()


class OverDevice(Background):
    """One host over a device."""

    def __init__(self, device: Tun) -> None:
        super().__init__()
        self.device = device

    def drive(self, driver: Driver) -> None:
        """What drives it; its poller is ours."""
        self.driver = driver

    def now(self) -> int:
        return self.driver.clock()

    def settle(self) -> None:
        self.driver.settle(self.driver.clock())

    def patience(self) -> float | None:
        return self.driver.patience(self.driver.clock())

    def turn(self) -> None:
        self.driver.turn()

    def end(self, grace: float) -> None:
        host: Any = self.driver.host
        # In FIN-WAIT-2 the peer has all that we had to say, and when it will have said its own is its affair.
        self.driver.run(lambda: all(tcb.state is State.FIN_WAIT_2 for tcb in host.orphans), grace)

    def dispose(self) -> None:
        self.driver.close()
        self.device.close()


class InProcess(Background):
    """Hosts of this process, and the network between them: a world whose time is real."""

    def __init__(self) -> None:
        super().__init__()
        seed = int.from_bytes(os.urandom(8), "big")
        self.sim = World(seed, start=clock(), max_time=1 << 62, max_events=1 << 62)
        self._next: int | None = None  # when something next happens

    def now(self) -> int:
        time = clock()
        if self._next is None or time < self._next:
            if time > self.sim.now:
                self.sim.clock.advance(time)  # nothing happens until then: an eighth of what `run` costs
        else:
            self.sim.run(for_=time - self.sim.now)
            self._next = self.sim.next_time()
        return self.sim.now

    def settle(self) -> None:
        self.sim.run(for_=0)
        self._next = self.sim.next_time()

    def patience(self) -> float | None:
        return None if self._next is None else max(self._next - clock(), 0) / _MICROSECONDS

    def turn(self) -> None:
        self.now()
        self.poller.wait(self.patience())


_ALL: WeakSet[Background] = WeakSet()


def _end_all() -> None:
    for background in tuple(_ALL):
        background.close()


def _forked() -> None:
    for background in tuple(_ALL):
        background.forked()


atexit.register(_end_all)
os.register_at_fork(after_in_child=_forked)
