"""What must hold of the segments on a wire, whatever the hosts believe: windows, acknowledgments, sequence numbers.

Everything here is judged from outside, by the bytes that were sent and those that arrived. Offsets are those of the
side whose text it is.
"""

from __future__ import annotations

from lastack.link.frame import Frame
from lastack.sim.incarnations import Incarnation, Key, believed, key_of
from lastack.sim.sack_watch import SackWatch, blocks_of
from lastack.sim.taps import Tap
from lastack.sim.world import World
from lastack.tcp.config import DEFAULT
from lastack.tcp.sequence import HALF, MASK
from lastack.wire.datagram import Header, parse
from lastack.wire.errors import WireError
from lastack.wire.ipv6 import Header as Header6
from lastack.wire.options import MaximumSegmentSize, SackPermitted, WindowScale
from lastack.wire.options import parse as parse_options
from lastack.wire.segment import ACK, FIN, RST, SYN, Segment, segment_length

_MAX_SHIFT = 14
_DEFAULT_MSS = {4: 536, 6: 1220}  # MUST-15


class Side(Incarnation):
    """The text of who sent the SYN, and what the other side said of it."""

    __slots__ = (
        "acked",
        "advertised",
        "allowed",
        "arrived",
        "end",
        "fin",
        "islands",
        "label",
        "mss",
        "offered",
        "sacks",
        "selective",
        "shift",
        "stamp",
        "stamped",
    )

    def __init__(self, iss: int, first: int, older: Side | None) -> None:
        super().__init__(iss, first, older)
        self.shift = -1  # of the windows that this side sends; -1: not offered
        self.mss = 0  # the largest segment that this side takes, options counted (RFC 6691)
        self.stamped = False  # it offered timestamps
        self.stamp: int | None = None  # the last that it sent
        self.fin: int | None = None  # behind its FIN
        self.end = 0  # behind what has been sent
        self.arrived = 0  # behind what has arrived without a hole
        self.label = 0  # its flow label, in IPv6
        self.islands: list[tuple[int, int]] = []
        self.acked = 0  # up to here, as this side has heard
        self.advertised = 0  # the right edge of the window that the other side has sent
        self.allowed = 0  # ... and that has arrived here
        self.offered = 0  # the window of this side's SYN, once that has arrived
        self.selective = False  # it offered to take selective acknowledgments
        self.sacks = SackWatch()  # of its text

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
    beyond the window of the peer and is no probe (3.8.6.1), leaves a gap in its own sequence numbers, sends behind
    its FIN, is larger than the MTU or the MSS (3.7.1), lacks a timestamp or turns it back (RFC 7323 3.2, 5.4), changes
    its flow label (RFC 6437 3), belongs to a connection that sent no SYN and is no reset, or cannot be read at all. Of
    selective acknowledgments see `SackWatch`.
    """

    def __init__(self, world: World) -> None:
        self.world = world
        self.sides: dict[Key, Side] = {}

    def sent(self, now: int, sender: str, receiver: str, frame: Frame) -> None:
        try:
            header, segment = parse(frame)
        except WireError as error:
            raise self.world.fail(sender, f"a packet that no receiver would take: {error}") from None
        frame.segment = segment if isinstance(segment, Segment) else None
        if not isinstance(segment, Segment) or segment.flags & RST:
            return
        key = key_of(frame, segment)
        other = self.sides.get(key[2:] + key[:2])
        mine = self.sides.get(key)
        if segment.flags & SYN and (mine is None or mine.iss != segment.seq):
            mine = self.sides[key] = _side(segment, frame, mine)
            if other is not None:
                other.advertised = 0  # what this host said before, an earlier connection of it said
        if mine is None:
            raise self.world.fail(sender, f"{segment!r} belongs to no connection and is no reset")
        if not segment.flags & SYN and _of_older(mine, segment):
            return  # a TIME-WAIT that took a SYN for a new incarnation, and was told that it was an old duplicate
        self._check_label(sender, mine, header)
        self._check_sequence(sender, mine, other, segment)
        self._check_form(sender, mine, other, segment, len(frame.data))
        if segment.flags & ACK:
            self._check_acknowledgment(sender, mine, other, segment)
            if other is not None:
                self._check_sacks(sender, mine, other, segment)
        start = mine.offset(segment.seq)
        config = getattr(self.world.nodes[sender].host, "config", DEFAULT)
        wrong = mine.sacks.sends(now, start, start + segment.length, mine.acked, config.rto_min)
        if wrong and config.sent_ranges >= DEFAULT.sent_ranges:  # with few, not all that was told can be kept
            raise self.world.fail(sender, f"{segment!r} {wrong}")

    def _check_label(self, sender: str, mine: Side, header: Header) -> None:
        """RFC 6437 section 3: a flow has one label, which is not 0."""
        config = self.world.nodes[sender].config
        if not isinstance(header, Header6) or not config.flow_labels or config.flow_label_rethink:
            return
        if not header.flow_label or header.flow_label != (mine.label or header.flow_label):
            raise self.world.fail(sender, f"the flow label is {header.flow_label:#x}, and was {mine.label:#x}")
        mine.label = header.flow_label

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
        if segment.flags & FIN and mine.fin is None:
            mine.fin = end
        if mine.fin is not None and (end > mine.fin or (segment.flags & FIN and end != mine.fin)):
            raise self.world.fail(sender, f"{segment!r} reaches offset {end}, and its FIN ended at {mine.fin}")

    def _check_form(self, sender: str, mine: Side, other: Side | None, segment: Segment, size: int) -> None:
        mtu = self.world.nodes[sender].options.get("mtu", 1500)
        if size > mtu:
            raise self.world.fail(sender, f"{segment!r} makes a packet of {size} bytes, and the MTU is {mtu}")
        if segment.flags & SYN or other is None:
            return
        most = max(other.mss, getattr(self.world.nodes[sender].host, "config", DEFAULT).min_snd_mss)
        if segment.length and segment.length + len(segment.options) > most:
            raise self.world.fail(sender, f"{segment!r} is larger than the MSS of {other.mss} that the peer asked for")
        if mine.stamped and other.stamped:
            if segment.ts_val is None:
                raise self.world.fail(sender, f"{segment!r} bears no timestamp, and both agreed to (RFC 7323 3.2)")
            if mine.stamp is not None and (segment.ts_val - mine.stamp) & MASK >= HALF:
                what = f"{segment!r} has the timestamp {segment.ts_val}, after {mine.stamp} (RFC 7323 5.4)"
                raise self.world.fail(sender, what)
            mine.stamp = segment.ts_val

    def _check_acknowledgment(self, sender: str, mine: Side, other: Side | None, segment: Segment) -> None:
        if other is None:
            raise self.world.fail(sender, f"{segment!r} acknowledges a peer that sent no SYN")
        acked = other.offset(segment.ack)
        if not 0 <= acked <= other.arrived:
            if any(0 <= one.offset(segment.ack) <= one.arrived for one in other.all()):
                return  # the peer has begun anew, and this side has not heard of it
            what = f"{segment!r} acknowledges offset {acked}, and only {other.arrived} have arrived"
            raise self.world.fail(sender, what)
        scale = _scale(mine, other, segment)
        edge = acked + (segment.window << scale)
        # The scale may round it down; what was offered before stays in the window all the same (RFC 7323 2.4). And a
        # SYN,ACK that goes again cannot say what an ACK between has said: its window is never scaled.
        if edge + (1 << scale) <= other.advertised and not segment.flags & SYN:
            what = f"{segment!r} moves the window's right edge back from offset {other.advertised} to {edge}"
            raise self.world.fail(sender, what)
        other.advertised = max(other.advertised, edge)

    def _check_sacks(self, sender: str, mine: Side, other: Side, segment: Segment) -> None:
        blocks = [(other.offset(first), other.offset(end)) for first, end in blocks_of(segment)]
        if blocks and not (mine.selective and other.selective):
            raise self.world.fail(sender, f"{segment!r} acknowledges selectively, and that was not agreed to")
        acked = other.offset(segment.ack)
        if not 0 <= acked <= other.arrived:
            return  # of an incarnation before, as `_check_acknowledgment` has found
        wrong = other.sacks.says(acked, blocks)
        if wrong:
            raise self.world.fail(sender, f"{segment!r} {wrong}")

    def delivered(self, now: int, sender: str, receiver: str, frame: Frame) -> None:
        segment = believed(frame)
        if segment is None:
            return
        key = key_of(frame, segment)
        theirs = self.sides.get(key)
        mine = self.sides.get(key[2:] + key[:2])
        while theirs is not None and frame.number < theirs.first:
            theirs = theirs.older  # a segment of an incarnation before
        if theirs is None or segment.flags & RST:
            return
        start = theirs.offset(segment.seq)
        theirs.arrives(start, start + segment_length(segment))
        theirs.sacks.arrives(start + (segment.flags >> 1 & 1), start + (segment.flags >> 1 & 1) + segment.length)
        if segment.flags & SYN:
            theirs.sacks.syn_arrives()
            theirs.offered = segment.window
        if mine is None or not segment.flags & ACK or frame.number < mine.first:
            return
        acked = mine.offset(segment.ack)
        if 0 <= acked <= mine.end:
            in_order = start <= theirs.arrived  # or a closed window may not let it in
            blocks = [(mine.offset(first), mine.offset(end)) for first, end in blocks_of(segment)] if in_order else []
            mine.sacks.hears(now, frame.number, acked, acked > mine.acked, blocks)
            mine.acked = max(mine.acked, acked)
            mine.allowed = max(mine.allowed, acked + (segment.window << _scale(theirs, mine, segment)))


def _side(syn: Segment, frame: Frame, older: Side | None) -> Side:
    """A new incarnation, as its SYN describes it."""
    side = Side(syn.seq, frame.number, older)
    side.mss = _DEFAULT_MSS[frame.data[0] >> 4]
    side.stamped = syn.ts_val is not None
    for option in parse_options(syn.options):
        if isinstance(option, WindowScale):
            side.shift = min(option.shift, _MAX_SHIFT)
        elif isinstance(option, SackPermitted):
            side.selective = True
        elif isinstance(option, MaximumSegmentSize):
            side.mss = option.value
    return side


def _scale(sender: Side, receiver: Side, segment: Segment) -> int:
    """The shift of a segment's window: both sides offered one or there is none, and a SYN has none (RFC 7323 2.2)."""
    if segment.flags & SYN or sender.shift < 0 or receiver.shift < 0:
        return 0
    return sender.shift


def _of_older(mine: Side, segment: Segment) -> bool:
    """Whether an empty segment fits an incarnation before, and not this one."""
    if segment_length(segment) or 0 <= mine.offset(segment.seq) <= mine.end:
        return False
    return any(0 <= one.offset(segment.seq) <= one.end for one in mine.all())
