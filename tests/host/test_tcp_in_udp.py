"""TCP in UDP, as FreeBSD has it."""

from __future__ import annotations

from errno import ECONNREFUSED, EINVAL

import pytest

from lastack.host import options as o
from lastack.tcp import fast_open
from lastack.tcp.presets import PRESETS
from lastack.tcp.states import State
from lastack.wire import icmp, ipv4, segment
from lastack.wire.address import format_address, parse_address
from lastack.wire.datagram import build_tcp, parse, parse_ip
from lastack.wire.options import find_syn
from lastack.wire.packet import Packet
from lastack.wire.segment import CE, SYN, Segment
from lastack.wire.udp import carry
from tests.host.harness import Bench, errno_of
from tests.host.parts import ends, said
from tests.host.tunnelled import OURS, PEER, US, VERSIONS, Tunnelled, bench, called, opened

# --- TCP in UDP: connections of listeners ---


def test_it_is_off_unless_somebody_sets_it():
    assert all(not preset.udp_tunneling_port and not preset.udp_remote_port for preset in PRESETS.values())
    h = Bench()
    h.listen(80)
    h.receive(carry(build_tcp(*ends(4), Segment(4711, 80, 0, flags=SYN)), 5000, OURS))
    assert [(one.type, one.code) for one in said(h)] == [(3, 3)]


@VERSIONS
def test_all_goes_in_the_udp_that_the_syn_came_in(version: int):
    h, peer, child = opened(version)
    assert child.getsockopt(o.IPPROTO_TCP, o.TCP_REMOTE_UDP_ENCAPS_PORT) == 5000
    peer.gets("P. 1:201(200) ack 1")
    peer.sends(". 1:1(0) ack 201")
    assert len(h.do(child.recv, 999)) == 200
    h.do(child.send, bytes(100))
    peer.sends("P. 1:101(100) ack 201")
    h.after(1)
    assert len(h.pending) > 1  # again and again
    h.pending[1:] = []
    peer.sends("P. 1:101(100) ack 201")
    peer.gets(". 201:201(0) ack 101")
    h.do(child.close)
    peer.sends("F. 101:101(0) ack 201")
    peer.gets("F. 201:201(0) ack 102")
    peer.sends(". 102:102(0) ack 202")
    assert not h.host.connections() and len(h.host.time_wait) == 1
    h.after(30)
    peer.gets("F. 201:201(0) ack 102")  # the record knows it too, and 2MSL begins anew
    peer.sends(". 102:102(0) ack 202")
    h.after(59)
    assert peer.state is State.TIME_WAIT


@VERSIONS
@pytest.mark.parametrize("overhead", [8, 100])
def test_segments_are_smaller_by_it(version: int, overhead: int):  # FreeBSD udp_tunneling_overhead
    h = bench(udp_tunneling_overhead=overhead, gso=65_000)
    server = h.listen(80, version=version)
    peer = Tunnelled(h, version)
    headers = 40 if version == 4 else 60
    peer.gets("S 0:0(0) <mss 9000>")
    (syn_ack,) = peer.sends("S. 0:0(0) ack 1")
    assert find_syn(syn_ack.options)[0] == 1500 - headers - overhead
    peer.gets(". 1:1(0) ack 1")
    h.do(h.do(server.accept)[0].send, bytes(5000))
    assert max(len(packet) for packet, _ in h.pending) == 1500 - overhead + 8  # and no super-segments
    h.forget()


def test_the_peers_mss_is_of_text():  # it has counted the UDP header itself
    h = bench()
    server = h.listen(80)
    peer = Tunnelled(h)
    peer.opens("mss 1000")
    h.do(h.do(server.accept)[0].send, bytes(1500))
    peer.sends(". 1:1001(1000) ack 1", "P. 1001:1501(500) ack 1")


