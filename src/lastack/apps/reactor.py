"""What an application stands on: sockets that became ready are given to the objects that serve them.

A `Reactor` is what a world or a driver calls: `on_ready(now, sockets)`. Times are integer microseconds, and nothing
here has a clock: whoever drives a reactor calls `advance` when `deadline` has come.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

from lastack.host import options
from lastack.host.brief_sockets import BriefSocket
from lastack.host.counters import Counters
from lastack.host.host import Host
from lastack.host.sockets import Socket
from lastack.wire.address import format_address
from lastack.wire.packet import Buffer

SECOND = 1_000_000

# What is read or sent at a time: large, as every call costs the same; small against a send buffer.
CHUNK = 256 * 1024
# Connections of a reactor at a time; the others wait in the listeners' queues.
LIMIT = 4096
# A peer that vanished is found after this time without a word from it, and found out in a minute and a half.
_KEEPALIVE_IDLE = 60  # seconds
_KEEPALIVE_INTERVAL = 15
_KEEPALIVE_PROBES = 6

Make = Callable[["Reactor", Socket], "Connection"]


class Connection:
    """One connection of an application, to be subclassed: `ready` is called whenever its socket's readiness changed.

    It must then do all that can be done, until `receive` gives None or `send` takes less than it was given: what is
    left is not told again. An OSError that leaves `ready` ends the connection (`failed`).
    """

    # Microseconds without any readiness after which `timed_out` is called; None: never.
    idle: int | None = None

    def __init__(self, reactor: Reactor, socket: Socket) -> None:
        self.reactor = reactor
        self.socket = socket
        self.active_at = 0

    def ready(self, now: int) -> None:
        """The socket may be read, written, or has ended."""
        raise NotImplementedError

    def stop(self, now: int) -> None:
        """The application is about to end: close soon, in good order."""
        self.close(now)

    def timed_out(self, now: int) -> None:
        """Nothing has happened for `idle`."""
        self.reactor.counters["connections idle for too long"] += 1
        self.abort(now)

    def failed(self, now: int, error: OSError) -> None:
        """The connection has ended with an error."""
        self.reactor.counters["connections ended by an error"] += 1
        self.close(now)

    def closed(self) -> None:
        """The socket was closed just now, by whatever way: give back what else is held."""

    def receive(self, now: int, size: int = CHUNK) -> bytes | None:
        """Up to `size` bytes; b"" at the end; None where there are none yet."""
        data = self.socket.take(now, size)
        if data:
            self.reactor.counters["bytes in"] += len(data)
        return data

    def receive_views(self, now: int, size: int = CHUNK) -> list[Buffer] | None:
        """The same without a copy: the bytes as they came, in pieces, [] at the end."""
        views = self.socket.take_views(now, size)
        if views:
            self.reactor.counters["bytes in"] += len(views[0]) if len(views) == 1 else sum(map(len, views))
        return views

    def send(self, now: int, data: Buffer) -> int:
        """The bytes of `data` that were taken; fewer than all where the send buffer is full.

        `bytes` and views of such are not copied."""
        try:
            sent = self.socket.send(now, data)
        except BlockingIOError:
            return 0
        self.reactor.counters["bytes out"] += sent
        return sent

    def send_pieces(self, now: int, pieces: list[Buffer]) -> bool:
        """Send pieces in order, as far as there is room; what is left stays in the list. Whether all were taken."""
        for count, data in enumerate(pieces):
            sent = self.send(now, data)
            if sent < len(data):
                pieces[: count + 1] = [memoryview(data)[sent:]]
                return False
        pieces.clear()
        return True

    def drain(self, now: int, limit: int) -> int | None:
        """Throw away what has come, up to `limit` bytes; how many they were, None once the end is reached."""
        thrown = 0
        while thrown < limit:
            views = self.receive_views(now, limit - thrown)
            if views is None:
                return thrown
            if not views:
                return None
            thrown += sum(map(len, views))
        return thrown

    def close(self, now: int) -> None:
        """Close the socket; the connection itself ends in good order. Twice is once."""
        self.reactor.leave(self, now)

    def abort(self, now: int) -> None:
        """Reset the connection (RFC 9293 section 3.10.5)."""
        if not self.socket.closed:
            self.socket.setsockopt(options.SOL_SOCKET, options.SO_LINGER, (1, 0))
        self.close(now)


class Listening:
    """What a listening socket bears as its user."""

    def __init__(self, socket: Socket, make: Make) -> None:
        self.socket = socket
        self.make = make


class Reactor:
    """The applications of one host. `counters` count connections and bytes; `limit` bounds the connections."""

    def __init__(self, host: Host, limit: int = LIMIT) -> None:
        self.host = host
        self.limit = limit
        self.counters = Counters()
        self.connections: dict[Connection, None] = {}
        self.listening: list[Listening] = []
        self._timed = 0  # how many connections have an `idle`
        self._sweep_at = 0

    def __call__(self, now: int, sockets: Iterable[Any]) -> None:
        """Serve the sockets whose readiness changed."""
        for socket in sockets:
            user = socket.user
            if socket.closed:  # since the list was made
                continue
            if isinstance(user, Connection):
                user.active_at = now
                try:
                    user.ready(now)
                except OSError as error:
                    user.failed(now, error)
            elif isinstance(user, Listening):
                self._accept(now, user)

    # --- opening ---

    def listen(self, now: int, port: int, make: Make, *, backlog: int = 1024, **settings: int) -> int:
        """Listen on a port of every address that the host has; `make` makes the object for each connection.

        Port 0 is any free one. `settings` are values of `Config` for its connections. Returns the port.
        Raises OSError EADDRINUSE.
        """
        begun: list[Listening] = []
        try:
            for address in self.host.addresses:
                socket = self.host.socket(4 if len(address) == 4 else 6)
                begun.append(Listening(socket, make))
                socket.user = begun[-1]
                socket.setsockopt(options.SOL_SOCKET, options.SO_REUSEADDR, 1)
                self._prepare(socket, settings)
                socket.bind((format_address(address), port))
                socket.listen(now, backlog)
                assert socket.listener is not None
                socket.listener.children = BriefSocket
                port = socket.getsockname()[1]
        except OSError:
            for one in begun:
                one.socket.close(now)
            raise
        self.listening += begun
        return port

    def connect(self, now: int, address: tuple[str, int], make: Make, **settings: int) -> Connection:
        """Begin a connection to (IP address as text, port). Raises OSError where it cannot be begun."""
        socket = self.host.socket(6 if ":" in address[0] else 4)
        self._prepare(socket, settings)
        connection = make(self, socket)
        try:
            socket.connect(now, address)
        except BlockingIOError:
            pass
        except OSError:
            socket.close(now)
            raise
        self._enter(now, connection)
        return connection

    def _prepare(self, socket: Socket, settings: dict[str, int]) -> None:
        socket.config = socket.config.having(
            keepalive=True,
            keepalive_idle=_KEEPALIVE_IDLE * SECOND,
            keepalive_interval=_KEEPALIVE_INTERVAL * SECOND,
            keepalive_probes=_KEEPALIVE_PROBES,
            **settings,
        )

    def _accept(self, now: int, listening: Listening) -> None:
        while len(self.connections) < self.limit:
            socket = listening.socket.accepted()
            if socket is None:
                return
            connection = listening.make(self, socket)
            self.counters["connections accepted"] += 1
            self._enter(now, connection)
            try:
                connection.ready(now)
            except OSError as error:
                connection.failed(now, error)
        self.counters["limit: connections"] += 1

    def _enter(self, now: int, connection: Connection) -> None:
        connection.socket.user = connection
        connection.active_at = now
        self.connections[connection] = None
        if connection.idle is not None:
            self._timed += 1

    # --- closing ---

    def leave(self, connection: Connection, now: int) -> None:
        """Close a connection's socket and forget the connection (for Connection.close)."""
        if connection not in self.connections:
            return
        if len(self.connections) >= self.limit:
            for listening in self.listening:  # there is room again
                self.host.announce(listening.socket)
        del self.connections[connection]
        if connection.idle is not None:
            self._timed -= 1
        connection.socket.close(now)
        connection.socket.user = None  # no cycle is left
        connection.closed()

    def stop(self, now: int) -> None:
        """Listen no more, and let every connection close in good order; `connections` is empty once they have."""
        for listening in self.listening:
            listening.socket.close(now)
            listening.socket.user = None
        self.listening.clear()
        for connection in list(self.connections):
            try:
                connection.stop(now)
            except OSError as error:
                connection.failed(now, error)

    def abort(self, now: int) -> None:
        """Reset every connection that is left."""
        for connection in list(self.connections):
            connection.abort(now)

    # --- time ---

    def deadline(self) -> int | None:
        """When `advance` is next needed: at most once a second while a connection has an `idle`, else None."""
        return self._sweep_at if self._timed else None

    def advance(self, now: int) -> None:
        """Time has passed: see to connections on which nothing happens."""
        if not self._timed or now < self._sweep_at:
            return
        self._sweep_at = now + SECOND
        for connection in list(self.connections):
            if connection.idle is not None and now - connection.active_at >= connection.idle:
                connection.timed_out(now)
