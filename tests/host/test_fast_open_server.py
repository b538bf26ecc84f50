"""Listeners that take fast opens: cookies and keys, children before their handshakes are over (RFC 7413)."""

from __future__ import annotations

import errno
from functools import partial
from typing import Any

import pytest

from lastack.host import options as o
from lastack.host.fast_opens import parse_keys, settings_of
from lastack.host.sockets import Socket
from lastack.tcp.config import DEFAULT, SECOND, Config
from lastack.tcp.presets import LINUX
from lastack.tcp.states import State
from lastack.wire import icmp
from lastack.wire.options import FastOpen, parse
from lastack.wire.segment import Segment
from tests.host.harness import Bench, Peer, errno_of, number, to_time_wait
from tests.host.test_icmp import quoted

KEY = parse_keys("00112233-44556677-8899aabb-ccddeeff")
OTHER = bytes(range(16))
SYN_DATA = 32
TCP_FASTOPEN = (o.IPPROTO_TCP, o.TCP_FASTOPEN)


def serving(config: Config = DEFAULT, queue: int = 2, **more: Any) -> tuple[Bench, Socket]:
    """A host with a listener that takes fast opens."""
    h = Bench(config, **{"fastopen_server": True, "fastopen_key": KEY, **more})
    server = h.socket()
    server.bind(("", 80))
    server.setsockopt(*TCP_FASTOPEN, queue)
    server.listen(h.now)
    return h, server


def given(answer: Segment) -> FastOpen | None:
    return next((option for option in parse(answer.options) if isinstance(option, FastOpen)), None)


def cookie(h: Bench, remote: str = "10.0.0.2") -> str:
    """What a client gets when it asks, and as its SYN will say it."""
    peer = h.peer(40_000 + len(h.peers), remote=remote)
    peer.gets("S 0:0(0) <mss 1460,FO,nop,nop>")
    found = given(peer.sends("S. 0:0(0) ack 1")[0])
    peer.gets("R 1:1(0)")
    assert found is not None and len(found.cookie) == 8
    return f"FO {found.cookie.hex()},nop,nop"


def opens(h: Bench, port: int = 4711, line: str = "S 0:10(10)", ack: int = 11, what: str | None = None) -> Peer:
    """A client whose SYN, with a good cookie, was accepted with its text."""
    option = cookie(h) if what is None else what
    peer = h.peer(port)
    peer.gets(f"{line} <mss 1460,{option}>")
    (answer,) = peer.sends(f"S. 0:0(0) ack {ack}")
    assert given(answer) is None
    return peer


def accepted(h: Bench, server: Socket, port: int = 4711) -> tuple[Socket, Peer]:
    peer = opens(h, port)
    child, _ = h.do(server.accept)
    return child, peer


def syn_data(child: Socket) -> bool:
    found = child.getsockopt(o.IPPROTO_TCP, o.TCP_INFO)
    assert isinstance(found, dict)
    return bool(found["tcpi_options"] & SYN_DATA)


# --- what a SYN gets ---


def test_who_asks_for_a_cookie_gets_it_in_the_same_form():  # RFC 7413 4.2.1, step 2
    h, _ = serving()
    asked = cookie(h)
    peer = h.peer()
    peer.gets("S 0:10(10) <mss 1460,FOEXP>")
    found = given(peer.sends("S. 0:0(0) ack 1")[0])  # text is not accepted with a question
    assert found is not None and found.experimental and found.cookie.hex() in asked
    h.after(1)
    assert given(peer.sends("S. 0:0(0) ack 1")[0]) is None  # RFC 7413 4.2.1: RECOMMENDED
    assert (h.host.counters["fast open: cookie requested"], h.host.counters["fast open: cookie given"]) == (2, 2)


