"""UDP (RFC 768; over IPv6 RFC 8200 section 8.1): the datagram as a value, and TCP that it carries.

Such TCP is a whole segment as the datagram's text. Its own checksum is neither made nor looked at: UDP's is over every
octet of it, and NATs, which UDP is to get it past, would leave it wrong.
"""

from __future__ import annotations

from struct import Struct
from struct import error as StructError

from lastack.wire import ipv4, ipv6
from lastack.wire.checksum import checksum, transport_checksum, verify_transport
from lastack.wire.errors import WireError
from lastack.wire.ip_options import final_destination
from lastack.wire.packet import COMPLETE, Buffer, Packet

PROTOCOL = 17
HEADER = Struct("!HHHH")
HEADER_LENGTH = 8

_MOST = 65535
_CHECKSUM = 16  # where TCP has its own


class Datagram:
    """`data` is its text."""

    __slots__ = ("data", "destination_port", "source_port")

    def __init__(self, source_port: int, destination_port: int, data: Buffer = b"") -> None:
        self.source_port = source_port
        self.destination_port = destination_port
        self.data = data

    def __repr__(self) -> str:
        return f"Datagram({self.source_port}>{self.destination_port} {len(self.data)} bytes)"


def parse(data: Buffer, header: ipv4.Header | ipv6.Header, *, verified: bool = False) -> Datagram:
    """The datagram of the packet `data` with the IP header `header`; what IP has behind its end is left alone.

    `verified`: do not look at the checksum. Zero is none (RFC 768), which IPv6 does not allow (RFC 8200 section 8.1).
    WireError "truncated", "length" or "checksum".
    """
    start, end = header.start, header.end
    if end - start < HEADER_LENGTH or end > len(data):
        raise WireError("truncated", f"UDP header in {end - start} bytes")
    source_port, destination_port, length, field = HEADER.unpack_from(data, start)
    if not HEADER_LENGTH <= length <= end - start:
        raise WireError("length", f"{length} bytes of UDP in {end - start}")
    view = (data if isinstance(data, memoryview) else memoryview(data))[start : start + length]
    if not verified:
        if not field and header.version == 6:
            raise WireError("checksum", "UDP over IPv6 without one")
        if field and not verify_transport(header.source, final_destination(header), PROTOCOL, view):
            raise WireError("checksum", "UDP")
    return Datagram(source_port, destination_port, view[HEADER_LENGTH:])


def build(datagram: Datagram, source: bytes, destination: bytes) -> bytes:
    """The datagram's bytes, checksum included, for a packet between these addresses. WireError "length", "value"."""
    return _header(datagram.source_port, datagram.destination_port, source, destination, datagram.data) + datagram.data


def carry(packet: Packet, source_port: int, destination_port: int) -> Packet:
    """A packet of a TCP segment behind IP's fixed header as one in which UDP carries the segment. WireError "length",
    "value"."""
    start = packet.transport
    ip = bytearray(packet.data[:start])
    tcp = b"".join((packet.data[start : start + _CHECKSUM], b"\0\0", packet.data[start + _CHECKSUM + 2 :]))
    four = start == ipv4.HEADER_LENGTH
    length = len(packet) + HEADER_LENGTH - (0 if four else start)
    if length > _MOST:
        raise WireError("length", f"{length} bytes of UDP in a packet")
    if four:
        ip[2:4], ip[9], ip[10:12] = length.to_bytes(2, "big"), PROTOCOL, b"\0\0"
        ip[10:12] = checksum(bytes(ip)).to_bytes(2, "big")
        source, destination = bytes(ip[12:16]), bytes(ip[16:20])
    else:
        ip[4:6], ip[6] = length.to_bytes(2, "big"), PROTOCOL
        source, destination = bytes(ip[8:24]), bytes(ip[24:40])
    header = _header(source_port, destination_port, source, destination, tcp, *packet.payload)
    return Packet(b"".join((ip, header, tcp)), packet.payload, COMPLETE, 0, start)


def _header(source_port: int, destination_port: int, source: bytes, destination: bytes, *text: Buffer) -> bytes:
    length = HEADER_LENGTH + sum(map(len, text))
    if length > _MOST:
        raise WireError("length", f"{length} bytes of UDP")
    try:
        header = HEADER.pack(source_port, destination_port, length, 0)
    except StructError as error:
        raise WireError("value", f"UDP header: {error}") from None
    # RFC 768: a checksum that comes to zero is sent as all ones, since zero is none.
    field = transport_checksum(source, destination, PROTOCOL, header, *text) or 0xFFFF
    return header[:6] + field.to_bytes(2, "big")
