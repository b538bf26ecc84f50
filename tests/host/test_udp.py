"""Datagrams for nobody: RFC 1122 4.1.3.1, RFC 4443 section 3.1."""

from __future__ import annotations

import pytest

from lastack.wire import ipv4
from lastack.wire.address import parse_address
from lastack.wire.datagram import build_udp, parse_ip
from lastack.wire.udp import Datagram
from tests.host.harness import Bench
from tests.host.parts import ends, gets, said
from tests.host.tunnelled import OURS, VERSIONS, bench


def datagram(version: int, size: int = 3, port: int = 53, destination: str = "") -> bytes:
    source, ours = ends(version)
    made = Datagram(4000, port, bytes(size))
    return bytes(build_udp(source, parse_address(destination) if destination else ours, made).joined())


@VERSIONS
@pytest.mark.parametrize("size", [0, 3, 1400])
def test_nobody_has_the_port(version: int, size: int):  # RFC 1122 4.1.3.1, RFC 4443 section 3.1
    h = Bench()
    gets(h, datagram(version, size))
    (packet, _), (answer,) = h.pending[0], said(h)
    assert (answer.type, answer.code) == ((3, 3) if version == 4 else (1, 4))
    assert bytes(answer.data) == datagram(version, size)[: len(answer.data)]  # RFC 1812 4.3.2.3, RFC 4443 2.4 (c)
    room, most = (28, 576) if version == 4 else (48, 1280)
    assert len(packet) == min(len(datagram(version, size)) + room, most)
    assert (answer.quoted.source_port, answer.quoted.destination_port) == (4000, 53)
    assert h.host.counters["dropped: UDP port"] == 1


@pytest.mark.parametrize("destination", ["10.0.0.255", "255.255.255.255", "224.0.0.1", "ff02::1"])
def test_no_group_is_told(destination: str):  # RFC 1122 section 3.2.2, RFC 4443 section 2.4 (e)
    h = Bench(addresses=("10.0.0.1/24", "fd00::1"))
    gets(h, datagram(6 if ":" in destination else 4, destination=destination))
    h.silent()


def test_what_is_told_is_limited():  # RFC 4443 section 2.4 (f)
    h = Bench(icmp_per_second=10, icmp_burst=4)
    gets(h, *[datagram(4)] * 9)
    assert len(said(h)) == 4
    assert h.host.counters["limit: ICMP"] == 5


@VERSIONS
@pytest.mark.parametrize("port", [53, OURS])
def test_what_is_malformed_is_dropped_and_counted(version: int, port: int):
    h, good = bench(), datagram(version, 30, port)
    at = parse_ip(good).start

    def having(field: int, value: int) -> bytes:
        return good[: at + field] + value.to_bytes(2, "big") + good[at + field + 2 :]

    short = ipv4.build(*ends(4), 17, 5) + good[at : at + 5] if version == 4 else good[:4] + b"\0\5" + good[6 : at + 5]
    gets(h, having(4, 7), having(4, 39), having(4, 0xFFFF), having(8, 1), having(6, 1), short)
    h.silent()
    assert {name: count for name, count in h.host.counters.items() if name.startswith("dropped")} == {
        "dropped: length": 3,
        "dropped: checksum": 2,
        "dropped: truncated": 1,
    }
    gets(h, having(6, 0))  # RFC 768: none was made; over IPv6 there is always one (RFC 8200 section 8.1)
    if version == 6:
        assert h.host.counters["dropped: checksum"] == 3
    elif port == 53:
        assert len(said(h)) == 1
    else:
        assert h.host.counters["dropped: data-offset"] == 1  # 30 zeros are no segment
    h.silent()
