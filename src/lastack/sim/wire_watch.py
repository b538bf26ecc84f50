"""What must hold of the segments on a wire, whatever the hosts believe: windows, acknowledgments, sequence numbers.

Everything here is judged from outside, by the bytes that were sent and those that arrived. Offsets are counted from
the initial sequence number of the side whose text it is, so that nothing wraps.
"""

from __future__ import annotations

from collections.abc import Iterator

from lastack.link.finishing import addresses
from lastack.link.frame import Frame
from lastack.sim.taps import Tap
from lastack.sim.world import World
from lastack.wire.datagram import parse
from lastack.wire.errors import WireError
from lastack.wire.options import WindowScale
from lastack.wire.options import parse as parse_options
from lastack.wire.segment import ACK, RST, SYN, Segment, segment_length

_MASK = 0xFFFFFFFF
_MAX_SHIFT = 14
# A connection here moves far less than this; an offset beyond it is one behind the beginning.
_FAR = 1 << 31

Key = tuple[bytes, int, bytes, int]


class Side:
    """One direction of one incarnation: the text of who sent the SYN, and what the other side said of it."""

    __slots__ = ("advertised", "allowed", "arrived", "end", "first", "islands", "iss", "offered", "older", "shift")

    def __init__(self, iss: int, shift: int, first: int, older: Side | None) -> None:
        self.iss = iss
        self.shift = shift  # of the windows that this side sends; -1: not offered
        self.first = first  # the number of the frame with the SYN
        self.end = 0  # behind what has been sent
        self.arrived = 0  # behind what has arrived without a hole
        self.islands: list[tuple[int, int]] = []
        self.advertised = 0  # the right edge of the window that the other side has sent
        self.allowed = 0  # ... and that has arrived here
        self.offered = 0  # the window of this side's SYN, once that has arrived
        self.older = older

    def offset(self, number: int) -> int:
        """A sequence number as an offset from the initial one; negative just behind it."""
        offset = (number - self.iss) & _MASK
        return offset - (1 << 32) if offset >= _FAR else offset

    def before(self) -> Iterator[Side]:
        """The incarnations before this one, the latest first."""
        older = self.older
        while older is not None:
            yield older
            older = older.older

    def arrives(self, start: int, end: int) -> None:
        """Text has reached the other side."""
        if start > self.arrived:
            self.islands.append((start, end))
            self.islands.sort()
            return
        self.arrived = max(self.arrived, end)
        while self.islands and self.islands[0][0] <= self.arrived:
            self.arrived = max(self.arrived, self.islands.pop(0)[1])


