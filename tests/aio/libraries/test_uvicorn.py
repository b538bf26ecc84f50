"""uvicorn with a starlette app."""

from __future__ import annotations

import asyncio
import signal

import pytest
from websockets.asyncio.client import connect

from lastack.aio import World
from tests.aio.libraries.evidence import Library
from tests.aio.libraries.programs import web
from tests.aio.libraries.stage import PORT, OnDevice, world_of

UVICORN = Library("uvicorn", "server, with WebSockets and lifespan")
STARLETTE = Library("starlette", "app, served by uvicorn")


@STARLETTE.shows("simulation", "as uvicorn's, asked by httpx", tls=True)
@UVICORN.shows(
    "simulation", "pages on one kept connection, bodies streamed both ways, ten at once, asked by httpx", tls=True
)
def test_the_server_in_a_world(maybe: str | None):
    before = signal.getsignal(signal.SIGINT), signal.getsignal(signal.SIGTERM)
    world_of(web, tls=maybe, seed=2).run()
    assert (signal.getsignal(signal.SIGINT), signal.getsignal(signal.SIGTERM)) == before


@STARLETTE.shows("simulation", "a WebSocket")
@UVICORN.shows("simulation", "a WebSocket, asked by websockets")
def test_a_web_socket():
    async def talk(host: str, port: int, tls: str | None) -> None:
        async with connect(f"ws://{host}:{port}/chat", proxy=None) as line:
            await line.send("hello")
            assert await line.recv() == "HELLO"

    world_of(web, talk=talk).run()


@UVICORN.shows("simulation", "SIGTERM: who is being answered gets all of it, and nobody else comes in")
def test_an_end_in_good_order():
    async def serve() -> None:
        await web.server(None, PORT).serve()
        ended.append(world.now)

    async def slow() -> None:
        async with web.client("server", PORT) as client:
            assert (await client.get("/slow")).text.splitlines() == [str(number) for number in range(10)]

    async def late() -> None:
        await asyncio.sleep(3)
        assert world.signal("server", signal.SIGTERM)
        await asyncio.sleep(3)
        with pytest.raises(ConnectionRefusedError):
            await asyncio.open_connection("server", PORT)
        await asyncio.sleep(20)

    ended: list[float] = []
    world = World(latency=0.01)
    world.host("server", serve)
    world.client("slow", slow)
    world.client("late", late)
    world.run()
    assert ended == [pytest.approx(10, abs=1)]


@pytest.mark.interop
@STARLETTE.shows("device", "as uvicorn's; httpx on the kernel's TCP", tls=True)
@UVICORN.shows("device", "the server; httpx on the kernel's TCP", tls=True)
def test_the_server_over_a_device(device: OnDevice, maybe: str | None):
    device.server(web, maybe)
