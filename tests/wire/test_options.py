from __future__ import annotations

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from lastack.wire import options
from lastack.wire.errors import WireError
from lastack.wire.options import (
    EndOfList,
    FastOpen,
    MaximumSegmentSize,
    Md5,
    Mptcp,
    Nop,
    Sack,
    SackPermitted,
    TcpAo,
    Timestamps,
    Unknown,
    UserTimeout,
    WindowScale,
)
from tests.wire.vectors import SYN_4

WORD = st.integers(0, 0xFFFFFFFF)
BYTE = st.integers(0, 255)
COOKIE = st.sampled_from((0, 4, 6, 8, 10, 12, 14, 16)).flatmap(lambda size: st.binary(min_size=size, max_size=size))
OPTION = st.one_of(
    st.just(Nop()),
    st.builds(MaximumSegmentSize, st.integers(0, 0xFFFF)),
    st.builds(WindowScale, BYTE),
    st.just(SackPermitted()),
    st.builds(Sack, st.lists(st.tuples(WORD, WORD), min_size=1, max_size=4).map(tuple)),
    st.builds(Timestamps, WORD, WORD),
    st.builds(Md5, st.binary(min_size=16, max_size=16)),
    st.builds(UserTimeout, st.integers(0, 1), st.integers(0, 0x7FFF)),
    st.builds(TcpAo, BYTE, BYTE, st.binary(max_size=16)),
    st.builds(Mptcp, st.binary(max_size=20)),
    st.builds(FastOpen, COOKIE, st.booleans()),
    st.builds(Unknown, st.integers(100, 253), st.binary(max_size=20)),
)

# Each with its bytes as its RFC prints them.
KNOWN = {
    "00": EndOfList(),
    "01": Nop(),
    "0204 05b4": MaximumSegmentSize(1460),
    "0303 07": WindowScale(7),
    "0402": SackPermitted(),
    "0512 00000001 000003e9 000007d1 00000bb9": Sack(((1, 1001), (2001, 3001))),
    "080a 00000001 ffffffff": Timestamps(1, 0xFFFFFFFF),
    "1312 00112233445566778899aabbccddeeff": Md5(bytes.fromhex("00112233445566778899aabbccddeeff")),
    "1c04 801e": UserTimeout(1, 30),
    "1d07 0102 aabbcc": TcpAo(1, 2, b"\xaa\xbb\xcc"),
    "1e04 0081": Mptcp(b"\x00\x81"),
    "2202": FastOpen(),
    "2206 01020304": FastOpen(b"\1\2\3\4"),
    "fe08 f989 01020304": FastOpen(b"\1\2\3\4", experimental=True),
    "fd03 55": Unknown(0xFD, b"\x55"),
}


@pytest.mark.parametrize(("data", "option"), KNOWN.items())
def test_known_bytes(data, option):  # MUST-4, MUST-68
    assert option.encode() == bytes.fromhex(data)
    assert options.parse(bytes.fromhex(data)) == (option,)


def test_options_of_the_kernels_syn():
    expected = (MaximumSegmentSize(1460), SackPermitted(), Timestamps(0x1DCEC5EE, 0), Nop(), WindowScale(10))
    assert options.parse(memoryview(SYN_4)[40:]) == expected
    assert options.build(expected) == SYN_4[40:]


@given(st.lists(OPTION, max_size=6))
def test_round_trip(values):  # MUST-69
    assume(sum(len(value.encode()) for value in values) <= options.SPACE)
    data = options.build(values)
    padded = sum(len(value.encode()) for value in values) % 4 != 0
    assert len(data) % 4 == 0
    assert options.parse(data) == (*values, *[EndOfList()] * padded)
    stamps = [(value.val, value.ecr) for value in values if isinstance(value, Timestamps)]
    assert options.find_timestamp(data) == (stamps[-1] if stamps else None)
    assert options.find_syn(data) == said_by_a_syn(options.parse(data))


def said_by_a_syn(values):
    """What `find_syn` is to find, from the values; the last of a kind holds."""
    sizes = [value.value for value in values if isinstance(value, MaximumSegmentSize)]
    shifts = [value.shift for value in values if isinstance(value, WindowScale)]
    return (sizes or [None])[-1], (shifts or [None])[-1], SackPermitted() in values


def refusal(read, data):
    """The kind of error that `read` has for `data`, or None."""
    try:
        read(data)
    except WireError as error:
        return error.kind
    return None


@given(st.binary(max_size=40))
def test_any_bytes_are_read_or_refused(data):
    assert refusal(options.parse, data) == refusal(options.find_timestamp, data) == refusal(options.find_syn, data)
    if refusal(options.parse, data):
        assert refusal(options.parse, data) == "option-length"
    else:
        values = options.parse(data)
        assert options.find_syn(data) == said_by_a_syn(values)
        again = b"".join([value.encode() for value in values])
        assert data.startswith(again)
        assert len(again) == len(data) or values[-1] == EndOfList()


WRONG_LENGTHS = """
    0203 05|0302|0403 00|0502|0506 00000000|0509 00000000000000|0806 00000000|1304 0000|1c03 00|1d03 00
    |2205 000000|2203 00|2214 000000000000000000000000000000000000|fe04 f988|fe07 f989 000000
"""


@pytest.mark.parametrize("data", WRONG_LENGTHS.split("|"))
def test_a_known_kind_of_another_length_is_unknown(data):  # ignored without error, RFC 9293 MUST-6
    whole = bytes.fromhex(data)
    assert options.parse(whole) == (Unknown(whole[0], whole[2:]),)


@pytest.mark.parametrize("data", ["02", "0200", "0201", "0204 05", "01 fd05 0000", "0101 0101 08"])
def test_illegal_length(data):  # RFC 9293 MUST-7
    with pytest.raises(WireError) as caught:
        options.parse(bytes.fromhex(data))
    assert caught.value.kind == "option-length"


@pytest.mark.parametrize(
    ("values", "kind"),
    [
        ([Timestamps(1, 2)] * 4 + [Nop()], "option-space"),
        ([Sack(((0, 0),) * 5)], "option-space"),
        ([MaximumSegmentSize(0x10000)], "option-value"),
        ([WindowScale(-1)], "option-value"),
        ([Timestamps(1 << 32, 0)], "option-value"),
        ([Sack(((0, 1 << 32),))], "option-value"),
        ([Md5(b"short")], "option-value"),
        ([UserTimeout(0, 0x8000)], "option-value"),
        ([Unknown(1, b"")], "option-value"),
        ([Unknown(256, b"")], "option-value"),
    ],
)
def test_what_cannot_be_built(values, kind):
    with pytest.raises(WireError) as caught:
        options.build(values)
    assert caught.value.kind == kind


def test_timestamp_alone_is_aligned():  # RFC 7323 Appendix A
    assert options.build_timestamp(1, 2) == options.build([Nop(), Nop(), Timestamps(1, 2)])
