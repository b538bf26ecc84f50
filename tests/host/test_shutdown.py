"""shutdown() where no connection is open, and after its end: RFC 9293 section 3.10.4; Linux, and FreeBSD where set."""

from __future__ import annotations

from errno import EAGAIN, ECONNABORTED, ECONNRESET, EINPROGRESS, EINVAL, ENOTCONN

import pytest

from lastack.host import options as o
from lastack.tcp.states import State
from tests.host.harness import Bench, client, connect

HOW = pytest.mark.parametrize("how", [o.SHUT_RD, o.SHUT_WR, o.SHUT_RDWR])


@HOW
def test_in_syn_sent_it_ends_the_opening(how: int):  # section 3.10.4
    h = Bench()
    socket, peer = client(h)
    assert h.do(socket.shutdown, how) is None
    assert (socket.state, socket.poll() & o.POLLERR) == (State.CLOSED, o.POLLERR)
    assert [h.do(socket.recv, 1), h.do(socket.recv, 1)] == [-ECONNRESET, -ENOTCONN]
    assert h.do(socket.shutdown, how) == -ENOTCONN
    peer.gets("S. 0:0(0) ack 1")
    peer.sends("R 1:1(0)")
    assert h.do(socket.connect, ("10.0.0.2", 7)) == -EINPROGRESS
    assert h.forget() == 1


@pytest.mark.parametrize(("how", "fin"), [(o.SHUT_RD, False), (o.SHUT_WR, True), (o.SHUT_RDWR, True)])
def test_or_the_fin_follows_once_it_is_open(how: int, fin: bool):  # FreeBSD, tcp_usrclosed(): TF_NEEDFIN
    h = Bench(shutdown_awaits_open=True)
    socket, peer = client(h)
    assert h.do(socket.shutdown, how) is None
    peer.gets("S. 0:0(0) ack 1")
    peer.sends("F. 1:1(0) ack 1" if fin else ". 1:1(0) ack 1")
    assert socket.state is (State.FIN_WAIT_1 if fin else State.ESTABLISHED)


@pytest.mark.parametrize("how", [o.SHUT_RD, o.SHUT_RDWR])
def test_a_listener_listens_no_more_and_may_again(how: int):
    h = Bench()
    server = h.listen(80)
    one, other = h.connected(1), h.peer(2)
    assert h.do(server.shutdown, how) is None
    one.sends("R. 1:1(0) ack 1")
    assert (server.state, h.do(server.accept), h.do(server.shutdown, how)) == (State.CLOSED, -EINVAL, -ENOTCONN)
    other.gets("S 0:0(0)")
    other.sends("R. 0:0(0) ack 1")
    server.listen(h.now)
    other.gets("S 0:0(0)")
    other.sends("S. 0:0(0) ack 1")


def test_a_listener_that_is_shut_for_writing_goes_on():
    h = Bench()
    server = h.listen(80)
    assert h.do(server.shutdown, o.SHUT_WR) is None
    h.connected()
    server.accept(h.now)


@pytest.mark.parametrize(("how", "error"), [(o.SHUT_RD, ECONNABORTED), (o.SHUT_WR, EAGAIN)])
def test_on_freebsd_a_listener_cannot_be_shut_but_who_waits_for_it_wakes(how: int, error: int):  # soshutdown()
    h = Bench(socket_calls="bsd")
    server = h.listen(80)
    assert (h.do(server.shutdown, how), h.do(server.accept), h.do(server.accept)) == (-ENOTCONN, -error, -EAGAIN)
    h.connected()


@HOW
def test_in_time_wait_there_is_nothing_to_shut(how: int):
    h = Bench()
    socket, peer = connect(h)
    h.do(socket.shutdown, o.SHUT_WR)
    peer.sends("F. 1:1(0) ack 1")
    peer.gets("F. 1:1(0) ack 2")
    peer.sends(". 2:2(0) ack 2")
    assert (socket.state, h.do(socket.shutdown, how)) == (State.TIME_WAIT, -ENOTCONN)


@pytest.mark.parametrize("told", [True, False])
def test_whether_half_open_connections_hear_of_the_listeners_end(told: bool):  # Linux, FreeBSD: no
    h = Bench(reset_half_open=told)
    server = h.listen(80)
    peer = h.peer()
    peer.gets("S 0:0(0)")
    peer.sends("S. 0:0(0) ack 1")
    h.do(server.close)
    if told:
        peer.sends("R. 1:1(0) ack 1")
    h.after(100)
    assert not h.host.connections() and not h.host.half_open
    peer.gets(". 1:1(0) ack 1")
    peer.sends("R 1:1(0)")


@pytest.mark.parametrize(("epipe", "error"), [(True, 32), (False, ECONNRESET)])
def test_a_reset_in_close_wait(epipe: bool, error: int):  # RFC 9293 3.10.7.4 says "reset", Linux EPIPE
    h = Bench(close_wait_reset_is_epipe=epipe)
    socket, peer = connect(h)
    peer.gets("F. 1:1(0) ack 1")
    peer.sends(". 1:1(0) ack 2")
    peer.gets("R 2:2(0)")
    assert (h.do(socket.recv, 1), h.do(socket.send, b"x"), h.do(socket.send, b"x")) == (b"", -error, -32)


@pytest.mark.parametrize("flags", [".", "R."])
def test_after_an_ack_of_another_connection_the_syn_goes_again_soon(flags: str):
    h = Bench(syn_again_after=8000)  # Linux, tcp_rcv_synsent_state_process()
    _, peer = client(h)
    h.after(0.1)
    peer.gets(f"{flags} 0:0(0) ack 5")
    if flags == ".":
        peer.sends("R 5:5(0)")
    h.after(0.008)
    peer.sends("S 0:0(0)")
    peer.gets(f"{flags} 0:0(0) ack 5")
    if flags == ".":
        peer.sends("R 5:5(0)")
    h.after(1.9)
    h.silent()
    h.after(0.2)
    peer.sends("S 0:0(0)")
