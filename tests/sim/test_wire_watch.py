"""The watch on the wire: what a correct exchange looks like to it, and each lie that it must see."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import nullcontext
from random import Random
from typing import Any

import pytest

from lastack.link.rules import Corrupt, Partition
from lastack.link.targeted import Hold
from lastack.sim.wire_watch import WireWatch
from lastack.sim.world import CheckFailed, World
from lastack.wire.address import parse_address
from lastack.wire.datagram import build_tcp
from lastack.wire.options import Sack, SackPermitted, WindowScale, build, build_timestamp
from lastack.wire.segment import ACK, FIN, PSH, RST, SYN, Segment
from tests.sim.fake import FakeHost

ADDRESSES = {"a": "10.0.0.1", "b": "10.0.0.2"}
PORTS = {"a": 40000, "b": 80}
ISS = {"a": 0xFFFFFFF0, "b": 5000}


class Mute(FakeHost):
    """Hears, and answers nothing."""

    def receive(self, now: int, packet: Any) -> None:
        return


class Wire:
    """Two silent hosts; the test puts words in their mouths, sequence numbers counted from the SYN's."""

    def __init__(self) -> None:
        self.world = World(factory=Mute)
        for name, address in ADDRESSES.items():
            self.world.host(name, address)
        self.world.tap(WireWatch(self.world))

    def put(
        self, name: str, flags: int, seq: int, ack: int = 0, window: int = 1000, size: int = 0, options: bytes = b""
    ) -> None:
        other = "b" if name == "a" else "a"
        number = (ISS[other] + ack) & 0xFFFFFFFF if flags & ACK else 0
        segment = Segment(PORTS[name], PORTS[other], (ISS[name] + seq) & 0xFFFFFFFF, number, flags, window, 0, options)
        segment.payload, segment.length = (bytes(size),), size
        packet = build_tcp(parse_address(ADDRESSES[name]), parse_address(ADDRESSES[other]), segment)
        self.world.network.send(name, packet)
        self.world.run()

    def handshake(self, shift: int = -1, sack: bool = False) -> None:
        options = build([WindowScale(shift)]) if shift >= 0 else b""
        options += build([SackPermitted()]) if sack else b""
        self.put("a", SYN, 0, options=options)
        self.put("b", SYN | ACK, 0, 1, options=options)
        self.put("a", ACK, 1, 1, window=1000 >> max(shift, 0))


def test_a_whole_connection_is_right() -> None:
    wire = Wire()
    wire.handshake()
    wire.put("a", ACK | PSH, 1, 1, size=500)
    wire.put("a", ACK | PSH, 501, 1, size=500)
    wire.put("b", ACK, 1, 1001, window=0)
    wire.put("a", ACK, 1001, 1, size=1)  # a probe of a window that is closed (RFC 9293 section 3.8.6.1)
    wire.put("b", ACK, 1, 1001, window=500)
    wire.put("a", ACK | FIN, 1001, 1, size=499)
    wire.put("b", ACK | FIN, 1, 1501, window=0)
    wire.put("a", ACK, 1501, 2, window=999)
    wire.put("a", RST, 77777)


def test_windows_are_scaled_when_both_offered_it() -> None:  # RFC 7323 section 2.2
    wire = Wire()
    wire.handshake(shift=2)
    wire.put("b", ACK, 1, 1, window=300)
    for start in (1, 401, 801):
        wire.put("a", ACK, start, 1, window=250, size=400)
    with pytest.raises(CheckFailed, match="reaches offset 1202, beyond the window's edge at 1201"):
        wire.put("a", ACK, 1001, 1, window=250, size=201)


LIES: dict[str, tuple[str, Callable[[Wire], object]]] = {
    "beyond the window": (
        "beyond the window's edge at 1001",
        lambda wire: (wire.put("a", ACK, 1, 1, size=500), wire.put("a", ACK, 501, 1, size=501)),
    ),
    "a fin beyond it": (
        "beyond the window's edge",
        lambda wire: (wire.put("a", ACK, 1, 1, size=500), wire.put("a", ACK | FIN, 501, 1, size=500)),
    ),
    "an ack of nothing": ("acknowledges offset 2, and only 1", lambda wire: wire.put("b", ACK, 1, 2)),
    "an edge moved back": ("right edge back from offset 1001 to 1000", lambda wire: wire.put("a", ACK, 1, 1, 999)),
    "text behind the fin": (
        "reaches offset 3, and its FIN ended at 2",
        lambda wire: (wire.put("a", ACK | FIN, 1, 1), wire.put("a", ACK, 2, 1, size=1)),
    ),
    "a fin elsewhere": (
        "reaches offset 3, and its FIN ended at 2",
        lambda wire: (wire.put("a", ACK | FIN, 1, 1), wire.put("a", ACK | FIN, 1, 1, size=1)),
    ),
    "too large for the mss": (
        "larger than the MSS of 536",  # MUST-15: no option was sent
        lambda wire: wire.put("a", ACK, 1, 1, size=537),
    ),
    "too large for the mtu": (
        "a packet of 1501 bytes",
        lambda wire: (wire.put("b", ACK, 1, 1, window=9000), wire.put("a", ACK, 1, 1, size=1461)),
    ),
    "a gap": ("begins at offset 2, and only 1 were sent", lambda wire: wire.put("a", ACK, 2, 1, size=5)),
}


