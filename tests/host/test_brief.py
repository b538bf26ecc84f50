"""The law of brief connections: without them everything is the same, but that nobody hears of an ACK alone, and for the
order of what several have to say at one time."""

from __future__ import annotations

import random
from collections import Counter
from contextlib import suppress
from typing import Any

import pytest

from lastack.host import brief, options
from lastack.host.brief_sockets import BriefSocket
from lastack.host.host import Host
from lastack.host.sockets import Socket
from lastack.tcp.config import DEFAULT
from lastack.tcp.presets import LINUX
from lastack.wire.datagram import parse
from lastack.wire.packet import COMPLETE, Packet
from lastack.wire.segment import FIN, SYN
from tests.tcp.test_prediction import variables

SERVER, CLIENT = 0, 1
# What the server's connections are like. Not all of these may be brief.
MORE: list[dict[str, Any]] = [
    *({} for _ in range(20)),
    {"sack": False},
    {"ecn": "on"},
    {"mtu_probing": "always"},
    {"timestamp_offsets": False},
    {"path_mtu_discovery": 0},
    {"defer_accept": 1},
    {"syn_cookies": "always"},
    {"syn_options": ("mss", "window_scale", "sack", "timestamps")},
    {"receive_buffer": 3000},
    {"mss": 400},
    {"msl": 1_000_000},
    {"half_open_limit": 1},
]
ENDS = {4: ("10.0.0.1", "10.0.0.2"), 6: ("fd00::1", "fd00::2")}


def ports(packet: Packet) -> bytes:
    return bytes(packet.data[packet.transport : packet.transport + 4])


class Served:
    """A connection of the server: most of them answer what comes, and close behind the peer."""

    def __init__(self, scene: Scene, socket: Socket) -> None:
        self.scene, self.socket = scene, socket
        self.kind = scene.choose(*["echo"] * 6, *["once"] * 6, "banner", "slow", "odd")
        self.turns = 0
        if self.kind == "banner":
            self.send(b"220 ready")

    def send(self, data: bytes) -> None:
        self.scene.seen.append(("sent", self.socket.send(self.scene.now, data)))

    def turn(self) -> None:
        scene, socket = self.scene, self.socket
        self.turns += 1
        if self.kind == "slow" and self.turns % 3:
            return
        if self.kind == "odd":
            self.odd()
        with suppress(OSError):
            views = socket.take_views(scene.now, scene.choose(1, *[1 << 18] * 9))
            scene.seen.append(("read", views and b"".join(views)))
            if views:
                self.send(b"".join(views)[: scene.choose(1, *[1 << 18] * 9)])
            if views == [] or (views and self.kind == "once"):
                socket.close(scene.now)

    def odd(self) -> None:
        scene, socket = self.scene, self.socket
        with suppress(OSError):
            scene.choose(
                lambda: socket.setsockopt(options.IPPROTO_TCP, options.TCP_NODELAY, 1),
                lambda: socket.setsockopt(options.SOL_SOCKET, options.SO_LINGER, (1, 0)),
                lambda: socket.shutdown(scene.now, 1),
                lambda: socket.close(scene.now),
                lambda: scene.seen.append(socket.getpeername()),
                lambda: scene.seen.append(socket.poll()),
                lambda: scene.seen.append(socket.recv(scene.now, 10)),
                lambda: socket.send(scene.now, b"more", options.MSG_MORE),
            )()


class Calling:
    """A connection of the client's."""

    def __init__(self, scene: Scene) -> None:
        self.scene = scene
        self.socket = scene.hosts[CLIENT].socket(scene.version)
        with suppress(BlockingIOError):
            self.socket.connect(scene.now, (ENDS[scene.version][SERVER], 80))
        self.kind = scene.choose(*["usual"] * 12, "hasty", "talks", "silent", "rude", "leaves")
        self.text = bytes(scene.choose(1, 1, 1, 1, 1, 100, 1000, 3000))
        self.sent = False

    def turn(self) -> None:
        scene, socket = self.scene, self.socket
        with suppress(OSError):
            if self.kind == "leaves":
                socket.close(scene.now)
            elif not self.sent:
                socket.send(scene.now, self.text)
                self.sent = True
                if self.kind == "hasty":
                    socket.close(scene.now)
            elif self.kind != "silent":
                got = socket.recv(scene.now, 1 << 20)
                if self.kind == "rude":
                    socket.setsockopt(options.SOL_SOCKET, options.SO_LINGER, (1, 0))
                if self.kind == "talks" and got and scene.rng.random() < 0.7:
                    self.sent = False
                else:
                    socket.close(scene.now)


