"""The active side of fast opens: MSG_FASTOPEN, TCP_FASTOPEN_CONNECT, the cookies that a host remembers (RFC 7413)."""

from __future__ import annotations

import errno
from typing import Any

import pytest

from lastack.host import options as o
from lastack.host.sockets import Socket
from lastack.tcp.config import SECOND
from lastack.tcp.presets import LINUX
from lastack.tcp.states import State
from lastack.wire import icmp
from lastack.wire.notation import format_segment
from lastack.wire.segment import Segment
from tests.host.harness import Bench, Peer, errno_of, number
from tests.host.test_icmp import quoted

COOKIE = "FO abcd1234,nop,nop"
SYN_DATA = 32
SERVER = ("10.0.0.2", 7)


def bench(**more: Any) -> Bench:
    return Bench(timestamps=False, **more)


def info(socket: Socket, field: str) -> int:
    found = socket.getsockopt(o.IPPROTO_TCP, o.TCP_INFO)
    assert isinstance(found, dict)
    return int(found[field])


def accepted(socket: Socket) -> bool:
    """Whether the text of the SYN was acknowledged whole."""
    return bool(info(socket, "tcpi_options") & SYN_DATA)


def syn(h: Bench, socket: Socket, line: str, address: tuple[str, int] = SERVER) -> Peer:
    """The one packet that has just left is this SYN; its peer."""
    peer = h.peer(address[1], socket.getsockname()[1], remote=address[0])
    ((_, sent),) = h.pending
    assert isinstance(sent, Segment)
    peer.hears(sent)
    shown = format_segment(sent, iss=peer.iss, irs=peer.irs)
    assert shown.replace(" win 65535", "") == line.replace("SYN", "mss 1460,nop,nop,sackOK,nop,wscale 7"), shown
    h.forget()
    return peer


def sends(h: Bench, size: int, line: str, *, taken: int | None = None, address: tuple[str, int] = SERVER) -> Any:
    """sendto() with MSG_FASTOPEN on a new socket, which takes `taken` bytes, and whose SYN is this one."""
    socket = h.socket()
    got = h.do(socket.sendto, bytes(size), o.MSG_FASTOPEN, address)
    assert got == (size if taken is None else taken)
    return socket, syn(h, socket, line, address)


def asks(h: Bench, answer: str = f"mss 1460,nop,nop,sackOK,nop,wscale 6,{COOKIE}", shown: str = "FO,nop,nop") -> None:
    """A connection that asks for a cookie, and gets this answer."""
    socket, peer = sends(h, 0, f"S 0:0(0) <SYN,{shown}>", taken=-errno.EINPROGRESS)
    peer.gets(f"S. 0:0(0) ack 1 win 5840 <{answer}>")
    peer.sends(". 1:1(0) ack 1")
    h.do(socket.close)
    peer.sends("F. 1:1(0) ack 1")
    peer.gets("R. 1:1(0) ack 1")


def knows(**more: Any) -> Bench:
    """A host that has got a cookie."""
    h = bench(**more)
    asks(h)
    assert h.host.counters["fast open: cookie learned"] == 1
    return h


# --- MSG_FASTOPEN ---


def test_without_a_cookie_nothing_is_taken_and_one_is_asked_for():  # RFC 7413 4.2.1
    h = bench()
    socket, peer = sends(h, 1000, "S 0:0(0) <SYN,FO,nop,nop>", taken=-errno.EINPROGRESS)
    assert number(h, socket.send, bytes(9), o.MSG_FASTOPEN) == errno.EALREADY
    assert number(h, socket.send, bytes(9)) == errno.EAGAIN
    assert number(h, socket.recv, 9) == errno.EAGAIN
    peer.gets("S. 0:0(0) ack 1 <mss 1460>")
    peer.sends(". 1:1(0) ack 1")
    assert h.do(socket.send, bytes(9), o.MSG_FASTOPEN) == 9  # it says nothing of an open connection
    peer.sends("P. 1:10(9) ack 1")
    assert (accepted(socket), info(socket, "tcpi_fastopen_client_fail")) == (False, 1)


