"""In which state each end of a connection was at each entry of a timeline."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Collection, Sequence

from lastack.tcp.states import State
from lastack.trace.entries import NOWHERE, Arrival, Call, Entry, Move, Power, Timer


class Histories:
    """Built once from the entries; asked by host, ports and place in the list of entries.

    `observed` are the hosts whose states are told.
    """

    __slots__ = ("_connections", "_entries", "_listeners", "_observed", "_power")

    def __init__(self, entries: Sequence[Entry], observed: Collection[str]) -> None:
        self._entries = entries
        self._connections: dict[tuple[str, int, int], list[tuple[int, Move]]] = {}
        self._listeners: dict[tuple[str, int], list[tuple[int, Move]]] = {}
        self._power: dict[str, list[tuple[int, Power]]] = {}
        self._observed = observed
        for place, entry in enumerate(entries):
            if isinstance(entry, Move):
                if entry.remote == NOWHERE:
                    self._listeners.setdefault((entry.host, entry.local[1]), []).append((place, entry))
                else:
                    key = entry.host, entry.local[1], entry.remote[1]
                    self._connections.setdefault(key, []).append((place, entry))
            elif isinstance(entry, Power):
                self._power.setdefault(entry.host, []).append((place, entry))

    def state(self, host: str, local: int, remote: int, place: int) -> State | None:
        """The state of the connection between these ports once entry `place` has happened.

        A connection that is not there yet is what it comes from: the listener, or CLOSED. None for a host of which
        nothing is known, or which has no power.
        """
        power = self._power.get(host, [])
        switched = bisect_right(power, place, key=_place)
        since, last = power[switched - 1] if switched else (-1, None)
        if last is not None and not last.on:
            return None
        # What was before it lost its power, it does not know.
        moves = _after(since, self._connections.get((host, local, remote), []))
        before = bisect_right(moves, place, key=_place)
        if before:
            return moves[before - 1][1].new
        listening = _after(since, self._listeners.get((host, local), []))
        if not moves or (moves[0][1].old is State.LISTEN and listening):
            before = bisect_right(listening, place, key=_place)
            if before:
                return listening[before - 1][1].new
            return State.CLOSED if host in self._observed else None
        return moves[0][1].old

    def settled(self, place: int) -> int:
        """The place up to which the moves that entry `place` causes follow it: they are one with it."""
        cause = self._entries[place]
        if isinstance(cause, Arrival | Timer | Call):
            while place + 1 < len(self._entries):
                move = self._entries[place + 1]
                if not isinstance(move, Move) or move.host != cause.host or move.now != cause.now:
                    break
                place += 1
        return place


def _place(pair: tuple[int, Move] | tuple[int, Power]) -> int:
    return pair[0]


def _after(since: int, moves: list[tuple[int, Move]]) -> list[tuple[int, Move]]:
    return moves if since < 0 else [pair for pair in moves if pair[0] > since]
