"""Datagrams in parts: RFC 791 section 3.2, RFC 1122 section 3.3.2, RFC 8200 section 4.5, RFC 5722, RFC 6946."""

from __future__ import annotations

from itertools import permutations

import pytest

from lastack.wire import icmp, ipv4, ipv6
from lastack.wire.address import parse_address
from lastack.wire.datagram import build_icmp, parse_ip
from lastack.wire.fragment import split
from lastack.wire.icmp import Kind
from lastack.wire.packet import Packet
from tests.host.harness import Bench
from tests.host.parts import body, echo, ends, gets, part, parts, said, syn

VERSIONS = pytest.mark.parametrize("version", [4, 6])


@VERSIONS
@pytest.mark.parametrize("order", list(permutations(range(3))), ids=str)
def test_parts_in_any_order_are_one_datagram(version: int, order: tuple[int, ...]):
    h = Bench()
    three = parts(version, echo(version, 1400), 560)
    gets(h, *(three[number] for number in order))
    (reply,) = said(h)
    assert (reply.kind, bytes(reply.data)) == (Kind.ECHO_REPLY, echo(version, 1400)[-1400:])
    assert (len(h.host.fragments), h.host.fragments.size, h.host.deadline()) == (0, 0, None)


@VERSIONS
def test_a_segment_in_parts_opens_a_connection(version: int):
    h = Bench()
    h.listen(80, version=6)
    gets(h, *parts(version, syn(version), 24, protocol=6))
    (_, answer), *rest = h.pending
    assert (len(rest), answer.flags) == (0, 0x12)  # type: ignore[union-attr]
    h.forget()


@VERSIONS
def test_a_wrong_checksum_of_the_whole_is_found(version: int):  # RFC 9293 MUST-3
    h = Bench()
    first, second = parts(version, echo(version, 1000))
    gets(h, first, second[:-1] + bytes((second[-1] ^ 1,)))
    assert h.host.counters["dropped: checksum"] == 1


@VERSIONS
def test_a_repeated_part_does_no_harm(version: int):  # RFC 8200 section 4.5: an exact duplicate
    h = Bench()
    first, second, third = parts(version, echo(version, 1400), 560)
    gets(h, first, first, third, third, second)
    assert len(said(h)) == 1


@VERSIONS
def test_parts_that_overlap_end_the_datagram(version: int):  # RFC 5722 section 4; for IPv4 as Linux
    h = Bench()
    text = body(echo(version, 1400))
    gets(h, part(version, text[:800], 0, True), part(version, text[792:1400], 792, True))
    assert h.host.counters["dropped: fragment overlap"] == 1
    gets(h, part(version, text[800:], 800, False), part(version, text[:800], 0, True))  # nor does its rest begin anew
    assert (said(h), h.host.counters["reassembled"]) == ([], 0)
    h.after(60)
    assert (said(h), h.host.deadline()) == ([], None)


@VERSIONS
@pytest.mark.parametrize("offset", [0, 800])
def test_the_same_place_with_other_bytes_is_an_overlap(version: int, offset: int):
    h = Bench()
    text = body(echo(version, 1400))
    last = offset > 0
    made = text[offset : offset + 800]
    gets(h, part(version, made, offset, not last), part(version, made[:-1] + b"!", offset, not last))
    assert h.host.counters["dropped: fragment overlap"] == 1


@VERSIONS
def test_two_ends_contradict_each_other(version: int):
    h = Bench()
    gets(h, part(version, bytes(80), 800, False), part(version, bytes(88), 1600, False))
    assert h.host.counters["dropped: fragment overlap"] == 1


@VERSIONS
def test_what_is_not_whole_in_time_is_given_up(version: int):  # RFC 1122 section 3.3.2, RFC 8200 section 4.5
    h = Bench()
    first, _ = parts(version, echo(version, 1000), 800)
    gets(h, part(version, first[-800:], 0, True, protocol=17))
    h.after(59)
    h.silent()
    h.after(1)
    (message,) = said(h)
    assert (message.kind, message.code) == (Kind.TIME_EXCEEDED, 1)
    assert h.host.fragments.size == 0


@VERSIONS
def test_without_the_first_part_nobody_is_told(version: int):
    h = Bench()
    gets(h, part(version, bytes(80), 800, False))
    h.after(61)
    h.silent()
    assert h.host.counters["fragments timed out"] == 1


