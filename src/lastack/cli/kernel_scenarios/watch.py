"""The kernel's states, looked at again and again, and told to a timeline as if the kernel had an observer."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import pairwise
from socket import socket

from lastack.device.kernel_sockets import kernel_sockets
from lastack.tcp.states import TRANSITIONS, Event, State
from lastack.trace.entries import NOWHERE, Endpoint, Move
from lastack.trace.timeline import Timeline
from lastack.wire import segment
from lastack.wire.address import parse_address

Key = tuple[Endpoint, Endpoint]

# What can have moved a socket, by what went before. The kernel shows states, not events: these are inferred.
ACK = (Event.RCV_ACK_OF_SYN, Event.RCV_ACK_OF_FIN)
FIN = (*ACK, Event.RCV_FIN, Event.TIME_WAIT_TIMEOUT)
SYN = (Event.RCV_SYN, Event.RCV_SYN_ACK, *ACK)
RESET = (Event.RCV_RST,)
CALL = (Event.PASSIVE_OPEN, Event.ACTIVE_OPEN, Event.CLOSE, Event.ABORT)
TIME = (Event.TIME_WAIT_TIMEOUT, Event.FIN_WAIT_2_TIMEOUT, Event.USER_TIMEOUT)


def way(old: State, new: State, events: Iterable[Event]) -> list[tuple[Event, State]]:
    """The shortest way along the table from one state to another, by these events if they lead there."""
    for likely in (tuple(events), tuple(Event)):
        paths: list[list[tuple[Event, State]]] = [[]]
        for _ in range(3):
            longer = []
            for path in paths:
                here = path[-1][1] if path else old
                for event in likely:
                    if event not in TRANSITIONS[here]:
                        continue
                    step = [*path, (event, TRANSITIONS[here][event])]
                    if step[-1][1] is new:
                        return step
                    longer.append(step)
            paths = longer
    raise AssertionError(f"the kernel went from {old.value} to {new.value}")


def likely(flags: int) -> tuple[Event, ...]:
    """What a segment with these flags can do."""
    if flags & segment.RST:
        return RESET
    if flags & segment.SYN:
        return SYN
    return FIN if flags & segment.FIN else ACK


class Watch:
    """Looks at the sockets of a namespace; `look` tells the timeline what has changed. `netlink` asks the kernel."""

    def __init__(self, timeline: Timeline, name: str, netlink: socket) -> None:
        self.timeline = timeline
        self.name = name
        self.netlink = netlink
        self.states: dict[Key, State] = {}

    def look(self, now: int, events: Iterable[Event]) -> None:
        """Look now (microseconds); what has moved is put down to `events` where they can do it."""
        found = self._table()
        for key in {**self.states, **found}:
            old, new = self.states.get(key, State.CLOSED), found.get(key, State.CLOSED)
            if old is new:
                continue
            if key not in self.states and new is not State.LISTEN and (key[0], NOWHERE) in found:
                old = State.LISTEN  # somebody knocked
                path = way(old, new, SYN)
            else:
                path = way(old, new, events)
            for (_, before), (event, after) in pairwise([(Event.SEND, old), *path]):
                self.timeline.entries.append(Move(now, self.name, *key, before, event, after))
        self.states = found

    def _table(self) -> dict[Key, State]:
        table: dict[Key, State] = {}
        for row in kernel_sockets(self.netlink.dup()):
            if row.state is None or row.state is State.CLOSED:
                continue
            local = parse_address(row.local[0]), row.local[1]
            listens = row.state is State.LISTEN
            table[local, NOWHERE if listens else (parse_address(row.remote[0]), row.remote[1])] = row.state
        return table
