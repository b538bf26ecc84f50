"""Comparison of sequence numbers modulo 2**32 (RFC 9293 section 3.4).

`a` is before `b` when the way from a forward to b is shorter than the way back. Where it is hot, the code writes
`(a - b) & MASK` inline instead.
"""

from __future__ import annotations

MASK = 0xFFFF_FFFF
HALF = 0x8000_0000


def lt(a: int, b: int) -> bool:
    """SEG a < b."""
    return (a - b) & MASK >= HALF


def le(a: int, b: int) -> bool:
    """SEG a =< b."""
    return (b - a) & MASK < HALF


def gt(a: int, b: int) -> bool:
    """SEG a > b."""
    return (b - a) & MASK >= HALF


def ge(a: int, b: int) -> bool:
    """SEG a >= b."""
    return (a - b) & MASK < HALF


def later(a: int, b: int) -> int:
    """The later of two sequence numbers."""
    return a if (a - b) & MASK < HALF else b