def test_text_with_a_good_cookie_is_read_and_answered_at_once():  # RFC 7413 4.2.2
    h, server = serving()
    child, peer = accepted(h, server)
    assert (peer.state, syn_data(child), child.poll()) == (State.SYN_RCVD, True, o.POLLIN | o.POLLOUT)
    assert h.do(child.recv, 5, o.MSG_PEEK) == bytes(5)
    assert (h.do(child.recv, 99), child.unread()) == (bytes(10), 0)
    assert number(h, child.recv, 99) == errno.EAGAIN
    assert h.do(child.send, bytes(100)) == 100
    peer.sends("P. 1:101(100) ack 11")
    peer.gets(". 11:11(0) ack 101")
    assert peer.state is State.ESTABLISHED
    assert h.host.counters["fast open: opened with its SYN"] == 1
    assert number(h, server.accept) == errno.EAGAIN  # once


def test_the_listener_is_ready_with_the_syn():
    h, server = serving()
    opens(h)
    assert server in h.host.ready() and server.poll() == o.POLLIN


def test_a_wrong_cookie_gets_a_good_one_and_its_text_is_not_taken():  # RFC 7413 4.2.2, server step 3
    h, server = serving()
    good = cookie(h)
    peer = h.peer()
    peer.gets("S 0:10(10) <mss 1460,FO aaaaaaaaaaaaaaaa,nop,nop>")
    found = given(peer.sends("S. 0:0(0) ack 1")[0])
    assert found is not None and found.cookie.hex() in good
    assert number(h, server.accept) == errno.EAGAIN
    peer.gets("P. 1:11(10) ack 1")
    peer.sends(". 1:1(0) ack 11")
    child, _ = h.do(server.accept)
    assert not syn_data(child) and h.host.counters["fast open: cookie invalid"] == 1


@pytest.mark.parametrize("off", [{"queue": 0}, {"fastopen_server": False}])
def test_who_did_not_ask_for_it_ignores_cookies(off: dict[str, Any]):  # RFC 7413 4.2: FastOpenEnabled, default off
    h, _ = serving(**off)
    for port, option in ((1, "FO,nop,nop"), (2, "FO 0123456789abcdef,nop,nop")):
        peer = h.peer(port)
        peer.gets(f"S 0:10(10) <mss 1460,{option}>")
        assert given(peer.sends("S. 0:0(0) ack 1")[0]) is None
    assert not any(name.startswith("fast open") for name in h.host.counters.snapshot())


def test_text_without_a_cookie_is_not_taken():  # RFC 7413 4.2.2
    h, _ = serving()
    peer = h.peer()
    peer.gets("S 0:10(10) <mss 1460>")
    assert given(peer.sends("S. 0:0(0) ack 1")[0]) is None


@pytest.mark.parametrize("by_option", [False, True])
def test_a_cookie_need_not_be_asked_for(by_option: bool):  # Linux: tcp_fastopen 0x200, TCP_FASTOPEN_NO_COOKIE
    h, server = serving(fastopen_cookie_required=by_option)
    if by_option:
        server.setsockopt(o.IPPROTO_TCP, o.TCP_FASTOPEN_NO_COOKIE, 1)
    peer = opens(h, what="nop,nop,sackOK")
    child, _ = h.do(server.accept)
    assert (peer.state, h.do(child.recv, 99), syn_data(child)) == (State.SYN_RCVD, bytes(10), True)
    plain = h.peer(7)
    plain.gets("S 0:0(0) <mss 1460>")
    plain.sends("S. 0:0(0) ack 1")
    assert number(h, server.accept) == errno.EAGAIN


def test_a_syn_with_a_good_cookie_and_no_text_opens_too():
    h, server = serving()
    peer = opens(h, line="S 0:0(0)", ack=1)
    child, _ = h.do(server.accept)
    assert (syn_data(child), child.poll()) == (False, o.POLLOUT)
    h.do(child.send, bytes(9))
    peer.sends("P. 1:10(9) ack 1")


def test_all_listeners_may_be_told_at_once():  # Linux: tcp_fastopen 0x400
    h = Bench(fastopen_key=KEY, **settings_of(0x403))
    server = h.listen(80, backlog=1)
    assert server.getsockopt(*TCP_FASTOPEN) == 1
    assert opens(h).state is State.SYN_RCVD
    assert settings_of(0x200) == {
        "fastopen_client": False,
        "fastopen_server": False,
        "fastopen_without_cookie": False,
        "fastopen_cookie_required": False,
        "fastopen_all_listeners": False,
    }


