"""Chance that can be taken back: what befalls a world by chance, each time under a name.

Whether a thing happens depends on the seed and its name alone, not on what was asked before. So a run can be repeated
with some of what happened left out, and a failing one be made smaller (`lastack.aio.shrinking`).
"""

from __future__ import annotations

from collections.abc import Collection
from hashlib import blake2b

_WHOLE = float(1 << 64)


class Decisions:
    """`taken` is what happened, in order. With `only`, nothing else happens."""

    def __init__(self, seed: int, only: Collection[str] | None = None) -> None:
        self.seed = seed
        self.only = None if only is None else frozenset(only)
        self.taken: list[str] = []
        self._begun = blake2b(digest_size=8, key=seed.to_bytes(16, "big", signed=True))

    def happens(self, name: str, probability: float) -> bool:
        """Whether a thing happens that does so with this probability."""
        return self.draw(name) < probability and self.allowed(name)

    def allowed(self, name: str) -> bool:
        """Whether a thing happens that is certain to, unless it is left out."""
        if self.only is not None and name not in self.only:
            return False
        self.taken.append(name)
        return True

    def draw(self, name: str) -> float:
        """From 0 to less than 1."""
        drawn = self._begun.copy()
        drawn.update(name.encode())
        return int.from_bytes(drawn.digest(), "big") / _WHOLE

    def between(self, name: str, low: int, high: int) -> int:
        """A number from `low` to `high`, both included."""
        return low + int(self.draw(name) * (high - low + 1))
