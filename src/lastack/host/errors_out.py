"""What a host sends that is no connection's: echo replies and ICMP errors, at a limited rate (RFC 1122 3.2.2).

Nobody is told of an error in an ICMP error, in a later fragment, in what was for a group or came from no single host
(RFC 1122 section 3.2.2, RFC 4443 section 2.4 (e)).
"""

from __future__ import annotations

from lastack.host import isn
from lastack.host.tables import Tables
from lastack.wire import icmp, ipv6, udp
from lastack.wire.address import is_unicast, parse_address
from lastack.wire.datagram import Header, build_icmp, parse_ip
from lastack.wire.errors import ParameterProblem, WireError
from lastack.wire.fragment import split
from lastack.wire.icmp import Kind
from lastack.wire.packet import Packet

_ALL_NODES = parse_address("ff02::1")  # the one group that every host belongs to (RFC 4291 section 2.8)
_REDIRECT_6 = 137


def answer(host: Tables, now: int, source: bytes, destination: bytes, message: icmp.Message) -> None:
    """The reply to an echo request, its data returned whole (RFC 1122 3.2.2.6, RFC 4443 4.2); nothing to anything else
    (Source Quench among them: MUST-55; RFC 6633 section 3). It comes from the address that was asked, and in fragments
    where it is long."""
    if message.kind is not Kind.ECHO_REQUEST or not host.config.answer_echo:
        return
    if not host.limiter.allows("echo", now, host.config.icmp_per_second):
        host.counters["limit: ICMP"] += 1
        return
    number = _number(host, destination, source)
    packet = _built(host, destination, source, icmp.echo_reply(message), number)
    known = host.paths.known(source, now)
    mtu = min(host.mtu, known.mtu) if known is not None else host.mtu
    if len(packet) <= mtu or source in host.addresses:
        host.emit(packet)
        return
    for part in split(packet.joined(), mtu, number):
        host.emit(Packet(part, transport=packet.transport))


def unreachable(host: Tables, now: int, header: Header, packet: Packet) -> None:
    """A protocol that nobody speaks here, AH and ESP among them: port unreachable for UDP, protocol unreachable else
    (RFC 1122 3.2.2.1), which in IPv6 is a next header that is not recognized (RFC 8200 section 4)."""
    host.counters["dropped: UDP port" if header.protocol == udp.PROTOCOL else "dropped: protocol"] += 1
    data = packet.joined()
    if header.version == 6 and header.protocol == ipv6.NO_NEXT_HEADER:
        return  # RFC 8200 section 4.7: what is behind it is ignored
    if not _may_be_told(header, data) or not _allowed(host, now):
        return
    if header.version == 4:
        message = icmp.unreachable(4, 3 if header.protocol == udp.PROTOCOL else 2, data)
    elif header.protocol == udp.PROTOCOL:
        message = icmp.unreachable(6, 4, data)
    else:
        message = icmp.parameter_problem(6, 1, header.named_at if isinstance(header, ipv6.Header) else 0, data)
    _send(host, header.destination, header.source, message)


def parameter_problem(host: Tables, now: int, data: bytes | memoryview, problem: ParameterProblem) -> None:
    """What is wrong with an IPv6 packet, to its source (RFC 4443 section 3.4)."""
    source, destination = bytes(data[8:24]), bytes(data[24:40])
    ours = destination
    if destination not in host.addresses:
        ours = next((address for address in host.addresses if len(address) == 16), b"")
        if not (problem.multicast and destination == _ALL_NODES and ours):
            return
    told = is_unicast(source)
    try:
        header = ipv6.parse(data, quoted=True)
    except WireError:
        pass  # nothing says that it is an ICMP error
    else:
        told = told and (header.fragment_offset > 0 or _may_be_told(header, data))
    if told and _allowed(host, now):
        _send(host, ours, source, icmp.parameter_problem(6, problem.code, problem.pointer, data))


def reassembly_timed_out(host: Tables, now: int, first: bytes) -> None:
    """Time exceeded, code 1, quoting the first fragment (RFC 1122 3.3.2, RFC 8200 4.5)."""
    header = parse_ip(first)
    if _may_be_told(header, first) and _allowed(host, now):
        _send(host, header.destination, header.source, icmp.time_exceeded(header.version, 1, first))


def _may_be_told(header: Header, data: bytes | memoryview) -> bool:
    """Whether a packet from a single host is no ICMP error."""
    if header.protocol != (icmp.PROTOCOL_4 if header.version == 4 else icmp.PROTOCOL_6) or header.start >= header.end:
        return True
    kind = data[header.start]
    return kind in (0, 8) if header.version == 4 else kind >= 128 and kind != _REDIRECT_6


def _send(host: Tables, source: bytes, destination: bytes, message: icmp.Message) -> None:
    host.emit(_built(host, source, destination, message, _number(host, source, destination)))


def _built(host: Tables, source: bytes, destination: bytes, message: icmp.Message, number: int) -> Packet:
    return build_icmp(source, destination, message, hop_limit=host.config.hop_limit, identification=number & 0xFFFF)


def _number(host: Tables, source: bytes, destination: bytes) -> int:
    """The identification of a datagram that we may cut, or in IPv4 routers may, as it goes without DF: RFC 6864 section
    4.3 asks for another each time."""
    host.fragments.sent += 1
    return isn.fragment_identification(host.secret, source, destination, host.fragments.sent)


def _allowed(host: Tables, now: int) -> bool:
    if host.icmp_errors.allows(now):
        return True
    host.counters["limit: ICMP"] += 1
    return False
