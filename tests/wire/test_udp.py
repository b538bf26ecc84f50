"""UDP (RFC 768, RFC 8200 section 8.1), and TCP in it."""

from __future__ import annotations

import pytest

from lastack.wire import ipv4, segment
from lastack.wire.checksum import verify_transport
from lastack.wire.datagram import build_tcp, build_udp, parse, parse_ip
from lastack.wire.errors import WireError
from lastack.wire.ip_options import with_options
from lastack.wire.packet import COMPLETE, PARTIAL, VERIFIED, Packet
from lastack.wire.segment import ACK, Segment
from lastack.wire.udp import Datagram, carry
from tests.wire.vectors import KERNEL_4, KERNEL_6, OURS_4, OURS_6

# "hello" to port 9899 as the Linux kernel sends it.
HELLO_4 = bytes.fromhex("45000021753c4000401142e5c0a80001c0000201ac8b26ab000d662068656c6c6f")
HELLO_6 = bytes.fromhex(
    "600a8c20000d1140fd3d0a0b17d600000000000000000001fd3dfa7bd17d0000000000000000000188eb26ab000d241368656c6c6f"
)
PAIRS = ((KERNEL_4, OURS_4), (KERNEL_6, OURS_6))
VERSIONS = pytest.mark.parametrize("pair", PAIRS, ids=("4", "6"))


def wrong(data: bytes, checksum: int = COMPLETE) -> str:
    with pytest.raises(WireError) as caught:
        parse(Packet(data, checksum=checksum))
    return caught.value.kind


def changed(data: bytes, at: int, value: int, size: int = 2) -> bytes:
    """A field of the UDP header set."""
    at += parse_ip(data).start
    return data[:at] + value.to_bytes(size, "big") + data[at + size :]


@pytest.mark.parametrize("data", [HELLO_4, HELLO_6])
def test_what_the_kernel_sends_is_read_and_built_alike(data: bytes):
    header, datagram = parse(Packet(data))
    assert isinstance(datagram, Datagram)
    assert (datagram.destination_port, bytes(datagram.data)) == (9899, b"hello")
    built = build_udp(header.source, header.destination, datagram)
    assert built.joined()[header.start :] == data[header.start :]


@pytest.mark.parametrize("data", [HELLO_4, HELLO_6])
def test_what_is_malformed_is_no_datagram(data: bytes):  # RFC 768; RFC 1122 4.1.3.4
    assert [wrong(changed(data, 4, length)) for length in (0, 7, 14, 0xFFFF)] == ["length"] * 4
    assert wrong(changed(data, 8, ord("j"), 1)) == "checksum"
    start = parse_ip(data).start
    short = (ipv4.build(KERNEL_4, OURS_4, 17, 7) if start == 20 else data[:5] + b"\7" + data[6:40]) + data[start:][:7]
    assert wrong(short) == "truncated"
    parse(Packet(changed(data, 8, ord("j"), 1), checksum=VERIFIED))


def test_no_checksum_is_allowed_over_ipv4_alone():  # RFC 1122 4.1.3.4, RFC 8200 section 8.1
    assert isinstance(parse(Packet(changed(HELLO_4, 6, 0)))[1], Datagram)
    assert wrong(changed(HELLO_6, 6, 0)) == "checksum"


@VERSIONS
def test_a_checksum_of_zero_is_sent_as_all_ones(pair: tuple[bytes, bytes]):  # RFC 768
    plain = build_udp(*pair, Datagram(1, 2, b"\0\0")).joined()
    field = parse_ip(plain).start + 6
    least = int.from_bytes(plain[field : field + 2], "big")
    packet = build_udp(*pair, Datagram(1, 2, least.to_bytes(2, "big"))).joined()
    assert packet[field : field + 2] == b"\xff\xff"
    assert isinstance(parse(Packet(packet))[1], Datagram)


def test_what_ip_has_behind_the_datagram_is_left_alone():
    packet = ipv4.build(KERNEL_4, OURS_4, 17, 12) + build_udp(KERNEL_4, OURS_4, Datagram(1, 2, b"ab")).joined()[20:]
    assert bytes(parse(Packet(packet + b"??"))[1].data) == b"ab"


@VERSIONS
@pytest.mark.parametrize("text", [(), (b"odd",), (b"a", b"bcd", b"efg")])
def test_a_segment_is_carried_whole(pair: tuple[bytes, bytes], text: tuple[bytes, ...]):
    sent = Segment(80, 4711, 1, 2, ACK, 3, payload=text, length=sum(map(len, text)), options=b"\1\1\1\0")
    plain = build_tcp(*pair, sent, traffic_class=0x28, checksum=PARTIAL)
    packet = carry(plain, 9899, 5000)
    assert (packet.checksum, packet.transport, packet.payload) == (COMPLETE, plain.transport, text)
    header, datagram = parse(Packet(packet.joined()))
    assert (header.protocol, header.traffic_class, len(packet)) == (17, 0x28, len(plain) + 8)
    assert isinstance(datagram, Datagram)
    assert (datagram.source_port, datagram.destination_port) == (9899, 5000)
    got = segment.parse(datagram.data, 0, len(datagram.data))
    assert (got.seq, got.options, b"".join(got.payload)) == (1, sent.options, b"".join(text))
    assert bytes(datagram.data[16:18]) == b"\0\0"  # UDP's checksum is over all of it, and NATs would break TCP's own
    assert verify_transport(*pair, 17, packet.joined()[header.start :])


def test_options_go_before_the_udp():
    packet = with_options(carry(build_tcp(KERNEL_4, OURS_4, Segment(1, 2)), 3, 4), b"\x94\x04\0\0")
    header, datagram = parse(Packet(packet.joined()))
    assert (header.start, packet.transport) == (24, 24)
    assert isinstance(datagram, Datagram)


@VERSIONS
def test_there_is_a_longest(pair: tuple[bytes, bytes]):
    room = 65535 - 28 if len(pair[0]) == 4 else 65535 - 8
    text = bytes(room - 20)
    carry(build_tcp(*pair, Segment(1, 2, payload=(text,), length=len(text))), 3, 4)
    for build in (
        lambda: carry(build_tcp(*pair, Segment(1, 2, payload=(text, b"x"), length=len(text) + 1)), 3, 4),
        lambda: build_udp(*pair, Datagram(1, 2, bytes(room + 1))),
    ):
        with pytest.raises(WireError, match="length"):
            build()
    with pytest.raises(WireError, match="value"):
        build_udp(*pair, Datagram(1, 65536))
