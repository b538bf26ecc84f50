"""A host that knows nothing of TCP: it says something at given times, and echoes what it hears once."""

from __future__ import annotations

from typing import Any

from lastack.wire.address import parse_address
from lastack.wire.datagram import build_tcp, parse
from lastack.wire.packet import Packet
from lastack.wire.segment import ACK, Segment


class FakeHost:
    """The five verbs. `say` plans a segment; a segment with an even sequence number is answered with the next odd."""

    def __init__(self, addresses: tuple[str, ...], config: Any = None, **options: Any) -> None:
        self.address = parse_address(addresses[0])
        self.options = options
        self.heard: list[tuple[int, int, bytes]] = []
        self.said: list[tuple[int, Packet]] = []
        self.out: list[Packet] = []
        self.fresh: list[str] = []
        self.stuck = False

    def observe(self, observer: Any) -> None:
        """It has nothing to tell."""

    def say(self, at: int, to: str, seq: int, text: bytes = b"", gso_size: int = 0) -> None:
        """Send a segment at a time."""
        segment = Segment(1, 2, seq, 0, ACK, payload=(text,), length=len(text), gso_size=gso_size)
        self.said.append((at, build_tcp(self.address, parse_address(to), segment)))

    def receive(self, now: int, packet: Packet) -> None:
        header, segment = parse(packet)
        if not isinstance(segment, Segment):
            self.heard.append((now, -1, bytes(packet.data)))
            return
        self.heard.append((now, segment.seq, b"".join(segment.payload)))
        self.fresh.append(f"heard {segment.seq}")
        if segment.seq % 2 == 0:
            self.out.append(build_tcp(self.address, header.source, Segment(2, 1, segment.seq + 1, 0, ACK)))

    def advance(self, now: int) -> None:
        if self.stuck:
            return
        self.out += [packet for at, packet in self.said if at <= now]
        self.said = [(at, packet) for at, packet in self.said if at > now]

    def transmit(self, now: int) -> list[Packet]:
        out, self.out = self.out, []
        return out

    def deadline(self) -> int | None:
        return min((at for at, _ in self.said), default=None)

    def ready(self) -> list[str]:
        fresh, self.fresh = self.fresh, []
        return fresh