@VERSIONS
def test_cookies(version: int):  # RFC 4987 section 3.6
    h = bench(syn_cookies="always")
    h.listen(80, version=version)
    peer = Tunnelled(h, version)
    peer.gets("S 0:0(0) <mss 1400>")
    (syn_ack,) = peer.sends("S. 0:0(0) ack 1")
    assert find_syn(syn_ack.options)[0] == (1452 if version == 4 else 1432)
    assert not h.host.connections()
    peer.gets("P. 1:11(10) ack 1")
    peer.sends(". 1:1(0) ack 11")


@VERSIONS
def test_who_is_reset_is_so_in_udp(version: int):  # RFC 9293 3.10.7.1
    h = bench()
    peer = Tunnelled(h, version, local=81)
    peer.gets("S 0:0(0)")
    peer.sends("R. 0:0(0) ack 1")
    peer.gets("R 1:1(0)")
    h.silent()


@pytest.mark.parametrize("udp", [0, 5001])
def test_another_way_is_for_no_connection(udp: int):  # it is answered the way that it came
    h, peer, child = opened()
    peer.udp = udp
    for line, answer in (("P. 1:11(10) ack 1", "R 1:1(0)"), (". 9:9(0) ack 5", "R 5:5(0)"), ("R 1:1(0)", "")):
        peer.gets(line)
        peer.sends(*([answer] if answer else []))
    assert h.host.counters["dropped: not in its connection's UDP"] == 3
    peer.udp = 5000
    peer.gets("P. 1:11(10) ack 1")
    peer.sends(". 1:1(0) ack 11")
    assert child.getsockopt(o.IPPROTO_TCP, o.TCP_REMOTE_UDP_ENCAPS_PORT) == 5000


def test_a_plain_connection_takes_no_udp():
    h = bench()
    h.listen(80)
    peer = Tunnelled(h, udp=0)
    peer.opens()
    peer.udp = 5000
    peer.gets("P. 1:11(10) ack 1")
    peer.sends("R 1:1(0)")
    assert peer.state is State.ESTABLISHED


@pytest.mark.parametrize("close", [True, False])
def test_a_new_incarnation_may_come_another_way(close: bool):  # RFC 1122 4.2.2.13
    h, peer, child = opened()
    h.do(child.close) if close else h.do(child.shutdown, o.SHUT_WR)
    peer.sends("F. 1:1(0) ack 1")
    peer.gets("F. 1:1(0) ack 2")
    peer.sends(". 2:2(0) ack 2")
    peer.udp = 5001
    peer.gets("F. 1:1(0) ack 2")
    peer.sends("R 2:2(0)")
    peer.gets("S 1000:1000(0) <mss 1460>")
    assert len(h.pending) == 1
    peer.irs = peer.irs + 1000 & 0xFFFFFFFF
    peer.sends("S. 0:0(0) ack 1")
    assert peer.tcb.way is not None and peer.tcb.way.port == 5001


def test_who_has_no_port_cannot_be_answered():  # RFC 768
    h = bench()
    h.listen(80)
    h.receive(carry(build_tcp(*ends(4), Segment(4711, 80, 0, flags=SYN)), 0, OURS))
    h.silent()
    assert h.host.counters["dropped: UDP source port"] == 1


def test_congestion_is_seen_outside():  # RFC 3168: the field is IP's
    h, peer, _ = opened()
    got: list[int] = []
    h.watch.segment_in = lambda now, tcb, segment: got.append(segment.ecn)  # type: ignore[method-assign]
    segment_ce = peer.segment("P. 1:11(10) ack 1")
    segment_ce.ecn = CE
    h.receive(carry(build_tcp(peer.remote, peer.local, segment_ce), 5000, OURS))
    assert got == [CE]
    h.forget()


def routed(packet: Packet, route: bytes) -> Packet:
    """A packet of the peer's that has come by a source route."""
    data = packet.joined()
    header = parse_ip(data)
    body = data[header.start :]
    return Packet(ipv4.build(header.source, header.destination, header.protocol, len(body), options=route) + body)


def completed(gateway: str) -> bytes:
    return bytes((0x83, 7, 8)) + parse_address(gateway) + b"\0"


