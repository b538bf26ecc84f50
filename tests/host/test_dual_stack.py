"""IPv6 sockets that speak IPv4 too: RFC 3493 sections 3.7 and 5.3, RFC 4291 section 2.5.5.2; errors as Linux's."""

from __future__ import annotations

from errno import EADDRINUSE, EADDRNOTAVAIL, EAFNOSUPPORT, EINPROGRESS, EINVAL, ENETUNREACH, ENOPROTOOPT

import pytest

from lastack.host import options as o
from lastack.host.sockets import Socket
from tests.host.harness import Bench, errno_of, number, to_time_wait

MAPPED = "::ffff:10.0.0.1"


def test_an_ipv6_listener_takes_ipv4_connections():  # RFC 3493 section 3.7
    h = Bench()
    server = h.listen(80, version=6)
    h.connected()
    child, address = h.do(server.accept)
    assert (address, child.getsockname()) == (("::ffff:10.0.0.2", 4711), (MAPPED, 80))
    assert child.getpeername() == address
    assert len(h.host.listeners()) == 1


def test_and_ipv6_connections():
    h = Bench()
    server = h.listen(80, version=6)
    h.connected(remote="fd00::2", address="fd00::1")
    assert h.do(server.accept)[1] == ("fd00::2", 4711)


def test_v6only_takes_none_of_ipv4():  # RFC 3493 section 5.3
    h = Bench(v6only=True)
    h.listen(80, version=6)
    peer = h.peer()
    peer.gets("S 0:0(0)")
    peer.sends("R. 0:0(0) ack 1")


def test_closing_it_closes_both():
    h = Bench()
    h.do(h.listen(80, version=6).close)
    peer = h.peer()
    peer.gets("S 0:0(0)")
    peer.sends("R. 0:0(0) ack 1")
    assert (h.host.listening, h.host.ports.in_use()) == ({}, 0)


def opened(h: Bench, name: str = "::") -> Socket:
    socket = h.socket(6)
    socket.bind((name, 5000))
    return socket


@pytest.mark.parametrize("name", ["::", "::ffff:0.0.0.0", MAPPED])
def test_connect_to_a_mapped_address_opens_an_ipv4_connection(name: str):
    h = Bench()
    socket, peer = opened(h, name), h.peer(7, 5000)
    assert number(h, socket.connect, ("::ffff:10.0.0.2", 7)) == EINPROGRESS
    peer.sends("S 0:0(0)")
    assert (socket.getsockname(), socket.getpeername()) == ((MAPPED, 5000), ("::ffff:10.0.0.2", 7))


@pytest.mark.parametrize(
    ("bound", "address", "expected"),
    [
        ("fd00::1", "::ffff:10.0.0.2", ENETUNREACH),  # bound to IPv6 it is for IPv6 only
        (MAPPED, "fd00::2", EAFNOSUPPORT),
        ("::ffff:0.0.0.0", "fd00::2", EAFNOSUPPORT),
        ("::", "::ffff:224.0.0.1", ENETUNREACH),  # MUST-46
        ("::", "fe80::1", EINVAL),  # RFC 4007: a link-local address needs a zone
        ("::", "fe80::1%eth0", EINVAL),
    ],
)
def test_what_cannot_be_connected_to(bound: str, address: str, expected: int):
    h = Bench()
    assert number(h, opened(h, bound).connect, (address, 7)) == expected


def test_what_cannot_be_bound():
    h = Bench()
    only = h.socket(6)
    only.setsockopt(o.IPPROTO_IPV6, o.IPV6_V6ONLY, 1)
    assert errno_of(lambda: only.bind((MAPPED, 0))) == EINVAL
    assert errno_of(lambda: opened(h, "::ffff:10.0.0.9")) == EADDRNOTAVAIL
    assert errno_of(lambda: opened(h, "fe80::1")) == EINVAL


def test_v6only_belongs_before_the_bind():
    h = Bench()
    socket = opened(h)
    assert errno_of(lambda: socket.setsockopt(o.IPPROTO_IPV6, o.IPV6_V6ONLY, 1)) == EINVAL
    assert opened(Bench(), "fd00::1").getsockopt(o.IPPROTO_IPV6, o.IPV6_V6ONLY) == 1


@pytest.mark.parametrize("first", [4, 6])
def test_any_of_both_versions_conflicts_with_any_of_either(first: int):
    h = Bench()
    h.listen(80, version=first)
    assert errno_of(lambda: h.listen(80, version=10 - first)) == EADDRINUSE


def test_a_time_wait_of_ipv4_is_in_the_way_of_both():
    h = Bench()
    server = h.listen(80, version=6)
    peer = h.connected()
    child, _ = h.do(server.accept)
    to_time_wait(h, peer, child)
    h.do(server.close)
    assert errno_of(lambda: h.listen(80, version=6)) == EADDRINUSE
    assert errno_of(lambda: h.listen(80, version=6, address="fd00::1")) == 0
    assert errno_of(lambda: h.listen(80, address="10.0.0.3")) == 0  # another address, as on Linux


# --- options: as Linux ---


@pytest.mark.parametrize("option", [o.IPV6_V6ONLY, o.IPV6_UNICAST_HOPS, o.IPV6_TCLASS, o.IPV6_MTU_DISCOVER, o.IPV6_MTU])
def test_a_socket_for_ipv4_has_no_options_of_ipv6(option: int):
    socket = Bench().socket(4)
    assert errno_of(lambda: socket.setsockopt(o.IPPROTO_IPV6, option, 1)) == ENOPROTOOPT
    assert errno_of(lambda: socket.getsockopt(o.IPPROTO_IPV6, option)) == ENOPROTOOPT


def test_one_for_ipv6_has_those_of_ipv4():
    socket = Bench().socket(6)
    socket.setsockopt(o.IPPROTO_IP, o.IP_TTL, 9)
    assert socket.getsockopt(o.IPPROTO_IP, o.IP_TTL) == 9


@pytest.mark.parametrize(("value", "number"), [(-1, 0), (0, 0), (255, 0), (256, EINVAL), (-2, EINVAL)])
def test_a_traffic_class_of_minus_one_is_the_hosts(value: int, number: int):  # RFC 3542 section 6.5
    socket = Bench(traffic_class=0x20).socket(6)
    socket.setsockopt(o.IPPROTO_IPV6, o.IPV6_TCLASS, 0x40)
    assert errno_of(lambda: socket.setsockopt(o.IPPROTO_IPV6, o.IPV6_TCLASS, value)) == number
    expected = 0x40 if number else 0x20 if value == -1 else value & 0xFC
    assert socket.getsockopt(o.IPPROTO_IPV6, o.IPV6_TCLASS) == expected
