"""asyncpg, and a small server that speaks enough of PostgreSQL's protocol (version 3) for one query."""

from __future__ import annotations

import asyncio
import contextlib
import ssl
from struct import pack, unpack
from typing import Any

import asyncpg

from tests.aio.libraries.programs import tls as certificates

LARGE = bytes(range(256)) * 1200
DOUBLED = "SELECT $1::int4 * 2"
_INT4 = 23
_SSL_REQUEST = 80877103


def message(kind: bytes, body: bytes = b"") -> bytes:
    """One message as either side sends it."""
    return kind + pack("!i", len(body) + 4) + body


# What each message is answered by; Bind is looked into.
_ANSWERS = {
    b"P": message(b"1"),
    b"D": message(b"t", pack("!hi", 1, _INT4))
    + message(b"T", pack("!h", 1) + b"doubled\0" + pack("!ihihih", 0, 0, _INT4, 4, -1, 0)),
    b"C": message(b"3"),
    b"S": message(b"Z", b"I"),
    b"Q": message(b"C", b"RESET\0") + message(b"Z", b"I"),
}


def parameter(bind: bytes) -> int:
    """The one parameter of a Bind message, an int4 in binary."""
    rest = bind.split(b"\0", 2)[2]  # behind the names of portal and statement
    formats = unpack("!h", rest[:2])[0]
    start = 2 + 2 * formats + 2
    size, value = unpack("!ii", rest[start : start + 8])
    assert size == 4
    return int(value)


class Server:
    """Doubles numbers, with TLS for who asks for it if there is a `context`."""

    def __init__(self, context: ssl.SSLContext | None) -> None:
        self.context = context

    async def handle(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """One connection."""
        try:
            await self._greet(reader, writer)
            value = 0
            while (kind := await reader.readexactly(1)) != b"X":
                body = await reader.readexactly(unpack("!i", await reader.readexactly(4))[0] - 4)
                if kind == b"B":
                    value = parameter(body)
                    writer.write(message(b"2"))
                elif kind == b"E":
                    writer.write(message(b"D", pack("!hii", 1, 4, value * 2)) + message(b"C", b"SELECT 1\0"))
                else:
                    writer.write(_ANSWERS.get(kind, b""))
        except (ConnectionError, asyncio.IncompleteReadError):
            pass
        finally:
            writer.close()

    async def _greet(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        size, version = unpack("!ii", await reader.readexactly(8))
        if version == _SSL_REQUEST:
            writer.write(b"N" if self.context is None else b"S")
            if self.context is not None:
                await writer.start_tls(self.context)
            size, version = unpack("!ii", await reader.readexactly(8))
        await reader.readexactly(size - 8)
        settings = {"server_version": "15.0", "client_encoding": "UTF8", "standard_conforming_strings": "on"}
        told = b"".join(message(b"S", f"{name}\0{value}\0".encode()) for name, value in settings.items())
        writer.write(message(b"R", pack("!i", 0)) + told + message(b"K", pack("!ii", 1, 1)) + message(b"Z", b"I"))


async def serve(host: str | None, port: int, tls: str | None = None) -> None:
    """Whoever comes."""
    async with await asyncio.start_server(Server(certificates.for_server(tls)).handle, host, port) as server:
        await server.serve_forever()


def pool(host: str, port: int, tls: str | None = None, **more: Any) -> Any:
    """A pool of connections to that server."""
    context = certificates.for_client(tls)
    login = {"user": "postgres", "password": "secret", "database": "postgres"}
    return asyncpg.create_pool(host=host, port=port, ssl=context or False, min_size=2, max_size=5, **login, **more)


async def talk(host: str, port: int, tls: str | None = None) -> None:
    """One query after another, and many at once."""
    async with pool(host, port, tls) as connections:
        assert [await connections.fetchval(DOUBLED, number) for number in range(5)] == [0, 2, 4, 6, 8]
        many = await asyncio.gather(*(connections.fetchval(DOUBLED, number) for number in range(20)))
        assert many == [2 * number for number in range(20)]


async def talk_sql(host: str, port: int, tls: str | None = None) -> None:
    """What a real PostgreSQL can do besides: large values, COPY, cursors, notifications, and a query cancelled."""
    while True:
        with contextlib.suppress(asyncpg.CannotConnectNowError):  # it listens before it is ready
            await talk(host, port, tls)
            break
        await asyncio.sleep(0.05)
    async with pool(host, port, tls) as connections, connections.acquire() as one, connections.acquire() as other:
        assert await one.fetchval("SELECT $1::bytea", LARGE) == LARGE
        await one.execute("CREATE TEMPORARY TABLE numbers (number int4)")
        await one.copy_records_to_table("numbers", records=[(number,) for number in range(20_000)])
        async with one.transaction():
            assert sum([row["number"] async for row in one.cursor("SELECT number FROM numbers")]) == 199_990_000
        heard: asyncio.Queue[Any] = asyncio.Queue()
        await one.add_listener("news", lambda *told: heard.put_nowait(told[-1]))
        await other.execute("NOTIFY news, 'hello'")
        assert await asyncio.wait_for(heard.get(), 10) == "hello"
        await one.reset()
        with contextlib.suppress(TimeoutError):
            await other.fetchval("SELECT pg_sleep(60)", timeout=0.2)
            raise AssertionError("a minute in no time")
        assert await other.fetchval("SELECT 1") == 1
