"""How much a loop takes from its device at a time, and what it looks at between."""

from __future__ import annotations

from collections.abc import Iterator
from socket import socketpair

import pytest

from lastack.device.counters import Counters
from lastack.device.driver import Driver
from lastack.device.reading import Reader
from lastack.wire.packet import VERIFIED, Packet
from tests.device.peers import Timed, Wire, ping, segment


class Served(Timed):
    """A host one of whose sockets is ready after each packet."""

    def __init__(self) -> None:
        super().__init__()
        self.told = 0

    def ready(self) -> list[object]:
        news, self.told = len(self.seen) - self.told, len(self.seen)
        return [self] * bool(news)


@pytest.fixture
def served(wire: Wire) -> Iterator[Driver]:
    with Driver(Served(), wire, on_ready=lambda now, sockets: None) as made:
        yield made


def sizes(bursts: list[int], like: Packet | None = None) -> list[int]:
    """How many packets are read at a time, where so many come one after the other."""
    waiting: list[Packet] = []

    class Device:
        offload = True

        def fileno(self) -> int:
            raise NotImplementedError

        def read(self) -> Packet | None:
            return waiting.pop() if waiting else None

        def write(self, packet: Packet) -> int:
            raise NotImplementedError

    reader, found = Reader(Device(), Counters(), 64), []
    for burst in bursts:
        waiting += [like or segment(VERIFIED)] * burst
        while waiting:
            found.append(len([reader.alone()] if reader.lone else reader.come()))
    assert reader.counters.packets_in == sum(bursts)
    return found


def test_bursts_are_read_whole():
    assert sizes([32, 32, 1000]) == [32, 32, *[64] * 15, 40]


def test_what_comes_alone_is_read_alone():
    # The first is asked about in vain; a burst is found by so many of it that are read alone.
    assert sizes([1, 1, 1]) == [1, 1, 1]
    assert sizes([1, 60, 60]) == [1, *[1] * 60, *[1] * 4, 56]


def test_a_super_segment_begins_a_burst():
    large = segment(VERIFIED)
    large.gso_size = 1448
    assert sizes([1, 20], large) == [1, 1, 19]


def test_until_is_asked_after_each_batch(served: Driver, wire: Wire):
    host = served.host
    assert isinstance(host, Served)
    for _ in range(30):
        wire.far.send(ping().joined())
    served._reader.batch = 3
    assert served.run(lambda: len(host.seen) >= 4, 10)
    assert len(host.seen) == 6


def test_a_tap_of_the_application_s_sees_what_comes_from_then_on(wire: Wire):
    seen: list[Packet] = []
    host = Served()

    def on_ready(now: int, sockets: object) -> None:
        if len(host.seen) == 4 and not driver.taps:
            driver.taps.append(lambda now, outgoing, packet: seen.append(packet))

    with Driver(host, wire, on_ready=on_ready, batch=2) as driver:
        wire.came = (VERIFIED, 0)
        for _ in range(10):
            wire.far.send(segment(length=5).joined())
        assert driver.run(lambda: len(host.seen) == 10, 10)
    assert len(seen) == 6


def test_others_are_looked_at_while_packets_never_end(wire: Wire):
    host, now, looked = Served(), 0, list[int]()

    def passing() -> int:
        nonlocal now
        now += 100
        return now

    wire.read = lambda: segment(VERIFIED)  # type: ignore[method-assign]
    wire.far.send(b"x")
    near, far = socketpair()
    far.send(b"x")
    with near, far, Driver(host, wire, on_ready=lambda now, sockets: None, clock=passing, batch=4) as driver:
        driver.watch(near.fileno(), lambda events: looked.append(now))
        assert driver.run(lambda: len(looked) == 3)
        driver.unwatch(near.fileno())
    assert 2_000 <= looked[2] - looked[1] <= 2_500
    assert len(host.seen) > 2 * 4 * 15


def test_what_is_true_once_ends_the_run(served: Driver, wire: Wire):
    for _ in range(30):
        wire.far.send(ping().joined())
    said = iter([False, True])
    assert served.run(lambda: next(said, False), 0.2)