@VERSIONS
def test_nor_of_an_icmp_error(version: int):  # RFC 1122 section 3.2.2, RFC 4443 section 2.4 (e.1)
    h = Bench()
    gets(h, part(version, bytes((3 if version == 4 else 1, 4)) + bytes(78), 0, True))
    h.after(61)
    h.silent()


@VERSIONS
def test_numbers_and_sources_keep_datagrams_apart(version: int):
    h = Bench()
    one, other = parts(version, echo(version, 1000)), parts(version, echo(version, 1001), number=6)
    gets(h, one[0], other[1], other[0], one[1])
    assert [len(reply.data) for reply in said(h)] == [1001, 1000]


def test_more_than_the_longest_datagram_is_refused():  # the "ping of death"
    h = Bench()
    gets(h, part(4, bytes(1000), 65_000, False))
    assert (h.host.counters["dropped: fragment"], len(h.host.fragments)) == (1, 0)
    gets(h, part(6, bytes(1000), 65_000, False))
    (message,) = said(h)
    assert (message.kind, message.code, message.pointer) == (Kind.PARAMETER_PROBLEM, 0, 42)  # RFC 8200 section 4.5


@VERSIONS
def test_the_headers_of_the_first_part_count_too(version: int):  # the sum is known only when all have come
    h = Bench()
    last = part(version, bytes(8), 65_504, False)
    text = bytes(65_504)
    source, destination = ends(version)
    if version == 4:
        options = bytes([1] * 40)
        header = ipv4.build(
            *(source, destination, 1, 32_000),
            identification=5,
            dont_fragment=False,
            more_fragments=True,
            options=options,
        )
    else:
        chain = bytes((44, 4)) + bytes((1, 36)) + bytes(36)  # destination options before the fragment header
        header = ipv6.build(source, destination, 60, len(chain) + 8 + 32_000) + chain
        header += bytes((58, 0)) + (1).to_bytes(2, "big") + (5).to_bytes(4, "big")
    gets(h, header + text[:32_000], part(version, text[32_000:], 32_000, True), last)
    assert (len(said(h)), h.host.counters["reassembled"], h.host.fragments.size) == (0, 0, 0)
    assert h.host.counters["dropped: fragment"] == 1


@VERSIONS
def test_nothing_lies_beyond_the_last_part(version: int):
    h = Bench()
    gets(h, part(version, bytes(800), 1600, True), part(version, bytes(8), 800, False))
    assert h.host.counters["dropped: fragment overlap"] == 1


@VERSIONS
def test_the_first_part_is_quoted_in_whatever_order_they_came(version: int):  # RFC 792, RFC 8200 section 4.5
    h = Bench()
    first, second, _ = parts(version, echo(version, 1400), 560)
    gets(h, second, first)
    h.after(61)
    (message,) = said(h)
    assert message.kind is Kind.TIME_EXCEEDED and first.startswith(bytes(message.data))


def test_protocols_keep_ipv4_datagrams_apart():  # RFC 791 section 3.2
    h = Bench()
    first, second = parts(4, echo(4, 1000))
    gets(h, first, part(4, bytes(200), 800, False, protocol=17), second)
    assert len(said(h)) == 1


def test_a_part_that_is_no_multiple_of_eight_is_refused():
    h = Bench()
    gets(h, part(4, bytes(81), 800, True))
    h.silent()
    gets(h, part(6, bytes(81), 0, True, protocol=17))
    (message,) = said(h)
    assert (message.code, message.pointer, len(h.host.fragments)) == (0, 4, 0)  # RFC 8200 section 4.5: payload length


def test_the_first_part_holds_all_headers():  # RFC 1858, RFC 7112 section 5
    h = Bench()
    gets(h, part(4, syn(4)[20:36], 0, True, protocol=6))
    h.silent()
    gets(h, part(6, syn(6)[40:56], 0, True, protocol=6), part(6, bytes((6, 1)) + bytes(6), 0, True, protocol=60))
    assert [(message.code, message.pointer) for message in said(h)] == [(3, 0)] * 2
    assert len(h.host.fragments) == 0


def test_an_empty_part_is_none():
    h = Bench()
    gets(h, part(4, b"", 80, True), part(6, b"", 80, False))
    assert (h.host.counters["dropped: fragment"], len(h.host.fragments)) == (2, 0)


