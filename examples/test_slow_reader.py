"""One reader that does not read holds up all the others: its window closes, and the server waits for it."""

from __future__ import annotations

import asyncio
from contextlib import suppress

import pytest

from lastack.aio import World

MESSAGE = bytes(10_000)
PATIENCE = 1.0  # for how long a subscriber may hold back, in seconds


class Hub:
    """Sends every subscriber ten messages a second."""

    def __init__(self) -> None:
        self.subscribers: list[asyncio.StreamWriter] = []

    async def serve(self) -> None:
        """Take subscribers in, and send."""
        async with await asyncio.start_server(self.join, port=80):
            while True:
                await asyncio.sleep(0.1)
                await self.send_all()

    async def join(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """A subscriber has come."""
        self.subscribers.append(writer)

    async def send_all(self) -> None:
        """One after the other, and wait for each, so that not too much gathers."""
        for writer in self.subscribers:
            writer.write(MESSAGE)
            await writer.drain()


class MendedHub(Hub):
    """Waits for a subscriber only for so long, and for none of them in turn."""

    async def send_all(self) -> None:
        """To all at once; who holds back for too long is cut off."""
        await asyncio.gather(*(self.send(writer) for writer in tuple(self.subscribers)))

    async def send(self, writer: asyncio.StreamWriter) -> None:
        """To one of them."""
        try:
            writer.write(MESSAGE)
            async with asyncio.timeout(PATIENCE):
                await writer.drain()
        except (TimeoutError, OSError):
            self.subscribers.remove(writer)
            writer.transport.abort()


class Subscriber:
    """Reads what comes, with pauses; and notices how long nothing came."""

    def __init__(self) -> None:
        self.longest = 0.0

    async def read(self, seconds: float) -> None:
        """For so long."""
        loop = asyncio.get_running_loop()
        reader, writer = await asyncio.open_connection("hub", 80)
        end = loop.time() + seconds
        try:
            while loop.time() < end:
                began = loop.time()
                with suppress(TimeoutError):
                    async with asyncio.timeout(end - began):
                        await reader.readexactly(len(MESSAGE))
                self.longest = max(self.longest, loop.time() - began)
        finally:
            writer.close()


async def forget() -> None:
    """A subscriber that hangs: it never reads."""
    _, writer = await asyncio.open_connection("hub", 80)
    try:
        await asyncio.sleep(3600)
    finally:
        writer.close()


async def fan_out(world: World, hub: Hub) -> None:
    """A minute with two subscribers, one of which hangs."""
    world.host("hub", hub.serve)
    world.host("hanging", forget)
    subscriber = Subscriber()
    await world.host("reading").run(subscriber.read(60))
    assert subscriber.longest < 3, f"nothing came for {subscriber.longest:.1f} s"


@pytest.mark.lastack(config="linux", runs=3)
async def test_buggy(world: World) -> None:
    await fan_out(world, Hub())


@pytest.mark.lastack(config="linux", runs=3)
async def test_mended(world: World) -> None:
    await fan_out(world, MendedHub())
