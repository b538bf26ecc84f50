"""Streams: reading up to something, the limit, back-pressure, and their end."""

from __future__ import annotations

import asyncio
import socket
import struct
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress

import pytest

from tests.aio.places import Place, until

Stream = tuple[asyncio.StreamReader, asyncio.StreamWriter]


@asynccontextmanager
async def streams(place: Place, *, near: bool = False, limit: int = 2**16) -> AsyncIterator[tuple[Stream, Stream]]:
    """Both ends of a connection; `near`: the near end serves. In the end all is closed."""
    taken: asyncio.Queue[Stream] = asyncio.Queue()
    listener = place.listener(near=near)
    server = await asyncio.start_server(lambda *stream: taken.put_nowait(stream), sock=listener, limit=limit)
    sock = place.far_socket() if near else place.near_socket()
    await asyncio.get_running_loop().sock_connect(sock, listener.getsockname())
    one = await asyncio.open_connection(sock=sock, limit=limit)
    other = await taken.get()
    server.close()
    try:
        yield (other, one) if near else (one, other)
    finally:
        for _, writer in (one, other):
            writer.close()
        for _, writer in (one, other):
            with suppress(ConnectionError):
                await writer.wait_closed()
            await asyncio.sleep(0)


async def test_reading_in_all_ways(place: Place, near: bool):
    async with streams(place, near=near) as ((reader, _), (_, writer)):
        writer.write(b"first line\nsecond\r\nthe rest|exactly and more")
        assert await reader.readline() == b"first line\n"
        assert await reader.readuntil(b"\r\n") == b"second\r\n"
        assert await reader.readuntil(b"|") == b"the rest|"
        assert await reader.readexactly(7) == b"exactly"
        assert await reader.readexactly(0) == b""
        assert await reader.read(4) == b" and"
        assert await reader.read(0) == b""
        writer.write_eof()
        assert await reader.read() == b" more"
        assert reader.at_eof()
        assert await reader.read(10) == b""
        assert await reader.readline() == b""


async def test_lines_one_by_one(place: Place, near: bool):
    async with streams(place, near=near) as ((reader, _), (_, writer)):
        writer.writelines([b"one\n", b"two\n", b"without end"])
        writer.write_eof()
        assert [line async for line in reader] == [b"one\n", b"two\n", b"without end"]


async def test_the_end_comes_too_soon(place: Place, near: bool):
    async with streams(place, near=near) as ((reader, _), (_, writer)):
        writer.write(b"half")
        writer.write_eof()
        with pytest.raises(asyncio.IncompleteReadError) as caught:
            await reader.readexactly(8)
        assert (caught.value.partial, caught.value.expected) == (b"half", 8)
        with pytest.raises(asyncio.IncompleteReadError) as caught:
            await reader.readuntil(b"\n")
        assert caught.value.partial == b""


async def test_more_than_the_limit(place: Place, near: bool):
    async with streams(place, near=near, limit=64) as ((reader, _), (_, writer)):
        writer.write(b"x" * 100 + b"\n" + b"y" * 10 + b"\n")
        with pytest.raises(asyncio.LimitOverrunError) as caught:
            await reader.readuntil(b"\n")
        assert caught.value.consumed == 100
        assert await reader.readexactly(90) == b"x" * 90
        assert await reader.readline() == b"x" * 10 + b"\n"
        writer.write(b"z" * 300 + b"\n")
        with pytest.raises(ValueError, match="limit"):
            await anext(line async for line in reader if not line)
        writer.close()
        await reader.read()


async def test_a_reset_is_raised_to_the_reader(place: Place, near: bool):
    async with streams(place, near=near) as ((reader, _), (_, writer)):
        waiting = asyncio.create_task(reader.read(10))
        await asyncio.sleep(0.01)
        writer.transport.get_extra_info("socket").setsockopt(
            socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0)
        )
        writer.transport.abort()
        with pytest.raises(ConnectionResetError):
            await waiting
        with pytest.raises(ConnectionResetError):
            await reader.read(10)


async def test_drain_waits_for_a_slow_reader(place: Place, near: bool):
    async with streams(place, near=near) as ((_, writer), (reader, other)):
        writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 50_000)
        other.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 50_000)
        sent = 0

        async def write() -> None:
            nonlocal sent
            for _ in range(100):
                writer.write(bytes(20_000))
                await writer.drain()
                sent += 20_000

        task = asyncio.create_task(write())
        await asyncio.sleep(0.3)
        assert not task.done()
        stopped = sent
        await asyncio.sleep(0.1)
        assert sent == stopped  # it waits for the reader, whatever time passes
        assert writer.transport.get_write_buffer_size() <= 65536 + 20_000
        read = 0
        while read < 100 * 20_000:
            read += len(await reader.readexactly(20_000))
        await task
        assert sent == read


async def test_drain_after_the_end(place: Place, near: bool):
    async with streams(place, near=near) as ((_, writer), (_, other)):
        other.close()
        await other.wait_closed()

        async def write() -> None:
            while True:
                writer.write(b"is anybody there?")
                await writer.drain()
                await asyncio.sleep(0.01)

        with pytest.raises(ConnectionError):
            await write()
        assert writer.is_closing()


async def test_a_handler_that_fails_is_told_of(place: Place):
    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.close()
        raise ValueError("on purpose")

    loop = asyncio.get_running_loop()
    told: list[dict[str, object]] = []
    before = loop.get_exception_handler()
    loop.set_exception_handler(lambda _, context: told.append(context))
    server = await asyncio.start_server(handle, sock=(listener := place.listener(near=False)))
    reader, writer = await asyncio.open_connection(*listener.getsockname())
    assert await reader.read() == b""
    await until(lambda: told)
    assert isinstance(told[0]["exception"], ValueError)
    told.clear()
    loop.set_exception_handler(before)
    writer.close()
    server.close()
