"""The law of the short cuts at the very end of a connection: they can be deleted without any observable change.

What it leaves undone would be seen in a `Tcb` alone that nobody holds any more. So hosts are compared, whole.
"""

from __future__ import annotations

import random
from collections.abc import Callable
from contextlib import suppress

import pytest

from lastack.host.host import Host
from lastack.host.sockets import Socket
from lastack.host.tables import Tables
from lastack.tcp import greeting, parting
from lastack.tcp.config import DEFAULT
from lastack.tcp.states import State
from lastack.wire.address import parse_address
from lastack.wire.datagram import build_tcp, parse
from lastack.wire.options import USUAL_SYN, build_timestamp
from lastack.wire.packet import COMPLETE, Packet
from lastack.wire.segment import ACK, FIN, PSH, SYN, URG, Segment
from tests.tcp.test_prediction import variables

ENDS = ("10.0.0.1", "10.0.0.2")
TIME_WAIT = State.TIME_WAIT


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
                self.leave(socket)
            else:
                socket.shutdown(self.now, 1)
        self.sockets = [one for one in self.sockets if not one.closed]

    def open(self) -> list[Socket]:
        """Both ends of a connection whose ACKs wait from the beginning."""
        self.loss = 0
        for host in self.hosts:
            host.configure(quick_acks=0)
        assert self.listener.listener is not None
        self.listener.listener.config = self.hosts[1].config
        client = self.hosts[0].socket()
        with suppress(BlockingIOError):
            client.connect(self.now, (ENDS[1], 80))
        for _ in range(4):
            self.turn()
        self.sockets = [client, self.listener.accept(self.now)[0]]
        return list(self.sockets)

    def pass_on(self, who: int) -> None:
        """What one host has to say reaches the other."""
        self.now += self.rng.choice((0, 50, 1_000, 30_000))
        for host in self.hosts:
            host.advance(self.now)
        while packets := self.hosts[who].transmit(self.now):
            for packet in packets:
                data = bytes(packet.joined())
                self.seen.append((self.now, who, data))
                self.hosts[1 - who].receive(self.now, Packet(data, (), COMPLETE))

    def leave(self, socket: Socket) -> None:
        with suppress(OSError):
            self.seen.append(socket.recv(self.now, 1 << 20))
        socket.close(self.now)

    def look(self, *, spoken: bool = True) -> None:
        """What there is now; unless the hosts have `spoken`, without TIME-WAITs whose records are still to be made."""
        self.seen.append([socket.tcb and variables(socket.tcb) for socket in self.sockets if not socket.closed])
        for host in self.hosts:
            self.seen.append(
                [
                    [variables(tcb) for tcb in host.connections() if spoken or tcb.state is not TIME_WAIT],
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


def parted(seed: int) -> list[object]:
    """One connection, whose ends do this and that and leave, and hear each other when chance wants it."""
    pair = Pair(seed)
    rng, ends = pair.rng, pair.open()
    for _ in range(24):
        who = rng.randrange(2)
        kind = rng.randrange(8)
        with suppress(OSError):
            if kind < 4:
                pair.pass_on(who)
            elif kind == 4:
                ends[who].send(pair.now, bytes(rng.choice((1, 100, 3_000))))
            elif kind == 5:
                ends[who].recv(pair.now, 1 << 20)
            elif kind == 6:
                ends[who].shutdown(pair.now, 1)
            else:
                pair.leave(ends[who])
        pair.look(spoken=False)
    return pair.seen


@pytest.mark.parametrize("seed", range(0, 24, 4))
@pytest.mark.parametrize(
    ("name", "connections", "many", "least"),
    [("over", run, 4, 1), ("over", parted, 150, 5), ("both_over", parted, 150, 10)],
)
def test_the_end_of_what_nobody_holds_is_the_same(
    seed: int,
    name: str,
    connections: Callable[[int], list[object]],
    many: int,
    least: int,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    original, taken = getattr(parting, name), []
    monkeypatch.setattr(parting, name, lambda *given: taken.append(original(*given)) or taken[-1])
    seeds = range(seed * many // 4, (seed + 4) * many // 4)
    with_it = [connections(number) for number in seeds]
    monkeypatch.setattr(parting, name, lambda *given: False)
    monkeypatch.setattr(parting, "heard", lambda *given: False)
    monkeypatch.setattr(Tables, "_template", lambda *given: None)
    for number, with_this in zip(seeds, with_it, strict=True):
        for step, (one, other) in enumerate(zip(with_this, connections(number), strict=True)):
            assert one == other, f"seed {number}, step {step}"
    assert sum(taken) >= least  # or the test would show nothing


def crossed() -> list[object]:
    """Our FIN is on its way when text comes, which is not acknowledged yet when the peer's FIN acknowledges ours."""
    pair = Pair(1)
    client, server = pair.open()
    client.shutdown(pair.now, 1)
    fins = pair.hosts[0].transmit(pair.now)
    pair.now += 5_000
    server.send(pair.now, b"text")
    pair.pass_on(1)
    pair.leave(client)
    for packet in fins:
        pair.hosts[1].receive(pair.now, Packet(packet.joined(), (), COMPLETE))
    pair.now += 5_000
    pair.leave(server)
    pair.pass_on(1)
    pair.pass_on(0)
    pair.look()
    assert len(pair.hosts[0].time_wait) == 1
    return pair.seen


def test_the_timestamp_of_a_fin_behind_text_that_waits_is_not_echoed(monkeypatch: pytest.MonkeyPatch) -> None:
    with_it = crossed()  # RFC 7323 4.3 (2)
    monkeypatch.setattr(parting, "both_over", lambda *given: False)
    assert crossed() == with_it


def met() -> list[int]:
    """A SYN and an old FIN come at once; the flags of what is answered then, and to the ACK of the SYN,ACK."""
    pair = Pair(1)
    ours, theirs = parse_address(ENDS[1]), parse_address(ENDS[0])
    told: list[Segment] = []

    def comes(segment: Segment) -> None:
        pair.hosts[1].receive(pair.now, build_tcp(theirs, ours, segment))

    def speaks() -> None:
        told.extend(parse(packet)[1] for packet in pair.hosts[1].transmit(pair.now))

    comes(Segment(4711, 80, 5000, 0, SYN, 65_535, options=USUAL_SYN.pack(0x0204, 1460, 0x0402080A, 100, 0, 0x01030307)))
    comes(Segment(4711, 80, 5500, 77, ACK | FIN, 65_535, options=build_timestamp(200, 0)))
    speaks()
    pair.now += 1000
    comes(Segment(4711, 80, 5001, told[0].seq + 1, ACK, 65_535, options=build_timestamp(201, 0)))
    speaks()
    return [segment.flags for segment in told]


def test_a_syn_ack_acknowledges_what_came_behind_the_syn(monkeypatch: pytest.MonkeyPatch) -> None:
    with_it = met()
    monkeypatch.setattr(greeting, "replied", lambda *given: False)
    assert met() == with_it == [SYN | ACK]
