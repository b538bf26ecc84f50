from __future__ import annotations

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from lastack.wire import options
from lastack.wire.errors import WireError
from lastack.wire.notation import Line, format_segment, parse_line, parse_segment
from lastack.wire.segment import ACK, FIN, PSH, SYN, URG, Segment
from tests.wire.test_options import OPTION

WORD = st.integers(0, 0xFFFFFFFF)

LINES = [
    "S 0:0(0) win 65535 <mss 1460,sackOK,TS val 1 ecr 0,nop,wscale 7>",
    "S. 0:0(0) ack 1 win 0",
    ". 1:1461(1460) ack 1 win 257",
    "FP. 1:11(10) ack 1 win 257",
    "R. 1:1(0) ack 1 win 0",
    "R 1:1(0) win 0",
    "P.U 1:2(1) ack 1 win 257 urg 1",
    "SEW 0:0(0) win 257",
    "[ect0] P.W 1:2(1) ack 1 win 257",
    "[ect1] . 1:2(1) ack 1 win 257",
    "[ce] .E 1:2(1) ack 1 win 257",
    "FSRP.UEWA 0:0(0) ack 0 win 0 urg 0",
    "- 4294967295:9(10) win 257",
    ". 1:1(0) ack 1 win 257 <nop,nop,sack 1001:2001 4294967295:1>",
    ". 1:1(0) ack 1 win 257 <md5 00112233445566778899aabbccddeeff,eol>",
    "S 0:0(0) win 1 <FO,FOEXP aabbccdd,eol>",
    "S 0:0(0) win 1 <FO 0011223344556677,eol>",
    "S 0:0(0) win 1 <uto 30 s,uto 5 min>",
    "S 0:0(0) win 1 <unknown 0xfd 00,unknown 0xfc,mptcp 0081,ao 1 2 aabb,eol>",
    "S 0:0(0) win 1 <raw 08000000>",
]


@pytest.mark.parametrize("line", LINES)
def test_a_printed_line_is_read_back(line):
    assert format_segment(parse_segment(line)) == line


def test_the_ecn_field():  # RFC 3168 section 5
    assert [parse_segment(f"[{name}] . 1:1(0)").ecn for name in ("noecn", "ect1", "ect0", "ce")] == [0, 1, 2, 3]
    assert (parse_line("[noecn] . 1:1(0)").ecn, parse_line(". 1:1(0)").ecn) == (0, None)
    with pytest.raises(WireError, match=r"column 1: expected one of \[noecn\], \[ect1\], \[ect0\], \[ce\]"):
        parse_line("[ecn] . 1:1(0)")


def test_fields():
    got = parse_segment("FP.U 1:11(10) ack 5 win 257 urg 7 <nop,nop,TS val 8 ecr 9>", iss=1000, irs=0xFFFFFFFF)
    assert (got.flags, got.seq, got.length, got.ack) == (FIN | PSH | ACK | URG, 1001, 10, 4)
    assert (got.window, got.urgent, got.ts_val, got.ts_ecr) == (257, 7, 8, 9)
    assert got.options == options.build_timestamp(8, 9)
    assert b"".join(got.payload) == bytes(10)


def test_fields_left_out():
    got = parse_segment("  . 1:1(0)\t")
    assert (got.ack, got.window, got.urgent, got.options, got.payload, got.ts_val) == (0, 65535, 0, b"", (), None)
    assert parse_segment("S 0:0(0)", window=9).window == 9
    assert parse_line("S 7:7(0) <...>", iss=1) == Line(SYN, 8, 0, None, None, None, None)
    assert parse_line("S 7:7(0) < >").options == b""


def test_sack_blocks_are_relative_to_the_acknowledged_side():
    got = parse_segment(". 1:1(0) ack 1 <nop, nop, sack 11:21>", iss=100, irs=200)
    assert options.parse(got.options)[2] == options.Sack(((211, 221),))
    assert format_segment(got, iss=100, irs=200) == ". 1:1(0) ack 1 win 65535 <nop,nop,sack 11:21>"


