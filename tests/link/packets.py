"""Packets made by hand, and what a receiver would think of them."""

from __future__ import annotations

from lastack.link.frame import Frame
from lastack.wire import ipv4, ipv6
from lastack.wire.checksum import pseudo_header_sum, transport_checksum, verify_transport
from lastack.wire.packet import COMPLETE, PARTIAL, Packet
from lastack.wire.segment import ACK, Segment, build_header, parse

ADDRESSES = {4: (b"\x0a\0\0\1", b"\x0a\0\0\2"), 6: (b"\xfd" + bytes(14) + b"\1", b"\xfd" + bytes(14) + b"\2")}
PROTOCOL = 6


def packet(
    text: bytes = b"",
    flags: int = ACK,
    seq: int = 1000,
    version: int = 4,
    gso_size: int = 0,
    partial: bool = False,
    identification: int = 7,
    urgent: int = 0,
    options: bytes = b"",
    dont_fragment: bool = True,
) -> Packet:
    """A TCP packet as a host sends it: headers apart from the text, its checksum complete or left to the device."""
    source, destination = ADDRESSES[version]
    segment = Segment(40000, 80, seq, 5, flags, 100, urgent, options)
    bare = build_header(segment)
    length = len(bare) + len(text)
    if partial:
        header = build_header(segment, pseudo_header_sum(source, destination, PROTOCOL, length))
    else:
        header = build_header(segment, transport_checksum(source, destination, PROTOCOL, bare, text))
    if version == 4:
        ip = ipv4.build(
            source, destination, PROTOCOL, length, identification=identification, dont_fragment=dont_fragment
        )
    else:
        ip = ipv6.build(source, destination, PROTOCOL, length)
    payload = (memoryview(text),) if text else ()
    return Packet(ip + header, payload, PARTIAL if partial else COMPLETE, gso_size, len(ip))


def frame(text: bytes = b"", number: int = 1, **values: int) -> Frame:
    """The same on the wire."""
    made = packet(text, **values)  # type: ignore[arg-type]
    return Frame(bytes(made.joined()), made.transport, number, 0)


def believed(finished: Packet) -> Segment:
    """The segment of a packet that a receiver accepts: every checksum and length right."""
    assert finished.checksum == COMPLETE
    assert not finished.gso_size
    assert not finished.payload
    data = finished.data
    header = ipv4.parse(data) if data[0] >> 4 == 4 else ipv6.parse(data)
    assert header.end == len(data)
    assert (header.start, header.protocol) == (finished.transport, PROTOCOL)
    assert verify_transport(header.source, header.destination, PROTOCOL, memoryview(data)[header.start :])
    return parse(data, header.start, header.end)


def text_of(segment: Segment) -> bytes:
    """The text of a segment."""
    return b"".join(segment.payload)
