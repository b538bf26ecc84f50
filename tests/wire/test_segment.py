from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lastack.wire import options, segment
from lastack.wire.errors import WireError
from lastack.wire.segment import ACK, AE, CWR, ECE, FIN, PSH, RST, SYN, URG, Segment
from tests.wire.vectors import SYN_4, TEXT_6

WORD = st.integers(0, 0xFFFFFFFF)
HALF = st.integers(0, 0xFFFF)
STAMP = options.Timestamps(7, 8).encode()


def wrong(data: bytes, start: int = 0, end: int | None = None) -> str:
    with pytest.raises(WireError) as caught:
        segment.parse(data, start, len(data) if end is None else end)
    return caught.value.kind


def with_options(data: bytes) -> bytes:
    return segment.build_header(Segment(options=data))


def test_syn_of_the_kernel():
    syn = segment.parse(SYN_4, 20, 60)
    assert (syn.source_port, syn.destination_port, syn.seq, syn.ack) == (40000, 80, 0xE50663FA, 0)
    assert (syn.flags, syn.window, syn.urgent, syn.length, syn.payload) == (SYN, 64240, 0, 0, ())
    assert (syn.ts_val, syn.ts_ecr) == (0x1DCEC5EE, 0)  # not aligned: found behind SACK-permitted
    assert segment.build_header(syn, 0x6FA9) == SYN_4[20:]


@pytest.mark.parametrize("kind", [bytes, memoryview])
def test_text_of_the_kernel(kind):
    text = segment.parse(kind(TEXT_6), 40, 77)
    assert (text.flags, text.length, text.ts_val, text.ts_ecr) == (PSH | ACK, 5, 0x745C8510, 5000)
    (view,) = text.payload
    assert isinstance(view, memoryview)
    assert view == b"hello"
    assert view.obj is TEXT_6  # not copied


@given(HALF, HALF, WORD, WORD, st.integers(0, 0x1FF), HALF, HALF, st.binary(max_size=30))
def test_round_trip(source, destination, seq, ack, flags, window, urgent, text):  # MUST-69
    sent = Segment(source, destination, seq, ack, flags, window, urgent, b"\1\1\1", (text,), len(text))
    data = b"before" + segment.build_header(sent) + text
    got = segment.parse(data, 6, len(data))
    assert (got.source_port, got.destination_port, got.seq, got.ack) == (source, destination, seq, ack)
    assert (got.flags, got.window, got.urgent, got.length) == (flags, window, urgent, len(text))
    assert (bytes(got.options), b"".join(got.payload)) == (b"\1\1\1\0", text)
    assert got.ts_val is None


def test_reserved_bits_are_ignored():  # RFC 9293 section 3.1; RFC 3360 2.1
    data = bytearray(with_options(b""))
    data[12] |= 0x0E
    assert segment.parse(data, 0, 20).flags == 0


@pytest.mark.parametrize(
    "data",
    [
        b"\1\1" + STAMP,
        STAMP + b"\1\1",
        STAMP,
        b"\4\2" + STAMP + b"\3\3\7",
        options.Timestamps(1, 2).encode() + STAMP,  # the last counts, as Linux has it
        b"\xfd\4\x08\x0a" + STAMP,
    ],
)
def test_timestamp_is_found_wherever_it_is(data):  # MUST-64
    got = segment.parse(with_options(data), 0, 20 + (len(data) + 3 & ~3))
    assert (got.ts_val, got.ts_ecr) == (7, 8)


@pytest.mark.parametrize("data", [b"\0\1" + STAMP, b"\x08\x06\0\0\0\1", b"\xfd\x0a" + STAMP[:8]])
def test_what_is_no_timestamp(data):  # behind the end of the list; of another length; inside another option
    assert segment.parse(with_options(data), 0, 20 + (len(data) + 3 & ~3)).ts_val is None


@pytest.mark.parametrize("data", ["08000000", "01080101", "010101fd", "fdff0000", "02050000", "fd03000201010101"])
def test_illegal_option_length(data):  # RFC 9293 section 3.1, MUST-7
    assert wrong(with_options(bytes.fromhex(data))) == "option-length"


def test_malformed():
    header = with_options(b"")
    assert wrong(header[:19]) == "truncated"
    assert wrong(header, 1) == "truncated"
    assert wrong(header, 0, 21) == "truncated"  # the caller's end is held against the buffer too
    assert wrong(header, -1, 20) == "truncated"
    assert wrong(header[:12] + b"\x40" + header[13:]) == "data-offset"
    assert wrong(header[:12] + b"\x60" + header[13:]) == "data-offset"


@pytest.mark.parametrize("fields", [{"options": bytes(41)}, {"seq": 1 << 32}, {"window": -1}, {"flags": 0x200}])
def test_what_cannot_be_built(fields):
    with pytest.raises(WireError):
        segment.build_header(Segment(**fields))


@pytest.mark.parametrize(
    ("flags", "length"), [(0, 10), (SYN, 11), (FIN | ACK, 11), (SYN | FIN, 12), (RST | PSH | URG | ECE | CWR | AE, 10)]
)
def test_segment_length_counts_syn_and_fin(flags, length):  # RFC 9293 section 3.4
    assert segment.segment_length(Segment(flags=flags, length=10)) == length


def test_flags_as_letters():
    letters = {SYN | ACK: "S.", FIN | PSH | ACK: "FP.", RST | ACK: "R.", SYN | ECE | CWR: "SEW", 0: "-"}
    assert {flags: segment.format_flags(flags) for flags in letters} == letters
    assert segment.format_flags(0x1FF) == "FSRP.UEWA"
    for flags in range(0x200):
        assert segment.parse_flags(segment.format_flags(flags)) == flags


@pytest.mark.parametrize("letters", ["", "SS", "X", "S-", "s", ".."])
def test_no_flags(letters):
    with pytest.raises(WireError):
        segment.parse_flags(letters)
