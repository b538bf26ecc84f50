"""What happens in a world, written down: as a timeline that can be drawn, and as a capture."""

from __future__ import annotations

from typing import BinaryIO

from lastack.link.frame import Frame
from lastack.sim.taps import Tap
from lastack.sim.world import World
from lastack.trace.pcapng import INBOUND, OUTBOUND, PcapngWriter
from lastack.trace.timeline import Timeline


class TimelineTap(Tap):
    """Tells a timeline of the packets: which departure an arrival belongs to is known by the frame's number."""

    def __init__(self, timeline: Timeline) -> None:
        self.timeline = timeline
        self._departures: dict[int, int] = {}

    def sent(self, now: int, sender: str, receiver: str, frame: Frame) -> None:
        self._departures[frame.number] = self.timeline.packet_sent(now, sender, frame)

    def delivered(self, now: int, sender: str, receiver: str, frame: Frame) -> None:
        self.timeline.packet_arrived(now, receiver, frame, self._departures.get(frame.number))

    def lost(self, now: int, sender: str, receiver: str, frame: Frame, why: str) -> None:
        self.timeline.packet_lost(now, sender, frame, why, self._departures.get(frame.number))

    def powered(self, now: int, host: str, on: bool) -> None:
        self.timeline.power(now, host, on)


class CaptureTap(Tap):
    """Writes a capture with one interface for each host: what left it, and what came to it."""

    def __init__(self, writer: PcapngWriter) -> None:
        self.writer = writer

    def sent(self, now: int, sender: str, receiver: str, frame: Frame) -> None:
        self.writer.write(now, sender, frame, direction=OUTBOUND)

    def delivered(self, now: int, sender: str, receiver: str, frame: Frame) -> None:
        self.writer.write(now, receiver, frame, direction=INBOUND)


def record(world: World) -> Timeline:
    """From now on write down everything that can be seen in a world; hosts may be added before or after."""
    timeline = Timeline()
    world.tap(TimelineTap(timeline))
    world.observe(timeline.observer)
    return timeline


def capture(world: World, stream: BinaryIO) -> PcapngWriter:
    """From now on write every packet to a pcapng stream (binary, which the caller closes)."""
    writer = PcapngWriter(stream)
    world.tap(CaptureTap(writer))
    return writer
