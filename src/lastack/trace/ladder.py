"""The ladder diagram: two hosts side by side, every segment between them, and both ends' states beside it.

It is what RFC 9293 draws in its Figures 6 to 13, from a recording. Each side has its own time and state; a line shows
both as they are once it has happened. A segment that something crosses or overtakes is drawn leaving (`---...`) and
coming (`...-->`); what is lost ends in an X.
"""

from __future__ import annotations

from dataclasses import dataclass

from lastack.tcp.states import State
from lastack.trace import names as state_names
from lastack.trace import rows
from lastack.trace.entries import (
    NOWHERE,
    Arrival,
    Call,
    Departure,
    Endpoint,
    Entry,
    Loss,
    Move,
    Note,
    Power,
    Timer,
    endpoint_text,
)
from lastack.trace.flights import Flight, find_flights
from lastack.trace.histories import Histories
from lastack.trace.numbers import Numbers
from lastack.trace.rows import Painter, Row, in_order
from lastack.trace.timeline import Timeline

# Reading shows nothing of the protocol, and there is much of it.
_QUIET_CALLS = frozenset({"RECEIVE"})
# From here on it matters how long a packet was under way before it was lost (microseconds).
_LATE = 1_000_000

Ports = tuple[int, int]


@dataclass(frozen=True, slots=True)
class Style:
    """How a ladder looks. `names` is one of `lastack.trace.names.STYLES`, `width` is in columns (at least 100).

    `colour` adds ANSI escapes, `options` the windows and options of segments; `absolute` leaves sequence numbers as
    they are on the wire.
    """

    names: str = state_names.RFC
    width: int = 110
    colour: bool = False
    options: bool = False
    absolute: bool = False


def draw(
    timeline: Timeline,
    style: Style | None = None,
    *,
    hosts: tuple[str, str] | None = None,
    connection: Ports | None = None,
    last: int | None = None,
) -> str:
    """The ladder between two hosts, left and right; by default the first two of the recording.

    `connection` (left port, right port) picks one out of several; `last` leaves of a long one so many lines at its end.
    ValueError for a style of names that does not exist.
    """
    style = Style() if style is None else style
    ladder = _Ladder(timeline, style, hosts or _first_two(timeline), connection)
    longest = max(len(state_names.name(state, style.names)) for state in State)
    ordered = in_order(ladder.rows())
    if last is not None and len(ordered) > last:
        before = Row(rows.NOTE, f"~ {len(ordered) - last:,} lines before this are left out ~", (None, None))
        ordered = [before, *ordered[-last:]]
    return Painter(ordered, style.width, style.colour, longest).text(ladder.head(ordered), ordered)


def _first_two(timeline: Timeline) -> tuple[str, str]:
    """The first two hosts; one that is alone talks to itself, or to a peer of which nothing else is known."""
    if len(timeline.hosts) > 1:
        return timeline.hosts[0], timeline.hosts[1]
    alone = timeline.hosts[0] if timeline.hosts else "host"
    packets = (entry.packet for entry in timeline.entries if isinstance(entry, Departure | Arrival))
    return alone, alone if any(packet.source == packet.destination for packet in packets) else "peer"


