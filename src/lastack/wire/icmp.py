"""ICMP for IPv4 (RFC 792, RFC 1191) and IPv6 (RFC 4443), as far as a TCP host hears and says it."""

from __future__ import annotations

from enum import Enum
from struct import Struct
from struct import error as StructError

from lastack.wire import ipv4, ipv6
from lastack.wire.checksum import checksum, transport_checksum, verify, verify_transport
from lastack.wire.errors import WireError
from lastack.wire.ip_options import final_destination
from lastack.wire.packet import Buffer

PROTOCOL_4 = 1
PROTOCOL_6 = 58

_HEADER = Struct("!BBHI")
_PORTS = Struct("!HH")
_NUMBER = Struct("!I")
_HEADER_LENGTH = 8
_TCP = 6
_WITH_PORTS = frozenset((_TCP, 17))


class Kind(Enum):
    """What a message says, in either version."""

    ECHO_REQUEST = "echo request"
    ECHO_REPLY = "echo reply"
    UNREACHABLE = "destination unreachable"
    TOO_BIG = "packet too big"  # IPv4: destination unreachable, fragmentation needed and DF set
    TIME_EXCEEDED = "time exceeded"
    PARAMETER_PROBLEM = "parameter problem"
    SOURCE_QUENCH = "source quench"  # to be discarded (RFC 9293 MUST-55)
    OTHER = "other"


_KINDS_4 = {
    0: Kind.ECHO_REPLY,
    3: Kind.UNREACHABLE,
    4: Kind.SOURCE_QUENCH,
    8: Kind.ECHO_REQUEST,
    11: Kind.TIME_EXCEEDED,
    12: Kind.PARAMETER_PROBLEM,
}
_KINDS_6 = {
    1: Kind.UNREACHABLE,
    2: Kind.TOO_BIG,
    3: Kind.TIME_EXCEEDED,
    4: Kind.PARAMETER_PROBLEM,
    128: Kind.ECHO_REQUEST,
    129: Kind.ECHO_REPLY,
}
# Where each stands on the wire: (IPv4 type, IPv6 type).
_TYPES = {
    Kind.ECHO_REQUEST: (8, 128),
    Kind.ECHO_REPLY: (0, 129),
    Kind.UNREACHABLE: (3, 1),
    Kind.TIME_EXCEEDED: (11, 3),
    Kind.PARAMETER_PROBLEM: (12, 4),
}
_QUOTING_4 = frozenset((3, 4, 5, 11, 12))
# How much of a packet an error quotes: IPv4 576 bytes in all (RFC 1812 4.3.2.3), IPv6 1280 (RFC 4443 2.4 c).
_QUOTE_4 = 576 - 20 - _HEADER_LENGTH
_QUOTE_6 = 1280 - 40 - _HEADER_LENGTH


class Quoted:
    """The packet that an error is about, as far as it says whose it was (RFC 9293 section 3.9.2.2).

    `source` is who sent it, so the receiver of the error. The ports are 0 unless it is TCP or UDP, and in a fragment
    that is not the first; `seq` is None unless it is TCP.
    """

    __slots__ = ("destination", "destination_port", "protocol", "seq", "source", "source_port")

    def __init__(
        self,
        source: bytes,
        destination: bytes,
        protocol: int,
        source_port: int = 0,
        destination_port: int = 0,
        seq: int | None = None,
    ) -> None:
        self.source = source
        self.destination = destination
        self.protocol = protocol
        self.source_port = source_port
        self.destination_port = destination_port
        self.seq = seq


class Message:
    """An ICMP message. `rest` is the word behind the checksum (32 bits), `data` what follows it.

    `quoted` is the packet an error is about, None for what is no error.
    """

    __slots__ = ("code", "data", "quoted", "rest", "type", "version")

    def __init__(
        self, version: int, type: int, code: int = 0, rest: int = 0, data: Buffer = b"", quoted: Quoted | None = None
    ) -> None:
        self.version = version
        self.type = type
        self.code = code
        self.rest = rest
        self.data = data
        self.quoted = quoted

    @property
    def kind(self) -> Kind:
        """What it says, in either version."""
        if self.version == 6:
            return _KINDS_6.get(self.type, Kind.OTHER)
        if self.type == 3 and self.code == 4:
            return Kind.TOO_BIG
        return _KINDS_4.get(self.type, Kind.OTHER)

    @property
    def identifier(self) -> int:
        """Of an echo: whose it is."""
        return self.rest >> 16

    @property
    def sequence(self) -> int:
        """Of an echo: which one it is."""
        return self.rest & 0xFFFF

    @property
    def mtu(self) -> int:
        """Of TOO_BIG: the next hop's MTU in bytes; 0 from an IPv4 router older than RFC 1191 (its section 5)."""
        return self.rest if self.version == 6 else self.rest & 0xFFFF

    @property
    def pointer(self) -> int:
        """Of PARAMETER_PROBLEM: the offset of the byte that was not understood."""
        return self.rest if self.version == 6 else self.rest >> 24

    def __repr__(self) -> str:
        return f"Message(ICMPv{self.version} {self.kind.value}, code={self.code}, rest={self.rest:#x})"


