"""Peers whose segments come in UDP."""

from __future__ import annotations

from typing import Any

import pytest

from lastack.host import options as o
from lastack.host.sockets import Socket
from lastack.wire import segment
from lastack.wire.address import parse_address
from lastack.wire.datagram import build_tcp
from lastack.wire.packet import COMPLETE, Packet
from lastack.wire.segment import Segment
from lastack.wire.udp import Datagram, carry
from tests.host.harness import Bench, Peer

OURS = 9899
VERSIONS = pytest.mark.parametrize("version", [4, 6])
US = {4: "10.0.0.1", 6: "fd00::1"}
PEER = {4: "10.0.0.2", 6: "fd00::2"}


class Tunnelled(Peer):
    """A peer in UDP, at port `udp` of its own; 0: without UDP."""

    def __init__(self, bench: Bench, version: int = 4, port: int = 4711, local: int = 80, udp: int = 5000) -> None:
        super().__init__(bench, parse_address(PEER[version]), port, parse_address(US[version]), local)
        self.udp = udp

    def packet(self, line: str) -> Packet:
        packet = build_tcp(self.remote, self.local, self.segment(line))
        return carry(packet, self.udp, OURS) if self.udp else packet

    def gets(self, *lines: str) -> None:
        self.bench.silent()
        for line in lines:
            self.bench.host.receive(self.bench.now, Packet(self.packet(line).joined()))
        self.bench.settle()

    def sends(self, *lines: str) -> list[Segment]:
        for at, (packet, body) in enumerate(self.bench.pending):
            if isinstance(body, Datagram):
                assert (body.source_port, body.destination_port) == (OURS, self.udp)
                assert packet.checksum == COMPLETE
                inner = segment.parse(body.data, 0, len(body.data))
                self.hears(inner)
                self.bench.pending[at] = packet, inner
            else:
                assert not self.udp
        return super().sends(*lines)


def bench(**more: Any) -> Bench:
    return Bench(udp_tunneling_port=OURS, **more)


def opened(version: int = 4, h: Bench | None = None, **more: Any) -> tuple[Bench, Tunnelled, Socket]:
    h = h or bench(**more)
    server = h.listen(80, version=version)
    peer = Tunnelled(h, version)
    peer.opens()
    return h, peer, h.do(server.accept)[0]


def called(version: int = 4, port: int = 5000, **more: Any) -> tuple[Bench, Tunnelled, Socket]:
    h = bench(**more)
    socket = h.socket(version)
    socket.setsockopt(o.IPPROTO_TCP, o.TCP_REMOTE_UDP_ENCAPS_PORT, port)
    h.do(socket.connect, (PEER[version], 7))
    return h, Tunnelled(h, version, 7, socket.getsockname()[1], port), socket
