"""ICMP, in and out: RFC 9293 section 3.9.2.2 (MUST-54 to MUST-56, SHLD-25), RFC 1122, RFC 1191, RFC 5927."""

from __future__ import annotations

from errno import ECONNREFUSED, EHOSTUNREACH, ENETUNREACH, ETIMEDOUT

import pytest

from lastack.host import options as o
from lastack.tcp.states import Event, State
from lastack.wire import icmp
from lastack.wire.address import parse_address
from lastack.wire.datagram import build_tcp
from lastack.wire.icmp import Message
from lastack.wire.packet import Packet
from lastack.wire.segment import ACK, Segment
from tests.host.harness import Bench, Peer, client, connect


def quoted(peer: Peer, seq: int = 0) -> bytes:
    """A packet of the host to this peer, as a router would quote it."""
    segment = Segment(peer.local_port, peer.port, (peer.iss + seq) & 0xFFFFFFFF, 0, ACK)
    return bytes(build_tcp(peer.local, peer.remote, segment).joined())


@pytest.mark.parametrize(("code", "error"), [(2, 92), (3, ECONNREFUSED)])
def test_a_hard_error_ends_an_opening(code: int, error: int):  # section 3.9.2.2: codes 2 to 4; MUST-54
    h = Bench()
    socket, peer = client(h)
    h.message(icmp.unreachable(4, code, quoted(peer)))
    assert (h.watch.edges[-1], socket.state) == ((State.SYN_SENT, Event.HARD_ERROR), State.CLOSED)
    assert socket.getsockopt(o.SOL_SOCKET, o.SO_ERROR) == error


def test_a_hard_error_ends_a_half_open_child():
    h = Bench()
    h.listen(80)
    peer = h.peer()
    peer.gets("S 0:0(0)")
    peer.sends("S. 0:0(0) ack 1")
    h.message(icmp.unreachable(4, 3, quoted(peer)))
    assert (h.watch.edges[-1], peer.state) == ((State.SYN_RCVD, Event.HARD_ERROR), State.CLOSED)
    assert len(h.host.listeners()[0].half_open) == 0


@pytest.mark.parametrize("code", [2, 3])
def test_a_hard_error_is_soft_once_synchronized(code: int):  # RFC 5927 section 5.2; RFC 5927 5.2
    h = Bench()
    socket, peer = connect(h)
    h.do(socket.send, b"x")
    peer.sends("P. 1:2(1) ack 1")
    h.message(icmp.unreachable(4, code, quoted(peer, 1)))
    assert peer.state is State.ESTABLISHED
    assert socket.getsockopt(o.SOL_SOCKET, o.SO_ERROR) == 0


@pytest.mark.parametrize(
    ("message", "error"),
    [
        (lambda packet: icmp.unreachable(4, 0, packet), ENETUNREACH),
        (lambda packet: icmp.unreachable(4, 1, packet), EHOSTUNREACH),
        (lambda packet: icmp.unreachable(4, 5, packet), ENETUNREACH),
        (lambda packet: icmp.time_exceeded(4, 0, packet), EHOSTUNREACH),
        (lambda packet: icmp.parameter_problem(4, 0, 0, packet), 71),
    ],
)
def test_a_soft_error_ends_nothing_and_is_told_when_the_time_is_up(message, error: int):  # MUST-56, SHLD-25
    h = Bench(syn_retransmissions=1)
    socket, peer = client(h)
    h.message(message(quoted(peer)))
    assert socket.state is State.SYN_SENT
    h.after(3)
    h.forget()
    assert socket.getsockopt(o.SOL_SOCKET, o.SO_ERROR) == error


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


@pytest.mark.parametrize("seq", [-1, 12, 2**31, 70_000])
def test_an_error_about_a_number_that_is_not_under_way_is_forged(seq: int):  # RFC 5927 section 4.1
    h = Bench()
    socket, peer = connect(h)
    h.do(socket.send, bytes(10))
    peer.sends("P. 1:11(10) ack 1")
    h.message(icmp.too_big(4, 576, quoted(peer, seq)))
    assert (peer.tcb.mtu, h.host.counters["dropped: ICMP error for nothing under way"]) == (1500, 1)


def test_an_error_about_nothing_of_ours_is_dropped():  # MUST-54
    h = Bench()
    peer = h.peer(1, 2)
    h.message(icmp.unreachable(4, 3, quoted(peer)))
    assert h.host.counters["dropped: ICMP error for nothing under way"] == 1


def test_source_quench_is_ignored():  # MUST-55, RFC 6633 section 3, RFC 5927 6.2
    h = Bench()
    socket, peer = connect(h)
    h.do(socket.send, bytes(10))
    peer.sends("P. 1:11(10) ack 1")
    before = peer.tcb.congestion.cwnd
    h.message(Message(4, 4, 0, 0, quoted(peer, 1)))
    assert (peer.state, peer.tcb.congestion.cwnd, peer.tcb.soft_error) == (State.ESTABLISHED, before, 0)


def test_too_big_cuts_smaller_and_sends_again():  # RFC 1191 section 3, RFC 9293 3.7.2
    h = Bench()
    socket, peer = connect(h)
    h.do(socket.send, bytes(1460))
    peer.sends("P. 1:1461(1460) ack 1")
    h.message(icmp.too_big(4, 1000, quoted(peer, 1)))
    peer.sends(". 1:961(960) ack 1", "P. 961:1461(500) ack 1")
    assert peer.tcb.snd_mss == 960


def test_too_big_never_enlarges_and_has_a_floor():  # RFC 1191: 68 would make us send headers alone
    h = Bench()
    socket, peer = connect(h)
    h.do(socket.send, bytes(10))
    peer.sends("P. 1:11(10) ack 1")
    h.message(icmp.too_big(4, 9000, quoted(peer, 1)))
    assert peer.tcb.mtu == 1500
    h.message(icmp.too_big(4, 68, quoted(peer, 1)))
    assert peer.tcb.mtu == 576


def test_ipv6_has_its_own_numbers():  # RFC 4443: type 1 code 4 is port unreachable
    h = Bench()
    socket = h.socket(6)
    h.do(socket.connect, ("fd00::2", 7))
    ((packet, _),) = h.pending
    h.forget()
    h.message(icmp.unreachable(6, 4, bytes(packet.joined())), "fd00::9", "fd00::1")
    assert socket.getsockopt(o.SOL_SOCKET, o.SO_ERROR) == ECONNREFUSED


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


@pytest.mark.parametrize(("protocol", "code"), [(17, 3), (132, 2)])
def test_a_protocol_that_nobody_speaks_is_unreachable(protocol: int, code: int):  # RFC 1122 3.2.2.1
    h = Bench()
    from lastack.wire import ipv4

    header = ipv4.build(parse_address("10.0.0.9"), parse_address("10.0.0.1"), protocol, 8)
    h.receive(Packet(header + bytes(8)))
    ((_, answer),) = h.pending
    h.forget()
    assert isinstance(answer, Message)
    assert (answer.type, answer.code) == (3, code)
