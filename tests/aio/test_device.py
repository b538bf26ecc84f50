"""A loop over a device: what is not the host's is the kernel's, as in any loop."""

from __future__ import annotations

import asyncio
import gc
import os
import socket
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from lastack.aio import DeviceLoop, Escaped
from lastack.aio.routed import KernelSocket
from lastack.aio.sockets import HostSocket
from lastack.device.sandbox import Sandbox
from lastack.device.tun import Tun
from lastack.tcp.presets import PRESETS
from tests.aio.ends import Recorder, close
from tests.aio.places import OverDevice, Place

pytestmark = pytest.mark.interop


@pytest.fixture
def place() -> Iterator[OverDevice]:
    with Sandbox() as sandbox:
        yield OverDevice(sandbox)


async def talk(address: object) -> type:
    """Connect, and say which class the socket is of."""
    loop = asyncio.get_running_loop()
    sock = socket.socket()
    sock.setblocking(False)
    await loop.sock_connect(sock, address)  # type: ignore[arg-type]
    kind = type(sock)
    _, protocol = await loop.create_connection(Recorder, sock=sock)
    await close(protocol)
    return kind


async def test_an_address_decides_whose_a_socket_is(place: OverDevice):
    loop = asyncio.get_running_loop()
    inside = await loop.create_server(Recorder, place.near, 0)
    outside = await loop.create_server(Recorder, "127.0.0.1", 0)
    assert await talk(inside.sockets[0].getsockname()) is HostSocket
    assert await talk(outside.sockets[0].getsockname()) is KernelSocket
    kinds = []
    for server in (inside, outside):
        _, protocol = await loop.create_connection(Recorder, *server.sockets[0].getsockname())
        kinds.append(protocol.transport.get_extra_info("socket").fileno() >= 1 << 30)
        await close(protocol)
    assert kinds == [True, False]
    inside.close()
    outside.close()


async def test_other_kinds_of_sockets_are_the_kernel_s(place: OverDevice, tmp_path: Path):
    loop = asyncio.get_running_loop()
    server = await loop.create_unix_server(Recorder, tmp_path / "socket")
    _, protocol = await loop.create_unix_connection(Recorder, tmp_path / "socket")
    await close(protocol)
    server.close()
    heard: asyncio.Queue[bytes] = asyncio.Queue()

    class Hears(asyncio.DatagramProtocol):
        def datagram_received(self, data: bytes, address: object) -> None:
            heard.put_nowait(data)

    one, _ = await loop.create_datagram_endpoint(Hears, ("127.0.0.1", 0))
    other, _ = await loop.create_datagram_endpoint(Hears, remote_addr=one.get_extra_info("sockname"))
    other.sendto(b"by UDP")
    assert await heard.get() == b"by UDP"
    one.close()
    other.close()
    here, there = socket.socketpair()
    here.setblocking(False)
    there.send(b"pair")
    assert await loop.sock_recv(here, 10) == b"pair"
    here.close()
    there.close()
    await asyncio.sleep(0)


async def test_processes_and_pipes(place: OverDevice):
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-c", "print(input().upper())", stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE
    )
    assert (await process.communicate(b"hello\n"))[0] == b"HELLO\n"
    assert process.returncode == 0


async def test_threads(place: OverDevice):
    """Who is in another thread has the kernel's sockets, and wakes the loop."""

    def outside() -> bytes:
        with socket.create_connection(("127.0.0.1", port)) as sock:
            sock.sendall(b"hello")
            return sock.recv(10)

    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write((await reader.read(10)).upper())
        writer.close()

    server = await asyncio.start_server(handle, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    assert await asyncio.to_thread(outside) == b"HELLO"
    server.close()


def test_a_loop_that_is_closed_gives_back_what_it_had(place: OverDevice):
    """Connections that were closed end in good order, and the device is closed with the loop."""

    async def main(place: Place) -> None:
        loop = asyncio.get_running_loop()
        listener = place.listener(near=False)
        _, protocol = await loop.create_connection(Recorder, *listener.getsockname())
        peer, _ = await loop.sock_accept(listener)
        protocol.transport.write(b"to be delivered all the same")
        protocol.transport.close()
        await protocol.lost
        assert await loop.sock_recv(peer, 100) == b"to be delivered all the same"
        peer.close()
        listener.close()

    files = len(os.listdir("/proc/self/fd"))
    place.run(main)
    assert len(os.listdir("/proc/self/fd")) == files - 1  # the device
    assert place.sandbox.tun.fileno() == -1


def test_a_loop_that_cannot_be_made_leaves_nothing(place: OverDevice, monkeypatch: pytest.MonkeyPatch):
    """Neither a device, nor an error of a loop's end that had no beginning (as a warning, which is an error here)."""
    monkeypatch.setattr(Tun, "open", lambda name: place.sandbox.tun)
    near = f"{place.near}/24"
    with pytest.raises(ValueError, match="no preset 'nothing'"):
        DeviceLoop("lastack0", near, config="nothing")
    gc.collect()
    assert place.sandbox.tun.fileno() != -1  # not opened yet
    with pytest.raises(ValueError, match="spin is -1"):
        DeviceLoop(place.sandbox.tun, near, spin=-1)
    assert place.sandbox.tun.fileno() != -1  # the giver's
    with pytest.raises(ValueError, match="spin is -1"):
        DeviceLoop("lastack0", near, spin=-1)
    assert place.sandbox.tun.fileno() == -1
    gc.collect()


def test_a_preset_and_one_route(place: OverDevice):
    loop = DeviceLoop(place.sandbox.tun, f"{place.near}/24", config="linux", routes="10.250.0.0/16")
    try:
        assert loop.host.config is PRESETS["linux"]
        assert loop.stack.routes("10.250.3.4")
    finally:
        loop.close()


async def test_who_waits_for_a_socket_that_becomes_the_host_s_goes_on_to(place: OverDevice):
    loop = asyncio.get_running_loop()
    listener = place.listener(near=False)
    sock = socket.socket()
    sock.setblocking(False)
    number = sock.fileno()
    writable = asyncio.Event()
    loop.add_writer(sock, writable.set)
    with pytest.raises(BlockingIOError):
        sock.connect(listener.getsockname())
    assert number not in loop._selector.get_map()
    async with asyncio.timeout(5):
        await writable.wait()
    assert sock.getpeername() == listener.getsockname()
    assert loop.remove_writer(sock)
    sock.close()
    listener.close()


async def test_a_call_that_blocks_would_stop_the_loop(place: OverDevice):
    with (
        socket.socket() as sock,
        pytest.raises(Escaped, match="a call that blocks would stop the loop: make the socket non-blocking"),
    ):
        sock.connect((place.far, 1))
