"""One IP packet on its way between a host and whatever carries it, with its offload facts.

A packet that comes in is one buffer. A packet that goes out is its headers and the views of the payload that follow
them, so that a device can write them without a copy.
"""

from __future__ import annotations

from collections.abc import Sequence

Buffer = bytes | memoryview

# Who answers for the transport checksum.
COMPLETE = 0  # the bytes hold it: to be verified by who receives
VERIFIED = 1  # the device has verified it, or the peer is this machine: need not be looked at
PARTIAL = 2  # left to the device: the field holds the folded sum of the pseudo-header (not complemented)


class Packet:
    """`data` + `payload` is the packet from the first byte of the IP header on.

    `checksum` is COMPLETE, VERIFIED or PARTIAL. `gso_size` is 0, or the payload bytes by which a super-segment (up to
    64 KiB, one TCP header) is to be cut into segments. `transport` is the offset of the transport header.
    """

    __slots__ = ("checksum", "data", "gso_size", "payload", "transport")

    def __init__(
        self,
        data: Buffer,
        payload: Sequence[Buffer] = (),
        checksum: int = COMPLETE,
        gso_size: int = 0,
        transport: int = 20,
    ) -> None:
        self.data = data
        self.payload = payload
        self.checksum = checksum
        self.gso_size = gso_size
        self.transport = transport

    def __len__(self) -> int:
        return len(self.data) + sum(map(len, self.payload))

    def joined(self) -> Buffer:
        """The whole packet as one buffer; copies only where there is a payload apart."""
        return b"".join((self.data, *self.payload)) if self.payload else self.data

    def __repr__(self) -> str:
        return f"Packet({len(self)} bytes, checksum={self.checksum}, gso_size={self.gso_size})"
