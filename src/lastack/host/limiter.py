"""So many answers a second: what a host sends to those it has no connection with (RFC 1122 3.2.2.1), and challenge
ACKs (RFC 5961 section 7)."""

from __future__ import annotations

from lastack.host import isn

_SECOND = 1_000_000


class Limiter:
    """So many answers of a kind in one second."""

    __slots__ = ("_spent",)

    def __init__(self) -> None:
        self._spent: dict[str, tuple[int, int]] = {}

    def allows(self, kind: str, now: int, per_second: int) -> bool:
        """Whether one more may leave now; it is counted."""
        since, count = self._spent.get(kind, (now, 0))
        if now - since >= _SECOND:
            since, count = now, 0
        if count >= per_second:
            return False
        self._spent[kind] = since, count + 1
        return True


class TokenBucket:
    """So many a second on the average, and at most `burst` at once (RFC 4443 section 2.4 (f))."""

    __slots__ = ("_at", "_burst", "_rate", "_tokens")

    def __init__(self, rate: int, burst: int) -> None:
        self._rate = rate
        self._burst = min(burst, rate) * _SECOND  # a token is a second's worth of microseconds
        self._tokens = self._burst
        self._at = 0

    def allows(self, now: int) -> bool:
        """Whether one more may leave now; it is counted."""
        self._tokens = min(self._tokens + (now - self._at) * self._rate, self._burst)
        self._at = now
        if self._tokens < _SECOND:
            return False
        self._tokens -= _SECOND
        return True


class ChallengeBudget:
    """Challenge ACKs of all connections in one second: `about`, give or take half of it, by lot.

    With a fixed number a stranger could use up all but one, forge a segment for somebody else's connection and see
    by the last whether it drew a challenge: so find out that the connection exists, and its numbers (CVE-2016-5696).
    """

    __slots__ = ("_left", "_second", "_secret", "about")

    def __init__(self, about: int, secret: bytes) -> None:
        self.about = about
        self._secret = secret
        self._second = -1
        self._left = 0

    def allows(self, now: int) -> bool:
        """Whether one more may leave now; it is counted."""
        second = now // _SECOND
        if second != self._second:
            self._second = second
            self._left = challenge_acks(self.about, self._secret, second)
        self._left -= 1
        return self._left >= 0


def challenge_acks(about: int, secret: bytes, second: int) -> int:
    """How many there may be in a second."""
    return (about + 1) // 2 + isn.draw(secret, b"ack", second) % max(about, 1)
