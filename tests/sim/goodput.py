"""Goodput of a bulk transfer through two complete stacks on a lossy path, and what the PFTK model says of it.

PFTK: Padhye, Firoiu, Towsley, Kurose, "Modeling TCP Reno Performance", IEEE/ACM Transactions on Networking 8(2), 2000,
equation (30) without a limit by the receiver's window.
"""

from __future__ import annotations

from contextlib import suppress
from math import sqrt
from typing import Any

from lastack.link.faults import Faults
from lastack.sim.world import SECOND, World
from lastack.tcp.config import DEFAULT, Config

RTT = 0.1
# Half a window's segments are answered one by one at the start, then one ACK for every two (RFC 9293 SHLD-19).
SEGMENTS_AN_ACK = 2


def pftk(loss: float, mss: int, rto: float, rtt: float = RTT) -> float:
    """Bytes a second that a Reno sender brings through at this probability of loss; times in seconds."""
    b = SEGMENTS_AN_ACK
    fast = rtt * sqrt(2 * b * loss / 3)
    timeouts = rto * min(1.0, 3 * sqrt(3 * b * loss / 8)) * loss * (1 + 32 * loss**2)
    return mss / (fast + timeouts)


class Transfer:
    """A sends to B as much as it can for `seconds` of virtual time; only A's packets are lost."""

    def __init__(self, loss: float, seconds: int, seed: int = 1, a: Config = DEFAULT, b: Config = DEFAULT) -> None:
        self.world = World(seed, max_events=10_000_000)
        self.received = 0
        self._data = bytes(1 << 16)
        for name, address, config in (("a", "10.0.0.1", a), ("b", "10.0.0.2", b)):
            self.world.host(name, address, config)
            self.world.nodes[name].on_ready = lambda now, sockets: self._ready(sockets)
        for one, other, share in (("a", "b", loss), ("b", "a", 0.0)):
            for rule in Faults(loss=share, delay=int(RTT / 2 * SECOND)).rules(self.world.random):
                self.world.path(one, other).add(rule)
        self._listener = self.world["b"].socket()
        self._listener.bind(("10.0.0.2", 80))
        self._listener.listen(0)
        self._client = self.world["a"].socket()
        with suppress(BlockingIOError):
            self._client.connect(0, ("10.0.0.2", 80))
        self.world.run(for_=seconds * SECOND)
        self.goodput = self.received / seconds
        self.tcb = self._client.tcb

    def _ready(self, sockets: list[Any]) -> None:
        now = self.world.now
        for socket in sockets:
            with suppress(BlockingIOError):
                if socket is self._listener:
                    socket.accept(now)
                elif socket is self._client:
                    while socket.send(now, self._data):
                        pass
                else:
                    while data := socket.recv(now, 1 << 20):
                        self.received += len(data)
