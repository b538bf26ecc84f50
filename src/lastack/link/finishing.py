"""Make a packet what the wire would see: its checksum complete, a super-segment cut into segments.

A device with offloads does this in hardware or in the kernel. Fault rules and captures need it done first: what the
wire never carries can neither be corrupted nor shown, and a receiver that is told that a checksum is still to be made
believes any packet.
"""

from __future__ import annotations

from struct import Struct

from lastack.wire.checksum import checksum, transport_checksum
from lastack.wire.packet import COMPLETE, Buffer, Packet
from lastack.wire.segment import CWR, FIN, PSH, URG

_SHORT = Struct("!H")
_LONG = Struct("!I")

ICMP = 1
TCP = 6
UDP = 17
ICMPV6 = 58

# Where a transport's checksum stands in its header.
_FIELDS = {TCP: 16, UDP: 6, ICMPV6: 2, ICMP: 2}
_IPV4_HEADER = 20
_IPV6_HEADER = 40
_TCP_HEADER = 20
_URGENT = 18
_FLAGS = 13


def finish(packet: Packet) -> list[Packet]:
    """The packets that the wire carries for this one: each COMPLETE, in one buffer, no larger than `gso_size` asks.

    What is not a whole TCP packet passes as it is (a device may carry anything): nothing is raised.
    """
    joined = packet.joined()
    if packet.checksum == COMPLETE and not packet.gso_size:
        return [packet if joined is packet.data else Packet(joined, transport=packet.transport)]
    data = bytearray(joined)
    protocol = _protocol(data, packet.transport)
    if protocol == TCP and packet.gso_size:
        payload = _payload_offset(data, packet.transport)
        if payload and len(data) - payload > packet.gso_size:
            return _cut(data, packet.transport, payload, packet.gso_size)
    if protocol in _FIELDS:
        complete_checksum(data, packet.transport, protocol)
    return [Packet(bytes(data), transport=packet.transport)]


def addresses(data: Buffer | bytearray) -> tuple[bytes, bytes]:
    """Source and destination of an IP packet; two empty strings where there are none to read."""
    if len(data) >= 20 and data[0] >> 4 == 4:
        return bytes(data[12:16]), bytes(data[16:20])
    if len(data) >= 40 and data[0] >> 4 == 6:
        return bytes(data[8:24]), bytes(data[24:40])
    return b"", b""


def complete_checksum(data: bytearray, transport: int, protocol: int) -> None:
    """Write the transport's checksum over header and text into a whole IP packet, whatever the field held."""
    field = transport + _FIELDS[protocol]
    if field + 2 > len(data):
        return
    data[field : field + 2] = b"\0\0"
    text = memoryview(data)[transport:]
    if protocol == ICMP:
        value = checksum(text)
    else:
        source, destination = addresses(data)
        value = transport_checksum(source, destination, protocol, text)
    if protocol == UDP and value == 0:
        value = 0xFFFF  # RFC 768: zero says that there is none
    _SHORT.pack_into(data, field, value)


def complete_header_checksum(data: bytearray) -> None:
    """Write the header checksum of an IPv4 packet (RFC 791 section 3.1)."""
    data[10:12] = b"\0\0"
    _SHORT.pack_into(data, 10, checksum(memoryview(data)[: (data[0] & 0x0F) * 4]))


def _protocol(data: bytearray, transport: int) -> int:
    """What stands at `transport`; -1 where the packet is no IP packet that reaches so far, or a fragment of one."""
    if not data:
        return -1
    version = data[0] >> 4
    if version == 4 and len(data) > transport >= _IPV4_HEADER:
        fragment = _SHORT.unpack_from(data, 6)[0] & 0x3FFF
        return -1 if fragment else data[9]
    if version == 6 and len(data) > transport >= _IPV6_HEADER:
        return data[6] if transport == _IPV6_HEADER else _after_extensions(data, transport)
    return -1


def _after_extensions(data: bytearray, transport: int) -> int:
    """The protocol behind IPv6 extension headers (RFC 8200 section 4); -1 where they do not end at `transport`."""
    protocol, offset = data[6], _IPV6_HEADER
    while offset < transport and offset + 2 <= len(data):
        protocol, offset = data[offset], offset + (data[offset + 1] + 1) * 8
    return protocol if offset == transport else -1


def _payload_offset(data: bytearray, transport: int) -> int:
    """Where the text of a TCP packet begins; 0 where the header is not whole."""
    if len(data) < transport + _TCP_HEADER:
        return 0
    offset = transport + (data[transport + 12] >> 4) * 4
    return offset if transport + _TCP_HEADER <= offset <= len(data) else 0


def _cut(data: bytearray, transport: int, payload: int, size: int) -> list[Packet]:
    """Cut a super-segment: PSH and FIN stay on the last cut alone, CWR on the first."""
    header, text = bytes(data[:payload]), memoryview(data)[payload:]
    ipv4 = data[0] >> 4 == 4
    identification = _SHORT.unpack_from(data, 4)[0]
    sequence = _LONG.unpack_from(data, transport + 4)[0]
    flags = data[transport + _FLAGS]
    urgent = _SHORT.unpack_from(data, transport + _URGENT)[0]
    cuts = []
    for count, start in enumerate(range(0, len(text), size)):
        cut = bytearray(header)
        cut += text[start : start + size]
        _LONG.pack_into(cut, transport + 4, (sequence + start) & 0xFFFFFFFF)
        kept = flags
        if start + size < len(text):
            kept &= ~(FIN | PSH)
        if start:
            kept &= ~CWR
        if flags & URG:
            # The pointer counts from the sequence number of its own segment (RFC 9293 section 3.8.2).
            kept, ahead = (kept, urgent - start) if urgent > start else (kept & ~URG, 0)
            _SHORT.pack_into(cut, transport + _URGENT, ahead)
        cut[transport + _FLAGS] = kept
        if ipv4:
            _SHORT.pack_into(cut, 2, len(cut))
            _SHORT.pack_into(cut, 4, (identification + count) & 0xFFFF)
            complete_header_checksum(cut)
        else:
            _SHORT.pack_into(cut, 4, len(cut) - _IPV6_HEADER)
        complete_checksum(cut, transport, TCP)
        cuts.append(Packet(bytes(cut), transport=transport))
    return cuts
