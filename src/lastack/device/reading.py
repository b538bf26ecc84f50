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
# After a batch of one packet, so many are read alone, or up to the first super-segment: a burst begins with it.
_LONE = 64


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

    __slots__ = ("batch", "counters", "device", "lone")

    def __init__(self, device: Device, counters: Counters, batch: int) -> None:
        self.device = device
        self.counters = counters
        self.batch = batch
        self.lone = 0  # how many are still to be read alone

    def come(self) -> list[Packet]:
        """What has come; [] where nothing has. Where `lone`, packets come one at a time, and are to be read by `alone`:
        to ask in vain costs 2 us, by which an answer would be late. Raises DeviceError where the device is gone."""
        read, counters = self.device.read, self.counters
        packets: list[Packet] = []
        try:
            while len(packets) < self.batch and (packet := read()) is not None:
                packets.append(packet)
        except DeviceError:
            if not packets:
                raise
            # What came before the device went is taken in; it says so again when it is read next.
        if len(packets) == 1:
            self.lone = _LONE if self.device.offload else _LONE // 8  # each in a turn of its own
        counters.packets_in += len(packets)
        counters.bytes_in += sum([len(packet.data) for packet in packets])
        return packets

    def alone(self) -> Packet | None:
        """The next of those that are read alone; None where nothing has come. Raises DeviceError."""
        packet = self.device.read()
        if packet is not None:
            self.lone = 0 if packet.gso_size else self.lone - 1
            counters = self.counters
            counters.packets_in += 1
            counters.bytes_in += len(packet.data)
        return packet

    def hand_in(self, host: Receiver, now: int, packets: list[Packet]) -> None:
        """Packets to the host, without the ACKs that the next one makes needless."""
        count = len(packets)
        if count > 1:
            packets = newest(packets)
            self.counters.passed_over += count - len(packets)
        receive = host.receive
        for packet in packets:
            receive(now, packet)
