"""Calls that open a connection by sending (RFC 7413 Appendix A), as Linux blocks in them."""

from __future__ import annotations

from tests.host.harness import Peer
from tests.packetdrill.scripted import Scripted, Waiting

COOKIE = "FO abcd1234"


def with_cookie() -> Scripted:
    """A host that knows a cookie of the peer's."""
    s = Scripted(timestamps=False)
    s.does("socket(..., SOCK_STREAM, IPPROTO_TCP) = 3", "fcntl(3, F_SETFL, O_NONBLOCK) = 0")
    s.does("sendto(3, ..., 1000, MSG_FASTOPEN, ..., ...) = -1 EINPROGRESS (Operation now in progress)")
    peer = other(s)
    peer.sends("S 0:0(0)")
    peer.gets(f"S. 0:0(0) ack 1 <mss 1460,{COOKIE},nop,nop>")
    peer.sends(". 1:1(0) ack 1")
    assert s.watch.told[-1] == ("connecting", ("10.0.0.2", 8080))
    s.does("socket(..., SOCK_STREAM, IPPROTO_TCP) = 4")
    return s


def other(s: Scripted) -> Peer:
    syn = s.bench.pending[-1][1]
    peer = s.bench.peer(8080, syn.source_port)
    peer.hears(syn)
    return peer


def begins(line: str) -> tuple[Peer, Waiting]:
    s = with_cookie()
    waiting = s.begins(line)
    peer = other(s)
    return peer, waiting


def test_a_blocking_send_on_a_syn_waits_for_the_handshake():
    peer, waiting = begins("sendto(4, ..., 1000, MSG_FASTOPEN, ..., ...) = 1000")
    peer.sends("S 0:1000(1000)")
    assert not waiting.ended
    peer.gets("S. 0:0(0) ack 1001 <mss 1460>")
    peer.sends(". 1001:1001(0) ack 1")
    waiting.goes_on()
    assert waiting.ended


def test_what_the_syn_does_not_bear_follows_the_handshake():
    peer, waiting = begins("sendto(4, ..., 2000, MSG_FASTOPEN, ..., ...) = 2000")
    (syn,) = peer.sends("S 0:1420(1420)")
    assert syn.length == 1420
    assert not waiting.ended
    peer.gets("S. 0:0(0) ack 1421 <mss 1460>")
    peer.sends("P. 1421:2001(580) ack 1")
    waiting.goes_on()
    assert waiting.ended


def test_without_a_cookie_all_follows_the_handshake():
    s = Scripted(timestamps=False)
    s.does("socket(..., SOCK_STREAM, IPPROTO_TCP) = 3")
    waiting = s.begins("sendto(3, ..., 1000, MSG_FASTOPEN, ..., ...) = 1000")
    peer = other(s)
    peer.sends("S 0:0(0)")
    peer.gets("S. 0:0(0) ack 1 <mss 1460>")
    peer.sends("P. 1:1001(1000) ack 1")
    waiting.goes_on()
    assert waiting.ended


def test_a_refusal_is_the_result_whatever_the_syn_bore():
    peer, waiting = begins("sendto(4, ..., 2000, MSG_FASTOPEN, ..., ...) = -1 ECONNREFUSED (Connection refused)")
    peer.sends("S 0:1420(1420)")
    peer.gets("R. 0:0(0) ack 1")
    waiting.goes_on()
    assert waiting.ended


def test_a_send_that_must_not_wait_takes_what_the_syn_bears():
    s = with_cookie()
    s.does("sendto(4, ..., 2000, MSG_FASTOPEN|MSG_DONTWAIT, ..., ...) = 1420")
    s.does("sendto(4, ..., 2000, MSG_FASTOPEN|MSG_DONTWAIT, ..., ...) = -1 EALREADY")
    s.does("sendto(4, ..., 1, MSG_FASTOPEN, AF_UNSPEC, ...) = -1 EOPNOTSUPP (Operation not supported)")
    other(s).sends("S 0:1420(1420)")


def test_connect_leaves_the_syn_to_the_first_send():
    s = with_cookie()
    s.does("setsockopt(4, SOL_TCP, TCP_FASTOPEN_CONNECT, [1], 4) = 0", "connect(4, ..., ...) = 0")
    s.bench.silent()
    waiting = s.begins("sendmsg(4, {msg_name(...)=..., msg_iov(2)=[{..., 10}, {..., 10}], msg_flags=0}, 0) = 20")
    assert not waiting.ended
    other(s).sends("S 0:20(20)")


def test_a_server_may_answer_before_the_handshake_is_over():
    s = Scripted(timestamps=False, fastopen_cookie_required=False, fastopen_server=True)
    s.does("socket(..., SOCK_STREAM, IPPROTO_TCP) = 3", "bind(3, ..., ...) = 0")
    s.does("setsockopt(3, SOL_TCP, TCP_FASTOPEN, [5], 4) = 0", "listen(3, 1) = 0")
    peer = s.bench.peer(local=8080)
    peer.gets("S 0:1000(1000) <mss 1460,FO,nop,nop>")
    s.does("accept(3, ..., ...) = 4", "write(4, ..., 100) = 100", "read(4, ..., 2000) = 1000")
    peer.sends("S. 0:0(0) ack 1001", "P. 1:101(100) ack 1001")
