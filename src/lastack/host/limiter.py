"""So many answers a second: what a host sends to those it has no connection with (RFC 1122 3.2.2.1)."""

from __future__ import annotations

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
