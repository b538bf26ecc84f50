"""httpx, over anyio."""

from __future__ import annotations

import asyncio

import httpx
import pytest

from tests.aio.libraries.evidence import Library
from tests.aio.libraries.programs import web
from tests.aio.libraries.stage import OnDevice, world_of

HTTPX = Library("httpx", "client (over httpcore and anyio)")


@HTTPX.shows("simulation", "pages on one kept connection, bodies streamed both ways, ten at once", tls=True)
def test_the_client_in_a_world(maybe: str | None):
    world_of(web, tls=maybe).run()


@HTTPX.shows("simulation", "an answer that takes ten seconds takes none")
def test_a_slow_answer():
    async def talk(host: str, port: int, tls: str | None) -> None:
        async with web.client(host, port, timeout=2) as client, client.stream("GET", "/slow") as response:
            assert [line async for line in response.aiter_lines()] == [str(number) for number in range(10)]

    world = world_of(web, talk=talk)
    world.run()
    assert 9 < world.now < 15


@HTTPX.shows("simulation", "a partition: the client's timeout, and all is well after the repair")
def test_a_partition():
    async def talk(host: str, port: int, tls: str | None) -> None:
        async with web.client(host, port, timeout=5) as client:
            assert (await client.get("/", params={"name": "ann"})).json()["hello"] == "ann"
            world.partition("client", "server")
            with pytest.raises(httpx.ReadTimeout):
                await client.get("/", params={"name": "bob"})
            with pytest.raises(httpx.ConnectTimeout):
                await client.get("/", params={"name": "bob"})
            world.repair("client", "server")
            assert (await client.get("/", params={"name": "eve"})).json()["hello"] == "eve"

    world = world_of(web, talk=talk)
    world.run()
    assert 10 < world.now < 12


@HTTPX.shows("simulation", "a connection that the server closed while it was idle is noticed before it is used again")
def test_an_idle_connection_that_the_server_closed():
    async def talk(host: str, port: int, tls: str | None) -> None:
        async with web.client(host, port) as client:
            ports = []
            for _ in range(2):
                ports.append((await client.get("/", params={"name": "ann"})).json()["port"])
                await asyncio.sleep(8)  # uvicorn closes after five seconds, or six
            assert ports[0] != ports[1]

    world = world_of(web, talk=talk)
    timeline = world.timeline()
    world.run()
    assert " R " not in world.ladder(timeline, "client", "server")


@pytest.mark.interop
@HTTPX.shows("device", "the client; uvicorn on the kernel's TCP", tls=True)
def test_the_client_over_a_device(device: OnDevice, maybe: str | None):
    device.client(web, maybe)
