"""Socket options that act on a connection under way, and those whose values Linux bends."""

from __future__ import annotations

from contextlib import suppress
from errno import EPIPE, ETIMEDOUT

import pytest

from lastack.host import options as o
from lastack.tcp.presets import RFC9293
from lastack.tcp.states import State
from lastack.tcp.tcb import Reason
from tests.host.harness import Bench, Peer, client, connect, number

# --- TCP_USER_TIMEOUT: RFC 5482 section 3, RFC 9293 section 3.8.3 ---


def user_timeout(socket, milliseconds: int) -> None:
    socket.setsockopt(o.IPPROTO_TCP, o.TCP_USER_TIMEOUT, milliseconds)


def stalled(h: Bench, seconds: float):
    """A connection whose data nobody has acknowledged for so long."""
    socket, peer = connect(h)
    h.do(socket.send, b"x")
    h.after(seconds)
    h.forget()
    return socket, peer


def test_a_user_timeout_that_is_over_when_it_is_set_ends_the_connection_at_once():  # MUST-21
    h = Bench()
    socket, peer = stalled(h, 51)
    user_timeout(socket, 1000)
    assert h.host.deadline() <= h.now
    h.after(0)
    h.silent()
    assert (peer.state, socket.getsockopt(o.SOL_SOCKET, o.SO_ERROR)) == (State.CLOSED, ETIMEDOUT)
    assert number(h, socket.send, b"x") == EPIPE


def test_a_user_timeout_set_late_counts_from_when_the_data_stalled():  # RFC 5482: for how long it may remain so
    h = Bench()
    socket, peer = stalled(h, 51)
    start = socket.tcb.stalled_since
    user_timeout(socket, 52_000)
    assert h.host.deadline() == start + 52_000_000
    h.after((start + 52_000_000 - 1 - h.now) / 1e6)
    assert peer.state is State.ESTABLISHED
    h.after(1 / 1e6)
    assert peer.state is State.CLOSED


def test_a_user_timeout_that_is_made_longer_ends_nothing_early():
    h = Bench()
    socket, peer = stalled(h, 5)
    user_timeout(socket, 10_000)
    user_timeout(socket, 100_000)
    h.after(90)
    assert peer.state is State.ESTABLISHED
    h.after(10)
    assert peer.state is State.CLOSED
    h.forget()


def test_a_user_timeout_set_while_the_window_is_closed_is_kept():
    h = Bench()
    socket, peer = connect(h)
    peer.gets(". 1:1(0) ack 1 win 0")
    h.do(socket.send, b"x")
    h.after(0.1)
    h.forget()
    user_timeout(socket, 150)
    h.after(0.05)
    assert (peer.state, socket.tcb.reason) == (State.CLOSED, Reason.USER_TIMEOUT)


def test_a_user_timeout_set_while_opening_is_kept():  # RFC 9293 3.10.8: the user timeout in any state
    h = Bench()
    socket, _ = client(h)
    h.after(0.5)
    user_timeout(socket, 700)
    h.after(0.2)
    assert (socket.state, socket.getsockopt(o.SOL_SOCKET, o.SO_ERROR)) == (State.CLOSED, ETIMEDOUT)


# --- TCP_LINGER2: tcp(7), tcp_fin_timeout ---


def linger2(h: Bench, *values: int) -> tuple[Peer, object]:
    """A connection that its user closed with these values set, in FIN-WAIT-2; and what getsockopt said."""
    socket, peer = connect(h)
    for value in values:
        socket.setsockopt(o.IPPROTO_TCP, o.TCP_LINGER2, value)
    told = socket.getsockopt(o.IPPROTO_TCP, o.TCP_LINGER2)
    h.do(socket.close)
    peer.sends("F. 1:1(0) ack 1")
    peer.gets(". 1:1(0) ack 2")
    return peer, told


@pytest.mark.parametrize(
    ("values", "lasts"),
    [((0,), 60), ((10,), 10), ((10, 0), 60), ((120,), 120), ((121,), 120), ((600,), 120), ((1 << 31, 0), 60)],
)
def test_an_orphan_lasts_in_fin_wait_2_as_long_as_linger2_says(values: tuple[int, ...], lasts: int):
    h = Bench()
    peer, told = linger2(h, *values)
    assert (peer.state, told) == (State.FIN_WAIT_2, lasts)
    h.after(lasts - 0.000001)
    assert peer.state is State.FIN_WAIT_2
    h.after(0.000001)
    assert peer.state is State.CLOSED


@pytest.mark.parametrize("value", [-1, -600])
def test_a_negative_linger2_does_not_wait_in_fin_wait_2(value: int):
    h = Bench()
    peer, told = linger2(h, value)
    h.after(0.000001)
    assert (peer.state, told) == (State.CLOSED, -1)
    peer.gets("F. 1:1(0) ack 2")
    peer.sends("R 2:2(0)")


def test_a_linger2_of_0_is_what_the_host_has():  # by the letter of RFC 9293: no timer
    h = Bench(RFC9293)
    peer, told = linger2(h, 10, 0)
    h.after(100_000)
    assert (peer.state, told) == (State.FIN_WAIT_2, 0)


# --- whatever is set ---

ODD = [0, -1, 2**31, 2**40, True, (1, 0), (1,), ("a", "b"), "cubic", "", b"cubic", 1.5, None, [1], {}]


@pytest.mark.parametrize("level", [o.SOL_SOCKET, o.IPPROTO_IP, o.IPPROTO_TCP, o.IPPROTO_IPV6])
def test_no_value_of_any_option_does_more_than_an_error(level: int):
    h = Bench()
    for socket in (h.socket(), h.listen(), connect(h)[0]):
        for option in range(70):
            for value in ODD:
                with suppress(OSError):
                    socket.setsockopt(level, option, value)
                with suppress(OSError):
                    socket.getsockopt(level, option)
            h.settle()
    h.forget()
