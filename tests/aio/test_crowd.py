"""Ten thousand connections at once, and readers that are slower than those who write to them."""

from __future__ import annotations

import asyncio
import time

import pytest

from lastack.aio import World
from lastack.device.socket_table import rows_of
from lastack.tcp.states import State

COUNT = 10_000


def states(world: World) -> set[State | None]:
    """Those of all connections in a world."""
    kernels = [computer.kernel for computer in world.computers.values()]
    return {row.state for kernel in kernels for row in rows_of(kernel, world.sim.now)}


@pytest.mark.slow
def test_ten_thousand_connections_at_once(capsys: pytest.CaptureFixture[str]):
    """All are open at one moment; then each is asked and answered, and all end."""
    open_now, most, served = 0, 0, 0
    full = asyncio.Event()

    async def serve() -> None:
        async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            nonlocal open_now, most, served
            open_now += 1
            most = max(most, open_now)
            while line := await reader.readline():
                writer.write(line.upper())
                served += 1
            writer.close()
            await writer.wait_closed()
            open_now -= 1

        async with await asyncio.start_server(handle, port=80, backlog=4096) as server:
            await server.serve_forever()

    async def ask(number: int) -> None:
        reader, writer = await asyncio.open_connection("server", 80)
        await full.wait()
        writer.write(b"number %d\n" % number)
        assert await reader.readline() == b"NUMBER %d\n" % number
        writer.close()
        await writer.wait_closed()

    async def look() -> None:
        while most < COUNT:
            await asyncio.sleep(0.01)
        full.set()

    async def main() -> None:
        before = asyncio.all_tasks()
        looking = asyncio.create_task(look())
        await asyncio.gather(*(ask(number) for number in range(COUNT)))
        await looking
        while open_now:
            await asyncio.sleep(0.01)
        await asyncio.sleep(1)
        assert asyncio.all_tasks() == before
        assert states(world) == {State.LISTEN, State.TIME_WAIT}
        assert len(tuple(world.selector.owners())) == 2  # the listeners, for IPv4 and IPv6

    world = World(seed=1)
    world.host("server", serve)
    began = time.perf_counter()
    world.run(main())
    took = time.perf_counter() - began
    assert (most, served) == (COUNT, COUNT)
    with capsys.disabled():
        print(f"\n{COUNT:,} connections at once: {took:.1f} s, {took / COUNT * 1e6:.0f} us each", end=" ")


def test_a_slow_reader_bounds_what_is_kept():
    """Whoever writes is told to wait; no buffer on the way holds more than it may."""
    seen: dict[str, int] = {"transport": 0, "send": 0, "receive": 0, "stream": 0}
    limit = 32_768

    async def serve() -> None:
        async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            for _ in range(300):
                writer.write(bytes(16_384))
                await writer.drain()
                seen["transport"] = max(seen["transport"], writer.transport.get_write_buffer_size())
            writer.close()

        async with await asyncio.start_server(handle, port=80) as server:
            await server.serve_forever()

    async def main() -> None:
        reader, writer = await asyncio.open_connection("server", 80, limit=limit)
        read = 0
        while data := await reader.read(16_384):
            read += len(data)
            seen["stream"] = max(seen["stream"], len(reader._buffer))  # type: ignore[attr-defined]
            for name, kernel in (("send", world["server"].kernel), ("receive", world["localhost"].kernel)):
                for tcb in kernel.connections():
                    seen[name] = max(seen[name], getattr(tcb, f"{name}_buffer").length)
            await asyncio.sleep(1)
        assert read == 300 * 16_384
        writer.close()

    world = World()
    world.host("server", serve)
    config = world["server"].kernel.config
    world.run(main())
    assert 0 < seen["transport"] <= 65_536 + 16_384  # asyncio's high-water mark
    assert 0 < seen["send"] <= config.send_buffer
    assert 0 < seen["receive"] <= config.receive_buffer
    assert 0 < seen["stream"] <= 2 * limit + 262_144  # what a transport reads at once comes on top
    assert world.now > 250


def test_a_reader_that_never_reads_stops_its_writer_alone():
    """A zero window: what others are told goes on."""
    got = 0

    async def serve() -> None:
        async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            while True:
                writer.write(bytes(65_536))
                await writer.drain()

        async with await asyncio.start_server(handle, port=80) as server:
            await server.serve_forever()

    async def read() -> None:
        nonlocal got
        reader, writer = await asyncio.open_connection("server", 80)
        while got < 1_000_000:
            got += len(await reader.read(65_536))
        writer.transport.abort()

    async def main() -> None:
        _, deaf = await asyncio.open_connection("server", 80, limit=1000)
        await asyncio.sleep(100)
        before = world.sim.network.counters["sent"]
        await asyncio.sleep(1000)
        assert world.sim.network.counters["sent"] - before < 200  # but for probes of the window nothing is sent
        await read()
        deaf.transport.abort()

    world = World()
    world.host("server", serve)
    world.run(main())
    assert got >= 1_000_000