class Scene:
    """A server and its clients; the network loses and repeats. `looks`: how often all there is is compared."""

    def __init__(self, seed: int, *, briefly: bool, looks: float) -> None:
        self.rng = rng = random.Random(seed)
        self.looks = random.Random(seed + 1), looks
        self.version = rng.choice((4, 4, 6))
        self.now = 1_000_000
        self.loss = rng.choice((0, 0, 0.02, 0.1))
        more = {
            "keepalive": rng.random() < 0.5,
            "keepalive_idle": rng.choice((20_000, 2_000_000)),
            "quick_acks": rng.choice((0, 0, 2)),
        }
        more |= {"orphan_limit": rng.choice((2, 4096)), "time_wait_limit": rng.choice((2, 4096))}
        more |= rng.choice(MORE)
        preset = rng.choice((DEFAULT, DEFAULT, LINUX))
        delayed_ack, mss = rng.choice((0, 40_000)), rng.choice((0, 0, 400))
        configs = preset.having(**more), DEFAULT.having(delayed_ack=delayed_ack, mss=mss)
        ends = ENDS[self.version]
        self.hosts = [Host([end], config, secret=bytes(16)) for end, config in zip(ends, configs, strict=True)]
        self.listening = self.hosts[SERVER].socket(self.version)
        self.listening.bind((ends[SERVER], 80))
        self.listening.listen(self.now, rng.choice((0, 100)))
        assert self.listening.listener is not None
        self.listening.listener.children = BriefSocket if briefly else None
        self.served: list[Served] = []
        self.calling: list[Calling] = []
        self.seen: list[object] = []
        self.due: list[int | None] = []

    def choose(self, *what: object) -> object:
        return self.rng.choice(what)

    def serve(self) -> None:
        while len(self.served) < 6 and not self.listening.closed and (child := self.listening.accepted()) is not None:
            self.served.append(Served(self, child))
        for one in self.served:
            one.turn()
        self.served = [one for one in self.served if not one.socket.closed]

    def call(self) -> None:
        if len(self.calling) < 4 and self.rng.random() < 0.5:
            self.calling.append(Calling(self))
        for one in self.calling:
            one.turn()
        self.calling = [one for one in self.calling if not one.socket.closed and one.kind != "silent"]

    def turn(self, packets: list[tuple[int, bytes]]) -> list[tuple[int, bytes]]:
        self.now += self.rng.choice(
            (50, 50, 50, 900, 5_000) if self.rng.random() < 0.9 else (30_000, 300_000, 1_500_000)
        )
        leaving: list[tuple[int, bytes]] = []
        for host in self.hosts:
            host.advance(self.now)
        self.speak(leaving)
        self.call()
        for number, data in packets:
            packet = Packet(data, (), COMPLETE)
            self.hosts[number].receive(self.now, packet)
            # What comes with others is answered with them, but for a SYN or a FIN, which may be answered at once.
            if self.rng.random() < 0.8 or parse(packet)[1].flags & (SYN | FIN):
                self.speak(leaving)
        self.speak(leaving)
        if not self.hosts[SERVER].config.keeps_alive:  # else a timer may only find out that it is to run longer
            self.due.append(self.hosts[SERVER].deadline())
        if self.looks[0].random() < self.looks[1]:
            self.look()
        return leaving

    def speak(self, leaving: list[tuple[int, bytes]]) -> None:
        self.serve()
        for number, host in enumerate(self.hosts):
            # Between connections the order of what leaves at one time may be another.
            for packet in sorted(host.transmit(self.now), key=ports):
                data = bytes(packet.joined())
                self.seen.append((self.now, number, data))
                copies = self.rng.choice((1, 1, 1, 2)) if self.loss else 1
                leaving += [(1 - number, data) for _ in range(copies) if self.rng.random() >= self.loss]
            host.ready()

    def look(self) -> None:
        host = self.hosts[SERVER]
        found = [variables(tcb) for tcb in sorted(host.connections(), key=lambda tcb: tcb.key)]
        self.seen.append([{name: one[name] for name in one if name != "wake_at"} for one in found])
        self.seen.append((dict(host.counters), list(host.recent.numbers.items()), host.ports.in_use(), host.half_open))
        self.seen.append(([record.packed for record in host.time_wait], len(host.orphans), host.memory.granted))
        self.seen.append(host.deadline())


