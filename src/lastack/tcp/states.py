"""The eleven states of a TCP connection, and the one table by which they change.

This is RFC 9293 Figure 5, read from the top of the figure to its foot, with what the figure leaves out (its notes 1
to 3, and sections 3.10.1 to 3.10.8). `move` is the only writer of a state in the whole package; a pair that the table
lacks is a bug of ours and fails an assertion.
"""

from __future__ import annotations

from enum import Enum
from typing import Any, Protocol


class State(Enum):
    """RFC 9293 section 3.3.2. The value is the RFC's own spelling."""

    CLOSED = "CLOSED"
    LISTEN = "LISTEN"
    SYN_SENT = "SYN-SENT"
    SYN_RCVD = "SYN-RECEIVED"
    ESTABLISHED = "ESTABLISHED"
    FIN_WAIT_1 = "FIN-WAIT-1"
    FIN_WAIT_2 = "FIN-WAIT-2"
    CLOSE_WAIT = "CLOSE-WAIT"
    CLOSING = "CLOSING"
    LAST_ACK = "LAST-ACK"
    TIME_WAIT = "TIME-WAIT"

    # A member is itself and no other; Enum would hash its name, in Python: 0.3 us for each look into a table.
    __hash__ = object.__hash__


class Event(Enum):
    """What can move a state. The value is the label of the edge, in the words of the figure where it has them."""

    PASSIVE_OPEN = "passive OPEN"
    ACTIVE_OPEN = "active OPEN"
    SEND = "SEND"
    CLOSE = "CLOSE"
    ABORT = "ABORT"
    RCV_SYN = "rcv SYN"
    RCV_SYN_ACK = "rcv SYN,ACK"
    RCV_ACK_OF_SYN = "rcv ACK of SYN"
    # The SYN,ACK was a cookie: nothing was kept of the handshake, and there was no SYN-RECEIVED (RFC 4987 section 3.6).
    RCV_ACK_OF_COOKIE = "rcv ACK of a SYN cookie"
    RCV_FIN = "rcv FIN"
    RCV_ACK_OF_FIN = "rcv ACK of FIN"
    RCV_RST = "rcv RST"
    # Note 1 of the figure: a RST sends a SYN-RECEIVED that came from a passive OPEN back to LISTEN ...
    RCV_RST_PASSIVE = "rcv RST (passive OPEN)"
    # ... and one that reopened a TIME-WAIT (MAY-2) back to TIME-WAIT: its SYN was an old duplicate.
    RCV_RST_OLD_DUPLICATE = "rcv RST (old duplicate SYN)"
    # RFC 793's answer to a SYN inside the window; RFC 5961's challenge ACK, which moves no state, is the default.
    RCV_SYN_IN_WINDOW = "rcv SYN in window (RFC 793)"
    HARD_ERROR = "ICMP hard error"
    # The user timeout, R2 reached (section 3.8.3), or keep-alive probes unanswered.
    USER_TIMEOUT = "user timeout"
    FIN_WAIT_2_TIMEOUT = "FIN-WAIT-2 timeout"
    TIME_WAIT_TIMEOUT = "timeout = 2MSL"

    __hash__ = object.__hash__


CLOSED = State.CLOSED
LISTEN = State.LISTEN
SYN_SENT = State.SYN_SENT
SYN_RCVD = State.SYN_RCVD
ESTABLISHED = State.ESTABLISHED
FIN_WAIT_1 = State.FIN_WAIT_1
FIN_WAIT_2 = State.FIN_WAIT_2
CLOSE_WAIT = State.CLOSE_WAIT
CLOSING = State.CLOSING
LAST_ACK = State.LAST_ACK
TIME_WAIT = State.TIME_WAIT

