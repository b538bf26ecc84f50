"""Listeners and demultiplexing: RFC 9293 sections 3.10.7.1 and 3.10.7.2."""

from __future__ import annotations

import pytest

from lastack.tcp import arrives
from lastack.tcp.states import Event, State
from lastack.wire.address import parse_address
from lastack.wire.datagram import build_tcp
from lastack.wire.segment import SYN, Segment
from tests.host.harness import Bench, Peer, connect


def test_a_connection_is_accepted():
    h = Bench()
    server = h.listen(80)
    peer = h.connected()
    assert (peer.state, server.state, server.readable()) == (State.ESTABLISHED, State.LISTEN, True)
    assert server in h.host.ready()
    child, address = h.do(server.accept)
    assert (address, child.getsockname(), child.getpeername()) == (
        ("10.0.0.2", 4711),
        ("10.0.0.1", 80),
        ("10.0.0.2", 4711),
    )
    peer.gets("P. 1:6(5) ack 1")
    peer.sends(". 1:1(0) ack 6")
    assert h.do(child.recv, 100) == bytes(5)


def test_each_connection_has_its_own_state():  # MUST-42, the pair of sockets names it
    h = Bench()
    h.listen(80)
    first, second = h.connected(1000), h.connected(1001)
    first.gets("F. 1:1(0) ack 1")
    first.sends(". 1:1(0) ack 2")
    assert (first.state, second.state) == (State.CLOSE_WAIT, State.ESTABLISHED)


def test_one_port_on_two_addresses():
    h = Bench()
    one, other = h.listen(80, address="10.0.0.1"), h.listen(80, address="10.0.0.3")
    h.connected(1000, address="10.0.0.3")
    assert (one.readable(), other.readable()) == (False, True)


def test_the_listener_of_the_address_goes_before_that_of_any():
    h = Bench()
    anyone, named = h.listen(80, reuse=True), None
    assert anyone.state is State.LISTEN
    named = h.socket(reuse=True)
    assert -h.do(lambda now: named.bind(("10.0.0.1", 80))) == 98  # Linux: not beside a listener


def test_ipv6_has_its_own_ports():  # RFC 3493 section 5.3
    h = Bench(v6only=True)
    h.listen(80)
    h.listen(80, version=6)
    h.connected(remote="fd00::2", address="fd00::1")


@pytest.mark.parametrize("destination", ["10.0.0.2", "10.0.0.255", "255.255.255.255", "224.0.0.1", "127.0.0.1"])
def test_packets_for_somebody_else_are_dropped(destination: str):  # MUST-57
    h = Bench()
    h.listen(80)
    h.receive(build_tcp(parse_address("10.0.0.9"), parse_address(destination), Segment(1, 80, flags=SYN)))
    assert h.host.counters["dropped: not our address"] == 1


@pytest.mark.parametrize("source", ["255.255.255.255", "224.0.0.1", "0.0.0.0"])
def test_packets_from_nobody_are_dropped(source: str):  # MUST-63
    h = Bench()
    h.listen(80)
    h.receive(build_tcp(parse_address(source), parse_address("10.0.0.1"), Segment(1, 80, flags=SYN)))
    assert h.host.counters["dropped: source address"] == 1
    assert not h.host.tcbs


def test_a_segment_for_nobody_is_reset():  # section 3.10.7.1
    h = Bench()
    peer = h.peer(local=81)
    peer.gets("S 0:0(0)")
    peer.sends("R. 0:0(0) ack 1")
    peer.gets(". 5:5(0) ack 7")
    peer.sends("R 7:7(0)")
    peer.gets("R 5:5(0)")
    peer.gets("R. 5:5(0) ack 7")


