"""The controls of a world: hosts come and go, and the network is broken and repaired."""

from __future__ import annotations

from collections.abc import Callable
from contextvars import copy_context
from math import isfinite
from typing import Any

from lastack.aio.computer import Computer, Process
from lastack.aio.ground import CURRENT
from lastack.aio.links import Link
from lastack.aio.watching import HostName, Watched
from lastack.sim.network import Path


class Controlled(Watched):
    """What can be done to a world from outside. `clients` are the hosts that a run waits for."""

    def __init__(self, *arguments: Any) -> None:
        super().__init__(*arguments)
        self.clients: list[Computer] = []

    def look_if_over(self) -> None:
        """Whether nobody is waited for any more."""
        raise NotImplementedError

    # --- hosts come and go ---

    def crash(self, name: HostName) -> None:
        """Cut a host's power: its program ends where it stands (no `finally` runs), its TCP forgets everything and
        says nothing, and what is sent to it is lost. Who was connected to it does not know (a half-open connection)."""
        self._kill(name, power=True)

    def kill(self, name: HostName) -> None:
        """End a host's program where it stands, as SIGKILL does: its TCP goes on, and closes what the program had open
        (by a RST where it had not read all, RFC 9293 3.10.4 as updated by RFC 2525 2.17; else by a FIN)."""
        self._kill(name, power=False)

    def bounce(self, name: HostName, *, keep_kernel: bool = False) -> None:
        """Begin a host's program anew: after a `crash` of the whole host, or with `keep_kernel` after a `kill`, so that
        its connections in TIME-WAIT are still there."""
        computer = self._not_main(name)
        if computer.process.alive:
            self._kill(name, power=not keep_kernel)
        if computer.kernel is None:
            self.sim.power_on(computer.name)
        computer.boot()

    def _kill(self, name: HostName, *, power: bool) -> None:
        computer = self._not_main(name)
        if computer.process is CURRENT.get():
            raise RuntimeError(
                f"{computer.name} cannot end itself: let another host do it, or call_soon from `localhost`"
            )
        computer.end(power=power)
        self.look_if_over()

    def _not_main(self, name: HostName) -> Computer:
        computer = self.computer(name)
        if computer.process is self.main:
            raise ValueError(f"{computer.name} is where the test itself runs, which cannot be ended: take another host")
        return computer

    def signal(self, name: HostName, number: int) -> bool:
        """Send a signal to a host's program: what it gave to `loop.add_signal_handler`, or to
        `signal.signal`, is called. Whether it gave anything."""
        process = self.computer(name).process
        handler = process.signals.get(number)
        if handler is None or not process.alive:
            return False
        copy_context().run(_as_part_of, process, handler)
        return True

    def servers(self) -> list[str]:
        """The names of the hosts that run a program and are no clients."""
        return [one.name for one in self.computers.values() if one.main is not None and one not in self.clients]

    def skew(self, name: HostName, seconds: float, drift: float = 0.0) -> None:
        """Put a host's wall clock ahead (or back) of the world's; `drift` is what it gains in each second. Timers and
        `time.monotonic` go by the world's."""
        computer = self.computer(name)
        for what, value in (("seconds", seconds), ("drift", drift)):
            if not isinstance(value, int | float) or not isfinite(value):
                raise ValueError(f"{what} of a clock is a number, not {value!r}")
        computer.skew, computer.drift = seconds, drift

    # --- the network ---

    def link(self, sender: HostName, receiver: HostName) -> Link:
        """What befalls segments from one host to another, one way."""
        return Link(self, (self._path(sender, receiver),))

    def links(self, one: HostName, other: HostName) -> Link:
        """What befalls segments between two hosts, both ways."""
        return Link(self, (self._path(one, other), self._path(other, one)))

    def partition(self, one: HostName, other: HostName, *, one_way: bool = False) -> None:
        """Let nothing pass between two hosts until `repair`; or with `one_way` nothing from the one to the other."""
        self._ways(one, other, one_way).partition()

    def repair(self, one: HostName, other: HostName, *, one_way: bool = False) -> None:
        """End a partition, whichever way it is, or with `one_way` that from the one to the other; what was lost stays
        lost."""
        self._ways(one, other, one_way).repair()

    def hold(self, one: HostName, other: HostName, *, one_way: bool = False) -> None:
        """Keep all that is sent between two hosts until `release`; or with `one_way` from the one to the other."""
        self._ways(one, other, one_way).hold()

    def release(self, one: HostName, other: HostName, *, one_way: bool = False) -> None:
        """Let what is held arrive, both ways, or with `one_way` from the one to the other."""
        self._ways(one, other, one_way).release()

    def latency(self, one: HostName, other: HostName, seconds: float, jitter: float = 0.0) -> None:
        """How long a segment takes between two hosts, each way; by up to `jitter` more, by chance."""
        self.links(one, other).latency(seconds, jitter)

    def loss(self, one: HostName, other: HostName, probability: float) -> None:
        """With what probability a segment between two hosts is lost."""
        self.links(one, other).loss(probability)

    def bandwidth(self, one: HostName, other: HostName, bits: float | None, queue: int = 256 * 1024) -> None:
        """Bits a second between two hosts, each way, behind a queue of so many bytes; None: without bound."""
        self.links(one, other).bandwidth(bits, queue)

    def _ways(self, one: HostName, other: HostName, one_way: bool) -> Link:
        return (self.link if one_way else self.links)(one, other)

    def _path(self, sender: HostName, receiver: HostName) -> Path:
        one, other = self.computer(sender).name, self.computer(receiver).name
        if one == other:
            raise ValueError(f"what {one} sends to itself passes no network: name two hosts")
        return self.sim.path(one, other)


def _as_part_of(process: Process, call: Callable[[], object]) -> None:
    CURRENT.set(process)
    call()
