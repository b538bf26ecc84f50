from __future__ import annotations

from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lastack.wire.checksum import (
    checksum,
    fold,
    pseudo_header_sum,
    residue,
    sum_of,
    transport_checksum,
    verify,
    verify_transport,
)
from tests.wire.vectors import KERNEL_4, OURS_4, SYN_4


def slow_sum(data: bytes) -> int:
    """RFC 1071 section 4.1, word by word."""
    total = 0
    for at in range(0, len(data), 2):
        total += int.from_bytes(data[at : at + 2].ljust(2, b"\0"), "big")
        total = (total & 0xFFFF) + (total >> 16)
    return total


def test_rfc_1071_example():  # section 3: the sum is ddf2
    assert fold(sum_of(bytes.fromhex("0001f203f4f5f6f7"))) == 0xDDF2


@given(st.lists(st.binary(max_size=9), max_size=6))
def test_parts_sum_as_the_whole_does_word_by_word(parts):
    assert fold(sum_of(*parts)) == slow_sum(b"".join(parts))
    assert fold(sum_of(*map(memoryview, parts))) == slow_sum(b"".join(parts))


@pytest.mark.parametrize("size", [0, 1, 1459, 1460, 65535])
def test_large_buffers_of_the_extreme_bytes(size):
    assert fold(sum_of(b"\xff" * size)) == slow_sum(b"\xff" * size)
    assert fold(sum_of(bytes(size))) == 0


@pytest.mark.parametrize("size", [398, 399, 400, 401, 1448, *range(1531, 1546)])
def test_a_packet_of_ordinary_size_sums_word_by_word(size):  # RFC 1071 section 1
    data = Random(size).randbytes(size)
    for one in (data, b"\xff" * size, bytes(size - 1) + b"\x01"):
        assert fold(sum_of(one)) == fold(sum_of(memoryview(one))) == slow_sum(one)
        assert fold(sum_of(b"odd", one, one, b"ends")) == slow_sum(b"odd" + one + one + b"ends")


@pytest.mark.parametrize("size", [255, 511, 512, 513, 1024, 1480, 4096, 65535, 131073, 300000])
def test_a_long_sum_is_shortened_and_stays_the_same(size):
    number = int.from_bytes(Random(size).randbytes(size), "big")
    assert residue(number) == number % 65535
    for near in (1 << 8 * size, (1 << 8 * size) - 1):
        assert residue(near) == near % 65535


def test_both_zeros():
    """RFC 1624 section 3: a sum of words that are not all zero is never 0, so its checksum is never 0xFFFF."""
    assert checksum(b"\0\0") == 0xFFFF
    assert checksum(b"\xff\xff") == 0
    assert not verify(bytes(8))
    assert verify(b"\xff\xff" + bytes(6))


@given(st.binary(min_size=1, max_size=64), st.integers(0, 7), st.data())
def test_one_wrong_bit_is_seen(data, bit, draw):
    whole = data + bytes(len(data) & 1)
    whole += checksum(whole).to_bytes(2, "big")
    assert verify(whole)
    bad = bytearray(whole)
    bad[draw.draw(st.integers(0, len(bad) - 1))] ^= 1 << bit
    assert not verify(bad)


def test_the_kernels_segment():
    tcp = SYN_4[20:]
    zeroed = (tcp[:16], b"\0\0", tcp[18:])
    assert transport_checksum(KERNEL_4, OURS_4, 6, *zeroed) == int.from_bytes(tcp[16:18], "big")
    assert verify_transport(KERNEL_4, OURS_4, 6, tcp)
    assert verify_transport(KERNEL_4, OURS_4, 6, tcp[:7], tcp[7:])
    assert not verify_transport(KERNEL_4, OURS_4, 17, tcp)
    assert not verify_transport(KERNEL_4, KERNEL_4, 6, tcp)


@given(st.binary(min_size=16, max_size=16), st.binary(min_size=16, max_size=16), st.integers(0, 2**32 - 1))
def test_ipv6_pseudo_header_as_rfc_8200_lays_it_out(source, destination, length):  # RFC 8200 section 8.1
    laid_out = source + destination + length.to_bytes(4, "big") + bytes((0, 0, 0, 58))
    assert pseudo_header_sum(source, destination, 58, length) == slow_sum(laid_out)
