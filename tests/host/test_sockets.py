"""BSD socket semantics, as Linux has them: what each misuse raises, how a socket closes, what its options do."""

from __future__ import annotations

from contextlib import suppress
from errno import (
    EADDRNOTAVAIL,
    EAFNOSUPPORT,
    EAGAIN,
    EALREADY,
    EBADF,
    ECONNREFUSED,
    ECONNRESET,
    EINPROGRESS,
    EINVAL,
    EISCONN,
    ENOPROTOOPT,
    ENOTCONN,
    EPIPE,
    ETIMEDOUT,
)

import pytest

from lastack.host import options as o
from lastack.host.host import Host
from lastack.tcp.config import DEFAULT
from lastack.tcp.congestion.newreno import NewReno
from lastack.tcp.states import State
from tests.host.harness import Bench, client, connect, errno_of, number, to_time_wait

PEER = ("10.0.0.2", 7)


def test_connect_begins_and_says_so():
    h = Bench()
    socket, _ = client(h)
    assert (number(h, socket.connect, PEER), socket.writable(), socket.readable()) == (EALREADY, False, False)


def test_connect_again_succeeds_once_and_then_is_refused():
    h = Bench()
    socket, _ = connect(h)
    assert (number(h, socket.connect, PEER), number(h, socket.connect, PEER)) == (0, EISCONN)


def test_a_refused_connect_is_told_once_and_the_socket_is_free_again():
    h = Bench()
    socket, peer = client(h)
    peer.gets("R. 0:0(0) ack 1")
    assert socket in h.host.ready()
    assert number(h, socket.connect, PEER) == ECONNREFUSED
    assert number(h, socket.connect, PEER) == EINPROGRESS
    h.forget()


def test_so_error_takes_the_error():
    h = Bench()
    socket, peer = client(h)
    peer.gets("R. 0:0(0) ack 1")
    assert socket.getsockopt(o.SOL_SOCKET, o.SO_ERROR) == ECONNREFUSED
    assert socket.getsockopt(o.SOL_SOCKET, o.SO_ERROR) == 0


def test_a_connect_that_nobody_answers_times_out():
    h = Bench(syn_retransmissions=2)
    socket, _ = client(h)
    h.after(7)
    h.forget()
    assert (socket.state, socket.getsockopt(o.SOL_SOCKET, o.SO_ERROR)) == (State.CLOSED, ETIMEDOUT)


MISUSE = [
    ("connect of a listener", lambda h, s: s.listen(h.now, 1) or s.connect(h.now, PEER), EISCONN),
    ("listen when connecting", lambda h, s: [number(h, s.connect, PEER), h.forget(), s.listen(h.now, 1)], EINVAL),
    ("bind twice", lambda h, s: s.bind(("", 99)) or s.bind(("", 98)), EINVAL),
    ("bind to a foreign address", lambda h, s: s.bind(("10.0.0.77", 99)), EADDRNOTAVAIL),
    ("bind to another version", lambda h, s: s.bind(("fd00::1", 99)), EAFNOSUPPORT),
    ("bind to no address", lambda h, s: s.bind(("nonsense", 99)), EINVAL),
    ("connect to port 0", lambda h, s: s.connect(h.now, ("10.0.0.2", 0)), EADDRNOTAVAIL),
    ("connect to another version", lambda h, s: s.connect(h.now, ("fd00::2", 1)), EAFNOSUPPORT),
    ("send before connect", lambda h, s: s.send(h.now, b"x"), EPIPE),
    ("recv before connect", lambda h, s: s.recv(h.now, 1), ENOTCONN),
    ("shutdown before connect", lambda h, s: s.shutdown(h.now, o.SHUT_WR), ENOTCONN),
    ("accept of no listener", lambda h, s: s.accept(h.now), EINVAL),
    ("accept of an idle listener", lambda h, s: s.listen(h.now, 1) or s.accept(h.now), EAGAIN),
    ("getpeername before connect", lambda h, s: s.getpeername(), ENOTCONN),
    ("TCP_INFO before connect", lambda h, s: s.getsockopt(o.IPPROTO_TCP, o.TCP_INFO), ENOTCONN),
    ("unknown option", lambda h, s: s.setsockopt(o.IPPROTO_TCP, 999, 1), ENOPROTOOPT),
    ("unknown option asked", lambda h, s: s.getsockopt(o.IPPROTO_TCP, 999), ENOPROTOOPT),
    ("value out of range", lambda h, s: s.setsockopt(o.IPPROTO_TCP, o.TCP_KEEPCNT, 0), EINVAL),
    ("linger of one number", lambda h, s: s.setsockopt(o.SOL_SOCKET, o.SO_LINGER, 1), EINVAL),
]


