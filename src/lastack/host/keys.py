"""A connection's name as the bytes by which a packet finds it: remote and local address, remote and local port.

That is the order in which an incoming packet has them, so that a key is two slices of it.
"""

from __future__ import annotations

from lastack.tcp.tcb import Endpoint
from lastack.wire.datagram import Header
from lastack.wire.packet import Buffer


def key_of(local: Endpoint, remote: Endpoint) -> bytes:
    """The key of a connection, 12 bytes for IPv4 and 36 for IPv6."""
    return remote[0] + local[0] + (remote[1] << 16 | local[1]).to_bytes(4, "big")


def key_in(data: Buffer, header: Header) -> bytes:
    """The key of the connection that an incoming packet belongs to."""
    start = header.start
    return header.source + header.destination + bytes(data[start : start + 4])


def local_name(key: bytes) -> bytes:
    """The local address and port in a key."""
    return key[4:8] + key[10:] if len(key) == 12 else key[16:32] + key[34:]


def named(name: bytes) -> Endpoint:
    """The endpoint of such a name."""
    return name[:-2], int.from_bytes(name[-2:], "big")


def endpoints(key: bytes) -> tuple[Endpoint, Endpoint]:
    """The local and the remote endpoint of a key."""
    size = (len(key) - 4) // 2
    remote = (key[:size], int.from_bytes(key[-4:-2], "big"))
    local = (key[size : 2 * size], int.from_bytes(key[-2:], "big"))
    return local, remote
