"""What a simulated loop costs an asyncio program: one of aiohttp in virtual time, and on the kernel's loopback.

Server and client are in one process, and each request waits for the answer to the last, by one connection that is kept.
So the figures are those of all the work that a request is: aiohttp on both sides, the loop, and the TCP of both ends,
which in the simulated loop is Python.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from time import process_time

from lastack.aio import SimulatedLoop, World
from lastack.bench.sides import BenchError

_REQUESTS = 3_000
_WARM = 0.05  # of the work before the clock starts
_SIZE = 1_000  # bytes of an answer
_PORT = 8080


@asynccontextmanager
async def _served(host: str, port: int) -> AsyncIterator[int]:
    """Meanwhile there is a server; its port."""
    from aiohttp import web

    async def answer(request: web.Request) -> web.Response:
        return web.Response(body=bytes(_SIZE))

    application = web.Application()
    application.router.add_get("/", answer)
    runner = web.AppRunner(application, access_log=None)
    await runner.setup()
    await web.TCPSite(runner, host, port).start()
    try:
        yield runner.addresses[0][1]
    finally:
        await runner.cleanup()


async def _ask(url: str, total: int) -> float:
    """Requests a second, of the processor's."""
    from aiohttp import ClientSession

    async with ClientSession() as session:

        async def some(count: int) -> None:
            for _ in range(count):
                async with session.get(url) as response:
                    assert len(await response.read()) == _SIZE

        await some(max(int(total * _WARM), 1))
        begun = process_time()
        await some(total)
        return total / (process_time() - begun)


async def _both(total: int) -> float:
    async with _served("127.0.0.1", 0) as port:
        return await _ask(f"http://127.0.0.1:{port}/", total)


def _two_hosts(total: int) -> float:
    async def serve() -> None:
        async with _served("0.0.0.0", _PORT):
            await asyncio.Event().wait()

    world = World()
    world.host("server", serve)
    told: float = world.run(_ask(f"http://server:{_PORT}/", total))
    return told


def requests(scale: float) -> dict[str, float]:
    """Requests a second of one program: on asyncio's own loop over the kernel's loopback, on the simulated loop within
    one host, and there between two hosts of a world; and how many times as long a request takes."""
    try:
        import aiohttp  # noqa: F401
    except ModuleNotFoundError:
        raise BenchError("this measurement needs aiohttp; install it with: pip install 'lastack[bench]'") from None
    total = max(int(_REQUESTS * scale), 2)
    plain = asyncio.run(_both(total))
    with asyncio.Runner(loop_factory=SimulatedLoop) as runner:
        simulated = runner.run(_both(total))
    hosts = _two_hosts(total)
    return {
        "plain": plain,
        "simulated": simulated,
        "hosts": hosts,
        "overhead": plain / simulated,
        "overhead-hosts": plain / hosts,
    }
