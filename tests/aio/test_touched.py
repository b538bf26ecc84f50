"""The world asks only the hosts of which something was called: nobody is forgotten."""

from __future__ import annotations

import asyncio
import random
import socket
from typing import Any

import pytest

from lastack.aio import World
from lastack.sim.node import Node


class NobodyForgotten:
    """A checker: who was not called has nothing to send, nothing to tell, and is due when it said so."""

    def check(self, world: Any, touched: Any) -> None:
        """After each event."""
        for node in world.nodes.values():
            if node.host is not None and node not in world._stirred:
                assert node.host.transmit(world.now) == []
                assert node.host.ready() == []
                self.due(world, node)

    def due(self, world: Any, node: Node) -> None:
        """Its deadline is known, unless it is to be asked anyway."""
        if node not in world._deadlines.changed:
            assert node.host.deadline() == node.due


async def answer() -> None:
    """Gives three times what it gets."""

    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while data := await reader.read(5000):
                writer.write(data * 3)
                await writer.drain()
        except OSError:
            pass
        writer.close()

    async with await asyncio.start_server(handle, port=80) as server:
        await server.serve_forever()


async def ask() -> None:
    """Opens, sends and closes in all ways."""
    for _ in range(12):
        try:
            async with asyncio.timeout(4):
                reader, writer = await asyncio.open_connection(random.choice(("a", "b")), 80)
                writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
                writer.write(random.randbytes(random.randrange(1, 40_000)))
                if random.random() < 0.5:
                    writer.write_eof()
                await reader.read(random.randrange(1, 100_000))
                writer.close() if random.random() < 0.5 else writer.transport.abort()
        except (OSError, TimeoutError):
            pass
        await asyncio.sleep(random.random())


async def trouble(world: World) -> None:
    """Crashes, kills and partitions."""
    for _ in range(6):
        await asyncio.sleep(1)
        name, what = world.random.choice("ab"), world.random.randrange(3)
        if what == 2:
            world.partition(name, "c")
            await asyncio.sleep(0.7)
            world.repair(name, "c")
            continue
        (world.crash, world.kill)[what](name)
        await asyncio.sleep(0.5)
        world.bounce(name, keep_kernel=bool(what))


def run(seed: int, *, told: bool) -> tuple[int, str]:
    world = World(seed)
    world.sim._told = told
    if told:
        world.sim.checkers.append(NobodyForgotten())
    trace = world.trace_hash()
    for name in "ab":
        world.host(name, answer)
    for name in "cd":
        world.client(name, ask)
        for server in "ab":
            world.loss(name, server, 0.03)
            world.latency(name, server, 0.01, 0.02)
    world.run(trouble(world))
    return world.sim.events, trace.hexdigest()


@pytest.mark.parametrize("seed", range(2))
def test_who_asks_only_those_that_were_called_sees_the_same(seed: int):
    assert run(seed, told=True) == run(seed, told=False)
