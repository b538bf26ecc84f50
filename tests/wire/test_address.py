from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lastack.wire import address
from lastack.wire.address import format_address, parse_address
from lastack.wire.errors import WireError


def test_text_and_bytes():
    assert parse_address("10.0.0.1") == bytes((10, 0, 0, 1))
    assert parse_address("fd00::1") == bytes.fromhex("fd00") + bytes(13) + b"\1"
    assert format_address(memoryview(bytes((192, 0, 2, 255)))) == "192.0.2.255"
    assert format_address(bytes(16)) == "::"


@given(st.binary(min_size=4, max_size=4) | st.binary(min_size=16, max_size=16))
def test_round_trip(data):
    assert parse_address(format_address(data)) == data


@pytest.mark.parametrize(
    "text", ["", "10.0.0", "10.0.0.256", "10.0.0.1 ", "010.0.0.1", "fd00::1%eth0", ":::", "::1/64"]
)
def test_no_address(text):
    with pytest.raises(WireError) as caught:
        parse_address(text)
    assert caught.value.kind == "address"


# RFC 9293 section 3.9.2.3 (MUST-57, MUST-63): to and from which addresses a SYN may go.
KINDS = {
    "0.0.0.0": "unspecified",
    "::": "unspecified",
    "127.9.9.9": "loopback unicast",
    "::1": "loopback unicast",
    "::ffff:127.0.0.1": "loopback unicast",
    "224.0.0.1": "multicast",
    "239.255.255.255": "multicast",
    "ff02::1": "multicast",
    "::ffff:224.0.0.1": "multicast",
    "255.255.255.255": "broadcast",
    "::ffff:255.255.255.255": "broadcast",
    "240.0.0.1": "",
    "0.1.2.3": "",
    "::ffff:0.0.0.0": "",
    "10.0.0.255": "unicast",
    "223.255.255.255": "unicast",
    "2001:db8::ffff:ffff": "unicast",
    "e000::7f00:1": "unicast",
    "::7f00:1": "unicast",
}


@pytest.mark.parametrize(("text", "kinds"), KINDS.items())
def test_kinds(text, kinds):
    data = parse_address(text)
    names = ("unspecified", "loopback", "multicast", "broadcast", "unicast")
    assert [name for name in names if getattr(address, f"is_{name}")(data)] == kinds.split()
