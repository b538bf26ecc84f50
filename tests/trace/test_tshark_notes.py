"""The check by tshark can fail: one thing is wrong with a capture, and it is told; what does not come is told, too."""

from __future__ import annotations

from pathlib import Path

import pytest

from lastack.wire.packet import Packet
from tests.trace import tshark
from tests.trace.story import Story, packet
from tests.trace.tshark import Note, differences, names

pytestmark = tshark.needs_tshark

SYN = ("client", "S 0:0(0) win 65535 <mss 1460>")
SYN_ACK = ("server", "S. 0:0(0) ack 1 win 65535 <mss 1460>")
ACK = ("client", ". 1:1(0) ack 1 win 65535")
DATA = ("client", "P. 1:11(10) ack 1 win 65535")
ANSWER = ("server", ". 1:1(0) ack 11 win 65535")
MORE = ("client", "P. 11:21(10) ack 1 win 65535")
CONNECTION = (SYN, SYN_ACK, ACK, DATA, ANSWER, MORE)

WRONG = {
    "data once more": ((*CONNECTION[:4], DATA, ANSWER), {"retransmission"}),
    "data once more behind its ACK": ((*CONNECTION[:5], DATA), {"spurious_retransmission", "retransmission"}),
    "an ACK once more": ((*CONNECTION[:5], ANSWER), {"duplicate_ack"}),
    "a segment is missing": ((*CONNECTION[:3], MORE), {"lost_segment"}),
    "an ACK of what was never sent": ((*CONNECTION[:3], ANSWER), {"ack_lost_segment"}),
    "a SYN once more": ((SYN, SYN, *CONNECTION[1:]), {"retransmission"}),
    "data in the wrong order": ((*CONNECTION[:3], MORE, DATA), {"lost_segment", "out_of_order"}),
    "no window": ((*CONNECTION[:4], ("server", ". 1:1(0) ack 11 win 0")), {"zero_window"}),
    "a probe": ((*CONNECTION[:5], ("client", ". 10:10(0) ack 1 win 65535")), {"keep_alive"}),
    "a RST": ((*CONNECTION, ("server", "R 1:1(0) win 0")), {"tcp.connection.rst"}),
}


def capture(path: Path, *packets: tuple[str, Packet | bytes]) -> Path:
    """A capture of packets a millisecond apart, each from the interface of its sender."""
    story = Story()
    for number, (sender, data) in enumerate(packets):
        story.capture.write(number * 1_000, sender, data)
    path.write_bytes(story.file.getvalue())
    return path


def connection(path: Path, *lines: tuple[str, str]) -> Path:
    return capture(path, *((sender, packet(sender, line)) for sender, line in lines))


def test_nothing_is_wrong_with_the_connection(tmp_path: Path) -> None:
    assert tshark.notes(connection(tmp_path / "right.pcapng", *CONNECTION)) == []


@pytest.mark.parametrize(("lines", "told"), WRONG.values(), ids=WRONG)
def test_what_is_wrong_is_told(lines: tuple[tuple[str, str], ...], told: set[str], tmp_path: Path) -> None:
    found = tshark.notes(connection(tmp_path / "wrong.pcapng", *lines))
    assert names(found) == told
    assert {note.packet for note in found} <= {2, len(lines) - 1, len(lines)}
    assert all(note.text for note in found)


@pytest.mark.parametrize(
    ("place", "told"), [(10, "ip.checksum_bad.expert"), (-1, "tcp.checksum_bad.expert")], ids=["IP", "TCP"]
)
def test_a_bad_checksum_is_told(place: int, told: str, tmp_path: Path) -> None:
    bad = bytearray(packet(*DATA).joined())
    bad[place] ^= 1
    before = [(sender, packet(sender, line)) for sender, line in CONNECTION[:3]]
    found = tshark.notes(capture(tmp_path / "bad.pcapng", *before, ("client", bytes(bad))))
    assert [(note.packet, note.name) for note in found] == [(4, told)]


def test_a_packet_that_is_cut_off_is_told(tmp_path: Path) -> None:
    cut = bytes(packet(*SYN).joined())[:-2]
    assert "ip.bogus_ip_length" in names(tshark.notes(capture(tmp_path / "cut.pcapng", ("client", cut))))


def test_two_connections_that_share_ports_are_told(tmp_path: Path) -> None:
    """As two acts in one capture would, were the addresses not theirs alone."""
    later = ("client", "S 900000:900000(0) win 65535 <mss 1460>")
    assert names(tshark.notes(connection(tmp_path / "two.pcapng", *CONNECTION, later))) == {"reused_ports"}


def test_notes_are_held_against_a_list_both_ways() -> None:
    found = [Note(3, "retransmission", "again"), Note(5, "duplicate_ack", "twice"), Note(7, "duplicate_ack", "thrice")]
    assert differences(found, {"retransmission", "duplicate_ack"}) == []
    assert differences(found, {"retransmission"}, {"duplicate_ack", "reused_ports"}) == []
    extra = ["packet 5: duplicate_ack: twice", "packet 7: duplicate_ack: thrice"]
    assert differences(found, {"retransmission"}) == extra
    assert differences(found, {"retransmission", "keep_alive"}) == [*extra, "nowhere: keep_alive"]
    assert differences(found[:1], {"retransmission", "keep_alive"}) == ["nowhere: keep_alive"]