def test_with_a_cookie_the_text_goes_with_the_syn():  # RFC 7413 4.2.2
    h = knows()
    socket, peer = sends(h, 1000, f"S 0:1000(1000) <SYN,{COOKIE}>")
    assert number(h, socket.send, bytes(9)) == errno.EAGAIN
    assert (socket.poll(), info(socket, "tcpi_bytes_acked")) == (0, 0)
    peer.gets("S. 0:0(0) ack 1001 win 5840 <mss 940,FO 1234abcd5678dcba,nop,nop>")
    peer.sends(". 1001:1001(0) ack 1")
    assert accepted(socket) and socket.poll() == o.POLLOUT
    assert (info(socket, "tcpi_bytes_acked"), info(socket, "tcpi_data_segs_out")) == (1000, 1)
    # the new cookie and the new MSS are known from now on, and 40 bytes are left to options
    sends(h, 2000, "S 0:900(900) <SYN,FO 1234abcd5678dcba,nop,nop>", taken=900)


def test_several_buffers_are_sent_as_one():  # RFC 7413 Appendix A
    h = knows()
    socket = h.socket()
    assert h.do(socket.sendmsg, [bytes(500), bytes(1000)], o.MSG_FASTOPEN, SERVER) == 1420
    syn(h, socket, f"S 0:1420(1420) <SYN,{COOKIE}>")
    assert number(h, socket.sendmsg, [bytes(5)], o.MSG_FASTOPEN, SERVER) == errno.EALREADY


def test_an_empty_send_opens_with_the_cookie_and_no_text():
    h = knows()
    socket, peer = sends(h, 0, f"S 0:0(0) <SYN,{COOKIE}>", taken=-errno.EINPROGRESS)
    peer.gets("S. 0:0(0) ack 1 win 14600 <mss 940,FO 12345678,nop,nop>")
    peer.sends(". 1:1(0) ack 1")
    assert not accepted(socket)
    sends(h, 2000, "S 0:900(900) <SYN,FO 12345678,nop,nop>", taken=900)


def test_misuse_is_refused():  # RFC 7413 Appendix A; Linux's errors
    h = bench(fastopen_client=False)
    socket = h.socket()
    assert number(h, socket.sendto, b"x", o.MSG_FASTOPEN, SERVER) == errno.EOPNOTSUPP
    assert errno_of(lambda: socket.setsockopt(o.IPPROTO_TCP, o.TCP_FASTOPEN_CONNECT, 1)) == errno.EOPNOTSUPP
    h = bench()
    socket = h.socket()
    assert number(h, socket.sendto, b"x", o.MSG_FASTOPEN, None) == errno.EOPNOTSUPP
    assert number(h, socket.sendto, b"x", 0, SERVER) == errno.EPIPE
    assert number(h, socket.sendto, b"x", o.MSG_FASTOPEN, ("10.0.0.2", 0)) == errno.EADDRNOTAVAIL
    assert errno_of(lambda: socket.setsockopt(o.IPPROTO_TCP, o.TCP_FASTOPEN_CONNECT, 2)) == errno.EINVAL


def test_a_socket_that_did_not_ask_opens_as_ever():  # RFC 7413 section 2: only by explicit request
    h = knows()
    socket = h.socket()
    assert number(h, socket.connect, SERVER) == errno.EINPROGRESS
    syn(h, socket, "S 0:0(0) <SYN>")


def test_a_refusal_of_the_syn_is_told():
    h = knows()
    socket, peer = sends(h, 2000, f"S 0:1420(1420) <SYN,{COOKIE}>", taken=1420)
    peer.gets("R. 0:0(0) ack 1")
    assert number(h, socket.send, b"x") == errno.ECONNREFUSED
    sends(h, 1, f"S 0:1(1) <SYN,{COOKIE}>")


# --- fallback ---


