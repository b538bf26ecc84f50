"""Our host and the Linux kernel, through a device: whole connections, in both modes and both versions of IP."""

from __future__ import annotations

import hashlib
import socket
import subprocess
from collections.abc import Callable, Iterator
from itertools import pairwise
from random import Random
from threading import Thread
from typing import Any, TypeVar

import pytest

from lastack.device.driver import Driver
from lastack.device.sandbox import Sandbox
from lastack.host.host import Host
from lastack.link.faults import Faults
from lastack.tcp.states import State
from lastack.wire.packet import Packet
from tests.device.peers import parsed
from tests.device.programs import Echo, Server, Sink, Source

pytestmark = pytest.mark.interop

VERSIONS = pytest.mark.parametrize("version", [4, 6])
Result = TypeVar("Result")


def host_in(box: Sandbox) -> Host:
    """Our host at the other end of the sandbox's device."""
    offload = box.tun.offload
    return Host(box.ours, secret=b"a secret of tests", mtu=box.mtu, gso=box.tun.gso, checksum_offload=offload)


@pytest.fixture
def driver(box: Sandbox) -> Iterator[Driver]:
    with Driver(host_in(box), box.tun) as made:
        yield made


def beside(driver: Driver, work: Callable[[], Result]) -> Result:
    """Do `work`, which blocks, in a thread while the driver runs here."""
    done: list[Result | BaseException] = []

    def run() -> None:
        try:
            done.append(work())
        except BaseException as error:
            done.append(error)
        driver.wake()

    thread = Thread(target=run)
    thread.start()
    assert driver.run(lambda: bool(done), timeout=60), "the kernel's side did not finish"
    thread.join()
    if isinstance(done[0], BaseException):
        raise done[0]
    return done[0]


def client(box: Sandbox, version: int, port: int = 80) -> socket.socket:
    """A connected socket of the kernel."""
    made = box.socket(socket.AF_INET if version == 4 else socket.AF_INET6)
    made.settimeout(50)
    try:
        made.connect((box.ours[version == 6], port))
    except OSError:
        made.close()
        raise
    return made


def read_all(connection: socket.socket) -> bytes:
    """To the end of the stream."""
    return b"".join(iter(lambda: connection.recv(1 << 16), b""))


@VERSIONS
def test_the_kernel_s_bytes_come_back(box: Sandbox, driver: Driver, version: int) -> None:
    data = Random(1).randbytes(3_000_000)
    driver.on_ready = server = Echo(driver.host, version)

    def work() -> bytes:
        with client(box, version) as connection:
            sender = Thread(target=lambda: (connection.sendall(data), connection.shutdown(socket.SHUT_WR)))
            sender.start()
            answer = read_all(connection)
            sender.join()
            return answer

    assert hashlib.sha256(beside(driver, work)).digest() == hashlib.sha256(data).digest()
    assert driver.run(lambda: server.finished == 1, timeout=20)
    assert box.tun.refused == 0
    # The kernel closed first: nothing is left of the connection here (RFC 9293 section 3.6).
    assert driver.run(lambda: not driver.host.connections() and not len(driver.host.time_wait), timeout=20)


@VERSIONS
def test_who_closes_first_waits(box: Sandbox, driver: Driver, version: int) -> None:
    driver.on_ready = server = Source(driver.host, version, 1_000_000)

    def work() -> int:
        with client(box, version) as connection:
            return len(read_all(connection))

    assert beside(driver, work) == 1_000_000
    assert server.finished == 1
    assert driver.run(lambda: len(driver.host.time_wait) == 1, timeout=20)


@VERSIONS
def test_our_host_connects_to_the_kernel(box: Sandbox, driver: Driver, version: int) -> None:
    data = Random(2).randbytes(500_000)
    with box.socket(socket.AF_INET if version == 4 else socket.AF_INET6) as listener:
        listener.bind((box.theirs[version == 6], 0))
        listener.listen()
        listener.settimeout(50)
        port = listener.getsockname()[1]
        ours = driver.host.socket(version)
        with pytest.raises(BlockingIOError):
            ours.connect(driver.clock(), (box.theirs[version == 6], port))
        left = memoryview(data)

        def application(now: int, sockets: Any) -> None:
            nonlocal left
            try:
                while left:
                    left = left[ours.send(now, left) :]
                ours.close(now)
            except BlockingIOError:
                pass

        driver.on_ready = application

        def work() -> bytes:
            connection, _ = listener.accept()
            with connection:
                return read_all(connection)

        assert beside(driver, work) == data