@pytest.mark.parametrize(("misuse", "expected"), [one[1:] for one in MISUSE], ids=[one[0] for one in MISUSE])
def test_misuse_raises_what_a_bsd_socket_raises(misuse, expected: int):
    h = Bench()
    assert errno_of(lambda: misuse(h, h.socket())) == expected
    h.settle()
    h.silent()


@pytest.mark.parametrize("name", ["send", "recv", "connect", "listen", "accept", "shutdown", "bind"])
def test_a_closed_socket_is_a_bad_descriptor(name: str):
    h = Bench()
    socket = h.socket()
    socket.close(h.now)
    given = {"send": (b"x",), "recv": (1,), "connect": (PEER,), "listen": (1,), "accept": (), "shutdown": (1,)}
    call = (lambda: socket.bind(("", 1))) if name == "bind" else lambda: getattr(socket, name)(h.now, *given[name])
    assert errno_of(call) == EBADF
    socket.close(h.now)


def test_recv_waits_then_reads_then_ends():  # MUST-12
    h = Bench()
    socket, peer = connect(h)
    assert number(h, socket.recv, 9) == EAGAIN
    peer.gets("FP. 1:6(5) ack 1")
    peer.sends(". 1:1(0) ack 7")
    assert [h.do(socket.recv, 3, o.MSG_PEEK), h.do(socket.recv, 9), h.do(socket.recv, 9)] == [bytes(3), bytes(5), b""]


def test_send_waits_when_the_buffer_is_full():
    h = Bench(send_buffer=3000)
    socket, _ = connect(h)
    assert h.do(socket.send, bytes(5000)) == 3000
    assert (number(h, socket.send, b"x"), socket.writable()) == (EAGAIN, False)
    h.forget()


def test_send_becomes_possible_again_and_the_socket_is_announced():
    h = Bench(send_buffer=3000)
    socket, peer = connect(h)
    h.do(socket.send, bytes(3000))
    h.forget()
    h.host.ready()
    peer.gets(". 1:1(0) ack 3001")
    assert socket.writable() and socket in h.host.ready()


def test_a_reset_is_told_once_by_recv_and_then_it_is_the_end():  # MUST-12
    h = Bench()
    socket, peer = connect(h)
    peer.gets("R 1:1(0)")
    assert number(h, socket.recv, 9) == ECONNRESET
    assert h.do(socket.recv, 9) == b""
    assert number(h, socket.send, b"x") == EPIPE


def test_a_reset_is_told_once_by_send():
    h = Bench()
    socket, peer = connect(h)
    peer.gets("R 1:1(0)")
    assert (number(h, socket.send, b"x"), number(h, socket.send, b"x")) == (ECONNRESET, EPIPE)


# --- shutdown and close ---


def test_shutdown_of_writing_is_a_half_close():
    h = Bench()
    socket, peer = connect(h)
    h.do(socket.shutdown, o.SHUT_WR)
    peer.sends("F. 1:1(0) ack 1")
    assert number(h, socket.send, b"x") == EPIPE
    peer.gets("P. 1:6(5) ack 2")
    peer.sends(". 2:2(0) ack 6")
    assert h.do(socket.recv, 9) == bytes(5)
    h.after(100_000)
    assert peer.state is State.FIN_WAIT_2  # somebody holds it


@pytest.mark.parametrize(("discard", "read"), [(False, 5), (True, 0)])  # Linux, BSD
def test_shutdown_of_reading_ends_reading_and_takes_what_comes(discard: bool, read: int):
    h = Bench(discard_after_shut_read=discard)
    socket, peer = connect(h)
    h.do(socket.shutdown, o.SHUT_RD)
    assert h.do(socket.recv, 9) == b""
    peer.gets("P. 1:6(5) ack 1")
    peer.sends(". 1:1(0) ack 6")
    assert (len(h.do(socket.recv, 9)), h.do(socket.recv, 9), h.do(socket.send, b"x")) == (read, b"", 1)
    peer.sends("P. 1:2(1) ack 6")


def test_shutdown_of_both():
    h = Bench()
    socket, peer = connect(h)
    h.do(socket.shutdown, o.SHUT_RDWR)
    peer.sends("F. 1:1(0) ack 1")
    assert h.do(socket.recv, 9) == b""


