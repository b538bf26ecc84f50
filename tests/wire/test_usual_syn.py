"""The law of the short cuts for SYNs, at a glance and among the options: they can be deleted without any change."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lastack.wire import options as opt
from lastack.wire.errors import WireError
from lastack.wire.packet import COMPLETE, VERIFIED, Packet
from lastack.wire.segment import ACK, ECE, FIN, PSH, SYN
from tests.wire.test_glance import packet, same

USUAL = bytes.fromhex("020405b40402080a00000007000000080103030a")
OTHERS = (
    bytes.fromhex("020405b40402080a0000000700000008"),
    bytes.fromhex("020405b4010303070402080a0000000700000008"),
    bytes.fromhex("020405b401030307"),
    bytes.fromhex("020405b4010303070402080a000000070000000822020101"),
)


@pytest.mark.parametrize("flags", [SYN, SYN | ACK])
@pytest.mark.parametrize("version", [4, 6])
def test_a_usual_syn_is_taken(version: int, flags: int):
    for ecn in range(4):
        assert same(packet(version, flags, USUAL, b"", ecn))
        assert same(packet(version, flags, USUAL, b"text", ecn))


@pytest.mark.parametrize("version", [4, 6])
def test_others_are_left_alone(version: int):
    assert not any(same(packet(version, SYN, options, b"")) for options in OTHERS)
    assert not any(same(packet(version, flags, USUAL, b"")) for flags in (SYN | ACK | PSH, SYN | ECE, SYN | FIN, ACK))


@given(st.data(), st.sampled_from((4, 6)), st.sampled_from((COMPLETE, VERIFIED)), st.sampled_from((SYN, SYN | ACK)))
def test_what_is_taken_was_right(data: st.DataObject, version: int, checksum: int, flags: int):
    """Any octets changed, or cut off, or too many: a WireError of `parse` for what was taken fails the test."""
    octets = bytearray(packet(version, flags, USUAL, b"").data)
    for _ in range(data.draw(st.integers(1, 3))):
        octets[data.draw(st.integers(0, len(octets) - 1))] = data.draw(st.integers(0, 255))
    octets = octets[: data.draw(st.integers(0, len(octets)))] + bytes(data.draw(st.integers(0, 3)))
    same(Packet(bytes(octets), (), checksum))
    same(Packet(memoryview(bytes(octets)), (), checksum, 1000))


@given(st.lists(st.tuples(st.integers(0, 19), st.integers(0, 255)), max_size=3))
def test_the_usual_options_of_a_syn_say_what_they_say_one_by_one(changes: list[tuple[int, int]]):
    octets = bytearray(USUAL)
    for at, value in changes:
        octets[at] = value
    try:
        told = {one.kind: one for one in opt.parse(octets) if not isinstance(one, opt.Unknown)}
    except WireError:
        with pytest.raises(WireError):
            opt.find_syn(bytes(octets))
        return
    size, shift = told.get(2), told.get(3)
    assert opt.find_syn(bytes(octets)) == (size and size.value, shift and shift.shift, 4 in told)
