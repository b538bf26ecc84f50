"""Captures: what is written can be read, by us and by Wireshark; what is no capture is refused in words."""

from __future__ import annotations

from io import BytesIO
from pathlib import Path
from struct import pack

import pytest

from lastack.trace.pcapng import INBOUND, OUTBOUND, PcapngWriter, read, read_stream
from lastack.wire.errors import WireError
from lastack.wire.packet import Packet
from tests.trace import tshark
from tests.trace.story import normal_close, packet


def written(*packets: tuple[int, str, bytes]) -> bytes:
    file = BytesIO()
    writer = PcapngWriter(file)
    for now, interface, data in packets:
        writer.write(now, interface, data)
    return file.getvalue()


def test_what_is_written_is_read(tmp_path: Path) -> None:
    packets = [(0, "client", b"\x45" * 41), (5, "server", b"\x60"), (1 << 40, "client", b"")]
    (tmp_path / "a.pcapng").write_bytes(written(*packets))
    assert list(read(tmp_path / "a.pcapng")) == packets


def test_a_packet_in_parts_is_one() -> None:
    assert written((0, "x", b"abcde")) == _one(Packet(b"ab", (b"c", memoryview(b"de"))))


def _one(what: Packet) -> bytes:
    file = BytesIO()
    PcapngWriter(file).write(0, "x", what)
    return file.getvalue()


def test_the_same_story_gives_the_same_bytes() -> None:
    assert normal_close().file.getvalue() == normal_close().file.getvalue()


def test_a_capture_of_another_byte_order_and_resolution() -> None:
    # Nanoseconds (if_tsresol 9), big-endian, as some other machine writes it.
    section = pack(">IIIHHqI", 0x0A0D0D0A, 28, 0x1A2B3C4D, 1, 0, -1, 28)
    interface = pack(">IIHHIHHB3xHHI", 1, 32, 101, 0, 0, 9, 1, 9, 0, 0, 32)
    enhanced = pack(">IIIIIII4sI", 6, 36, 0, 0, 1_999, 4, 4, b"data", 36)
    assert list(read_stream(BytesIO(section + interface + enhanced))) == [(1, "0", b"data")]


WHOLE = written((7, "x", b"abcd"))


@pytest.mark.parametrize(
    ("data", "kind"),
    [
        (b"\xd4\xc3\xb2\xa1" + bytes(20), "capture-format"),  # the older pcap
        (b"GET / HTTP/1.0\r\n\r\n", "capture-format"),
        (WHOLE[:-1], "capture-truncated"),
        (WHOLE[:-40], "capture-truncated"),
        (WHOLE + b"abc", "capture-truncated"),
        (WHOLE[:-4] + b"\x28\0\0\0", "capture-block"),
        (WHOLE.replace(pack("<II", 4, 4), pack("<II", 400, 4)), "capture-block"),
        (WHOLE + pack("<IIII", 6, 16, 0, 16), "capture-block"),
        (WHOLE.replace(pack("<HHI", 101, 0, 0), pack("<HHI", 1, 0, 0)), "link-type"),
        (WHOLE + pack("<IIIIIIII", 6, 32, 3, 0, 0, 0, 0, 32), "capture-interface"),
    ],
)
def test_a_malformed_capture_is_refused_by_kind(data: bytes, kind: str) -> None:
    with pytest.raises(WireError) as refused:
        list(read_stream(BytesIO(data)))
    assert refused.value.kind == kind


# A capture may end between two blocks; the section header takes 44 bytes, the interface 40.
@pytest.mark.parametrize("length", set(range(1, len(WHOLE))) - {44, 84})
def test_a_capture_that_is_cut_anywhere_else_is_refused(length: int) -> None:
    with pytest.raises(WireError, match="capture-"):
        list(read_stream(BytesIO(WHOLE[:length])))


@tshark.needs_tshark
def test_wireshark_finds_nothing_wrong_with_a_whole_connection(tmp_path: Path) -> None:
    capture = tmp_path / "close.pcapng"
    capture.write_bytes(normal_close().file.getvalue())
    assert tshark.notes(capture) == []
    rows = tshark.fields(capture, "frame.time_epoch", "frame.interface_name", "tcp.flags.fin", "tcp.checksum.status")
    assert len(rows) == 9
    assert [row[3] for row in rows] == ["1"] * 9  # good: looked at, and right
    assert rows[5][:3] == ("0.100000000", "client", "1")


@tshark.needs_tshark
def test_wireshark_sees_comments_and_directions(tmp_path: Path) -> None:
    capture = tmp_path / "comment.pcapng"
    with capture.open("wb") as file:
        writer = PcapngWriter(file)
        syn = packet("client", "S 0:0(0) win 65535")
        writer.write(1_500_000, "client", syn, direction=OUTBOUND, comment="the first SYN")
        writer.write(1_500_001, "server", syn, direction=INBOUND)
    assert tshark.fields(capture, "frame.time_epoch", "frame.comment", "frame.packet_flags_direction") == [
        ("1.500000000", "the first SYN", "0x00000002"),
        ("1.500001000", "", "0x00000001"),
    ]
