"""A world that does not end tells where its programs stand."""

from __future__ import annotations

import asyncio
import linecache
import re
import socket
from typing import Any

import pytest

from lastack.aio import World
from lastack.sim.world import WorldLimit
from tests.aio.programs import echo
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


async def _ticks() -> None:
    while True:
        await asyncio.sleep(7)


async def _calls() -> None:
    def again() -> None:
        asyncio.get_running_loop().call_later(3, again)

    again()
    await asyncio.Event().wait()


async def _talks() -> None:
    reader, writer = await asyncio.open_connection("server", 80)
    try:
        while True:
            writer.write(b"x")
            await reader.readexactly(1)
    finally:
        writer.close()


async def _is_alive() -> None:
    reader, writer = await asyncio.open_connection("server", 80)
    try:
        writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
        await reader.read()
    finally:
        writer.close()


@pytest.mark.parametrize(
    ("main", "limit", "line", "timer"),
    [
        (lambda: asyncio.sleep(1e9), {"max_time": 100_000.5}, "", ""),
        (_ticks, {"max_time": 10.5}, "await asyncio.sleep(7)", ""),
        (_calls, {"max_time": 10.5}, "await asyncio.Event().wait()", "callback _calls.<locals>.again"),
        (_talks, {"max_time": 10.5}, "await reader.readexactly(1)", ""),
        (_is_alive, {"max_time": 10_000.5}, "await reader.read()", ""),
        (_talks, {"max_events": 1000}, "await reader.readexactly(1)", ""),
    ],
)
def test_a_world_stops_at_its_limit_and_names_who_goes_on(main: Any, limit: dict[str, Any], line: str, timer: str):
    w = World(**limit)
    w.host("server", echo)
    w.client("client", main)
    with pytest.raises(WorldLimit) as caught:
        w.run()
    first, *told = str(caught.value).splitlines()
    if "max_time" in limit:
        assert first == f"max_time={limit['max_time']} s have passed, and the world goes on for these:"
        assert w.now == limit["max_time"]
    else:
        assert (
            first == "max_events=1,000 packets and timers of hosts have come to pass, and the world goes on for these:"
        )
        assert w.sim.events == 1001
    found = re.fullmatch(r"  client, in (.*):(\d+)", told[0])
    assert found and line in linecache.getline(found[1], int(found[2]))
    assert ("callback" in told[1]) is bool(timer) and timer in told[1]
    assert re.fullmatch(r"  server, in .*programs\.py:\d+", told[-1])
    assert len({*told}) == len(told)
    assert caught.value.__notes__ == [f"in the world of seed 0, client, at {w.now:.6f} s"]


def test_of_many_who_go_on_some_are_named():
    w = World(max_time=10)
    for number in range(50):
        w.client(f"client {number}", _ticks)
    with pytest.raises(WorldLimit) as caught:
        w.run()
    assert len(str(caught.value).splitlines()) == 22
    assert str(caught.value).endswith("  ... and 30 more")


def test_what_comes_at_the_limit_comes_to_pass():
    assert World(max_time=10).run(asyncio.sleep(10, "slept")) == "slept"
