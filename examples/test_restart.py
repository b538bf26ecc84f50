"""A restart that fails with "address already in use": connections of the program before it are not over."""

from __future__ import annotations

import asyncio
import socket
from contextlib import closing, suppress
from functools import partial

import pytest

from lastack.aio import World


async def serve(*, mended: bool) -> None:
    """A server that makes its socket itself, as who wants to choose the backlog does."""

    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(OSError):
            while line := await reader.readline():
                writer.write(line.upper())
        writer.close()

    sock = socket.socket()
    sock.setblocking(False)
    if mended:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    sock.bind(("", 80))
    async with await asyncio.start_server(handle, sock=sock, backlog=500) as server:
        await server.serve_forever()


async def work() -> None:
    """Requests for five minutes, again and again where the server is away."""
    loop = asyncio.get_running_loop()
    while loop.time() < 300:
        with suppress(OSError):
            reader, writer = await asyncio.open_connection("server", 80)
            with closing(writer):
                for _ in range(10):
                    writer.write(b"hello\n")
                    if await reader.readline() != b"HELLO\n":
                        break
                    await asyncio.sleep(0.5)
        await asyncio.sleep(0.5)


async def restarted(world: World, *, mended: bool) -> None:
    """A server whose program is killed about once a minute, and begun anew."""
    world.host("server", partial(serve, mended=mended))
    world.chaos(loss=0.005, restart_every=60, restart_for=2, lasts=300)
    await world.host("client").run(work())


@pytest.mark.lastack(runs=5)
async def test_buggy(world: World) -> None:
    await restarted(world, mended=False)


@pytest.mark.lastack(runs=5)
async def test_mended(world: World) -> None:
    await restarted(world, mended=True)
