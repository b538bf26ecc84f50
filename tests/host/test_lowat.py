"""Low-water marks, quick acknowledgments, the window's clamp, deferred accept: options that change when, not what."""

from __future__ import annotations

from errno import EAGAIN, EINVAL, ENOPROTOOPT

import pytest

from lastack.host import options as o
from lastack.tcp.states import State
from tests.host.harness import Bench, connect, errno_of, number

# --- SO_RCVLOWAT: socket(7) ---


def receiving(low_water: int, **more):
    h = Bench(**more)
    socket, peer = connect(h)
    socket.setsockopt(o.SOL_SOCKET, o.SO_RCVLOWAT, low_water)
    h.host.ready()
    return h, socket, peer


def test_a_socket_is_readable_from_the_low_water_mark_on():
    h, socket, peer = receiving(6)
    told = []
    for at in (1, 4):
        peer.gets(f"P. {at}:{at + 3}(3) ack 1")
        h.forget()
        told.append((socket.readable(), bool(socket.poll() & o.POLLIN)))
    assert told == [(False, False), (True, True)]
    assert (len(h.do(socket.recv, 5)), socket.readable(), len(h.do(socket.recv, 5))) == (5, False, 1)


def test_the_end_is_readable_whatever_the_mark():
    h, socket, peer = receiving(6)
    peer.gets("FP. 1:3(2) ack 1")
    h.forget()
    assert socket.readable() and socket in h.host.ready()


def test_a_nearly_closed_window_is_readable_below_the_mark():  # or both ends would wait for each other
    h = Bench(receive_buffer=2400, receive_low_water=2000)
    socket, peer = connect(h)
    told = []
    for at in (1, 901):
        peer.gets(f"P. {at}:{at + 900}(900) ack 1")
        h.forget()
        told.append(socket.readable())
    assert told == [False, True]


@pytest.mark.parametrize(("value", "told"), [(0, 1), (5, 5), (5000, 5000), (1 << 30, 50_000), (-1, 50_000)])
def test_no_mark_is_higher_than_half_the_buffer(value: int, told: int):
    _, socket, _ = receiving(value, receive_buffer=100_000)
    assert socket.getsockopt(o.SOL_SOCKET, o.SO_RCVLOWAT) == told


def test_the_low_water_mark_of_sending_is_1():
    socket = Bench().socket()
    assert socket.getsockopt(o.SOL_SOCKET, o.SO_SNDLOWAT) == 1
    assert errno_of(lambda: socket.setsockopt(o.SOL_SOCKET, o.SO_SNDLOWAT, 2)) == ENOPROTOOPT


# --- TCP_NOTSENT_LOWAT: tcp(7) ---


def test_no_more_is_taken_than_may_wait_to_be_sent():
    h = Bench()
    socket, peer = connect(h)
    socket.setsockopt(o.IPPROTO_TCP, o.TCP_NOTSENT_LOWAT, 4000)
    peer.gets(". 1:1(0) ack 1 win 2920")
    assert h.do(socket.send, bytes(10_000)) == 4000
    peer.sends(". 1:1461(1460) ack 1", ". 1461:2921(1460) ack 1")
    assert (socket.unsent(), socket.unacknowledged(), socket.writable()) == (1080, 4000, True)
    assert (h.do(socket.send, bytes(10_000)), socket.writable()) == (2920, False)
    assert number(h, socket.send, b"x") == EAGAIN
    h.host.ready()
    peer.gets(". 1:1(0) ack 2921 win 2920")
    assert h.forget() == 2
    assert socket.unsent() == 1080 and h.host.ready() == [socket]


# --- TCP_QUICKACK: tcp(7) ---


@pytest.mark.parametrize("pingpong", [False, True])
def test_quick_acknowledgments_are_on_and_off(pingpong: bool):
    h = Bench(quick_acks=0, pingpong=pingpong)
    socket, peer = connect(h)
    peer.gets("P. 1:11(10) ack 1")
    h.silent()
    socket.setsockopt(o.IPPROTO_TCP, o.TCP_QUICKACK, 1)
    h.settle()
    peer.sends(". 1:1(0) ack 11")  # what waited
    peer.gets("P. 11:21(10) ack 1")
    peer.sends(". 1:1(0) ack 21")
    socket.setsockopt(o.IPPROTO_TCP, o.TCP_QUICKACK, 0)
    peer.gets("P. 21:31(10) ack 1")
    h.silent()
    h.after(0.04)
    peer.sends(". 1:1(0) ack 31")


def test_quick_acknowledgments_end_a_conversation():
    h = Bench(pingpong=True)
    socket, peer = connect(h)
    peer.gets("P. 1:11(10) ack 1")
    peer.sends(". 1:1(0) ack 11")
    socket.send(h.now, bytes(5))
    h.settle()
    peer.sends("P. 1:6(5) ack 11")
    socket.setsockopt(o.IPPROTO_TCP, o.TCP_QUICKACK, 1)
    peer.gets("P. 11:21(10) ack 6")
    peer.sends(". 6:6(0) ack 21")


# --- TCP_WINDOW_CLAMP: tcp(7) ---


def test_a_clamp_bounds_the_window_and_never_moves_its_edge_back():  # SHLD-14
    h = Bench(window_scaling=False)
    socket, peer = connect(h)
    socket.setsockopt(o.IPPROTO_TCP, o.TCP_WINDOW_CLAMP, 5000)
    peer.gets("P. 1:1001(1000) ack 1")
    peer.sends(". 1:1(0) ack 1001 win 64535")
    peer.gets(*[f"P. {at}:{at + 1000}(1000) ack 1" for at in range(1001, 63_001, 1000)])
    peer.sends(". 1:1(0) ack 63001 win 5000")
    assert errno_of(lambda: socket.setsockopt(o.IPPROTO_TCP, o.TCP_WINDOW_CLAMP, 0)) == EINVAL


# --- TCP_DEFER_ACCEPT: tcp(7) ---


def deferring(seconds: int):
    h = Bench()
    server = h.listen()
    server.setsockopt(o.IPPROTO_TCP, o.TCP_DEFER_ACCEPT, seconds)
    peer = h.peer()
    peer.gets("S 0:0(0) <mss 1460>")
    peer.sends("S. 0:0(0) ack 1")
    peer.gets(". 1:1(0) ack 1")
    h.silent()
    return h, server, peer


def test_a_connection_is_accepted_when_its_data_has_come():
    h, server, peer = deferring(5)
    assert (number(h, server.accept), peer.state) == (EAGAIN, State.SYN_RCVD)
    peer.gets("P. 1:11(10) ack 1")
    peer.sends(". 1:1(0) ack 11")
    child, _ = h.do(server.accept)
    assert len(h.do(child.recv, 99)) == 10


def test_one_without_data_is_accepted_late():
    h, server, peer = deferring(3)
    h.after(3)
    assert h.forget() == 2  # SYN,ACKs
    peer.gets(". 1:1(0) ack 1")
    assert not isinstance(h.do(server.accept), int)


# --- what waits: ioctl_tcp ---


def test_what_waits_is_told():
    h = Bench()
    socket, peer = connect(h)
    peer.gets(". 1:1(0) ack 1 win 1460", "P. 1:6(5) ack 1 win 1460")
    h.do(socket.send, bytes(2000))
    h.do(socket.shutdown, o.SHUT_WR)
    h.forget()
    assert (socket.unread(), socket.unacknowledged(), socket.unsent()) == (5, 2001, 541)
    assert errno_of(h.listen().unread) == EINVAL