def test_resets_for_nobody_are_limited():  # per second
    h = Bench(rst_per_second=3)
    peer = h.peer(local=81)
    for _ in range(3):
        peer.gets(". 5:5(0) ack 7")
        peer.sends("R 7:7(0)")
    peer.gets(". 5:5(0) ack 7")
    assert h.host.counters["limit: RST"] == 1
    h.after(1)
    peer.gets(". 5:5(0) ack 7")
    peer.sends("R 7:7(0)")


def test_a_bad_checksum_is_dropped_and_counted():  # MUST-3
    h = Bench()
    h.listen(80)
    packet = bytearray(
        build_tcp(parse_address("10.0.0.9"), parse_address("10.0.0.1"), Segment(1, 80, flags=SYN)).joined()
    )
    packet[-1] ^= 1
    from lastack.wire.packet import Packet

    h.receive(Packet(bytes(packet)))
    assert h.host.counters["dropped: checksum"] == 1


# --- limits ---


@pytest.mark.parametrize("backlog", [0, 1, 3])
def test_a_full_accept_queue_drops_the_syn(backlog: int):  # as Linux: backlog + 1 fit
    h = Bench()
    server = h.listen(80, backlog)
    for number in range(backlog + 1):
        h.connected(1000 + number)
    late = h.peer(2000)
    late.gets("S 0:0(0)")
    assert h.host.counters["limit: accept queue, SYN dropped"] == 1
    h.do(server.accept)
    late.gets("S 0:0(0)")
    late.sends("S. 0:0(0) ack 1")


def second_of_two(h: Bench) -> Peer:
    """Two have sent SYNs, and the ACK of the first has filled the accept queue: the second."""
    first, second = h.peer(1000), h.peer(1001)
    for peer in (first, second):
        peer.gets("S 0:0(0)")
        peer.sends("S. 0:0(0) ack 1")
    first.gets(". 1:1(0) ack 1")
    return second


def test_a_full_accept_queue_drops_the_final_ack():
    h = Bench()
    server = h.listen(80, 0)
    second = second_of_two(h)
    second.gets(". 1:1(0) ack 1")
    assert (second.state, h.host.counters["limit: accept queue, ACK dropped"]) == (State.SYN_RCVD, 1)
    h.do(server.accept)
    second.gets(". 1:1(0) ack 1")
    assert second.state is State.ESTABLISHED


def test_the_syn_ack_goes_again_until_there_is_room():
    h = Bench()
    h.listen(80, 0)
    second = second_of_two(h)
    second.gets(". 1:1(0) ack 1")
    h.after(1)
    second.sends("S. 0:0(0) ack 1")


def test_or_it_resets():  # tcp_abort_on_overflow
    h = Bench(abort_on_overflow=True)
    h.listen(80, 0)
    second = second_of_two(h)
    second.gets(". 1:1(0) ack 1")
    second.sends("R. 1:1(0) ack 1")
    assert second.state is State.CLOSED


def test_a_syn_ack_does_not_get_past_a_full_queue():
    h = Bench()
    server = h.listen(80, 0)
    second = second_of_two(h)
    second.gets("S. 0:0(0) ack 1")
    h.forget()
    assert second.state is State.SYN_RCVD
    assert len(server.listener.accepted) == 1


def test_half_open_connections_are_limited():  # RFC 4987 3.2
    h = Bench(half_open_limit=2, syn_cookies="off")
    h.listen(80)
    for number in range(3):
        h.peer(1000 + number).gets("S 0:0(0)")
        assert h.forget() == (number < 2)
    assert h.host.counters["limit: half-open, SYN dropped"] == 1
    h.after(247)  # the SYN,ACKs are given up
    h.forget()
    assert not h.host.tcbs
    h.peer(1003).gets("S 0:0(0)")
    assert h.forget() == 1


def test_a_reset_makes_room_for_the_next():
    h = Bench(half_open_limit=1)
    h.listen(80)
    peer = h.peer(1000)
    peer.gets("S 0:0(0)")
    peer.sends("S. 0:0(0) ack 1")
    peer.gets("R 1:1(0)")
    assert h.watch.edges[-1] == (State.SYN_RCVD, Event.RCV_RST_PASSIVE)
    h.connected(1001)


