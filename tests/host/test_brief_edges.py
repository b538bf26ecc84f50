"""What brief connections must leave to the general path, one by one: with them and without, the same comes of it."""

from __future__ import annotations

import array
from collections.abc import Callable
from contextlib import suppress
from typing import Any

import pytest

from lastack.apps.reactor import Reactor
from lastack.apps.services import Echo
from lastack.host import options
from lastack.host.brief_sockets import BriefSocket
from lastack.host.host import Host
from lastack.host.sockets import Socket
from lastack.tcp.config import DEFAULT, Config
from lastack.wire.datagram import build_tcp, parse
from lastack.wire.packet import COMPLETE, Packet
from lastack.wire.segment import Segment

SERVER, CLIENT = "10.0.0.1", "10.0.0.2"


def _keep(segment: Segment) -> None:
    pass


def _close(segment: Segment) -> None:
    """The window."""
    segment.window = 0


class Two:
    """A server and a client, and all that leaves the server."""

    def __init__(self, briefly: bool, config: Config = DEFAULT) -> None:
        self.now = 1_000_000
        self.server = Host([SERVER], config, secret=bytes(16))
        self.client = Host([CLIENT], DEFAULT.having(delayed_ack=0), secret=bytes(16))
        self.listening = self.server.socket()
        self.listening.bind((SERVER, 80))
        self.listening.listen(self.now)
        assert self.listening.listener is not None
        self.listening.listener.children = BriefSocket if briefly else None
        self.sent: list[tuple[int, int, int]] = []  # flags, window and length

    def there(self, change: Callable[[Segment], None] = _keep) -> None:
        """What the client has to say reaches the server; `change` is made to it on its way."""
        for packet in self.client.transmit(self.now):
            header, segment = parse(Packet(packet.joined(), (), COMPLETE))
            change(segment)
            self.server.receive(self.now, build_tcp(header.source, header.destination, segment))

    def back(self) -> None:
        for packet in self.server.transmit(self.now):
            data = packet.joined()
            segment = parse(Packet(data, (), COMPLETE))[1]
            self.sent.append((segment.flags, segment.window, segment.length))
            self.client.receive(self.now, Packet(data, (), COMPLETE))

    def calls(self) -> Socket:
        """A client's socket, whose SYN is on its way."""
        client = self.client.socket()
        with suppress(BlockingIOError):
            client.connect(self.now, (SERVER, 80))
        return client

    def opened(self) -> tuple[Socket, Socket]:
        """Both ends of a connection."""
        client = self.calls()
        for step in (self.there, self.back, self.there):
            step()
            self.now += 500
        server = self.listening.accepted()
        assert server is not None
        return client, server


def routes(briefly: bool) -> object:
    """A route is for connections to come."""
    two = Two(briefly)
    client, server = two.opened()
    half = two.calls()
    two.there()
    two.back()
    two.server.route(CLIENT, mtu=600, timestamps=False, window_scaling=False)
    server.send(two.now, bytes(3000))
    two.back()
    two.now += 1_500_000
    two.server.advance(two.now)
    two.back()
    return two.sent, client.recv(two.now, 9999), half.state


class Watching:
    def __init__(self) -> None:
        self.heard: list[str] = []

    def __getattr__(self, name: str) -> Any:
        return lambda *given: self.heard.append(name)


def observers(briefly: bool) -> object:
    """An observer hears of what happens from now on."""
    two = Two(briefly)
    two.opened()
    watching = Watching()
    two.server.observe(watching)
    before = list(watching.heard)
    two.opened()
    return before, watching.heard


def closed_windows(briefly: bool) -> object:
    """A FIN takes a place in the window, as an answer does; the peer's FIN may have made it smaller. Twice, as the
    first of a kind is made whole."""
    told = []
    for text in (b"", b"banner", b""):
        two = Two(briefly)
        for _ in range(2):
            client = two.calls()
            two.there()
            two.back()
            two.there(_keep if text else _close)
            server = two.listening.accepted()
            assert server is not None
            if text:
                server.send(two.now, text)
                client.close(two.now)
                two.there(_close)
            server.close(two.now)
            two.back()
            two.now += 500
        told += [two.sent, [(tcb.snd_nxt - tcb.iss, tcb.send_buffer.length) for tcb in two.server.connections()]]
    return told


