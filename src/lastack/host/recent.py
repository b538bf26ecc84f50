"""The sequence numbers of late connections that had run ahead of the clock of RFC 6528, or began with a SYN cookie.

That clock ticks 250,000 times a second, so a connection that sends faster ends above it. While its peer may be in
TIME-WAIT, and old segments may wander, the next connection of that name has to begin above it all the same: section
3.4.1 of RFC 9293. A connection that did not overtake the clock needs no memory, as the clock alone sees to it.

A cookie lies ahead of the clock from the first, and would open its connection again whenever its ACK is repeated; so
each that has opened one is remembered from then on, for longer than it is good.
"""

from __future__ import annotations

from collections import OrderedDict

from lastack.tcp.sequence import HALF, MASK

_TICK = 4  # microseconds
# How far above the old number the new one begins: more than a window that a last segment may have been sent in.
_AHEAD = 65_537


class RecentNumbers:
    """ISS and SND.NXT by the connection's key, the oldest first; at most `limit` of them, each for `lifetime`."""

    __slots__ = ("_lifetime", "_limit", "numbers")

    def __init__(self, limit: int, lifetime: int) -> None:
        self._limit = limit
        self._lifetime = lifetime
        self.numbers: OrderedDict[bytes, tuple[int | None, int, int]] = OrderedDict()

    def __len__(self) -> int:
        return len(self.numbers)

    def cookie_returned(self, key: bytes, iss: int, now: int) -> bool:
        """A connection begins whose ISS was a cookie. False where another had to go for it."""
        self._expire(now)
        return self._keep(key, iss, (iss + 1) & MASK, now)

    def note(self, key: bytes, iss: int | None, snd_nxt: int, clock: int, now: int) -> bool:
        """A connection ended; `clock` is the ISN that its name would get now, `iss` the one it had,
        None where that is forgotten. False where another had to go for it."""
        if self.numbers:
            self._expire(now)
        known = self.numbers.get(key)
        # Beyond half of the numbers the clock counts as ahead, unless it comes round within the lifetime.
        if known is None and (snd_nxt - clock) & MASK > HALF + self._lifetime // _TICK:
            return True
        return self._keep(key, known[0] if iss is None and known is not None else iss, snd_nxt, now)

    def _keep(self, key: bytes, iss: int | None, snd_nxt: int, now: int) -> bool:
        self.numbers[key] = (iss, snd_nxt, now + self._lifetime)
        self.numbers.move_to_end(key)
        if len(self.numbers) > self._limit:
            self.numbers.popitem(last=False)
            return False
        return True

    def last(self, key: bytes, now: int) -> int | None:
        """Up to where the last connection of that name has used the numbers, as far as is known."""
        if not self.numbers:
            return None
        self._expire(now)
        known = self.numbers.get(key)
        return None if known is None else known[1]

    def began_with(self, key: bytes, iss: int, now: int) -> bool:
        """Whether that was the ISS of the last connection of that name: then an ACK of it is an old one."""
        self._expire(now)
        known = self.numbers.get(key)
        return known is not None and known[0] == iss

    def _expire(self, now: int) -> None:
        numbers = self.numbers
        while numbers:
            key = next(iter(numbers))
            if numbers[key][2] > now:
                return
            del numbers[key]


def above(iss: int, used: int | None) -> int:
    """`iss` if it lies above all that a connection used, or else a number that does."""
    return iss if used is None or 0 < (iss - used) & MASK < HALF else (used + _AHEAD) & MASK
