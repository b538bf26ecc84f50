"""Urgent data at a socket: told at once, in line, with a mark. RFC 9293 section 3.8.5; RFC 6093 sections 5 and 6."""

from __future__ import annotations

from errno import EAGAIN, EINVAL

import pytest

from lastack.host import options as o
from lastack.tcp.config import DEFAULT, Config
from lastack.tcp.presets import BSD, LINUX, RFC9293
from lastack.wire.segment import URG
from tests.host.harness import Bench, client, connect, number


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
        h, socket, _ = urgent("PU. 1:11(10) ack 1 urg 5", discard_after_shut_read=True)
        h.do(socket.shutdown, o.SHUT_RD)
    else:
        socket = h.listen() if how == "listening" else h.socket()
    assert (socket.exceptional(), socket.at_mark(), socket.urgent_left()) == (False, False, 0)


def test_in_line_it_cannot_be_had_apart():  # RFC 6093 section 6: SO_OOBINLINE should be set
    h, socket, _ = urgent("PU. 1:11(10) ack 1 urg 5")
    assert number(h, socket.recv, 1, o.MSG_OOB) == EINVAL  # Linux, with SO_OOBINLINE
    assert socket.getsockopt(o.SOL_SOCKET, o.SO_OOBINLINE) == 1


def apart(text: str):
    return urgent(text, oob_inline=False)


def test_the_last_urgent_byte_is_read_apart_and_leaves_the_stream():  # the other mode of RFC 6093 section 2
    h, socket, peer = apart("PU. 1:11(10) ack 1 urg 5")
    whole = b"".join(peer.segment("P. 1:11(10) ack 1").payload)
    assert (socket.exceptional(), socket.unread()) == (True, 4)
    assert h.do(socket.recv, 9, o.MSG_OOB | o.MSG_PEEK) == h.do(socket.recv, 9, o.MSG_OOB) == whole[4:5]
    assert (socket.exceptional(), number(h, socket.recv, 1, o.MSG_OOB)) == (False, EINVAL)
    assert h.do(socket.recv, 99) == whole[:4]
    assert (socket.at_mark(), h.do(socket.recv, 99, o.MSG_PEEK), h.do(socket.recv, 99)) == (True, *[whole[5:]] * 2)


def test_read_past_it_is_gone():
    h, socket, _ = apart("PU. 1:11(10) ack 1 urg 5")
    assert [len(h.do(socket.recv, 99)) for _ in range(2)] == [4, 5]
    assert number(h, socket.recv, 1, o.MSG_OOB) == EINVAL


def test_what_has_not_come_yet_cannot_be_read():
    h, socket, peer = apart("U. 1:1(0) ack 1 urg 5")
    assert (number(h, socket.recv, 1, o.MSG_OOB), socket.exceptional()) == (EAGAIN, False)
    peer.gets("PU. 1:6(5) ack 1 urg 5")
    h.forget()
    assert (len(h.do(socket.recv, 1, o.MSG_OOB)), socket.exceptional()) == (1, False)


def test_the_urgent_byte_alone_makes_nothing_readable():
    h, socket, _ = apart("PU. 1:2(1) ack 1 urg 1")
    assert (socket.readable(), socket.at_mark(), number(h, socket.recv, 9)) == (False, True, EAGAIN)


def test_a_byte_that_waited_to_be_read_apart_does_not_turn_up_in_the_stream():
    h, socket, peer = apart("PU. 1:2(1) ack 1 urg 1")
    h.do(socket.recv, 1, o.MSG_OOB)
    peer.gets("PU. 2:3(1) ack 1 urg 1")
    h.forget()
    assert (len(h.do(socket.recv, 1, o.MSG_OOB)), number(h, socket.recv, 9)) == (1, EAGAIN)


@pytest.mark.parametrize(("preset", "inline"), [(DEFAULT, 1), (RFC9293, 1), (LINUX, 0), (BSD, 0)])
def test_each_preset_has_the_default_of_its_system(preset: Config, inline: int):
    assert Bench(preset).socket().getsockopt(o.SOL_SOCKET, o.SO_OOBINLINE) == inline


def far(size: int, **more):
    """A connection of jumbo windows that has sent so many bytes with the last urgent: the pointers it told."""
    h = Bench(mtu=9000, initial_window_segments=100, **more)
    socket, peer = client(h)
    peer.gets("S. 0:0(0) ack 1 win 65535 <mss 8960,nop,wscale 3>")
    peer.sends(". 1:1(0) ack 1")
    peer.gets(". 1:1(0) ack 1 win 65535")
    h.do(socket.send, bytes(size), o.MSG_OOB)
    sent = [(body.seq, body.urgent, body.flags & URG) for _, body in h.pending]
    h.forget()
    return peer.iss + 1 & 0xFFFFFFFF, sent


@pytest.mark.parametrize("size", [1, 65_535, 65_536, 200_000])
def test_urgent_data_may_be_of_any_length(size: int):  # MUST-31, MUST-30, MUST-62
    start, sent = far(size)
    end = start + size & 0xFFFFFFFF
    told = [(seq + urgent & 0xFFFFFFFF, (end - seq) & 0xFFFFFFFF) for seq, urgent, urg in sent if urg]
    assert told and all(pointer == end for pointer, left in told if left <= 0xFFFF)
    assert all(left > 0xFFFF for seq, _, urg in sent if not urg and (left := (end - seq) & 0xFFFFFFFF))
    assert all((pointer - end) & 0xFFFFFFFF > 1 << 31 for pointer, left in told if left > 0xFFFF)


def test_urgent_data_is_sent_in_segments_that_no_device_cuts():
    assert len(far(50_000, gso=65_000)[1]) == 6
