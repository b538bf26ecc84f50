"""The short cut for SYNs in front of `lastack.wire.datagram.parse`: nearly all of them are laid out as Linux does.

Its law is that of `lastack.wire.glance`: it can be deleted without any observable change. What it does not know at
first sight it leaves alone.
"""

from __future__ import annotations

from struct import Struct

from lastack.wire.checksum import residue, sum_of
from lastack.wire.options import USUAL, USUAL_SYN
from lastack.wire.packet import COMPLETE, Packet
from lastack.wire.segment import SYN, Segment

_HEADER_4 = Struct("!BBHHHBBH12s")
_HEADER_6 = Struct("!IHBB36s")
_SYN = Struct("!IIHHHH" + USUAL_SYN.format[1:])
_TCP = 6
_LENGTH = 40  # of the TCP header
_WORD = _LENGTH << 10 | SYN


def knock(packet: Packet) -> tuple[bytes, Segment] | None:
    """A SYN alone with the usual options (`USUAL_SYN`), and the key of the connection that it is for; None for all
    others, also for what is malformed or has a wrong checksum. 10 us less than `parse` in a connection's course.
    """
    data = packet.data
    size = len(data)
    first = data[0] if size >= 60 and not packet.payload else 0
    if first == 0x45 and size == 60:
        _, traffic_class, end, _, fragment, _, protocol, _, key = _HEADER_4.unpack_from(data)
        if end != 60 or fragment & 0x3FFF or int.from_bytes(data[:20], "big") % 65535:
            return None
        start = 20
    elif first >> 4 == 6 and size == 80:
        word, length, protocol, _, key = _HEADER_6.unpack_from(data)
        if length != _LENGTH:
            return None
        traffic_class, start = word >> 20 & 0xFF, 40
    else:
        return None
    seq, ack, word, window, _, urgent, head, _, stamp, val, ecr, scale = _SYN.unpack_from(data, start + 4)
    if word != _WORD or protocol != _TCP or (head, stamp, scale >> 8) != USUAL:
        return None
    if packet.checksum == COMPLETE and residue(sum_of(key[:-4], data[start:]) + _TCP + _LENGTH):
        return None
    ports = int.from_bytes(key[-4:], "big")
    options = bytes(data[start + 20 :])
    segment = Segment(ports >> 16, ports & 0xFFFF, seq, ack, SYN, window, urgent, options, (), 0, packet.gso_size)
    segment.ts_val, segment.ts_ecr = val, ecr
    segment.ecn = traffic_class & 3
    return key, segment
