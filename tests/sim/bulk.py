"""Two hosts and bulk transfers: what one has to send never ends, and the other reads whatever comes."""

from __future__ import annotations

from collections import Counter
from contextlib import suppress
from typing import Any

from lastack.sim.world import World
from lastack.tcp.config import Config


class Bulk:
    """Flows from host a to host b, each with as much to send as it can. What befalls them on their way is set on
    `world` before the first begins."""

    def __init__(self, seed: int, a: Config, b: Config) -> None:
        self.world = World(seed, max_events=10_000_000)
        for name, address, config in (("a", "10.0.0.1", a), ("b", "10.0.0.2", b)):
            self.world.host(name, address, config)
            self.world.nodes[name].on_ready = lambda now, sockets: self._ready(sockets)
        self.got: Counter[int] = Counter()  # bytes that b has read, by a's port
        self.clients: list[Any] = []
        self._data = bytes(1 << 16)
        self._listener = self.world["b"].socket()
        self._listener.bind(("10.0.0.2", 80))
        self._listener.listen(0, 8)

    def flow(self) -> Any:
        """One more begins; a's socket."""
        client = self.world["a"].socket()
        self.clients.append(client)
        with suppress(BlockingIOError):
            client.connect(self.world.now, ("10.0.0.2", 80))
        return client

    def _ready(self, sockets: list[Any]) -> None:
        now = self.world.now
        for socket in sockets:
            with suppress(BlockingIOError):
                if socket is self._listener:
                    socket.accept(now)
                elif socket in self.clients:
                    while socket.send(now, self._data):
                        pass
                else:
                    port = socket.getpeername()[1]
                    while data := socket.recv(now, 1 << 20):
                        self.got[port] += len(data)
