"""What must hold of selective acknowledgments on a wire: RFC 2018 and RFC 2883, judged by what really arrived.

Offsets are those of `lastack.sim.wire_watch`.
"""

from __future__ import annotations

from lastack.wire.errors import WireError
from lastack.wire.options import Sack
from lastack.wire.options import parse as parse_options
from lastack.wire.segment import Segment

Piece = tuple[int, int]

_KIND = 5  # of the option (RFC 2018 section 3)


def blocks_of(segment: Segment) -> tuple[Piece, ...]:
    """The blocks of its SACK option, as they stand there."""
    if _KIND not in segment.options:  # nearly always: reading them takes 10 us
        return ()
    try:
        return next((option.blocks for option in parse_options(segment.options) if isinstance(option, Sack)), ())
    except WireError:
        return ()


class Pieces:
    """A set of offsets, as pieces in order that do not touch."""

    __slots__ = ("pieces",)

    def __init__(self) -> None:
        self.pieces: list[Piece] = []

    def add(self, start: int, end: int) -> None:
        """Add [start, end)."""
        apart = [one for one in self.pieces if one[1] < start or end < one[0]]
        near = [one for one in self.pieces if not (one[1] < start or end < one[0])]
        whole = (min([start, *(one[0] for one in near)]), max([end, *(one[1] for one in near)]))
        self.pieces = sorted([*apart, whole])

    def common(self, start: int, end: int) -> list[Piece]:
        """What of [start, end) is in it."""
        both = [(max(start, one[0]), min(end, one[1])) for one in self.pieces]
        return [piece for piece in both if piece[0] < piece[1]]

    def holds(self, start: int, end: int) -> bool:
        """Whether all of [start, end) is in it."""
        return any(one[0] <= start and end <= one[1] for one in self.pieces)


class SackWatch:
    """The selective acknowledgments of one side's text: what arrived, what arrived twice, what the sender was told."""

    __slots__ = ("arrived", "last_ack", "order", "progress_at", "recent", "told", "twice")

    def __init__(self) -> None:
        self.arrived = Pieces()
        self.twice = Pieces()
        self.recent: list[Piece] = []  # what arrived new since the receiver's last ACK
        self.last_ack = -1  # the receiver's
        self.told = Pieces()  # what the sender has been told that the receiver holds
        self.order = -1  # the frame that told it last
        self.progress_at = 0  # when an ACK last told the sender anything new, or the timer may have begun

    def arrives(self, start: int, end: int) -> None:
        """Text has reached the receiver."""
        if start >= end:
            return
        for one in self.arrived.common(start, end):
            self.twice.add(*one)
        if not self.arrived.holds(start, end):  # a late duplicate may be taken for old, and thrown away
            self.recent.append((start, end))
        self.arrived.add(start, end)

    def syn_arrives(self) -> None:
        """The sender's SYN has: its octet may come twice as well, on a SYN and a SYN,ACK."""
        (self.twice if self.arrived.holds(0, 1) else self.arrived).add(0, 1)

    def says(self, acked: int, blocks: list[Piece]) -> str:
        """The receiver acknowledges, with these blocks: what is wrong with them, or ""."""
        recent, self.recent = self.recent, []
        advanced, self.last_ack = acked > self.last_ack, max(acked, self.last_ack)
        if not blocks:
            return ""
        first = blocks[0]
        twice = first[1] <= acked or (len(blocks) > 1 and blocks[1][0] <= first[0] and first[1] <= blocks[1][1])
        if twice:
            if not self.twice.holds(*first):
                return f"says that {first} came twice, and it did not (RFC 2883 section 4)"
            blocks = blocks[1:]
        for start, end in blocks:
            if start <= acked or not self.arrived.holds(start, end):
                return f"says that it holds {(start, end)}, which never arrived or is acknowledged (RFC 2018 section 4)"
        fresh = [any(start <= one[0] and one[1] <= end for one in recent) for start, end in blocks]
        if not advanced and any(fresh) and not fresh[0] and not twice:
            return f"tells first of {blocks[0]}, and something came to another block (RFC 2018 section 4 (1))"
        return ""

    def hears(self, now: int, number: int, acked: int, advanced: bool, blocks: list[Piece]) -> None:
        """An ACK that tells this reached the sender in the frame `number`."""
        if number < self.order:
            return  # it may be taken for old
        self.order = number
        if advanced:
            self.progress_at = now
        if any(start <= acked < end for start, end in self.told.pieces):
            self.told = Pieces()  # the receiver has reneged (RFC 2018 section 8)
        for start, end in blocks:
            if start > acked and self.arrived.holds(start, end):
                self.told.add(start, end)

    def sends(self, now: int, start: int, end: int, acked: int, rto: int) -> str:
        """The sender sends this text; `rto` is the least that its timer waits. What is wrong with it, or ""."""
        if start <= acked and now - self.progress_at >= rto:
            self.told = Pieces()  # a time-out: what it was told is not relied on (RFC 2018 section 8)
        if start < end and self.told.holds(start, end):
            return f"sends {(start, end)} again, which the peer said that it holds (RFC 2018 section 5)"
        return ""
