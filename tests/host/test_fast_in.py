"""The law of the short cut in front of a packet's way in: it can be deleted without any observable change."""

from __future__ import annotations

import random
from contextlib import suppress

import pytest

from lastack.host import fast_in
from lastack.host.host import Host
from lastack.host.sockets import Socket
from lastack.host.tables import Tables
from lastack.tcp import clean, predict, straight
from lastack.tcp.config import DEFAULT
from lastack.wire.packet import COMPLETE, VERIFIED, Packet
from tests.tcp.test_prediction import variables

ENDS = {4: ("10.0.0.1", "10.0.0.2"), 6: ("fd00::1", "fd00::2")}
WAYS = [(version, gso) for version in (4, 6) for gso in (0, 65_000)]


class Pair:
    """Two hosts without observers, one connection, and a network that does to packets what networks do."""

    def __init__(self, seed: int, version: int, gso: int) -> None:
        self.rng = random.Random(seed)
        self.now = 1_000_000
        self.gso = gso
        self.hosts = [
            Host([address], DEFAULT.having(**one), secret=bytes(16), gso=gso, checksum_offload=gso > 0, name=address)
            for address, one in zip(ENDS[version], self.settings(seed), strict=True)
        ]
        self.seen: list[object] = []
        self.travelling: list[tuple[int, int, Packet]] = []
        a, b = self.hosts
        listener, client = b.socket(version), a.socket(version)
        listener.bind((ENDS[version][1], 80))
        listener.listen(self.now)
        with suppress(BlockingIOError):
            client.connect(self.now, (ENDS[version][1], 80))
        for _ in range(4):
            self.turn(faults=False)
        self.sockets: list[Socket] = [client, listener.accept(self.now)[0]]

    def settings(self, seed: int) -> list[dict[str, object]]:
        """Of both hosts."""
        common = {"pingpong": seed % 3 == 0, "ecn": "on" if seed % 5 == 0 else "off"}
        return [common | {"sack": self.rng.random() < 0.8} for _ in range(2)]

    def turn(self, faults: bool = True, calm: bool = False) -> None:
        """Some time passes, and what was under way arrives."""
        self.now += self.rng.choice((50, 500, 5_000, 50_000))
        for host in self.hosts:
            host.advance(self.now)
        arriving, self.travelling = self.travelling, []
        if faults and self.rng.random() < 0.3:  # what goes to the second host comes later, with what follows it
            self.travelling = [one for one in arriving if one[1] == 1]
            arriving = [one for one in arriving if one[1] == 0]
        for _, number, packet in sorted(arriving, key=lambda one: one[0]):
            self.hosts[number].receive(self.now, packet)
        for number, host in enumerate(self.hosts):
            while packets := host.transmit(self.now):
                for packet in packets:
                    self._carry(1 - number, packet, faults and (not calm or self.rng.random() < 0.05))
            self.seen.append([(one.readable(), one.writable()) for one in host.ready()])

    def _carry(self, number: int, packet: Packet, faults: bool) -> None:
        data = bytearray(packet.joined())
        self.seen.append((self.now, number, bytes(data)))
        chance = self.rng.random() if faults else 1
        if chance < 0.02:
            return
        if chance < 0.04:
            data[self.rng.randrange(len(data))] ^= 1 << self.rng.randrange(8)
        elif chance < 0.06:
            data[1] |= 3  # CE; the header's checksum is wrong then
        elif chance < 0.08:
            data += bytes(3)  # a link's padding
        elif chance < 0.09:
            del data[-1:]
        given = Packet(bytes(data), (), VERIFIED if self.gso else COMPLETE, packet.gso_size, packet.transport)
        for _ in range(2 if 0.09 < chance < 0.11 else 1):
            self.travelling.append((self.rng.randrange(3) if 0.11 < chance < 0.15 else 1, number, given))

    def step(self, calm: bool) -> None:
        """One of both does something; when it is calm, one sends much to the other."""
        rng = self.rng
        socket = self.sockets[0] if calm else rng.choice(self.sockets)
        with suppress(OSError):
            if calm or rng.random() < 0.5:
                socket.send(self.now, bytes(rng.choice((1, 100, 1448, 20_000, 200_000, 1 << 20 if calm else 1))))
            if calm or rng.random() < 0.5:
                socket = self.sockets[1] if calm else socket
                self.seen.append(len(socket.recv(self.now, rng.choice((1, 1000, 1 << 20)))))
            if calm and rng.random() < 0.5:
                self.sockets[1].send(self.now, bytes(100))
        self.turn(faults=rng.random() < 0.7, calm=calm)
        for one in self.sockets:
            self.seen.append(one.tcb and variables(one.tcb))


def run(seed: int, version: int, gso: int, calm: bool) -> list[object]:
    pair = Pair(seed, version, gso)
    for _ in range(60 if calm else 120):
        pair.step(calm)
    return [*pair.seen, *(dict(host.counters) for host in pair.hosts)]


@pytest.mark.parametrize(("version", "gso"), WAYS)
@pytest.mark.parametrize("calm", [False, True])
@pytest.mark.parametrize("seed", range(6))
def test_it_changes_nothing(seed: int, version: int, gso: int, calm: bool, monkeypatch: pytest.MonkeyPatch):
    original, taken = fast_in.taken, []
    monkeypatch.setattr(fast_in, "taken", lambda *given: taken.append(original(*given)) or taken[-1])
    goes_on, went_on = fast_in.Run.goes_on, []
    monkeypatch.setattr(fast_in.Run, "goes_on", lambda *given: went_on.append(goes_on(*given)) or went_on[-1])
    with_it = run(seed, version, gso, calm)
    monkeypatch.setattr(fast_in, "taken", lambda *given: None)
    for module, name in ((predict, "predicted"), (clean, "acknowledged"), (straight, "send")):
        monkeypatch.setattr(module, name, lambda *given: False)
    monkeypatch.setattr(Tables, "_template", lambda *given: None)
    for number, (one, other) in enumerate(zip(with_it, run(seed, version, gso, calm), strict=True)):
        assert one == other, f"step {number}"
    assert sum(one is not None for one in taken) > 5
    assert any(went_on) or not calm or seed % 3 == 0  # with ACKs that wait


def test_bytes_are_sent_whatever_they_stand_for():
    pair = Pair(0, 4, 0)
    sender, receiver = pair.sockets
    assert sender.send(pair.now, memoryview(bytes(64)).cast("B", (4, 16))) == 64
    assert sender.send(pair.now, memoryview(bytes(64)).cast("I")) == 64
    for _ in range(4):
        pair.turn(faults=False)
    assert receiver.recv(pair.now, 1000) == bytes(128)