SEGMENTS = st.builds(
    lambda seq, ack, flags, window, urgent, length: Segment(
        0, 0, seq, ack if flags & ACK else 0, flags, window, urgent if flags & URG else 0, b"", (), length
    ),
    WORD,
    WORD,
    st.integers(0, 0x1FF),
    st.integers(0, 0xFFFF),
    st.integers(0, 0xFFFF),
    st.integers(0, 65535),
)


@given(SEGMENTS, st.lists(OPTION, max_size=5), WORD, WORD)
def test_round_trip(segment, values, iss, irs):
    assume(sum(len(value.encode()) for value in values) <= options.SPACE)
    assume(segment.flags & ACK or not irs)  # an ack that is not printed is 0
    segment.options = options.build(values)
    got = parse_segment(format_segment(segment, iss=iss, irs=irs), iss=iss, irs=irs)
    for name in ("seq", "ack", "flags", "window", "urgent", "length", "options"):
        assert getattr(got, name) == getattr(segment, name), name


@given(st.integers(0, 10).flatmap(lambda words: st.binary(min_size=4 * words, max_size=4 * words)))
def test_any_option_bytes_are_printed_and_read_back(data):
    assert parse_segment(format_segment(Segment(options=data))).options == data


MALFORMED = {
    "": "column 1: expected flags",
    "X 0:0(0)": "column 1: expected flags",
    "SS 0:0(0)": "column 1: expected flags",
    "S": "column 2: expected a sequence number, found the end of the line",
    "S x": "column 3: expected a sequence number, found 'x'",
    "S 4294967296:0(0)": "column 3: expected a sequence number",
    "S 0-0(0)": "column 4: expected ':'",
    "S 0:0": "column 6: expected '('",
    "S 0:1(0)": "column 5: expected 0 (0 + 0), found '1(0)'",
    "S 0:70000(70000)": "column 11: expected a length of at most 65535",
    "S 0:0(0) win": "column 13: expected a number",
    "S 0:0(0) win 65536": "column 14: expected a number of at most 65535",
    "S 0:0(0) win 1 ack 1": "column 16: expected ack, win, urg, <options> in this order",
    "S 0:0(0) win1": "column 10: expected ack",
    "S 0:0(0) <mss 1460": "column 19: expected '>', found the end",
    "S 0:0(0) <mss 1460> 9": "column 21: expected ack",
    "S 0:0(0) <nop,msss 1>": "column 15: expected an option (eol",
    "S 0:0(0) <nop, mss x>": "column 16: expected an option like 'mss 1460', found 'mss x>'",
    "S 0:0(0) <nop,,nop>": "column 15: expected an option (eol",
    "S 0:0(0) <mss 65536>": "column 11: option-value",
    "S 0:0(0) <TS val 4294967296 ecr 0>": "column 11: option-value",
    "S 0:0(0) <sack 1:4294967296>": "column 11: option-value",
    "S 0:0(0) <sack 1:2 1:2 1:2 1:2 1:2>": "column 11: option-space",
    "S 0:0(0) <md5 00>": "column 11: option-value",
    "S 0:0(0) <FO 0>": "column 11: expected an option like 'FO HEX'",
    "S 0:0(0) <TS val 1 ecr 0,TS val 1 ecr 0,TS val 1 ecr 0,TS val 1 ecr 0,nop>": "column 10: expected at most 40",
    "S 0:0(0) <...>": "column 10: <...> does not say which options",
}


@pytest.mark.parametrize(("line", "where"), MALFORMED.items())
def test_a_malformed_line_says_where(line, where):
    with pytest.raises(WireError) as caught:
        parse_segment(line)
    assert caught.value.kind == "notation"
    assert str(caught.value).startswith(f"notation: {where}")
