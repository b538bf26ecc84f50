"""The options of an IPv4 header, source routes above all (RFC 791 section 3.1, RFC 1122 section 3.2.1.8).

Apart from headers options stand as a user gives them, which is also Linux's form of IP_OPTIONS: a source route names
the gateways from the first on, and not the destination. On the wire the packet goes to the first, and the destination
stands at the end of the route.
"""

from __future__ import annotations

from collections.abc import Iterator

from lastack.wire import ipv6
from lastack.wire.address import is_loopback, is_unicast
from lastack.wire.checksum import checksum
from lastack.wire.errors import WireError
from lastack.wire.ipv4 import HEADER_LENGTH, MAXIMUM_LENGTH, Header
from lastack.wire.packet import Buffer, Packet

END = 0
NOP = 1
RECORD_ROUTE = 7
TIMESTAMP = 68
LOOSE_ROUTE = 131
STRICT_ROUTE = 137

_SPACE = 40
_FRONT = 3  # type, length and pointer of a route
_FIRST = 4  # the pointer to the first address


def _walk(options: bytes) -> Iterator[tuple[int, int]]:
    """Where each option but NOP begins and ends. WireError "ip-options" at one that has no possible length."""
    at = 0
    while at < len(options) and options[at] != END:
        if options[at] == NOP:
            at += 1
            continue
        length = options[at + 1] if at + 1 < len(options) else 0
        if not 2 <= length <= len(options) - at:
            raise WireError("ip-options", f"option {options[at]} of {length} bytes")
        yield at, at + length
        at += length


def _route(options: bytes) -> tuple[int, int] | None:
    """Where the source route begins and ends. WireError "ip-options" for two of them, and for a broken one."""
    routes = [place for place in _walk(options) if options[place[0]] in (LOOSE_ROUTE, STRICT_ROUTE)]
    if not routes:
        return None
    at, end = routes[0]
    if len(routes) > 1 or end - at < _FRONT or (end - at - _FRONT) % 4:
        raise WireError("ip-options", "a source route of no whole addresses, or two routes")
    return at, end


def _addresses(options: bytes, at: int, end: int) -> list[bytes]:
    return [options[place : place + 4] for place in range(at + _FRONT, end, 4)]


def has_source_route(options: bytes) -> bool:
    """Whether a loose or strict source route is among the options, well formed or not; behind an option without a
    possible length nothing is found, as nothing can be read there."""
    try:
        return any(options[at] in (LOOSE_ROUTE, STRICT_ROUTE) for at, _ in _walk(options))
    except WireError:
        return bytes((LOOSE_ROUTE,)) in options or bytes((STRICT_ROUTE,)) in options


def checked(options: Buffer) -> bytes:
    """What a user wants sent, padded with zeros to whole words.

    WireError "ip-options": over 40 bytes, what has no possible length, more than one source route (RFC 1122 3.2.1.8
    (c)), one that begins elsewhere than at its first gateway or leads over what is no host. Record Route and Time Stamp
    are refused (MAY-10, MAY-11 of RFC 9293): who sends them would have to fill them in.
    """
    options = bytes(options)
    if len(options) > _SPACE:
        raise WireError("ip-options", f"{len(options)} bytes; {_SPACE} is the most")
    if any(options[at] in (RECORD_ROUTE, TIMESTAMP) for at, _ in _walk(options)):
        raise WireError("ip-options", "Record Route and Time Stamp are not supported")
    route = _route(options)
    if route is not None:
        at, end = route
        hops = _addresses(options, at, end)
        if options[at + 2] != _FIRST or not hops or not all(map(_is_gateway, hops)):
            raise WireError("ip-options", "a source route that cannot be followed")
    return options + bytes(-len(options) % 4)


def _is_gateway(address: bytes) -> bool:
    return is_unicast(address) and not is_loopback(address)


def return_route(options: bytes, source: bytes) -> bytes:
    """The route back to `source` for a packet that has come by a completed source route (RFC 1122 3.2.1.8 (c)): the
    gateways in reverse order. b"" where there were none.

    A sender that wrongly named itself as the first hop is left out. WireError "ip-options" for a route that is broken,
    leads over what is no host, or is not completed: the packet is not for us then, but to be forwarded.
    """
    route = _route(options)
    if route is None:
        return b""
    at, end = route
    hops = _addresses(options, at, end)
    if options[at + 2] <= end - at:
        raise WireError("ip-options", "a source route that is not completed")
    if not all(map(_is_gateway, hops)):
        raise WireError("ip-options", "a source route over what is no gateway")
    if hops and hops[0] == source:
        del hops[0]
    if not hops:
        return b""
    back = bytes((options[at], _FRONT + 4 * len(hops), _FIRST)) + b"".join(reversed(hops))
    return back + bytes(-len(back) % 4)


def final_destination(header: Header | ipv6.Header) -> bytes:
    """Whom a packet is for: the last address of a source route that is not completed, else the header's. Checksums are
    over this one (RFC 9293 section 3.9.2.1)."""
    if not isinstance(header, Header) or not header.options:
        return header.destination
    try:
        route = _route(header.options)
    except WireError:
        return header.destination
    if route is None or header.options[route[0] + 2] > route[1] - route[0]:
        return header.destination
    return header.options[route[1] - 4 : route[1]]


def with_options(packet: Packet, options: bytes) -> Packet:
    """An IPv4 packet without options, sent with these (as `checked` gives them). The transport checksum stays: it is
    over the final destination (RFC 9293 section 3.9.2.1). WireError "length"."""
    head = packet.data[:HEADER_LENGTH]
    destination = bytes(head[16:20])
    route = _route(options)
    if route is not None:
        at, end = route
        options, destination = (
            options[: at + _FRONT] + options[at + _FRONT + 4 : end] + destination + options[end:],
            options[at + _FRONT : at + _FRONT + 4],
        )
    length = int.from_bytes(head[2:4], "big") + len(options)
    if length > MAXIMUM_LENGTH:
        raise WireError("length", f"{length} bytes in an IPv4 packet")
    front = bytes((head[0] + len(options) // 4, head[1])) + length.to_bytes(2, "big") + bytes(head[4:10])
    behind = bytes(head[12:16]) + destination + options
    data = front + checksum(front, behind).to_bytes(2, "big") + behind + bytes(packet.data[HEADER_LENGTH:])
    return Packet(data, packet.payload, packet.checksum, packet.gso_size, packet.transport + len(options))