def test_a_closing_listener_resets_the_children_that_nobody_took():
    h = Bench()
    server = h.listen(80)
    taken = h.connected(1000)
    child, _ = h.do(server.accept)
    h.connected(1001)
    half = h.peer(1002)
    half.gets("S 0:0(0)")
    half.sends("S. 0:0(0) ack 1")
    h.do(server.close)
    assert [body.flags & 4 for _, body in h.pending] == [4, 4]
    h.forget()
    assert (taken.state, child.state, len(h.host.tcbs)) == (State.ESTABLISHED, State.ESTABLISHED, 1)
    assert not h.host.listeners()


def test_a_child_that_ends_before_it_is_taken_says_so():
    h = Bench()
    server = h.listen(80)
    peer = h.connected()
    peer.gets("P. 1:4(3) ack 1")
    peer.sends(". 1:1(0) ack 4")
    peer.gets("R 4:4(0)")
    child, _ = h.do(server.accept)
    assert h.do(child.recv, 9) == bytes(3)
    assert h.do(child.recv, 9) == -104


def test_two_syns_at_once():
    h = Bench()
    h.listen(80)
    peer = h.peer()
    peer.gets("S 0:0(0)", "S 0:0(0)")
    peer.sends("S. 0:0(0) ack 1")


def test_an_observer_hears_of_everything():
    h = Bench()
    h.listen(80)
    h.connected()
    assert h.watch.calls == ["OPEN"]
    assert h.watch.edges == [
        (State.CLOSED, Event.PASSIVE_OPEN),
        (State.LISTEN, Event.RCV_SYN),
        (State.SYN_RCVD, Event.RCV_ACK_OF_SYN),
    ]


def test_the_loop_inside_a_host():
    h = Bench()
    server = h.listen(80)
    socket = h.socket()
    assert h.do(socket.connect, ("10.0.0.1", 80)) == -115
    child, _ = h.do(server.accept)
    assert h.do(socket.send, b"hello") == 5
    assert h.do(child.recv, 9) == b"hello"


def test_a_socket_connects_to_itself():  # section 3.5, a simultaneous open with oneself
    h = Bench()
    socket = h.socket()
    socket.bind(("10.0.0.1", 9999))
    h.do(socket.connect, ("10.0.0.1", 9999))
    assert socket.state is State.ESTABLISHED
    assert h.do(socket.send, b"hello") == 5
    assert h.do(socket.recv, 9) == b"hello"


def test_packets_to_oneself_that_never_end_are_cut_short(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(arrives, "_trim_syn_of_figure_8", lambda tcb, segment: None)  # each SYN,ACK calls for another
    h = Bench()
    socket = h.socket()
    socket.bind(("10.0.0.1", 9999))
    h.do(socket.connect, ("10.0.0.1", 9999))
    assert h.host.counters["limit: packets to ourselves"] == 1
    assert h.host.counters["packets in"] == h.host.config.loop_back_rounds


def test_checksums_and_cutting_may_be_left_to_the_device():
    h = Bench(gso=65_000, checksum_offload=True)
    socket, peer = connect(h)
    h.do(socket.send, bytes(10_000))
    ((packet, _),) = h.pending
    assert (packet.gso_size, packet.checksum) == (1460, 2)
    h.forget()
    assert peer.tcb.snd_nxt == peer.iss + 10_001 & 0xFFFFFFFF


def test_a_stranger_who_does_not_answer_is_no_delivery_problem():  # R1 is advice to a user (SHLD-9): here is none yet
    h = Bench()
    h.listen()
    h.peer().gets("S 0:0(0)")
    h.after(20)
    assert h.forget() > h.host.config.r1_retransmissions + 1
    assert not h.host.counters["R1 reached: not acknowledged"]
