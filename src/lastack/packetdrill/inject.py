"""Packets of a script on their way in: from values to bytes."""

from __future__ import annotations

from lastack.packetdrill.errors import Failed, ScriptError, Unsupported
from lastack.packetdrill.flows import FIRST_PORT, Flow
from lastack.packetdrill.language.syntax import IcmpPacket, Ip, PacketEvent, Stamp, TcpPacket, UdpPacket
from lastack.packetdrill.machine import Machine
from lastack.packetdrill.settings import Settings
from lastack.wire import icmp
from lastack.wire.address import parse_address
from lastack.wire.datagram import build_icmp, build_tcp, build_udp
from lastack.wire.errors import WireError
from lastack.wire.options import Option, Sack, Timestamps, build
from lastack.wire.packet import Packet
from lastack.wire.segment import ACK, AE, CWR, ECE, SYN, Segment
from lastack.wire.udp import HEADER_LENGTH as UDP_HEADER_LENGTH
from lastack.wire.udp import Datagram, carry

_MASK = 0xFFFF_FFFF
_ECN = {"noecn": 0, "ect1": 1, "ect0": 2, "ce": 3}
_HOP_LIMIT = 255  # as from a neighbour

# The names of codes, as scripts write them, by IP version (RFC 792, RFC 1812, RFC 4443).
_UNREACHABLE = {
    4: {
        "net_unreachable": 0,
        "host_unreachable": 1,
        "protocol_unreachable": 2,
        "port_unreachable": 3,
        "frag_needed": 4,
        "source_route_failed": 5,
        "net_unknown": 6,
        "host_unknown": 7,
        "source_host_isolated": 8,
        "net_prohibited": 9,
        "host_prohibited": 10,
        "net_unreachable_for_tos": 11,
        "host_unreachable_for_tos": 12,
        "packet_filtered": 13,
        "precedence_violation": 14,
        "precedence_cutoff": 15,
    },
    6: {
        "no_route": 0,
        "admin_prohibited": 1,
        "not_neighbour": 2,
        "address_unreachable": 3,
        "port_unreachable": 4,
    },
}
_TYPES = {
    4: {
        "echo_reply": 0,
        "unreachable": 3,
        "source_quench": 4,
        "redirect": 5,
        "echo_request": 8,
        "time_exceeded": 11,
        "parameter_problem": 12,
    },
    6: {
        "unreachable": 1,
        "packet_too_big": 2,
        "time_exceeded": 3,
        "parameter_problem": 4,
        "echo_request": 128,
        "echo_reply": 129,
    },
}
_CODES: dict[str, dict[str, int]] = {
    "time_exceeded": {"exceeded_hop_limit": 0, "exceeded_frag_time": 1},
    "parameter_problem": {"header_field": 0, "unknown_next_header": 1, "unknown_option": 2},
}


def check_supported(event: PacketEvent, machine: Machine) -> None:
    """Raise Unsupported, by its name, for what the machine cannot carry."""
    if event.carriers:
        raise Unsupported(f"packets carried in {', '.join(event.carriers)}")
    if event.in_udp():
        check_encapsulation(machine)


def check_encapsulation(machine: Machine) -> None:
    """The same for TCP in UDP."""
    if machine.name == "kernel":
        raise Unsupported("TCP carried in UDP, which Linux does not know")


def tcp(packet: TcpPacket, flow: Flow, machine: Machine, *, ecr_scaled: bool = False) -> bytes:
    """The IP packet that the script's segment is on the wire of this connection. `ecr_scaled`: see `Settings`."""
    syn = bool(packet.flags & SYN)
    seq = packet.seq or 0
    if not packet.absolute_seq:
        seq += flow.remote_offset(syn)
    ack = packet.ack or 0
    if packet.flags & ACK and not packet.absolute_ack:
        ack += flow.local_offset(syn)
    remote, local = packet.ports or (flow.remote_port, flow.local_port)
    flags = packet.flags
    if packet.ace is not None:
        flags = (
            flags & ~(AE | CWR | ECE) | AE * (packet.ace >> 2) | CWR * (packet.ace >> 1 & 1) | ECE * (packet.ace & 1)
        )
    segment = Segment(
        seq=seq & _MASK,
        ack=ack & _MASK,
        flags=flags,
        window=packet.window if packet.window is not None else 0,
        urgent=packet.urgent or 0,
        options=_options(packet, flow, syn, ecr_scaled),
        payload=(bytes(packet.length),) if packet.length else (),
        length=packet.length,
    )
    segment.source_port, segment.destination_port = remote, local
    ip = packet.ip
    traffic_class = _traffic_class(ip)
    segment.ecn = traffic_class & 3
    built = build_tcp(
        parse_address(machine.remote),
        parse_address(machine.local),
        segment,
        hop_limit=_HOP_LIMIT if ip.ttl is None else ip.ttl,
        traffic_class=traffic_class,
        flow_label=ip.flow_label or 0,
    )
    return _carried(built, packet.udp)


def _carried(packet: Packet, udp: tuple[int, int] | None) -> bytes:
    return bytes((packet if udp is None else carry(packet, *udp)).joined())


