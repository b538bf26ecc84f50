"""What happened, in order: a recording of any world, from which the ladder diagram is drawn.

A world tells of the packets on its wire (`packet_sent`, `packet_arrived`, `packet_lost`); each host's observer
(`timeline.observer("client")`) tells of states, timers and calls. A world whose wire cannot be watched is recorded by
`Timeline(segments=True)`: then the segments that the observers see stand for the packets.
"""

from __future__ import annotations

import json
from collections import deque
from typing import Any

from lastack.tcp.states import Event, State
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
    Seen,
    Timer,
    as_dict,
    see,
    see_segment,
)
from lastack.wire.packet import Packet
from lastack.wire.segment import Segment


class Timeline:
    """The entries, and the hosts in the order in which they were first heard of. Times are integer microseconds."""

    __slots__ = ("_arrived", "_latest", "_sent", "_waiting", "entries", "hosts", "observed", "segments")

    def __init__(self, *, segments: bool = False) -> None:
        self.entries: list[Entry] = []
        self.hosts: list[str] = []
        self.observed: set[str] = set()  # the hosts whose states are told: without a connection they are CLOSED
        self.segments = segments
        self._sent: list[Seen] = []
        self._arrived: set[int] = set()
        # Departures of packets of one key that have not ended yet, and the latest that has.
        self._waiting: dict[tuple[Any, ...], deque[int]] = {}
        self._latest: dict[tuple[Any, ...], int] = {}

    def observer(self, host: str, origin: int = 0) -> HostObserver:
        """What to give to the host of that name as its observer. Its clock shows `origin` at our time 0."""
        self._meet(host)
        self.observed.add(host)
        return HostObserver(self, host, origin)

    def packet_sent(self, now: int, sender: str, packet: Packet) -> int:
        """A packet left `sender`, finished as the wire sees it. The number of this departure."""
        return self.sent(now, sender, see(packet))

    def packet_arrived(self, now: int, receiver: str, packet: Packet, sent: int | None = None) -> None:
        """A packet comes to `receiver`, to be told before the host is.

        `sent` is the number of its departure; without it the earliest equal packet that is still under way is meant.
        """
        self.arrived(now, receiver, see(packet), sent)

    def packet_lost(self, now: int, sender: str, packet: Packet, why: str = "lost", sent: int | None = None) -> None:
        """A packet from `sender` will not arrive; `sent` as for `packet_arrived`."""
        seen = see(packet)
        number, _ = self._end(seen, sent)
        self.entries.append(Loss(now, sender, number, seen, why))

    def note(self, now: int, text: str, host: str = "") -> None:
        """Something that a reader should know, of one host or of none."""
        self.entries.append(Note(now, host, text))

    def power(self, now: int, host: str, on: bool) -> None:
        """A host was switched off, and forgot everything, or `on` again."""
        self.entries.append(Power(now, host, on))

    def to_json(self) -> str:
        """The whole recording; the same recording gives the same text to the byte."""
        entries = ",\n  ".join(json.dumps(as_dict(entry)) for entry in self.entries)
        return f'{{"hosts": {json.dumps(self.hosts)}, "entries": [\n  {entries}\n]}}\n'

    def sent(self, now: int, sender: str, seen: Seen) -> int:
        """As `packet_sent`, for a packet that is looked at already."""
        self._meet(sender)
        number = len(self._sent)
        self._sent.append(seen)
        self._waiting.setdefault(seen.key(), deque()).append(number)
        self.entries.append(Departure(now, sender, number, seen))
        return number

    def arrived(self, now: int, receiver: str, seen: Seen, sent: int | None = None) -> None:
        """As `packet_arrived`, for a packet that is looked at already."""
        self._meet(receiver)
        number, again = self._end(seen, sent)
        if number is not None:
            self._arrived.add(number)
            if self.segments:  # the receiver may not have been told the addresses
                seen = self._sent[number]
        self.entries.append(Arrival(now, receiver, number, seen, again))

    def _meet(self, host: str) -> None:
        if host not in self.hosts:
            self.hosts.append(host)

    def _end(self, seen: Seen, sent: int | None) -> tuple[int | None, bool]:
        """The departure that ends here, and whether a packet of it has arrived before."""
        key = seen.key()
        waiting = self._waiting.get(key)
        if sent is None:
            sent = waiting[0] if waiting else self._latest.get(key)
        if sent is None:
            return None, False
        if waiting and sent in waiting:
            waiting.remove(sent)
            if not waiting:
                del self._waiting[key]
        self._latest[key] = sent
        return sent, sent in self._arrived


class HostObserver:
    """The observer of one host (`lastack.tcp.observer.Observer`); it writes into the timeline that made it."""

    __slots__ = ("host", "origin", "timeline")

    def __init__(self, timeline: Timeline, host: str, origin: int = 0) -> None:
        self.timeline = timeline
        self.host = host
        self.origin = origin

    def segment_in(self, now: int, connection: Any, segment: Segment) -> None:
        """See Observer."""
        if self.timeline.segments:
            local, remote = _ends(connection)
            source, destination = (remote[0], segment.source_port), (local[0], segment.destination_port)
            self.timeline.arrived(now - self.origin, self.host, see_segment(segment, source, destination))

    def segment_out(self, now: int, connection: Any, segment: Segment) -> None:
        """See Observer."""
        if self.timeline.segments:
            local, remote = _ends(connection)
            source, destination = (local[0], segment.source_port), (remote[0], segment.destination_port)
            self.timeline.sent(now - self.origin, self.host, see_segment(segment, source, destination))

    def moved(self, now: int, connection: Any, old: State, event: Event, new: State) -> None:
        """See Observer."""
        self.timeline.entries.append(Move(now - self.origin, self.host, *_ends(connection), old, event, new))

    def timer_fired(self, now: int, connection: Any, timer: str) -> None:
        """See Observer."""
        self.timeline.entries.append(Timer(now - self.origin, self.host, *_ends(connection), timer))

    def call_made(self, now: int, connection: Any, call: str, detail: str) -> None:
        """See Observer."""
        self.timeline.entries.append(Call(now - self.origin, self.host, *_ends(connection), call, detail))


def _ends(connection: Any) -> tuple[Endpoint, Endpoint]:
    """Both ends of a connection; a listener has no remote end, and None has neither."""
    if connection is None:
        return NOWHERE, NOWHERE
    remote = connection.remote
    return connection.local, NOWHERE if remote is None or not remote[1] else remote
