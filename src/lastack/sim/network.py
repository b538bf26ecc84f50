"""The paths between hosts: who can be reached where, and what happens to packets on the way."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from lastack.link.finishing import finish
from lastack.link.frame import Frame
from lastack.link.pipeline import Entry, Pipeline
from lastack.link.rules import Rule
from lastack.sim.clock import Clock
from lastack.sim.node import Node
from lastack.sim.taps import Tap
from lastack.wire.packet import COMPLETE, VERIFIED, Buffer, Packet

ROUTER = "router"  # the sender's name of what a rule answers


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
    """Carries packets in virtual time. A path comes into being with the first packet, or when it is asked for.

    `nodes` are the hosts by name. So many packets that arrive at one moment by one path without rules are handed over
    together: `batch`.
    """

    def __init__(self, clock: Clock, nodes: Mapping[str, Node], batch: int = 1) -> None:
        self.clock = clock
        self.nodes = nodes
        self.batch = batch
        self.taps: list[Tap] = []
        self.paths: dict[tuple[str, str], Path] = {}
        self.on_path: Callable[[Path], None] | None = None  # told of each path that comes into being
        self._names: dict[bytes, str] = {}
        self._routes: dict[tuple[str, Buffer], Path] = {}  # by the sender's name and the destination's address
        self._numbers = 0
        self._answers = 0  # of these
        self._planned = 0  # under way, but for those that met nobody
        self._delivered = 0
        self._lost: Counter[str] = Counter()

    @property
    def counters(self) -> Counter[str]:
        """How many packets were "sent", "delivered", and "lost: " by what."""
        return +Counter({"sent": self._numbers - self._answers, "delivered": self._delivered, **self._lost})

    @property
    def under_way(self) -> int:
        """How many packets wait for a rule or for their arrival."""
        return self._planned + sum(action == self._arrive_plainly for action, _ in self.clock.present)

    def attach(self, name: str, address: bytes) -> None:
        """Let an address lead to a host. ValueError where another host has it."""
        if self._names.setdefault(address, name) != name:
            raise ValueError(f"the hosts {self._names[address]} and {name} cannot both have one address")

    def path(self, sender: str, receiver: str) -> Path:
        """The path of one direction."""
        path = self.paths.get((sender, receiver))
        if path is None:
            path = self.paths[sender, receiver] = Path(sender, receiver)
            if self.on_path is not None:
                self.on_path(path)
        return path

    def used(self) -> list[Path]:
        """The paths that a packet went by."""
        return list(dict.fromkeys(self._routes.values()))

    def send(self, sender: str, packet: Packet) -> None:
        """Put a packet of a host on its path; what has no known destination is lost."""
        data = packet.data
        destination = data[16:20] if data[0] >> 4 == 4 else data[24:40]
        path = self._routes.get((sender, destination)) or self._begin(sender, destination)
        if path is None or path.pipeline.rules or self.taps or packet.checksum != COMPLETE or packet.gso_size:
            self._send_finished(sender, packet, path)
            return
        # As a network without faults carries nearly all: 4 us less than the whole way, which tells of the same packet.
        self._numbers = number = self._numbers + 1
        if packet.payload:
            packet.data, packet.payload = packet.joined(), ()
        self.clock.present.append((self._arrive_plainly, (path, packet, number)))

    def _begin(self, sender: str, destination: Buffer) -> Path | None:
        """The path to an address to which nothing was sent yet; None where nobody has it."""
        receiver = self._names.get(bytes(destination))
        if receiver is None:
            return None
        path = self._routes[sender, bytes(destination)] = self.path(sender, receiver)
        return path

    def _send_finished(self, sender: str, packet: Packet, path: Path | None) -> None:
        """Cut it into the frames that the wire carries, which taps and rules see."""
        now = self.clock.now
        receiver = path.receiver if path is not None else ""
        frames = []
        for finished in (packet,) if packet.checksum == COMPLETE and not packet.gso_size else finish(packet):
            self._numbers += 1
            frame = Frame(finished.joined(), finished.transport, self._numbers, now)
            frames.append(frame)
            for tap in self.taps:
                tap.sent(now, sender, receiver, frame)
        if path is None:
            for frame in frames:
                self._lose(sender, "", frame, "no route")
            return
        if path.offload and not path.pipeline.rules:
            vouched = Packet(packet.joined(), (), VERIFIED, packet.gso_size, packet.transport)
            self._plan(now, self._arrive, (path, vouched, frames))
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
            self._planned += 1
            if rest:
                self.clock.post(at, self._continue, (path, rest, frame))
            else:
                self.clock.post(at, self._arrive, (path, frame, (frame,)))
        pipeline = path.pipeline
        if pipeline.lost:
            for frame, rule in pipeline.lost:
                self._lose(path.sender, path.receiver, frame, rule.name)
            pipeline.lost.clear()
        if pipeline.replies:
            for reply in pipeline.replies:
                self._answer(path, reply)
            pipeline.replies.clear()

    def _plan(self, at: int, action: Callable[[Any], Sequence[Node]], argument: tuple[Any, ...]) -> None:
        self._planned += 1
        self.clock.post(at, action, argument)

    # --- events: each returns the nodes that it touched ---

    def _continue(self, argument: tuple[Path, tuple[Rule, ...], Frame]) -> Sequence[Node]:
        """A frame has waited for a rule, and meets the rest of them."""
        path, rest, frame = argument
        self._planned -= 1
        self._follow(path, path.pipeline.enter(self.clock.now, frame, rest))
        return ()

    def _arrive_plainly(self, argument: tuple[Path, Packet, int]) -> Sequence[Node]:
        """Hand over a packet that met nobody on its way; who has begun to watch meanwhile sees its frame."""
        path, packet, number = argument
        node = self.nodes[path.receiver]
        host = node.host
        clock = self.clock
        if self.taps or host is None:
            frame = Frame(packet.data, packet.transport, number, clock.now)
            self._planned += 1
            return self._arrive((path, frame, (frame,)))
        now, present, receive = clock.now, clock.present, host.receive
        count = 1
        receive(now, packet)
        # What comes behind it at this moment, on the same path, is of the same batch.
        while present and count < self.batch and present[0][0] == self._arrive_plainly and present[0][1][0] is path:
            receive(now, present.popleft()[1][1])
            count += 1
        self._delivered += count
        return (node,)

    def _arrive(self, argument: tuple[Path, Packet, Sequence[Frame]]) -> Sequence[Node]:
        """Hand over a packet, which on the wire was these frames."""
        path, packet, frames = argument
        now = self.clock.now
        self._planned -= 1
        node = self.nodes[path.receiver]
        if node.host is None:
            for frame in frames:
                self._lose(path.sender, path.receiver, frame, "host is down")
            return (node,)
        for frame in frames:
            self._delivered += 1
            for tap in self.taps:
                tap.delivered(now, path.sender, path.receiver, frame)
        node.host.receive(now, packet)
        return (node,)

    def _answer(self, path: Path, packet: Packet) -> None:
        """A router on the path tells the sender something, and that is not lost on the way."""
        self._numbers += 1
        self._answers += 1
        frame = Frame(packet.joined(), packet.transport, self._numbers, self.clock.now)
        for tap in self.taps:
            tap.sent(self.clock.now, ROUTER, path.sender, frame)
        self._plan(self.clock.now, self._arrive, (Path(ROUTER, path.sender), frame, (frame,)))

    def _lose(self, sender: str, receiver: str, frame: Frame, why: str) -> None:
        self._lost[f"lost: {why}"] += 1
        for tap in self.taps:
            tap.lost(self.clock.now, sender, receiver, frame, why)
