"""redis-py's asyncio client, and a small server that speaks enough RESP (version 3) for it."""

from __future__ import annotations

import asyncio
import contextlib
from collections import defaultdict
from typing import Any

from redis.asyncio import Redis

from tests.aio.libraries.programs import tls as certificates

LARGE = bytes(range(256)) * 1200


class Push(list[Any]):
    """What the server says without being asked."""


class Store:
    """What the server knows, and the commands that it takes."""

    def __init__(self) -> None:
        self.values: dict[bytes, bytes] = {}
        self.lists: defaultdict[bytes, asyncio.Queue[bytes]] = defaultdict(asyncio.Queue)
        self.hearers: defaultdict[bytes, list[asyncio.StreamWriter]] = defaultdict(list)

    async def answer(self, writer: asyncio.StreamWriter, name: bytes, *given: bytes) -> Any:
        """One command's answer, as a Python value."""
        match name.upper():
            case b"HELLO":
                return {b"server": b"small", b"version": b"7.0.0", b"proto": 3, b"id": 1, b"mode": b"standalone"}
            case b"PING":
                return "PONG"
            case b"CLIENT" | b"SELECT":
                return "OK"
            case b"SET":
                self.values[given[0]] = given[1]
                return "OK"
            case b"GET":
                return self.values.get(given[0])
            case b"INCRBY":
                number = int(self.values.get(given[0], b"0")) + int(given[1])
                self.values[given[0]] = b"%d" % number
                return number
            case b"RPUSH":
                self.lists[given[0]].put_nowait(given[1])
                return self.lists[given[0]].qsize()
            case b"BLPOP":
                return [given[0], await self.lists[given[0]].get()]
            case b"SUBSCRIBE":
                self.hearers[given[0]].append(writer)
                return Push([b"subscribe", given[0], 1])
            case b"UNSUBSCRIBE":
                for channel in given or tuple(self.hearers):
                    with contextlib.suppress(ValueError):
                        self.hearers[channel].remove(writer)
                return Push([b"unsubscribe", given[0] if given else None, 0])
            case b"PUBLISH":
                for hearer in self.hearers[given[0]]:
                    hearer.write(packed(Push([b"message", *given])))
                return len(self.hearers[given[0]])
        return ValueError(f"unknown command '{name.decode()}'")

    async def handle(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """One connection."""
        try:
            while line := await reader.readline():
                words = []
                for _ in range(int(line[1:])):
                    size = int((await reader.readline())[1:])
                    words.append((await reader.readexactly(size + 2))[:-2])
                writer.write(packed(await self.answer(writer, *words)))
                await writer.drain()
        except (ConnectionError, asyncio.IncompleteReadError):
            pass
        finally:
            writer.close()


def packed(value: Any) -> bytes:
    """A value as RESP 3 has it."""
    match value:
        case None:
            return b"_\r\n"
        case dict():
            return b"%%%d\r\n%s" % (len(value), b"".join(map(packed, (one for pair in value.items() for one in pair))))
        case Push():
            return b">%d\r\n%s" % (len(value), b"".join(map(packed, value)))
        case int():
            return b":%d\r\n" % value
        case str():
            return b"+%s\r\n" % value.encode()
        case bytes():
            return b"$%d\r\n%s\r\n" % (len(value), value)
        case list():
            return b"*%d\r\n%s" % (len(value), b"".join(map(packed, value)))
    return b"-ERR %s\r\n" % str(value).encode()


async def serve(host: str | None, port: int, tls: str | None = None) -> None:
    """A store of its own."""
    context = certificates.for_server(tls)
    async with await asyncio.start_server(Store().handle, host, port, ssl=context) as server:
        await server.serve_forever()


def client(host: str, port: int, tls: str | None = None, **more: Any) -> Redis:
    """A client of that server."""
    ca = f"{tls}/ca.pem" if tls else None
    return Redis(host=host, port=port, ssl=tls is not None, ssl_ca_certs=ca, protocol=3, **more)


async def talk(host: str, port: int, tls: str | None = None) -> None:
    """Values, a pipeline, one that waits for another, and what is told to all who listen."""
    async with client(host, port, tls) as asking:
        assert await asking.ping()
        await asking.set("large", LARGE)
        assert await asking.get("large") == LARGE
        async with asking.pipeline(transaction=False) as line:
            for _ in range(100):
                line.incr("count")
            assert await line.execute() == list(range(1, 101))
        waiting = asyncio.create_task(asking.blpop(["jobs"]))
        await asyncio.sleep(0.1)
        await asking.rpush("jobs", "one")
        assert await waiting in ([b"jobs", b"one"], (b"jobs", b"one"))
        async with asking.pubsub(ignore_subscribe_messages=True) as heard:
            await heard.subscribe("news")
            await heard.get_message(timeout=1)
            assert await asking.publish("news", "hello") == 1
            message = await heard.get_message(timeout=10)
            assert message is not None
            assert message["data"] == b"hello"
