"""Garbage has a say in a run, and is collected at the same moments of each."""

from __future__ import annotations

import asyncio
import gc
import subprocess
import sys
import warnings
import weakref
from collections.abc import Iterator
from pathlib import Path

import pytest

from lastack.aio import World, WorldStuck, garbage


@pytest.fixture(autouse=True)
def as_it_was() -> Iterator[None]:
    """How Python collects is the process's, and so is how many worlds are over."""
    threshold = gc.get_threshold()
    gc.collect()
    garbage._Held.worlds = garbage._WORLDS
    yield
    gc.set_threshold(*threshold)
    gc.enable()


async def serve(ended: list[float]) -> None:
    """Notes when a connection ends."""

    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read()
        ended.append(asyncio.get_running_loop().time())
        writer.close()

    async with await asyncio.start_server(handle, port=80) as server:
        await server.serve_forever()


def run() -> tuple[list[float], str]:
    """Connections that are dropped without a word, and then many turns: when they ended, and the trace."""
    ended: list[float] = []

    async def drop() -> None:
        for _ in range(20):
            _, writer = await asyncio.open_connection("server", 80)
            writer.write(b"hello")
            writer.me = writer  # type: ignore[attr-defined]
            await asyncio.sleep(0.01)
        del writer
        for _ in range(1000):
            await asyncio.sleep(0.001)

    world = World()
    trace = world.trace_hash()
    world.host("server", lambda: serve(ended))
    world.client("client", drop)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ResourceWarning)
        world.run(asyncio.sleep(2))
    return ended, trace.hexdigest()


def test_it_is_collected_at_the_same_moments(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(garbage, "_TURNS", 20)
    first = run()
    assert len(first[0]) == 20
    assert len(set(first[0])) > 2  # several collections
    gc.set_threshold(1, 1, 1)
    assert run() == first
    gc.set_threshold(100_000)
    assert run() == first
    gc.disable()
    assert run() == first
    assert not gc.isenabled()


def test_what_was_there_before_is_left_alone():
    """Also by the end of the world, which looks for what the world has left; once it is over nothing is left out."""

    class Thing:
        def __del__(self) -> None:
            died.append(world.now)

    died: list[float] = []
    world = World()
    gc.disable()
    thing = Thing()
    thing.me = thing  # type: ignore[attr-defined]
    del thing

    async def main() -> None:
        gc.collect()
        assert not died

    world.run(main())
    assert not died
    gc.collect()
    assert died == [0]


def after_worlds(keep: bool = False) -> list[weakref.ref[World]]:
    """Those of many worlds, of which somebody keeps each or none."""
    kept = []
    worlds = []
    for _ in range(40):
        world = World()
        world.run(asyncio.sleep(1))
        kept.append(world if keep else None)
        worlds.append(weakref.ref(world))
    assert sum(one is not None for one in kept) == 40 * keep
    return worlds


def test_worlds_that_are_over_do_not_pile_up():
    assert sum(one() is not None for one in after_worlds()) <= 11


def test_worlds_that_somebody_keeps_are_not_looked_for_each_time():
    looked = []

    def note(phase: str, _: dict[str, int]) -> None:
        looked.append((phase, gc.get_freeze_count()))

    gc.set_threshold(0)
    gc.callbacks.append(note)
    try:
        after_worlds(keep=True)
    finally:
        gc.callbacks.remove(note)
    assert 1 <= looked.count(("start", 0)) <= 2  # where there are 11, and 23


def test_the_collector_is_as_it_was_however_a_run_ends():
    async def fail() -> None:
        assert gc.get_freeze_count() > 0 and not gc.isenabled()
        raise ValueError

    for end in (ValueError, WorldStuck):
        with pytest.raises(end):
            World().run(fail() if end is ValueError else asyncio.Event().wait())
        assert gc.get_freeze_count() == 0 and gc.isenabled()


@pytest.mark.slow
def test_processes_that_differ_in_what_they_did_before_see_one_run():
    code = "import gc; {before}; from tests.aio.test_garbage import run; print(run())"
    told = set()
    for before in ("pass", "gc.disable()", "gc.set_threshold(1)", "a = [[] for _ in range(5000)]"):
        line = [sys.executable, "-c", code.format(before=before)]
        root = Path(__file__).parents[2]
        environment = {"PYTHONPATH": f"{root / 'src'}:{root}"}
        ended = subprocess.run(line, capture_output=True, text=True, check=True, env=environment)
        told.add(ended.stdout)
    assert len(told) == 1