def test_a_source_route_goes_along():  # RFC 9293 MUST-53
    h = bench(source_routes=True)
    h.listen(80)
    peer = Tunnelled(h)
    h.receive(routed(peer.packet("S 0:0(0)"), completed("10.0.0.7")))
    assert format_address(parse_ip(h.pending[0][0].joined()).destination) == "10.0.0.7"
    peer.sends("S. 0:0(0) ack 1")
    way = peer.tcb.way
    assert way is not None and (len(way.options), way.port) == (8, 5000)
    peer.gets(". 1:1(0) ack 1")
    peer.udp = 0  # who comes without the UDP turns nothing to himself
    h.receive(routed(peer.packet(". 1:1(0) ack 1"), completed("10.0.0.8")))
    assert len(h.pending) == 1 and peer.tcb.way is way
    h.forget()


@VERSIONS
@pytest.mark.parametrize("cookies", ["when_full", "always"])
def test_the_listeners_own_options_go_along(version: int, cookies: str):  # RFC 9293 MUST-51, MUST-52
    h = bench(syn_cookies=cookies)
    h.listen(80, version=version).setsockopt(o.IPPROTO_IP, o.IP_OPTIONS, b"\x94\x04\0\0")
    peer = Tunnelled(h, version)
    peer.gets("S 0:0(0) <mss 1400>")
    assert parse_ip(h.pending[0][0].joined()).start == (24 if version == 4 else 40)
    peer.sends("S. 0:0(0) ack 1")
    peer.gets(". 1:1(0) ack 1")
    way = peer.tcb.way
    assert way is not None and (len(way.options), way.port) == (4 if version == 4 else 0, 5000)


def test_options_set_later_leave_the_udp():
    h, peer, child = opened()
    child.setsockopt(o.IPPROTO_IP, o.IP_OPTIONS, b"\x94\x04\0\0")
    assert peer.tcb.snd_mss == 1448
    h.do(child.send, bytes(2000))
    peer.sends(". 1:1449(1448) ack 1", "P. 1449:2001(552) ack 1")
    child.setsockopt(o.IPPROTO_IP, o.IP_OPTIONS, b"")
    peer.gets(". 1:1(0) ack 2001")
    h.do(child.send, bytes(1452))
    peer.sends("P. 2001:3453(1452) ack 1")


# --- of our own calls ---


@VERSIONS
def test_a_call_goes_in_udp(version: int):  # FreeBSD TCP_REMOTE_UDP_ENCAPS_PORT
    h, peer, socket = called(version, checksum_offload=True)
    (syn,) = peer.sends("S 0:0(0)")
    assert find_syn(syn.options)[0] == (1452 if version == 4 else 1432)
    peer.gets("S. 0:0(0) ack 1 <mss 1000>")
    peer.sends(". 1:1(0) ack 1")
    h.do(socket.send, bytes(10))
    peer.sends("P. 1:11(10) ack 1")
    assert socket.getsockopt(o.IPPROTO_TCP, o.TCP_REMOTE_UDP_ENCAPS_PORT) == 5000


def test_its_answer_comes_in_that_udp():
    _, peer, _ = called()
    peer.sends("S 0:0(0)")
    peer.udp = 0
    peer.gets("S. 0:0(0) ack 1 <mss 1000>")
    peer.sends("R 1:1(0)")
    assert peer.state is State.SYN_SENT
    peer.udp = 5000
    peer.gets("S. 0:0(0) ack 1 <mss 1000>")
    peer.sends(". 1:1(0) ack 1")


def test_when_the_port_may_be_set():
    option = (o.IPPROTO_TCP, o.TCP_REMOTE_UDP_ENCAPS_PORT)
    assert errno_of(lambda: Bench().socket().setsockopt(*option, 5000)) == EINVAL  # no port of our own
    h, _, socket = called()
    h.forget()
    assert errno_of(lambda: socket.setsockopt(*option, 5001)) == EINVAL
    assert errno_of(lambda: h.listen(80).setsockopt(*option, 5001)) == EINVAL
    fresh = h.socket()
    assert [errno_of(lambda value=value: fresh.setsockopt(*option, value)) for value in (-1, 65536)] == [EINVAL] * 2
    fresh.setsockopt(*option, 7000)
    assert fresh.getsockopt(*option) == 7000
    fresh.setsockopt(*option, 0)
    h.do(fresh.connect, ("10.0.0.2", 7))
    assert isinstance(h.pending.pop()[1], Segment)


