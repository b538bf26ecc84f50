"""connect() again after a failure, as Linux has it, and the addresses that no OPEN may name."""

from __future__ import annotations

from errno import (
    EADDRNOTAVAIL,
    ECONNABORTED,
    ECONNREFUSED,
    ECONNRESET,
    EINPROGRESS,
    EINVAL,
    EISCONN,
    ENETUNREACH,
)

import pytest

from lastack.host import options as o
from lastack.tcp.states import State
from lastack.wire.address import parse_address
from tests.host.harness import Bench, client, connect, errno_of, number

PEER = ("10.0.0.2", 7)


def refused(h: Bench, **options):
    """A socket whose connect() has failed and has not been told so."""
    socket, peer = client(h, **options)
    peer.gets("R. 0:0(0) ack 1")
    return socket


# --- a second connect() on one socket ---


def test_a_failed_connect_whose_error_was_taken_is_never_called_a_success():  # RFC 9293 3.10.1; Linux: ECONNABORTED
    h = Bench()
    socket = refused(h)
    assert socket.getsockopt(o.SOL_SOCKET, o.SO_ERROR) == ECONNREFUSED
    assert number(h, socket.connect, PEER) == ECONNABORTED
    h.silent()


@pytest.mark.parametrize("taken_by", ["SO_ERROR", "connect", "send", "recv"])
def test_after_the_failure_was_told_a_fresh_connect_is_a_new_attempt(taken_by: str):
    h = Bench()
    socket = refused(h)
    if taken_by == "connect":
        assert number(h, socket.connect, PEER) == ECONNREFUSED
    else:
        if taken_by == "SO_ERROR":
            socket.getsockopt(o.SOL_SOCKET, o.SO_ERROR)
        else:
            assert number(h, getattr(socket, taken_by), b"x" if taken_by == "send" else 1) == ECONNREFUSED
        assert number(h, socket.connect, PEER) == ECONNABORTED
    assert number(h, socket.connect, PEER) == EINPROGRESS
    assert socket.state is State.SYN_SENT
    peer = h.peer(7, socket.getsockname()[1])
    peer.hears(h.pending[-1][1])
    peer.sends("S 0:0(0)")
    peer.gets("S. 0:0(0) ack 1 <mss 1460>")
    peer.sends(". 1:1(0) ack 1")
    assert (number(h, socket.connect, PEER), number(h, socket.connect, PEER)) == (0, EISCONN)


def test_the_new_attempt_goes_from_the_port_that_was_bound():
    h = Bench()
    socket = refused(h, local=5000)
    assert number(h, socket.connect, PEER) == ECONNREFUSED
    assert number(h, socket.connect, PEER) == EINPROGRESS
    assert socket.getsockname() == ("10.0.0.1", 5000)
    h.forget()


def test_a_connection_reset_before_anybody_asked_is_a_failed_connect():
    h = Bench()
    socket, peer = connect(h)
    peer.gets("R 1:1(0)")
    assert number(h, socket.connect, PEER) == ECONNRESET
    assert number(h, socket.connect, PEER) == EINPROGRESS
    h.forget()


def test_a_connection_that_was_told_of_is_connected_even_when_it_was_reset():  # Linux keeps the error for recv
    h = Bench()
    socket, peer = connect(h)
    assert number(h, socket.connect, PEER) == 0
    peer.gets("R 1:1(0)")
    assert number(h, socket.connect, PEER) == EISCONN
    assert number(h, socket.recv, 1) == ECONNRESET


# --- addresses that no OPEN may name: RFC 9293 3.9.1.1, MUST-46 ---

NOWHERE = [
    (4, "224.0.0.1"),  # RFC 1112
    (4, "239.255.255.250"),
    (4, "255.255.255.255"),
    (4, "0.0.0.1"),  # RFC 1122 3.2.1.3 (b): only ever a source
    (4, "240.0.0.1"),
    (4, "127.0.0.1"),  # RFC 1122 3.2.1.3 (g): must not leave a host, and this one has it not
    (6, "ff02::1"),
    (6, "::1"),
    (6, "::ffff:224.0.0.1"),
]


