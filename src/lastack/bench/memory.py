"""A device in memory: the loop drives a host over it as over a TUN device, without the kernel."""

from __future__ import annotations

import os
from collections import deque

from lastack.wire.packet import Packet


class MemoryDevice:
    """`arrive` puts packets where `read` finds them; what the host sends stands in `sent`. A descriptor tells of them.

    `gso` is the payload of the largest super-segment that it takes; with it checksums are left to it.
    """

    def __init__(self, gso: int = 0) -> None:
        self.gso = gso
        self.offload = gso > 0
        self.sent: list[Packet] = []
        self.reads = 0  # calls, with those that find nothing
        self.writes = 0
        self._waiting: deque[Packet] = deque()
        self._fd = os.eventfd(0, os.EFD_NONBLOCK | os.EFD_CLOEXEC)
        self._told = False

    def fileno(self) -> int:
        """Readable while packets wait."""
        return self._fd

    def arrive(self, *packets: Packet) -> None:
        """Packets for the host."""
        self._waiting.extend(packets)
        if self._waiting and not self._told:
            self._told = True
            os.eventfd_write(self._fd, 1)

    def read(self) -> Packet | None:
        """The next that waits."""
        self.reads += 1
        if self._waiting:
            return self._waiting.popleft()
        if self._told:
            self._told = False
            os.eventfd_read(self._fd)
        return None

    def write(self, packet: Packet) -> int:
        """There is always room."""
        self.writes += 1
        self.sent.append(packet)
        return len(packet)

    def take(self) -> list[Packet]:
        """What was sent since the last call."""
        sent, self.sent = self.sent, []
        return sent

    def close(self) -> None:
        """Give the descriptor back."""
        os.close(self._fd)