def test_without_a_port_of_our_own_nothing_goes_in_udp():
    h = Bench(udp_remote_port=5000)
    h.do(h.socket().connect, ("10.0.0.2", 7))
    assert isinstance(h.pending.pop()[1], Segment)


def test_what_is_heard_and_what_a_syn_may_bear_count_it_too():
    _, peer, _ = opened()
    peer.gets("P. 1:1461(1460) ack 1")
    peer.sends(". 1:1(0) ack 1461")
    assert peer.tcb.rcv_mss == 1452
    assert fast_open.room(peer.tcb, 9000) == 1500 - 48 - 40  # RFC 7413 4.1.3


def test_a_syn_with_text_is_too_big_with_its_udp():  # RFC 7413 4.1.3
    h = bench(udp_remote_port=5000, fastopen_without_cookie=True)
    socket = h.socket()
    h.do(socket.sendto, bytes(3000), o.MSG_FASTOPEN, ("10.0.0.2", 7))
    peer = Tunnelled(h, 4, 7, socket.getsockname()[1])
    assert len(peer.sends("S 0:1412(1412)")) == 1
    h.message(icmp.too_big(4, 1456, quoted(peer, 4, 0, 5000).joined()), PEER[4], US[4])
    peer.sends("S 0:0(0)")


def test_a_host_may_call_itself_in_udp():
    h = bench(udp_remote_port=OURS)
    server = h.listen(80)
    socket = h.socket()
    h.do(socket.connect, ("10.0.0.1", 80))
    child = h.do(server.accept)[0]
    h.do(socket.send, b"text")
    assert h.do(child.recv, 10) == b"text"
    assert {tcb.way.port for tcb in h.host.connections() if tcb.way is not None} == {OURS}


# --- ICMP about it ---


def quoted(peer: Tunnelled, version: int, seq: int, udp: int, size: int = 1000) -> Packet:
    """A packet of ours as a router quotes it."""
    sent = Segment(peer.local_port, peer.port, peer.iss + seq & 0xFFFFFFFF, flags=segment.ACK)
    packet = build_tcp(peer.local, peer.remote, sent)
    return Packet((carry(packet, OURS, udp) if udp else packet).joined()[:size])


@VERSIONS
def test_the_path_takes_less(version: int):  # RFC 1191, RFC 8201: the MTU is of the whole packet
    h, peer, child = opened(version)
    h.do(child.send, bytes(1400))
    h.forget()
    start = 20 if version == 4 else 40
    good = quoted(peer, version, 1, 5000).joined()
    others = [quoted(peer, version, 1, udp, size).joined() for udp, size in ((0, 99), (5001, 99), (5000, start + 8))]
    for about in (*others, good[:start] + b"\0\1" + good[start + 2 :]):
        h.message(icmp.too_big(version, 1300, about), PEER[version], US[version])
        h.silent()
    assert h.host.counters["dropped: ICMP error for nothing under way"] == 4
    h.message(icmp.too_big(version, 1300, good), PEER[version], US[version])
    assert max(len(packet) for packet, _ in h.pending) == 1300
    assert peer.tcb.snd_mss == 1300 - start - 28
    h.forget()


@VERSIONS
def test_the_peer_carries_no_tcp_in_udp(version: int):  # RFC 9293 SHLD-26: its port unreachable is a hard error
    h, peer, socket = called(version)
    peer.sends("S 0:0(0)")
    about = quoted(peer, version, 0, 5000).joined()
    h.message(icmp.unreachable(version, 3 if version == 4 else 4, about), PEER[version], US[version])
    assert socket.getsockopt(o.SOL_SOCKET, o.SO_ERROR) == ECONNREFUSED
    assert parse(quoted(peer, version, 0, 5000))[1] is not None
