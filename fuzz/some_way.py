"""The way that a segment of the fuzzer's peers comes: by itself or in UDP."""

from __future__ import annotations

import random

from lastack.host import ways
from lastack.host.host import Host
from lastack.host.keys import key_in
from lastack.wire.datagram import parse_ip
from lastack.wire.packet import Packet
from lastack.wire.udp import carry


def some_way(rng: random.Random, calm: float, host: Host, packet: Packet) -> Packet:
    """Mostly that of its connection, where the host takes TCP in UDP."""
    ours = host.config.udp_tunneling_port
    if not ours:
        return packet
    data = packet.joined()
    tcb = host.tcbs.get(key_in(data, parse_ip(data)))
    port = ways.port(tcb.way) if tcb is not None else rng.choice((0, 5000))
    if rng.random() > calm:
        port = rng.choice((0, 5000, 5001))
    return carry(packet, port, ours) if port else packet