def test_close_sends_what_is_queued_and_the_fin():
    h = Bench()
    socket, peer = connect(h)
    h.do(socket.send, b"hello")
    peer.sends("P. 1:6(5) ack 1")
    h.do(socket.close)
    peer.sends("F. 6:6(0) ack 1")
    peer.gets(". 1:1(0) ack 7")
    assert peer.state is State.FIN_WAIT_2
    h.after(60)
    assert not h.host.tcbs and h.host.counters["ended: FIN-WAIT-2 timer"] == 1


def test_linger_0_resets():
    h = Bench()
    socket, peer = connect(h)
    socket.setsockopt(o.SOL_SOCKET, o.SO_LINGER, (1, 0))
    h.do(socket.close)
    peer.sends("R. 1:1(0) ack 1")
    assert not h.host.tcbs


def test_linger_0_leaves_time_wait_alone():
    h = Bench()
    socket, peer = connect(h)
    to_time_wait(h, peer, socket, close=False)
    socket.setsockopt(o.SOL_SOCKET, o.SO_LINGER, (1, 0))
    h.do(socket.close)
    assert peer.state is State.TIME_WAIT and len(h.host.time_wait) == 1


def test_unread_data_resets():  # RFC 2525 section 2.17, SHLD-3; MAY-1
    h = Bench()
    socket, peer = connect(h)
    peer.gets("P. 1:6(5) ack 1")
    peer.sends(". 1:1(0) ack 6")
    h.do(socket.close)
    peer.sends("R. 1:1(0) ack 6")


def test_data_after_the_close_resets():
    h = Bench()
    socket, peer = connect(h)
    h.do(socket.close)
    peer.sends("F. 1:1(0) ack 1")
    peer.gets("P. 1:6(5) ack 2")
    peer.sends("R 2:2(0)")
    assert not h.host.tcbs


def test_a_close_before_the_handshake_ends_it():
    h = Bench()
    socket, peer = client(h)
    h.do(socket.close)
    assert not h.host.tcbs and not h.host.ports.in_use()
    peer.gets("S. 0:0(0) ack 1")
    peer.sends("R 1:1(0)")


# --- options ---


@pytest.mark.parametrize(
    ("level", "option", "value"),
    [
        (o.SOL_SOCKET, o.SO_KEEPALIVE, 1),
        (o.SOL_SOCKET, o.SO_REUSEADDR, 1),
        (o.SOL_SOCKET, o.SO_LINGER, (1, 5)),
        (o.SOL_SOCKET, o.SO_OOBINLINE, 0),
        (o.SOL_SOCKET, o.SO_RCVLOWAT, 100),
        (o.IPPROTO_TCP, o.TCP_NODELAY, 1),
        (o.IPPROTO_TCP, o.TCP_KEEPIDLE, 30),
        (o.IPPROTO_TCP, o.TCP_KEEPINTVL, 5),
        (o.IPPROTO_TCP, o.TCP_KEEPCNT, 3),
        (o.IPPROTO_TCP, o.TCP_SYNCNT, 2),
        (o.IPPROTO_TCP, o.TCP_LINGER2, 10),
        (o.IPPROTO_TCP, o.TCP_USER_TIMEOUT, 30_000),
        (o.IPPROTO_TCP, o.TCP_MAXSEG, 500),
        (o.IPPROTO_TCP, o.TCP_RTO_MAX_MS, 60_000),
        (o.IPPROTO_TCP, o.TCP_KEEPINIT, 20),
        (o.IPPROTO_TCP, o.TCP_MAXUNACKTIME, 40),
        (o.IPPROTO_TCP, o.TCP_CONGESTION, "newreno"),
        (o.IPPROTO_IP, o.IP_TTL, 3),
        (o.IPPROTO_IP, o.IP_TOS, 16),
    ],
)
def test_an_option_is_kept(level: int, option: int, value):
    socket = Bench().socket()
    socket.setsockopt(level, option, value)
    assert socket.getsockopt(level, option) == value


def test_keepalive_set_on_a_live_connection_probes():  # MUST-24, MUST-27
    h = Bench()
    socket, peer = connect(h)
    socket.setsockopt(o.IPPROTO_TCP, o.TCP_KEEPIDLE, 10)
    socket.setsockopt(o.SOL_SOCKET, o.SO_KEEPALIVE, 1)
    h.after(10)
    peer.sends(". 0:0(0) ack 1")


