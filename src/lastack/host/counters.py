"""What a host counts: each limit that was hit, each packet that was dropped and why."""

from __future__ import annotations

from collections.abc import Mapping


class Counters(dict[str, int]):
    """Counts by name, such as "packets in", "dropped: checksum", "limit: accept queue"; 0 for what never was.

    A plain dict counts in 0.07 us, a `collections.Counter` in 0.2: its methods in Python stand behind every `[]`.
    """

    __slots__ = ()

    def __missing__(self, name: str) -> int:
        return 0

    def add(self, counts: Mapping[str, int]) -> None:
        """Add what was counted elsewhere."""
        for name, count in counts.items():
            self[name] += count

    def snapshot(self) -> dict[str, int]:
        """The counts that are not zero, by name."""
        return {name: self[name] for name in sorted(self) if self[name]}
