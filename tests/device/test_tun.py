"""The device against the kernel, in both modes and both versions of IP."""

from __future__ import annotations

import os
import select
import subprocess
from itertools import pairwise
from socket import AF_UNIX, SOCK_DGRAM, socket, socketpair

import pytest

from lastack.device.driver import Driver
from lastack.device.errors import DeviceError
from lastack.device.sandbox import Sandbox
from lastack.device.tun import GSO_LIMIT, Tun, make
from lastack.link.finishing import finish
from lastack.wire import datagram
from lastack.wire.packet import COMPLETE, PARTIAL, VERIFIED, Packet
from lastack.wire.segment import ACK, Segment
from tests.device.peers import Bulk, Peer, parsed

pytestmark = pytest.mark.interop

VERSIONS = pytest.mark.parametrize("version", [4, 6])


@pytest.mark.interop("ping")
@VERSIONS
def test_the_kernel_s_pings_are_answered(box: Sandbox, version: int) -> None:
    with Driver(Peer(), box.tun) as driver:
        command = ["ping", "-n", "-c", "2", "-i", "0.01", "-s", "1400", "-W", "5", box.ours[version == 6]]
        process = box.popen(command, stdout=subprocess.PIPE, text=True)
        assert driver.run_while(process, timeout=20) == 0, process.communicate()[0]
        assert driver.counters.packets_in == driver.counters.packets_out == 2
        # 1,400 bytes of data behind 8 of ICMP and 20 or 40 of IP.
        assert driver.counters.bytes_in == 2 * (1408 + (20 if version == 4 else 40))
        process.communicate()


@VERSIONS
@pytest.mark.parametrize("checksum", [COMPLETE, PARTIAL])
def test_a_rst_ends_the_kernel_s_connect(offloading: Sandbox, version: int, checksum: int) -> None:
    # The kernel verifies what we computed, and believes what we left to the device (Virtio 1.2, 5.1.6.2).
    with offloading.socket(10 if version == 6 else 2) as client, Driver(Peer(checksum), offloading.tun) as driver:
        client.setblocking(False)
        assert client.connect_ex((offloading.ours[version == 6], 80)) != 0
        assert driver.run(lambda: driver.counters.packets_out > 0, timeout=20)
        with pytest.raises(ConnectionRefusedError):
            client.connect((offloading.ours[version == 6], 80))


def test_a_checksum_that_is_wrong_is_not_accepted(offloading: Sandbox) -> None:
    class Wrong(Peer):
        def transmit(self, now: int) -> list[Packet]:
            sent = super().transmit(now)
            for packet in sent:
                field = packet.transport + 16
                packet.data = bytes(packet.data[:field]) + b"\x12\x34" + bytes(packet.data[field + 2 :])
            return sent

    with offloading.socket() as client, Driver(Wrong(), offloading.tun) as driver:
        client.setblocking(False)
        client.connect_ex((offloading.ours[0], 80))
        assert driver.run(lambda: driver.counters.packets_out > 0, timeout=20)
        with pytest.raises(BlockingIOError):
            client.connect((offloading.ours[0], 80))


def accept(driver: Driver, listener: socket) -> socket:
    """The kernel's end of the one connection that the driver's host opens."""
    accepted: list[socket] = []
    driver.watch(listener.fileno(), lambda _: accepted.append(listener.accept()[0]))
    assert driver.run(lambda: bool(accepted), timeout=20)
    driver.unwatch(listener.fileno())
    return accepted[0]


@VERSIONS
def test_super_segments_reach_the_kernel(box: Sandbox, version: int) -> None:
    data = bytes(range(256)) * 1000
    with box.socket(10 if version == 6 else 2) as listener:
        listener.bind((box.theirs[version == 6], 0))
        listener.listen()
        listener.setblocking(False)
        mss = 1440 if version == 4 else 1420
        unit = GSO_LIMIT if box.tun.gso else mss
        ours, theirs, port = box.ours[version == 6], box.theirs[version == 6], listener.getsockname()[1]
        peer = Bulk(ours, theirs, port, data, unit, mss)
        with Driver(peer, box.tun) as driver:
            connection = accept(driver, listener)
            with connection, open(connection.fileno(), "rb", buffering=0, closefd=False) as file:
                driver.watch(connection.fileno(), lambda _: received.append(file.read(1 << 20)))
                received: list[bytes] = []
                assert driver.run(lambda: b"" in received, timeout=20)
                assert b"".join(received) == data
                assert box.tun.refused == 0
                # Without the offload each segment is a packet; with it, tens of them are one.
                assert driver.counters.packets_out > len(data) // mss or box.tun.gso > 0
                assert driver.counters.packets_out < len(data) // mss or box.tun.gso == 0


