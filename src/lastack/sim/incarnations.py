"""What a watch on a wire knows a segment by: its connection's names, and the SYN that its numbers count from."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Self

from lastack.link.frame import Frame
from lastack.tcp.sequence import HALF, MASK
from lastack.wire.datagram import parse
from lastack.wire.errors import WireError
from lastack.wire.packet import Buffer
from lastack.wire.segment import Segment

Key = tuple[Buffer, int, Buffer, int]


class Incarnation:
    """One direction of one incarnation of a connection: it begins with a SYN. A watch adds what it has seen of it.

    Offsets are counted from the initial sequence number, so that nothing wraps: a connection here moves far less than
    half of the numbers, and an offset beyond that is one before the beginning.
    """

    __slots__ = ("first", "iss", "older")

    def __init__(self, iss: int, first: int, older: Self | None) -> None:
        self.iss = iss
        self.first = first  # the number of the frame with the SYN
        self.older = older  # the incarnation before

    def offset(self, number: int) -> int:
        """A sequence number as an offset from the initial one; negative just before it."""
        offset = (number - self.iss) & MASK
        return offset - MASK - 1 if offset >= HALF else offset

    def all(self) -> Iterator[Self]:
        """This incarnation and those before, the latest first: the other side may not have heard of it yet."""
        one: Self | None = self
        while one is not None:
            yield one
            one = one.older


def key_of(frame: Frame, segment: Segment) -> Key:
    """The direction of a segment: who sends it, and to whom."""
    data = frame.data  # whose header could be read
    if data[0] >> 4 == 4:
        return data[12:16], segment.source_port, data[16:20], segment.destination_port
    return data[8:24], segment.source_port, data[24:40], segment.destination_port


def believed(frame: Frame) -> Segment | None:
    """The segment of a frame as a receiver takes it: one that is hurt only if its checksums hold all the same.

    No checksum covers all of an IPv6 header.
    """
    if not frame.hurt:
        return frame.segment
    try:
        _, segment = parse(frame)
    except WireError:
        return None
    return segment if isinstance(segment, Segment) else None
