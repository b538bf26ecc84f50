"""A whole packet in one step, in both directions: what a host's hot path calls."""

from __future__ import annotations

from struct import Struct
from struct import error as StructError

from lastack.wire import icmp, ipv4, ipv6, segment, udp
from lastack.wire.checksum import residue, sum_of, verify_transport
from lastack.wire.errors import WireError
from lastack.wire.ip_options import final_destination
from lastack.wire.packet import COMPLETE, Buffer, Packet
from lastack.wire.segment import Segment
from lastack.wire.udp import Datagram

TCP = 6

Header = ipv4.Header | ipv6.Header
Body = Segment | icmp.Message | Datagram | None

_TCP_IN_4 = Struct("!BBHHHBBH4s4sHHIIHHHH")
_TCP_IN_6 = Struct("!IHBB16s16sHHIIHHHH")


def parse_ip(data: Buffer) -> Header:
    """The IP header of either version at the front of `data`. WireError as `ipv4.parse` and `ipv6.parse`."""
    if not len(data):
        raise WireError("truncated", "an empty packet")
    version = data[0] >> 4
    if version == 4:
        return ipv4.parse(data)
    if version == 6:
        return ipv6.parse(data)
    raise WireError("version", f"{version}, neither 4 nor 6")


def parse(packet: Packet) -> tuple[Header, Body]:
    """The packet's IP header, and its TCP segment, ICMP message or UDP datagram; None for any other protocol.

    A checksum is verified where the packet is COMPLETE (RFC 9293 MUST-3). WireError of any kind for what is malformed,
    "fragment" for a part of a datagram: `lastack.wire.fragment` puts those together.
    """
    data = packet.joined()
    header = parse_ip(data)
    if header.more_fragments or header.fragment_offset:
        raise WireError("fragment", f"offset {header.fragment_offset}")
    start, end = header.start, header.end
    if header.protocol == TCP:
        body = segment.parse(data, start, end)
        if packet.checksum == COMPLETE and not verify_transport(
            header.source, final_destination(header), TCP, data[start:end]
        ):
            raise WireError("checksum", "TCP")
        body.gso_size = packet.gso_size
        body.ecn = header.traffic_class & 3
        return header, body
    if header.protocol == (icmp.PROTOCOL_4 if header.version == 4 else icmp.PROTOCOL_6):
        return header, icmp.parse(data, header, verified=packet.checksum != COMPLETE)
    if header.protocol == udp.PROTOCOL:
        return header, udp.parse(data, header, verified=packet.checksum != COMPLETE)
    return header, None


def build_tcp(
    source: bytes,
    destination: bytes,
    tcp: Segment,
    *,
    hop_limit: int = 64,
    traffic_class: int = 0,
    flow_label: int = 0,
    identification: int = 0,
    dont_fragment: bool = True,
    checksum: int = COMPLETE,
) -> Packet:
    """The packet that carries `tcp`: IP and TCP headers in one bytes, the payload as the segment's own views (MUST-2).

    The segment's `ecn` is the ECN field, `traffic_class` gives the other six bits alone (RFC 3168 section 5).
    The addresses' length chooses the version; `flow_label` is IPv6's, `identification` and `dont_fragment` are IPv4's.
    With `checksum` COMPLETE it is computed here, else the field holds the folded sum of the pseudo-header for the
    device to go on from (packet.PARTIAL). `tcp.length` must be the payload's bytes.
    WireError "length" over 65535 bytes, "option-space", "value", "address".
    """
    traffic_class = traffic_class & 0xFC | tcp.ecn
    options = tcp.options
    space = len(options)
    if space & 3:
        options = bytes(options) + bytes(-space % 4)
        space = len(options)
    if space > 40:
        raise WireError("option-space", f"{space} bytes of options")
    tcp_length = 20 + space + tcp.length
    # Everything below is summed modulo 65535, where a 32-bit number is the sum of its halves (lastack.wire.checksum).
    addresses = int.from_bytes(source + destination, "big")
    word = 0x5000 + (space << 10) | tcp.flags
    total = addresses + TCP + tcp_length
    if checksum == COMPLETE:
        total += tcp.source_port + tcp.destination_port + tcp.seq + tcp.ack + word + tcp.window + tcp.urgent
        if space:
            total += int.from_bytes(options, "big")
        if tcp.length:
            total += sum_of(*tcp.payload)
        field = -residue(total) % 65535
    else:
        field = total % 65535 or 65535
    fields = (tcp.source_port, tcp.destination_port, tcp.seq, tcp.ack, word, tcp.window, field, tcp.urgent)
    try:
        if len(source) == 4 and len(destination) == 4:
            length = 20 + tcp_length
            fragment = 0x4000 if dont_fragment else 0
            ip_sum = 0x4500 + traffic_class + length + identification + fragment + (hop_limit << 8) + TCP + addresses
            ip = (0x45, traffic_class, length, identification, fragment, hop_limit, TCP, -ip_sum % 65535)
            data = _TCP_IN_4.pack(*ip, source, destination, *fields)
            transport = 20
        elif len(source) == 16 and len(destination) == 16:
            first = 0x60000000 | traffic_class << 20 | flow_label
            data = _TCP_IN_6.pack(first, tcp_length, TCP, hop_limit, source, destination, *fields)
            transport = 40
        else:
            raise WireError("address", f"addresses of {len(source)} and {len(destination)} bytes")
    except StructError as error:
        if tcp_length > 65535 - 20:
            raise WireError("length", f"{tcp_length} bytes of TCP in a packet") from None
        raise WireError("value", f"{tcp!r}: {error}") from None
    return Packet(data + options if space else data, tcp.payload, checksum, tcp.gso_size, transport)


def build_icmp(
    source: bytes,
    destination: bytes,
    message: icmp.Message,
    *,
    hop_limit: int = 64,
    traffic_class: int = 0,
    flow_label: int = 0,
    identification: int = 0,
) -> Packet:
    """The packet that carries `message`, which is of the addresses' version. WireError "address", "length", "value"."""
    protocol = icmp.PROTOCOL_4 if message.version == 4 else icmp.PROTOCOL_6
    body = icmp.build(message, source, destination)
    return _build(source, destination, protocol, body, hop_limit, traffic_class, flow_label, identification)


def build_udp(
    source: bytes,
    destination: bytes,
    datagram: Datagram,
    *,
    hop_limit: int = 64,
    traffic_class: int = 0,
    flow_label: int = 0,
    identification: int = 0,
) -> Packet:
    """The packet that carries `datagram`. WireError "address", "length", "value"."""
    body = udp.build(datagram, source, destination)
    return _build(source, destination, udp.PROTOCOL, body, hop_limit, traffic_class, flow_label, identification)


def _build(
    source: bytes,
    destination: bytes,
    protocol: int,
    body: bytes,
    hop_limit: int,
    traffic_class: int,
    flow_label: int,
    identification: int,
) -> Packet:
    if protocol == icmp.PROTOCOL_4 or len(source) == 4:
        header = ipv4.build(
            source,
            destination,
            protocol,
            len(body),
            hop_limit=hop_limit,
            traffic_class=traffic_class,
            identification=identification,
            dont_fragment=False,
        )
        return Packet(header + body)
    header = ipv6.build(
        source,
        destination,
        protocol,
        len(body),
        hop_limit=hop_limit,
        traffic_class=traffic_class,
        flow_label=flow_label,
    )
    return Packet(header + body, transport=ipv6.HEADER_LENGTH)