@VERSIONS
def test_a_closed_port_refuses(box: Sandbox, driver: Driver, version: int) -> None:
    with pytest.raises(ConnectionRefusedError):
        beside(driver, lambda: client(box, version, 81))


@pytest.mark.interop("nc")
@VERSIONS
def test_netcat(box: Sandbox, driver: Driver, version: int) -> None:
    driver.on_ready = Echo(driver.host, version)
    command = ["nc", "-N", "-w", "20", box.ours[version == 6], "80"]
    with box.popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert beside(driver, lambda: process.communicate(b"hello\n" * 1000, 50)[0]) == b"hello\n" * 1000


class Web(Server):
    """One answer to anything that is asked."""

    def serve(self, now: int, socket: Any) -> None:
        try:
            if not socket.recv(now, 65_536):
                return
        except BlockingIOError:
            return
        socket.send(now, b"HTTP/1.1 200 OK\r\nContent-Length: 6\r\nConnection: close\r\n\r\nhello\n")
        self.finish(now, socket)


@pytest.mark.interop("curl")
@VERSIONS
def test_curl(box: Sandbox, driver: Driver, version: int) -> None:
    driver.on_ready = Web(driver.host, version)
    address = box.ours[0] if version == 4 else f"[{box.ours[1]}]"
    command = ["curl", "-sS", "-g", "--noproxy", "*", "--max-time", "20", f"http://{address}/"]
    assert beside(driver, lambda: box.run(command).stdout) == "hello\n"


@VERSIONS
def test_a_bad_path_both_ways_loses_nothing(box: Sandbox, driver: Driver, version: int) -> None:
    faults = Faults(loss=0.01, duplicate=0.01, reorder=0.02, reorder_by=2_000, corrupt=0.03)
    driver.incoming.pipeline = faults.pipeline(Random(1))
    driver.outgoing.pipeline = faults.pipeline(Random(2))
    data = Random(3).randbytes(500_000)
    driver.on_ready = Echo(driver.host, version)

    def work() -> bytes:
        with client(box, version) as connection:
            sender = Thread(target=lambda: (connection.sendall(data), connection.shutdown(socket.SHUT_WR)))
            sender.start()
            answer = read_all(connection)
            sender.join()
            return answer

    assert hashlib.sha256(beside(driver, work)).digest() == hashlib.sha256(data).digest()
    assert driver.incoming.pipeline["corrupt"].counters["corrupted"] > 0
    assert driver.outgoing.pipeline["corrupt"].counters["corrupted"] > 0


def test_the_state_is_the_table_s(box: Sandbox, driver: Driver) -> None:
    driver.on_ready = server = Sink(driver.host, 4)
    connection = beside(driver, lambda: client(box, 4))
    with connection:
        # The kernel has our SYN,ACK; its ACK may be on its way.
        def states() -> list[State]:
            return [tcb.state for tcb in driver.host.connections()]

        assert driver.run(lambda: states() == [State.ESTABLISHED], timeout=20)
        connection.send(b"x" * 1000)
        assert driver.run(lambda: server.received == 1000, timeout=20)
    assert driver.run(lambda: server.finished == 1 and not driver.host.connections(), timeout=20)


@VERSIONS
@pytest.mark.parametrize("offload", [False], indirect=True)
def test_every_second_full_segment_is_acknowledged_on_a_plain_device(
    box: Sandbox, driver: Driver, version: int
) -> None:  # RFC 9293 3.8.6.3, SHLD-19
    driver.on_ready = server = Sink(driver.host, version)
    acks: list[int] = []

    def tap(now: int, outgoing: bool, packet: Packet) -> None:
        if outgoing:
            acks.append(parsed(packet).ack)

    driver.taps.append(tap)
    size = 3_000_000

    def work() -> None:
        with client(box, version) as connection:
            connection.sendall(bytes(size))

    beside(driver, work)
    assert driver.run(lambda: server.finished == 1, timeout=20)
    steps = [(later - before) & 0xFFFFFFFF for before, later in pairwise(acks)]
    full = box.mtu - (52 if version == 4 else 72)  # what goes beside headers and timestamps
    assert sum(steps) >= size
    assert max(steps) < 3 * full  # two, and what is not full between them
