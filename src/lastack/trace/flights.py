"""Packets between two hosts: which departure belongs to which arrival, and which of them one arrow can stand for."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Sequence

from lastack.trace.entries import Arrival, Call, Departure, Entry, Loss, Move, Seen
from lastack.trace.numbers import Numbers

# A packet that takes so many times the fastest one's time is delayed: it is drawn leaving and coming.
_DELAYED = 4
_ONE_SECOND = 1_000_000


class Flight:
    """A packet on its way. `left` and `came` are places in the list of entries, None where nobody saw it.

    `whole` says that one arrow is drawn for both. `lost` is the place of its loss. `details` follow the label, and
    `mark` says what the packet is where it comes: nothing, or " [old]", of an older incarnation, or " [duplicate]".
    """

    __slots__ = ("came", "details", "label", "left", "lost", "mark", "packet", "rightward", "whole")

    def __init__(self, packet: Seen, rightward: bool, label: str, details: str) -> None:
        self.packet = packet
        self.rightward = rightward
        self.label = label
        self.details = details
        self.mark = ""
        self.left: int | None = None
        self.came: int | None = None
        self.lost: int | None = None
        self.whole = False


def find_flights(entries: Sequence[Entry], hosts: tuple[str, str], numbers: Numbers) -> list[Flight]:
    """The flights among `entries`, those of a packet that arrives twice included, in the order of their departures."""
    left, right = hosts
    watched = {entry.host for entry in entries if isinstance(entry, Departure)}
    by_number: dict[int, tuple[Flight, int]] = {}
    flights: list[Flight] = []

    def add(packet: Seen, ends: tuple[str, str]) -> Flight:
        label, details = numbers.label(packet, ends), numbers.details(packet, ends)
        flights.append(Flight(packet, ends[0] == left, label, details))
        return flights[-1]

    for place, entry in enumerate(entries):
        if isinstance(entry, Departure):
            ends = entry.host, right if entry.host == left else left
            numbers.learn(entry.packet, ends)
            flight = add(entry.packet, ends)
            flight.left = place
            by_number[entry.number] = flight, numbers.incarnation(entry.packet, ends)
        elif isinstance(entry, Arrival):
            ends = right if entry.host == left else left, entry.host
            known = by_number.get(entry.number) if entry.number is not None else None
            if known is None:
                if ends[0] not in watched:  # a stranger's departures are its arrivals here
                    numbers.learn(entry.packet, ends)
                add(entry.packet, ends).came = place
                continue
            flight, incarnation = known
            mark = "" if incarnation == numbers.incarnation(entry.packet, ends) else " [old]"
            if flight.came is None:
                flight.came, flight.mark = place, mark
            else:
                again = Flight(flight.packet, flight.rightward, flight.label, flight.details)
                again.came, again.mark = place, f"{mark} [duplicate]"
                flights.append(again)
        elif isinstance(entry, Loss) and entry.number in by_number:
            by_number[entry.number][0].lost = place
    _make_whole(entries, flights, left == right)
    return flights


def _make_whole(entries: Sequence[Entry], flights: list[Flight], itself: bool) -> None:
    """Decide which flights are drawn as one arrow: those that nothing crosses, overtakes or interrupts.

    Each column of the ladder must stay in the order of its own host's time, so two arrows that cross cannot both be
    one line. Where one of them is only slow, it alone is drawn in two.
    """
    complete = _Departed([flight for flight in flights if flight.left is not None and flight.came is not None])
    fastest = {
        side: min((_duration(entries, flight) for flight in complete.flights if flight.rightward is side), default=0)
        for side in (False, True)
    }
    brisk = _Departed([one for one in complete.flights if not _is_slow(entries, one, complete, fastest[one.rightward])])
    crossed: set[int] = set()
    for flight in brisk.flights:
        for other in brisk.during(flight):  # so each two that overlap meet once
            if flight.rightward is not other.rightward:
                crossed.update((id(flight), id(other)))
    for flight in brisk.flights:
        flight.whole = id(flight) not in crossed and not _interrupted(entries, flight, itself)


class _Departed:
    """Flights in the order of their departures, in which few others are looked at for each."""

    __slots__ = ("_places", "flights")

    def __init__(self, flights: list[Flight]) -> None:
        self.flights = sorted(flights, key=_span)
        self._places = [_span(flight)[0] for flight in self.flights]

    def during(self, flight: Flight) -> list[Flight]:
        """Those that leave while this one is on its way."""
        left, came = _span(flight)
        return self.flights[bisect_right(self._places, left) : bisect_left(self._places, came)]


def _is_slow(entries: Sequence[Entry], flight: Flight, others: _Departed, fastest: int) -> bool:
    """Whether a flight took long, was overtaken, or went on while another came and went."""
    usual = fastest * _DELAYED or _ONE_SECOND
    taken = _duration(entries, flight)
    return taken > usual or any(
        _encloses(flight, other) and (flight.rightward is other.rightward or taken > _duration(entries, other))
        for other in others.during(flight)
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
