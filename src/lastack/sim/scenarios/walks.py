"""Through which states connections went: a recording's moves, sorted by connection and incarnation."""

from __future__ import annotations

from lastack.tcp.states import Event, State
from lastack.trace.entries import NOWHERE, Endpoint, Move
from lastack.trace.timeline import Timeline

# The moves by which a connection begins; that from TIME-WAIT reopens it (RFC 9293 section 3.6.1, MAY-2).
_BEGINNINGS = frozenset(
    {
        (State.CLOSED, Event.ACTIVE_OPEN),
        (State.LISTEN, Event.RCV_SYN),
        (State.LISTEN, Event.SEND),
        (State.LISTEN, Event.ACTIVE_OPEN),
        (State.TIME_WAIT, Event.RCV_SYN),
    }
)


class Walk:
    """One incarnation of a connection as one host has it: its moves, oldest first."""

    __slots__ = ("local", "moves", "remote")

    def __init__(self, local: Endpoint, remote: Endpoint, first: Move) -> None:
        self.local = local
        self.remote = remote
        self.moves = [first]

    @property
    def states(self) -> list[State]:
        """Every state that it has been in, from CLOSED on; a child of a listener begins with LISTEN's own way."""
        start = self.moves[0].old
        before = [State.CLOSED, start] if start is State.LISTEN else [start]
        return [*before, *(move.new for move in self.moves)]

    @property
    def state(self) -> State:
        """The state that it is in. A child that dies by a RST goes back to LISTEN (note 1 of the figure)."""
        return self.moves[-1].new

    def entered(self, state: State) -> int | None:
        """When it last entered a state, in microseconds; None where it never did."""
        return max((move.now for move in self.moves if move.new is state), default=None)


def walks(timeline: Timeline, host: str) -> list[Walk]:
    """The incarnations that a host has seen, in the order in which they began."""
    found: list[Walk] = []
    latest: dict[tuple[Endpoint, Endpoint], Walk] = {}
    for entry in timeline.entries:
        if not isinstance(entry, Move) or entry.host != host or entry.remote == NOWHERE:
            continue
        key = entry.local, entry.remote
        if key not in latest or (entry.old, entry.event) in _BEGINNINGS:
            latest[key] = Walk(*key, entry)
            found.append(latest[key])
        else:
            latest[key].moves.append(entry)
    return found


def listener_states(timeline: Timeline, host: str) -> list[State]:
    """The states of a host's listeners, oldest first; CLOSED where it never had one."""
    moves = [one for one in timeline.entries if isinstance(one, Move) and one.host == host and one.remote == NOWHERE]
    return [moves[0].old, *(move.new for move in moves)] if moves else [State.CLOSED]


def all_states(timeline: Timeline, host: str) -> list[State]:
    """Every state of every connection of a host, one connection after the other; no state twice in a row."""
    states = [state for walk in walks(timeline, host) for state in walk.states] or listener_states(timeline, host)
    return [state for at, state in enumerate(states) if not at or state is not states[at - 1]]
