"""How fast the simulator is: two hosts, the network between them, no faults, no checkers, nobody who watches."""

from __future__ import annotations

from random import Random
from time import process_time

from lastack.apps.reactor import Connection, Reactor
from lastack.apps.services import Discard
from lastack.host.sockets import Socket
from lastack.sim.world import World
from lastack.tcp.states import State

_CLIENT, _SERVER = "10.0.0.1", "10.0.0.2"
_PORT = 7
_OPENING = (State.SYN_SENT, State.SYN_RCVD)
_FULL = 1500 - 20 - 32  # a packet of 1,500 bytes less the headers of IPv4 and TCP, with timestamps
_BLOCK = Random(1).randbytes(_FULL * 100)  # a checksum over zeros would cost less
_SEGMENTS = 60_000
_WARM = 0.05  # of the work before the clock starts

_BATCH = 32  # packets that a host takes in together, as the loop of a real one does

_SIZE = 1_000  # bytes each way of a connection
_CONNECTIONS = 8_000
_APART = 20_000  # us between the beginnings of connections: so 3,000 TIME-WAITs of a minute are there at a time


class _Source(Connection):
    """Sends without end."""

    def ready(self, now: int) -> None:
        if self.socket.state not in _OPENING:
            while self.send(now, _BLOCK):
                pass


class _Answer(Connection):
    """Hears `_SIZE` bytes, sends as many, and closes when the client has."""

    def __init__(self, reactor: Reactor, socket: Socket) -> None:
        super().__init__(reactor, socket)
        self.heard = 0

    def ready(self, now: int) -> None:
        while (data := self.receive(now)) is not None:
            if not data:
                self.close(now)
                return
            self.heard += len(data)
            if self.heard == _SIZE:
                self.send(now, _BLOCK[:_SIZE])


class _Ask(Connection):
    """Sends `_SIZE` bytes, hears as many, and closes."""

    said = False

    def __init__(self, reactor: Reactor, socket: Socket) -> None:
        super().__init__(reactor, socket)
        self.heard = 0

    def ready(self, now: int) -> None:
        if self.socket.state in _OPENING:
            return
        if not self.said:
            self.said = True
            self.send(now, _BLOCK[:_SIZE])
        while (data := self.receive(now)) is not None:
            self.heard += len(data)
            if self.heard == _SIZE:
                self.close(now)
                return


def _world() -> tuple[World, Reactor, Reactor]:
    world = World(1, max_events=1_000_000_000, batch=_BATCH)
    reactors = []
    for name, address in (("client", _CLIENT), ("server", _SERVER)):
        reactor = Reactor(world.host(name, address))
        world.nodes[name].on_ready = reactor
        reactors.append(reactor)
    return world, reactors[0], reactors[1]


def segments(scale: float) -> dict[str, float]:
    """Data segments a second, of 1,448 bytes: packets of 1,500 with timestamps, as on every connection by default.

    Each is cut from what the application wrote, built with both checksums, carried, parsed, verified, taken into the
    receive buffer and read by an application; the receiver's ACKs, made and processed likewise, are not counted.
    """
    world, client, server = _world()
    server.listen(world.now, _PORT, Discard)
    client.connect(world.now, (_SERVER, _PORT), _Source)
    total = max(int(_SEGMENTS * scale), 100)

    heard = server.counters
    warm, end = total * _WARM * _FULL, total * (1 + _WARM) * _FULL
    world.run(lambda: heard["bytes in"] >= warm)
    before, begun = heard["bytes in"], process_time()
    world.run(lambda: heard["bytes in"] >= end)
    seconds = process_time() - begun
    return {"segments": (heard["bytes in"] - before) / _FULL / seconds}


def connections(scale: float) -> dict[str, float]:
    """Connections a second: opened, 1,000 bytes there, 1,000 back, closed by the client and then by the server.

    They are 20 ms of virtual time apart, so that the TIME-WAITs of the last minute are there, and expire.
    """
    world, client, server = _world()
    server.listen(world.now, _PORT, _Answer)
    total = max(int(_CONNECTIONS * scale), 20)

    def some(count: int) -> None:
        for _ in range(count):
            one = client.connect(world.now, (_SERVER, _PORT), _Ask)
            world.run(for_=_APART)
            assert isinstance(one, _Ask) and one.heard == _SIZE
        assert not client.connections and not server.connections

    some(total // 20)
    begun = process_time()
    some(total)
    return {"connections": total / (process_time() - begun)}
