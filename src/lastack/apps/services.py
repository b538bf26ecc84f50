"""The small services of 1983 over TCP: echo (RFC 862), discard (RFC 863), chargen (RFC 864), daytime (RFC 867)."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache

from lastack.apps.reactor import CHUNK, SECOND, Connection, Make, Reactor
from lastack.host import options
from lastack.host.sockets import Socket
from lastack.wire.packet import Buffer

ECHO_PORT = 7
DISCARD_PORT = 9
DAYTIME_PORT = 13
CHARGEN_PORT = 19

_PRINTABLE = bytes(range(0x21, 0x7F)) + b" "  # in the order in which RFC 864's example begins
_LINE = 72
_ALL = 1 << 30


class Echo(Connection):
    """RFC 862: sends back what it gets, until the client closes; then it closes behind the last of it."""

    def __init__(self, reactor: Reactor, socket: Socket) -> None:
        super().__init__(reactor, socket)
        self.pending: list[Buffer] = []

    def ready(self, now: int) -> None:
        while not self.pending or self.send_pieces(now, self.pending):  # else nothing is read: the window closes
            views = self.receive_views(now)
            if views is None:
                return
            if not views:
                self.close(now)
                return
            self.pending = views


class Discard(Connection):
    """RFC 863: throws away what it gets, and sends nothing."""

    def ready(self, now: int) -> None:
        if self.drain(now, _ALL) is None:
            self.close(now)


@cache
def chargen_ring() -> bytes:
    """RFC 864's popular pattern, one whole turn: 95 lines of 72 of the 95 printable characters, each one further on."""
    twice = _PRINTABLE * 2
    return b"".join(twice[first : first + _LINE] + b"\r\n" for first in range(len(_PRINTABLE)))


class Chargen(Connection):
    """RFC 864: sends characters until the client closes, and throws away what it gets."""

    # Whole turns of the ring: bytes that all connections share, and that are sent without a copy.
    block = memoryview(chargen_ring() * (4 * CHUNK // len(chargen_ring())))

    def __init__(self, reactor: Reactor, socket: Socket) -> None:
        super().__init__(reactor, socket)
        self.position = 0

    def ready(self, now: int) -> None:
        if self.drain(now, _ALL) is None:
            self.close(now)
            return
        while sent := self.send(now, self.block[self.position :]):
            self.position = (self.position + sent) % len(self.block)


class Daytime(Connection):
    """RFC 867: sends the time as text and closes first. What the client sends is thrown away.

    `text` gives the text at that moment, a line without its end.
    """

    # The client is to close behind us: one that does not is let go.
    idle = 10 * SECOND

    def __init__(self, reactor: Reactor, socket: Socket, text: Callable[[], str]) -> None:
        super().__init__(reactor, socket)
        self.text = text
        self.told = False

    def ready(self, now: int) -> None:
        if not self.told:
            self.told = True
            self.send(now, self.text().encode("ascii", "replace") + b"\r\n")
            # Not close: data of the client that nobody reads would end in a RST, which may overtake our text.
            self.socket.shutdown(now, options.SHUT_WR)
        if self.drain(now, _ALL) is None:
            self.close(now)


def daytime(text: Callable[[], str]) -> Make:
    """What makes a Daytime for each connection."""
    return lambda reactor, socket: Daytime(reactor, socket, text)
