"""The paths between hosts: who can be reached where, and what happens to packets on the way."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from functools import partial
from typing import Protocol

from lastack.link.finishing import addresses, finish
from lastack.link.frame import Frame
from lastack.link.pipeline import Entry, Pipeline
from lastack.link.rules import Rule
from lastack.sim.clock import Clock
from lastack.sim.taps import Tap
from lastack.wire.packet import VERIFIED, Packet

ROUTER = "router"  # the sender's name of what a rule answers


class Hosts(Protocol):
    """What the network asks of those whom it connects."""

    def is_up(self, name: str) -> bool:
        """Whether the host of that name takes packets."""

    def deliver(self, name: str, packet: Packet) -> None:
        """Hand a packet to it."""


class Path:
    """One direction between two hosts: its rules, in the order in which a frame meets them.

    With `offload` a packet that meets no rule arrives as it left, as between two hosts on one machine: super-segments
    whole, checksums vouched for. Taps see what the wire would carry all the same.
    """

    def __init__(self, sender: str, receiver: str) -> None:
        self.sender = sender
        self.receiver = receiver
        self.pipeline = Pipeline()
        self.offload = False

    def add(self, rule: Rule) -> Rule:
        """Put a rule at the end of the path; returns it."""
        return self.pipeline.add(rule)

    def __repr__(self) -> str:
        return f"<path {self.sender} to {self.receiver}: {self.pipeline.rules}>"


class Network:
    """Carries packets in virtual time. A path comes into being with the first packet, or when it is asked for."""

    def __init__(self, clock: Clock, hosts: Hosts) -> None:
        self.clock = clock
        self.hosts = hosts
        self.taps: list[Tap] = []
        self.paths: dict[tuple[str, str], Path] = {}
        self.counters: Counter[str] = Counter()
        self.under_way = 0
        self._names: dict[bytes, str] = {}
        self._numbers = 0

    def attach(self, name: str, address: bytes) -> None:
        """Let an address lead to a host. ValueError where another host has it."""
        if self._names.setdefault(address, name) != name:
            raise ValueError(f"the hosts {self._names[address]} and {name} cannot both have one address")

    def path(self, sender: str, receiver: str) -> Path:
        """The path of one direction."""
        path = self.paths.get((sender, receiver))
        if path is None:
            path = self.paths[sender, receiver] = Path(sender, receiver)
        return path

    def send(self, sender: str, packet: Packet) -> None:
        """Put a packet of a host on its path; what has no known destination is lost."""
        now = self.clock.now
        receiver = self._names.get(addresses(packet.data)[1])
        frames = []
        for finished in finish(packet):
            self._numbers += 1
            frame = Frame(finished.data, finished.transport, self._numbers, now)
            frames.append(frame)
            self.counters["sent"] += 1
            for tap in self.taps:
                tap.sent(now, sender, receiver or "", frame)
        if receiver is None:
            for frame in frames:
                self._lost(sender, "", frame, "no route")
            return
        path = self.path(sender, receiver)
        if path.offload and not path.pipeline.rules:
            whole = Packet(packet.joined(), (), VERIFIED, packet.gso_size, packet.transport)
            self._plan(now, partial(self._arrive, path, whole, frames))
            return
        for frame in frames:
            self._follow(path, path.pipeline.enter(now, frame))

    def release(self, path: Path, rule: Rule) -> None:
        """Let go what a rule on a path holds."""
        self._follow(path, path.pipeline.release(self.clock.now, rule))

    def heal(self) -> None:
        """Repair everything: no rule stands any more, and what was held goes on."""
        for path in self.paths.values():
            rules = list(path.pipeline.rules)
            for rule in rules:
                rule.on = False
            for rule in rules:
                self.release(path, rule)
            path.pipeline.rules.clear()

    def _follow(self, path: Path, entries: list[Entry]) -> None:
        """Plan what is still under way; report what is not, and bring the answers back."""
        for at, rest, frame in entries:
            action = partial(self._continue, path, rest, frame) if rest else partial(self._arrive, path, frame, [frame])
            self._plan(at, action)
        pipeline = path.pipeline
        if pipeline.lost:
            for frame, rule in pipeline.lost:
                self._lost(path.sender, path.receiver, frame, rule.name)
            pipeline.lost.clear()
        if pipeline.replies:
            for reply in pipeline.replies:
                self._answer(path, reply)
            pipeline.replies.clear()

    def _plan(self, at: int, action: Callable[[], str | None]) -> None:
        self.under_way += 1
        self.clock.plan(at, action)

    def _continue(self, path: Path, rest: tuple[Rule, ...], frame: Frame) -> str:
        self.under_way -= 1
        self._follow(path, path.pipeline.enter(self.clock.now, frame, rest))
        return ""

    def _arrive(self, path: Path, packet: Packet, frames: list[Frame]) -> str:
        """Hand over a packet, which on the wire was these frames."""
        self.under_way -= 1
        up = self.hosts.is_up(path.receiver)
        for frame in frames:
            if not up:
                self._lost(path.sender, path.receiver, frame, "host is down")
                continue
            self.counters["delivered"] += 1
            for tap in self.taps:
                tap.delivered(self.clock.now, path.sender, path.receiver, frame)
        if up:
            self.hosts.deliver(path.receiver, packet)
        return path.receiver

    def _answer(self, path: Path, packet: Packet) -> None:
        """A router on the path tells the sender something, and that is not lost on the way."""
        self._numbers += 1
        frame = Frame(packet.joined(), packet.transport, self._numbers, self.clock.now)
        for tap in self.taps:
            tap.sent(self.clock.now, ROUTER, path.sender, frame)
        self._plan(self.clock.now, partial(self._arrive, Path(ROUTER, path.sender), frame, [frame]))

    def _lost(self, sender: str, receiver: str, frame: Frame, why: str) -> None:
        self.counters[f"lost: {why}"] += 1
        for tap in self.taps:
            tap.lost(self.clock.now, sender, receiver, frame, why)