def test_text_that_the_server_did_not_take_goes_again():  # RFC 7413 4.2.2
    h = knows()
    socket, peer = sends(h, 700, f"S 0:700(700) <SYN,{COOKIE}>")
    peer.gets("S. 0:0(0) ack 1 win 5840 <mss 1040,nop,nop,sackOK,nop,wscale 6>")
    peer.sends("P. 1:701(700) ack 1")
    peer.gets(". 1:1(0) ack 701 win 5840")
    assert (accepted(socket), info(socket, "tcpi_fastopen_client_fail")) == (False, 2)
    sends(h, 5000, f"S 0:1000(1000) <SYN,{COOKIE}>", taken=1000)  # the server knows fast opens, or did


def test_a_lost_syn_goes_again_plain_and_no_other_is_tried_for_a_while():  # RFC 7413 4.1.3.1, 4.2.2
    h = knows(fastopen_pause=60 * SECOND)
    socket, peer = sends(h, 700, f"S 0:700(700) <SYN,{COOKIE}>")
    h.after(1)
    peer.sends("S 0:0(0)")
    peer.gets("S. 0:0(0) ack 1 win 5840 <mss 1460>")
    peer.sends("P. 1:701(700) ack 1")
    assert info(socket, "tcpi_fastopen_client_fail") == 3
    h.after(0.1)
    peer.gets(". 1:1(0) ack 701")
    sends(h, 700, "S 0:0(0) <SYN>", taken=-errno.EINPROGRESS)[1].gets("R. 0:0(0) ack 1")
    sends(h, 70, f"S 0:70(70) <SYN,{COOKIE}>", address=("10.0.0.2", 8))[1].gets("R. 0:0(0) ack 1")  # another port
    h.after(60)
    sends(h, 700, f"S 0:700(700) <SYN,{COOKIE}>")


def test_an_attempt_that_nothing_answers_pauses_for_twice_as_long_each_time():  # RFC 7413 4.1.3.1
    h = knows(fastopen_pause=60 * SECOND, syn_retransmissions=1)
    for pause in (60, 120):
        _, peer = sends(h, 7, f"S 0:7(7) <SYN,{COOKIE}>")
        h.after(1)
        peer.sends("S 0:0(0)")
        h.after(pause + 1)
        sends(h, 7, "S 0:0(0) <SYN>", taken=-errno.EINPROGRESS)[1].gets("R. 0:0(0) ack 1")
        h.after(1)
    assert h.host.counters["fast open: no answer"] == 2


def test_an_answer_ends_the_doubling():  # RFC 7413 4.1.3.1: "temporarily"
    h = knows(fastopen_pause=60 * SECOND, syn_retransmissions=0)
    sends(h, 7, f"S 0:7(7) <SYN,{COOKIE}>")
    h.after(61)
    _, peer = sends(h, 7, f"S 0:7(7) <SYN,{COOKIE}>")
    peer.gets("S. 0:0(0) ack 8 <mss 1460>")
    peer.sends(". 8:8(0) ack 1")
    sends(h, 7, f"S 0:7(7) <SYN,{COOKIE}>")
    h.after(61)
    sends(h, 7, f"S 0:7(7) <SYN,{COOKIE}>")


def test_an_answer_with_a_cookie_that_comes_late_is_learned_from():  # RFC 7413 4.2.1 step 3
    h = bench()
    _, peer = sends(h, 0, "S 0:0(0) <SYN,FO,nop,nop>", taken=-errno.EINPROGRESS)
    h.after(1)
    peer.sends("S 0:0(0)")
    peer.gets("S. 0:0(0) ack 1 win 60000 <mss 1240,FO aaaabbbbcccc>")
    peer.sends(". 1:1(0) ack 1")
    sends(h, 9000, "S 0:1200(1200) <SYN,FO aaaabbbbcccc>", taken=1200)


def test_who_gives_no_cookie_is_asked_in_the_older_form_once():  # RFC 6994, as Linux asks
    h = Bench(LINUX, timestamps=False)
    asks(h, "mss 1460")
    asks(h, "mss 1460", "FOEXP")
    asks(h, "mss 1460")
    asks(h, "mss 1460")