def _swell(segment: Segment) -> None:
    """Its text, beyond what any of these has offered."""
    if segment.length:
        segment.payload, segment.length = (bytes(1000),), 1000


def small_buffers(briefly: bool) -> object:
    """No more is taken than fits, on either side."""
    told: list[object] = []
    for settings, change in (({"send_buffer": 500}, _keep), ({"receive_buffer": 800}, _swell)):
        two = Two(briefly, DEFAULT.having(**settings))
        for _ in range(2):
            client, server = two.opened()
            client.send(two.now, b"hello")
            two.there(change)
            told += [len(server.take(two.now, 9999) or b""), server.send(two.now, bytes(1000))]
            for _ in range(3):
                two.back()
                two.now += 1000
                two.there()
        told += [
            sorted(two.sent),
            [(tcb.snd_nxt - tcb.snd_una, tcb.rcv_nxt - tcb.irs) for tcb in two.server.connections()],
        ]
    return told


def listener_closed(briefly: bool) -> object:
    """Half open, waiting, accepted, answered, and closed."""
    two = Two(briefly)
    for stage in range(5):
        client = two.calls()
        if stage:
            two.there()
            two.back()
            two.there()
        if stage > 1:
            server = two.listening.accepted()
            assert server is not None
        if stage > 2:
            server.send(two.now, b"x")
            two.back()
        if stage > 3:
            server.close(two.now)
            client.close(two.now)
    two.calls()
    two.there()
    two.back()
    two.listening.close(two.now)
    two.back()
    return sorted(two.sent), sorted(tcb.state.name for tcb in two.server.connections()), two.server.half_open


def strange_views(briefly: bool) -> object:
    """What is sent is bytes, whatever they stand for."""
    told = []
    for data in (memoryview(array.array("I", [1, 2, 3])), memoryview(bytes(6)).cast("B", (2, 3)), bytearray(5), b""):
        two = Two(briefly)
        _, server = two.opened()
        told.append(server.send(two.now, data))
        two.back()
        told.append(two.sent)
    return told


def soon_given_up(briefly: bool) -> object:
    """FIN-WAIT-2 ends in its time, whoever looks."""
    two = Two(briefly, DEFAULT.having(fin_wait_2_timeout=10_000))
    told = []
    for _ in range(2):
        _, server = two.opened()
        server.close(two.now)
        two.back()
        two.there()
        two.back()
        due = two.server.deadline()
        told.append(due is not None and due <= two.now + 10_000)
        two.now += 150_000
        two.server.advance(two.now)
        told.append(len(two.server.orphans))
    return told


def after_close(briefly: bool) -> object:
    """A socket that was closed knows its connection still."""
    two = Two(briefly)
    told = []
    for _ in range(2):
        _, server = two.opened()
        server.close(two.now)
        two.back()
        told.append((server.getpeername()[0], server.state, server.poll()))
    return told


def no_more_children(briefly: bool) -> object:
    """A listener changes its mind."""
    two = Two(briefly)
    two.calls()
    for step in (two.there, two.back, two.there):
        step()
    assert two.listening.listener is not None
    two.listening.listener.children = None
    server = two.listening.accepted()
    assert server is not None
    server.setsockopt(options.IPPROTO_TCP, options.TCP_NODELAY, 1)
    return server.getpeername()


@pytest.mark.parametrize(
    "scene",
    [
        routes,
        observers,
        closed_windows,
        small_buffers,
        listener_closed,
        strange_views,
        soon_given_up,
        after_close,
        no_more_children,
    ],
)
def test_the_same_comes_of_it(scene: Callable[[bool], object]) -> None:
    assert scene(True) == scene(False)


def test_a_connection_to_ourselves_opens() -> None:
    host = Host([SERVER], secret=bytes(16))
    Reactor(host).listen(0, 80, Echo)
    caller = host.socket()
    with suppress(BlockingIOError):
        caller.connect(0, (SERVER, 80))
    assert host.transmit(0) == []
    assert caller.state.name == "ESTABLISHED"
