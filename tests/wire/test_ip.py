from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lastack.wire import ipv4, ipv6
from lastack.wire.errors import WireError
from tests.wire.vectors import ERROR_4, KERNEL_4, KERNEL_6, OURS_4, OURS_6, SYN_4, SYN_6

BYTE = st.integers(0, 255)


def wrong(parse, data):
    with pytest.raises(WireError) as caught:
        parse(data)
    return caught.value.kind


def test_ipv4_of_the_kernel():
    header = ipv4.parse(memoryview(SYN_4 + b"padding"))
    assert (header.version, header.source, header.destination, header.protocol) == (4, KERNEL_4, OURS_4, 6)
    assert (header.start, header.end, header.hop_limit, header.identification) == (20, 60, 64, 0xFE64)
    assert (header.dont_fragment, header.more_fragments, header.fragment_offset) == (True, False, 0)
    assert ipv4.build(KERNEL_4, OURS_4, 6, 40, identification=0xFE64) == SYN_4[:20]
    assert ipv4.parse(ERROR_4).traffic_class == 0xC0


def test_ipv6_of_the_kernel():
    header = ipv6.parse(memoryview(SYN_6 + b"padding"))
    assert (header.version, header.source, header.destination, header.protocol) == (6, KERNEL_6, OURS_6, 6)
    assert (header.start, header.end, header.hop_limit, header.flow_label) == (40, 80, 64, 0x7F2B1)
    assert ipv6.build(KERNEL_6, OURS_6, 6, 40, flow_label=0x7F2B1) == SYN_6[:40]


@given(
    st.binary(min_size=4, max_size=4),
    st.binary(min_size=4, max_size=4),
    st.fixed_dictionaries(
        {
            "hop_limit": BYTE,
            "traffic_class": BYTE,
            "identification": st.integers(0, 0xFFFF),
            "dont_fragment": st.booleans(),
            "more_fragments": st.booleans(),
            "fragment_offset": st.integers(0, 0x1FFF).map(lambda units: units * 8),
            "options": st.integers(0, 10).flatmap(lambda n: st.binary(min_size=4 * n, max_size=4 * n)),
        }
    ),
    BYTE,
    st.binary(max_size=50),
)
def test_ipv4_round_trip(source, destination, fields, protocol, text):
    built = ipv4.build(source, destination, protocol, len(text), **fields)
    header = ipv4.parse(built + text)
    assert (header.source, header.destination, header.protocol) == (source, destination, protocol)
    assert (header.start, header.end) == (len(built), len(built) + len(text))
    assert {name: getattr(header, name) for name in fields} == fields


@given(
    st.binary(min_size=16, max_size=16),
    st.binary(min_size=16, max_size=16),
    st.fixed_dictionaries({"hop_limit": BYTE, "traffic_class": BYTE, "flow_label": st.integers(0, 0xFFFFF)}),
    BYTE.filter(lambda protocol: protocol not in (0, 43, 44, 60)),
    st.binary(max_size=50),
)
def test_ipv6_round_trip(source, destination, fields, protocol, text):
    header = ipv6.parse(ipv6.build(source, destination, protocol, len(text), **fields) + text)
    assert (header.source, header.destination, header.protocol) == (source, destination, protocol)
    assert (header.start, header.end) == (40, 40 + len(text))
    assert {name: getattr(header, name) for name in fields} == fields


def test_ipv4_malformed():
    assert wrong(ipv4.parse, SYN_4[:19]) == "truncated"
    assert wrong(ipv4.parse, SYN_6) == "version"
    assert wrong(ipv4.parse, b"\x44" + SYN_4[1:]) == "header-length"
    assert wrong(ipv4.parse, b"\x4f" + SYN_4[1:59]) == "header-length"
    assert wrong(ipv4.parse, SYN_4[:-1]) == "length"
    assert wrong(ipv4.parse, SYN_4[:2] + b"\0\x13" + SYN_4[4:]) == "length"
    assert wrong(ipv4.parse, b"\x46\0\0\x17" + SYN_4[4:]) == "length"  # inside the header's options
    assert wrong(ipv4.parse, SYN_4[:8] + b"\x3f" + SYN_4[9:]) == "checksum"


def test_ipv4_quoted_header_is_not_held_to_its_length_and_checksum():  # RFC 792: 64 bits of the text
    cut = SYN_4[:8] + b"\x01" + SYN_4[9:28]
    header = ipv4.parse(cut, quoted=True)
    assert (header.start, header.end, header.hop_limit) == (20, 28, 1)


