"""What may be seen of the core from outside: one optional listener, told of every event with its time.

The observer is the only call that leaves the core. It may not call back into it, and costs one `is None` when off.
`connection` is a `Tcb`, a listener, or the lean record of a TIME-WAIT: each has `state`, `local` and `remote`.
"""

from __future__ import annotations

from typing import Any, Protocol

from lastack.tcp.states import Event, State
from lastack.wire.segment import Segment


class Observer(Protocol):
    """Times are integer microseconds."""

    def segment_in(self, now: int, connection: Any, segment: Segment) -> None:
        """A well-formed segment came in, before it is processed; `connection` is None where it belongs nowhere."""

    def segment_out(self, now: int, connection: Any, segment: Segment) -> None:
        """A segment leaves; `connection` is None for a RST in answer to what belongs nowhere."""

    def moved(self, now: int, connection: Any, old: State, event: Event, new: State) -> None:
        """A state changed along one edge of the table."""

    def timer_fired(self, now: int, connection: Any, timer: str) -> None:
        """A timer ran out: "retransmission", "persist", "delayed ACK", "keep-alive", "FIN-WAIT-2", "2MSL" ..."""

    def call_made(self, now: int, connection: Any, call: str, detail: str) -> None:
        """The user made a call of RFC 9293 section 3.9.1: "OPEN", "SEND", "RECEIVE", "CLOSE", "ABORT"."""
