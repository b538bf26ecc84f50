"""What holds small segments back, and what lets them go: TCP_CORK, MSG_MORE, TCP_NODELAY. tcp(7), send(2)."""

from __future__ import annotations

import pytest

from lastack.host import options as o
from tests.host.harness import Bench, connect


def corked(h: Bench):
    socket, peer = connect(h)
    socket.setsockopt(o.IPPROTO_TCP, o.TCP_CORK, 1)
    return socket, peer


def uncork(h: Bench, socket) -> None:
    socket.setsockopt(o.IPPROTO_TCP, o.TCP_CORK, 0)
    h.settle()


def test_a_cork_holds_back_what_does_not_fill_a_segment():
    h = Bench()
    socket, peer = corked(h)
    h.do(socket.send, bytes(1000))
    h.silent()
    h.do(socket.send, bytes(1000))
    peer.sends(". 1:1461(1460) ack 1")
    uncork(h, socket)
    peer.sends("P. 1461:2001(540) ack 1")


def test_a_cork_lasts_200_milliseconds():  # tcp(7): "a 200 millisecond ceiling"
    h = Bench()
    socket, peer = corked(h)
    h.do(socket.send, bytes(100))
    h.after(0.199)
    h.silent()
    h.after(0.001)
    peer.sends("P. 1:101(100) ack 1")


def test_the_ceiling_counts_from_when_all_else_is_acknowledged():
    h = Bench()
    socket, peer = corked(h)
    h.do(socket.send, bytes(1500))
    peer.sends(". 1:1461(1460) ack 1")
    h.after(0.1)
    peer.gets(". 1:1(0) ack 1461")
    h.after(0.199)
    h.silent()
    h.after(0.001)
    peer.sends("P. 1461:1501(40) ack 1")


def test_nodelay_lets_out_what_waits_and_the_cork_stays():
    h = Bench()
    socket, peer = corked(h)
    h.do(socket.send, bytes(100))
    socket.setsockopt(o.IPPROTO_TCP, o.TCP_NODELAY, 1)
    h.settle()
    peer.sends("P. 1:101(100) ack 1")
    h.do(socket.send, bytes(100))
    h.silent()
    uncork(h, socket)
    peer.sends("P. 101:201(100) ack 1")


def test_the_end_of_the_stream_and_urgent_data_pull_the_cork():
    h = Bench()
    socket, peer = corked(h)
    h.do(socket.send, bytes(10), o.MSG_OOB)
    peer.sends("PU. 1:11(10) ack 1 urg 10")
    peer.gets(". 1:1(0) ack 11")
    h.do(socket.send, bytes(10))
    h.silent()
    h.do(socket.close)
    peer.sends("FP. 11:21(10) ack 1")


def test_more_holds_until_the_next_send():
    h = Bench()
    socket, peer = connect(h)
    h.do(socket.send, bytes(10), o.MSG_MORE)
    h.do(socket.send, bytes(10), o.MSG_MORE)
    h.silent()
    h.do(socket.send, bytes(10))
    peer.sends("P. 1:31(30) ack 1")


def test_nodelay_set_while_nagle_holds_sends_at_once():  # MUST-17
    h = Bench()
    socket, peer = connect(h)
    for _ in range(2):
        h.do(socket.send, bytes(10))
    peer.sends("P. 1:11(10) ack 1")
    socket.setsockopt(o.IPPROTO_TCP, o.TCP_NODELAY, 1)
    h.settle()
    peer.sends("P. 11:21(10) ack 1")


def test_what_more_was_said_of_bears_no_push():  # RFC 9293 MAY-15: SEND without PUSH
    h = Bench()
    socket, peer = connect(h)
    h.do(socket.send, bytes(2920), o.MSG_MORE)
    peer.sends(". 1:1461(1460) ack 1", ". 1461:2921(1460) ack 1")
    h.do(socket.send, bytes(10), o.MSG_MORE)
    socket.setsockopt(o.IPPROTO_TCP, o.TCP_NODELAY, 1)
    h.settle()
    peer.sends(". 2921:2931(10) ack 1")


@pytest.mark.parametrize("until_ack", [False, True])
def test_more_may_hold_until_the_next_segment_comes(until_ack: bool):
    h = Bench(more_until_ack=until_ack)
    socket, peer = connect(h)
    h.do(socket.send, bytes(1500), o.MSG_MORE)
    peer.sends(". 1:1461(1460) ack 1")
    peer.gets(". 1:1(0) ack 1461")
    if until_ack:
        peer.sends(". 1461:1501(40) ack 1")
    h.silent()


def test_a_cork_holds_whatever_comes():
    h = Bench(more_until_ack=True)
    socket, peer = corked(h)
    h.do(socket.send, bytes(1500))
    peer.sends(". 1:1461(1460) ack 1")
    peer.gets(". 1:1(0) ack 1461")
    h.silent()
