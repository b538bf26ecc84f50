"""What goes wrong by chance: from the seed alone, each fault under a name by which it can be left out."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from contextlib import closing, suppress
from typing import Any

import pytest

from lastack.aio import World
from lastack.aio.shrinking import kind


async def serve() -> None:
    """Lines in capitals, until somebody or something ends it."""

    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(OSError):
            while line := await reader.readline():
                writer.write(line.upper())
        writer.close()

    async with await asyncio.start_server(handle, port=80) as server:
        await server.serve_forever()


async def persistent(world: World, lines: int) -> None:
    """Ask the server until it has answered so often, whatever comes between."""
    got = 0
    while got < lines:
        with suppress(OSError):
            async with asyncio.timeout(3):
                reader, writer = await asyncio.open_connection("server", 80)
            with closing(writer):
                while got < lines:
                    writer.write(b"hello\n")
                    async with asyncio.timeout(3):
                        if await reader.readline() != b"HELLO\n":
                            break
                    got += 1
                    await asyncio.sleep(0.5)
        await asyncio.sleep(0.1)


def run(seed: int, only: Sequence[str] | None = None, **faults: Any) -> tuple[World, str]:
    """The world when it is over, and the notes of what happened in it."""
    world = World(seed, only=only)
    world.host("server", serve)
    world.client("client", lambda: persistent(world, 100))
    world.chaos(**faults)
    timeline = world.timeline()
    trace = world.trace_hash()
    world.run()
    return world, world.ladder(timeline, "client", "server") + trace.hexdigest()


EVERYTHING = {"loss": 0.02, "late": 0.02, "double": 0.02, "jitter": 0.01, "partition_every": 20, "crash_every": 30}


def test_one_seed_is_one_course_of_things():
    world, told = run(3, **EVERYTHING, restart_every=20)
    taken = world.decisions.taken
    assert {kind(name) for name in taken} == {"loss", "late", "double", "jitter", "partition", "crash", "restart"}
    assert "partition client-server #1" in " ".join(taken) + " " + told
    assert run(3, **EVERYTHING, restart_every=20)[1] == told
    assert run(4, **EVERYTHING, restart_every=20)[1] != told


@pytest.mark.parametrize("what", ["loss", "late", "double", "jitter", "partition", "crash", "restart"])
def test_what_is_left_out_does_not_happen_and_the_rest_does(what: str):
    faults = {**EVERYTHING, "restart_every": 20}
    kept = [name for name in run(3, **faults)[0].decisions.taken if kind(name) != what]
    happened = run(3, kept, **faults)[0].decisions.taken
    assert happened
    assert set(happened) <= set(kept)


def test_nothing_happens_that_is_not_asked_for():
    world, told = run(3)
    assert world.decisions.taken == []
    world = World(3)
    world.host("server", serve)
    world.client("client", lambda: persistent(world, 100))
    trace = world.trace_hash()
    world.run()
    assert told.endswith(trace.hexdigest())


def test_partitions_end_and_hosts_begin_anew():
    world, told = run(3, partition_every=20, partition_for=10, crash_every=30, lasts=100)
    assert told.count(": nothing passes") == told.count(": repaired") > 1
    assert told.count("begins anew") > 1
    assert "X partition #1" in told
    assert world.computers["server"].kernel is not None


def test_it_is_over_when_it_is_over():
    world, told = run(3, loss=1.0, lasts=30)
    assert "the faults are over" in told
    assert world.now > 30
    assert not world.sim.path("client", "server").pipeline.lost
    assert [rule.name for rule in world.sim.path("client", "server").pipeline.rules] == ["latency"]


def test_two_kinds_of_weather_have_each_their_own_luck():
    async def main() -> None:
        world.chaos(loss=0.5, between=[("client", "server")], lasts=20)
        world.chaos(loss=0.5, between=[("client", "server")], lasts=20)
        await asyncio.sleep(30)

    world = World(1)
    world.host("server", serve)
    world.host("client", lambda: persistent(world, 20))
    world.run(main())
    numbers = {name.replace("2.", "") for name in world.decisions.taken}
    assert len(numbers) > len(world.decisions.taken) / 2
    assert any("loss 2.client>server" in name for name in world.decisions.taken)


@pytest.mark.parametrize("faults", [{"loss": 2}, {"double": -1}, {"lasts": -1}, {"partition_every": -1}])
def test_what_makes_no_sense_is_said(faults: dict[str, float]):
    with pytest.raises(ValueError, match=next(iter(faults))):
        World().chaos(**faults)


@pytest.mark.parametrize("host_first", [True, False])
def test_who_comes_later_meets_the_same_luck(host_first: bool):
    async def main() -> None:
        if host_first:
            world.host("server", serve)
        world.chaos(loss=1)
        if not host_first:
            world.host("server", serve)
        async with asyncio.timeout(10):
            await world.host("client").run(asyncio.open_connection("server", 80))

    world = World()
    with pytest.raises(TimeoutError):
        world.run(main())


def test_who_comes_after_the_faults_meets_none():
    async def main() -> None:
        world.chaos(loss=1, lasts=1)
        await asyncio.sleep(2)
        world.host("server", serve)
        await persistent(world, 1)

    world = World()
    world.run(main())


def test_a_server_that_comes_later_crashes_too():
    begun = []

    async def main() -> None:
        world.chaos(crash_every=5, crash_for=1)
        await asyncio.sleep(7)
        world.host("server", again)
        await asyncio.sleep(60)

    async def again() -> None:
        begun.append(world.now)
        await serve()

    world = World()
    world.run(main())
    assert len(begun) > 5
