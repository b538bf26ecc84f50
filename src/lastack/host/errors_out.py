"""What a host sends that is no connection's: echo replies and ICMP errors, at a limited rate (RFC 1122 3.2.2)."""

from __future__ import annotations

from lastack.host.tables import Tables
from lastack.wire import icmp
from lastack.wire.datagram import Header, build_icmp
from lastack.wire.icmp import Kind
from lastack.wire.packet import Packet

_UDP = 17


def answer(host: Tables, now: int, source: bytes, destination: bytes, message: icmp.Message) -> Packet | None:
    """The reply to an echo request; None to anything else (Source Quench among them: MUST-55; RFC 6633 section 3)."""
    if message.kind is not Kind.ECHO_REQUEST or not _allowed(host, now):
        return None
    host.counters["packets out"] += 1
    return build_icmp(destination, source, icmp.echo_reply(message))


def unreachable(host: Tables, now: int, header: Header, packet: Packet) -> None:
    """A protocol that nobody speaks here: port unreachable for UDP, protocol unreachable else (RFC 1122 3.2.2.1)."""
    host.counters["dropped: protocol"] += 1
    if not _allowed(host, now):
        return
    data = packet.joined()
    if header.version == 4:
        message = icmp.unreachable(4, 3 if header.protocol == _UDP else 2, data)
    elif header.protocol == _UDP:
        message = icmp.unreachable(6, 4, data)
    else:
        message = icmp.parameter_problem(6, 1, 6, data)
    host.emit(build_icmp(header.destination, header.source, message))


def _allowed(host: Tables, now: int) -> bool:
    if host.limiter.allows("ICMP", now, host.config.icmp_per_second):
        return True
    host.counters["limit: ICMP"] += 1
    return False
