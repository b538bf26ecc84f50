"""The services that are measured, on sockets of ours: what `kernel_server` does on the kernel's."""

from __future__ import annotations

from lastack.apps.iperf3 import Iperf3
from lastack.apps.reactor import Connection, Make, Reactor
from lastack.apps.services import Chargen, Discard, Echo
from lastack.bench.hello import Hello
from lastack.host.sockets import Socket


class Once(Connection):
    """Sends back what comes first, and closes."""

    def ready(self, now: int) -> None:
        data = self.receive(now)
        if data is None:
            return
        if data:
            self.send(now, data)
        self.close(now)


class Http(Connection):
    """Answers requests."""

    def __init__(self, reactor: Reactor, socket: Socket) -> None:
        super().__init__(reactor, socket)
        self.hello = Hello()

    def ready(self, now: int) -> None:
        while data := self.receive(now):
            self.send(now, self.hello.answer(data))
        if data is not None:
            self.close(now)


_SERVICES: dict[str, Make] = {"discard": Discard, "chargen": Chargen, "echo": Echo, "once": Once, "http": Http}


def make(name: str) -> Make:
    """What a reactor is to make the connections of a service from."""
    return Iperf3() if name == "iperf3" else _SERVICES[name]
