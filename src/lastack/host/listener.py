"""A listener: an object of its own in LISTEN, with two limits, half-open and accepted-but-not-taken.

With the half-open queue full a SYN is answered by a SYN cookie (`Config.syn_cookies`) or dropped. A full accept queue
drops it too (the peer tries again), and the final ACK, so that the child stays in SYN-RECEIVED and the SYN,ACK goes
again, or resets it (`Config.abort_on_overflow`).
"""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING, Any

from lastack.host.fast_opens import Pending
from lastack.tcp.config import NEVER, Config
from lastack.tcp.observer import Observer
from lastack.tcp.states import Event, State, move
from lastack.tcp.tcb import Endpoint, Tcb

if TYPE_CHECKING:
    from lastack.host.brief import Brief, Form


class Listener:
    """`local` is (address or b"" for any, port). `backlog` bounds the accept queue."""

    __slots__ = (
        "accepted",
        "backlog",
        "children",
        "config",
        "cookie_at",
        "fast_opens",
        "forms",
        "half_open",
        "local",
        "observer",
        "remote",
        "since",
        "socket",
        "state",
    )

    def __init__(self, local: Endpoint, backlog: int, config: Config, socket: Any, observer: Observer | None) -> None:
        self.local = local
        self.remote: Endpoint = (b"", 0)
        self.backlog = backlog
        self.config = config
        self.socket = socket
        self.observer = observer
        self.state = State.CLOSED
        self.half_open: set[Tcb | Brief] = set()
        self.accepted: deque[Any] = deque()  # of either kind
        self.children: type | None = None  # the sockets of connections that may be brief (`lastack.host.brief`)
        self.forms: dict[tuple[int, int], Form] = {}  # by the length of an address, and the peer's MSS
        self.since = -NEVER  # when it was opened
        self.fast_opens = Pending()
        self.cookie_at = -NEVER  # when the last SYN cookie was sent

    def open(self, now: int) -> None:
        """Passive OPEN."""
        if self.observer is not None:
            self.observer.call_made(now, self, "OPEN", "passive")
        move(self, Event.PASSIVE_OPEN, now)
        self.since = now

    def close(self, now: int) -> list[Tcb]:
        """CLOSE: the children that nobody took, half-open ones first; the host aborts them."""
        if self.observer is not None:
            self.observer.call_made(now, self, "CLOSE", "")
        move(self, Event.CLOSE, now)
        children = sorted(self.half_open, key=lambda tcb: (tcb.remote, tcb.local)) + list(self.accepted)
        self.accepted.clear()
        return children

    def full(self) -> bool:
        """The accept queue has no room. As on Linux, `backlog` + 1 fit, so that a backlog of 0 takes one."""
        return len(self.accepted) > min(self.backlog, self.config.backlog_limit)
