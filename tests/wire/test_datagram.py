from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lastack.wire import datagram, ipv4, ipv6, options
from lastack.wire.checksum import pseudo_header_sum
from lastack.wire.errors import WireError
from lastack.wire.packet import COMPLETE, PARTIAL, VERIFIED, Packet
from lastack.wire.segment import ACK, PSH, Segment
from tests.wire.vectors import KERNEL_4, KERNEL_6, KERNEL_PACKETS, OURS_4, OURS_6, SYN_4, SYN_6, TEXT_4, TEXT_6

PAIR = st.sampled_from(((KERNEL_4, OURS_4), (OURS_6, KERNEL_6), (b"\xff" * 4, b"\xff" * 4)))
SEGMENT = st.builds(
    Segment,
    st.integers(0, 0xFFFF),
    st.integers(0, 0xFFFF),
    st.integers(0, 0xFFFFFFFF),
    st.integers(0, 0xFFFFFFFF),
    st.integers(0, 0x1FF),
    st.integers(0, 0xFFFF),
    st.integers(0, 0xFFFF),
    st.sampled_from((b"", b"\1\1", options.build_timestamp(1, 2))),
)
TEXTS = st.lists(st.binary(max_size=9), max_size=4).map(tuple)


def wrong(packet: Packet) -> str:
    with pytest.raises(WireError) as caught:
        datagram.parse(packet)
    return caught.value.kind


@pytest.mark.parametrize(
    ("data", "fields"),
    [
        (SYN_4, {"identification": 0xFE64}),
        (TEXT_4, {"identification": 0xFE67}),
        (SYN_6, {"flow_label": 0x7F2B1}),
        (TEXT_6, {"flow_label": 0x7F2B1}),
    ],
)
def test_what_the_kernel_wrote_is_what_we_write(data, fields):
    header, segment = datagram.parse(Packet(data))
    assert isinstance(segment, Segment)
    packet = datagram.build_tcp(header.source, header.destination, segment, **fields)
    assert packet.joined() == data
    assert (packet.checksum, packet.transport, len(packet)) == (COMPLETE, header.start, len(data))


@given(PAIR, SEGMENT, TEXTS, st.integers(0, 255), st.integers(1, 255))
def test_round_trip(pair, segment, texts, traffic_class, hop_limit):  # RFC 8200 section 8.1
    segment.payload, segment.length = texts, sum(map(len, texts))
    segment.ecn = traffic_class & 3  # the segment's own, whatever the caller's traffic class says (RFC 3168 section 5)
    packet = datagram.build_tcp(*pair, segment, traffic_class=traffic_class, hop_limit=hop_limit)
    header, got = datagram.parse(packet)  # verifies both checksums
    assert (header.source, header.destination) == pair
    assert (header.traffic_class, header.hop_limit, got.ecn) == (traffic_class, hop_limit, traffic_class & 3)
    assert b"".join(got.payload) == b"".join(texts)
    for name in ("source_port", "destination_port", "seq", "ack", "flags", "window", "urgent", "length"):
        assert getattr(got, name) == getattr(segment, name)


@given(PAIR, SEGMENT, TEXTS)
def test_partial_is_the_pseudo_header_for_the_device_to_go_on_from(pair, segment, texts):
    segment.payload, segment.length = texts, sum(map(len, texts))
    partial = datagram.build_tcp(*pair, segment, checksum=PARTIAL)
    whole = partial.joined()
    field = int.from_bytes(whole[partial.transport + 16 : partial.transport + 18], "big")
    assert field == pseudo_header_sum(*pair, 6, len(whole) - partial.transport)
    assert partial.checksum == PARTIAL
    # What a device does (RFC 1071): sum from the transport header on, the field among it, and complement.
    tcp = whole[partial.transport :]
    done = 0xFFFF - (int.from_bytes(tcp + bytes(len(tcp) & 1), "big") % 65535 or 65535)
    finished = whole[: partial.transport + 16] + done.to_bytes(2, "big") + whole[partial.transport + 18 :]
    assert finished == datagram.build_tcp(*pair, segment).joined()


def test_payload_goes_out_without_a_copy():
    views = (memoryview(b"some"), memoryview(b"text"))
    packet = datagram.build_tcp(KERNEL_4, OURS_4, Segment(payload=views, length=8, gso_size=4), checksum=PARTIAL)
    assert packet.payload is views
    assert (len(packet.data), packet.gso_size) == (40, 4)


def test_offload_facts_come_in():
    packet = datagram.build_tcp(KERNEL_4, OURS_4, Segment(payload=(b"text",), length=4, gso_size=2), checksum=PARTIAL)
    assert datagram.parse(packet)[1].gso_size == 2  # and the checksum is not looked at
    for mark in (PARTIAL, VERIFIED):
        assert datagram.parse(Packet(TEXT_4[:-1] + b"?", checksum=mark))[1].length == 5


@pytest.mark.parametrize("data", KERNEL_PACKETS)
def test_every_wrong_bit_behind_the_ip_header_is_seen(data):  # RFC 9293 MUST-3
    datagram.parse(Packet(data))
    start = 20 if data[0] >> 4 == 4 else 40
    for bit in range(start * 8, len(data) * 8):
        bad = bytearray(data)
        bad[bit >> 3] ^= 1 << (bit & 7)
        assert wrong(Packet(bytes(bad))) in ("checksum", "data-offset", "option-length")


def test_other_protocols_have_no_body():
    assert datagram.parse(Packet(ipv4.build(KERNEL_4, OURS_4, 136, 4) + b"text"))[1] is None
    assert datagram.parse(Packet(ipv4.build(KERNEL_4, OURS_4, 58, 4) + b"text"))[1] is None  # ICMPv6 over IPv4
    assert datagram.parse(Packet(ipv6.build(KERNEL_6, OURS_6, 1, 4) + b"text"))[1] is None


def test_fragments_are_refused():
    for fields in ({"more_fragments": True}, {"fragment_offset": 8}):
        assert wrong(Packet(ipv4.build(KERNEL_4, OURS_4, 6, 20, **fields) + bytes(20))) == "fragment"


def test_neither_version():
    assert wrong(Packet(b"")) == "truncated"
    assert wrong(Packet(b"\x50" + bytes(59))) == "version"


@pytest.mark.parametrize(
    ("pair", "segment", "kind"),
    [
        ((KERNEL_4, OURS_6), Segment(), "address"),
        ((KERNEL_4, OURS_4), Segment(options=bytes(41)), "option-space"),
        ((KERNEL_4, OURS_4), Segment(seq=-1), "value"),
        ((KERNEL_6, OURS_6), Segment(flags=PSH | ACK, window=0x10000), "value"),
        ((KERNEL_4, OURS_4), Segment(payload=(bytes(65496),), length=65496), "length"),
        ((KERNEL_6, OURS_6), Segment(payload=(bytes(65516),), length=65516), "length"),
    ],
)
def test_what_cannot_be_built(pair, segment, kind):
    with pytest.raises(WireError) as caught:
        datagram.build_tcp(*pair, segment)
    assert caught.value.kind == kind
