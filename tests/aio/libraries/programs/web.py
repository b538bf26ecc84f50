"""A starlette app served by uvicorn, and httpx (over anyio) that asks it."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from pathlib import Path

import httpx
import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response, StreamingResponse
from starlette.routing import Route, WebSocketRoute
from starlette.websockets import WebSocket

from tests.aio.libraries.programs import tls as certificates

BODY = bytes(range(256)) * 1200


async def hello(request: Request) -> Response:
    """Who asks, and from which port."""
    assert request.client is not None
    return JSONResponse({"hello": request.query_params["name"], "port": request.client.port})


async def echo(request: Request) -> Response:
    """What came in goes out, a bit at a time: httpx does not read before it has sent all."""
    came = [piece async for piece in request.stream()]

    async def pieces() -> AsyncIterator[bytes]:
        for piece in came:
            yield piece

    return StreamingResponse(pieces())


async def slow(request: Request) -> Response:
    """A line each second, of ten."""

    async def lines() -> AsyncIterator[bytes]:
        for number in range(10):
            yield b"%d\n" % number
            await asyncio.sleep(1)

    return StreamingResponse(lines())


async def chat(line: WebSocket) -> None:
    """Texts in capitals."""
    await line.accept()
    async for text in line.iter_text():
        await line.send_text(text.upper())


@contextlib.asynccontextmanager
async def lifespan(app: Starlette) -> AsyncIterator[dict[str, str]]:
    """What uvicorn begins and ends."""
    yield {"started": "yes"}


def app() -> Starlette:
    """The app."""
    routes = [
        Route("/", hello),
        Route("/echo", echo, methods=["POST"]),
        Route("/slow", slow),
        WebSocketRoute("/chat", chat),
    ]
    return Starlette(routes=routes, lifespan=lifespan)


def server(host: str | None, port: int, tls: str | None = None) -> uvicorn.Server:
    """uvicorn with the app."""
    pem = str(Path(tls, "server.pem")) if tls else None
    config = uvicorn.Config(
        app(),
        host=host or "0.0.0.0",
        port=port,
        log_config=None,
        lifespan="on",
        ws="websockets-sansio",
        ssl_certfile=pem,
        ssl_keyfile=pem,
    )
    return uvicorn.Server(config)


async def serve(host: str | None, port: int, tls: str | None = None) -> None:
    """Until it is cancelled, and then in good order."""
    running = server(host, port, tls)
    task = asyncio.ensure_future(running.serve())
    try:
        await asyncio.shield(task)
    finally:
        running.should_exit = True
        await task


def client(host: str, port: int, tls: str | None = None, **more: object) -> httpx.AsyncClient:
    """A client of that server."""
    place = f"{'https' if tls else 'http'}://{host}:{port}"
    return httpx.AsyncClient(base_url=place, verify=certificates.for_client(tls) or False, trust_env=False, **more)


async def talk(host: str, port: int, tls: str | None = None) -> None:
    """Pages on one kept connection, a body that streams both ways, many at once."""

    async def pieces() -> AsyncIterator[bytes]:
        for start in range(0, len(BODY), 20_000):
            yield BODY[start : start + 20_000]
            await asyncio.sleep(0.001)

    async with client(host, port, tls) as asking:
        answers = [(await asking.get("/", params={"name": name})).json() for name in ("ann", "bob", "eve")]
        assert [one["hello"] for one in answers] == ["ann", "bob", "eve"]
        assert len({one["port"] for one in answers}) == 1  # one connection, kept alive
        assert (await asking.post("/echo", content=pieces())).content == BODY
        async with asking.stream("POST", "/echo", content=pieces()) as response:
            assert b"".join([piece async for piece in response.aiter_bytes()]) == BODY
        many = await asyncio.gather(*(asking.get("/", params={"name": str(number)}) for number in range(10)))
        assert [one.json()["hello"] for one in many] == [str(number) for number in range(10)]
