"""Goodput of a bulk transfer through two complete stacks on a lossy path, and what the PFTK model says of it.

PFTK: Padhye, Firoiu, Towsley, Kurose, "Modeling TCP Reno Performance", IEEE/ACM Transactions on Networking 8(2), 2000,
equation (30) without a limit by the receiver's window.
"""

from __future__ import annotations

from math import sqrt

from lastack.link.faults import Faults
from lastack.link.frame import Frame
from lastack.link.rules import Deliveries, Rule
from lastack.sim.world import SECOND
from lastack.tcp.config import DEFAULT, Config
from lastack.tcp.sequence import HALF, MASK
from tests.sim.bulk import Bulk

RTT = 0.1
# Half a window's segments are answered one by one at the start, then one ACK for every two (RFC 9293 SHLD-19).
SEGMENTS_AN_ACK = 2


def pftk(loss: float, mss: int, rto: float, rtt: float = RTT) -> float:
    """Bytes a second that a Reno sender brings through at this probability of loss; times in seconds."""
    b = SEGMENTS_AN_ACK
    fast = rtt * sqrt(2 * b * loss / 3)
    timeouts = rto * min(1.0, 3 * sqrt(3 * b * loss / 8)) * loss * (1 + 32 * loss**2)
    return mss / (fast + timeouts)


class LostTwice(Rule):
    """Of the segments with text every one of so many is lost, and so is its first retransmission."""

    def __init__(self, every: int) -> None:
        super().__init__("lost twice")
        self._every = every
        self._count = 0
        self._end: int | None = None  # of the highest that was seen
        self._again: set[int] = set()

    def apply(self, now: int, frame: Frame) -> Deliveries:
        segment = frame.segment
        if segment is None or not segment.length:
            return [(now, frame)]
        if segment.seq in self._again:
            self._again.discard(segment.seq)
            return self.lose(frame)
        if self._end is None or (segment.seq - self._end) & MASK < HALF:
            self._end = (segment.seq + segment.length) & MASK
            self._count += 1
            if self._count % self._every == 0:
                self._again.add(segment.seq)
                return self.lose(frame)
        return [(now, frame)]


class Transfer(Bulk):
    """One flow for `seconds` of virtual time; only A's packets are lost."""

    def __init__(
        self, loss: float, seconds: int, seed: int = 1, a: Config = DEFAULT, b: Config = DEFAULT, *more: Rule
    ) -> None:
        super().__init__(seed, a, b)
        for one, other, share in (("a", "b", loss), ("b", "a", 0.0)):
            for rule in Faults(loss=share, delay=int(RTT / 2 * SECOND)).rules(self.world.random):
                self.world.path(one, other).add(rule)
        for rule in more:
            self.world.path("a", "b").add(rule)
        self.flow()
        self.world.run(for_=seconds * SECOND)
        self.goodput = self.got.total() / seconds