def test_who_gave_no_cookie_in_either_form_is_left_in_peace():  # RFC 7413 4.2.1: RECOMMENDED
    h = bench(fastopen_pause=60 * SECOND)
    asks(h, "mss 1460")
    asks(h, "mss 1460", "FOEXP")
    sends(h, 700, "S 0:0(0) <SYN>", taken=-errno.EINPROGRESS)


def test_a_cookie_is_used_in_the_form_in_which_it_came():  # RFC 7413 4.1.1
    h = bench()
    asks(h, "mss 1460")
    asks(h, "mss 1460,nop,wscale 6,FOEXP 1234abcd", "FOEXP")
    _, peer = sends(h, 5, "S 0:5(5) <SYN,FOEXP 1234abcd>")
    peer.gets("S. 0:0(0) ack 6 <mss 1460,FO abcd5678,nop,nop>")
    peer.sends(". 6:6(0) ack 1")
    sends(h, 5, "S 0:5(5) <SYN,FO abcd5678,nop,nop>")


@pytest.mark.parametrize("wrong", ["FO 1122", "FO 112233,nop,nop,nop", f"FO {'00' * 18}"])
def test_a_cookie_of_an_invalid_length_is_none(wrong: str):  # RFC 7413 4.1.1: MUST be ignored
    h = knows()
    _, peer = sends(h, 5, f"S 0:5(5) <SYN,{COOKIE}>")
    peer.gets(f"S. 0:0(0) ack 6 <mss 940,{wrong}>")
    peer.sends(". 6:6(0) ack 1")
    peer.gets("P. 1:3(2) ack 6 <FO 99999999,nop,nop>")  # nor is one without SYN
    peer.sends(". 6:6(0) ack 3")
    sends(h, 2000, f"S 0:900(900) <SYN,{COOKIE}>", taken=900)


def test_a_packet_too_big_makes_the_syn_go_again_without_text():  # RFC 7413 4.1.3; RFC 1191
    h = knows()
    socket, peer = sends(h, 5000, f"S 0:1420(1420) <SYN,{COOKIE}>", taken=1420)
    h.message(icmp.too_big(4, 1400, quoted(peer)))
    peer.sends("S 0:0(0)")
    peer.gets("S. 0:0(0) ack 1 <mss 1460>")
    peer.sends(". 1:1361(1360) ack 1", "P. 1361:1421(60) ack 1")
    assert socket.state is State.ESTABLISHED


# --- no cookie, TCP_MAXSEG, limits ---


@pytest.mark.parametrize("by_option", [False, True])
def test_text_may_go_without_a_cookie_where_that_was_said(by_option: bool):  # Linux: tcp_fastopen 0x4
    h = bench(fastopen_without_cookie=not by_option)
    socket = h.socket()
    if by_option:
        socket.setsockopt(o.IPPROTO_TCP, o.TCP_FASTOPEN_NO_COOKIE, 1)
    assert h.do(socket.sendto, bytes(2000), o.MSG_FASTOPEN, SERVER) == 1420
    peer = syn(h, socket, "S 0:1420(1420) <SYN>")
    peer.gets(f"S. 0:0(0) ack 1421 <mss 940,{COOKIE}>")
    peer.sends(". 1421:1421(0) ack 1")
    assert accepted(socket)
    socket = h.socket()
    socket.setsockopt(o.IPPROTO_TCP, o.TCP_FASTOPEN_NO_COOKIE, 0)  # nobody had asked for the cookie: it is not known
    assert number(h, socket.sendto, bytes(9), o.MSG_FASTOPEN, SERVER) == errno.EINPROGRESS
    syn(h, socket, "S 0:0(0) <SYN,FO,nop,nop>")


@pytest.mark.parametrize(("mss", "maxseg", "size"), [(10_000, 0, 1420), (1460, 1040, 1000), (100, 0, 60)])
def test_the_least_of_the_servers_mss_ours_and_the_path_bounds_the_text(mss: int, maxseg: int, size: int):
    # RFC 7413 4.1.3
    h = bench()
    asks(h, f"mss {mss},{COOKIE}")
    socket = h.socket()
    socket.setsockopt(o.IPPROTO_TCP, o.TCP_MAXSEG, maxseg)
    assert h.do(socket.sendto, bytes(2000), o.MSG_FASTOPEN, SERVER) == size
    h.forget()


