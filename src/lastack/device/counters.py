"""What the loop counts of the packets between host and device."""

from __future__ import annotations


class Counters:
    """What passed between host and device."""

    __slots__ = (
        "blocked",
        "bytes_in",
        "bytes_out",
        "packets_in",
        "packets_out",
        "passed_over",
        "queue_full",
        "refused",
        "turns",
    )

    def __init__(self) -> None:
        self.packets_in = 0  # read from the device; a super-segment is one
        self.packets_out = 0  # taken by the device
        self.bytes_in = 0  # with IP headers
        self.bytes_out = 0
        self.passed_over = 0  # ACKs of those that the next one made needless
        self.blocked = 0  # times that the device had no room
        self.queue_full = 0  # packets dropped because too many waited for it
        self.refused = 0  # packets that the device would not have
        self.turns = 0  # of the loop, and its rounds between two of them

    def snapshot(self) -> dict[str, int]:
        """All of them by name."""
        return {name: getattr(self, name) for name in self.__slots__}
