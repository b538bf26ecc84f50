"""Forty milliseconds from nowhere: Nagle's algorithm waits for an ACK, and the ACK waits for a timer."""

from __future__ import annotations

import asyncio
import socket
from contextlib import suppress

import pytest

from lastack.aio import World


async def serve() -> None:
    """Answers a message ("length\\n", then so many bytes) when all of it is there."""

    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(asyncio.IncompleteReadError):
            while line := await reader.readline():
                await reader.readexactly(int(line))
                writer.write(b"done\n")
        writer.close()

    async with await asyncio.start_server(handle, port=80) as server:
        await server.serve_forever()


def render() -> bytes:
    """What takes a moment, though not long."""
    return b"hello"


async def work(requests: int, *, mended: bool) -> float:
    """Requests over one connection, each in two pieces; how long the slowest took."""
    loop = asyncio.get_running_loop()
    slowest = 0.0
    with socket.socket() as sock:
        sock.setblocking(False)
        if mended:  # or send both pieces by one call; asyncio's transports set this by themselves
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        await loop.sock_connect(sock, ("server", 80))
        for _ in range(requests):
            began = loop.time()
            await loop.sock_sendall(sock, b"5\n")
            body = await asyncio.to_thread(render)
            await loop.sock_sendall(sock, body)
            assert await loop.sock_recv(sock, 100) == b"done\n"
            slowest = max(slowest, loop.time() - began)
            await asyncio.sleep(0.1)
    return slowest


async def measured(world: World, *, mended: bool) -> None:
    """On a path of a millisecond there and back, a request takes a millisecond or two."""
    world.host("server", serve)
    slowest = await world.host("client").run(work(30, mended=mended))
    assert slowest < 0.01, f"a request took {slowest * 1000:.1f} ms"


@pytest.mark.lastack(config="linux", runs=3)
async def test_buggy(world: World) -> None:
    await measured(world, mended=False)


@pytest.mark.lastack(config="linux", runs=3)
async def test_mended(world: World) -> None:
    await measured(world, mended=True)
