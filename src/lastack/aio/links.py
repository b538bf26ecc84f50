"""What befalls segments between two hosts of a world. Times are in seconds, rates in bits a second."""

from __future__ import annotations

from collections.abc import Callable, Collection
from math import inf
from typing import Protocol

from lastack.aio.decisions import Decisions
from lastack.link.frame import Frame
from lastack.link.match import EVERYTHING, parse_choice
from lastack.link.rules import Deliveries, Partition, Rate, Rule
from lastack.link.sides import Side
from lastack.link.targeted import Chosen, Drop, Hold, Loop
from lastack.sim.network import Path
from lastack.sim.world import SECOND, World

# What a rule that is given in words is about: "3rd SYN", "every FIN", or a function of the frame (its `segment` is a
# `lastack.wire.segment.Segment`, or None).
Choice = str | Callable[[Frame], bool]


class Lose(Rule):
    """Each frame is lost with `probability`."""

    def __init__(self, way: str, decisions: Decisions, probability: float) -> None:
        super().__init__("loss")
        self.way = way
        self.decisions = decisions
        self.probability = probability
        self.count = 0

    def apply(self, now: int, frame: Frame) -> Deliveries:
        self.count += 1
        if self.decisions.happens(f"{self.name} {self.way} #{self.count}", self.probability):
            return self.lose(frame)
        return [(now, frame)]


class Latency(Rule):
    """Each frame takes `delay` microseconds and up to `jitter` more; the order is kept."""

    def __init__(self, way: str, decisions: Decisions, delay: int, jitter: int) -> None:
        super().__init__("latency")
        self.way = way
        self.decisions = decisions
        self.delay = delay
        self.jitter = jitter
        self.count = 0
        self._last = 0

    def apply(self, now: int, frame: Frame) -> Deliveries:
        at = now + self.delay
        if self.jitter:
            self.count += 1
            at += self.decisions.between(f"{self.name} {self.way} #{self.count}", 0, self.jitter)
        self._last = at = max(at, self._last)
        return [(at, frame)]


class Late(Chosen):
    """The frames that are meant take `delay` microseconds more, and others overtake them."""

    def __init__(self, choice: Choice, delay: int) -> None:
        super().__init__(f"delay {choice}" if isinstance(choice, str) else "delay", *_parsed(choice))
        self.delay = delay

    def apply(self, now: int, frame: Frame) -> Deliveries:
        """Let what is meant come later."""
        if not self.means(frame):
            return [(now, frame)]
        self.counters["delayed"] += 1
        return [(now + self.delay, frame)]


class Owner(Protocol):
    """Whose links they are: a world of ours, which decides what happens by chance, over one of `lastack.sim`."""

    decisions: Decisions
    sim: World


class Link:
    """One direction between two hosts, or both of them (`paths`).

    What is set anew replaces what was: latency, loss, bandwidth. Rules about chosen segments come in addition.
    """

    def __init__(self, world: Owner, paths: tuple[Path, ...]) -> None:
        self.world = world
        self.paths = paths

    def latency(self, seconds: float, jitter: float = 0.0) -> None:
        """How long each segment takes, and by how much longer at most, by chance; the order is kept."""
        for path in self.paths:
            rule = Latency(_way(path), self.world.decisions, _us(seconds), _us(jitter))
            self._replace(path, "latency", rule)

    def loss(self, probability: float) -> None:
        """With what probability a segment is lost."""
        if not 0 <= probability <= 1:
            raise ValueError(f"a probability is from 0 to 1, not {probability}")
        for path in self.paths:
            rule = Lose(_way(path), self.world.decisions, probability) if probability else None
            self._replace(path, "loss", rule, first=True)

    def bandwidth(self, bits: float | None, queue: int = 256 * 1024) -> None:
        """Bits a second, behind a queue of so many bytes (what it cannot take is lost); None: without bound."""
        if (bits is not None and not 1 <= bits < inf) or queue < 0:
            raise ValueError(f"at least one bit a second, or None, and no negative queue: {bits}, {queue}")
        for path in self.paths:
            self._replace(path, "rate", Rate(int(bits), queue) if bits is not None else None)

    def partition(self) -> None:
        """Let nothing pass until `repair`."""
        for path in self.paths:
            self._replace(path, "partition", Partition(), first=True)

    def repair(self) -> None:
        """Let all pass again; what was lost stays lost."""
        for path in self.paths:
            self._replace(path, "partition", None)

    def hold(self, choice: Choice = EVERYTHING) -> Rule:
        """Keep what is meant until `release`."""
        matches, numbers, once = _parsed(choice)
        return self.rule(Hold(matches, numbers, once=once))

    def release(self) -> None:
        """Let go all that is held, and hold nothing more."""
        for path in self.paths:
            for rule in [one for one in path.pipeline.rules if isinstance(one.whole, Hold | Loop)]:
                rule.on = False
                self.world.sim.network.release(path, rule)
                path.pipeline.rules.remove(rule)

    def drop(self, choice: Choice = EVERYTHING) -> Rule:
        """Lose what is meant: "3rd SYN", "every FIN once", or what a function says of the frame. Returns the rule,
        whose `on` switches it and whose `counters` tell what it did. ValueError for a text that means nothing."""
        return self.rule(Drop.parse(choice) if isinstance(choice, str) else Drop(*_parsed(choice)))

    def delay(self, choice: Choice, seconds: float) -> Rule:
        """Let what is meant arrive later by so much."""
        return self.rule(Late(choice, _us(seconds)))

    def rule(self, rule: Rule) -> Rule:
        """Add a rule of `lastack.link` in front of all others; returns it. What it holds in each direction, and how
        busy its wire is there, are things apart; numbers ("3rd SYN") are counted in both together."""
        if not isinstance(rule, Rule):
            raise TypeError(f"a link's rule is one of lastack.link's, as Drop or Late, not {rule!r}")
        for path in self.paths:
            path.pipeline.insert(Side(rule) if len(self.paths) > 1 else rule)
        return rule

    def _replace(self, path: Path, name: str, rule: Rule | None, *, first: bool = False) -> None:
        for old in [one for one in path.pipeline.rules if one.name == name]:
            path.pipeline.remove(old)
        if rule is not None:
            (path.pipeline.insert if first else path.pipeline.add)(rule)


def _parsed(choice: Choice) -> tuple[Callable[[Frame], bool], Collection[int] | None, bool]:
    """As `parse_choice`."""
    if callable(choice):
        return choice, None, False
    if not isinstance(choice, str):
        raise TypeError(f"segments are chosen by a text, as '3rd SYN', or by a function of the frame, not {choice!r}")
    return parse_choice(choice)


def _way(path: Path) -> str:
    return f"{path.sender}>{path.receiver}"


def _us(seconds: float) -> int:
    if seconds < 0:
        raise ValueError(f"a time is not negative: {seconds}")
    if not seconds < inf:
        raise ValueError(f"a time is so many seconds, not {seconds}")
    return round(seconds * SECOND)
