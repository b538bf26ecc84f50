"""Packets that nobody outside can have sent."""

from __future__ import annotations

from lastack.host.tables import Tables
from lastack.wire.address import is_loopback, is_unicast


def is_martian(host: Tables, source: bytes, destination: bytes) -> bool:
    """Whether a packet from outside is none: its source is no single host (MUST-63), a loopback address stands in it
    (RFC 1122 section 3.2.1.3 (g)), or it claims to come from ourselves."""
    if len(source) == 4 and 0 < source[0] < 224 and source[0] != 127 and destination[0] != 127:
        return source in host.broadcasts or source in host.addresses  # what is left of the rest: 1 us less
    if not is_unicast(source) or source in host.broadcasts or source in host.addresses:
        return True
    return is_loopback(source) or is_loopback(destination)
