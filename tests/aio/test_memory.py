"""What a world holds, and that nothing of it is left once it is over."""

from __future__ import annotations

import asyncio
import gc
import tracemalloc
from collections import Counter

import pytest

from lastack.aio import World

_MODULES = ("lastack.", "asyncio", "_asyncio")


def of_worlds() -> Counter[str]:
    """How many objects there are of each class of ours, and of asyncio's."""
    gc.collect()
    kinds = map(type, gc.get_objects())
    return Counter(kind.__qualname__ for kind in kinds if str(kind.__module__).startswith(_MODULES))


def run(connections: int, crash: bool = False) -> float:
    """A world in which so many connections stand idle; the memory of each, where it is traced."""
    kept = []
    traced = []

    async def serve() -> None:
        async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            await reader.read()

        async with await asyncio.start_server(handle, port=80) as server:
            await server.serve_forever()

    async def hold() -> None:
        before = tracemalloc.get_traced_memory()[0]
        kept.extend([await asyncio.open_connection("server", 80) for _ in range(connections)])
        await asyncio.sleep(10)
        traced.append((tracemalloc.get_traced_memory()[0] - before) / connections)
        if crash:
            world.crash("server")
            kept[0][1].write(b"is anybody there?")
            await asyncio.sleep(10)

    world = World()
    world.host("server", serve)
    world.client("client", hold)
    world.run()
    return traced[0]


@pytest.mark.parametrize("crash", [False, True])
def test_a_world_that_is_over_leaves_nothing(crash: bool):
    run(2, crash)
    before = of_worlds()
    for _ in range(20):
        run(3, crash)
    assert of_worlds() - before == Counter()


@pytest.mark.slow
def test_an_idle_connection_is_small():
    """Both ends of it, with their streams, transports and tasks."""
    run(2)
    tracemalloc.start()
    try:
        assert run(200) < 64_000
    finally:
        tracemalloc.stop()


@pytest.mark.slow
def test_ten_thousand_connections_are_held_and_gone():
    run(2)
    before = of_worlds()
    run(10_000)
    assert of_worlds() - before == Counter()
