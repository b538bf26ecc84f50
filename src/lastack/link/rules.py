"""What can happen to a frame on its way: rules that are combined freely, in either world.

A rule turns (now, frame) into a list of (deliver at, frame): empty where the frame is lost or held, two entries where
it is doubled. Times are integer microseconds; `now` is virtual time in a simulation and real time in front of a
device. A rule that needs chance is given a generator, so one seed is one run. Every value of a rule may be written
while it runs.
"""

from __future__ import annotations

from collections import Counter
from random import Random
from typing import Any, ClassVar

from lastack.link.frame import Frame
from lastack.wire.packet import Packet

Deliveries = list[tuple[int, Frame]]


class Rule:
    """A rule that lets everything pass. `on` switches it; `counters` tell what it did.

    One that remembers something of the frames on one way (`of_one_way`) keeps it by `side`, which is that of the frame
    at hand: 0 but for a rule that stands on several (`lastack.link.sides.Side`).
    """

    of_one_way: ClassVar[bool] = False

    def __init__(self, name: str) -> None:
        self.name = name
        self.on = True
        self.start: int | None = None
        self.end: int | None = None
        self.counters: Counter[str] = Counter()
        self.replies: list[Packet] = []  # what this rule sends back to the sender (ICMP)
        self.lost: list[Frame] = []  # for who draws or counts; the pipeline takes them
        self.pipeline: Any = None  # in which it stands, or has stood
        self.side = 0
        self.sides = 0  # how many ways it was given

    @property
    def whole(self) -> Rule:
        """The rule itself, of what stands for it on one of several ways."""
        return self

    def during(self, start: int | None, end: int | None) -> Rule:
        """Let the rule act from `start` on and before `end` alone; None means no bound. Returns the rule."""
        self.start, self.end = start, end
        return self

    def active(self, now: int) -> bool:
        """Whether the rule acts at this time."""
        return self.on and (self.start is None or now >= self.start) and (self.end is None or now < self.end)

    def apply(self, now: int, frame: Frame) -> Deliveries:
        """What becomes of a frame; called only while the rule is active."""
        return [(now, frame)]

    def release(self, now: int) -> list[Frame]:
        """Give back what the rule holds, oldest first."""
        return []

    def lose(self, frame: Frame, why: str = "lost") -> Deliveries:
        """Count a frame as lost, by the name of the counter."""
        self.counters[why] += 1
        self.lost.append(frame)
        return []

    def __repr__(self) -> str:
        state = "on" if self.on else "off"
        return f"<{self.name} {state} {dict(self.counters)}>"


class Loss(Rule):
    """Each frame is lost with `probability`."""

    def __init__(self, probability: float, generator: Random, name: str = "loss") -> None:
        super().__init__(name)
        self.probability = probability
        self.generator = generator

    def apply(self, now: int, frame: Frame) -> Deliveries:
        if self.generator.random() < self.probability:
            return self.lose(frame)
        return [(now, frame)]


class Mark(Rule):
    """Each frame whose sender knows ECN is marked with `probability`, as a router does instead of dropping it (RFC 3168
    section 5)."""

    def __init__(self, probability: float, generator: Random, name: str = "ecn_mark") -> None:
        super().__init__(name)
        self.probability = probability
        self.generator = generator

    def apply(self, now: int, frame: Frame) -> Deliveries:
        if self.generator.random() < self.probability and (marked := frame.with_mark()) is not None:
            self.counters["marked"] += 1
            return [(now, marked)]
        return [(now, frame)]


class Delay(Rule):
    """Each frame takes `delay` microseconds, give or take up to `jitter`.

    Jitter alone does not put frames out of order, as a queue does not; with `keep_order` False it may.
    """

    of_one_way = True

    def __init__(
        self, delay: int, generator: Random, jitter: int = 0, keep_order: bool = True, name: str = "delay"
    ) -> None:
        super().__init__(name)
        self.delay = delay
        self.jitter = jitter
        self.generator = generator
        self.keep_order = keep_order
        self._last: dict[int, int] = {}  # by side

    def apply(self, now: int, frame: Frame) -> Deliveries:
        at = now + self.delay
        if self.jitter:
            at = max(now, at + self.generator.randint(-self.jitter, self.jitter))
        if self.keep_order:
            at = self._last[self.side] = max(at, self._last.get(self.side, 0))
        self.counters["delayed"] += 1
        return [(at, frame)]


class Duplicate(Rule):
    """With `probability` a frame arrives twice, the copy up to `later` microseconds after the first."""

    def __init__(self, probability: float, generator: Random, later: int = 0, name: str = "duplicate") -> None:
        super().__init__(name)
        self.probability = probability
        self.generator = generator
        self.later = later

    def apply(self, now: int, frame: Frame) -> Deliveries:
        if self.generator.random() < self.probability:
            self.counters["duplicated"] += 1
            return [(now, frame), (now + (self.generator.randint(0, self.later) if self.later else 0), frame)]
        return [(now, frame)]


class Reorder(Rule):
    """With `probability` a frame is kept back for up to `by` microseconds, so that later ones overtake it."""

    def __init__(self, probability: float, generator: Random, by: int = 5_000, name: str = "reorder") -> None:
        super().__init__(name)
        self.probability = probability
        self.generator = generator
        self.by = by

    def apply(self, now: int, frame: Frame) -> Deliveries:
        if self.generator.random() < self.probability:
            self.counters["reordered"] += 1
            return [(now + self.generator.randint(1, max(1, self.by)), frame)]
        return [(now, frame)]


class Corrupt(Rule):
    """With `probability` one bit of the finished frame is flipped; every checksum of one's complements sees that."""

    def __init__(self, probability: float, generator: Random, name: str = "corrupt") -> None:
        super().__init__(name)
        self.probability = probability
        self.generator = generator

    def apply(self, now: int, frame: Frame) -> Deliveries:
        if self.generator.random() < self.probability and len(frame.data):
            self.counters["corrupted"] += 1
            bit = self.generator.randrange(len(frame.data) * 8)
            data = bytearray(frame.data)
            data[bit >> 3] ^= 1 << (bit & 7)
            return [(now, frame.hurt_to(bytes(data)))]
        return [(now, frame)]


class Rate(Rule):
    """A wire of `rate` bits a second with a queue of `limit` bytes in front of it; what it cannot take is lost."""

    of_one_way = True

    def __init__(self, rate: int, limit: int = 256 * 1024, name: str = "rate") -> None:
        super().__init__(name)
        self.rate = rate
        self.limit = limit
        # In billionths of a second: at 100 Gbit/s a byte takes less than a microsecond.
        self._free_at: dict[int, int] = {}

    def apply(self, now: int, frame: Frame) -> Deliveries:
        size, now_ns = len(frame.data), now * 1000
        free_at = self._free_at.get(self.side, 0)
        waiting = max(0, free_at - now_ns) * self.rate // 8_000_000_000
        if waiting + size > max(self.limit, size):
            return self.lose(frame, "queue full")
        self._free_at[self.side] = free_at = max(free_at, now_ns) + size * 8_000_000_000 // self.rate
        self.counters["sent"] += 1
        self.counters["bytes"] += size
        return [(-(-free_at // 1000), frame)]


class Partition(Rule):
    """Nothing passes. On the paths of both directions it is a partition, on one of them a one-way partition."""

    def __init__(self, name: str = "partition") -> None:
        super().__init__(name)

    def apply(self, now: int, frame: Frame) -> Deliveries:
        return self.lose(frame)