@pytest.mark.parametrize(
    ("marks", "expected"), [((0, 0), 0), ((2, 2), 2), ((1, 2), 1), ((2, 3), 3), ((3, 3), 3), ((0, 3), None)]
)
@VERSIONS
def test_congestion_is_not_lost(version: int, marks: tuple[int, int], expected: int | None):  # RFC 3168 section 5.3
    h = Bench()
    text = body(echo(version, 1000))
    for at, mark in zip((0, 800), marks, strict=True):
        data = part(version, text[at : at + 800], at, not at, ecn=mark)
        whole = h.host.fragments.arrives(h.now, data, parse_ip(data))
    bits = None if whole is None else (whole[1] if version == 4 else whole[1] >> 4) & 3
    assert bits == expected


@VERSIONS
def test_an_atomic_fragment_is_a_datagram(version: int):  # RFC 6946
    h = Bench()
    gets(h, part(version, body(echo(version, 1000))[:800], 0, True))
    gets(h, part(version, body(echo(version, 100)), 0, False))  # of the same number, and yet on its own
    assert [len(reply.data) for reply in said(h)] == [100]


@VERSIONS
def test_limits_are_held_by_giving_up_the_oldest(version: int):
    h = Bench(fragment_datagrams=2)
    firsts = [parts(version, echo(version, 1000), number=number) for number in (1, 2, 3)]
    gets(h, *(first for first, _ in firsts), *(second for _, second in firsts[1:]))
    assert (len(said(h)), h.host.counters["limit: fragments"]) == (2, 1)


@VERSIONS
def test_the_limit_of_bytes_counts_small_parts_dearly(version: int):
    h = Bench(fragment_bytes=10_000)
    gets(h, *(part(version, bytes(8), 16 * at + 80, True) for at in range(100)))
    assert (h.host.counters["limit: fragments"] > 0, h.host.fragments.size <= 10_000) == (True, True)


def test_the_first_part_counts_with_what_is_kept_of_it_for_who_is_told():
    h = Bench()
    first, _ = parts(6, echo(6, 1000), number=1)
    gets(h, first)
    (datagram,) = h.host.fragments._datagrams.values()
    assert h.host.fragments.size >= len(datagram.first) + len(datagram.head) + sum(
        len(body) for _, body in datagram.parts
    )


@VERSIONS
def test_reassembly_can_be_refused(version: int):
    h = Bench(reassemble_fragments=False)
    gets(h, *parts(version, echo(version, 1000)))
    assert (h.host.counters["dropped: fragment"], len(h.host.fragments)) == (2, 0)


def test_parts_for_others_are_dropped():
    h = Bench()
    data = bytearray(part(4, bytes(80), 800, False))
    data[19] = 77
    data[10:12] = (int.from_bytes(data[10:12], "big") - 76).to_bytes(2, "big")
    h.receive(Packet(bytes(data)))
    assert len(h.host.fragments) == 0


# --- no source starves the others ---


def from_source(last: int, number: int, *, second: bool = False) -> bytes:
    """One half of an echo request from 10.0.0.`last`."""
    source = parse_address(f"10.0.0.{last}")
    whole = bytes(build_icmp(source, ends(4)[1], icmp.echo_request(4, 7, 1, bytes(1400))).joined())
    return split(whole, 1200, number)[second]


def test_one_source_does_not_crowd_out_the_others():
    h = Bench(fragment_datagrams=6, fragment_source_datagrams=3)
    gets(h, from_source(20, 1), *(from_source(21, number) for number in range(50)))
    assert (len(h.host.fragments), h.host.counters["limit: fragments of one source"]) == (4, 47)
    gets(h, from_source(20, 1, second=True))
    assert (len(said(h)), h.host.counters["limit: fragments"]) == (1, 0)
    gets(h, from_source(21, 46, second=True), from_source(21, 49, second=True))  # of its own the latest are left
    assert len(said(h)) == 1


def test_nor_by_its_bytes():
    h = Bench(fragment_source_bytes=3000)
    gets(h, from_source(20, 1), *(from_source(21, number) for number in range(50)))
    gets(h, from_source(20, 1, second=True))
    assert (len(said(h)), h.host.counters["limit: fragments of one source"]) == (1, 49)
    assert h.host.fragments.size <= 3000


def test_what_is_whole_or_too_old_is_counted_for_nobody():
    h = Bench(fragment_source_datagrams=1)
    for number in range(5):
        gets(h, from_source(20, number), from_source(20, number, second=True))
    gets(h, from_source(20, 9))
    h.after(61)
    h.forget()
    assert not h.host.fragments._sources
    gets(h, from_source(20, 10))
    assert (len(h.host.fragments), h.host.counters["limit: fragments of one source"]) == (1, 0)
