"""What the wire would see: checksums complete (RFC 9293 section 3.1), super-segments cut."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lastack.link.finishing import finish
from lastack.wire import ipv4
from lastack.wire.packet import COMPLETE, PARTIAL, VERIFIED, Packet
from lastack.wire.segment import ACK, CWR, FIN, PSH, URG
from tests.link.packets import believed, packet, text_of

VERSIONS = pytest.mark.parametrize("version", [4, 6])


@VERSIONS
@pytest.mark.parametrize("text", [b"", b"odd", b"even"])
def test_a_partial_checksum_becomes_the_complete_one(version: int, text: bytes) -> None:
    (finished,) = finish(packet(text, version=version, partial=True))
    (complete,) = finish(packet(text, version=version))
    assert finished.data == complete.data
    assert text_of(believed(finished)) == text


def test_a_complete_packet_in_one_buffer_passes_as_it_is() -> None:
    whole = packet()
    assert finish(whole) == [whole]


def test_what_a_device_vouched_for_gets_a_checksum_whatever_the_field_held() -> None:
    made = packet(b"text", partial=True)
    believed(finish(Packet(bytes(made.joined()), checksum=VERIFIED))[0])


@VERSIONS
def test_a_super_segment_is_cut_as_a_device_cuts_it(version: int) -> None:
    text = bytes(range(250))
    flags = ACK | PSH | FIN | CWR
    cuts = finish(packet(text, flags, 0xFFFFFFF0, version, gso_size=100, partial=True))
    segments = [believed(cut) for cut in cuts]
    assert [text_of(segment) for segment in segments] == [text[:100], text[100:200], text[200:]]
    assert [segment.seq for segment in segments] == [0xFFFFFFF0, 0x54, 0xB8]
    assert [segment.flags for segment in segments] == [ACK | CWR, ACK, ACK | PSH | FIN]
    if version == 4:
        assert [ipv4.parse(cut.data).identification for cut in cuts] == [7, 8, 9]


def test_the_urgent_pointer_of_a_cut_counts_from_its_own_start() -> None:  # RFC 9293 section 3.8.2
    cuts = [believed(cut) for cut in finish(packet(bytes(250), ACK | URG, gso_size=100, urgent=150))]
    assert [(cut.flags & URG, cut.urgent) for cut in cuts] == [(URG, 150), (URG, 50), (0, 0)]


def test_options_stand_in_every_cut() -> None:
    options = b"\x01\x01\x08\x0a\0\0\0\1\0\0\0\2"
    cuts = [believed(cut) for cut in finish(packet(bytes(30), gso_size=10, options=options))]
    assert [(cut.ts_val, cut.ts_ecr) for cut in cuts] == [(1, 2)] * 3


@given(
    st.binary(max_size=3000),
    st.integers(1, 1500),
    st.integers(0, 2**32 - 1),
    st.sampled_from([4, 6]),
    st.booleans(),
)
def test_cuts_put_together_are_the_super_segment(text: bytes, size: int, seq: int, version: int, partial: bool) -> None:
    cuts = [believed(cut) for cut in finish(packet(text, ACK, seq, version, size, partial))]
    assert b"".join(map(text_of, cuts)) == text
    at = seq
    for cut in cuts:
        assert cut.seq == at
        assert cut.length <= size
        at = (at + cut.length) & 0xFFFFFFFF


@given(st.binary(max_size=80), st.sampled_from([COMPLETE, VERIFIED, PARTIAL]), st.integers(0, 9), st.integers(0, 60))
def test_no_bytes_make_it_fail(data: bytes, checksum: int, gso_size: int, transport: int) -> None:
    assert finish(Packet(data, (), checksum, gso_size, transport))