@pytest.mark.parametrize(("version", "address"), NOWHERE)
def test_an_open_to_an_invalid_address_is_an_error_and_nothing_leaves(version: int, address: str):  # MUST-46
    h = Bench()
    socket = h.socket(version)
    assert number(h, socket.connect, (address, 80)) == ENETUNREACH
    assert not h.host.tcbs and not h.host.ports.in_use()
    h.silent()
    assert number(h, socket.connect, ("fd00::2" if version == 6 else "10.0.0.2", 80)) == EINPROGRESS
    h.forget()


@pytest.mark.parametrize(("version", "address"), [*NOWHERE, (4, "10.0.0.2"), (6, "fd00::2")])
def test_what_is_no_address_of_the_host_cannot_be_bound(version: int, address: str):
    assert errno_of(lambda: Bench().socket(version).bind((address, 80))) == EADDRNOTAVAIL


@pytest.mark.parametrize(
    ("version", "named", "bound", "meant"),
    [
        (4, "0.0.0.0", "", "10.0.0.1"),
        (4, "", "", "10.0.0.1"),
        (4, "0.0.0.0", "10.0.0.3", "10.0.0.3"),
        (6, "::", "", "fd00::1"),
    ],
)
def test_the_unspecified_address_is_the_host_itself(version: int, named: str, bound: str, meant: str):  # as Linux
    h = Bench()
    server = h.listen(80, version=version)
    socket = h.socket(version)
    if bound:
        socket.bind((bound, 0))
    assert number(h, socket.connect, (named, 80)) == EINPROGRESS
    h.silent()
    assert number(h, socket.connect, (named, 80)) == 0
    assert (socket.getpeername()[0], socket.getsockname()[0]) == (meant, meant)
    assert h.do(server.accept)[1] == socket.getsockname()


def with_loopback() -> Bench:
    h = Bench()
    h.host.addresses = dict.fromkeys(map(parse_address, ("127.0.0.1", "::1", "10.0.0.1", "fd00::1")))
    return h


@pytest.mark.parametrize(("version", "address"), [(4, "127.0.0.1"), (6, "::1")])
def test_a_loopback_address_of_the_host_can_be_connected_to(version: int, address: str):
    h = with_loopback()
    h.listen(80, version=version)
    socket = h.socket(version)
    assert number(h, socket.connect, (address, 80)) == EINPROGRESS
    assert number(h, socket.connect, (address, 80)) == 0
    h.silent()


@pytest.mark.parametrize(("version", "remote", "source"), [(4, "10.0.0.2", "10.0.0.1"), (6, "fd00::2", "fd00::1")])
def test_a_loopback_address_is_no_source_of_what_leaves(version: int, remote: str, source: str):  # RFC 1122 3.2.1.3 (g)
    h = with_loopback()
    socket = h.socket(version)
    assert number(h, socket.connect, (remote, 80)) == EINPROGRESS
    assert socket.getsockname()[0] == source
    h.forget()


@pytest.mark.parametrize(("version", "remote", "bound"), [(4, "10.0.0.2", "127.0.0.1"), (6, "fd00::2", "::1")])
def test_a_socket_bound_to_loopback_does_not_reach_out(version: int, remote: str, bound: str):  # Linux: EINVAL
    h = with_loopback()
    socket = h.socket(version)
    socket.bind((bound, 0))
    assert number(h, socket.connect, (remote, 80)) == EINVAL
    h.silent()


# --- connect() to AF_UNSPEC ---


def test_a_connection_that_is_dissolved_is_reset_and_its_socket_can_be_used_anew():  # RFC 9293 3.10.5
    h = Bench()
    socket, peer = connect(h)
    h.do(socket.disconnect)
    peer.sends("R. 1:1(0) ack 1")
    assert socket.getsockopt(o.SOL_SOCKET, o.SO_ERROR) == ECONNRESET and socket.state is State.CLOSED
    assert number(h, socket.connect, PEER) == EINPROGRESS
    h.forget()


def test_a_listener_that_is_dissolved_leaves_its_port_to_another():
    h = Bench()
    listener = h.listen(80)
    h.do(listener.disconnect)
    listener.setsockopt(o.SOL_SOCKET, o.SO_REUSEADDR, 1)
    other = h.socket()
    other.setsockopt(o.SOL_SOCKET, o.SO_REUSEADDR, 1)
    other.bind(("", 80))
    other.listen(h.now)
    assert listener.state is State.CLOSED and other.state is State.LISTEN
