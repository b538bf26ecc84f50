"""connect() again after a failure, as Linux has it, and the addresses that no OPEN may name."""

from __future__ import annotations

from errno import ECONNABORTED, ECONNREFUSED, ECONNRESET, EINPROGRESS, EISCONN

import pytest

from lastack.host import options as o
from lastack.tcp.states import State
from tests.host.harness import Bench, client, connect, number

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
