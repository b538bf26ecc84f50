"""ECN at a host: the field of the IP header both ways, SYN cookies, socket options, TCP_INFO. RFC 3168."""

from __future__ import annotations

import pytest

from lastack.host import options as o
from lastack.tcp.congestion import ALGORITHMS
from lastack.wire.datagram import build_tcp, parse_ip
from lastack.wire.packet import Packet
from tests.host.harness import Bench, Peer, connect

TS = "mss 1000,sackOK,TS val 100 ecr 0,nop,wscale 7"


def agreed(h: Bench, options: str = "mss 1000") -> Peer:
    """A peer that asked for ECN, established."""
    peer = h.peer()
    peer.gets(f"SEW 0:0(0) <{options}>")
    peer.sends("S.E 0:0(0) ack 1")
    peer.gets(". 1:1(0) ack 1")
    return peer


def info(peer: Peer) -> dict[str, int]:
    found = peer.tcb.socket.getsockopt(o.IPPROTO_TCP, o.TCP_INFO)
    assert isinstance(found, dict)
    return found


def accepted(h: Bench, peer: Peer):
    child, _ = h.do(h.host.listeners()[0].socket.accept)
    assert child.tcb is peer.tcb
    return child


@pytest.mark.parametrize("tos", [0, 0xFF])
def test_the_field_is_tcp_s_own_whatever_ip_tos_says(tos: int):  # RFC 3168 section 5: it is no part of the DSCP
    h = Bench(traffic_class=tos)
    h.listen()
    peer = agreed(h)
    child = accepted(h, peer)
    child.setsockopt(o.IPPROTO_IP, o.IP_TOS, tos)
    assert child.getsockopt(o.IPPROTO_IP, o.IP_TOS) == tos & 0xFC
    h.do(child.send, bytes(1000))
    assert [parse_ip(packet.joined()).traffic_class for packet, _ in h.pending] == [tos & 0xFC | 2]
    peer.sends("[ect0] P. 1:1001(1000) ack 1")
    h.after(60)
    assert {parse_ip(packet.joined()).traffic_class for packet, _ in h.pending} == {tos & 0xFC}  # sent again
    h.forget()


@pytest.mark.parametrize("version", [4, 6])
def test_a_mark_comes_in_with_the_packet(version: int):
    h = Bench()
    h.listen(80, version=version)
    ends = ("10.0.0.2", "10.0.0.1") if version == 4 else ("fd00::2", "fd00::1")
    peer = h.peer(remote=ends[0], address=ends[1])
    peer.gets("SEW 0:0(0) <mss 1000>")
    peer.sends("S.E 0:0(0) ack 1")
    peer.gets(". 1:1(0) ack 1")
    segment = peer.segment("[ce] P. 1:11(10) ack 1")
    h.receive(Packet(build_tcp(peer.remote, peer.local, segment).joined()))
    peer.sends(".E 1:1(0) ack 11")


@pytest.mark.parametrize("asks", [True, False])
def test_a_syn_cookie_remembers_it(asks: bool):  # RFC 4987 section 3.6, in the timestamp
    h = Bench(half_open_limit=0)
    h.listen()
    peer = h.peer()
    peer.gets(f"{'SEW' if asks else 'S'} 0:0(0) <{TS}>")
    (answer,) = peer.sends("S.E 0:0(0) ack 1" if asks else "S. 0:0(0) ack 1")
    peer.gets(f". 1:1(0) ack 1 <nop,nop,TS val 101 ecr {answer.ts_val}>")
    assert (peer.tcb.ecn is not None and peer.tcb.ecn.on) == asks


def test_a_syn_cookie_without_timestamps_or_without_ecn_promises_nothing():
    for options, settings in (("mss 1000", {}), (TS, {"ecn": "off"})):
        h = Bench(half_open_limit=0, **settings)
        h.listen()
        peer = h.peer()
        peer.gets(f"SEW 0:0(0) <{options}>")
        peer.sends("S. 0:0(0) ack 1")


def test_tcp_info_tells_of_it():
    h = Bench()
    h.listen()
    peer = agreed(h)
    child = accepted(h, peer)
    assert (info(peer)["tcpi_options"], info(peer)["tcpi_ca_state"]) == (8, 0)
    peer.gets("[ect0] P. 1:11(10) ack 1")
    peer.sends(". 1:1(0) ack 11")
    assert info(peer)["tcpi_options"] == 8 | 16
    h.do(child.send, bytes(20_000))
    h.forget()
    peer.gets(".E 11:11(0) ack 1001")
    h.forget()
    assert (info(peer)["tcpi_ca_state"], info(peer)["tcpi_snd_ssthresh"]) == (2, 7)  # CWR; CUBIC leaves 0.7 of ten


def test_tcp_info_tells_of_losses():
    h = Bench()
    socket, peer = connect(h)
    h.do(socket.send, bytes(8 * 1460))
    h.forget()
    for state in (1, 1, 3):  # Disorder, then Recovery
        peer.gets(". 1:1(0) ack 1")
        assert info(peer)["tcpi_ca_state"] == state
        h.forget()
    h.after(3)
    h.forget()
    assert (info(peer)["tcpi_ca_state"], info(peer)["tcpi_snd_cwnd"]) == (4, 1)  # Loss
    peer.gets(". 1:1(0) ack 1461")
    assert info(peer)["tcpi_ca_state"] == 4  # until all of that window is repaired
    h.forget()
    peer.gets(f". 1:1(0) ack {1 + 8 * 1460}")
    assert info(peer)["tcpi_ca_state"] == 0


def test_sack_and_the_other_options_are_told():
    h = Bench()
    h.listen()
    peer = h.peer()
    peer.gets(f"S 0:0(0) <{TS}>")
    (answer,) = peer.sends("S. 0:0(0) ack 1")
    peer.gets(f". 1:1(0) ack 1 <nop,nop,TS val 101 ecr {answer.ts_val}>")
    accepted(h, peer)
    assert info(peer)["tcpi_options"] == 1 | 2 | 4


@pytest.mark.parametrize("name", sorted(ALGORITHMS))
def test_tcp_congestion_takes_effect_at_once(name: str):
    h = Bench()
    socket, peer = connect(h)
    socket.setsockopt(o.IPPROTO_TCP, o.TCP_CONGESTION, name)
    assert type(peer.tcb.congestion) is ALGORITHMS[name]
    assert socket.getsockopt(o.IPPROTO_TCP, o.TCP_CONGESTION) == name
