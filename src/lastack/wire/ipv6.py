"""The IPv6 header and its extension headers (RFC 8200)."""

from __future__ import annotations

from struct import Struct
from struct import error as StructError

from lastack.wire.errors import ParameterProblem, WireError
from lastack.wire.packet import Buffer

HEADER = Struct("!IHBB16s16s")
HEADER_LENGTH = 40
MAXIMUM_PAYLOAD = 65535

# RFC 8200 section 4.1: each once, the destination options twice. A packet with more of them is no packet of ours.
EXTENSION_LIMIT = 8

HOP_BY_HOP = 0
ROUTING = 43
FRAGMENT = 44
DESTINATION_OPTIONS = 60
NO_NEXT_HEADER = 59
_EXTENSIONS = frozenset((HOP_BY_HOP, ROUTING, FRAGMENT, DESTINATION_OPTIONS))

_FRAGMENT = Struct("!BxHI")


class Header:
    """An IPv6 header as a value. `start` and `end` are the offsets of the transport header and of the packet's end.

    `protocol` is that of the transport header, behind any extension headers; with a `fragment_offset` (bytes) other
    than 0, `start` is where the fragment's part begins. `identification` is 0 without a fragment header.
    `named_at` is the offset of the octet that names `protocol`; `fragment_at` that of the fragment header, 0 without
    one, and `fragment_named_at` that of the octet that names it.
    """

    __slots__ = (
        "destination",
        "end",
        "flow_label",
        "fragment_at",
        "fragment_named_at",
        "fragment_offset",
        "hop_limit",
        "identification",
        "more_fragments",
        "named_at",
        "protocol",
        "source",
        "start",
        "traffic_class",
    )
    version = 6

    def __init__(
        self,
        source: bytes,
        destination: bytes,
        protocol: int,
        hop_limit: int,
        traffic_class: int,
        start: int,
        end: int,
        flow_label: int,
    ) -> None:
        self.source = source
        self.destination = destination
        self.protocol = protocol
        self.hop_limit = hop_limit
        self.traffic_class = traffic_class
        self.start = start
        self.end = end
        self.flow_label = flow_label
        self.identification = 0
        self.more_fragments = False
        self.fragment_offset = 0
        self.named_at = 6
        self.fragment_at = 0
        self.fragment_named_at = 0


def parse(data: Buffer, *, quoted: bool = False) -> Header:
    """The header at the front of `data`, extension headers skipped; bytes behind the packet's end are left alone.

    WireError "truncated", "version", "length", "extension-header" or "routing-header", a `ParameterProblem` where the
    source is to be told. Jumbograms (RFC 2675) are not taken. `quoted`: the header stands in an ICMPv6 error (RFC
    4443), where the text is cut off: the payload length is not held against the buffer, and `end` is where the buffer
    ends at the latest.
    """
    available = len(data)
    if available < HEADER_LENGTH:
        raise WireError("truncated", f"IPv6 header in {available} bytes")
    word, length, protocol, hop_limit, source, destination = HEADER.unpack_from(data)
    if word >> 28 != 6:
        raise WireError("version", f"{word >> 28}, not 6")
    end = HEADER_LENGTH + length
    if end > available:
        if not quoted:
            raise WireError("length", f"payload length {length}, buffer {available}")
        end = available
    header = Header(source, destination, protocol, hop_limit, word >> 20 & 0xFF, HEADER_LENGTH, end, word & 0xFFFFF)
    if protocol in _EXTENSIONS:
        _skip_extensions(header, data, quoted)
    return header


def _skip_extensions(header: Header, data: Buffer, quoted: bool) -> None:
    """Moves `start` and `protocol` behind the extension headers (RFC 8200 section 4), or raises WireError.

    They are taken in the order in which they come (section 4.1), but hop-by-hop options first and one fragment header.
    """
    start, end, kind, named_at = header.start, header.end, header.protocol, header.named_at
    for count in range(EXTENSION_LIMIT + 1):
        if kind not in _EXTENSIONS:
            break
        if count == EXTENSION_LIMIT:
            raise WireError("extension-header", f"more than {EXTENSION_LIMIT} of them")
        if start + 8 > end:
            if quoted:
                break  # as far as it can be read
            raise _cut_off(header)
        if kind == FRAGMENT:
            if header.fragment_at:
                raise WireError("extension-header", "a second fragment header")
            header.fragment_at, header.fragment_named_at = start, named_at
            named_at = start
            kind, field, header.identification = _FRAGMENT.unpack_from(data, start)
            header.fragment_offset = field & 0xFFF8
            header.more_fragments = field & 1 != 0
            start += 8
            if header.fragment_offset:
                break  # what follows is the middle of something
            continue
        behind = start + 8 + data[start + 1] * 8
        if behind > end:
            if quoted:
                break
            raise _cut_off(header)
        if kind == ROUTING:
            # Section 4.4: with segments left, this address is not the last, and the checksum is over another one. No
            # routing type is known here, type 0 among them (RFC 5095 section 3).
            if data[start + 3] and not quoted:
                raise ParameterProblem("routing-header", f"{data[start + 3]} segments left", 0, start + 2)
        elif kind == HOP_BY_HOP and count and not quoted:
            # Section 4: as a next header that is not recognized.
            raise ParameterProblem("extension-header", "hop-by-hop options are not first", 1, named_at)
        elif not quoted:
            _check_options(data, start + 2, behind)
        kind, start, named_at = data[start], behind, start
    header.protocol, header.start, header.named_at = kind, start, named_at


def _cut_off(header: Header) -> WireError:
    """The packet ends within its extension headers; where it is a first fragment that is RFC 7112's code 3."""
    if header.fragment_at and header.more_fragments:
        return ParameterProblem("fragment", "the first does not hold all headers", 3, 0)
    return WireError("truncated", "IPv6 extension header")


def _check_options(data: Buffer, at: int, end: int) -> None:
    """Raises WireError for an option that is cut off, or unknown and not to be skipped (RFC 8200 section 4.2)."""
    while at < end:
        kind = data[at]
        if kind == 0:  # Pad1
            at += 1
            continue
        if kind >> 6 == 1:
            raise WireError("extension-header", f"option {kind:#04x} must not be skipped")
        if kind >> 6:
            what = f"option {kind:#04x} must not be skipped"
            raise ParameterProblem("extension-header", what, 2, at, multicast=kind >> 6 == 2)
        if at + 2 > end or at + 2 + data[at + 1] > end:
            raise WireError("extension-header", f"option {kind:#04x} is cut off")
        at += 2 + data[at + 1]


def build(
    source: bytes,
    destination: bytes,
    protocol: int,
    length: int,
    *,
    hop_limit: int = 64,
    traffic_class: int = 0,
    flow_label: int = 0,
) -> bytes:
    """The header of a packet with `length` bytes behind it. WireError "length" (over 65535), "address" or "value"."""
    if len(source) != 16 or len(destination) != 16:
        raise WireError("address", "an IPv6 header needs two addresses of 16 bytes")
    if not 0 <= length <= MAXIMUM_PAYLOAD:
        raise WireError("length", f"{length} bytes in an IPv6 packet")
    if not (0 <= traffic_class <= 0xFF and 0 <= flow_label <= 0xFFFFF):
        raise WireError("value", f"traffic class {traffic_class}, flow label {flow_label}")
    try:
        return HEADER.pack(
            0x60000000 | traffic_class << 20 | flow_label, length, protocol, hop_limit, source, destination
        )
    except StructError as error:
        raise WireError("value", f"IPv6 header: {error}") from None
