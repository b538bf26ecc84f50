"""What a connection consisted of goes at once when it has ended: nothing is left for the collector of cycles."""

from __future__ import annotations

import gc
from collections import Counter
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from lastack.apps.reactor import Reactor
from lastack.apps.services import Echo
from lastack.host.host import Host
from lastack.host.sockets import Socket
from lastack.tcp.config import DEFAULT
from tests.host.harness import Bench, client, connect, running, to_time_wait

LONG = 20 * 3600  # seconds


@pytest.fixture
def garbage() -> Iterator[Callable[[], Counter[str]]]:
    """The objects of ours that only the collector of cycles can find."""
    running.clear()  # the hosts of other tests, which are cycles
    gc.collect()
    gc.disable()

    def found() -> Counter[str]:
        gc.set_debug(gc.DEBUG_SAVEALL)
        gc.collect()
        gc.set_debug(0)
        ours = Counter(type(one).__name__ for one in gc.garbage if type(one).__module__.startswith("lastack."))
        gc.garbage.clear()
        return ours

    yield found
    gc.enable()


def closes_first(h: Bench) -> None:
    socket, peer = connect(h)
    to_time_wait(h, peer, socket)


def keeps_time_wait(h: Bench) -> None:
    socket, peer = connect(h)
    to_time_wait(h, peer, socket, close=False)
    h.after(LONG)
    h.do(socket.close)


def exchanges(h: Bench) -> None:
    server = h.listen(80)
    peer = h.connected()
    child, _ = h.do(server.accept)
    peer.gets("P. 2001:3001(1000) ack 1", "P. 1:1001(1000) ack 1", "P. 1001:2001(1000) ack 1")
    h.forget()
    assert len(h.do(child.recv, 9000)) == 3000
    h.do(child.send, bytes(5000))
    h.after(10)  # nothing is acknowledged: it times out, and goes again
    h.forget()
    peer.gets("F. 3001:3001(0) ack 5001")
    h.do(child.close)
    h.forget()
    peer.gets(". 3002:3002(0) ack 5002")
    h.do(server.close)


def is_reset(h: Bench) -> None:
    for ends in "R. 1:1(0) ack 1", "R 1:1(0)":
        socket, peer = connect(h)
        peer.gets(ends)
        h.do(socket.recv, 10)
        h.do(socket.close)


def is_reset_and_dropped(h: Bench) -> None:
    _, peer = connect(h)
    peer.gets("R. 1:1(0) ack 1")


def aborts(h: Bench) -> None:
    socket, _ = connect(h)
    socket.setsockopt(1, 13, (1, 0))
    h.do(socket.close)


def is_refused(h: Bench) -> None:
    socket, peer = client(h)
    peer.gets("R. 0:0(0) ack 1")
    assert h.do(socket.connect, ("10.0.0.2", 7)) < 0
    h.do(socket.close)


def gets_no_answer(h: Bench) -> None:
    socket, _ = client(h)
    h.after(LONG)
    h.do(socket.close)


def times_out(h: Bench) -> None:
    socket, _ = connect(h)
    h.do(socket.send, b"lost")
    h.after(LONG)
    h.do(socket.close)


def is_forgotten_by_both(h: Bench) -> None:
    socket, _ = connect(h)
    h.do(socket.send, b"lost")
    h.do(socket.close)
    h.after(LONG)


def is_flooded(h: Bench) -> None:
    server = h.listen(80, backlog=2)
    for port in range(2000, 2600):
        h.peer(port).gets("S 0:0(0) <mss 1460>")
        h.forget()
    h.after(LONG)
    h.do(server.close)


def closes_a_listener(h: Bench) -> None:
    server = h.listen(80)
    h.connected(4711)
    h.peer(4712).gets("S 0:0(0) <mss 1460>")
    h.forget()
    h.do(server.close)


def reopens(h: Bench) -> None:
    server = h.listen(80)
    peer = h.connected()
    child, _ = h.do(server.accept)
    to_time_wait(h, peer, child)
    peer.gets("S 70000:70000(0) <mss 1460>")
    h.forget()
    peer.gets("R 70001:70001(0)")
    h.after(LONG)
    h.do(server.close)


def shuts_an_opening(h: Bench) -> None:
    socket, _ = client(h)
    h.do(socket.shutdown, 1)
    h.do(socket.close)


def is_unreachable(h: Bench) -> None:
    socket, _ = connect(h)
    socket.disconnect(h.now)
    h.settle()
    assert h.do(socket.connect, ("10.0.0.1", 9)) < 0  # ourselves, where nobody listens
    h.do(socket.close)


LIVES = (
    closes_first,
    keeps_time_wait,
    exchanges,
    is_reset,
    is_reset_and_dropped,
    aborts,
    is_refused,
    gets_no_answer,
    times_out,
    is_forgotten_by_both,
    is_flooded,
    closes_a_listener,
    reopens,
    shuts_an_opening,
    is_unreachable,
)


@pytest.mark.parametrize("life", LIVES)
def test_a_connection_leaves_no_cycle(life: Callable[[Bench], None], garbage: Callable[[], Counter[str]]):
    h = Bench(keepalive=True)
    life(h)
    h.after(LONG)
    h.forget()
    h.host.ready()
    assert (len(h.host.tcbs), len(h.host.time_wait), garbage()) == (0, 0, Counter())


@pytest.mark.parametrize("ends", ["F. 3:3(0) ack 3", "R. 3:3(0) ack 3"])
def test_an_application_of_ours_leaves_no_cycle(ends: str, garbage: Callable[[], Counter[str]]):
    h = Bench()
    reactor = Reactor(h.host)
    reactor.listen(h.now, 80, Echo)
    for port in range(2000, 2010):
        peer = h.peer(port)
        for line in "S 0:0(0) <mss 1460>", ". 1:1(0) ack 1", "P. 1:3(2) ack 1", ends, ". 4:4(0) ack 4":
            h.forget()
            peer.gets(line)
            reactor(h.now, h.host.ready())
            h.settle()
    h.after(LONG)
    h.forget()
    assert (len(h.host.tcbs), garbage()) == (0, Counter())


def test_a_cycle_is_found(garbage: Callable[[], Counter[str]]):
    socket: Any = Socket(Host(("10.0.0.1",), DEFAULT, secret=bytes(16)))
    socket.user = socket
    del socket
    assert garbage()["Socket"] == 1
