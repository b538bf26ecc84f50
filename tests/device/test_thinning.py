"""ACK filtering: of ACKs that wait together only those are passed over that say nothing of their own."""

from __future__ import annotations

import pytest

from lastack.device.driver import Driver
from lastack.device.thinning import newest
from lastack.wire.datagram import build_tcp
from lastack.wire.options import build_timestamp
from lastack.wire.packet import COMPLETE, VERIFIED, Packet
from lastack.wire.segment import ACK, ECE, FIN, PSH, Segment
from tests.device.peers import Wire

ENDS = {4: (b"\x0a\0\0\1", b"\x0a\0\0\2"), 6: (b"\xfd" + bytes(14) + b"\1", b"\xfd" + bytes(14) + b"\2")}


def ack(number: int, version: int = 4, checksum: int = VERIFIED, **changed: object) -> Packet:
    segment = Segment(1000, 2000, 7, number & 0xFFFF_FFFF, ACK, 500, 0, build_timestamp(number >> 8, 9))
    for name, value in changed.items():
        setattr(segment, name, value)
    built = build_tcp(*ENDS[version], segment)
    return Packet(memoryview(built.joined()), (), checksum, 0, built.transport)


@pytest.mark.parametrize("version", [4, 6])
@pytest.mark.parametrize("first", [1000, 0xFFFF_FFF0])
def test_the_newest_stands_for_those_before_it(version: int, first: int):  # RFC 3449 5.2.1
    packets = [ack(first + 8 * number, version) for number in range(5)]
    assert newest(packets) == packets[-1:]


def test_some_of_many_stay():
    packets = [ack(number) for number in range(1, 21)]
    assert newest(packets) == [packets[7], packets[15], packets[19]]


@pytest.mark.parametrize("version", [4, 6])
@pytest.mark.parametrize(
    "other",
    [
        {"payload": (b"text",), "length": 4},
        {"flags": ACK | FIN},
        {"flags": ACK | ECE},
        {"flags": ACK | PSH},
        {"window": 501},
        {"seq": 8},
        {"source_port": 1001},
        {"options": b"\1\1\5\x0a" + bytes(8)},
        {"options": build_timestamp(1, 2) + b"\1\1\5\x0a" + bytes(8)},
        {"options": b""},
    ],
)
def test_what_says_more_is_kept(version: int, other: dict[str, object]):
    packets = [ack(10, version, **other), ack(20, version), ack(30, version, **other)]
    assert newest(packets) == packets
    if other.keys() & {"flags", "options", "payload"}:
        packets = [ack(10, version, **other), ack(20, version, **other)]
        assert newest(packets) == packets


def test_what_says_the_same_again_or_less_is_kept():  # RFC 5681 section 2: duplicate ACKs count
    packets = [ack(number) for number in (10, 10, 10, 5, 5)]
    assert newest(packets) == packets


def test_an_older_time_is_not_newer():  # RFC 7323 5: PAWS would refuse it
    packets = [ack(0x1000), ack(0x1008, options=build_timestamp(0x0F, 9))]
    assert newest(packets) == packets


@pytest.mark.parametrize(("offset", "value"), [(1, 3), (3, 53), (6, 0x20), (7, 8), (9, 17)])
def test_what_is_no_plain_ack_of_ours_passes_over_nothing(offset: int, value: int):
    octets = bytearray(ack(20).data)
    octets[offset] = value
    packets = [ack(10), Packet(memoryview(bytes(octets)), (), VERIFIED)]
    assert newest(packets) == packets


def test_text_apart_is_text():
    other = ack(10)
    packets = [Packet(other.data, (b"text",), VERIFIED), ack(20)]
    assert newest(packets) == packets


def test_what_may_be_wrong_is_no_news():
    packets = [ack(number, checksum=COMPLETE) for number in (10, 20, 30)]
    assert newest(packets) == packets


def test_the_loop_passes_them_over_where_nobody_looks(driver: Driver, wire: Wire):
    wire.came = (VERIFIED, 0)
    for watched in (False, True):
        if watched:
            driver.taps.append(lambda now, outgoing, packet: None)
        for number in (10, 20, 30):
            wire.far.send(ack(number).joined())
        driver.turn()
    assert driver.counters.packets_in == 6
    assert driver.counters.passed_over == 2
