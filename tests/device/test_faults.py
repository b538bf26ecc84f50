"""Fault rules and captures in front of a device."""

from __future__ import annotations

from random import Random

import pytest

from lastack.device.driver import Driver
from lastack.link.pipeline import Pipeline
from lastack.link.rules import Corrupt, Delay, Rule
from lastack.link.targeted import Mtu
from lastack.wire import datagram, icmp
from lastack.wire.errors import WireError
from lastack.wire.packet import COMPLETE, PARTIAL, VERIFIED, Packet
from tests.device.peers import Timed, Wire, parsed, segment


def test_a_rule_s_replies_go_back_to_the_sender(wire: Wire) -> None:
    # RFC 1191 section 4: the router that cannot pass a packet on tells its source.
    host = Timed()
    with Driver(host, wire) as driver:
        driver.outgoing.pipeline.add(Mtu(1000))
        host.sending = [segment(length=1400)]
        driver.turn(0)
        assert wire.written == []
        assert [datagram.parse(packet)[0].protocol for packet in host.seen] == [icmp.PROTOCOL_4]
        driver.outgoing.pipeline.rules.clear()
        driver.incoming.pipeline.add(Mtu(1000))
        wire.far.send(segment(length=1400).joined())
        driver.turn()
        assert [datagram.parse(packet)[0].protocol for packet in wire.written] == [icmp.PROTOCOL_4]
        assert len(host.seen) == 1


def test_what_a_rule_s_reply_makes_a_host_send_leaves_at_once(wire: Wire) -> None:
    host = Timed()
    with Driver(host, wire, on_ready=lambda now, sockets: None) as driver:
        driver.outgoing.pipeline.add(Mtu(1000))
        host.sending = [segment(length=1400)]
        host.receive = lambda now, packet: host.sending.append(segment(length=900))  # type: ignore[method-assign]
        driver.settle(driver.clock())
    assert [parsed(packet).length for packet in wire.written] == [900]


def test_rules_get_finished_packets_on_the_way_out(wire: Wire) -> None:
    host = Timed()
    with Driver(host, wire, outgoing=Pipeline([Rule("none")])) as driver:
        host.sending = [segment(PARTIAL, 3000, gso=1000)]
        driver.turn(0)
    assert [parsed(packet).length for packet in wire.written] == [1000, 1000, 1000]
    assert {packet.checksum for packet in wire.written} == {COMPLETE}


def test_a_corrupted_packet_is_one_that_the_receiver_verifies(wire: Wire) -> None:
    # The kernel believes a packet whose checksum is left to it: so it must not be left to it.
    host = Timed()
    with Driver(host, wire, outgoing=Pipeline([Corrupt(1.0, Random(1))])) as driver:
        host.sending = [segment(PARTIAL, 100) for _ in range(20)]
        driver.turn(0)
    assert {packet.checksum for packet in wire.written} == {COMPLETE}
    kinds = set()
    for packet in wire.written:
        with pytest.raises(WireError) as caught:
            parsed(packet)
        kinds.add(caught.value.kind)
    assert "checksum" in kinds


def test_rules_get_finished_packets_on_the_way_in(wire: Wire) -> None:
    host = Timed()
    wire.came = (VERIFIED, 1000)
    with Driver(host, wire, incoming=Pipeline([Rule("none")])) as driver:
        wire.far.send(segment(PARTIAL, 2500).joined())
        driver.turn()
    assert [parsed(packet).length for packet in host.seen] == [1000, 1000, 500]
    assert {packet.checksum for packet in host.seen} == {COMPLETE}


def test_without_rules_packets_pass_as_they_are(wire: Wire) -> None:
    host = Timed()
    wire.came = (VERIFIED, 1000)
    taps: list[tuple[bool, int]] = []

    def tap(now: int, outgoing: bool, packet: Packet) -> None:
        taps.append((outgoing, parsed(packet).length))

    sent = segment(PARTIAL, 1500, gso=1000)
    with Driver(host, wire, taps=[tap]) as driver:
        wire.far.send(segment(PARTIAL, 2500).joined())
        driver.turn()
        host.sending = [sent]
        driver.turn(0)
    assert [(packet.checksum, packet.gso_size) for packet in host.seen] == [(VERIFIED, 1000)]
    assert wire.written == [sent]
    # Captures see what a wire would have carried.
    assert taps == [(False, 1000), (False, 1000), (False, 500), (True, 1000), (True, 500)]


@pytest.mark.parametrize("outgoing", [True, False])
def test_a_delayed_packet_arrives_in_its_time(wire: Wire, outgoing: bool) -> None:
    host = Timed()
    time = [0]
    with Driver(host, wire, clock=lambda: time[0]) as driver:
        (driver.outgoing if outgoing else driver.incoming).pipeline.add(Delay(1000, generator=Random(1)))
        if outgoing:
            host.sending = [segment()]
        else:
            wire.far.send(segment().joined())
        arrived = wire.written if outgoing else host.seen
        counts = []
        for time[0] in (0, 999, 1000):
            driver.turn(0)
            counts.append(len(arrived))
    assert counts == [0, 0, 1]