def test_syn_cookies_leave_no_room_for_fast_opens():  # RFC 7413 5.1, RFC 4987 3.6
    h, server = serving()
    good = cookie(h)
    server.listener.config = server.config.having(syn_cookies="always")
    peer = h.peer()
    peer.gets(f"S 0:10(10) <mss 1460,{good}>")
    peer.sends("S. 0:0(0) ack 1")
    assert not h.host.tcbs


def test_one_that_reopens_time_wait_waits_for_its_handshake():  # RFC 7413 2.1 (b), RFC 9293 MAY-2
    h, server = serving()
    good = cookie(h)
    peer = h.connected(5000)
    child, _ = h.do(server.accept)
    to_time_wait(h, peer, child)
    peer.irs = (peer.irs + 100_000) & 0xFFFFFFFF
    peer.gets(f"S 0:10(10) <mss 1460,{good}>")
    peer.sends("S. 0:0(0) ack 1")


# --- limits ---


def test_no_more_fast_opens_than_the_queue_takes():  # RFC 7413 4.2: PendingFastOpenRequests
    h, server = serving(queue=1)
    good = cookie(h)
    first = opens(h, 1, what=good)
    second = h.peer(2)
    second.gets(f"S 0:10(10) <mss 1460,{good}>")
    assert given(second.sends("S. 0:0(0) ack 1")[0]) is None
    plain = h.peer(7)
    plain.gets("S 0:0(0) <mss 1460>")
    plain.sends("S. 0:0(0) ack 1")
    assert h.host.counters["limit: fast opens"] == 1
    h.do(server.accept)  # who is accepted counts on, until its handshake is over
    assert server.listener.fast_opens.full(1, h.now)
    first.gets(". 11:11(0) ack 1")
    opens(h, 3, what=good)


def test_who_was_reset_counts_for_a_while():  # RFC 7413 5.1
    h, _ = serving(queue=1, fastopen_reset_time=60 * SECOND)
    good = cookie(h)
    opens(h, 1, what=good).gets("R 11:11(0)")
    h.after(59)
    peer = h.peer(2)
    peer.gets(f"S 0:10(10) <mss 1460,{good}>")
    peer.sends("S. 0:0(0) ack 1")
    peer.gets("R 1:1(0)")
    h.after(2)
    opens(h, 3, what=good)


def test_a_child_that_is_closed_and_answered_leaves_the_queue():  # RFC 7413 4.2.2: server, receiving ACK
    h, server = serving(queue=1)
    child, peer = accepted(h, server)
    h.do(child.recv, 99)
    h.do(child.close)
    peer.sends("F. 1:1(0) ack 11")
    assert server.listener.fast_opens.count == 1
    peer.gets(". 11:11(0) ack 1")
    assert server.listener.fast_opens.count == 0


# --- the end of a child ---


@pytest.mark.parametrize("taken", [True, False])
def test_a_rst_leaves_the_text_to_be_read(taken: bool):  # RFC 9293 MUST-11
    h, server = serving()
    peer = opens(h)
    child = h.do(server.accept)[0] if taken else None
    peer.gets("R. 11:11(0) ack 1")
    child = child or h.do(server.accept)[0]
    assert (h.do(child.recv, 99), number(h, child.recv, 99)) == (bytes(10), errno.ECONNRESET)
    assert syn_data(child) and child.state is State.CLOSED


def test_a_listener_that_closes_resets_the_children_that_nobody_took():
    h, server = serving()
    peer = opens(h)
    h.do(server.close)
    peer.sends("R. 1:1(0) ack 11")


def test_a_close_with_the_text_unread_is_a_reset():  # RFC 9293 SHLD-3, RFC 2525 2.17
    h, server = serving()
    child, peer = accepted(h, server)
    h.do(child.close)
    peer.sends("R. 1:1(0) ack 11")