def parse(data: Buffer, header: ipv4.Header | ipv6.Header, *, verified: bool = False) -> Message:
    """The ICMP message of the packet `data` with the IP header `header`. `verified`: do not check the checksum.

    WireError "truncated", "checksum", or "quote" for an error that does not tell whose packet it is about.
    """
    start, end = header.start, header.end
    if end - start < _HEADER_LENGTH or end > len(data):
        raise WireError("truncated", f"ICMP message in {end - start} bytes")
    whole = data[start:end]
    if not verified:
        if isinstance(header, ipv4.Header):
            holds = verify(whole)
        else:
            holds = verify_transport(header.source, header.destination, PROTOCOL_6, whole)
        if not holds:
            raise WireError("checksum", "ICMP")
    kind, code, _, rest = _HEADER.unpack_from(whole)
    body = whole[_HEADER_LENGTH:]
    # RFC 4443 section 2.1: ICMPv6 errors are the types under 128.
    quotes = kind in _QUOTING_4 if header.version == 4 else kind < 128
    return Message(header.version, kind, code, rest, body, _parse_quoted(header.version, body) if quotes else None)


def _parse_quoted(version: int, data: Buffer) -> Quoted:
    try:
        inner = ipv4.parse(data, quoted=True) if version == 4 else ipv6.parse(data, quoted=True)
    except WireError as error:
        raise WireError("quote", str(error)) from None
    quoted = Quoted(inner.source, final_destination(inner), inner.protocol)
    if inner.protocol in _WITH_PORTS and not inner.fragment_offset:
        # RFC 792: the header and 64 bits, which hold the ports and TCP's sequence number.
        if inner.start + 8 > inner.end:
            raise WireError("quote", f"{inner.end - inner.start} bytes behind the quoted header")
        quoted.source_port, quoted.destination_port = _PORTS.unpack_from(data, inner.start)
        if inner.protocol == _TCP:
            (quoted.seq,) = _NUMBER.unpack_from(data, inner.start + 4)
    return quoted


def build(message: Message, source: bytes = b"", destination: bytes = b"") -> bytes:
    """The message's bytes, checksum included. ICMPv6 needs the packet's addresses for it (RFC 4443 section 2.3).

    WireError "value" for a number that does not fit its field, "address" for ICMPv6 without addresses.
    """
    data = message.data
    try:
        header = _HEADER.pack(message.type, message.code, 0, message.rest)
    except StructError as error:
        raise WireError("value", f"ICMP header: {error}") from None
    if message.version == 4:
        field = checksum(header, data)
    elif len(source) == len(destination) == 16:
        field = transport_checksum(source, destination, PROTOCOL_6, header, data)
    else:
        raise WireError("address", "an ICMPv6 message needs two addresses of 16 bytes")
    return b"".join((header[:2], field.to_bytes(2, "big"), header[4:], data))


def _message(version: int, kind: Kind, code: int, rest: int, data: Buffer) -> Message:
    return Message(version, _TYPES[kind][version == 6], code, rest, data)


def _quote(version: int, packet: Buffer) -> Buffer:
    return packet[: _QUOTE_4 if version == 4 else _QUOTE_6]


def echo_request(version: int, identifier: int, sequence: int, data: Buffer = b"") -> Message:
    """RFC 792, RFC 4443 section 4.1. `identifier` and `sequence` are 16 bits each."""
    return _message(version, Kind.ECHO_REQUEST, 0, identifier << 16 | sequence, data)


def echo_reply(request: Message) -> Message:
    """The answer to `request`, its data returned whole (RFC 1122 section 3.2.2.6, RFC 4443 section 4.2)."""
    return _message(request.version, Kind.ECHO_REPLY, 0, request.rest, request.data)


def unreachable(version: int, code: int, packet: Buffer) -> Message:
    """Destination unreachable about `packet` (from its IP header on; cut to what may be quoted)."""
    return _message(version, Kind.UNREACHABLE, code, 0, _quote(version, packet))


def too_big(version: int, mtu: int, packet: Buffer) -> Message:
    """Packet too big (RFC 4443 section 3.2), fragmentation needed (RFC 1191 section 4): `mtu` of the next hop."""
    if version == 6:
        return Message(6, 2, 0, mtu, _quote(6, packet))
    return Message(4, 3, 4, mtu & 0xFFFF, _quote(4, packet))


def time_exceeded(version: int, code: int, packet: Buffer) -> Message:
    """Time exceeded about `packet`: `code` 0 in transit, 1 in reassembly."""
    return _message(version, Kind.TIME_EXCEEDED, code, 0, _quote(version, packet))


def parameter_problem(version: int, code: int, pointer: int, packet: Buffer) -> Message:
    """Parameter problem about `packet`: `pointer` is the offset of the byte at fault."""
    return _message(
        version, Kind.PARAMETER_PROBLEM, code, pointer if version == 6 else pointer << 24, _quote(version, packet)
    )
