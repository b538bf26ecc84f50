"""Urgent data at a socket: told at once, in line, with a mark. RFC 9293 section 3.8.5; RFC 6093 sections 5 and 6."""

from __future__ import annotations

from errno import EINVAL, ENOPROTOOPT

import pytest

from lastack.host import options as o
from tests.host.harness import Bench, connect, errno_of, number


def deaf(h: Bench):
    """A connected socket that is neither readable nor writable: nothing else can announce it."""
    socket, peer = connect(h)
    h.do(socket.send, bytes(3000))
    h.forget()
    assert not socket.readable() and not socket.writable()
    h.host.ready()
    return socket, peer


def urgent(text: str, **more):
    """A connected socket that has got this one segment with urgent data."""
    h = Bench(**more)
    socket, peer = connect(h)
    peer.gets(text)
    h.forget()
    return h, socket, peer


def test_an_urgent_pointer_makes_the_socket_ready_before_its_data_is_there():  # MUST-32, "asynchronously"
    h = Bench(send_buffer=3000)
    socket, peer = deaf(h)
    peer.gets("U. 1:1(0) ack 1 urg 50")
    assert h.host.ready() == [socket]
    assert (socket.exceptional(), socket.urgent_left()) == (True, 50)


def test_a_pointer_that_advances_is_told_again_and_one_that_does_not_is_not():  # MUST-32
    h = Bench(send_buffer=3000)
    socket, peer = deaf(h)
    told = []
    for pointer in (50, 50, 20, 60):
        peer.gets(f"U. 1:1(0) ack 1 urg {pointer}")
        told.append(len(h.host.ready()))
        h.forget()
    assert (told, socket.urgent_left()) == ([1, 0, 0, 1], 60)


def test_how_much_is_left_goes_down_with_reading():  # MUST-33, MUST-62: up to the octet that the pointer stands at
    h, socket, _ = urgent("PU. 1:11(10) ack 1 urg 5")
    left = [socket.urgent_left()]
    for size in (2, 9, 9, 9):
        h.do(socket.recv, size)
        left.append(socket.urgent_left())
    assert (left, socket.exceptional()) == ([5, 3, 1, 0, 0], False)


def test_urgent_data_stays_in_line_and_a_read_ends_at_the_mark():  # RFC 6093 section 6; as Linux and BSD
    h, socket, peer = urgent("PU. 1:11(10) ack 1 urg 5")
    read = [(len(h.do(socket.recv, 9, flags)), socket.at_mark()) for flags in (o.MSG_PEEK, 0, 0)]
    assert read == [(4, False), (4, True), (6, False)]
    peer.gets("P. 11:21(10) ack 1")
    h.forget()
    assert len(h.do(socket.recv, 99)) == 10


def test_one_octet_sent_as_out_of_band_is_at_the_mark():
    h, socket, _ = urgent("PU. 1:2(1) ack 1 urg 1")
    assert (socket.at_mark(), socket.readable(), len(h.do(socket.recv, 9)), socket.at_mark()) == (True, True, 1, False)


def test_urgent_data_is_known_to_who_accepts_the_connection_later():
    h = Bench()
    server = h.listen()
    h.connected().gets("PU. 1:11(10) ack 1 urg 5")
    h.forget()
    child, _ = h.do(server.accept)
    assert child in h.host.ready() and child.urgent_left() == 5


@pytest.mark.parametrize("how", ["not connected", "listening", "reading given up"])
def test_nothing_is_urgent_where_nothing_is_read(how: str):
    h = Bench()
    if how == "reading given up":
        h, socket, _ = urgent("PU. 1:11(10) ack 1 urg 5")
        h.do(socket.shutdown, o.SHUT_RD)
    else:
        socket = h.listen() if how == "listening" else h.socket()
    assert (socket.exceptional(), socket.at_mark(), socket.urgent_left()) == (False, False, 0)


def test_it_cannot_be_had_out_of_line():  # RFC 6093 section 6: SO_OOBINLINE should be set
    h, socket, _ = urgent("PU. 1:11(10) ack 1 urg 5")
    assert number(h, socket.recv, 1, o.MSG_OOB) == EINVAL  # Linux, with SO_OOBINLINE
    assert errno_of(lambda: socket.setsockopt(o.SOL_SOCKET, o.SO_OOBINLINE, 0)) == ENOPROTOOPT
    socket.setsockopt(o.SOL_SOCKET, o.SO_OOBINLINE, 1)
    assert socket.getsockopt(o.SOL_SOCKET, o.SO_OOBINLINE) == 1
