"""A world that does not end tells where its programs stand."""

from __future__ import annotations

import asyncio
import re
import socket

import pytest

from lastack.aio import World
from lastack.sim.world import WorldLimit
from tests.aio.somebody import counts

pytest_plugins = ["pytester"]


def test_who_does_not_come_to_rest_is_named(monkeypatch: pytest.MonkeyPatch):
    """Tasks, callbacks, timers and readers, with their lines; not who sleeps."""
    monkeypatch.setattr("lastack.aio.waiting.TURNS_LIMIT", 1000)

    async def spin() -> None:
        while True:
            await asyncio.sleep(0)

    def again() -> None:
        asyncio.get_running_loop().call_soon(again)

    def ready() -> None:
        """Reads nothing."""

    def connected() -> None:
        asyncio.get_running_loop().add_reader(kept[0], ready)

    async def main() -> None:
        loop = asyncio.get_running_loop()
        with socket.socket() as listener, socket.socket() as sock:
            kept.append(listener)
            listener.bind(("127.0.0.1", 80))
            listener.listen()
            sock.setblocking(False)
            await loop.sock_connect(sock, ("127.0.0.1", 80))
            connected()
            again()
            await asyncio.sleep(7)

    kept: list[socket.socket] = []
    w = World()
    w.host("spinner", spin)
    w.client("quiet", lambda: asyncio.sleep(9))
    with pytest.raises(WorldLimit) as caught:
        w.run(main())
    first, *told = str(caught.value).splitlines()
    assert first == "the program does not come to rest at 0.000000 s: 1,000 turns, the last of:"
    within = "callback test_who_does_not_come_to_rest_is_named.<locals>."
    places = [re.fullmatch(r"  (.*), in .*test_standing\.py:\d+", line) for line in told]
    assert {place and place[1] for place in places} == {"spinner", f"{within}again", f"{within}ready"}


def test_a_world_that_does_not_end_shows_the_line_at_which_the_test_waits(run, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("lastack.aio.waiting.TURNS_LIMIT", 1000)
    done = run(
        """
    async def test_stuck(world):
        await wait()

    async def wait():
        await asyncio.Event().wait()

    async def test_restless(world):
        while True:
            await asyncio.sleep(0)

    async def test_longer(world):
        world = await asyncio.sleep(1e9)

    async def test_client(world):
        world.client("client", wait)

    def test_plain(world):
        world.run(wait())
        """
    )
    text = done.stdout.str()
    assert counts(done) == {"failed": 5}
    for line in ("_run_once", "select(", "asyncio/", "lastack/aio/"):
        assert line not in text
    assert len(re.findall(r"^> +await asyncio\.Event\(\)\.wait\(\)$", text, re.MULTILINE)) == 3
    done.stdout.fnmatch_lines(
        [
            ">       await wait()",
            "E       in the world of seed 0, localhost, at 0.000000 s",
            ">           await asyncio.sleep(0)",
            "E *WorldLimit: the program does not come to rest at 0.000000 s: 1,000 turns, the last of:",
            "E             localhost, in *test_it.py:*",
            "E           in the world of seed 0, localhost, at 0.000000 s",
            ">       world = await asyncio.sleep(1e9)",
            "E       in the world of seed 0, localhost, at *",
            "E       in the world of seed 0, client, at 0.000000 s",
            ">       world.run(wait())",
            "E       in the world of seed 0, localhost, at 0.000000 s",
        ]
    )
