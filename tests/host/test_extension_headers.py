"""IPv6 extension headers: RFC 8200 section 4, and what their sender is told (RFC 4443 section 3.4)."""

from __future__ import annotations

import pytest

from lastack.wire import ipv6
from lastack.wire.address import parse_address
from lastack.wire.packet import Packet
from tests.host.harness import Bench
from tests.host.parts import body, echo, ends, gets, part, said

HOP, ROUTING, OPTIONS, ICMP = 0, 43, 60, 58
PAD = bytes((1, 4, 0, 0, 0, 0))  # PadN


def packet(first: int, *headers: bytes, destination: str = "fd00::1", source: str = "fd00::9", size: int = 8) -> bytes:
    """An echo request behind extension headers, each given from its first octet on."""
    behind = b"".join(headers) + body(echo(6, size))
    return ipv6.build(parse_address(source), parse_address(destination), first, len(behind)) + behind


def header(following: int, content: bytes = PAD) -> bytes:
    return bytes((following, (len(content) + 2) // 8 - 1)) + content


def option(kind: int) -> bytes:
    return bytes((kind, 4, 0, 0, 0, 0))


@pytest.mark.parametrize(
    ("first", "headers"),
    [
        (HOP, [header(ICMP)]),
        (OPTIONS, [header(ICMP)]),
        (HOP, [header(OPTIONS), header(ROUTING), bytes((OPTIONS, 0, 0, 0)) + bytes(4), header(ICMP)]),
        (OPTIONS, [header(OPTIONS), header(ICMP, option(0x1E))]),  # 00: skipped
        (ROUTING, [bytes((ICMP, 0, 253, 0)) + bytes(4)]),  # of any type, with no segments left
        (44, [bytes((ICMP, 0, 0, 0, 0, 0, 0, 9))]),  # an atomic fragment, RFC 6946
    ],
)
def test_what_can_be_skipped_is(first: int, headers: list[bytes]):  # RFC 8200 sections 4.1 to 4.6
    h = Bench()
    gets(h, packet(first, *headers))
    assert [message.type for message in said(h)] == [129]


@pytest.mark.parametrize(
    ("first", "headers", "code", "pointer"),
    [
        (OPTIONS, [header(ICMP, option(0x80))], 2, 42),  # RFC 8200 section 4.2: 10
        (OPTIONS, [header(ICMP, option(0xC2))], 2, 42),  # 11
        (HOP, [header(OPTIONS), header(ICMP, bytes(5) + b"\xc2")], 2, 55),
        (OPTIONS, [header(HOP), header(ICMP)], 1, 40),  # section 4: zero behind another header
        (99, [], 1, 6),  # section 4: a next header that is not recognized
        (OPTIONS, [header(51)], 1, 40),  # AH is not spoken
        (ROUTING, [bytes((ICMP, 0, 0, 1)) + bytes(4)], 0, 42),  # RFC 5095 section 3
        (ROUTING, [bytes((ICMP, 0, 253, 1)) + bytes(4)], 0, 42),  # RFC 8200 section 4.4
    ],
)
def test_what_cannot_be_is_told(first: int, headers: list[bytes], code: int, pointer: int):
    h = Bench()
    gets(h, packet(first, *headers, size=2000))
    (message,) = said(h)
    assert (message.type, message.code, message.pointer) == (4, code, pointer)
    assert len(message.data) == 1280 - 48  # RFC 4443 section 2.4 (c)


@pytest.mark.parametrize(
    ("first", "headers"),
    [
        (OPTIONS, [header(ICMP, option(0x40))]),  # 01: dropped
        (59, []),  # section 4.7: no next header
        (OPTIONS, [header(59)]),
    ],
)
def test_what_is_dropped_in_silence(first: int, headers: list[bytes]):  # RFC 8200 section 4.7
    h = Bench()
    gets(h, packet(first, *headers))
    h.silent()


@pytest.mark.parametrize(("kind", "count"), [(0x80, 1), (0xC0, 0)])
def test_to_a_group_only_the_option_that_asks_for_it_is_told(kind: int, count: int):  # RFC 4443 section 2.4 (e.3)
    h = Bench()
    gets(h, packet(OPTIONS, header(ICMP, option(kind)), destination="ff02::1"))
    assert len(said(h)) == count
    gets(h, packet(OPTIONS, header(ICMP, option(kind)), destination="ff02::77"))
    gets(h, packet(OPTIONS, header(ICMP, option(kind)), destination="fd00::5"))
    h.silent()


@pytest.mark.parametrize("source", ["::", "ff02::1"])
def test_who_is_no_single_host_is_not_told(source: str):  # RFC 4443 section 2.4 (e.6)
    h = Bench()
    gets(h, packet(OPTIONS, header(ICMP, option(0x80)), source=source))
    h.silent()


@pytest.mark.parametrize("kind", [1, 2, 3, 4, 127, 137])
def test_nobody_is_told_of_an_error_in_an_error(kind: int):  # RFC 4443 section 2.4 (e.1), (e.2)
    h = Bench()
    source, destination = ends(6)
    message = bytes((kind, 0, 0, 0)) + bytes(80)
    wrong = header(ICMP, option(0x80))
    gets(h, ipv6.build(source, destination, OPTIONS, len(wrong + message)) + wrong + message)
    h.silent()


def test_what_is_told_is_limited():  # RFC 4443 section 2.4 (f)
    h = Bench(icmp_per_second=3)
    gets(h, *[packet(99)] * 5)
    assert (len(said(h)), h.host.counters["limit: ICMP"]) == (3, 2)


def test_a_second_fragment_header_is_none():
    h = Bench()
    gets(h, part(6, bytes((17, 0, 0, 1)) + bytes(20), 0, True, protocol=44))
    h.receive(Packet(packet(44, bytes((44,)) + bytes(7), bytes((ICMP,)) + bytes(7))))
    assert h.host.counters["dropped: extension-header"] == 2


@pytest.mark.parametrize(("protocol", "kind", "code"), [(50, 4, 1), (132, 4, 1)])
def test_what_nobody_speaks_is_told(protocol: int, kind: int, code: int):  # RFC 4443 section 3.4
    h = Bench()
    gets(h, ipv6.build(*ends(6), protocol, 16) + bytes(16))
    (message,) = said(h)
    assert (message.type, message.code) == (kind, code)


@pytest.mark.parametrize(("more", "told"), [(1, 1), (0, 0)])
def test_a_chain_that_is_cut_off_is_told_of_a_first_fragment_alone(more: int, told: int):  # RFC 7112 section 5
    h = Bench()
    behind = bytes((OPTIONS, 0, 0, more, 0, 0, 0, 9)) + bytes((ICMP, 9)) + PAD
    gets(h, ipv6.build(*ends(6), 44, len(behind)) + behind)
    assert [(message.type, message.code) for message in said(h)] == [(4, 3)] * told