def played(seed: int, *, briefly: bool, looks: float) -> Scene:
    scene = Scene(seed, briefly=briefly, looks=looks)
    packets: list[tuple[int, bytes]] = []
    for _ in range(250):
        packets = scene.turn(packets)
    scene.look()
    scene.listening.close(scene.now)
    scene.turn([])
    scene.look()
    return scene


@pytest.mark.parametrize("looks", [0, 0.05, 1])
@pytest.mark.parametrize("seeds", [range(at, at + 10) for at in range(0, 80, 10)])
def test_without_them_all_is_the_same(seeds: range, looks: float, monkeypatch: pytest.MonkeyPatch) -> None:
    made: Counter[str] = Counter()

    def counting(module: Any, name: str) -> None:
        plain = getattr(module, name)
        monkeypatch.setattr(module, name, lambda *given, **more: made.update([name]) or plain(*given, **more))

    counting(brief, "begins")
    counting(brief, "_over")
    counting(brief, "_both_closed")
    for seed in seeds:
        with_them, without = (played(seed, briefly=briefly, looks=looks) for briefly in (True, False))
        for step, (one, other) in enumerate(zip(with_them.seen, without.seen, strict=True)):
            assert one == other, f"seed {seed}, step {step}"
        for sooner, exactly in zip(with_them.due, without.due, strict=True):
            assert exactly is None or (sooner is not None and sooner <= exactly)
    assert made["begins"] > 200
    assert looks or (made["_over"] > 1 and made["_both_closed"] > 1)


def together(*, briefly: bool) -> list[bytes]:
    """A message, and a FIN a little later, have come before anything is answered; what leaves then. Twice: the first
    connection of its kind is made whole to find out about windows."""
    scene = Scene(1, briefly=briefly, looks=0)
    found: list[bytes] = []

    def carry(sender: int) -> list[bytes]:
        data = [bytes(packet.joined()) for packet in scene.hosts[sender].transmit(scene.now)]
        for one in data:
            scene.hosts[1 - sender].receive(scene.now, Packet(one, (), COMPLETE))
        return data

    for _ in range(2):
        client = scene.hosts[CLIENT].socket(scene.version)
        with suppress(BlockingIOError):
            client.connect(scene.now, (ENDS[scene.version][SERVER], 80))
        for sender in (CLIENT, SERVER, CLIENT, SERVER):
            carry(sender)
        server = scene.listening.accepted()
        assert server is not None and (type(server) is BriefSocket) == briefly
        client.send(scene.now, b"x")
        carry(CLIENT)
        scene.now += 5_000
        client.close(scene.now)
        carry(CLIENT)
        assert (server.take_views(scene.now, 100), server.take_views(scene.now, 100)) == ([b"x"], [])
        server.close(scene.now)
        found += carry(SERVER)
        carry(CLIENT)
    return found


def test_the_timestamp_of_a_fin_behind_what_is_not_acknowledged_yet_is_not_echoed() -> None:
    found = together(briefly=True)  # RFC 7323 4.3 (2)
    assert found == together(briefly=False)
    assert len(found) == 2
