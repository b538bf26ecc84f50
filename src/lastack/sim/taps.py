"""Who watches a world: taps see packets on the paths, observers see the connections of one host."""

from __future__ import annotations

from hashlib import sha256
from struct import Struct
from typing import Any

from lastack.link.frame import Frame
from lastack.tcp.observer import Observer
from lastack.tcp.states import Event, State
from lastack.wire.segment import Segment


class Tap:
    """Sees every frame of every path; a subclass takes what it wants. `now` is in microseconds.

    `sender` and `receiver` are names of hosts (or of a router that answers with ICMP). A frame that is duplicated or
    corrupted on its way keeps its `number`.
    """

    def sent(self, now: int, sender: str, receiver: str, frame: Frame) -> None:
        """A frame is put on the wire, before any rule has seen it."""

    def delivered(self, now: int, sender: str, receiver: str, frame: Frame) -> None:
        """A frame has arrived and is handed to the host next."""

    def lost(self, now: int, sender: str, receiver: str, frame: Frame, why: str) -> None:
        """A frame will not arrive; `why` is the name of the rule that took it, or what else became of it."""

    def powered(self, now: int, host: str, on: bool) -> None:
        """A host lost its power, or has started again (its first start is not told)."""


class TraceHash(Tap):
    """One number for all that went over the paths: two runs with the same hash were the same run, to the byte."""

    _WHEN = Struct("!qB")
    _WHERE = Struct("!32s32s")
    _SIZE = Struct("!I")

    def __init__(self) -> None:
        self._hash = sha256()
        self._ways: dict[tuple[str, str], bytes] = {}
        self.frames = 0

    def sent(self, now: int, sender: str, receiver: str, frame: Frame) -> None:
        self._add(0, now, sender, receiver, frame)

    def delivered(self, now: int, sender: str, receiver: str, frame: Frame) -> None:
        self._add(1, now, sender, receiver, frame)

    def _add(self, kind: int, now: int, sender: str, receiver: str, frame: Frame) -> None:
        self.frames += 1
        data = frame.data
        way = self._ways.get((sender, receiver))
        if way is None:
            way = self._ways[sender, receiver] = self._WHERE.pack(sender.encode(), receiver.encode())
        self._hash.update(b"".join((self._WHEN.pack(now, kind), way, self._SIZE.pack(len(data)), data)))

    def hexdigest(self) -> str:
        """The hash of what has been seen up to now."""
        return self._hash.hexdigest()


class Fan:
    """Hands what one host tells to any number of observers, in order."""

    def __init__(self) -> None:
        self.observers: list[Observer] = []

    def segment_in(self, now: int, connection: Any, segment: Segment) -> None:
        """See `Observer`."""
        for observer in self.observers:
            observer.segment_in(now, connection, segment)

    def segment_out(self, now: int, connection: Any, segment: Segment) -> None:
        """See `Observer`."""
        for observer in self.observers:
            observer.segment_out(now, connection, segment)

    def moved(self, now: int, connection: Any, old: State, event: Event, new: State) -> None:
        """See `Observer`."""
        for observer in self.observers:
            observer.moved(now, connection, old, event, new)

    def timer_fired(self, now: int, connection: Any, timer: str) -> None:
        """See `Observer`."""
        for observer in self.observers:
            observer.timer_fired(now, connection, timer)

    def call_made(self, now: int, connection: Any, call: str, detail: str) -> None:
        """See `Observer`."""
        for observer in self.observers:
            observer.call_made(now, connection, call, detail)


class Silent:
    """An observer that minds nothing; a subclass takes what it wants."""

    def segment_in(self, now: int, connection: Any, segment: Segment) -> None:
        """See `Observer`."""

    def segment_out(self, now: int, connection: Any, segment: Segment) -> None:
        """See `Observer`."""

    def moved(self, now: int, connection: Any, old: State, event: Event, new: State) -> None:
        """See `Observer`."""

    def timer_fired(self, now: int, connection: Any, timer: str) -> None:
        """See `Observer`."""

    def call_made(self, now: int, connection: Any, call: str, detail: str) -> None:
        """See `Observer`."""
