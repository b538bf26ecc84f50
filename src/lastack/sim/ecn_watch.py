"""What must hold of ECN on a wire, whatever the hosts believe: RFC 3168 section 6.1, judged by what was seen there."""

from __future__ import annotations

from lastack.link.frame import Frame
from lastack.sim.incarnations import Incarnation, Key, believed, key_of
from lastack.sim.taps import Tap
from lastack.sim.world import World
from lastack.wire.segment import ACK, CE, CWR, ECE, FIN, NOT_ECT, RST, SYN, Segment


class Flow(Incarnation):
    """Its SYNs, its text, and the marks that have come with it."""

    __slots__ = ("end", "fin", "heard", "marked", "next", "open", "owed", "pending", "sent")

    def __init__(self, iss: int, first: int, older: Flow | None) -> None:
        super().__init__(iss, first, older)
        self.sent: set[bool] = set()  # the sorts of SYN and SYN,ACK: whether ECN-setup
        self.heard: set[bool] = set()  # ... that have arrived
        self.open = False  # something else than a SYN was sent: a SYN that comes now is an old duplicate
        self.end = 1  # behind the text that was sent
        self.next = 1  # behind the text that has arrived without a hole
        self.fin: int | None = None  # where the FIN that has arrived stands
        self.marked = False  # a mark has come with its text
        self.pending: list[tuple[int, int]] = []  # text that came marked and alone, not acknowledged yet
        self.owed = False  # the other side has acknowledged such text, and no CWR has come since

    @property
    def complete(self) -> bool:
        """Whether all text and the FIN have arrived, in whatever order."""
        return self.fin is not None and self.fin <= self.next


class EcnWatch(Tap):
    """Fails where ECT or CWR is on anything but new text (6.1.2, 6.1.4, 6.1.5), or on a SYN or RST; where ECT comes
    without an agreement (6.1.1); where ECE comes without a mark, or stays away before CWR (6.1.3)."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.flows: dict[Key, Flow] = {}

    def sent(self, now: int, sender: str, receiver: str, frame: Frame) -> None:
        segment = frame.segment
        if segment is None:
            return
        ect = ecn_of(frame) != NOT_ECT
        if ect and segment.flags & (SYN | RST):
            raise self.world.fail(sender, f"{segment!r} bears ECT (RFC 3168 6.1.1)")
        if segment.flags & RST:
            return
        key = key_of(frame, segment)
        mine, theirs = self.flows.get(key), self.flows.get(key[2:] + key[:2])
        if segment.flags & SYN:
            self._syn(key, mine, theirs, frame, segment)
            return
        if mine is None or theirs is None:
            return
        start = mine.offset(segment.seq)
        new = segment.length > 0 and start >= mine.end
        if not new and (ect or segment.flags & CWR):
            what = "ECT" if ect else "CWR"
            raise self.world.fail(sender, f"{segment!r} bears {what}, and no new text (RFC 3168 6.1.2, 6.1.4, 6.1.5)")
        if ect and not (mine.sent == {True} and any(flow.heard == {True} for flow in theirs.all())):
            raise self.world.fail(sender, f"{segment!r} bears ECT, which was not agreed on (RFC 3168 6.1.1)")
        mine.end = max(mine.end, start + segment.length)
        mine.open = True
        if segment.flags & ACK:
            self._check_echo(sender, mine, theirs, segment)

    def _syn(self, key: Key, mine: Flow | None, theirs: Flow | None, frame: Frame, segment: Segment) -> None:
        if mine is None or mine.iss != segment.seq:
            mine = self.flows[key] = Flow(segment.seq, frame.number, mine)
            if theirs is not None:  # an earlier connection of this host heard those
                theirs.pending.clear()
                theirs.owed = False
        mine.sent.add(_is_setup(segment))

    def _check_echo(self, sender: str, mine: Flow, theirs: Flow, segment: Segment) -> None:
        acked = theirs.offset(segment.ack)
        if segment.flags & ECE and not any(flow.marked for flow in theirs.all()):
            raise self.world.fail(sender, f"{segment!r} bears ECE, and no mark has come (RFC 3168 6.1.3)")
        if acked < 0 or acked > theirs.next + 1 or theirs.complete:
            return  # of another incarnation, or there is nothing left to slow down
        if any(end <= acked for _, end in theirs.pending):
            theirs.owed = True
            theirs.pending = [(start, end) for start, end in theirs.pending if end > acked]
        if theirs.owed and not segment.flags & ECE:
            raise self.world.fail(sender, f"{segment!r} lacks ECE: a mark has come, and no CWR since (RFC 3168 6.1.3)")

    def delivered(self, now: int, sender: str, receiver: str, frame: Frame) -> None:
        segment = believed(frame)
        if segment is None or segment.flags & RST:
            return
        key = key_of(frame, segment)
        theirs, mine = self.flows.get(key), self.flows.get(key[2:] + key[:2])
        if theirs is None or frame.number < theirs.first:
            return
        if segment.flags & SYN:
            if not theirs.heard or mine is None or not mine.open:
                theirs.heard.add(_is_setup(segment))
            return
        start = theirs.offset(segment.seq)
        end = start + segment.length
        if segment.flags & CWR:
            theirs.pending.clear()
            theirs.owed = False
        if segment.length:
            # Text that comes again may be what is acknowledged, and the marked copy may have been thrown away.
            theirs.pending = [one for one in theirs.pending if one[1] <= start or end <= one[0]]
            if ecn_of(frame) == CE:
                theirs.marked = True
                agreed = mine is not None and mine.sent == {True} and theirs.heard == {True}
                if start == theirs.next and agreed:
                    theirs.pending.append((start, end))
            if start <= theirs.next:
                theirs.next = max(theirs.next, end)
        if segment.flags & FIN:
            theirs.fin = end


def ecn_of(frame: Frame) -> int:
    """The ECN field of a packet (RFC 3168 section 5)."""
    data = frame.data
    return data[1] & 3 if data[0] >> 4 == 4 else data[1] >> 4 & 3


def _is_setup(segment: Segment) -> bool:
    return segment.flags & (ECE | CWR) == (ECE if segment.flags & ACK else ECE | CWR)
