"""The law of the short cut of `parse`: it can be deleted without any observable change."""

from __future__ import annotations

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from lastack.host.keys import key_in
from lastack.wire.checksum import checksum
from lastack.wire.datagram import build_tcp, parse
from lastack.wire.glance import glance
from lastack.wire.options import build_timestamp
from lastack.wire.packet import COMPLETE, VERIFIED, Packet
from lastack.wire.segment import ACK, FIN, PSH, SYN, Segment

ADDRESSES = {4: (b"\x0a\0\0\1", b"\x0a\0\0\2"), 6: (b"\xfd" + bytes(14) + b"\1", b"\xfd" + bytes(14) + b"\2")}
OPTIONS = (b"", build_timestamp(7, 8), b"\1\1\5\x0a" + bytes(8), b"\2\4\5\xb4", b"\1\1\1\1" + bytes(8))


def packet(version: int, flags: int, options: bytes, text: bytes, ecn: int = 0) -> Packet:
    segment = Segment(1000, 2000, 1 << 31, 77, flags, 512, 0, options, (text,) if text else (), len(text))
    segment.ecn = ecn
    built = build_tcp(*ADDRESSES[version], segment, traffic_class=8)
    return Packet(built.joined(), (), COMPLETE, 0, built.transport)


def same(given: Packet) -> bool:
    """Whether it was taken at a glance; if so, `parse` must say the same."""
    seen = glance(given)
    if seen is None:
        return False
    header, body = parse(given)
    assert isinstance(body, Segment)
    assert header.protocol == 6 and not header.fragment_offset and not header.more_fragments
    assert seen[0] == key_in(given.data, header)
    for name in Segment.__slots__:
        assert getattr(seen[1], name) == getattr(body, name), name
    return True


@given(
    st.sampled_from((4, 6)),
    st.sampled_from((ACK, ACK | PSH, ACK | FIN)),
    st.sampled_from(OPTIONS[:2]),
    st.binary(max_size=40),
    st.integers(0, 3),
)
def test_plain_segments_are_taken(version: int, flags: int, options: bytes, text: bytes, ecn: int):
    assert same(packet(version, flags, options, text, ecn))


@given(st.sampled_from((4, 6)), st.integers(0, 511), st.sampled_from(OPTIONS), st.binary(max_size=9))
@example(4, ACK | SYN, OPTIONS[0], b"")
def test_others_are_left_alone(version: int, flags: int, options: bytes, text: bytes):
    plain = flags & ~(PSH | FIN) == ACK and options in OPTIONS[:2]
    assert same(packet(version, flags, options, text)) is plain


@given(st.data(), st.sampled_from((4, 6)), st.sampled_from(OPTIONS[:2]), st.sampled_from((COMPLETE, VERIFIED)))
def test_what_is_taken_was_right(data: st.DataObject, version: int, options: bytes, checksum: int):
    """Any octets changed, or cut off, or too many: a WireError of `parse` for what was taken fails the test."""
    octets = bytearray(packet(version, ACK, options, b"text").data)
    for _ in range(data.draw(st.integers(1, 3))):
        octets[data.draw(st.integers(0, len(octets) - 1))] = data.draw(st.integers(0, 255))
    octets = octets[: data.draw(st.integers(0, len(octets)))] + bytes(data.draw(st.integers(0, 3)))
    same(Packet(bytes(octets), (), checksum))
    same(Packet(memoryview(bytes(octets)), (), checksum, 1000))


@pytest.mark.parametrize("size", [0, 1, 340, 379, 380, 381, 382, 1447, 1448, 3001])
def test_a_wrong_checksum_is_seen_in_text_of_any_length(size: int):
    right = packet(4, ACK, OPTIONS[0], (bytes(range(1, 252)) * 12)[:size])
    assert same(right)
    for at in {20, len(right.data) - 1}:
        wrong = bytearray(right.data)
        wrong[at] ^= 1
        assert glance(Packet(bytes(wrong))) is None


@pytest.mark.parametrize(("offset", "value"), [(6, 0x20), (6, 0x41), (7, 1), (9, 17), (0, 0x46), (1, 3), (8, 0)])
def test_a_changed_header_with_a_right_checksum(offset: int, value: int):
    """Fragments, another protocol, options: not plain. Another class, another TTL: plain."""
    octets = bytearray(packet(4, ACK, OPTIONS[1], b"text").data)
    octets[offset] = value
    octets[10:12] = bytes(2)
    octets[10:12] = checksum(octets[:20]).to_bytes(2, "big")
    assert same(Packet(bytes(octets), (), VERIFIED)) is (offset in (1, 8))
