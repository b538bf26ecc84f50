"""Rules without chance: lose exactly this segment, hold and release, routing loops, a path's MTU."""

from __future__ import annotations

from collections.abc import Callable, Collection

from lastack.link.finishing import addresses
from lastack.link.frame import Frame
from lastack.link.match import EVERYTHING, parse_choice
from lastack.link.rules import Deliveries, Rule
from lastack.wire import icmp
from lastack.wire.datagram import build_icmp

Predicate = Callable[[Frame], bool]


class Chosen(Rule):
    """A rule about the frames that match: all, those of the given numbers (counted from 1), or each segment once.

    `once` leaves its retransmissions alone: a segment is known by its ports, flags and sequence number.
    """

    def __init__(
        self,
        name: str,
        matches: Predicate = EVERYTHING,
        numbers: Collection[int] | None = None,
        once: bool = False,
    ) -> None:
        super().__init__(name)
        self.matches = matches
        self.numbers = numbers
        self.once = once
        self.matched = 0
        self._known: set[tuple[int, ...]] = set()

    def means(self, frame: Frame) -> bool:
        """Whether the rule is about this frame; to be asked once of each, as it counts."""
        if not self.matches(frame):
            return False
        self.matched += 1
        if self.once:
            return self._is_new(frame)
        return self.numbers is None or self.matched in self.numbers

    def _is_new(self, frame: Frame) -> bool:
        segment = frame.segment
        key = (
            (segment.source_port, segment.destination_port, segment.flags & 7, segment.seq, segment.length)
            if segment is not None
            else tuple(frame.data)
        )
        if key in self._known:
            return False
        self._known.add(key)
        return True


class Drop(Chosen):
    """Lose the frames that match."""

    def __init__(
        self,
        matches: Predicate = EVERYTHING,
        numbers: Collection[int] | None = None,
        once: bool = False,
        name: str = "drop",
    ) -> None:
        super().__init__(name, matches, numbers, once)

    @classmethod
    def parse(cls, text: str) -> Drop:
        """The rule for a text such as "3rd SYN" or "every FIN once"; ValueError says what is wrong with it."""
        matches, numbers, once = parse_choice(text)
        return cls(matches, numbers, once, name=f"drop {text}")

    def apply(self, now: int, frame: Frame) -> Deliveries:
        """Lose what is meant."""
        if not self.means(frame):
            return [(now, frame)]
        return self.lose(frame)


class Hold(Chosen):
    """Keep the frames that match until they are released: a wandering duplicate on a lead.

    With `copy` the frame passes as well and what is held is its duplicate. At most `limit` frames are held of one way;
    more are lost (or, with `copy`, just pass).
    """

    of_one_way = True

    def __init__(
        self,
        matches: Predicate = EVERYTHING,
        numbers: Collection[int] | None = None,
        copy: bool = False,
        limit: int = 10_000,
        name: str = "hold",
        once: bool = False,
    ) -> None:
        super().__init__(name, matches, numbers, once)
        self.copy = copy
        self.limit = limit
        self._held: dict[int, list[Frame]] = {}

    @property
    def held(self) -> list[Frame]:
        """What it holds, of each way the oldest first."""
        return [frame for held in self._held.values() for frame in held]

    def apply(self, now: int, frame: Frame) -> Deliveries:
        """Keep what is meant."""
        if not self.means(frame):
            return [(now, frame)]
        held = self._held.setdefault(self.side, [])
        if len(held) < self.limit:
            held.append(frame)
            self.counters["held"] += 1
        elif not self.copy:
            return self.lose(frame)
        return [(now, frame)] if self.copy else []

    def release(self, now: int) -> list[Frame]:
        """Let it go on."""
        held = self._held.pop(self.side, [])
        self.counters["released"] += len(held)
        return held


class Loop(Chosen):
    """A routing loop: the frames that match go round, `hops` routers in `cycle` microseconds, until it is repaired.

    Each router takes one from the hop limit; a frame whose limit is used up dies in the loop (RFC 791 section 3.2,
    RFC 8200 section 3). `release` is the repair: who is still alive goes on, with what is left of its limit.
    """

    of_one_way = True

    def __init__(
        self,
        matches: Predicate = EVERYTHING,
        numbers: Collection[int] | None = None,
        cycle: int = 1_000_000,
        hops: int = 2,
        name: str = "loop",
    ) -> None:
        super().__init__(name, matches, numbers)
        self.cycle = cycle
        self.hops = hops
        self._caught: dict[int, list[tuple[int, Frame]]] = {}

    @property
    def caught(self) -> list[tuple[int, Frame]]:
        """(since when, the frame) of what goes round, of each way the oldest first."""
        return [one for caught in self._caught.values() for one in caught]

    def apply(self, now: int, frame: Frame) -> Deliveries:
        """Catch what is meant."""
        if not self.means(frame):
            return [(now, frame)]
        self._caught.setdefault(self.side, []).append((now, frame))
        self.counters["caught"] += 1
        return []

    def hops_taken(self, since: int, now: int) -> int:
        """Routers passed by a frame that was caught at `since`."""
        return (now - since) * self.hops // self.cycle

    def dies_at(self, since: int, frame: Frame) -> int:
        """When the hop limit of a frame that was caught at `since` is used up."""
        return since - (-frame.hop_limit * self.cycle // self.hops)

    def alive(self, now: int) -> int:
        """How many frames still go round; the dead are counted and forgotten (of several ways: when it is repaired)."""
        self._forget_dead(now)
        return sum(self._lives(since, frame, now) for since, frame in self.caught)

    def _lives(self, since: int, frame: Frame, now: int) -> bool:
        return self.hops_taken(since, now) < frame.hop_limit

    def _forget_dead(self, now: int) -> None:
        living = []
        for since, frame in self._caught.pop(self.side, []):
            if self._lives(since, frame, now):
                living.append((since, frame))
            else:
                self.lose(frame, "died")
        self._caught[self.side] = living

    def release(self, now: int) -> list[Frame]:
        """Let it go on."""
        self._forget_dead(now)
        caught = self._caught.pop(self.side)
        self.counters["released"] += len(caught)
        return [frame.with_hop_limit(frame.hop_limit - self.hops_taken(since, now)) for since, frame in caught]


class Mtu(Rule):
    """A link that takes packets of `mtu` bytes. What is larger is lost; the sender is told, or not (a black hole).

    IPv4 answers where the packet must not be fragmented (RFC 1191 section 4); one that may be is lost too, and
    counted apart: there are no routers here that fragment. IPv6 always answers (RFC 8201).
    """

    def __init__(self, mtu: int, router: bytes = b"", tells: bool = True, name: str = "mtu") -> None:
        super().__init__(name)
        self.mtu = mtu
        self.router = router  # the address that answers; empty: the destination's
        self.tells = tells

    def apply(self, now: int, frame: Frame) -> Deliveries:
        if len(frame.data) <= self.mtu:
            return [(now, frame)]
        version = frame.data[0] >> 4
        if version == 4 and not frame.data[6] & 0x40:
            return self.lose(frame, "needs fragmentation")
        if self.tells:
            source, destination = addresses(frame.data)
            message = icmp.too_big(version, self.mtu, frame.data)
            self.replies.append(build_icmp(self.router or destination, source, message))
        return self.lose(frame, "too big")