@pytest.mark.parametrize(
    "fields",
    [
        {"source": b"123"},
        {"length": 65516},
        {"options": bytes(41)},
        {"fragment_offset": 4},
        {"fragment_offset": 0x10000},
        {"identification": 0x10000},
        {"protocol": 256},
    ],
)
def test_ipv4_that_cannot_be_built(fields):
    with pytest.raises(WireError):
        ipv4.build(**{"source": KERNEL_4, "destination": OURS_4, "protocol": 6, "length": 0} | fields)


@pytest.mark.parametrize(
    "fields",
    [{"source": b"123"}, {"length": 65536}, {"flow_label": 1 << 20}, {"traffic_class": -1}, {"hop_limit": 256}],
)
def test_ipv6_that_cannot_be_built(fields):
    with pytest.raises(WireError):
        ipv6.build(**{"source": KERNEL_6, "destination": OURS_6, "protocol": 6, "length": 0} | fields)


def chain(first: int, extensions: str, text: bytes = b"text") -> bytes:
    behind = bytes.fromhex(extensions) + text
    return ipv6.build(KERNEL_6, OURS_6, first, len(behind)) + behind


HOP, ROUTING, FRAGMENT, DESTINATION = 0, 43, 44, 60
PADDED = "0104 00000000"  # PadN


@pytest.mark.parametrize(
    ("first", "extensions"),
    [
        (HOP, "0600" + PADDED),
        (HOP, "0601 050200000000 0106000000000000"),  # router alert, PadN
        (DESTINATION, "0600" + PADDED),
        (ROUTING, "0600 ff00 ffffffff"),  # of any type, with no segments left
        (HOP, "3c00" + PADDED + "2b00" + PADDED + "2c00 0200 00000000" + "3c00 0000 00000007" + "0600" + PADDED),
    ],
)
def test_ipv6_extension_headers_are_skipped(first, extensions):  # RFC 8200 section 4
    header = ipv6.parse(chain(first, extensions))
    assert (header.protocol, header.start) == (6, 40 + len(bytes.fromhex(extensions)))
    assert header.end - header.start == 4
    assert not header.more_fragments


def test_ipv6_fragments():  # RFC 8200 section 4.5
    first = ipv6.parse(chain(FRAGMENT, "3c00 0001 12345678" + "0600" + PADDED))
    assert (first.more_fragments, first.fragment_offset, first.identification) == (True, 0, 0x12345678)
    assert (first.protocol, first.start) == (6, 56)
    last = ipv6.parse(chain(FRAGMENT, "3c00 0010 12345678"))
    assert (last.more_fragments, last.fragment_offset) == (False, 16)
    assert (last.protocol, last.start) == (60, 48)  # what follows is no header


def test_ipv6_malformed():
    assert wrong(ipv6.parse, SYN_6[:39]) == "truncated"
    assert wrong(ipv6.parse, SYN_4) == "version"
    assert wrong(ipv6.parse, SYN_6[:-1]) == "length"
    assert wrong(ipv6.parse, chain(HOP, "0600", b"")) == "truncated"
    assert wrong(ipv6.parse, chain(HOP, "0601" + PADDED, b"")) == "truncated"
    assert wrong(ipv6.parse, chain(FRAGMENT, "06000000", b"")) == "truncated"
    assert wrong(ipv6.parse, chain(HOP, "0600 000000000001", b"")) == "extension-header"


@pytest.mark.parametrize(
    ("first", "extensions", "kind"),
    [
        (DESTINATION, "0000" + PADDED + "0600" + PADDED, "extension-header"),  # hop-by-hop not first, section 4.1
        (DESTINATION, "0600 c104 00000000", "extension-header"),  # not to be skipped, section 4.2
        (DESTINATION, "0600 4104 00000000", "extension-header"),
        (HOP, "0600 0105 00000000", "extension-header"),  # an option that is cut off
        (HOP, "0600 000000000001", "extension-header"),  # and one without a length
        (ROUTING, "0600 0001 00000000", "routing-header"),
        (DESTINATION, ("3c00" + PADDED) * 9, "extension-header"),
    ],
)
def test_ipv6_extension_headers_that_are_refused(first, extensions, kind):
    assert wrong(ipv6.parse, chain(first, extensions)) == kind


def test_ipv6_quoted_may_be_cut_off_and_on_its_way():
    header = ipv6.parse(chain(ROUTING, "0600 0001 00000000")[:50], quoted=True)
    assert (header.protocol, header.start, header.end) == (6, 48, 50)
    assert ipv6.parse(chain(DESTINATION, "0600 c104 00000000"), quoted=True).protocol == 6
