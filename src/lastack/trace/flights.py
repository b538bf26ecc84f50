"""Packets between two hosts: which departure belongs to which arrival, and which of them one arrow can stand for."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from lastack.trace.entries import Arrival, Call, Departure, Entry, Loss, Move, Seen
from lastack.wire.notation import format_options
from lastack.wire.segment import ACK, RST, SYN, format_flags

_MASK = 0xFFFFFFFF
# A packet that takes so many times the fastest one's time is delayed: it is drawn leaving and coming.
_DELAYED = 4
_ONE_SECOND = 1_000_000


class Flight:
    """A packet on its way. `left` and `came` are places in the list of entries, None where nobody saw it.

    `whole` says that one arrow is drawn for both. `lost` is the place of its loss. `details` follow the label.
    """

    __slots__ = ("came", "details", "label", "left", "lost", "packet", "rightward", "whole")

    def __init__(self, packet: Seen, rightward: bool, label: str, left: int | None, came: int | None) -> None:
        self.packet = packet
        self.rightward = rightward
        self.label = label
        self.left = left
        self.came = came
        self.lost: int | None = None
        self.whole = False
        self.details = ""


class Numbers:
    """Sequence numbers as a reader wants them: counted from the initial one of each direction."""

    __slots__ = ("_absolute", "_bases", "_options")

    def __init__(self, absolute: bool = False, options: bool = False) -> None:
        self._absolute = absolute
        self._options = options
        self._bases: dict[tuple[int, int], int] = {}

    def learn(self, packet: Seen) -> None:
        """Take the initial numbers from a departure: a SYN's own, or what the first segment seen implies."""
        if packet.text:
            return
        forth, back = _direction(packet)
        if packet.flags & SYN:
            self._bases[forth] = packet.seq
        elif not packet.flags & RST:
            self._bases.setdefault(forth, packet.seq - 1)
        if packet.flags & ACK:
            self._bases.setdefault(back, packet.ack - 1)

    def base(self, packet: Seen) -> int | None:
        """The number from which the packet's own direction is counted at present."""
        return self._bases.get(_direction(packet)[0])

    def label(self, packet: Seen) -> str:
        """The packet in packetdrill's notation, shortened: flags, `seq:end(length)`, `ack N`, and a window of 0.

        A number from before the initial one (of an older incarnation) is negative.
        """
        if packet.text:
            return packet.text
        forth, back = _direction(packet)
        # A RST in answer to what belongs nowhere has a number of nobody's counting: it stands as it is.
        seq = self._relative(packet.seq, self._bases.get(forth, 0))
        words = [format_flags(packet.flags), f"{seq}:{seq + packet.length}({packet.length})"]
        if packet.flags & ACK:
            words.append(f"ack {self._relative(packet.ack, self._bases.get(back, 0))}")
        if packet.window == 0 and not packet.flags & RST:
            words.append("win 0")
        return " ".join(words)

    def details(self, packet: Seen) -> str:
        """The window and the options, where they are asked for."""
        if packet.text or not self._options:
            return ""
        base = 0 if self._absolute else self._bases.get(_direction(packet)[1], 0)
        options = f" <{format_options(packet.options, irs=base & _MASK)}>" if packet.options else ""
        return f"win {packet.window}{options}"

    def _relative(self, number: int, base: int) -> int:
        if self._absolute:
            return number
        distance = number - base & _MASK
        return distance - (1 << 32) if distance >> 31 else distance


def _direction(packet: Seen) -> tuple[tuple[int, int], tuple[int, int]]:
    source, destination = packet.source[1], packet.destination[1]
    return (source, destination), (destination, source)


