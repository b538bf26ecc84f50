"""aiohttp at both ends: pages on one kept connection, a body that streams both ways, a WebSocket."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

from aiohttp import ClientSession, TCPConnector, WSMsgType, web

from tests.aio.libraries.programs import tls as certificates

BODY = bytes(range(256)) * 1200


async def hello(request: web.Request) -> web.Response:
    """Who asks, and from which port."""
    assert request.transport is not None
    port = request.transport.get_extra_info("peername")[1]
    return web.json_response({"hello": request.query["name"], "port": port})


async def echo(request: web.Request) -> web.StreamResponse:
    """What comes in goes out, while it comes."""
    response = web.StreamResponse()
    await response.prepare(request)
    async for piece in request.content.iter_chunked(16_384):
        await response.write(piece)
    return response


async def chat(request: web.Request) -> web.WebSocketResponse:
    """Texts in capitals, bytes as they are."""
    line = web.WebSocketResponse()
    await line.prepare(request)
    async for message in line:
        if message.type is WSMsgType.TEXT:
            await line.send_str(message.data.upper())
        elif message.type is WSMsgType.BINARY:
            await line.send_bytes(message.data)
    return line


async def serve(host: str | None, port: int, tls: str | None = None) -> None:
    """All three."""
    app = web.Application()
    app.add_routes([web.get("/", hello), web.post("/echo", echo), web.get("/chat", chat)])
    runner = web.AppRunner(app)
    await runner.setup()
    try:
        await web.TCPSite(runner, host, port, ssl_context=certificates.for_server(tls)).start()
        await asyncio.Event().wait()
    finally:
        await runner.cleanup()


async def pieces() -> AsyncIterator[bytes]:
    """BODY, a bit at a time."""
    for start in range(0, len(BODY), 20_000):
        yield BODY[start : start + 20_000]
        await asyncio.sleep(0.001)


def session(host: str, port: int, tls: str | None = None) -> ClientSession:
    """A session with that server."""
    place = f"[{host}]" if ":" in host else host
    connector = TCPConnector(ssl=certificates.for_client(tls) or True)
    return ClientSession(f"{'https' if tls else 'http'}://{place}:{port}", connector=connector)


async def talk(host: str, port: int, tls: str | None = None) -> None:
    """Ask for all three."""
    async with session(host, port, tls) as client:
        ports = set()
        for name in ("ann", "bob", "eve"):
            async with client.get("/", params={"name": name}) as response:
                answer = await response.json()
                assert answer["hello"] == name
                ports.add(answer["port"])
        assert len(ports) == 1  # one connection, kept alive
        async with client.post("/echo", data=pieces()) as response:
            assert await response.read() == BODY
        async with client.ws_connect("/chat") as line:
            await line.send_str("hello")
            assert await line.receive_str() == "HELLO"
            await line.send_bytes(BODY)
            assert await line.receive_bytes() == BODY
        many = await asyncio.gather(*(client.get("/", params={"name": str(number)}) for number in range(10)))
        assert [(await response.json())["hello"] for response in many] == [str(number) for number in range(10)]