TRANSITIONS: dict[State, dict[Event, State]] = {
    CLOSED: {
        Event.PASSIVE_OPEN: LISTEN,
        Event.ACTIVE_OPEN: SYN_SENT,
    },
    LISTEN: {
        Event.RCV_SYN: SYN_RCVD,
        Event.RCV_ACK_OF_COOKIE: ESTABLISHED,
        Event.SEND: SYN_SENT,
        Event.ACTIVE_OPEN: SYN_SENT,  # section 3.10.1, which the figure omits
        Event.CLOSE: CLOSED,
        Event.ABORT: CLOSED,
    },
    SYN_SENT: {
        Event.RCV_SYN: SYN_RCVD,
        Event.RCV_SYN_ACK: ESTABLISHED,
        Event.CLOSE: CLOSED,
        Event.ABORT: CLOSED,
        Event.RCV_RST: CLOSED,
        Event.HARD_ERROR: CLOSED,
        Event.USER_TIMEOUT: CLOSED,
    },
    SYN_RCVD: {
        Event.RCV_ACK_OF_SYN: ESTABLISHED,
        Event.CLOSE: FIN_WAIT_1,
        Event.ABORT: CLOSED,
        Event.RCV_RST: CLOSED,
        Event.RCV_RST_PASSIVE: LISTEN,
        Event.RCV_SYN: LISTEN,  # section 3.10.7.4, fourth step: a SYN in the window, after a passive OPEN
        Event.RCV_RST_OLD_DUPLICATE: TIME_WAIT,
        Event.RCV_FIN: CLOSE_WAIT,  # section 3.10.7.4, eighth step: with the SYN of a fast open (RFC 7413)
        Event.HARD_ERROR: CLOSED,
        Event.USER_TIMEOUT: CLOSED,
    },
    ESTABLISHED: {
        Event.CLOSE: FIN_WAIT_1,
        Event.RCV_FIN: CLOSE_WAIT,
        Event.ABORT: CLOSED,
        Event.RCV_RST: CLOSED,
        Event.RCV_SYN_IN_WINDOW: CLOSED,
        Event.USER_TIMEOUT: CLOSED,
    },
    FIN_WAIT_1: {
        Event.RCV_ACK_OF_FIN: FIN_WAIT_2,
        Event.RCV_FIN: CLOSING,
        Event.ABORT: CLOSED,
        Event.RCV_RST: CLOSED,
        Event.RCV_SYN_IN_WINDOW: CLOSED,
        Event.USER_TIMEOUT: CLOSED,
    },
    FIN_WAIT_2: {
        Event.RCV_FIN: TIME_WAIT,
        Event.FIN_WAIT_2_TIMEOUT: CLOSED,
        Event.ABORT: CLOSED,
        Event.RCV_RST: CLOSED,
        Event.RCV_SYN_IN_WINDOW: CLOSED,
        Event.USER_TIMEOUT: CLOSED,
    },
    CLOSE_WAIT: {
        Event.CLOSE: LAST_ACK,
        Event.ABORT: CLOSED,
        Event.RCV_RST: CLOSED,
        Event.RCV_SYN_IN_WINDOW: CLOSED,
        Event.USER_TIMEOUT: CLOSED,
    },
    CLOSING: {
        Event.RCV_ACK_OF_FIN: TIME_WAIT,
        Event.ABORT: CLOSED,
        Event.RCV_RST: CLOSED,
        Event.RCV_SYN_IN_WINDOW: CLOSED,
        Event.USER_TIMEOUT: CLOSED,
    },
    LAST_ACK: {
        Event.RCV_ACK_OF_FIN: CLOSED,
        Event.ABORT: CLOSED,
        Event.RCV_RST: CLOSED,
        Event.RCV_SYN_IN_WINDOW: CLOSED,
        Event.USER_TIMEOUT: CLOSED,
    },
    TIME_WAIT: {
        Event.TIME_WAIT_TIMEOUT: CLOSED,
        Event.RCV_SYN: SYN_RCVD,  # a new incarnation: section 3.6.1 MAY-2, RFC 6191
        Event.ABORT: CLOSED,
        Event.RCV_RST: CLOSED,  # only where RFC 1337's protection is off
    },
}

# Two moves made by one segment, which the figure (note 2) or a reader of it takes for one edge: (from, label, to).
COMPOSITES: tuple[tuple[State, str, State], ...] = (
    (FIN_WAIT_1, "rcv FIN,ACK of FIN", TIME_WAIT),
    (SYN_RCVD, "rcv FIN,ACK of SYN", CLOSE_WAIT),
)

# What the figure writes below the line of an edge: what the move sends.
SENDS: dict[tuple[State, Event], str] = {
    (CLOSED, Event.ACTIVE_OPEN): "snd SYN",
    (LISTEN, Event.RCV_SYN): "snd SYN,ACK",
    (LISTEN, Event.SEND): "snd SYN",
    (LISTEN, Event.ACTIVE_OPEN): "snd SYN",
    (SYN_SENT, Event.RCV_SYN): "snd SYN,ACK",
    (SYN_SENT, Event.RCV_SYN_ACK): "snd ACK",
    (SYN_RCVD, Event.CLOSE): "snd FIN",
    (SYN_RCVD, Event.ABORT): "snd RST",
    (ESTABLISHED, Event.CLOSE): "snd FIN",
    (ESTABLISHED, Event.RCV_FIN): "snd ACK",
    (ESTABLISHED, Event.ABORT): "snd RST",
    (FIN_WAIT_1, Event.RCV_FIN): "snd ACK",
    (FIN_WAIT_1, Event.ABORT): "snd RST",
    (FIN_WAIT_2, Event.RCV_FIN): "snd ACK",
    (FIN_WAIT_2, Event.ABORT): "snd RST",
    (CLOSE_WAIT, Event.CLOSE): "snd FIN",
    (CLOSE_WAIT, Event.ABORT): "snd RST",
    (TIME_WAIT, Event.RCV_SYN): "snd SYN,ACK",
}

# Our FIN is queued or sent: no SEND is taken any more.
SEND_CLOSED = frozenset({CLOSED, FIN_WAIT_1, FIN_WAIT_2, CLOSING, LAST_ACK, TIME_WAIT})
# The peer's FIN has come: no more text can arrive.
RECEIVE_CLOSED = frozenset({CLOSED, CLOSE_WAIT, CLOSING, LAST_ACK, TIME_WAIT})
SYNCHRONIZED = frozenset({ESTABLISHED, FIN_WAIT_1, FIN_WAIT_2, CLOSE_WAIT, CLOSING, LAST_ACK, TIME_WAIT})


class Watcher(Protocol):
    """The part of an observer (`lastack.tcp.observer`) that a move needs."""

    def moved(self, now: int, connection: Any, old: State, event: Event, new: State) -> None:
        """A state changed along one edge of the table."""


class Stateful(Protocol):
    """What `move` needs of a connection: a `Tcb`, or the lean record of a TIME-WAIT."""

    state: State

    @property
    def observer(self) -> Watcher | None: ...


def move(tcb: Stateful, event: Event, now: int) -> None:
    """Move a connection along one edge of `TRANSITIONS` at the time `now` (microseconds)."""
    old = tcb.state
    edges = TRANSITIONS[old]
    assert event in edges, f"no edge leaves {old.value} by {event.value}"
    tcb.state = edges[event]
    if tcb.observer is not None:
        tcb.observer.moved(now, tcb, old, event, tcb.state)