def udp(packet: UdpPacket, flow: Flow | None, machine: Machine, settings: Settings) -> bytes:
    """The IP packet with a datagram; without ports from the connection's to the connection's, or to `bind_port`."""
    local, remote = _ports(flow)
    source, destination = packet.ports or (remote or FIRST_PORT, local or settings.bind_port)
    ip = packet.ip
    built = build_udp(
        parse_address(machine.remote),
        parse_address(machine.local),
        Datagram(source, destination, bytes(packet.length)),
        hop_limit=_HOP_LIMIT if ip.ttl is None else ip.ttl,
        traffic_class=_traffic_class(ip),
        flow_label=ip.flow_label or 0,
    )
    return bytes(built.joined())


def _ports(flow: Flow | None) -> tuple[int, int]:
    return (0, 0) if flow is None else (flow.local_port, flow.remote_port)


def _traffic_class(ip: Ip) -> int:
    value = ip.traffic_class or 0
    if ip.dscp is not None:
        value = value & 3 | ip.dscp << 2
    if ip.ecn is not None:
        value = value & 0xFC | _ECN.get(ip.ecn, 2)
    return value


def _options(packet: TcpPacket, flow: Flow, syn: bool, scaled: bool) -> bytes:
    assert packet.options is not None
    if isinstance(packet.options, bytes):
        return packet.options
    try:
        return build([_on_the_wire(option, packet, flow, syn, scaled) for option in packet.options])
    except WireError as error:
        raise ScriptError(str(error)) from None


def _on_the_wire(option: Option | Stamp, packet: TcpPacket, flow: Flow, syn: bool, scaled: bool) -> Option:
    if isinstance(option, Stamp):
        ecr = option.ecr or 0
        if packet.flags & ACK and not option.absolute_ecr:
            ecr = _echo(ecr, flow, scaled)
        return Timestamps(option.val or 0, ecr)
    if isinstance(option, Sack):
        offset = flow.local_offset(syn)
        return Sack(tuple(((left + offset) & _MASK, (right + offset) & _MASK) for left, right in option.blocks))
    return option


def _echo(ecr: int, flow: Flow, scaled: bool) -> int:
    """The timestamp of ours that the script means; with --tcp_ts_ecr_scaled one that we never sent, too."""
    if ecr in flow.stamps:
        return flow.stamps[ecr]
    if not scaled or flow.first_stamp is None:
        raise Failed(f"TS ecr {ecr}: no segment with TS val {ecr} has come out, so it stands for nothing")
    named, was = flow.first_stamp
    return (ecr - named + was) & _MASK


# --- ICMP ---


def icmp_error(packet: IcmpPacket, flow: Flow | None, machine: Machine) -> bytes:
    """The IP packet with an ICMP message about a segment that the machine has sent, from a router on the way."""
    version = machine.version
    kind, code = type_and_code(packet, version)
    if packet.kind.startswith("echo_"):
        message = icmp.Message(version, kind, code, (packet.identifier or 0) << 16)
    else:
        message = icmp.Message(version, kind, code, packet.mtu or 0, _quote(packet, flow, machine))
    built = build_icmp(parse_address(machine.remote), parse_address(machine.local), message, hop_limit=_HOP_LIMIT)
    return bytes(built.joined())


def type_and_code(packet: IcmpPacket, version: int) -> tuple[int, int]:
    """The numbers of a message. ScriptError for a name that there is not."""
    kind = _TYPES[version].get(packet.kind)
    if kind is None:
        raise ScriptError(f"ICMP for IPv{version} has no {packet.kind!r}: {', '.join(_TYPES[version])}")
    return kind, _code(packet, version)


def _code(packet: IcmpPacket, version: int) -> int:
    code = packet.code
    if code is None:
        return 0
    if code.startswith("code_") and code[5:].isdecimal() and int(code[5:]) < 256:
        return int(code[5:])
    names = _UNREACHABLE[version] if packet.kind == "unreachable" else _CODES.get(packet.kind, {})
    if code not in names:
        raise ScriptError(f"{code!r} is no code of ICMP {packet.kind} for IPv{version}: {', '.join(names) or 'code_N'}")
    return names[code]


def _quote(packet: IcmpPacket, flow: Flow | None, machine: Machine) -> bytes:
    """IP header and the first octets of the segment that the message is about."""
    start = 20 if machine.version == 4 else 40
    ends = parse_address(machine.local), parse_address(machine.remote)
    seq, length = packet.quoted or (0, 0)
    if packet.quoted_protocol == "udp":
        datagram = Datagram(*_ports(flow), bytes(length))
        return bytes(build_udp(*ends, datagram).joined())[: start + UDP_HEADER_LENGTH]
    if packet.quoted_protocol != "tcp":
        raise Unsupported(f"ICMP about {packet.quoted_protocol} packets")
    if flow is None:
        raise ScriptError("an ICMP message needs a connection that it is about")
    segment = Segment(
        seq=((seq or 0) + flow.local_offset(syn=False)) & _MASK, flags=ACK, payload=(bytes(length),), length=length
    )
    segment.source_port, segment.destination_port = flow.local_port, flow.remote_port
    # All that a router must send back: the IP header and 8 octets (RFC 792); more would be zeros here.
    return _carried(build_tcp(*ends, segment), packet.udp)[: start + (UDP_HEADER_LENGTH if packet.udp else 0) + 20]
