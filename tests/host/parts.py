"""Packets by hand: fragments and extension headers of IPv4 and IPv6."""

from __future__ import annotations

from lastack.wire import icmp, ipv4, ipv6
from lastack.wire.address import parse_address
from lastack.wire.datagram import build_icmp, build_tcp
from lastack.wire.icmp import Message
from lastack.wire.packet import Packet
from lastack.wire.segment import SYN, Segment
from tests.host.harness import Bench

ENDS = {4: ("10.0.0.9", "10.0.0.1"), 6: ("fd00::9", "fd00::1")}


def ends(version: int) -> tuple[bytes, bytes]:
    return parse_address(ENDS[version][0]), parse_address(ENDS[version][1])


def echo(version: int, size: int) -> bytes:
    """An echo request with so many bytes of data."""
    source, destination = ends(version)
    data = bytes(number & 255 for number in range(size))
    return bytes(build_icmp(source, destination, icmp.echo_request(version, 7, 1, data)).joined())


def syn(version: int, port: int = 80) -> bytes:
    source, destination = ends(version)
    return bytes(build_tcp(source, destination, Segment(4711, port, 0, flags=SYN, options=bytes(40))).joined())


def body(whole: bytes) -> bytes:
    """What is behind the IP header of a packet without options or extension headers."""
    return whole[20:] if whole[0] >> 4 == 4 else whole[40:]


def part(
    version: int, what: bytes, offset: int, more: bool, *, protocol: int = 0, number: int = 5, ecn: int = 0
) -> bytes:
    """One fragment, of ICMP where no protocol is named."""
    source, destination = ends(version)
    protocol = protocol or (1 if version == 4 else 58)
    if version == 4:
        header = ipv4.build(
            source,
            destination,
            protocol,
            len(what),
            identification=number,
            dont_fragment=False,
            more_fragments=more,
            fragment_offset=offset,
            traffic_class=ecn,
        )
        return header + what
    front = bytes((protocol, 0)) + (offset | more).to_bytes(2, "big") + number.to_bytes(4, "big")
    return ipv6.build(source, destination, 44, 8 + len(what), traffic_class=ecn) + front + what


def parts(version: int, whole: bytes, size: int = 800, **more: int) -> list[bytes]:
    text = body(whole)
    return [part(version, text[at : at + size], at, at + size < len(text), **more) for at in range(0, len(text), size)]


def gets(h: Bench, *packets: bytes) -> None:
    """They come in, and the host answers."""
    for packet in packets:
        h.receive(Packet(packet))


def said(h: Bench) -> list[Message]:
    """The ICMP messages that the host has just sent, and nothing else."""
    found = [body for _, body in h.pending if isinstance(body, Message)]
    assert len(found) == len(h.pending)
    h.forget()
    return found
