"""Addresses that nobody outside can have: RFC 9293 section 3.9.2.3, RFC 1122 3.2.1.3, RFC 4291 2.5.3."""

from __future__ import annotations

import pytest

from lastack.tcp.states import State
from lastack.wire import icmp
from lastack.wire.address import parse_address
from lastack.wire.datagram import build_icmp, build_tcp
from lastack.wire.fragment import split
from lastack.wire.packet import Packet
from lastack.wire.segment import SYN, Segment
from tests.host.harness import Bench

ADDRESSES = ("10.0.0.1/24", "10.0.0.3/24", "127.0.0.1", "fd00::1", "fd00::3", "::1")
MARTIANS = [
    ("127.0.0.1", "10.0.0.1"),
    ("127.9.9.9", "10.0.0.1"),
    ("10.0.0.9", "127.0.0.1"),
    ("10.0.0.1", "10.0.0.1"),  # the LAND attack
    ("10.0.0.3", "10.0.0.1"),
    ("10.0.0.255", "10.0.0.1"),
    ("0.0.0.0", "10.0.0.1"),
    ("::1", "fd00::1"),
    ("fd00::9", "::1"),
    ("fd00::1", "fd00::1"),
    ("fd00::3", "fd00::1"),
    ("ff02::1", "fd00::1"),
    ("::", "fd00::1"),
]


def listening() -> Bench:
    h = Bench(addresses=ADDRESSES)
    h.listen(80, version=6)
    return h


@pytest.mark.parametrize(("source", "destination"), MARTIANS)
def test_they_are_dropped_and_counted(source: str, destination: str):  # RFC 9293 MUST-63
    h = listening()
    ends = parse_address(source), parse_address(destination)
    h.receive(build_tcp(*ends, Segment(4711, 80, 0, flags=SYN)))
    h.receive(build_icmp(*ends, icmp.echo_request(4 if len(ends[0]) == 4 else 6, 1, 1)))
    h.silent()
    assert (h.host.counters["dropped: source address"], h.host.connections()) == (2, [])


@pytest.mark.parametrize(("source", "destination"), MARTIANS)
def test_so_are_their_fragments(source: str, destination: str):
    h = listening()
    ends = parse_address(source), parse_address(destination)
    whole = build_icmp(*ends, icmp.echo_request(4 if len(ends[0]) == 4 else 6, 1, 1, bytes(3000)))
    for part in split(whole.joined(), 1500, 1):
        h.receive(Packet(part))
        assert len(h.host.fragments) == 0
    h.silent()


@pytest.mark.parametrize("address", ["10.0.0.1", "10.0.0.3", "127.0.0.1", "fd00::1", "::1"])
def test_within_the_host_they_are_addresses_like_others(address: str):
    h = listening()
    client = h.socket(6 if ":" in address else 4)
    h.do(client.connect, (address, 80))
    assert (client.state, h.host.counters["dropped: source address"]) == (State.ESTABLISHED, 0)
    h.silent()
