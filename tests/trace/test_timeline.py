"""The recording: what it keeps, and which arrival it takes for which departure."""

from __future__ import annotations

import json

from lastack.tcp.states import Event, State
from lastack.trace.entries import Arrival, Departure, Loss
from lastack.trace.timeline import Timeline
from lastack.wire.datagram import build_icmp
from lastack.wire.icmp import unreachable
from lastack.wire.notation import parse_segment
from lastack.wire.packet import Packet
from lastack.wire.segment import Segment
from tests.trace.story import ENDS, Connection, normal_close, packet

DATA = "P. 1:11(10) ack 1"


def arrivals(timeline: Timeline) -> list[tuple[int | None, bool]]:
    return [(entry.number, entry.again) for entry in timeline.entries if isinstance(entry, Arrival)]


def test_an_arrival_is_that_of_the_earliest_equal_packet_under_way() -> None:
    timeline = Timeline()
    for now in (0, 1):
        timeline.packet_sent(now, "client", packet("client", DATA))
    for now in (2, 3, 4):
        timeline.packet_arrived(now, "server", packet("client", DATA))
    assert arrivals(timeline) == [(0, False), (1, False), (1, True)]


def test_a_world_that_knows_better_says_which() -> None:
    timeline = Timeline()
    numbers = [timeline.packet_sent(now, "client", packet("client", DATA)) for now in (0, 1)]
    timeline.packet_arrived(2, "server", packet("client", DATA), sent=numbers[1])
    timeline.packet_arrived(3, "server", packet("client", DATA))
    assert arrivals(timeline) == [(1, False), (0, False)]


def test_what_is_lost_does_not_arrive() -> None:
    timeline = Timeline()
    timeline.packet_sent(0, "client", packet("client", DATA))
    timeline.packet_lost(0, "client", packet("client", DATA), "the path is cut")
    timeline.packet_sent(1, "client", packet("client", DATA))
    timeline.packet_arrived(2, "server", packet("client", DATA))
    assert arrivals(timeline) == [(1, False)]
    assert [(entry.number, entry.why) for entry in timeline.entries if isinstance(entry, Loss)] == [
        (0, "the path is cut")
    ]


def test_packets_that_nobody_can_read_are_recorded_too() -> None:
    timeline = Timeline()
    icmp = build_icmp(b"\x0a\0\0\x09", ENDS["client"][0], unreachable(4, 1, packet("client", DATA).joined()))
    for strange in (icmp, Packet(b""), Packet(b"\x45" * 30), Packet(packet("client", DATA).joined()[:30])):
        timeline.packet_arrived(0, "client", strange)
    texts = [entry.packet.text for entry in timeline.entries if isinstance(entry, Arrival)]
    assert texts[0] == "ICMP destination unreachable"
    assert [text.partition(" (")[0] for text in texts[1:]] == ["malformed packet"] * 3


def test_a_packet_with_a_bad_or_unfinished_checksum_is_seen_as_what_it_is() -> None:
    damaged = bytearray(packet("client", DATA).joined())
    damaged[-1] ^= 1
    timeline = Timeline()
    timeline.packet_sent(0, "client", Packet(bytes(damaged)))
    entry = timeline.entries[0]
    assert isinstance(entry, Departure)
    assert (entry.packet.text, entry.packet.length) == ("", 10)


def test_an_icmp_error_belongs_to_the_connection_that_it_is_about() -> None:
    timeline = Timeline()
    icmp = build_icmp(b"\x0a\0\0\x09", ENDS["client"][0], unreachable(4, 1, packet("client", DATA).joined()))
    timeline.packet_arrived(0, "client", icmp)
    entry = timeline.entries[0]
    assert isinstance(entry, Arrival)
    assert (entry.packet.source, entry.packet.destination) == (ENDS["server"], ENDS["client"])


def test_segments_stand_for_packets_where_the_wire_cannot_be_watched() -> None:
    timeline = Timeline(segments=True)
    client, server = timeline.observer("client"), timeline.observer("server")
    segment = _segment()
    client.segment_out(5, Connection("client", State.SYN_SENT), segment)
    server.segment_in(7, Connection("server", State.LISTEN, listener=True), segment)
    assert arrivals(timeline) == [(0, False)]
    arrival = timeline.entries[1]
    assert isinstance(arrival, Arrival)
    assert arrival.packet.source == ENDS["client"]  # which the listener does not know


def test_segments_are_not_recorded_twice() -> None:
    timeline = Timeline()
    timeline.observer("client").segment_out(5, Connection("client", State.SYN_SENT), _segment())
    timeline.observer("client").segment_in(6, None, _segment())
    assert timeline.entries == []


def _segment() -> Segment:
    segment = parse_segment("S 0:0(0) win 100")
    segment.source_port, segment.destination_port = 40000, 80
    return segment


def test_json_is_deterministic_and_complete() -> None:
    told = normal_close().timeline.to_json()
    assert told == normal_close().timeline.to_json()
    read = json.loads(told)
    assert read["hosts"] == ["client", "server"]
    assert {entry["kind"] for entry in read["entries"]} == {"call", "move", "departure", "arrival", "timer"}
    assert read["entries"][0] | {"detail": ""} == {
        "kind": "call",
        "now": 0,
        "host": "server",
        "local": "10.0.0.2:80",
        "remote": None,
        "call": "OPEN",
        "detail": "",
    }
    last = read["entries"][-1]
    assert (last["old"], last["event"], last["new"]) == ("TIME-WAIT", Event.TIME_WAIT_TIMEOUT.value, "CLOSED")
