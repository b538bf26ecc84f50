"""IP addresses: inside the core they are `bytes` of length 4 or 16, outside they are text."""

from __future__ import annotations

from functools import lru_cache
from ipaddress import AddressValueError, IPv4Address, IPv6Address

from lastack.wire.errors import WireError

MAPPED = bytes(10) + b"\xff\xff"  # ::ffff:0:0/96, IPv4 in the dress of IPv6 (RFC 4291 section 2.5.5.2)
_LINK_LOCAL_6 = 0xFE80
_LOOPBACK_6 = bytes(15) + b"\x01"
_BROADCAST_4 = b"\xff\xff\xff\xff"


@lru_cache(maxsize=256)  # who connects once connects again: 300 bytecodes less
def parse_address(text: str) -> bytes:
    """The 4 or 16 bytes of `text` ("10.0.0.1", "fd00::1"). WireError "address" for anything else, zones included."""
    if "%" in text:
        raise WireError("address", f"{text!r}: a host here has one link, and no zones (RFC 4007)")
    try:
        if ":" not in text:
            return IPv4Address(text).packed
        return IPv6Address(text).packed
    except AddressValueError:
        pass
    raise WireError("address", f"{text!r} is neither an IPv4 nor an IPv6 address")


def format_address(address: bytes) -> str:
    """`address` (4 or 16 bytes) as text, IPv6 compressed, IPv4 in it with dots (RFC 5952). WireError "address"."""
    if len(address) == 4:
        return "{}.{}.{}.{}".format(*address)
    if len(address) == 16:
        return mapped_text(address) if address.startswith(MAPPED) else str(IPv6Address(bytes(address)))
    raise WireError("address", f"{len(address)} bytes are neither an IPv4 nor an IPv6 address")


def mapped_text(address: bytes) -> str:
    """An IPv4 address, mapped or not, as an IPv6 socket names it: "::ffff:10.0.0.1" (RFC 5952 section 5)."""
    return f"::ffff:{format_address(address[-4:])}"


def is_link_local(address: bytes) -> bool:
    """fe80::/10, which means nothing without a zone (RFC 4291 section 2.5.6)."""
    return len(address) == 16 and int.from_bytes(address[:2], "big") & 0xFFC0 == _LINK_LOCAL_6


def directed_broadcast(address: bytes, prefix: int) -> bytes | None:
    """The broadcast address of the subnet of an IPv4 address (RFC 1122 section 3.2.1.3 (d)); None where there is none:
    IPv6, and the prefixes 31 and 32 (RFC 3021)."""
    if len(address) != 4 or prefix > 30:
        return None
    return (int.from_bytes(address, "big") | (1 << 32 - prefix) - 1).to_bytes(4, "big")


def parse_interface(text: str) -> tuple[bytes, int]:
    """The bytes and the prefix length of "10.0.0.1/24"; without a prefix that of the address alone. WireError."""
    name, slash, length = text.partition("/")
    address = parse_address(name)
    if not slash:
        return address, 8 * len(address)
    if not length.isascii() or not length.isdigit() or int(length) > 8 * len(address):
        raise WireError("address", f"{text!r}: a prefix length is 0 to {8 * len(address)}")
    return address, int(length)


def is_unspecified(address: bytes) -> bool:
    """0.0.0.0 or ::."""
    return not any(address)


def is_loopback(address: bytes) -> bool:
    """127.0.0.0/8 (RFC 1122 section 3.2.1.3), ::1, or the former mapped into IPv6."""
    if len(address) == 4:
        return address[0] == 127
    return address == _LOOPBACK_6 or (address[12] == 127 and address.startswith(MAPPED))


def is_multicast(address: bytes) -> bool:
    """224.0.0.0/4 (RFC 1112), ff00::/8 (RFC 4291), or the former mapped into IPv6."""
    if len(address) == 4:
        return address[0] & 0xF0 == 0xE0
    return address[0] == 0xFF or (address[12] & 0xF0 == 0xE0 and address.startswith(MAPPED))


def is_broadcast(address: bytes) -> bool:
    """255.255.255.255, also mapped into IPv6. A subnet's own broadcast is for who knows the prefix length."""
    return address[-4:] == _BROADCAST_4 and (len(address) == 4 or address.startswith(MAPPED))


def is_unicast(address: bytes) -> bool:
    """Whether a TCP may take the address for one host's (RFC 9293 section 3.9.2.3, MUST-57 and MUST-63).

    Not so: broadcast, multicast, unspecified, and the rest of IPv4's 0.0.0.0/8 and 240.0.0.0/4 (RFC 1122 3.2.1.3).
    """
    if len(address) == 4:
        return 0 < address[0] < 224
    if address.startswith(MAPPED):
        return 0 < address[12] < 224
    return address[0] != 0xFF and any(address)
