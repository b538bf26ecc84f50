"""ICMP, in and out: RFC 9293 section 3.9.2.2 (MUST-54 to MUST-56, SHLD-25), RFC 1122. Its codes: test_icmp_codes.py."""

from __future__ import annotations

from errno import EAGAIN, EHOSTUNREACH, ETIMEDOUT

import pytest

from lastack.host import options as o
from lastack.tcp.states import State
from lastack.wire import icmp
from lastack.wire.address import parse_address
from lastack.wire.datagram import build_tcp
from lastack.wire.icmp import Message
from lastack.wire.packet import Packet
from lastack.wire.segment import ACK, Segment
from tests.host.harness import Bench, Peer, client, connect, errno_of


def quoted(peer: Peer, seq: int = 0) -> bytes:
    """A packet of the host to this peer, as a router would quote it."""
    segment = Segment(peer.local_port, peer.port, (peer.iss + seq) & 0xFFFFFFFF, 0, ACK)
    return bytes(build_tcp(peer.local, peer.remote, segment).joined())


def test_an_answer_forgets_the_soft_error():
    h = Bench(r2_retransmissions=1)
    socket, peer = client(h)
    h.message(icmp.unreachable(4, 1, quoted(peer)))
    peer.gets("S. 0:0(0) ack 1")
    peer.sends(". 1:1(0) ack 1")
    h.do(socket.send, b"x")
    h.after(10)
    h.forget()
    assert socket.getsockopt(o.SOL_SOCKET, o.SO_ERROR) == ETIMEDOUT


@pytest.mark.parametrize("told", [True, False])
def test_a_soft_error_is_told_until_the_peer_answers(told: bool):  # SHLD-25; FreeBSD tells nothing
    h = Bench(soft_errors_told=told)
    socket, peer = connect(h)
    h.do(socket.send, bytes(10))
    peer.sends("P. 1:11(10) ack 1")
    for _ in range(2):
        h.message(icmp.unreachable(4, 1, quoted(peer, 1)))
        assert socket.getsockopt(o.SOL_SOCKET, o.SO_ERROR) == (EHOSTUNREACH if told else 0)
    h.message(icmp.unreachable(4, 1, quoted(peer, 1)))
    peer.gets(". 1:1(0) ack 1")
    assert socket.getsockopt(o.SOL_SOCKET, o.SO_ERROR) == 0


@pytest.mark.parametrize("seq", [-1, 12, 2**31, 70_000])
def test_an_error_about_a_number_that_is_not_under_way_is_forged(seq: int):  # RFC 5927 section 4.1
    h = Bench()
    socket, peer = connect(h)
    h.do(socket.send, bytes(10))
    peer.sends("P. 1:11(10) ack 1")
    h.message(icmp.too_big(4, 576, quoted(peer, seq)))
    h.message(icmp.unreachable(4, 1, quoted(peer, seq)))
    assert (peer.tcb.mtu, peer.tcb.soft_error, h.host.counters["dropped: ICMP error for nothing under way"]) == (
        1500,
        0,
        2,
    )


def test_an_error_about_nothing_of_ours_is_dropped():  # MUST-54
    h = Bench()
    peer = h.peer(1, 2)
    h.message(icmp.unreachable(4, 3, quoted(peer)))
    assert h.host.counters["dropped: ICMP error for nothing under way"] == 1


def test_an_echo_request_is_answered():  # RFC 1122 3.2.2.6
    h = Bench()
    h.message(icmp.echo_request(4, 7, 8, b"ping"))
    ((_, reply),) = h.pending
    h.forget()
    assert isinstance(reply, Message)
    assert (reply.type, reply.identifier, reply.sequence, bytes(reply.data)) == (0, 7, 8, b"ping")


def test_icmp_is_limited():  # RFC 1812 4.3.2.8's reason
    h = Bench(icmp_per_second=2)
    for _ in range(5):
        h.message(icmp.echo_request(4, 7, 8))
    assert (h.forget(), h.host.counters["limit: ICMP"]) == (2, 3)
    h.after(1)
    h.message(icmp.echo_request(4, 7, 8))
    assert h.forget() == 1


def test_a_protocol_that_nobody_speaks_is_unreachable():  # RFC 1122 3.2.2.1
    h = Bench()
    from lastack.wire import ipv4

    header = ipv4.build(parse_address("10.0.0.9"), parse_address("10.0.0.1"), 132, 8)
    h.receive(Packet(header + bytes(8)))
    ((_, answer),) = h.pending
    h.forget()
    assert isinstance(answer, Message)
    assert (answer.type, answer.code) == (3, 2)


def test_who_asks_for_errors_is_told_of_a_soft_one_by_the_next_call_and_once():  # RFC 9293 3.9.2.2 SHLD-25, MUST-56
    h = Bench()
    socket, peer = connect(h)
    socket.setsockopt(o.IPPROTO_IP, o.IP_RECVERR, 1)
    h.do(socket.send, b"x")
    h.message(icmp.unreachable(4, 1, quoted(peer, 1)))
    assert socket.poll() & o.POLLERR
    assert [errno_of(lambda: socket.recv(h.now, 1)) for _ in range(2)] == [EHOSTUNREACH, EAGAIN]
    assert peer.state is State.ESTABLISHED
    h.forget()
