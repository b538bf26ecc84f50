"""What would leave the simulation says so at once, and what to do instead."""

from __future__ import annotations

import asyncio
import gc
import socket
import sys
import threading
import warnings
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from typing import Any

import anyio.to_thread
import grpc
import grpc.aio
import httpx
import pytest
import requests
import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route

from lastack.aio import Escaped, World
from tests.aio.libraries.evidence import refuses
from tests.aio.libraries.programs import web


async def serve() -> None:
    """Something that can be asked."""
    await web.serve(None, 80)


def run(main: Callable[[], Awaitable[Any]]) -> None:
    """As a client in a world; it takes no time until it fails, or is done."""
    world = World()
    world.host("server", serve)
    world.client("client", main)
    world.run()


@contextmanager
def silence() -> Iterator[None]:
    """Meanwhile nobody hears of what Python cannot raise."""
    hook, sys.unraisablehook = sys.unraisablehook, lambda _: None
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        sys.unraisablehook = hook


def raises(main: Callable[[], Awaitable[Any]], match: str) -> None:
    """It raises Escaped, which ends the run."""
    with pytest.raises(Escaped, match=match):
        run(main)


@pytest.mark.parametrize(
    "make",
    [
        lambda: grpc.aio.insecure_channel("server:80"),
        grpc.aio.server,
        lambda: grpc.insecure_channel("server:80"),
        lambda: grpc.server(None),
    ],
)
@refuses(
    "grpc (`grpc.aio` and `grpc`), client and server",
    why="its sockets and threads are C's",
    instead="hide the stub behind an interface, and put a fake in its place",
)
def test_grpc(make: Callable[[], Any]):
    async def main() -> None:
        make()

    raises(main, "grpc")


def test_grpc_that_is_imported_in_the_world(monkeypatch: pytest.MonkeyPatch):
    async def main() -> None:
        import grpc

        grpc.insecure_channel("server:80")

    for name in [name for name in sys.modules if name.partition(".")[0] == "grpc"]:
        monkeypatch.delitem(sys.modules, name)
    raises(main, "grpc")


@pytest.mark.parametrize("way", ["directly", "in a thread"])
@refuses(
    "requests, urllib, and whatever else waits in its calls",
    why="who blocks the loop blocks every host",
    instead="a client over asyncio: httpx, aiohttp",
)
def test_requests(way: str):
    async def main() -> None:
        if way == "directly":
            requests.get("http://server/", timeout=5)
        await asyncio.to_thread(requests.get, "http://server/", timeout=5)

    raises(main, "a call that blocks")


@refuses(
    "threads of a library's own (`threading.Thread`; aiodns, aiosqlite)",
    why="a thread has no virtual time, and no order that a seed decides",
    instead="`asyncio.to_thread` and `run_in_executor`, which call at once; where aiodns is installed, give aiohttp's "
    "connector `resolver=aiohttp.ThreadedResolver()`, which asks the loop",
)
def test_threads():
    async def main() -> None:
        threading.Thread(target=print).start()

    raises(main, "a thread")


@refuses(
    "waiting as a thread does (`run_coroutine_threadsafe(...).result()`, `threading.Event`, `queue.Queue`)",
    why="the function in `to_thread` is called at once, and nothing else runs until it is done",
    instead="await in the loop: the coroutine itself, `asyncio.Event`, `asyncio.Queue`",
)
def test_waiting_for_the_loop():
    async def main() -> None:
        loop = asyncio.get_running_loop()
        await asyncio.to_thread(lambda: asyncio.run_coroutine_threadsafe(asyncio.sleep(0), loop).result(0.1))

    raises(main, "waiting for another thread")


def test_aiodns():
    aiodns = pytest.importorskip("aiodns")

    async def main() -> None:
        await aiodns.DNSResolver().getaddrinfo("server", family=socket.AF_INET)

    raises(main, "a thread")


async def ask_a_plain_endpoint() -> Response:
    """A starlette app whose endpoint is no coroutine, which starlette therefore calls in a thread of anyio's."""

    def endpoint(request: Request) -> Response:
        return PlainTextResponse("hello")

    app = Starlette(routes=[Route("/", endpoint)])
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://app") as client:
        return await client.get("/")


@refuses(
    "`anyio.to_thread`: endpoints of starlette (and FastAPI) that are plain functions, `FileResponse`, `StaticFiles`",
    why="anyio has threads of its own",
    instead="`async def`; or for the time of the test `anyio.to_thread.run_sync = at_once`, with "
    "`async def at_once(function, *arguments, **_): return await asyncio.to_thread(function, *arguments)`",
)
def test_anyio_s_threads():
    raises(ask_a_plain_endpoint, "a thread")


def test_anyio_s_threads_as_the_page_advises(monkeypatch: pytest.MonkeyPatch):
    async def at_once(function: Callable[..., Any], *arguments: Any, **_: Any) -> Any:
        return await asyncio.to_thread(function, *arguments)

    async def main() -> None:
        assert (await ask_a_plain_endpoint()).text == "hello"

    monkeypatch.setattr(anyio.to_thread, "run_sync", at_once)
    run(main)


@refuses(
    "sockets of C libraries that the loop is to watch (psycopg's libpq, pycurl, pyzmq)",
    why="a descriptor of the machine is ready in real time",
    instead="asyncpg for psycopg; else a fake. What C does before the loop is asked, such as a first attempt to "
    "connect, is not seen",
)
def test_descriptors_of_the_machine():
    one, other = socket.socketpair()

    async def main() -> None:
        asyncio.get_running_loop().add_reader(one, print)

    raises(main, "file descriptor")
    one.close()
    other.close()


@refuses(
    "UDP (aioquic and HTTP/3, dnspython)",
    why="the hosts speak TCP alone",
    instead="HTTP over TCP; for names `loop.getaddrinfo`, or a name server over TCP on a host of the world",
)
def test_udp():
    async def main() -> None:
        await asyncio.get_running_loop().create_datagram_endpoint(asyncio.DatagramProtocol, remote_addr=("server", 53))

    raises(main, "UDP")


@refuses(
    "Unix sockets (`redis+unix`, PostgreSQL's socket, uvicorn's `uds`)",
    why="there are none in the world",
    instead="TCP to localhost: each host has its own",
)
def test_unix_sockets():
    raises(lambda: asyncio.open_unix_connection("/run/x"), "a Unix socket")


@refuses(
    "processes (uvicorn's and hypercorn's workers, `multiprocessing`)",
    why="another process has its own time",
    instead="a host of the world for each",
)
def test_processes():
    raises(lambda: asyncio.create_subprocess_exec("true"), "a process")


@refuses(
    "a loop of the program's own (`uvicorn.run`, `asyncio.run`, uvloop)",
    why="the world's loop runs already, and a RuntimeError says so",
    instead="await what it would run: `await uvicorn.Server(config).serve()`",
)
@pytest.mark.filterwarnings("ignore:coroutine .* was never awaited:RuntimeWarning")
def test_another_loop():
    async def main() -> None:
        uvicorn.run(web.app(), log_config=None)

    with pytest.raises(RuntimeError, match="event loop"):
        run(main)
    with silence():  # asyncio leaves a loop half made, and complains whenever that is found
        gc.collect()
