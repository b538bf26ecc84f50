"""An answer that is lost: close() meets data that nobody has read, so TCP resets the connection (RFC 2525 2.17)."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import suppress

import pytest

from lastack.aio import World

LIMIT = 5_000
CHUNK = 1_000

Handle = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Takes an upload ("length\\n", then so many bytes), or says that it is too large."""
    length = int(await reader.readline())
    await asyncio.sleep(0.02)  # asks who that is
    if length > LIMIT:
        writer.write(b"too large\n")
    else:
        await reader.readexactly(length)
        writer.write(b"thank you\n")
    writer.close()


async def handle_mended(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Says that it is done, and reads what still comes before it closes."""
    length = int(await reader.readline())
    await asyncio.sleep(0.02)
    if length > LIMIT:
        writer.write(b"too large\n")
        writer.write_eof()
        with suppress(TimeoutError):
            async with asyncio.timeout(30):
                while await reader.read(CHUNK):
                    pass
    else:
        await reader.readexactly(length)
        writer.write(b"thank you\n")
    writer.close()


async def upload(size: int) -> bytes:
    """Send so many bytes; what the server says."""
    reader, writer = await asyncio.open_connection("server", 80)
    try:
        writer.write(b"%d\n" % size)
        for begin in range(0, size, CHUNK):
            writer.write(bytes(min(CHUNK, size - begin)))
            await writer.drain()
            await asyncio.sleep(0.005)  # reads the next piece
        return await reader.readline()
    finally:
        writer.close()


async def uploads(world: World, handle: Handle) -> None:
    """Some small ones, and some that are too large."""

    async def serve() -> None:
        async with await asyncio.start_server(handle, port=80, limit=CHUNK) as server:
            await server.serve_forever()

    world.host("server", serve)
    client = world.host("client")
    for _ in range(10):
        size = world.random.randrange(2 * LIMIT)
        answer = await client.run(upload(size))
        assert answer == (b"too large\n" if size > LIMIT else b"thank you\n")


@pytest.mark.lastack(latency=0.01, runs=5)
async def test_buggy(world: World) -> None:
    await uploads(world, handle)


@pytest.mark.lastack(latency=0.01, runs=5)
async def test_mended(world: World) -> None:
    await uploads(world, handle_mended)
