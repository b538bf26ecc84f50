"""Programs for the hosts of a world, and what asks them."""

from __future__ import annotations

import asyncio
import time
from typing import Any

from lastack.aio import World


async def echo() -> None:
    """Serves on port 80 what it is told."""

    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while data := await reader.read(65536):
            writer.write(data)
            await writer.drain()
        writer.close()

    async with await asyncio.start_server(handle, port=80) as server:
        await server.serve_forever()


async def sink() -> None:
    """Reads on port 80 until the end, and says how much it was."""

    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        size = 0
        while data := await reader.read(65536):
            size += len(data)
        writer.write(b"%d" % size)
        writer.close()

    async with await asyncio.start_server(handle, port=80) as server:
        await server.serve_forever()


async def ask(text: bytes = b"hello", host: str = "server") -> float:
    """Get an echo; the seconds that it took on an open connection."""
    reader, writer = await asyncio.open_connection(host, 80)
    try:
        began = time.monotonic()
        writer.write(text)
        assert await reader.readexactly(len(text)) == text
        return time.monotonic() - began
    finally:
        writer.close()
        await writer.wait_closed()


async def give(size: int, host: str = "server") -> float:
    """Send so many bytes to a `sink`; how long it took."""
    reader, writer = await asyncio.open_connection(host, 80)
    began = time.monotonic()
    for _ in range(size // 10_000):
        writer.write(bytes(10_000))
        await writer.drain()
    writer.write_eof()
    assert await reader.read() == b"%d" % size
    writer.close()
    return time.monotonic() - began


def world(main: Any = echo, **options: Any) -> World:
    made = World(**options)
    made.host("server", main)
    return made
