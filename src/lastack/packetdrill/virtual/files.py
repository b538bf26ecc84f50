"""The open files of a virtual machine: a socket with what a process adds to it, and what waits of it."""

from __future__ import annotations

from typing import NamedTuple

from lastack.host.options import POLLIN, POLLOUT
from lastack.host.sockets import Socket
from lastack.packetdrill.symbols import CONSTANTS
from lastack.tcp.states import State

OPENING = frozenset({State.SYN_SENT, State.SYN_RCVD})
_RDNORM, _WRNORM = CONSTANTS["POLLRDNORM"], CONSTANTS["POLLWRNORM"]


class Wakes(NamedTuple):
    """What a file has woken its waiters by so far: input, room for output, and anything else.

    Edges of epoll are changes of it, as Linux wakes: each arrival is one, also where data waits already; room is one
    where none was found before.
    """

    input: int
    room: int
    state: tuple[object, ...]


class SocketFile:
    """A socket that a script has open. Times are microseconds, None for ever."""

    __slots__ = (
        "_lacks_room",
        "_room",
        "accepted",
        "blocking",
        "kept",
        "receive_timeout",
        "send_timeout",
        "socket",
        "tells_unread",
    )

    def __init__(self, socket: Socket, *, blocking: bool = True) -> None:
        self.socket = socket
        self.blocking = blocking
        self.receive_timeout: int | None = None
        self.send_timeout: int | None = None
        self.tells_unread = False  # TCP_INQ
        self.kept: dict[tuple[int, int], int | str] = {}  # options that change nothing here
        self.accepted = 0  # connections that accept has taken
        self._lacks_room = False
        self._room = 0

    @property
    def closed(self) -> bool:
        """Whether it has been closed."""
        return self.socket.closed

    @property
    def opening(self) -> bool:
        """Whether its connection is being opened."""
        return self.socket.tcb is not None and self.socket.tcb.state in OPENING

    def poll(self) -> int:
        """The events that there are now."""
        events = self.socket.poll()
        if events & POLLIN:
            events |= _RDNORM
        if events & POLLOUT:
            events |= _WRNORM
        else:
            self.lacks_room()
        return events

    def lacks_room(self) -> None:
        """Somebody has found no room to send: they are to be woken when there is some."""
        self._notice_room()
        self._lacks_room = True

    def _notice_room(self) -> None:
        if self._lacks_room and self.socket.writable():
            self._lacks_room = False
            self._room += 1

    def wakes(self) -> Wakes:
        """See `Wakes`."""
        self._notice_room()
        socket = self.socket
        if socket.listener is not None:
            return Wakes(self.accepted + len(socket.listener.accepted), 0, ())
        tcb = socket.tcb
        if tcb is None:
            return Wakes(0, 0, ())
        arrived = tcb.statistics.bytes_read + tcb.receive_buffer.length + (tcb.rcv_up is not None)
        state = (self.opening, tcb.state is State.CLOSED, tcb.fin_received, tcb.fin_queued)
        return Wakes(arrived, self._room, state)
