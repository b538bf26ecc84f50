"""SipHash-2-4 (Aumasson and Bernstein, 2012): a keyed hash of 64 bits, which nobody forges without the key."""

from __future__ import annotations

from struct import Struct

_MASK = (1 << 64) - 1
_KEY = Struct("<QQ")
_SOMEPSEUDORANDOMLYGENERATEDBYTES = (0x736F6D6570736575, 0x646F72616E646F6D, 0x6C7967656E657261, 0x7465646279746573)
_State = tuple[int, int, int, int]


def _rotated(value: int, bits: int) -> int:
    return (value << bits | value >> (64 - bits)) & _MASK


def _round(state: _State) -> _State:
    a, b, c, d = state
    a, c = (a + b) & _MASK, (c + d) & _MASK
    b, d = _rotated(b, 13) ^ a, _rotated(d, 16) ^ c
    a, c = (_rotated(a, 32) + d) & _MASK, (c + b) & _MASK
    return a, _rotated(b, 17) ^ c, _rotated(c, 32), _rotated(d, 21) ^ a


def siphash(key: bytes, data: bytes) -> int:
    """The hash of `data` under a key of 16 bytes."""
    low, high = _KEY.unpack(key)
    one, two, three, four = _SOMEPSEUDORANDOMLYGENERATEDBYTES
    state = (low ^ one, high ^ two, low ^ three, high ^ four)
    data += bytes(-(len(data) + 1) % 8) + bytes((len(data) & 0xFF,))
    for at in range(0, len(data), 8):
        word = int.from_bytes(data[at : at + 8], "little")
        a, b, c, d = _round(_round((state[0], state[1], state[2], state[3] ^ word)))
        state = (a ^ word, b, c, d)
    a, b, c, d = state
    state = (a, b, c ^ 0xFF, d)
    for _ in range(4):
        state = _round(state)
    return state[0] ^ state[1] ^ state[2] ^ state[3]
