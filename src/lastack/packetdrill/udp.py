"""TCP in UDP (FreeBSD's and nplab's `/udp(9899>9899)`), read as the TCP that it is."""

from __future__ import annotations

from lastack.packetdrill.compare import Sent
from lastack.wire import segment
from lastack.wire.datagram import build_tcp, parse
from lastack.wire.errors import WireError
from lastack.wire.packet import Packet
from lastack.wire.udp import Datagram


def segment_in(sent: Sent) -> Sent:
    """A datagram as the segment that it carries; anything else, and what carries none, as it is."""
    datagram = sent.body
    if not isinstance(datagram, Datagram):
        return sent
    try:
        body = segment.parse(datagram.data, 0, len(datagram.data))
    except WireError:
        return sent
    body.ecn = sent.header.traffic_class & 3
    return Sent(sent.time, sent.header, body, (datagram.source_port, datagram.destination_port))


def unwrapped(packet: Packet) -> Packet:
    """The same for who shows packets: TCP in UDP as TCP alone."""
    try:
        sent = segment_in(Sent(0, *parse(packet)))
        if sent.udp is None:
            return packet
        assert isinstance(sent.body, segment.Segment)
        return build_tcp(sent.header.source, sent.header.destination, sent.body, hop_limit=sent.header.hop_limit)
    except WireError:
        return packet
