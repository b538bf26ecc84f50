"""The sequence numbers of connections that ended lately and had run ahead of the clock of RFC 6528.

That clock ticks 250,000 times a second, so a connection that sends faster ends above it. While its peer may be in
TIME-WAIT, and old segments may wander, the next connection of that name has to begin above it all the same: section
3.4.1 of RFC 9293. A connection that did not overtake the clock needs no memory, as the clock alone sees to it.
"""

from __future__ import annotations

from collections import OrderedDict

from lastack.tcp.sequence import HALF, MASK

_TICK = 4  # microseconds
# How far above the old number the new one begins: more than a window that a last segment may have been sent in.
_AHEAD = 65_537


class RecentNumbers:
    """ISS and SND.NXT by the connection's key, the oldest first; at most `limit` of them, each for `lifetime`."""

    __slots__ = ("_lifetime", "_limit", "_numbers")

    def __init__(self, limit: int, lifetime: int) -> None:
        self._limit = limit
        self._lifetime = lifetime
        self._numbers: OrderedDict[bytes, tuple[int | None, int, int]] = OrderedDict()

    def __len__(self) -> int:
        return len(self._numbers)

    def note(self, key: bytes, iss: int | None, snd_nxt: int, clock: int, now: int) -> bool:
        """A connection ended; `clock` is the ISN that its name would get now, `iss` the one it had,
        None where that is forgotten. False where another had to go for it."""
        self._expire(now)
        ahead = (snd_nxt - clock) & MASK
        # Beyond half of the numbers the clock counts as ahead, unless it comes round within the lifetime.
        if ahead > HALF + self._lifetime // _TICK:
            self._numbers.pop(key, None)
            return True
        expires = now + self._lifetime
        self._numbers[key] = (iss, snd_nxt, expires)
        self._numbers.move_to_end(key)
        if len(self._numbers) > self._limit:
            self._numbers.popitem(last=False)
            return False
        return True

    def above(self, key: bytes, iss: int, now: int) -> int:
        """`iss`, or where the last connection of that name ended above it, a number above that."""
        if not self._numbers:
            return iss
        self._expire(now)
        known = self._numbers.get(key)
        return iss if known is None else above(iss, known[1])

    def began_with(self, key: bytes, iss: int, now: int) -> bool:
        """Whether that was the ISS of the last connection of that name: then an ACK of it is an old one."""
        self._expire(now)
        known = self._numbers.get(key)
        return known is not None and known[0] == iss

    def _expire(self, now: int) -> None:
        numbers = self._numbers
        while numbers:
            key = next(iter(numbers))
            if numbers[key][2] > now:
                return
            del numbers[key]


def above(iss: int, snd_nxt: int) -> int:
    """`iss` if it lies above all that a connection used, or else a number that does."""
    return iss if 0 < (iss - snd_nxt) & MASK < HALF else (snd_nxt + _AHEAD) & MASK
