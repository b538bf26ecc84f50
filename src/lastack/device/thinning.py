"""ACK filtering (RFC 3449 section 5.2.1): of the ACKs of one connection that wait together, the newest says it all.

ACKs are cumulative, and what they let grow is counted in bytes (RFC 3465). It is as if those passed over had been lost
on their way; whatever says more than its number is never passed over: text, a FIN, an option but the timestamp, another
window, ECE, and an ACK that says what was said already.
"""

from __future__ import annotations

from collections.abc import Sequence
from struct import Struct

from lastack.wire.packet import COMPLETE, Packet
from lastack.wire.segment import TIMESTAMP_ALONE

# Addresses, ports and SEG.SEQ | SEG.ACK | data offset, flags, window | the timestamp's head: nothing but an ACK is so
# short, and bears one.
_IN_4 = Struct("!12x16sI4s4x4s8x")
_IN_6 = Struct("!8x40sI4s4x4s8x")
_PLAIN = b"\x80\x10"
_STAMP = TIMESTAMP_ALONE.to_bytes(4, "big")
_HALF, _MASK = 0x8000_0000, 0xFFFF_FFFF
# So many are passed over in a row at most: round trips are still measured, and slow start has its steps.
_MOST = 7


def newest(packets: Sequence[Packet]) -> list[Packet]:
    """`packets` without the ACKs that the next one makes needless. One of 13 us costs 1 us so."""
    kept: list[Packet] = []
    last: tuple[bytes, bytes] | None = None  # what the ACK before had beside its number, where it was one
    number = passed = 0
    for packet in packets:
        data = packet.data
        size = len(data)
        if size == _IN_4.size and data[0] == 0x45:
            said = _IN_4.unpack(data)
        elif size == _IN_6.size and data[0] >> 4 == 6:
            said = _IN_6.unpack(data)
        else:
            last = None
            kept.append(packet)
            continue
        names, ack, words, stamp = said
        if (
            last == (names, words)
            and packet.checksum != COMPLETE
            and 0 < (ack - number) & _MASK < _HALF
            and passed < _MOST
            and stamp == _STAMP
        ):
            kept[-1] = packet
            passed += 1
        else:
            kept.append(packet)
            passed = 0
            plain = stamp == _STAMP and words[:2] == _PLAIN and packet.checksum != COMPLETE
            last = (names, words) if plain else None
        number = ack
    return kept