def test_the_scale_may_round_an_edge_down() -> None:  # RFC 7323 section 2.4
    wire = Wire()
    wire.handshake(shift=2)
    wire.put("b", ACK, 1, 1, window=300)
    wire.put("a", ACK, 1, 1, window=250, size=3)
    wire.put("b", ACK, 1, 4, window=299)  # 1196 of the 1197 that are left
    with pytest.raises(CheckFailed, match="right edge back from offset 1201 to 1196"):
        wire.put("b", ACK, 1, 4, window=298)


@pytest.mark.parametrize("name", LIES)
def test_a_lie_is_seen(name: str) -> None:
    what, say = LIES[name]
    wire = Wire()
    wire.handshake()
    with pytest.raises(CheckFailed, match=what):
        say(wire)


def test_timestamps_are_agreed_on_and_never_turn_back() -> None:  # RFC 7323 sections 3.2 and 5.4
    def stamped(val: int) -> Wire:
        wire = Wire()
        wire.put("a", SYN, 0, options=build_timestamp(7, 0))
        wire.put("b", SYN | ACK, 0, 1, options=build_timestamp(9, 7))
        wire.put("a", ACK, 1, 1, options=build_timestamp(0xFFFFFFFF, 9))
        wire.put("a", ACK, 1, 1, options=build_timestamp(val, 9))
        return wire

    with pytest.raises(CheckFailed, match="bears no timestamp"):
        stamped(3).put("a", ACK, 1, 1)
    with pytest.raises(CheckFailed, match="has the timestamp 4294967294, after 4294967295"):
        stamped(0xFFFFFFFE)


def test_a_segment_of_no_connection_is_seen() -> None:
    with pytest.raises(CheckFailed, match="belongs to no connection"):
        Wire().put("a", ACK, 1, 1)


def test_what_was_lost_or_hurt_has_not_arrived() -> None:
    for rule in (Partition(), Hold(), Corrupt(1.0, Random(1))):
        wire = Wire()
        wire.handshake()
        wire.world.path("a", "b").add(rule)
        wire.put("a", ACK, 1, 1, size=10)
        with pytest.raises(CheckFailed, match="acknowledges offset 11, and only 1"):
            wire.put("b", ACK, 1, 11)


def test_a_hole_that_is_filled_has_arrived() -> None:
    wire = Wire()
    wire.handshake()
    hold = wire.world.path("a", "b").add(Hold())
    wire.put("a", ACK, 1, 1, size=10)
    hold.on = False
    wire.put("a", ACK, 11, 1, size=10)
    wire.world.release(hold)
    wire.world.run()
    wire.put("b", ACK, 1, 21)


def test_an_old_acknowledgment_does_not_open_the_window_of_a_new_incarnation() -> None:
    wire = Wire()
    wire.handshake()
    held = wire.world.path("b", "a").add(Hold())
    wire.put("b", ACK, 1, 1, window=60000)
    held.on = False
    wire.put("a", ACK | RST, 1, 1)
    ISS["a"] += 0x100  # the same ports, a new initial sequence number
    try:
        wire.put("a", SYN, 0)
        wire.put("b", SYN | ACK, 0, 1, window=10)
        wire.world.release(held)
        wire.world.run()
        with pytest.raises(CheckFailed, match="beyond the window's edge at 11"):
            wire.put("a", ACK, 1, 1, size=20)
    finally:
        ISS["a"] -= 0x100


@pytest.mark.parametrize(("labels", "wrong"), [((7, 7), False), ((0, 0), True), ((7, 8), True)])
def test_a_flow_has_one_label(labels: tuple[int, int], wrong: bool) -> None:  # RFC 6437 section 3
    world = World(factory=Mute)
    for name, address in (("a", "fd00::1"), ("b", "fd00::2")):
        world.host(name, address)
    world.tap(WireWatch(world))
    ends = parse_address("fd00::1"), parse_address("fd00::2")

    def say() -> None:
        for label in labels:
            packet = build_tcp(*ends, Segment(1, 80, 5, flags=SYN, window=1000), flow_label=label)
            world.network.send("a", packet)

    with pytest.raises(CheckFailed, match="flow label") if wrong else nullcontext():
        say()


def test_what_is_held_of_an_incarnation_before_is_no_lie() -> None:  # RFC 9293 3.5.1: the answer to its peer's new SYN
    wire = Wire()
    wire.handshake(sack=True)
    lost = wire.world.path("a", "b").add(Partition())
    wire.put("a", ACK, 1, 1, size=500)
    lost.on = False
    wire.put("a", ACK, 501, 1, size=100)
    held = (ISS["a"] + 501) & 0xFFFFFFFF
    wire.put("b", ACK, 1, 1, options=build([Sack(((held, held + 100),))]))
    ISS["a"] += 0x1000  # it has restarted, with a new initial sequence number
    try:
        wire.put("a", SYN, 0, options=build([SackPermitted()]))
        wire.put("b", ACK, 1, 1 - 0x1000, options=build([Sack(((held, held + 100),))]))
    finally:
        ISS["a"] -= 0x1000
