"""The law of the short cut at the very end of a connection: it can be deleted without any observable change.

What it leaves undone would be seen in a `Tcb` alone that nobody holds any more. So hosts are compared, whole.
"""

from __future__ import annotations

import random
from contextlib import suppress

import pytest

from lastack.host.host import Host
from lastack.host.sockets import Socket
from lastack.host.tables import Tables
from lastack.tcp import parting
from lastack.tcp.config import DEFAULT
from lastack.wire.datagram import build_tcp, parse
from lastack.wire.options import build_timestamp
from lastack.wire.packet import COMPLETE, Packet
from lastack.wire.segment import ACK, FIN, PSH, URG, Segment
from tests.tcp.test_prediction import variables

ENDS = ("10.0.0.1", "10.0.0.2")


class Pair:
    """Two hosts that nobody watches, short connections between them, and a network that loses some of it."""

    def __init__(self, seed: int) -> None:
        self.rng = rng = random.Random(seed)
        self.now = 1_000_000
        self.loss = rng.choice((0, 0, 0.1))
        configs = [
            DEFAULT.having(
                timestamps=rng.random() < 0.8,
                sack=rng.random() < 0.8,
                ecn=rng.choice(("passive", "passive", "on")),
                mtu_probing="always" if rng.random() < 0.2 else "off",
            )
            for _ in ENDS
        ]
        self.hosts = [Host([end], config, secret=bytes(16)) for end, config in zip(ENDS, configs, strict=True)]
        self.listener = self.hosts[1].socket()
        self.listener.bind((ENDS[1], 80))
        self.listener.listen(self.now)
        self.sockets: list[Socket] = []
        self.travelling: list[tuple[int, Packet]] = []
        self.seen: list[object] = []

    def turn(self) -> None:
        rng = self.rng
        self.now += rng.choice((50, 5_000, 300_000))
        arriving, self.travelling = self.travelling, []
        for host in self.hosts:
            host.advance(self.now)
        for number, packet in arriving:
            self.hosts[number].receive(self.now, packet)
        for number, host in enumerate(self.hosts):
            while packets := host.transmit(self.now):
                for packet in packets:
                    data = bytes(packet.joined())
                    self.seen.append((self.now, number, data))
                    for _ in range(rng.choice((1, 1, 2)) if self.loss else 1):
                        if rng.random() >= self.loss:
                            self.travelling += [(1 - number, one) for one in self.carried(data)]
            self.seen.append([socket is not self.listener and socket.readable() for socket in host.ready()])

    def carried(self, data: bytes) -> list[Packet]:
        """A packet, and sometimes before a plain ACK another that says nearly the same."""
        packet = Packet(data, (), COMPLETE)
        header, segment = parse(packet)
        if not isinstance(segment, Segment) or segment.flags != ACK or self.rng.random() < 0.5:
            return [packet]
        kind = self.rng.randrange(6)
        if kind == 0:
            segment.seq -= 1
        elif kind == 1:
            segment.ack -= 1
        elif kind == 2:
            segment.payload, segment.length = (b"late",), 4
        elif kind == 3:
            segment.options = b""
        elif kind == 4:
            segment.options = build_timestamp(1, 1)
        else:
            segment.flags |= self.rng.choice((PSH, FIN, URG))
        return [build_tcp(header.source, header.destination, segment), packet]

    def step(self) -> None:
        """An end of some connection does something."""
        rng = self.rng
        with suppress(OSError):
            if len(self.sockets) < 8 and rng.random() < 0.3:
                client = self.hosts[0].socket()
                self.sockets.append(client)
                client.connect(self.now, (ENDS[1], 80))
        while (child := self.listener.accepted()) is not None:
            self.sockets.append(child)
        if not self.sockets:
            return
        socket = rng.choice(self.sockets)
        kind = rng.randrange(5)
        with suppress(OSError):
            if kind < 2:
                socket.send(self.now, bytes(rng.choice((1, 100, 5_000))))
            elif kind == 2:
                self.seen.append(socket.recv(self.now, 1 << 20))
            elif kind == 3:
                socket.recv(self.now, 1 << 20)
                socket.close(self.now)
            else:
                socket.shutdown(self.now, 1)
        self.sockets = [one for one in self.sockets if not one.closed]

    def look(self) -> None:
        self.seen.append([socket.tcb and variables(socket.tcb) for socket in self.sockets])
        for host in self.hosts:
            self.seen.append(
                [
                    [variables(tcb) for tcb in host.connections()],
                    dict(host.counters),
                    list(host.recent.numbers.items()),
                    host.ports.in_use(),
                    [record.packed for record in host.time_wait],
                    (len(host.orphans), host.memory.granted, host.deadline()),
                ]
            )


def run(seed: int) -> list[object]:
    pair = Pair(seed)
    for _ in range(200):
        pair.step()
        pair.turn()
        pair.look()
    return pair.seen


@pytest.mark.parametrize("seed", range(0, 24, 4))
def test_the_end_of_what_nobody_holds_is_the_same(seed: int, monkeypatch: pytest.MonkeyPatch) -> None:
    original, taken = parting.over, []
    monkeypatch.setattr(parting, "over", lambda *given: taken.append(original(*given)) or taken[-1])
    with_it = [run(number) for number in range(seed, seed + 4)]
    monkeypatch.setattr(parting, "over", lambda *given: False)
    monkeypatch.setattr(parting, "heard", lambda *given: False)
    monkeypatch.setattr(Tables, "_template", lambda *given: None)
    for number, with_this in enumerate(with_it, seed):
        for step, (one, other) in enumerate(zip(with_this, run(number), strict=True)):
            assert one == other, f"seed {number}, step {step}"
    assert any(taken)  # or the test would show nothing
