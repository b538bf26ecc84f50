"""Datagrams in parts: one that is too long is cut (RFC 791 section 3.2, RFC 8200 section 4.5), and put together again.

What it takes to be sure that the parts belong together is for `lastack.host.fragments`.
"""

from __future__ import annotations

from struct import Struct

from lastack.wire import ipv4, ipv6
from lastack.wire.checksum import checksum
from lastack.wire.errors import ParameterProblem, WireError
from lastack.wire.packet import Buffer

Header = ipv4.Header | ipv6.Header

_FRAGMENT = Struct("!BxHI")
_LENGTH_AT = 4  # of the payload length in the IPv6 header
# What an upper header takes at least (RFC 7112): TCP, UDP, both ICMPs.
_LEAST = {6: 20, 17: 8, 1: 8, 58: 8}


def split(data: Buffer, mtu: int, identification: int) -> list[bytes]:
    """The packet `data`, whole and without options or extension headers, in parts of at most `mtu` bytes."""
    four = data[0] >> 4 == 4
    header = bytes(data[: ipv4.HEADER_LENGTH if four else ipv6.HEADER_LENGTH])
    body = data[len(header) :]
    step = (mtu - len(header) - (0 if four else _FRAGMENT.size)) & ~7
    parts = []
    for offset in range(0, len(body), step):
        part = body[offset : offset + step]
        more = offset + step < len(body)
        if four:
            field = offset >> 3 | (ipv4.MORE_FRAGMENTS if more else 0)
            head = header[:2] + b"".join(
                number.to_bytes(2, "big") for number in (len(header) + len(part), identification & 0xFFFF, field)
            )
            parts.append(_summed(head + header[8:]) + part)
        else:
            head = header[:4] + (_FRAGMENT.size + len(part)).to_bytes(2, "big") + bytes((ipv6.FRAGMENT,)) + header[7:]
            parts.append(head + _FRAGMENT.pack(header[6], offset | more, identification) + part)
    return parts


def part_of(data: Buffer, header: Header) -> tuple[int, int]:
    """Where a part lies in its datagram: (offset, end) in bytes of what may be fragmented.

    WireError "fragment" for a part that can be none; a `ParameterProblem` where its source is to be told
    (RFC 8200 section 4.5).
    """
    front = header.start
    before = header.start  # of the datagram's first octet counted by the IP header, and in IPv4 by its total length
    if isinstance(header, ipv6.Header):
        front = header.fragment_at + _FRAGMENT.size
        before = header.fragment_at - ipv6.HEADER_LENGTH
    length = header.end - front
    end = header.fragment_offset + length
    if not length:
        raise WireError("fragment", "an empty one")
    if header.more_fragments and length & 7:
        raise _wrong(header, f"{length} bytes, no multiple of 8", _LENGTH_AT)
    if before + end > 65535:
        raise _wrong(header, f"the datagram would have {before + end} bytes", front - 6)
    if not header.fragment_offset and header.start + _LEAST.get(header.protocol, 0) > header.end:
        # RFC 1858 and RFC 7112: nobody cuts within the first header but who wants to hide it.
        if header.version == 4:
            raise WireError("fragment", "the first does not hold all headers")
        raise ParameterProblem("fragment", "the first does not hold all headers", 3, 0)
    return header.fragment_offset, end


def _wrong(header: Header, what: str, pointer: int) -> WireError:
    return WireError("fragment", what) if header.version == 4 else ParameterProblem("fragment", what, 0, pointer)


def body_of(data: Buffer, header: Header) -> bytes:
    """What a part brings to its datagram."""
    front = header.fragment_at + _FRAGMENT.size if isinstance(header, ipv6.Header) else header.start
    return bytes(data[front : header.end])


def head_of(data: Buffer, header: Header) -> bytes:
    """What the first part says of the whole: its headers before the fragment header, the name of the next put right."""
    if isinstance(header, ipv4.Header):
        return bytes(data[: header.start])
    head = bytearray(data[: header.fragment_at])
    head[header.fragment_named_at] = data[header.fragment_at]
    return bytes(head)


def join(head: bytes, body: bytes, ecn: int) -> bytes:
    """The datagram of `head_of` the first part and all `body`; `ecn` is the two bits that it is to bear."""
    made = bytearray(head)
    if made[0] >> 4 == 4:
        made[1] = made[1] & 0xFC | ecn
        made[2:8] = (len(head) + len(body)).to_bytes(2, "big") + bytes(made[4:6]) + bytes(2)
        return _summed(bytes(made)) + body
    made[1] = made[1] & 0xCF | ecn << 4
    made[4:6] = (len(head) - ipv6.HEADER_LENGTH + len(body)).to_bytes(2, "big")
    return bytes(made) + body


def _summed(header: bytes) -> bytes:
    """An IPv4 header with its checksum."""
    return header[:10] + checksum(header[:10], bytes(2), header[12:]).to_bytes(2, "big") + header[12:]