def test_a_fin_on_the_ack_of_the_syn():  # RFC 9293 3.10.7.4
    h, server = serving()
    child, peer = accepted(h, server)
    peer.gets("F. 11:11(0) ack 1")
    peer.sends(". 1:1(0) ack 12")
    assert (h.do(child.recv, 99), h.do(child.recv, 99), peer.state) == (bytes(10), b"", State.CLOSE_WAIT)
    h.do(child.close)
    peer.sends("F. 1:1(0) ack 12")


def test_the_write_half_may_be_shut_before_the_handshake_is_over():  # RFC 9293 3.10.4
    h, server = serving()
    child, peer = accepted(h, server)
    h.do(child.send, bytes(100))
    peer.sends("P. 1:101(100) ack 11")
    h.do(child.shutdown, o.SHUT_WR)
    peer.sends("F. 101:101(0) ack 11")
    assert (peer.state, number(h, child.send, b"x")) == (State.FIN_WAIT_1, errno.EPIPE)
    peer.gets(". 11:11(0) ack 102")
    assert (peer.state, h.do(child.recv, 99)) == (State.FIN_WAIT_2, bytes(10))


@pytest.mark.parametrize("taken", [True, False])
def test_an_icmp_error_ends_a_child_that_nobody_has_taken(taken: bool):  # RFC 5927 5.2, as Linux
    h, server = serving(LINUX)
    peer = opens(h)
    child = h.do(server.accept)[0] if taken else None
    h.message(icmp.unreachable(4, 1, quoted(peer)))
    child = child or h.do(server.accept)[0]
    assert h.do(child.recv, 99) == bytes(10)
    assert number(h, child.recv, 99) == (errno.EAGAIN if taken else errno.EHOSTUNREACH)
    if not taken:
        assert number(h, child.send, b"x") == errno.EPIPE
        peer.gets(". 11:11(0) ack 1")
        peer.sends("R 1:1(0)")


def test_deferred_accepts_do_not_hold_a_fast_open_up():  # Linux: TCP_DEFER_ACCEPT waits for text, which is here
    h, server = serving()
    server.setsockopt(o.IPPROTO_TCP, o.TCP_DEFER_ACCEPT, 3)
    _, peer = accepted(h, server)
    peer.gets(". 11:11(0) ack 1")
    assert peer.state is State.ESTABLISHED


# --- options ---


def test_the_options_of_a_listener():  # Linux's rules
    h, server = serving()
    assert server.getsockopt(*TCP_FASTOPEN) == 2
    server.setsockopt(*TCP_FASTOPEN, 1 << 20)
    assert server.getsockopt(*TCP_FASTOPEN) == h.host.config.backlog_limit
    assert errno_of(lambda: server.setsockopt(*TCP_FASTOPEN, -1)) == errno.EINVAL
    child, _ = accepted(h, server)
    assert errno_of(lambda: child.setsockopt(*TCP_FASTOPEN, 1)) == errno.EINVAL
    assert errno_of(lambda: child.setsockopt(o.IPPROTO_TCP, o.TCP_FASTOPEN_NO_COOKIE, 1)) == errno.EINVAL
    assert errno_of(lambda: server.setsockopt(o.IPPROTO_TCP, o.TCP_FASTOPEN_CONNECT, 1)) == errno.EINVAL


def test_a_listener_may_have_a_key_of_its_own():  # Linux: TCP_FASTOPEN_KEY
    h, server = serving()
    old = cookie(h)
    for wrong in (b"", bytes(3), bytes(17), 5):
        assert errno_of(partial(server.setsockopt, o.IPPROTO_TCP, o.TCP_FASTOPEN_KEY, wrong)) == errno.EINVAL
    server.setsockopt(o.IPPROTO_TCP, o.TCP_FASTOPEN_KEY, OTHER + KEY)
    assert server.getsockopt(o.IPPROTO_TCP, o.TCP_FASTOPEN_KEY) == OTHER + KEY
    new = cookie(h)
    peer = h.peer(1)
    peer.gets(f"S 0:10(10) <mss 1460,{old}>")
    found = given(peer.sends("S. 0:0(0) ack 11")[0])
    assert found is not None and found.cookie.hex() in new != old
