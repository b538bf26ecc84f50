"""What calls on a socket return on FreeBSD where that is not what Linux returns (`Config.socket_calls`)."""

from __future__ import annotations

from errno import EAGAIN, ECONNABORTED, ECONNRESET, EINVAL, EISCONN, ENOBUFS, ENOTCONN, EPIPE

import pytest

from lastack.host import options as o
from lastack.tcp.presets import BSD
from tests.host.harness import Bench, client, connect, errno_of

SOCKET, TCP = o.SOL_SOCKET, o.IPPROTO_TCP


def test_nothing_is_sent_before_the_connection_is_open():  # sosend_generic()
    h = Bench(BSD)
    assert h.do(h.socket().send, b"x") == -ENOTCONN
    socket, peer = client(h)
    assert h.do(socket.send, b"x") == -ENOTCONN
    peer.gets("S. 0:0(0) ack 1")
    peer.sends(". 1:1(0) ack 1")
    assert h.do(socket.send, b"x") == 1
    peer.sends("P. 1:2(1) ack 1")


def test_a_second_connect_says_so_at_once():  # kern_connectat()
    h = Bench(BSD)
    socket, _ = connect(h)
    assert h.do(socket.connect, ("10.0.0.2", 7)) == -EISCONN


@pytest.mark.parametrize("end", [False, True])
def test_a_reset_is_told_by_reading_also_behind_the_end(end: bool):  # soreceive_generic(); RFC 9293 3.10.7.4
    h = Bench(BSD)
    socket, peer = connect(h)
    if end:
        peer.gets("F. 1:1(0) ack 1")
        peer.sends(". 1:1(0) ack 2")
    peer.gets(f"R {1 + end}:{1 + end}(0)")
    assert [h.do(socket.send, b"x"), h.do(socket.recv, 1), h.do(socket.recv, 1)] == [-EPIPE, -ECONNRESET, b""]


def test_a_child_that_was_reset_before_it_was_taken():  # tcp_usr_accept()
    h = Bench(BSD)
    server = h.listen(80)
    peer = h.connected()
    peer.gets("R 1:1(0)")
    assert [h.do(server.accept), h.do(server.accept)] == [-ECONNABORTED, -EAGAIN]


VALUES = [
    (SOCKET, o.SO_REUSEADDR, 1, 4),
    (SOCKET, o.SO_KEEPALIVE, 1, 8),
    (SOCKET, o.SO_OOBINLINE, 1, 256),
    (SOCKET, o.SO_LINGER, (1, 5), (128, 5)),
    (TCP, o.TCP_NODELAY, 1, 4),
    (TCP, o.TCP_CORK, 1, 4096),
    (SOCKET, o.SO_SNDBUF, 40000, 40000),
    (SOCKET, o.SO_RCVBUF, 40000, 40000),
    (SOCKET, o.SO_RCVBUF, 1864135, 1864135),
]


@pytest.mark.parametrize(("level", "option", "value", "told"), VALUES)
def test_what_options_tell(level: int, option: int, value: int, told: object):  # sogetopt(): the bit
    socket = Bench(BSD).socket()
    socket.setsockopt(level, option, value)
    assert socket.getsockopt(level, option) == told


def test_what_they_tell_unset():
    h = Bench(BSD, autotuning=True)
    socket, server = h.socket(), h.listen(80)
    told = [socket.getsockopt(level, option) for level, option, _, _ in VALUES]
    assert told == [0, 0, 0, (0, 0), 0, 0, 32768, 65536, 65536]  # SO_KEEPALIVE too: always_keepalive is the system's
    assert server.getsockopt(SOCKET, o.SO_ACCEPTCONN) == 2


@pytest.mark.parametrize("option", [o.SO_SNDBUF, o.SO_RCVBUF])
@pytest.mark.parametrize(("value", "error"), [(0, EINVAL), (-1, EINVAL), (1864136, ENOBUFS)])
def test_buffers_that_cannot_be(option: int, value: int, error: int):  # sosetopt(), sbreserve_locked()
    socket = Bench(BSD).socket()
    assert errno_of(lambda: socket.setsockopt(SOCKET, option, value)) == error


def test_a_buffer_that_was_set_is_rounded_up_too():  # tcp_mss()
    h = Bench(BSD, timestamps=False)
    server = h.listen(80)
    server.setsockopt(SOCKET, o.SO_RCVBUF, 40000)
    peer = h.peer()
    peer.gets("S 0:0(0) <mss 1460>")
    peer.sends("S. 0:0(0) ack 1")
    peer.gets(". 1:1(0) ack 1")
    child, _ = server.accept(h.now)
    assert child.getsockopt(SOCKET, o.SO_RCVBUF) == 40880
