"""The three ways to read a socket are one: recv, which raises, take, which does not, and take_views, without a copy."""

from __future__ import annotations

from collections.abc import Callable
from errno import EAGAIN, ECONNRESET

import pytest

from lastack.host.sockets import Socket
from tests.host.harness import Bench, connect

# What was read; None where nothing has come; the errno, negative, of an error.
Read = Callable[[Bench, Socket, int], bytes | int | None]


def by_recv(h: Bench, socket: Socket, size: int) -> bytes | int | None:
    data = h.do(socket.recv, size)
    return None if data == -EAGAIN else data


def by_take(h: Bench, socket: Socket, size: int) -> bytes | int | None:
    return h.do(socket.take, size)


def by_views(h: Bench, socket: Socket, size: int) -> bytes | int | None:
    views = h.do(socket.take_views, size)
    return b"".join(views) if isinstance(views, list) else views


ways = pytest.mark.parametrize("read", [by_recv, by_take, by_views])


@ways
def test_a_read_waits_then_gives_then_ends(read: Read):  # RFC 9293 3.10.3
    h = Bench()
    socket, peer = connect(h)
    assert read(h, socket, 9) is None
    peer.gets("FP. 1:6(5) ack 1")
    peer.sends(". 1:1(0) ack 7")
    assert [read(h, socket, 3), read(h, socket, 9), read(h, socket, 9)] == [bytes(3), bytes(2), b""]
    assert socket.tcb.statistics.bytes_read == 5


@ways
def test_what_came_before_a_reset_is_read_before_it_is_told(read: Read):  # RFC 9293 MUST-12
    h = Bench()
    socket, peer = connect(h)
    peer.gets("P. 1:6(5) ack 1")
    h.forget()
    peer.gets("R 6:6(0)")
    assert [read(h, socket, 9), read(h, socket, 9), read(h, socket, 9)] == [bytes(5), -ECONNRESET, b""]


@ways
def test_a_read_ends_at_the_urgent_mark(read: Read):  # RFC 9293 MUST-33; RFC 6093 section 6
    h = Bench(oob_inline=True)
    socket, peer = connect(h)
    peer.gets("PU. 1:11(10) ack 1 urg 5")
    h.forget()
    assert [read(h, socket, 9), socket.at_mark(), read(h, socket, 9)] == [bytes(4), True, bytes(6)]


@ways
def test_a_read_that_opens_the_window_tells_it(read: Read):  # RFC 9293 3.8.6.2.2
    h = Bench(receive_buffer=2000)
    socket, peer = connect(h)
    peer.gets(". 1:2001(2000) ack 1")
    peer.sends(". 1:1(0) ack 2001 win 0")
    assert read(h, socket, 9000) == bytes(2000)
    peer.sends(". 1:1(0) ack 2001 win 2000")


def test_views_are_what_came_and_not_copies():
    h = Bench()
    socket, peer = connect(h)
    peer.gets("P. 1:4001(4000) ack 1")
    h.forget()
    held = socket.tcb.receive_buffer.copy()
    (view,) = h.do(socket.take_views, 9000)
    assert view is held.take(9000)[0]
    assert view.readonly and isinstance(view.obj, bytes)