class _Ladder:
    """One drawing: the entries that are in it, and the rows that they become."""

    def __init__(self, timeline: Timeline, style: Style, hosts: tuple[str, str], connection: Ports | None) -> None:
        self.style = style
        self.hosts = hosts
        elsewhere = {
            entry.packet.source[0]
            for entry in timeline.entries
            if isinstance(entry, Departure) and entry.host not in hosts and any(entry.packet.source[0])
        }
        self.entries = [entry for entry in timeline.entries if self._belongs(entry, elsewhere, connection)]
        self.histories = Histories(self.entries, timeline.observed)
        self.flights = find_flights(self.entries, hosts, Numbers(style.absolute, style.options))
        # Whether a host's side of the wire was recorded: what goes to one that was not, arrives as far as we know.
        self.known = {entry.host for entry in self.entries if not isinstance(entry, Note)}
        found = (self._ports(entry) for entry in self.entries)
        self.pairs = list(dict.fromkeys(ports for ports in found if ports and ports[0] and ports[1]))

    def _belongs(self, entry: Entry, elsewhere: set[bytes], connection: Ports | None) -> bool:
        if isinstance(entry, Note | Power):
            return entry.host in ("", *self.hosts)
        if entry.host not in self.hosts or _ends(entry)[1][0] in elsewhere:
            return False
        ports = self._ports(entry)
        return (
            connection is None
            or ports is None
            or all(mine in (wanted, 0) for mine, wanted in zip(ports, connection, strict=True))
        )

    def _ports(self, entry: Entry) -> Ports | None:
        """(left port, right port) of the connection that an entry is about; 0 for a port that it has not."""
        if isinstance(entry, Note | Power):
            return None
        local, remote = _ends(entry)
        return (local[1], remote[1]) if entry.host == self.hosts[0] else (remote[1], local[1])

    def _tag(self, ports: Ports | None) -> str:
        """A letter that tells a connection from the others; nothing where there is but one."""
        if ports is None or len(self.pairs) < 2 or ports not in self.pairs:
            return ""
        number = self.pairs.index(ports)
        return f"{chr(ord('a') + number) if number < 26 else number}: "

    def head(self, shown: list[Row]) -> list[tuple[str, str]]:
        """Who stands left and right, and the two ends of each connection of which a row is shown."""
        tags = {row.text.partition(": ")[0] for row in shown}
        ends: dict[Ports, tuple[Endpoint, Endpoint]] = {}
        for flight in self.flights:
            packet = flight.packet
            pair = packet.source, packet.destination
            left, right = pair if flight.rightward else (pair[1], pair[0])
            if left[1] and right[1]:
                ends.setdefault((left[1], right[1]), (left, right))
        tagged = [(self._tag(ports), *pair) for ports, pair in ends.items()]
        seen = [one for one in tagged if not one[0] or one[0].removesuffix(": ") in tags]
        return [self.hosts, *((tag + endpoint_text(left), tag + endpoint_text(right)) for tag, left, right in seen)]

    def rows(self) -> list[Row]:
        """Every row, in no order yet."""
        found = [row for flight in self.flights for row in self._of_flight(flight)]
        told: set[int] = set()
        for place, entry in enumerate(self.entries):
            told.update(range(place + 1, self.histories.settled(place) + 1))
            if place not in told and not isinstance(entry, Departure | Arrival | Loss):
                found += self._of_entry(place, entry)
        return found

    def _of_flight(self, flight: Flight) -> list[Row]:
        sender = 0 if flight.rightward else 1
        left, came = flight.left, flight.came
        if flight.whole:
            assert left is not None
            assert came is not None
            return [self._segment(flight, left, came, "-", ">")]
        if flight.lost is not None and left is not None:
            row = self._segment(flight, left, None, "-", f"X {self._why(flight)}")
            row.kind = rows.LOST
            return [row]
        found = []
        if left is not None:
            seen = came is not None or self.hosts[1 - sender] in self.known
            found.append(self._segment(flight, left, None, "-", "..." if seen else ">"))
        if came is not None:
            seen = self.hosts[sender] in self.known
            found.append(self._segment(flight, None, came, "..." if seen else "-", ">"))
        return found

    def _why(self, flight: Flight) -> str:
        assert flight.lost is not None
        assert flight.left is not None
        loss = self.entries[flight.lost]
        assert isinstance(loss, Loss)
        later = loss.now - self.entries[flight.left].now
        return f"{loss.why} after {later / 1_000_000:.10g} s" if later >= _LATE else loss.why

    def _segment(self, flight: Flight, left: int | None, came: int | None, tail: str, tip: str) -> Row:
        """An arrow from its tail to its tip; `left` and `came` are the places of the ends that it shows."""
        sender = 0 if flight.rightward else 1
        packet = flight.packet
        ports = packet.source[1], packet.destination[1]
        ports = ports if flight.rightward else (ports[1], ports[0])
        itself = self.hosts[0] == self.hosts[1]
        places = (left, came) if flight.rightward else (came, left)
        row = Row(
            rows.SEGMENT,
            self._tag(ports) + flight.label + (flight.mark if came is not None else ""),
            (left if left is not None else came, None) if itself else places,
        )
        row.under = flight.details
        anywhere = left if left is not None else came
        assert anywhere is not None
        for side, place in ((sender, left), (1 - sender, came)):
            if place is not None:
                row.times[side] = self.entries[place].now
            row.states[side] = self._state(side, ports, self.histories.settled(anywhere if place is None else place))
        tip = tip if flight.rightward else _mirrored(tip)
        row.arrow = (tail, tip) if flight.rightward else (tip, tail)
        return row

    def _of_entry(self, place: int, entry: Entry) -> list[Row]:
        """The row of what happens at one end."""
        side = 0 if entry.host in ("", self.hosts[0]) else 1
        align = 1 if side else -1
        places = (None, place) if side else (place, None)
        ports = self._ports(entry)
        if isinstance(entry, Call):
            if entry.call in _QUIET_CALLS:
                return []
            row = Row(rows.CALL, f"{self._tag(ports)}{_call(entry)}", places, align)
        elif isinstance(entry, Timer):
            timer = entry.timer if entry.timer.endswith("timeout") else f"{entry.timer} timer"
            row = Row(rows.TIMER, f"{self._tag(ports)}* {timer} *", places, align)
        elif isinstance(entry, Move):
            row = Row(rows.TIMER, f"{self._tag(ports)}[{entry.event.value}]", places, align)
        elif isinstance(entry, Power):
            row = Row(rows.NOTE, "starts" if entry.on else "loses its power", places, align)
        else:
            assert isinstance(entry, Note)
            row = Row(rows.NOTE, entry.text, places, align)
            if not entry.host:
                row = Row(rows.NOTE, f"~ {entry.text} ~", (place, place))
        row.times[side] = entry.now
        if ports is not None:
            row.states[side] = self._state(side, ports, self.histories.settled(place))
        return [row]

    def _state(self, side: int, ports: Ports, place: int) -> str:
        state = self.histories.state(self.hosts[side], ports[side], ports[1 - side], place)
        return "" if state is None else state_names.name(state, self.style.names)


def _ends(entry: Departure | Arrival | Loss | Move | Timer | Call) -> tuple[Endpoint, Endpoint]:
    """(local, remote) as the entry's host has them."""
    if isinstance(entry, Move | Timer | Call):
        return entry.local, entry.remote
    packet = entry.packet
    return (packet.destination, packet.source) if isinstance(entry, Arrival) else (packet.source, packet.destination)


def _call(call: Call) -> str:
    """A call as a program has it. What is closed may be a listener: the connections that it gave birth to live on."""
    detail = call.detail
    if call.call == "SEND" and detail.isdecimal():
        detail += " byte" if detail == "1" else " bytes"
    elif call.call == "CLOSE" and call.remote == NOWHERE:
        detail = detail or "listener"
    return f"{call.call.lower()}({detail})"


def _mirrored(tip: str) -> str:
    """The tip of an arrow that points to the left."""
    mark, _, words = tip.partition(" ")
    return f"{words} {mark}" if words else {">": "<"}.get(tip, tip)
