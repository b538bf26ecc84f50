"""What a socket stands on: one host, and what drives it."""

from __future__ import annotations

from typing import Any, Protocol

from lastack.host import options
from lastack.host.host import Host
from lastack.host.sockets import Socket

READ = 1  # selectors.EVENT_READ
WRITE = 2  # selectors.EVENT_WRITE

# Urgent data makes a socket neither readable nor writable: who would read it has to ask for it.
_READABLE = ~(options.POLLOUT | options.POLLPRI)
_WRITABLE = ~(options.POLLIN | options.POLLPRI | options.POLLRDHUP)


def events_of(socket: Socket, wanted: int = READ | WRITE) -> int:
    """Which of READ and WRITE there are, as a selector over epoll would tell them."""
    if wanted == READ and socket.flows():  # as nearly always: 1 us less
        return READ if socket.readable() else 0
    return wanted & events_in(socket.poll())


def events_in(found: int) -> int:
    """What of READ and WRITE there is in events of poll(2)."""
    return (READ if found & _READABLE else 0) | (WRITE if found & _WRITABLE else 0)


class Stack(Protocol):
    """One host as its sockets see it."""

    @property
    def host(self) -> Host:
        """The host. OSError ENETDOWN where it is not running."""

    def now(self) -> int:
        """The host's time in microseconds."""

    def touched(self) -> None:
        """A call was made: there may be something to send."""

    def entered(self, owner: Any, socket: Socket) -> int:
        """A socket came into being, whose owner is to be told when it is ready: its number, in place of a file
        descriptor."""

    def left(self, number: int) -> None:
        """That socket is gone."""

    def routes(self, address: str) -> bool:
        """Whether the address (as text) is reached by this host."""

    def resolve(self, name: str, family: int) -> str:
        """The address of a host's name, for who gives a name where an address belongs. Raises socket.gaierror."""

    def wait(self, owner: Any, events: int, timeout: float | None) -> None:
        """Block until the socket is ready for one of `events`, or closed. TimeoutError after `timeout` seconds (None:
        never)."""
