"""aiohttp, client and server."""

from __future__ import annotations

import aiohttp
import pytest

from tests.aio.libraries.evidence import Library
from tests.aio.libraries.programs import aiohttp_programs as programs
from tests.aio.libraries.stage import KERNEL, KERNEL6, OURS, OURS6, OnDevice, world_of

AIOHTTP = Library("aiohttp", "client and server, with WebSockets")


@AIOHTTP.shows(
    "simulation", "pages on one kept connection, bodies streamed both ways, a WebSocket, ten at once", tls=True
)
def test_both_ends_in_a_world(maybe: str | None):
    world_of(programs, tls=maybe).run()


@AIOHTTP.shows(
    "simulation", "a server that lost its power meanwhile: the kept connection meets a RST, and the next one works"
)
def test_a_kept_connection_to_a_server_that_began_anew():
    async def talk(host: str, port: int, tls: str | None) -> None:
        async with programs.session(host, port) as client:
            for _ in range(2):
                async with client.get("/", params={"name": "ann"}) as response:
                    assert response.status == 200
                world.crash("server")
                world.bounce("server")

    world = world_of(programs, talk=talk)
    timeline = world.timeline()
    world.run()
    assert " R " in world.ladder(timeline, "client", "server")


@AIOHTTP.shows(
    "simulation", "a partition while a body is under way: the client's timeout, and all is well after the repair"
)
def test_a_partition_in_the_middle_of_a_body():
    async def talk(host: str, port: int, tls: str | None) -> None:
        async with programs.session(host, port) as client:
            with pytest.raises(aiohttp.SocketTimeoutError):
                async with client.post("/echo", data=half(), timeout=aiohttp.ClientTimeout(sock_read=5)) as response:
                    await response.read()
            world.repair("client", "server")
            async with client.post("/echo", data=programs.BODY) as response:
                assert await response.read() == programs.BODY

    async def half():
        number = 0
        async for piece in programs.pieces():
            yield piece
            number += 1
            if number == 8:
                world.partition("client", "server")

    world = world_of(programs, talk=talk)
    world.run()
    assert 5 < world.now < 10


@pytest.mark.interop
@pytest.mark.parametrize("host", [KERNEL, KERNEL6])
@AIOHTTP.shows("device", "the client, over IPv4 and IPv6; the server on the kernel's TCP", tls=True)
def test_the_client_over_a_device(device: OnDevice, maybe: str | None, host: str):
    device.client(programs, maybe, host)


@pytest.mark.interop
@pytest.mark.parametrize("host", [OURS, OURS6])
@AIOHTTP.shows("device", "the server, over IPv4 and IPv6; the client on the kernel's TCP", tls=True)
def test_the_server_over_a_device(device: OnDevice, maybe: str | None, host: str):
    device.server(programs, maybe, host)
