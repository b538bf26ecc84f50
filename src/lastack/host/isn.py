"""Numbers that an attacker must not guess: initial sequence numbers (RFC 6528) and timestamp offsets (RFC 7323 5.4).

Both are a keyed hash of the connection's name, so a host needs one secret and no randomness.
"""

from __future__ import annotations

from functools import lru_cache
from hashlib import blake2s

from lastack.tcp.sequence import MASK
from lastack.tcp.tcb import Endpoint


@lru_cache(maxsize=64)  # to copy one costs less than to begin with the key
def _keyed(secret: bytes, use: bytes, size: int) -> blake2s:
    return blake2s(key=secret[:32], person=use, digest_size=size)


def keyed_hash(secret: bytes, use: bytes, what: bytes, size: int = 4) -> int:
    """A number of `size` bytes that nobody can tell who has not the secret; another for each `use`."""
    digest = _keyed(secret, use, size).copy()
    digest.update(what)
    return int.from_bytes(digest.digest(), "big")


def _hash(secret: bytes, use: bytes, *parts: bytes) -> int:
    return keyed_hash(secret, use, b"".join(parts))


def draw(secret: bytes, use: bytes, number: int) -> int:
    """32 bits that nobody can foretell, one draw for each number."""
    return _hash(secret, use, number.to_bytes(8, "big"))


def port_bytes(endpoint: Endpoint) -> bytes:
    """An endpoint as bytes to hash or to look up by."""
    return endpoint[0] + endpoint[1].to_bytes(2, "big")


def names(local: Endpoint, remote: Endpoint) -> bytes:
    """A connection's name as bytes to hash."""
    return b"".join((local[0], local[1].to_bytes(2, "big"), remote[0], remote[1].to_bytes(2, "big")))


def initial_sequence_number(secret: bytes, local: Endpoint, remote: Endpoint, now: int) -> int:
    """ISN = M + F(localip, localport, remoteip, remoteport, secretkey); M ticks every 4 microseconds."""
    # RFC 6528 section 3
    # RFC 9293 MUST-8, MUST-9, SHLD-1
    return (now // 4 + _number(secret, local, remote)) & MASK


def number_of(secret: bytes, named: bytes, now: int) -> int:
    """The same of `names`, for who has them already."""
    return (now // 4 + keyed_hash(secret, b"isn", named)) & MASK


@lru_cache(maxsize=64)  # asked for again when the connection ends: 1 us less for one that was short
def _number(secret: bytes, local: Endpoint, remote: Endpoint) -> int:
    return keyed_hash(secret, b"isn", names(local, remote))


def timestamp_offset(secret: bytes, local: bytes, remote: bytes) -> int:
    """The same for every connection between two addresses, so that RFC 6191 can compare one with the next."""
    return _hash(secret, b"ts", local, remote)


# Who connects once connects again: 1 us less. Not for SYN cookies, which keep nothing.
timestamp_offset_again = lru_cache(maxsize=64)(timestamp_offset)


def identification(secret: bytes, local: Endpoint, remote: Endpoint, seq: int) -> int:
    """Of a packet that routers may fragment: another for each segment (RFC 6864 section 4.3), and not to be guessed."""
    return _hash(secret, b"ip id", names(local, remote), seq.to_bytes(4, "big")) & 0xFFFF


@lru_cache(maxsize=64)  # of those that one connects to again and again
def port_offset(secret: bytes, use: bytes, local: bytes, remote: Endpoint) -> int:
    """F and G of RFC 6056 section 3.3.4 (RFC 5927 4.2)."""
    return _hash(secret, use, local, port_bytes(remote))


def flow_label(secret: bytes, local: Endpoint, remote: Endpoint, last: int = 0) -> int:
    """RFC 6437 section 3: 20 bits, the same for all of a connection, never 0, and not to be guessed (section 6.1);
    with `last` another than that one, for a path that fails."""
    return _hash(secret, b"flow", names(local, remote), last.to_bytes(4, "big")) & 0xFFFFF or 1


def fragment_identification(secret: bytes, local: bytes, remote: bytes, count: int) -> int:
    """RFC 7739 section 5.2: each pair of hosts counts from a place of its own."""
    return (_hash(secret, b"fragment", local, remote) + count) & MASK
