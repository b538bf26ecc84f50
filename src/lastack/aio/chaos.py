"""What goes wrong in a world by chance: lost and late segments, partitions, hosts without power.

Each fault is a decision of the world's (`Decisions`), so a failing run can be repeated with fewer of them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from contextvars import Context
from dataclasses import dataclass
from itertools import combinations
from typing import Any

from lastack.aio.computer import Computer
from lastack.aio.controls import Controlled
from lastack.aio.decisions import Decisions
from lastack.link.frame import Frame
from lastack.link.rules import Deliveries, Partition, Rule
from lastack.sim.network import Path
from lastack.sim.world import SECOND


@dataclass(frozen=True)
class Faults:
    """How much goes wrong; by default nothing. Times are in seconds.

    `loss`, `late` and `double` are probabilities for each segment: it is lost, it arrives up to `late_by` later and
    others overtake it, it arrives twice. `jitter` is by how much each takes longer, at most, in order.

    `partition_every`: about that often two hosts cannot reach each other (or one cannot reach the other) for up to
    `partition_for`. `crash_every`: a host loses its power, and begins anew up to `crash_for` later.
    `restart_every`: a program is killed, and begins anew with its host's TCP as it was, `restart_for` later at most.

    `between` are the pairs of hosts whose segments are meant (by default all that talk to each other), `hosts` those
    that crash and restart (by default all that run a program, but clients): those that come into the world later, too.
    After `lasts` all is repaired, and the program should recover.
    """

    loss: float = 0.0
    late: float = 0.0
    late_by: float = 1.0
    double: float = 0.0
    jitter: float = 0.0
    partition_every: float = 0.0
    partition_for: float = 5.0
    crash_every: float = 0.0
    crash_for: float = 5.0
    restart_every: float = 0.0
    restart_for: float = 1.0
    between: Iterable[tuple[str | Computer, str | Computer]] = ()
    hosts: Iterable[str | Computer] = ()
    lasts: float = 600.0

    def __post_init__(self) -> None:
        for name in ("loss", "late", "double"):
            if not 0 <= getattr(self, name) <= 1:
                raise ValueError(f"{name} is a probability, from 0 to 1, not {getattr(self, name)}")
        for name in ("late_by", "jitter", "lasts", *(f"{one}_{two}" for one in _TIMED for two in ("every", "for"))):
            if getattr(self, name) < 0:
                raise ValueError(f"{name} is a time in seconds, not {getattr(self, name)}")
        for name in (f"{one}_every" for one in _TIMED):
            if 0 < getattr(self, name) < _OFTEN:
                raise ValueError(f"{name} is at least {_OFTEN} s, or 0 for never, not {getattr(self, name)}")
        if isinstance(self.hosts, str):
            raise TypeError(f"hosts are several, as in hosts=[{self.hosts!r}]")
        object.__setattr__(self, "between", tuple(self.between))  # they are looked at more than once
        if any(isinstance(pair, str) or len(pair) != 2 for pair in self.between):
            raise TypeError("between are pairs of hosts, as in between=[('client', 'server')]")


_TIMED = ("partition", "crash", "restart")
_OFTEN = 0.001  # seconds: no time passes while faults are planned


class Wobble(Rule):
    """Each frame meets its own luck: lost, doubled, late, or a little slower than it might be."""

    def __init__(self, way: str, decisions: Decisions, faults: Faults) -> None:
        super().__init__("chance")
        self.way = way
        self.decisions = decisions
        self.faults = faults
        self.count = 0
        self._last = 0
        self._wobbles: bool | None = None  # whether it is slower at all, once that is decided

    def apply(self, now: int, frame: Frame) -> Deliveries:
        """What becomes of it."""
        faults = self.faults
        self.count += 1
        if faults.loss and self._happens("loss", faults.loss):
            return self.lose(frame)
        at = now
        if faults.jitter:
            if self._wobbles is None:
                self._wobbles = self.decisions.allowed(f"jitter {self.way}")
            if self._wobbles:
                at += self._drawn("jitter", faults.jitter)
            self._last = at = max(at, self._last)
        if faults.late and self._happens("late", faults.late):
            at += self._drawn("late by", faults.late_by)
        if faults.double and self._happens("double", faults.double):
            return [(at, frame), (at, frame)]
        return [(at, frame)]

    def _happens(self, what: str, probability: float) -> bool:
        return self.decisions.happens(f"{what} {self.way} #{self.count}", probability)

    def _drawn(self, what: str, most: float) -> int:
        return self.decisions.between(f"{what} {self.way} #{self.count}", 0, round(most * SECOND))


class Chaos:
    """Faults that befall a world, from `begin` on until they are over."""

    def __init__(self, world: Controlled, number: int, faults: Faults) -> None:
        self.world = world
        self.faults = faults
        self._mark = f"{number}." if number > 1 else ""  # each has its own luck
        self._began = 0.0
        self._rules: dict[Rule, Path] = {}
        self._pairs: list[tuple[str, str]] = []
        self._hosts: list[str] = []
        self._wobbles = False  # just now

    def begin(self) -> None:
        """The world begins to run, or runs already."""
        world, faults = self.world, self.faults
        self._began = world.now
        given = [(world.computer(one).name, world.computer(other).name) for one, other in faults.between]
        self._pairs = given
        self._hosts = [world.computer(one).name for one in faults.hosts]
        if world.main.name in self._hosts:
            raise ValueError(f"{world.main.name} is where the test itself runs: it can neither crash nor restart")
        self._wobbles = bool(faults.loss or faults.late or faults.double or faults.jitter)
        self._wobble(given or combinations(world.computers, 2))
        self._plan("partition", 1, faults.partition_every, self._partition)
        self._plan("crash", 1, faults.crash_every, self._crash)
        self._plan("restart", 1, faults.restart_every, self._restart)
        self._call(self._began + faults.lasts, self._end)

    def joined(self, name: str) -> None:
        """A host has come into the world."""
        if not self._pairs:
            self._wobble((other, name) for other in self.world.computers if other != name)

    def _wobble(self, pairs: Iterable[tuple[str, str]]) -> None:
        if not self._wobbles:
            return
        for one, other in pairs:
            for sender, receiver in ((one, other), (other, one)):
                way = f"{self._mark}{sender}>{receiver}"
                self._put(sender, receiver, Wobble(way, self.world.decisions, self.faults))

    def _put(self, sender: str, receiver: str, rule: Rule) -> None:
        path = self.world.sim.path(sender, receiver)
        path.pipeline.insert(rule)
        self._rules[rule] = path

    def _take(self, rule: Rule) -> None:
        path = self._rules.pop(rule)
        if rule in path.pipeline.rules:
            path.pipeline.remove(rule)

    def _end(self) -> None:
        self._wobbles = False
        for rule in tuple(self._rules):
            self._take(rule)
        self.world.note("the faults are over")

    # --- when ---

    def _call(self, when: float, call: Callable[..., object], *arguments: Any) -> None:
        """Call it at that time, as part of no program."""
        loop = self.world.loop
        assert loop is not None
        loop.call_at(when, call, *arguments, context=Context())

    def _plan(self, kind: str, number: int, every: float, fault: Callable[[str], None]) -> None:
        """Let a fault happen once in each period, and plan that of the next when it does."""
        name = f"{kind} #{self._mark}{number}"
        after = (number - 1 + self.world.decisions.draw(f"{name} when")) * every

        def happens() -> None:
            self._plan(kind, number + 1, every, fault)
            fault(name)

        if every and after < self.faults.lasts:
            self._call(self._began + after, happens)

    def _over(self, name: str, most: float) -> float:
        """When what begins now is over: after `most` seconds at most, and never later than all of it."""
        end = self.world.now + self.world.decisions.draw(f"{name} for") * most
        return min(end, self._began + self.faults.lasts)

    # --- what ---

    def _partition(self, name: str) -> None:
        decisions = self.world.decisions
        talking = (sorted((path.sender, path.receiver)) for path in self.world.sim.network.used())
        pairs = self._pairs or list(dict.fromkeys((first, second) for first, second in talking))
        if not pairs:
            return
        one, other = pairs[decisions.between(f"{name} whom", 0, len(pairs) - 1)]
        how = decisions.between(f"{name} how", 0, 3)  # half of them both ways, the others one way
        one, other = (other, one) if how == 3 else (one, other)
        told = name.replace(" #", f" {one}{'-' if how < 2 else '>'}{other} #")
        if not decisions.allowed(told):
            return
        ways = [(one, other), (other, one)] if how < 2 else [(one, other)]
        rules = [Partition(name) for _ in ways]
        for (sender, receiver), rule in zip(ways, rules, strict=True):
            self._put(sender, receiver, rule)
        self.world.note(f"{told}: nothing passes")
        self._call(self._over(name, self.faults.partition_for), self._repair, told, rules)

    def _repair(self, told: str, rules: list[Rule]) -> None:
        if all(rule in self._rules for rule in rules):
            for rule in rules:
                self._take(rule)
            self.world.note(f"{told}: repaired")

    def _crash(self, name: str) -> None:
        self._stop(name, self.faults.crash_for, self.world.crash, keep_kernel=False)

    def _restart(self, name: str) -> None:
        self._stop(name, self.faults.restart_for, self.world.kill, keep_kernel=True)

    def _stop(self, name: str, most: float, stop: Callable[[str], None], *, keep_kernel: bool) -> None:
        hosts = self._hosts or self.world.servers()
        if not hosts:
            return
        host = hosts[self.world.decisions.between(f"{name} whom", 0, len(hosts) - 1)]
        told = name.replace(" #", f" {host} #")
        process = self.world.computer(host).process
        if not process.alive or not self.world.decisions.allowed(told):
            return
        self.world.note(told, host)
        stop(host)

        def again() -> None:
            if not self.world.computer(host).process.alive:
                self.world.note(f"{told}: begins anew", host)
                self.world.bounce(host, keep_kernel=keep_kernel)

        self._call(self._over(name, most), again)
