"""websockets, client and server."""

from __future__ import annotations

import asyncio

import pytest
from websockets.exceptions import ConnectionClosedError

from tests.aio.libraries.evidence import Library
from tests.aio.libraries.programs import websockets_programs as programs
from tests.aio.libraries.stage import OnDevice, world_of

WEBSOCKETS = Library("websockets", "client and server")


@WEBSOCKETS.shows("simulation", "texts, large messages in frames, pings, compression, five at once", tls=True)
def test_both_ends_in_a_world(maybe: str | None):
    world_of(programs, tls=maybe).run()


@WEBSOCKETS.shows(
    "simulation", "a partition: pings are not answered, both ends give up, and the client comes back by itself"
)
def test_a_partition_is_noticed_by_pings():
    async def talk(host: str, port: int, tls: str | None) -> None:
        lines = 0
        async for line in programs.dial(host, port):
            lines += 1
            await programs.converse(line)
            if lines == 2:
                await line.close()
                return
            world.partition("client", "server")
            asyncio.get_running_loop().call_later(60, world.repair, "client", "server")
            with pytest.raises(ConnectionClosedError, match="keepalive ping timeout"):
                await line.recv()
            assert world.now < 25  # two pings' time, and ten seconds to part

    world = world_of(programs, talk=talk)
    world.run()
    assert 60 < world.now < 200


@WEBSOCKETS.shows(
    "simulation", "a server whose program is killed and begun anew: the client is told, and comes back by itself"
)
def test_a_server_that_is_killed():
    async def talk(host: str, port: int, tls: str | None) -> None:
        async for line in programs.dial(host, port):
            await programs.converse(line)
            if world.now > 1:
                await line.close()
                return
            world.kill("server")
            with pytest.raises(ConnectionClosedError, match="no close frame"):
                await line.recv()
            await asyncio.sleep(5)
            world.bounce("server", keep_kernel=True)

    world = world_of(programs, talk=talk)
    world.run()


@pytest.mark.interop
@WEBSOCKETS.shows("device", "the client; the server on the kernel's TCP", tls=True)
def test_the_client_over_a_device(device: OnDevice, maybe: str | None):
    device.client(programs, maybe)


@pytest.mark.interop
@WEBSOCKETS.shows("device", "the server; the client on the kernel's TCP", tls=True)
def test_the_server_over_a_device(device: OnDevice, maybe: str | None):
    device.server(programs, maybe)