def test_the_servers_that_are_remembered_are_bounded():  # RFC 7413 4.1.3
    h = bench(fastopen_servers=1)
    asks(h)
    sends(h, 0, "S 0:0(0) <SYN,FO,nop,nop>", taken=-errno.EINPROGRESS, address=("10.0.0.9", 7))[1].gets(
        f"S. 0:0(0) ack 1 <mss 1460,{COOKIE}>"
    )
    assert (h.forget(), h.host.counters["limit: fast open servers"]) == (1, 1)
    sends(h, 5, "S 0:0(0) <SYN,FO,nop,nop>", taken=-errno.EINPROGRESS)


def test_what_servers_have_told_can_be_forgotten():
    h = knows()
    h.host.fast_opens.forget()
    sends(h, 5, "S 0:0(0) <SYN,FO,nop,nop>", taken=-errno.EINPROGRESS)


# --- TCP_FASTOPEN_CONNECT ---


def lazy(h: Bench) -> Socket:
    socket = h.socket()
    socket.setsockopt(o.IPPROTO_TCP, o.TCP_FASTOPEN_CONNECT, 1)
    assert socket.getsockopt(o.IPPROTO_TCP, o.TCP_FASTOPEN_CONNECT) == 1
    return socket


def test_connect_waits_for_the_first_send_where_a_cookie_is_known():  # Linux: TCP_FASTOPEN_CONNECT
    h = knows()
    socket = lazy(h)
    assert h.do(socket.connect, SERVER) is None
    assert socket in h.host.ready()
    h.silent()
    assert (socket.poll(), socket.writable(), socket.state) == (o.POLLOUT, True, State.SYN_SENT)
    assert number(h, socket.recv, 9) == errno.EAGAIN
    assert number(h, socket.connect, SERVER) == errno.EISCONN
    assert errno_of(lambda: socket.setsockopt(o.IPPROTO_TCP, o.TCP_FASTOPEN_CONNECT, 0)) == errno.EINVAL
    assert h.do(socket.send, bytes(2000)) == 1420
    peer = syn(h, socket, f"S 0:1420(1420) <SYN,{COOKIE}>")
    assert number(h, socket.connect, SERVER) == errno.EALREADY
    peer.gets("S. 0:0(0) ack 1421 <mss 1460>")
    peer.sends(". 1421:1421(0) ack 1")
    assert accepted(socket)


def test_without_a_cookie_connect_asks_for_one_and_does_as_ever():
    h = bench()
    socket = lazy(h)
    assert number(h, socket.connect, SERVER) == errno.EINPROGRESS
    syn(h, socket, "S 0:0(0) <SYN,FO,nop,nop>")


def test_an_empty_send_after_connect_sends_the_syn():
    h = knows()
    socket = lazy(h)
    h.do(socket.connect, SERVER)
    assert number(h, socket.send, b"") == errno.EINPROGRESS
    syn(h, socket, f"S 0:0(0) <SYN,{COOKIE}>")


def test_sendto_takes_the_place_of_the_waiting_connect():
    h = knows()
    socket = lazy(h)
    h.do(socket.connect, SERVER)
    assert h.do(socket.sendto, bytes(10), o.MSG_FASTOPEN, SERVER) == 10
    syn(h, socket, f"S 0:10(10) <SYN,{COOKIE}>")


def test_a_socket_whose_syn_waits_can_be_set_and_closed():
    h = knows()
    socket = lazy(h)
    h.do(socket.connect, SERVER)
    socket.setsockopt(o.SOL_SOCKET, o.SO_KEEPALIVE, 1)
    socket.setsockopt(o.IPPROTO_TCP, o.TCP_KEEPIDLE, 5)
    h.after(10)
    h.do(socket.close)
    h.silent()
    assert not h.host.connections() and h.host.deadline() is None