@VERSIONS
def test_what_the_kernel_left_to_us_is_told(box: Sandbox, version: int) -> None:
    with box.socket(10 if version == 6 else 2) as client:
        client.setblocking(False)
        client.connect_ex((box.ours[version == 6], 80))
        packet = box.tun.read()
    assert packet is not None
    assert packet.checksum == (VERIFIED if box.tun.offload else COMPLETE)
    assert packet.transport == (20 if version == 4 else 40)
    assert packet.gso_size == 0


def test_super_segments_come_from_the_kernel(offloading: Sandbox) -> None:
    with offloading.socket() as listener:
        listener.bind((offloading.theirs[0], 0))
        listener.listen()
        listener.setblocking(False)
        peer = Bulk(offloading.ours[0], offloading.theirs[0], listener.getsockname()[1], b"", 1, 1)
        with Driver(peer, offloading.tun) as driver:
            connection = accept(driver, listener)
            with connection:
                connection.send(bytes(range(250)) * 20)
                assert driver.run(lambda: peer.seen[-1].gso_size > 0, timeout=20)
    # Our SYN had no MSS option: RFC 9293 section 3.7.1, MUST-15.
    assert peer.seen[-1].gso_size == 536
    cuts = finish(peer.seen[-1])
    assert [len(cut) for cut in cuts[:2]] == [576, 576]
    segments = [segment for _, segment in map(datagram.parse, cuts) if isinstance(segment, Segment)]
    assert len(segments) == len(cuts)
    assert b"".join(segment.payload[0] for segment in segments) in bytes(range(250)) * 40


@pytest.mark.parametrize(("flags", "checksum"), [(0, COMPLETE), (1, VERIFIED), (2, VERIFIED)])
def test_the_flags_of_a_packet(flags: int, checksum: int) -> None:
    # Virtio 1.2, 5.1.6.4.2: NEEDS_CSUM is 1, DATA_VALID 2 (seen on packets forwarded from a network card).
    near, far = socketpair(AF_UNIX, SOCK_DGRAM)
    with near, far:
        near.setblocking(False)
        tun = object.__new__(Tun)
        tun._fd, tun.offload = near.fileno(), True
        far.send(bytes([flags, 0, 0, 0, 0, 0, 24, 0, 16, 0]) + b"\x46" + bytes(43))
        packet = tun.read()
        assert packet is not None
        assert (packet.checksum, packet.transport, len(packet)) == (checksum, 24, 44)
        assert tun.read() is None


def test_a_packet_that_is_none_is_refused(box: Sandbox) -> None:
    assert box.tun.write(Packet(b"\x00" * 40)) == -1
    assert box.tun.refused == 1


def test_more_views_than_one_call_takes_are_joined(box: Sandbox) -> None:
    with box.socket(2, 3, 253) as raw:
        header = bytes.fromhex("4500082000000000 40fd0000 0a090007 0a090001".replace(" ", ""))
        total = 0xFFFF - sum(int.from_bytes(header[i : i + 2], "big") for i in range(0, 20, 2)) % 0xFFFF
        header = header[:10] + total.to_bytes(2, "big") + header[12:]
        raw.setblocking(False)
        assert box.tun.write(Packet(header, (b"x",) * 2060)) == 2080
        assert raw.recv(4096) == header + b"x" * 2060


FLOWS = 32


def flow(number: int) -> Packet:
    """A packet of TCP from us to the kernel, which answers with a RST."""
    made = Segment(1000 + number, 80, 100, 200, ACK, 1000)
    return datagram.build_tcp(b"\x0a\x09\0\x07", b"\x0a\x09\0\x01", made)


def drained(box: Sandbox) -> list[Segment]:
    """What the kernel has sent, by flow."""
    found = []
    while select.select([box.tun], [], [], 0.2)[0]:
        while packet := box.tun.read():
            found.append(parsed(packet))
    return found


