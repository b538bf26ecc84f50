"""What is to be drawn: the edges of the table, sorted into those that the figure shows and those that it collects."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from lastack.tcp import states
from lastack.tcp.states import Event, State

# The two paths that nearly every connection takes, as the events that lead along them.
CLIENT_WALK = (
    Event.ACTIVE_OPEN,
    Event.RCV_SYN_ACK,
    Event.CLOSE,
    Event.RCV_ACK_OF_FIN,
    Event.RCV_FIN,
    Event.TIME_WAIT_TIMEOUT,
)
SERVER_WALK = (
    Event.PASSIVE_OPEN,
    Event.RCV_SYN,
    Event.RCV_ACK_OF_SYN,
    Event.RCV_FIN,
    Event.CLOSE,
    Event.RCV_ACK_OF_FIN,
)

# Ends that can come upon nearly any state. The figure would be unreadable with them (its note 3), so the edges by
# which they lead to CLOSED are collected in a table beside it.
SUDDEN = (
    Event.ABORT,
    Event.RCV_RST,
    Event.RCV_SYN_IN_WINDOW,
    Event.HARD_ERROR,
    Event.USER_TIMEOUT,
    Event.FIN_WAIT_2_TIMEOUT,
)

PLAIN = "plain"
CLIENT = "client"
SERVER = "server"
COMPOSITE = "composite"


@dataclass(frozen=True, slots=True)
class Edge:
    """One edge. `kind` is CLIENT, SERVER (on that path), COMPOSITE (two moves by one segment) or PLAIN."""

    source: State
    target: State
    label: str
    sends: str
    kind: str
    sudden: bool = False

    def lines(self) -> list[str]:
        """What stands beside the edge: the event and, where it sends something, what."""
        return [self.label, self.sends] if self.sends else [self.label]


class Diagram:
    """The edges of a table of transitions, in its order. The tables are those of `lastack.tcp.states` by default."""

    __slots__ = ("edges",)

    def __init__(
        self,
        transitions: Mapping[State, Mapping[Event, State]] | None = None,
        composites: Iterable[tuple[State, str, State]] | None = None,
        sends: Mapping[tuple[State, Event], str] | None = None,
    ) -> None:
        # Looked up now, not when the module was read, so that the drawing follows the table whatever is done to it.
        transitions = states.TRANSITIONS if transitions is None else transitions
        composites = states.COMPOSITES if composites is None else composites
        sends = states.SENDS if sends is None else sends
        client = _walk(transitions, CLIENT_WALK)
        server = _walk(transitions, SERVER_WALK)
        self.edges: list[Edge] = []
        for source, moves in transitions.items():
            for event, target in moves.items():
                step = (source, event)
                kind = CLIENT if step in client else SERVER if step in server else PLAIN
                sudden = target is State.CLOSED and event in SUDDEN
                self.edges.append(Edge(source, target, event.value, sends.get(step, ""), kind, sudden))
        self.edges += [Edge(source, target, label, "", COMPOSITE) for source, label, target in composites]

    def drawn(self) -> dict[tuple[State, State], list[Edge]]:
        """The edges to be drawn as arrows, those between the same two states together."""
        pairs: dict[tuple[State, State], list[Edge]] = {}
        for edge in self.edges:
            if not edge.sudden:
                pairs.setdefault((edge.source, edge.target), []).append(edge)
        return pairs

    def sudden(self) -> dict[str, list[Edge]]:
        """The edges to CLOSED that are collected, by the label of their event, in the order of `SUDDEN`."""
        rows: dict[str, list[Edge]] = {}
        for event in SUDDEN:
            if found := [edge for edge in self.edges if edge.sudden and edge.label == event.value]:
                rows[event.value] = found
        return rows

    def sudden_states(self) -> list[State]:
        """The states that a collected edge leaves, in the order of the figure."""
        leaving = {edge.source for edge in self.edges if edge.sudden}
        return [state for state in State if state in leaving]


def caption(edges: Iterable[Edge]) -> list[str]:
    """The lines beside an arrow that stands for all of `edges`: the events, and under them once what they send."""
    events: list[str] = []
    sends: list[str] = []
    for edge in edges:
        if edge.label not in events:
            events.append(edge.label)
        if edge.sends and edge.sends not in sends:
            sends.append(edge.sends)
    return [f"or {event}" if number else event for number, event in enumerate(events)] + sends


def strongest(edges: Iterable[Edge]) -> str:
    """The kind in which an arrow that stands for all of `edges` is drawn."""
    kinds = {edge.kind for edge in edges}
    return next(kind for kind in (CLIENT, SERVER, PLAIN, COMPOSITE) if kind in kinds)


def _walk(transitions: Mapping[State, Mapping[Event, State]], events: Iterable[Event]) -> set[tuple[State, Event]]:
    """The edges that a connection takes from CLOSED by these events, as far as the table lets it."""
    taken = set()
    state = State.CLOSED
    for event in events:
        target = transitions.get(state, {}).get(event)
        if target is None:
            break
        taken.add((state, event))
        state = target
    return taken