class WireWatch(Tap):
    """Fails where a segment breaks what RFC 9293 demands of any sender and any receiver:

    it acknowledges what has not arrived (3.8.6), moves the right edge of its window back (3.8.6, RFC 7323 2.4), sends
    beyond the window of the peer and is no probe (3.8.6.1), leaves a gap in its own sequence numbers, belongs to a
    connection that sent no SYN and is no reset, or cannot be read at all.
    """

    def __init__(self, world: World) -> None:
        self.world = world
        self.sides: dict[Key, Side] = {}

    def sent(self, now: int, sender: str, receiver: str, frame: Frame) -> None:
        try:
            _, segment = parse(frame)
        except WireError as error:
            raise self.world.fail(sender, f"a packet that no receiver would take: {error}") from None
        frame.segment = segment if isinstance(segment, Segment) else None
        if not isinstance(segment, Segment) or segment.flags & RST:
            return
        key = _key(frame, segment)
        other = self.sides.get(key[2:] + key[:2])
        mine = self.sides.get(key)
        if segment.flags & SYN and (mine is None or mine.iss != segment.seq):
            mine = self.sides[key] = Side(segment.seq, _shift(segment), frame.number, mine)
            if other is not None:
                other.advertised = 0  # what this host said before, an earlier connection of it said
        if mine is None:
            raise self.world.fail(sender, f"{segment!r} belongs to no connection and is no reset")
        if not segment.flags & SYN and _of_older(mine, segment):
            return  # a TIME-WAIT that took a SYN for a new incarnation, and was told that it was an old duplicate
        self._check_sequence(sender, mine, other, segment)
        if segment.flags & ACK:
            self._check_acknowledgment(sender, mine, other, segment)

    def _check_sequence(self, sender: str, mine: Side, other: Side | None, segment: Segment) -> None:
        start = mine.offset(segment.seq)
        end = start + segment_length(segment)
        # A keep-alive begins one before SND.NXT (RFC 9293 section 3.8.4).
        if not 0 <= start <= mine.end:
            raise self.world.fail(sender, f"{segment!r} begins at offset {start}, and only {mine.end} were sent")
        # Where two SYNs have crossed there is a window before there is an acknowledgment.
        edge = max(mine.allowed, other.offered if other is not None else 0)
        probe = start == edge and end == start + 1
        if end > max(start, edge) and not segment.flags & SYN and not probe:
            raise self.world.fail(sender, f"{segment!r} reaches offset {end}, beyond the window's edge at {edge}")
        mine.end = max(mine.end, end)

    def _check_acknowledgment(self, sender: str, mine: Side, other: Side | None, segment: Segment) -> None:
        if other is None:
            raise self.world.fail(sender, f"{segment!r} acknowledges a peer that sent no SYN")
        acked = other.offset(segment.ack)
        if not 0 <= acked <= other.arrived:
            if any(0 <= older.offset(segment.ack) <= older.arrived for older in other.before()):
                return  # the peer has begun anew, and this side has not heard of it
            what = f"{segment!r} acknowledges offset {acked}, and only {other.arrived} have arrived"
            raise self.world.fail(sender, what)
        scale = _scale(mine, other, segment)
        edge = acked + (segment.window << scale)
        # The scale may round it down; what was offered before stays in the window all the same (RFC 7323 2.4).
        if edge + (1 << scale) <= other.advertised:
            what = f"{segment!r} moves the window's right edge back from offset {other.advertised} to {edge}"
            raise self.world.fail(sender, what)
        other.advertised = max(other.advertised, edge)

    def delivered(self, now: int, sender: str, receiver: str, frame: Frame) -> None:
        segment = _believed(frame) if frame.hurt else frame.segment
        if segment is None:
            return
        key = _key(frame, segment)
        theirs = self.sides.get(key)
        mine = self.sides.get(key[2:] + key[:2])
        while theirs is not None and frame.number < theirs.first:
            theirs = theirs.older  # a segment of an incarnation before
        if theirs is None or segment.flags & RST:
            return
        start = theirs.offset(segment.seq)
        theirs.arrives(start, start + segment_length(segment))
        if segment.flags & SYN:
            theirs.offered = segment.window
        if mine is None or not segment.flags & ACK or frame.number < mine.first:
            return
        acked = mine.offset(segment.ack)
        if 0 <= acked <= mine.end:
            mine.allowed = max(mine.allowed, acked + (segment.window << _scale(theirs, mine, segment)))


def _key(frame: Frame, segment: Segment) -> Key:
    source, destination = addresses(frame.data)
    return source, segment.source_port, destination, segment.destination_port


def _believed(frame: Frame) -> Segment | None:
    """The segment of a frame if its checksums hold (no checksum covers all of an IPv6 header)."""
    try:
        _, segment = parse(frame)
    except WireError:
        return None
    return segment if isinstance(segment, Segment) else None


def _shift(segment: Segment) -> int:
    for option in parse_options(segment.options):
        if isinstance(option, WindowScale):
            return min(option.shift, _MAX_SHIFT)
    return -1


def _scale(sender: Side, receiver: Side, segment: Segment) -> int:
    """The shift of a segment's window: both sides offered one or there is none, and a SYN has none (RFC 7323 2.2)."""
    if segment.flags & SYN or sender.shift < 0 or receiver.shift < 0:
        return 0
    return sender.shift


def _of_older(mine: Side, segment: Segment) -> bool:
    """Whether an empty segment fits an incarnation before, and not this one."""
    if segment_length(segment) or 0 <= mine.offset(segment.seq) <= mine.end:
        return False
    return any(0 <= older.offset(segment.seq) <= older.end for older in mine.before())