def test_several_queues_are_one_device(offload: bool) -> None:
    with Sandbox(queues=3, offload=offload) as box:
        for _ in range(3):  # the kernel learns from the first which queue a flow uses
            for number in range(FLOWS):
                assert box.tun.write(flow(number)) == 40
            answers = drained(box)
            assert sorted(one.destination_port for one in answers) == [1000 + number for number in range(FLOWS)]
        assert box.tun.read() is None
        used = [box.tun._parts.index(box.tun.part(flow(number))) for number in range(FLOWS)]
        assert set(used) == {0, 1, 2}


def test_a_flow_keeps_to_its_queue_and_queues_take_turns() -> None:
    with Sandbox(queues=2) as box:
        flows = [flow(number) for number in range(FLOWS)]
        queue = {1000 + number: box.tun.part(one) for number, one in enumerate(flows)}
        for _ in range(2):
            for one in sorted(flows, key=lambda one: id(box.tun.part(one))):  # first all of one queue
                box.tun.write(one)
            order = [queue[one.destination_port] for one in drained(box)]
        fewest = min(order.count(part) for part in box.tun._parts)
        assert fewest > 0
        # As long as both have something, none comes twice in a row.
        assert all(one is not other for one, other in pairwise(order[: 2 * fewest]))


@pytest.mark.parametrize("queues", [0, 257])
def test_no_device_has_so_many_queues(queues: int) -> None:
    for made in (lambda: Tun.open("many", queues=queues), lambda: Sandbox(queues=queues)):
        with pytest.raises(DeviceError, match="1 to 256"):
            made()


def test_a_device_of_one_queue_gets_no_second() -> None:
    with Sandbox(name="single") as box:
        fds = iter([box._ask_fd("device", "/dev/net/tun") for _ in range(2)])
        before = len(os.listdir("/proc/self/fd"))
        with pytest.raises(DeviceError, match="with one where several are"):
            make(lambda: next(fds), "single", True, 2)
        assert len(os.listdir("/proc/self/fd")) == before - 2


class Full(Tun):
    """A queue that has no room when it is asked."""

    def __init__(self, part: Tun) -> None:
        self._fd, self.offload = os.dup(part.fileno()), part.offload
        part.close()

    def write(self, packet: Packet) -> int:
        return 0


def test_a_queue_without_room_is_waited_for() -> None:
    with Sandbox(queues=2) as box:
        box.tun._parts = [Full(part) for part in box.tun._parts]
        for part in box.tun._parts:
            box.tun._epoll.register(part.fileno(), select.EPOLLIN)
        assert not select.select([box.tun], [], [], 0)[0]
        assert box.tun.write(flow(0)) == 0
        assert select.select([box.tun], [], [], 0)[0]  # it has room at once, and tells so
        assert box.tun.read() is None
        assert not select.select([box.tun], [], [], 0)[0]


def test_a_device_in_use_is_told_of() -> None:
    with Sandbox(name="taken") as box:
        fd = box._ask_fd("device", "/dev/net/tun")
        with pytest.raises(DeviceError, match="taken is in use by another program"):
            Tun(fd, "taken")


def test_another_kind_of_device_is_told_of() -> None:
    with Sandbox() as box:
        fd = box._ask_fd("device", "/dev/net/tun")
        with pytest.raises(DeviceError, match="'lo' is a device of another kind"):
            Tun(fd, "lo")


@pytest.mark.interop("ip")
def test_a_device_that_is_removed_while_it_runs_is_told_of(box: Sandbox) -> None:
    with Driver(Peer(), box.tun) as driver:
        process = box.popen(["ip", "link", "delete", box.tun.name])
        with pytest.raises(DeviceError, match="lastack0 is gone"):
            driver.run(timeout=20)
        assert process.wait(20) == 0
        with pytest.raises(DeviceError, match="lastack0 is gone"):
            box.tun.write(Packet(b"\x45" + bytes(39)))


@pytest.mark.interop("ip")
def test_a_device_that_is_down_is_told_of(box: Sandbox) -> None:
    assert box.run(["ip", "link", "set", box.tun.name, "down"]).returncode == 0
    with pytest.raises(DeviceError, match="ip link set lastack0 up"):
        box.tun.write(Packet(b"\x45" + bytes(39)))


@pytest.mark.parametrize(
    ("name", "message"),
    [("sixteen-bytes-ab", "too long: at most 15"), ("a/b", "no device name"), ("a b", "no device name")],
)
def test_names_that_no_device_can_have(name: str, message: str) -> None:
    with pytest.raises(DeviceError, match=message):
        Tun.open(name)
