"""A subscriber that hangs for ever: its peer has lost power, and who only listens is told by nobody."""

from __future__ import annotations

import asyncio
import socket
from contextlib import suppress

import pytest

from lastack.aio import World


async def publish() -> None:
    """Sends the time to every subscriber, twice a minute."""

    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(OSError):
            while not writer.is_closing():
                writer.write(b"news\n")
                await asyncio.sleep(30)
        writer.close()

    async with await asyncio.start_server(handle, port=80) as server:
        await server.serve_forever()


class Subscriber:
    """Listens, and connects anew when its connection ends."""

    def __init__(self) -> None:
        self.latest = 0.0  # when the last news came

    def prepare(self, sock: socket.socket) -> None:
        """The options of a new connection."""

    async def listen(self) -> None:
        """Listen for ever."""
        loop = asyncio.get_running_loop()
        while True:
            with suppress(OSError):
                reader, writer = await asyncio.open_connection("server", 80)
                try:
                    self.prepare(writer.get_extra_info("socket"))
                    while await reader.readline():
                        self.latest = loop.time()
                finally:
                    writer.close()
            await asyncio.sleep(1)


class MendedSubscriber(Subscriber):
    """Asks a silent peer whether it is still there."""

    def prepare(self, sock: socket.socket) -> None:
        """After 10 s of silence a probe, then one every 5 s; three without an answer end the connection."""
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPIDLE, 10)
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPINTVL, 5)
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPCNT, 3)


async def follow(world: World, subscriber: Subscriber) -> None:
    """Ten minutes with faults, two without; then there must be news again."""
    world.host("server", publish)
    world.chaos(loss=0.01, crash_every=150, crash_for=10, lasts=600)
    task = world.host("client").run(subscriber.listen())
    await asyncio.sleep(720)
    silent = world.now - subscriber.latest
    task.cancel()
    assert silent < 60, f"no news for {silent:.0f} s"


@pytest.mark.lastack(runs=5)
async def test_buggy(world: World) -> None:
    await follow(world, Subscriber())


@pytest.mark.lastack(runs=5)
async def test_mended(world: World) -> None:
    await follow(world, MendedSubscriber())
