"""The Internet checksum (RFC 1071), without a loop over the bytes.

The one's complement sum of 16-bit words is the number that the bytes spell, modulo 65535: 65536 leaves the remainder
1, so every word of a long number counts as itself. `int.from_bytes` and one modulo are therefore the whole sum. A long
division costs twice what the reading does; adding the number's upper part to its lower first makes it short.
Zero has two forms there. A sum of words that are not all zero is never 0 but 0xFFFF, and both are 0 modulo 65535.
"""

from __future__ import annotations

from lastack.wire.packet import Buffer

# 2 ** shift leaves the remainder 1, too, for a shift that is a multiple of 16. Up to 2 ** 20 bits: 128 KiB.
_SHORTEST = 2048
_LOWER = {1 << power: (1 << (1 << power)) - 1 for power in range(11, 21)}
_SHORT = 1 << 2 * _SHORTEST


def residue(total: int) -> int:
    """`total` modulo 65535, for a `total` of any length that is not negative."""
    if total >= _SHORT:
        shift = min(1 << (total.bit_length() - 1).bit_length() - 1, 1 << 20)
        while shift >= _SHORTEST:
            total = (total >> shift) + (total & _LOWER[shift])
            shift >>= 1
    return total % 65535


def sum_of(*parts: Buffer) -> int:
    """A number congruent to the one's complement sum of `parts` laid end to end; not folded, not complemented.

    0 exactly when every byte is 0. The parts are not joined: one that ends at an odd offset counts by 256 (RFC 1071
    section 2 (B): swapping the bytes of the words swaps those of the sum), which also pads an odd whole with a zero.
    """
    total = 0
    end = 0
    for part in parts:
        end += len(part)
        number = int.from_bytes(part, "big")
        total += number << 8 if end & 1 else number
    return total


def fold(total: int) -> int:
    """The 16-bit one's complement sum that `total` stands for: 0 for 0, else 1 to 0xFFFF."""
    return residue(total) or (65535 if total else 0)


def checksum(*parts: Buffer) -> int:
    """The checksum field of `parts`, whose own checksum field is zero (RFC 1071): IPv4 header, ICMPv4."""
    return 65535 - fold(sum_of(*parts))


def verify(*parts: Buffer) -> bool:
    """Whether `parts`, checksum field included, sum to 0xFFFF (RFC 1071 section 1)."""
    total = sum_of(*parts)
    return total != 0 and residue(total) == 0


def pseudo_header_sum(source: bytes, destination: bytes, protocol: int, length: int) -> int:
    """The folded sum of the pseudo-header of IPv4 (RFC 9293 section 3.1) or IPv6 (RFC 8200 section 8.1).

    `length` is that of the transport header and its text, in bytes. The two pseudo-headers differ in the layout but
    not in the sum. This is what a PARTIAL packet bears in its checksum field.
    """
    return fold(int.from_bytes(source + destination, "big") + protocol + length)


def transport_checksum(source: bytes, destination: bytes, protocol: int, *parts: Buffer) -> int:
    """The checksum field of TCP, UDP or ICMPv6 over `parts`, whose own checksum field is zero.

    UDP must send 0xFFFF where this is 0 (RFC 768); TCP sends it as it is.
    """
    length = sum(map(len, parts))
    return 65535 - fold(pseudo_header_sum(source, destination, protocol, length) + sum_of(*parts))


def verify_transport(source: bytes, destination: bytes, protocol: int, *parts: Buffer) -> bool:
    """Whether `parts`, checksum field included, sum to 0xFFFF with their pseudo-header (RFC 9293 MUST-3)."""
    total = int.from_bytes(source + destination, "big") + protocol + sum(map(len, parts)) + sum_of(*parts)
    return residue(total) == 0
