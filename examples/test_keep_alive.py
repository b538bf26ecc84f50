"""The keep-alive race: the server closes an idle connection in the moment in which the client uses it again."""

from __future__ import annotations

import asyncio
from random import Random

import pytest

from lastack.aio import World

SERVER_IDLE = 5.0  # seconds after which the server closes a connection that nobody uses


async def serve() -> None:
    """Answers lines, and closes idle connections."""

    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while line := await asyncio.wait_for(reader.readline(), SERVER_IDLE):
                writer.write(line.upper())
        except TimeoutError:
            pass
        finally:
            writer.close()

    async with await asyncio.start_server(handle, port=80) as server:
        await server.serve_forever()


class Client:
    """Keeps its connection for the next request, as long as the server does."""

    keep = SERVER_IDLE

    def __init__(self) -> None:
        self.reader: asyncio.StreamReader | None = None
        self.writer: asyncio.StreamWriter | None = None
        self.used = 0.0

    async def request(self, line: bytes) -> bytes:
        """Send a line; the answer."""
        now = asyncio.get_running_loop().time()
        if self.reader is None or self.writer is None or self.reader.at_eof() or now - self.used > self.keep:
            self.close()
            self.reader, self.writer = await asyncio.open_connection("server", 80)
        self.writer.write(line)
        answer = await self.reader.readline()
        if not answer:
            raise ConnectionError("the server has closed the connection and has not answered")
        self.used = asyncio.get_running_loop().time()
        return answer

    def close(self) -> None:
        """Close the connection, if there is one."""
        if self.writer is not None:
            self.writer.close()


class MendedClient(Client):
    """Gives an idle connection up before the server does: sooner by more than a round trip can take."""

    keep = SERVER_IDLE - 1


async def browse(client: Client, chance: Random) -> None:
    """Requests, with time to read between them."""
    try:
        for _ in range(50):
            assert await client.request(b"page\n") == b"PAGE\n"
            await asyncio.sleep(chance.uniform(4, 6))
    finally:
        client.close()


@pytest.mark.lastack(latency=0.03, runs=5)
async def test_buggy(world: World) -> None:
    world.host("server", serve)
    await world.host("client").run(browse(Client(), world.random))


@pytest.mark.lastack(latency=0.03, runs=5)
async def test_mended(world: World) -> None:
    world.host("server", serve)
    await world.host("client").run(browse(MendedClient(), world.random))
