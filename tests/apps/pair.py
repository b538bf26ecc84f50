"""Two hosts in virtual time: applications on one of them, and on the other a client that says what a test tells it."""

from __future__ import annotations

from collections.abc import Callable

from lastack.apps.reactor import Connection, Make, Reactor
from lastack.host import options
from lastack.host.sockets import Socket
from lastack.sim.world import World
from lastack.tcp.config import DEFAULT, Config
from lastack.tcp.states import State

CLIENT, SERVER = "10.0.0.1", "10.0.0.2"
SECOND = 1_000_000


class Client(Connection):
    """Sends `say` at once, keeps what it hears, and closes its half (`half_close`) or nothing until it is told to."""

    def __init__(self, reactor: Reactor, socket: Socket, say: bytes, half_close: bool, read: bool) -> None:
        super().__init__(reactor, socket)
        self.say = say
        self.half_close = half_close
        self.read = read
        self.heard = b""
        self.ended = False
        self.error: OSError | None = None

    def ready(self, now: int) -> None:
        if self.socket.state in (State.SYN_SENT, State.SYN_RCVD):
            return
        if self.say:
            self.say = self.say[self.send(now, self.say) :]
        if not self.say and self.half_close:
            self.half_close = False
            self.socket.shutdown(now, options.SHUT_WR)
        while self.read and not self.ended and (data := self.receive(now)) is not None:
            self.heard += data
            self.ended = not data

    def failed(self, now: int, error: OSError) -> None:
        self.error = error
        super().failed(now, error)


class Pair:
    """`client` and `server` are reactors of two hosts."""

    def __init__(self, config: Config = DEFAULT, limit: int = 100) -> None:
        self.world = World(1)
        self.client = Reactor(self.world.host("client", CLIENT, config))
        self.server = Reactor(self.world.host("server", SERVER, config), limit)
        self.world.nodes["client"].on_ready = self.client
        self.world.nodes["server"].on_ready = self.server

    @property
    def now(self) -> int:
        return self.world.now

    def serve(self, make: Make, port: int = 80) -> None:
        self.server.listen(self.now, port, make)

    def talk(self, say: bytes = b"", *, half_close: bool = False, read: bool = True, port: int = 80) -> Client:
        """A client that has connected, and said what it has to say, by the time that nothing more happens."""

        def make(reactor: Reactor, socket: Socket) -> Client:
            return Client(reactor, socket, say, half_close, read)

        connection = self.client.connect(self.now, (SERVER, port), make)
        assert isinstance(connection, Client)
        return connection

    def run(self, until: Callable[[], bool] | None = None, seconds: float = 5) -> bool:
        return self.world.run(until, for_=int(seconds * SECOND))

    def states(self) -> tuple[list[str], list[str]]:
        """The names of the states of what is left on the client's and on the server's side, TIME-WAITs included."""
        hosts = self.client.host, self.server.host
        first, second = (
            sorted([tcb.state.name for tcb in host.connections()] + ["TIME_WAIT"] * len(host.time_wait))
            for host in hosts
        )
        return first, second
