"""The IPv4 header (RFC 791 section 3.1)."""

from __future__ import annotations

from struct import Struct
from struct import error as StructError

from lastack.wire.errors import WireError
from lastack.wire.packet import Buffer

HEADER = Struct("!BBHHHBBH4s4s")
HEADER_LENGTH = 20
MAXIMUM_LENGTH = 65535

DONT_FRAGMENT = 0x4000
MORE_FRAGMENTS = 0x2000


class Header:
    """An IPv4 header as a value. `start` and `end` are the offsets of the transport header and of the packet's end.

    `fragment_offset` is in bytes. `traffic_class` is the octet of DSCP and ECN (RFC 3168). `options` are raw.
    """

    __slots__ = (
        "destination",
        "dont_fragment",
        "end",
        "fragment_offset",
        "hop_limit",
        "identification",
        "more_fragments",
        "options",
        "protocol",
        "source",
        "start",
        "traffic_class",
    )
    version = 4

    def __init__(
        self,
        source: bytes,
        destination: bytes,
        protocol: int,
        hop_limit: int,
        traffic_class: int,
        start: int,
        end: int,
        identification: int,
        dont_fragment: bool,
        more_fragments: bool,
        fragment_offset: int,
        options: bytes,
    ) -> None:
        self.source = source
        self.destination = destination
        self.protocol = protocol
        self.hop_limit = hop_limit
        self.traffic_class = traffic_class
        self.start = start
        self.end = end
        self.identification = identification
        self.dont_fragment = dont_fragment
        self.more_fragments = more_fragments
        self.fragment_offset = fragment_offset
        self.options = options


def parse(data: Buffer, *, quoted: bool = False) -> Header:
    """The header at the front of `data`; bytes behind the packet's end (a link's padding) are left alone (MUST-50).

    WireError "truncated", "version", "header-length", "length" or "checksum" (RFC 1122 sections 3.2.1.1, 3.2.1.2).
    `quoted`: the header stands in an ICMP error (RFC 792), where the text is cut off and routers have changed fields:
    neither the length against the buffer nor the checksum is checked, and `end` is where the buffer ends at the latest.
    """
    available = len(data)
    if available < HEADER_LENGTH:
        raise WireError("truncated", f"IPv4 header in {available} bytes")
    first, traffic_class, end, identification, fragment, hop_limit, protocol, _, source, destination = (
        HEADER.unpack_from(data)
    )
    options = b""
    if first == 0x45:
        start = HEADER_LENGTH
    elif first >> 4 != 4:
        raise WireError("version", f"{first >> 4}, not 4")
    else:
        start = (first & 15) << 2
        if start < HEADER_LENGTH or start > available:
            raise WireError("header-length", f"IHL of {start} bytes in {available}")
        options = bytes(data[HEADER_LENGTH:start])
    if quoted:
        end = max(start, min(end, available))
    elif end < start or end > available:
        raise WireError("length", f"total length {end}, header {start}, buffer {available}")
    elif int.from_bytes(data[:start], "big") % 65535:
        raise WireError("checksum", "IPv4 header")
    return Header(
        source,
        destination,
        protocol,
        hop_limit,
        traffic_class,
        start,
        end,
        identification,
        fragment & DONT_FRAGMENT != 0,
        fragment & MORE_FRAGMENTS != 0,
        (fragment & 0x1FFF) << 3,
        options,
    )


def build(
    source: bytes,
    destination: bytes,
    protocol: int,
    length: int,
    *,
    hop_limit: int = 64,
    traffic_class: int = 0,
    identification: int = 0,
    dont_fragment: bool = True,
    more_fragments: bool = False,
    fragment_offset: int = 0,
    options: bytes = b"",
) -> bytes:
    """The header, checksum included, of a packet with `length` bytes behind it; `options` are padded with zeros.

    WireError "option-space" (over 40 bytes), "length" (over 65535 in all), "address" or "value".
    """
    if len(source) != 4 or len(destination) != 4:
        raise WireError("address", "an IPv4 header needs two addresses of 4 bytes")
    if len(options) > 40:
        raise WireError("option-space", f"{len(options)} bytes of IPv4 options")
    if fragment_offset & 7:
        raise WireError("value", f"fragment offset {fragment_offset} is no multiple of 8")
    options += bytes(-len(options) % 4)
    start = HEADER_LENGTH + len(options)
    if not 0 <= length <= MAXIMUM_LENGTH - start:
        raise WireError("length", f"{start + length} bytes in an IPv4 packet")
    fragment = (
        fragment_offset >> 3 | (DONT_FRAGMENT if dont_fragment else 0) | (MORE_FRAGMENTS if more_fragments else 0)
    )
    fields = (0x40 | start >> 2, traffic_class, start + length, identification, fragment, hop_limit, protocol)
    try:
        if fragment_offset > 0xFFF8:
            raise WireError("value", f"fragment offset {fragment_offset}")
        header = HEADER.pack(*fields, 0, source, destination) + options
    except StructError as error:
        raise WireError("value", f"IPv4 header: {error}") from None
    return header[:10] + (65535 - (int.from_bytes(header, "big") % 65535 or 65535)).to_bytes(2, "big") + header[12:]
