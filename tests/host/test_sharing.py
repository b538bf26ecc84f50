"""SO_REUSEPORT as Linux has it for listeners: several on one port, each with connections of its own."""

from __future__ import annotations

from errno import EADDRINUSE

import pytest

from lastack.host.options import SO_REUSEPORT, SOL_SOCKET
from lastack.host.sockets import Socket
from lastack.tcp.states import State
from tests.host.harness import Bench, connect, errno_of, number, to_time_wait


def opened(h: Bench, servers: list[Socket], ports: range) -> list[list[int]]:
    """The ports of the peers whose connections each listener gets."""
    found: list[list[int]] = [[] for _ in servers]
    for port in ports:
        h.connected(port)
        (index,) = (index for index, server in enumerate(servers) if server.readable())
        child, _ = h.do(servers[index].accept)
        assert child.getpeername()[1] == port
        assert child.getsockopt(SOL_SOCKET, SO_REUSEPORT) == 1
        found[index].append(port)
    return found


def test_connections_are_spread_and_the_same_in_each_run():
    runs = []
    for _ in range(2):
        h = Bench()
        runs.append(opened(h, [h.listen(80, shares=True) for _ in range(3)], range(1000, 1300)))
        assert len(h.host.listeners()) == 3
    assert runs[0] == runs[1]
    assert all(70 < len(ports) < 130 for ports in runs[0])


def test_who_closes_leaves_the_port_to_the_others():
    h = Bench()
    one, two, three = (h.listen(80, shares=True) for _ in range(3))
    h.do(one.close)
    assert h.host.listeners() == [two.listener, three.listener]
    assert all(opened(h, [two, three], range(1000, 1040)))
    h.do(three.close)
    assert len(opened(h, [two], range(2000, 2010))[0]) == 10
    h.do(two.close)
    assert h.host.listeners() == []
    assert not h.host.sharing
    peer = h.peer(3000)
    peer.gets("S 0:0(0) <mss 1460>")
    peer.sends("R. 0:0(0) ack 1")


def test_a_whole_handshake_is_with_one_of_them():
    """The ACK of a SYN cookie finds the listener that has sent it."""
    h = Bench(syn_cookies="always")
    servers = [h.listen(80, shares=True) for _ in range(4)]
    found = opened(h, servers, range(1000, 1040))
    assert h.host.counters["SYN cookie sent"] == 40
    assert all(found)


@pytest.mark.parametrize(
    ("first", "second", "free"), [(True, True, True), (True, False, False), (False, True, False), (False, False, False)]
)
@pytest.mark.parametrize("both", [True, False])
def test_all_must_ask_for_it(first: bool, second: bool, free: bool, both: bool):
    h = Bench(reuse_needs_both=both)
    h.listen(80, shares=first, reuse=True)
    late = h.socket(shares=second, reuse=True)
    assert (errno_of(lambda: late.bind(("", 80))) == 0) is free
    assert number(h, late.listen, 5) == 0  # another port, where that one is not to be had
    assert len(h.host.listeners()) == 2


def test_who_shares_a_name_may_be_refused_to_listen():
    h = Bench()
    one, other = h.socket(shares=True, reuse=True), h.socket(shares=True, reuse=True)
    for socket in (one, other):
        socket.bind(("", 80))
    h.do(one.listen)
    other.setsockopt(SOL_SOCKET, SO_REUSEPORT, 0)
    assert number(h, other.listen) == EADDRINUSE
    other.setsockopt(SOL_SOCKET, SO_REUSEPORT, 1)
    assert number(h, other.listen) == 0


def test_a_connection_that_is_open_or_in_time_wait_does_not_stand_in_the_way():
    h = Bench()
    server = h.listen(80, shares=True)
    peer = h.connected()
    child, _ = h.do(server.accept)
    second = h.listen(80, shares=True)
    for one in (server, second):
        h.do(one.close)
    h.do(h.listen(80, shares=True).close)
    to_time_wait(h, peer, child)
    assert number(h, lambda now: h.socket().bind(("", 80))) == EADDRINUSE
    h.listen(80, shares=True)


def test_each_ip_version_has_its_own():
    h = Bench()
    six, four = h.listen(80, version=6, shares=True), h.listen(80, shares=True)
    found = opened(h, [six, four], range(1000, 1040))
    assert all(found)
    h.connected(2000, remote="fd00::2", address="fd00::1")
    assert (six.readable(), four.readable()) == (True, False)
    h.do(four.close)
    h.do(h.do(six.accept)[0].close)
    h.forget()
    assert len(opened(h, [six], range(3000, 3010))[0]) == 10


def test_the_one_of_the_address_goes_before_those_of_any():
    h = Bench()
    anyone = [h.listen(80, shares=True) for _ in range(2)]
    named = h.listen(80, shares=True, address="10.0.0.1")
    assert len(opened(h, [*anyone, named], range(1000, 1010))[2]) == 10


def test_a_new_incarnation_finds_one_of_them():
    h = Bench()
    servers = [h.listen(80, shares=True) for _ in range(2)]
    peer = h.connected()
    (server,) = (one for one in servers if one.readable())
    child, _ = h.do(server.accept)
    to_time_wait(h, peer, child)
    h.after(1)
    peer.gets("S 100000:100000(0) <mss 1460>")
    h.forget()
    assert peer.state is State.SYN_RCVD


def test_a_port_of_a_connection_is_shared_by_nobody():
    h = Bench()
    socket, _ = connect(h)
    assert number(h, lambda now: h.socket(shares=True).bind(("", socket.getsockname()[1]))) == EADDRINUSE
