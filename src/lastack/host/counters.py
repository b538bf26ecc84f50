"""What a host counts: each limit that was hit, each packet that was dropped and why."""

from __future__ import annotations

from collections import Counter


class Counters(Counter[str]):
    """Counts by name, such as "packets in", "dropped: checksum", "limit: accept queue"."""

    __slots__ = ()

    def snapshot(self) -> dict[str, int]:
        """The counts that are not zero, by name."""
        return {name: self[name] for name in sorted(self) if self[name]}
