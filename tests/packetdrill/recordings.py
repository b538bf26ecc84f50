"""Recordings as a runner makes them."""

from __future__ import annotations

from lastack.trace.timeline import Timeline
from lastack.wire.datagram import build_tcp
from lastack.wire.notation import parse_segment


def timeline(*segments: tuple[int, str]) -> Timeline:
    """A recording of segments: when, and `<` or `>` with what is sent. By default a SYN and its answer."""
    made = Timeline()
    made.hosts = ["script", "lastack"]
    ends = (b"\xc0\x00\x02\x01", 5000), (b"\xc0\xa8\x00\x01", 8080)
    for now, text in segments or ((0, "< S 0:0(0) win 1000 <mss 1000>"), (10, "> S. 0:0(0) ack 1 win 0")):
        sender, receiver = ("script", "lastack") if text[0] == "<" else ("lastack", "script")
        segment = parse_segment(text[2:])
        (source, segment.source_port), (destination, segment.destination_port) = ends if text[0] == "<" else ends[::-1]
        packet = build_tcp(source, destination, segment)
        made.packet_sent(now, sender, packet)
        made.packet_arrived(now, receiver, packet)
    return made
