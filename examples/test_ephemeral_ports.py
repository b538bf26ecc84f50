"""A client that runs out of ports: it closes first, so each connection stays in TIME-WAIT for a minute at its side."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import closing
from dataclasses import replace

import pytest

from lastack.aio import World
from lastack.tcp.presets import LINUX

# Linux has 28,232 ephemeral ports, which last for 470 connections a second. With 64 one a second is too much.
CONFIG = replace(LINUX, ephemeral_first=50_000, ephemeral_last=50_063)


async def serve() -> None:
    """Answers lines until the client closes."""

    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while line := await reader.readline():
            writer.write(line.upper())
        writer.close()

    async with await asyncio.start_server(handle, port=80) as server:
        await server.serve_forever()


async def each_by_itself(requests: int, pause: float) -> None:
    """A new connection for each request."""
    for _ in range(requests):
        reader, writer = await asyncio.open_connection("server", 80)
        with closing(writer):
            writer.write(b"hello\n")
            assert await reader.readline() == b"HELLO\n"
        await asyncio.sleep(pause)


async def all_by_one(requests: int, pause: float) -> None:
    """One connection for all of them."""
    reader, writer = await asyncio.open_connection("server", 80)
    with closing(writer):
        for _ in range(requests):
            writer.write(b"hello\n")
            assert await reader.readline() == b"HELLO\n"
            await asyncio.sleep(pause)


async def work(world: World, way: Callable[[int, float], Awaitable[None]]) -> None:
    """A hundred requests and more, one or two a second."""
    world.host("server", serve)
    await world.host("client", config=CONFIG).run(way(150, world.random.uniform(0.5, 0.8)))


@pytest.mark.lastack(runs=3)
async def test_buggy(world: World) -> None:
    await work(world, each_by_itself)


@pytest.mark.lastack(runs=3)
async def test_mended(world: World) -> None:
    await work(world, all_by_one)
