"""What a loop takes from its device at a time, and how it hands that to a host."""

from __future__ import annotations

from typing import Protocol

from lastack.device.counters import Counters
from lastack.device.errors import DeviceError
from lastack.device.thinning import newest
from lastack.wire.packet import Packet

# Small batches, so that acknowledgments leave and timers run in time; 64 super-segments are four megabytes, and take
# 1.2 ms. Bulk data in: 21.4 Gbit/s with 8, 24.7 with 16, 27.5 with 32, 29.3 with 64.
BATCH = 64
# After a batch of one packet, so many are read alone: that many, or fewer, come late where a burst begins.
_LONE = 8


class Device(Protocol):
    """What carries packets: a Tun, or anything that can be waited for (see Tun for the methods)."""

    offload: bool

    def fileno(self) -> int: ...
    def read(self) -> Packet | None: ...
    def write(self, packet: Packet) -> int: ...


class Receiver(Protocol):
    """The verb of a host that is needed here."""

    def receive(self, now: int, packet: Packet) -> None: ...


class Reader:
    """Reads `device` in batches of at most `batch` packets, and counts them."""

    __slots__ = ("_lone", "batch", "counters", "device")

    def __init__(self, device: Device, counters: Counters, batch: int) -> None:
        self.device = device
        self.counters = counters
        self.batch = batch
        self._lone = 0  # how many are still to be read alone

    def come(self) -> list[Packet]:
        """What has come; [] where nothing has. Where packets come one at a time, one is read: to ask in vain costs
        2 us, by which its answer would be late. Raises DeviceError where the device is gone."""
        read, counters = self.device.read, self.counters
        packets: list[Packet] = []
        if self._lone:
            if (packet := read()) is not None:
                self._lone -= 1
                packets.append(packet)
                counters.packets_in += 1
                counters.bytes_in += len(packet.data)
            return packets
        try:
            while len(packets) < self.batch and (packet := read()) is not None:
                packets.append(packet)
        except DeviceError:
            if not packets:
                raise
            # What came before the device went is taken in; it says so again when it is read next.
        self._lone = _LONE if len(packets) == 1 else 0
        counters.packets_in += len(packets)
        counters.bytes_in += sum([len(packet.data) for packet in packets])
        return packets

    def hand_in(self, host: Receiver, now: int, packets: list[Packet]) -> None:
        """Packets to the host, without the ACKs that the next one makes needless."""
        count = len(packets)
        if count > 1:
            packets = newest(packets)
            self.counters.passed_over += count - len(packets)
        receive = host.receive
        for packet in packets:
            receive(now, packet)