def test_hop_limit_and_class_go_with_the_packets():  # MUST-48, MUST-49
    h = Bench()
    socket, _ = connect(h)
    socket.setsockopt(o.IPPROTO_IP, o.IP_TTL, 3)
    socket.setsockopt(o.IPPROTO_IP, o.IP_TOS, 16)
    h.do(socket.send, b"x")
    ((packet, _),) = h.pending
    assert (packet.data[8], packet.data[1]) == (3, 16)
    h.forget()


def test_tcp_info_tells_the_connection():
    h = Bench()
    socket, peer = connect(h)
    h.do(socket.send, b"hello")
    peer.sends("P. 1:6(5) ack 1")
    info = socket.getsockopt(o.IPPROTO_TCP, o.TCP_INFO)
    assert isinstance(info, dict)
    assert (info["tcpi_state"], info["tcpi_unacked"], info["tcpi_snd_mss"], info["tcpi_snd_cwnd"]) == (1, 1, 1460, 10)


def test_accepted_sockets_inherit_options():
    h = Bench()
    server = h.listen(80)
    server.setsockopt(o.IPPROTO_TCP, o.TCP_NODELAY, 1)
    h.connected()
    child, _ = h.do(server.accept)
    assert child.getsockopt(o.IPPROTO_TCP, o.TCP_NODELAY) == 1


def test_a_long_transfer_to_oneself_ends():  # RFC 9293 3.5, a socket connected to itself
    host = Host(["10.0.0.1"], DEFAULT.having(mss=88, autotuning=False), secret=b"self" * 4)
    socket = host.socket()
    socket.bind(("10.0.0.1", 7000))
    with suppress(BlockingIOError):
        socket.connect(0, ("10.0.0.1", 7000))
    assert host.transmit(0) == []
    socket.tcb.congestion.ssthresh = 0  # congestion avoidance: hundreds of rounds, all within one transmit
    assert socket.send(0, bytes(4_000_000)) == 4_000_000
    assert host.transmit(0) == []
    assert len(socket.recv(0, 5_000_000)) == 4_000_000


def test_maxseg_limits_what_we_offer_and_what_we_send():  # as Linux's TCP_MAXSEG; RFC 9293 3.7.1 MUST-16
    h = Bench()
    socket = h.socket()
    socket.setsockopt(o.IPPROTO_TCP, o.TCP_MAXSEG, 500)
    h.do(socket.connect, ("10.0.0.2", 7))
    peer = h.peer(7, socket.getsockname()[1])
    _, syn = h.pending[-1]
    peer.hears(syn)
    peer.sends("S 0:0(0) <mss 500>")
    peer.gets("S. 0:0(0) ack 1 <mss 1460>")
    peer.sends(". 1:1(0) ack 1")
    h.do(socket.send, bytes(700))
    peer.sends(". 1:501(500) ack 1", "P. 501:701(200) ack 1")
    assert socket.getsockopt(o.IPPROTO_TCP, o.TCP_MAXSEG) == 500


def test_the_end_of_a_record_ends_a_segment():  # MSG_EOR, as on Linux
    h = Bench()
    socket, peer = connect(h)
    for size, flags in ((700, o.MSG_EOR), (400, o.MSG_EOR), (1000, 0)):
        assert socket.send(h.now, bytes(size), flags) == size
    h.settle()
    peer.sends("P. 1:701(700) ack 1", "P. 701:1101(400) ack 1")  # what follows the last record is Nagle's
    peer.gets(". 1:1(0) ack 1101")
    peer.sends("P. 1101:2101(1000) ack 1")


def test_a_record_that_is_taken_in_part_has_no_end():
    h = Bench(send_buffer=3000, nagle=False)
    socket, peer = connect(h)
    assert socket.send(h.now, bytes(4000), o.MSG_EOR) == 3000
    assert not peer.tcb.send_buffer.cuts
    h.settle()
    h.forget()


def test_the_fin_follows_the_last_record():
    h = Bench()
    socket, peer = connect(h)
    for size in (700, 400):
        assert socket.send(h.now, bytes(size), o.MSG_EOR) == size
    h.do(socket.shutdown, 1)
    peer.sends("P. 1:701(700) ack 1", "FP. 701:1101(400) ack 1")


def test_reno_is_newreno_by_another_name():  # RFC 5681, RFC 6582
    h = Bench()
    socket, peer = connect(h)
    socket.setsockopt(o.IPPROTO_TCP, o.TCP_CONGESTION, "reno")
    assert socket.getsockopt(o.IPPROTO_TCP, o.TCP_CONGESTION) == "reno"
    assert type(peer.tcb.congestion) is NewReno
