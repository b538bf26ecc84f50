"""`select` and `poll` for who asks them after sockets of ours."""

from __future__ import annotations

import asyncio
import os
import select
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from lastack.aio import Escaped, World

# These tests catch it on purpose.
pytestmark = pytest.mark.filterwarnings("ignore::lastack.aio.EscapedWarning")

Ask = Callable[[Any, float], bool]


async def serve() -> None:
    """Says something after a second, and closes after two."""

    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await asyncio.sleep(1)
        writer.write(b"hello")
        await asyncio.sleep(1)
        writer.close()

    async with await asyncio.start_server(handle, port=80) as server:
        await server.serve_forever()


def by_poll(sock: Any, timeout: float) -> bool:
    """Whether it can be read, as HTTP libraries ask."""
    asked = select.poll()
    asked.register(sock, select.POLLIN)
    return bool(asked.poll(timeout))


def by_select(sock: Any, timeout: float) -> bool:
    """The same by select."""
    return bool(select.select([sock], [], [], timeout)[0])


def run(main: Callable[[], Awaitable[None]]) -> None:
    world = World()
    world.host("server", serve)
    world.client("client", main)
    world.run()


@pytest.mark.parametrize("readable", [by_poll, by_select])
def test_data_and_the_end_are_seen_without_reading(readable: Ask):
    async def main() -> None:
        reader, writer = await asyncio.open_connection("server", 80)
        sock = writer.get_extra_info("socket")
        writer.transport.pause_reading()
        assert not readable(sock, 0)
        await asyncio.sleep(1.5)
        assert readable(sock, 0)
        writer.transport.resume_reading()
        assert await reader.readexactly(5) == b"hello"
        writer.transport.pause_reading()
        assert not readable(sock, 0)
        await asyncio.sleep(1)
        assert readable(sock, 0)
        writer.close()

    run(main)


@pytest.mark.parametrize("readable", [by_poll, by_select])
def test_who_would_wait_is_told(readable: Ask):
    async def main() -> None:
        _, writer = await asyncio.open_connection("server", 80)
        with pytest.raises(Escaped, match="blocks"):
            readable(writer.get_extra_info("socket"), 1)
        writer.close()

    run(main)


def test_files_of_the_machine_are_asked_for_beside_them():
    async def main() -> None:
        _, writer = await asyncio.open_connection("server", 80)
        sock = writer.get_extra_info("socket")
        inlet, outlet = os.pipe()
        asked = select.poll()
        asked.register(inlet, select.POLLIN)
        asked.register(sock, select.POLLIN)
        assert asked.poll(0) == []
        assert select.select([inlet, sock], [sock], [], 0) == ([], [sock], [])
        os.write(outlet, b"x")
        assert asked.poll(0) == [(inlet, select.POLLIN)]
        assert select.select([inlet, sock], [], [], 0) == ([inlet], [], [])
        asked.modify(sock, select.POLLOUT)
        asked.unregister(inlet)
        assert asked.poll(0) == [(sock.fileno(), select.POLLOUT)]
        asked.unregister(sock)
        with pytest.raises(FileNotFoundError):
            asked.modify(sock, select.POLLIN)
        os.close(inlet)
        os.close(outlet)
        writer.close()

    run(main)


def test_a_socket_that_is_closed_is_no_socket():
    async def main() -> None:
        _, writer = await asyncio.open_connection("server", 80)
        number = writer.get_extra_info("socket").fileno()
        writer.close()
        await writer.wait_closed()
        asked = select.poll()
        asked.register(number)
        assert asked.poll(0) == [(number, select.POLLNVAL)]
        with pytest.raises(OSError, match="Bad file descriptor"):
            select.select([number], [], [], 0)

    run(main)


def test_elsewhere_both_are_the_machine_s():
    before = select.poll, select.select
    run(lambda: asyncio.sleep(1))
    assert (select.poll, select.select) == before
