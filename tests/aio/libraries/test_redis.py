"""redis-py's asyncio client."""

from __future__ import annotations

from pathlib import Path

import pytest
from redis.asyncio.retry import Retry
from redis.backoff import ExponentialBackoff
from redis.exceptions import ConnectionError as RedisConnectionError
from redis.exceptions import TimeoutError as RedisTimeoutError

from tests.aio.libraries.evidence import Library
from tests.aio.libraries.programs import redis_programs as programs
from tests.aio.libraries.stage import KERNEL, OnDevice, world_of

REDIS = Library("redis", "asyncio client")


@REDIS.shows(
    "simulation", "values, a pipeline, BLPOP, publish and subscribe, with a small server of the tests", tls=True
)
def test_the_client_in_a_world(maybe: str | None):
    world_of(programs, tls=maybe).run()


@REDIS.shows(
    "simulation", "a partition, and a server that lost its power and memory: the client asks again until it is answered"
)
def test_a_partition_and_a_crash():
    async def talk(host: str, port: int, tls: str | None) -> None:
        again = Retry(ExponentialBackoff(cap=4, base=1), 10, (RedisConnectionError, RedisTimeoutError))
        async with programs.client(host, port, socket_timeout=2, socket_connect_timeout=2, retry=again) as asking:
            await asking.set("name", "ann")
            world.partition("client", "server")
            world.loop.call_later(20, world.repair, "client", "server")
            assert await asking.get("name") == b"ann"
            assert world.now > 20
            world.crash("server")
            world.loop.call_later(20, world.bounce, "server")
            assert await asking.get("name") is None
            assert world.now > 40

    world = world_of(programs, talk=talk)
    world.run()
    assert world.now < 80


@pytest.mark.interop("redis-server")
@REDIS.shows("device", "the client; redis-server on the kernel's TCP", tls=True)
def test_the_client_and_redis_server(device: OnDevice, maybe: str | None, tmp_path: Path):
    port = ("tls-port", "port") if maybe else ("port", "tls-port")
    settings = {"bind": KERNEL, port[0]: "6379", port[1]: "0", "save": "", "dir": str(tmp_path), "protected-mode": "no"}
    if maybe:
        pem = f"{maybe}/server.pem"
        settings |= {"tls-cert-file": pem, "tls-key-file": pem, "tls-ca-cert-file": f"{maybe}/ca.pem"}
        settings |= {"tls-auth-clients": "no"}
    words = [word for name, value in settings.items() for word in (f"--{name}", value)]
    server = device.box.popen(["redis-server", *words, "--logfile", str(tmp_path / "log")])
    device.ask(programs.talk, 6379, server, maybe)


@pytest.mark.interop
@REDIS.shows("device", "the client on the kernel's TCP; the small server over the device", tls=True)
def test_the_small_server_over_a_device(device: OnDevice, maybe: str | None):
    device.server(programs, maybe)
