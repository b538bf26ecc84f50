"""Sequence numbers as a reader wants them: counted from the initial one of each direction."""

from __future__ import annotations

from lastack.trace.entries import Seen
from lastack.wire.notation import format_options
from lastack.wire.segment import ACK, FIN, RST, SYN, format_flags

_MASK = 0xFFFFFFFF
# The largest window (RFC 7323 section 2.3): what lies farther off than this was never meant to be counted from here.
_FAR = 1 << 30

# The address (the host's name where nobody told the address) and the port of each end, the sender first.
_Key = tuple[tuple[bytes | str, int], tuple[bytes | str, int]]


class Direction:
    """What is known of the numbers of one direction.

    `base` is the initial one, None if it is not known. `next` is the number after the highest sent, counted from
    there, beyond 2**32 if it comes to that; `fin` the number after the FIN, and `ended` says that it is acknowledged.
    `incarnation` counts the connections that these endpoints have had before.
    """

    __slots__ = ("base", "ended", "fin", "incarnation", "next")

    def __init__(self) -> None:
        self.incarnation = -1
        self._begin(None)

    def _begin(self, base: int | None) -> None:
        self.base = base
        self.next = 0
        self.fin: int | None = None
        self.ended = False
        self.incarnation += 1

    def imply(self, base: int) -> None:
        """A segment is seen whose number implies this initial one, if no SYN was."""
        if self.base is None:
            self.base = base & _MASK

    def leaves(self, packet: Seen) -> None:
        """A segment that is no RST leaves. A SYN is that of another connection if its number is, or if all is over."""
        if not packet.flags & SYN:
            self.imply(packet.seq - 1)
        elif self.base is None:
            self.base = packet.seq
        elif packet.seq != self.base or self.ended:
            self._begin(packet.seq)
        first = self.count(packet.seq)
        if first is not None:
            after = first + packet.length + bool(packet.flags & SYN) + bool(packet.flags & FIN)
            self.next = max(self.next, after)
            if packet.flags & FIN:
                self.fin = after

    def acknowledged(self, number: int) -> None:
        """The other side has received what comes before `number`."""
        self.imply(number - 1)
        counted = self.count(number)
        if counted is not None and self.fin is not None and counted >= self.fin:
            self.ended = True

    def count(self, number: int) -> int | None:
        """`number` counted from the initial one, negative before it. None for one that is of some other counting."""
        if self.base is None:
            return None
        distance = (number - self.base - self.next + _FAR & _MASK) - _FAR
        return self.next + distance if distance <= _FAR else None


class Numbers:
    """The numbers of all directions between some hosts, and what is written on a segment's arrow."""

    __slots__ = ("_absolute", "_directions", "_keys", "_options")

    def __init__(self, absolute: bool = False, options: bool = False) -> None:
        self._absolute = absolute
        self._options = options
        self._directions: dict[_Key, Direction] = {}
        # By host and ports: the direction that its segments with these ports had last.
        self._keys: dict[tuple[str, int, int], _Key] = {}

    def learn(self, packet: Seen, ends: tuple[str, str]) -> None:
        """Take the initial numbers from a departure: a SYN's own, or what the first segment seen implies.

        `ends` are the hosts that it leaves and goes to, here and below.
        """
        if packet.text:
            return
        forth, back = self._both(packet, ends)
        if not packet.flags & RST:
            forth.leaves(packet)
        if packet.flags & ACK:
            back.acknowledged(packet.ack)

    def incarnation(self, packet: Seen, ends: tuple[str, str]) -> int:
        """Which connection of these endpoints sends in the packet's direction at present, from 0."""
        return self._both(packet, ends)[0].incarnation

    def label(self, packet: Seen, ends: tuple[str, str]) -> str:
        """The packet in packetdrill's notation, shortened: flags, `seq:end(length)`, `ack N`, and a window of 0.

        A number from before the initial one (of an older incarnation) is negative.
        """
        if packet.text:
            return packet.text
        forth, back = self._both(packet, ends)
        seq = self._count(packet.seq, forth)
        # Where there is no connection a RST,ACK has SEQ=0 (RFC 9293 section 3.10.7.1), which is of nobody's counting.
        if packet.seq == 0 and packet.flags & RST and packet.flags & ACK and seq != forth.next:
            seq = 0
        words = [format_flags(packet.flags), f"{seq}:{seq + packet.length}({packet.length})"]
        if packet.flags & ACK:
            words.append(f"ack {self._count(packet.ack, back)}")
        if packet.window == 0 and not packet.flags & RST:
            words.append("win 0")
        return " ".join(words)

    def details(self, packet: Seen, ends: tuple[str, str]) -> str:
        """The window and the options, where they are asked for."""
        if packet.text or not self._options:
            return ""
        base = 0 if self._absolute else self._both(packet, ends)[1].base or 0
        options = f" <{format_options(packet.options, irs=base)}>" if packet.options else ""
        return f"win {packet.window}{options}"

    def _count(self, number: int, direction: Direction) -> int:
        """A number as it is to be drawn: one that nobody counts stands as it is."""
        counted = None if self._absolute else direction.count(number)
        return number if counted is None else counted

    def _both(self, packet: Seen, ends: tuple[str, str]) -> tuple[Direction, Direction]:
        """The packet's own direction, and that of what it acknowledges.

        By the endpoints, since both ends may use one port number; a segment whose addresses nobody told is taken
        for one of the connection that its host had last with these ports.
        """
        sender, receiver = ends
        source, destination = packet.source[1], packet.destination[1]
        there, back = (sender, source, destination), (receiver, destination, source)
        if packet.source[0] and packet.destination[0]:
            self._keys[there] = packet.source, packet.destination
            self._keys[back] = packet.destination, packet.source
        forth = self._keys.get(there, ((sender, source), (receiver, destination)))
        directions = [self._directions.setdefault(key, Direction()) for key in (forth, (forth[1], forth[0]))]
        return directions[0], directions[1]
