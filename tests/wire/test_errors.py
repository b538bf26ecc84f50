"""Hosts count malformed packets by the kind of their WireError: each is reached here, and there is no other."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

import lastack.wire
from fuzz import wire as fuzz
from lastack.wire import datagram, icmp, ip_options, ipv4, ipv6, notation, options, segment
from lastack.wire.address import parse_address
from lastack.wire.errors import KINDS, WireError
from lastack.wire.packet import Packet
from lastack.wire.segment import Segment
from tests.wire.vectors import KERNEL_4, KERNEL_6, OURS_4, OURS_6, SYN_4, TEXT_4

REACHED = {
    "address": lambda: parse_address("localhost"),
    "checksum": lambda: datagram.parse(Packet(TEXT_4[:-1] + b"?")),
    "data-offset": lambda: segment.parse(bytes(20), 0, 20),
    "extension-header": lambda: ipv6.parse(ipv6.build(KERNEL_6, OURS_6, 0, 8) + bytes.fromhex("0600ff0400000000")),
    "fragment": lambda: datagram.parse(Packet(ipv4.build(KERNEL_4, OURS_4, 6, 0, fragment_offset=8))),
    "header-length": lambda: ipv4.parse(b"\x40" + SYN_4[1:]),
    "ip-options": lambda: ip_options.checked(b"\x83\x06\x04\x01\x02\x03"),
    "length": lambda: ipv4.parse(SYN_4[:-1]),
    "notation": lambda: notation.parse_segment("?"),
    "option-length": lambda: options.parse(b"\2\0"),
    "option-space": lambda: segment.build_header(Segment(options=bytes(41))),
    "option-value": lambda: options.MaximumSegmentSize(-1).encode(),
    "quote": lambda: datagram.parse(datagram.build_icmp(KERNEL_4, OURS_4, icmp.Message(4, 3))),
    "routing-header": lambda: ipv6.parse(ipv6.build(KERNEL_6, OURS_6, 43, 8) + bytes.fromhex("0600000100000000")),
    "truncated": lambda: datagram.parse_ip(b""),
    "value": lambda: segment.build_header(Segment(seq=-1)),
    "version": lambda: datagram.parse_ip(b"\x50"),
}


@pytest.mark.parametrize("kind", sorted(KINDS))
def test_every_kind_is_reached(kind):
    with pytest.raises(WireError) as caught:
        REACHED[kind]()
    assert caught.value.kind == kind
    assert str(caught.value).startswith(kind)


def test_no_other_kind_is_raised():
    raised = set()
    for file in Path(lastack.wire.__file__).parent.glob("*.py"):
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Call) and getattr(node.func, "id", "") in {"WireError", "ParameterProblem"}:
                assert isinstance(node.args[0], ast.Constant), f"{file.name}:{node.lineno}: the kind is a constant"
                raised.add(node.args[0].value)
    assert raised == KINDS


def test_mutated_packets_and_lines_raise_nothing_else():
    assert fuzz.run(cases=3000, seed=7) is None


def test_the_fuzzer_gets_past_the_checks():
    """Enough mutated packets are taken, and enough kinds met, for the cases above to say something."""
    met: dict[str, int] = {}
    packets = fuzz.seeds()
    for number in range(3000):
        try:
            data = fuzz.mend(fuzz.mutate(fuzz.random.Random(number), packets[number % len(packets)], packets))
            datagram.parse(Packet(data, checksum=1))
            kind = "taken"
        except WireError as error:
            kind = error.kind
        met[kind] = met.get(kind, 0) + 1
    assert met["taken"] > 300
    parsing = KINDS - {"address", "checksum", "ip-options", "notation", "option-space", "option-value", "value"}
    assert parsing <= set(met)
