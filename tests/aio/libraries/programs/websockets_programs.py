"""websockets at both ends: texts, large messages in pieces, pings, and compression."""

from __future__ import annotations

import asyncio
from contextlib import suppress

from websockets.asyncio.client import ClientConnection, connect
from websockets.asyncio.server import ServerConnection
from websockets.asyncio.server import serve as listen
from websockets.exceptions import ConnectionClosed

from tests.aio.libraries.programs import tls as certificates

LARGE = bytes(range(256)) * 1200


async def chat(line: ServerConnection) -> None:
    """Texts in capitals, bytes as they are."""
    with suppress(ConnectionClosed):
        async for message in line:
            await line.send(message.upper() if isinstance(message, str) else message)


async def serve(host: str | None, port: int, tls: str | None = None) -> None:
    """Whoever comes."""
    async with listen(chat, host, port, ssl=certificates.for_server(tls), ping_interval=5, ping_timeout=5) as server:
        await server.serve_forever()


def dial(host: str, port: int, tls: str | None = None) -> connect:
    """A connection to that server; as an iterator, one after another."""
    place = f"{'wss' if tls else 'ws'}://{host}:{port}"
    return connect(place, ssl=certificates.for_client(tls), proxy=None, ping_interval=5, ping_timeout=5)


async def converse(line: ClientConnection) -> None:
    """Say all there is to say."""
    await line.send("hello")
    assert await line.recv() == "HELLO"
    await line.send(LARGE[start : start + 50_000] for start in range(0, len(LARGE), 50_000))  # in frames
    assert await line.recv() == LARGE
    await (await line.ping())


async def talk(host: str, port: int, tls: str | None = None) -> None:
    """One line, then five at once."""
    async with dial(host, port, tls) as line:
        await converse(line)

    async def one() -> None:
        async with dial(host, port, tls) as line:
            await converse(line)

    await asyncio.gather(*(one() for _ in range(5)))