def find_flights(entries: Sequence[Entry], hosts: tuple[str, str], numbers: Numbers) -> list[Flight]:
    """The flights among `entries`, those of a packet that arrives twice included, in the order of their departures."""
    left, right = hosts
    watched = {entry.host for entry in entries if isinstance(entry, Departure)}
    by_number: dict[int, Flight] = {}
    bases: dict[int, int | None] = {}
    flights: list[Flight] = []
    for place, entry in enumerate(entries):
        if isinstance(entry, Departure):
            numbers.learn(entry.packet)
            flight = Flight(entry.packet, entry.host == left, numbers.label(entry.packet), place, None)
            by_number[entry.number] = flight
            bases[entry.number] = numbers.base(entry.packet)
            flights.append(flight)
        elif isinstance(entry, Arrival):
            known = by_number.get(entry.number) if entry.number is not None else None
            if known is None:
                rightward = entry.host != left
                if (left if rightward else right) not in watched:  # a stranger's departures are its arrivals here
                    numbers.learn(entry.packet)
                flights.append(Flight(entry.packet, rightward, numbers.label(entry.packet), None, place))
                continue
            label = known.label
            if entry.number is not None and bases[entry.number] != numbers.base(entry.packet):
                label += " [old]"
            if known.came is None:
                known.came, known.label = place, label
            else:
                flights.append(Flight(entry.packet, known.rightward, f"{label} [duplicate]", None, place))
        elif isinstance(entry, Loss) and entry.number in by_number:
            by_number[entry.number].lost = place
    for flight in flights:
        flight.details = numbers.details(flight.packet)
    _make_whole(entries, flights, hosts[0] == hosts[1])
    return flights


def _make_whole(entries: Sequence[Entry], flights: list[Flight], itself: bool) -> None:
    """Decide which flights are drawn as one arrow: those that nothing crosses, overtakes or interrupts.

    Each column of the ladder must stay in the order of its own host's time, so two arrows that cross cannot both be
    one line. Where one of them is only slow, it alone is drawn in two.
    """
    complete = [flight for flight in flights if flight.left is not None and flight.came is not None]
    fastest = {
        side: min((_duration(entries, flight) for flight in complete if flight.rightward is side), default=0)
        for side in (False, True)
    }
    slow = {id(flight) for flight in complete if _is_slow(entries, flight, complete, fastest[flight.rightward])}
    brisk = [flight for flight in complete if id(flight) not in slow]
    for flight in brisk:
        crossed = any(flight.rightward is not other.rightward and _overlap(flight, other) for other in brisk)
        flight.whole = not crossed and not _interrupted(entries, flight, itself)


def _is_slow(entries: Sequence[Entry], flight: Flight, others: list[Flight], fastest: int) -> bool:
    """Whether a flight took long, was overtaken, or went on while another came and went."""
    usual = fastest * _DELAYED or _ONE_SECOND
    taken = _duration(entries, flight)
    return taken > usual or any(
        _encloses(flight, other) and (flight.rightward is other.rightward or taken > _duration(entries, other))
        for other in others
    )


def _span(flight: Flight) -> tuple[int, int]:
    assert flight.left is not None
    assert flight.came is not None
    return flight.left, flight.came


def _duration(entries: Sequence[Entry], flight: Flight) -> int:
    left, came = _span(flight)
    return entries[came].now - entries[left].now


def _encloses(flight: Flight, other: Flight) -> bool:
    (first, last), (left, came) = _span(flight), _span(other)
    return first < left and came < last


def _overlap(flight: Flight, other: Flight) -> bool:
    (first, last), (left, came) = _span(flight), _span(other)
    return first < came and left < last


def _interrupted(entries: Sequence[Entry], flight: Flight, itself: bool) -> bool:
    """Whether something happens on the way that a reader should see between the departure and the arrival."""
    left, came = _span(flight)
    between: Iterable[Entry] = entries[left + 1 : came]
    if itself:
        return any(not isinstance(entry, Move) for entry in between)
    sender = entries[left].host
    harmless = Departure | Arrival | Loss | Move
    return any(
        not isinstance(entry, harmless) and not (isinstance(entry, Call) and entry.host == sender) for entry in between
    )
