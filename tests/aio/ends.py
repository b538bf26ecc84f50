"""Protocols that write down what they are told, and connections between two of them."""

from __future__ import annotations

import asyncio
from typing import Any

from tests.aio.places import Place, until


class Recorder(asyncio.Protocol):
    """Remembers all that its transport tells it. `keeps` is what eof_received answers."""

    keeps = False

    def __init__(self) -> None:
        self.transport: Any = None
        self.data = bytearray()
        self.eof = False
        self.calls: list[str] = []
        self.made = asyncio.get_running_loop().create_future()
        self.lost = asyncio.get_running_loop().create_future()  # its result is the argument of connection_lost

    def connection_made(self, transport: Any) -> None:
        self.transport = transport
        self.calls.append("made")
        self.made.set_result(transport)

    def data_received(self, data: bytes) -> None:
        self.data += data

    def eof_received(self) -> bool:
        self.eof = True
        self.calls.append("eof")
        return self.keeps

    def connection_lost(self, exc: BaseException | None) -> None:
        self.calls.append("lost")
        self.lost.set_result(exc)

    def pause_writing(self) -> None:
        self.calls.append("pause")

    def resume_writing(self) -> None:
        self.calls.append("resume")

    async def has(self, data: bytes) -> None:
        """Wait until all of this has come."""
        await until(lambda: len(self.data) >= len(data), lambda: f"{len(self.data)} of {len(data)} bytes")
        assert self.data == data


class Keeper(Recorder):
    """One that goes on after the peer's end."""

    keeps = True


class Buffered(Recorder, asyncio.BufferedProtocol):
    """One that lends its own buffer, of `size` bytes."""

    size = 1000

    def get_buffer(self, sizehint: int) -> memoryview:
        self.buffer = memoryview(bytearray(self.size))
        return self.buffer

    def buffer_updated(self, nbytes: int) -> None:
        assert nbytes > 0
        self.data += self.buffer[:nbytes]


async def connect(
    place: Place, near: Any = Recorder, far: Any = Recorder, *, serves: bool = False, **tls: Any
) -> tuple[Any, Any]:
    """A connection between the near end and the far one: their protocols. `serves`: the near end listens."""
    loop = asyncio.get_running_loop()
    inside: list[Any] = []

    def accepted() -> Any:
        inside.append(near() if serves else far())
        return inside[0]

    server_tls, client_tls = tls.get("server_tls"), tls.get("client_tls")
    listener = place.listener(near=serves)
    server = await loop.create_server(accepted, sock=listener, ssl=server_tls)
    address = listener.getsockname()
    name = "localhost" if client_tls else None
    if serves:
        sock = place.far_socket()
        await loop.sock_connect(sock, address)
        _, other = await loop.create_connection(far, sock=sock, ssl=client_tls, server_hostname=name)
    else:
        _, other = await loop.create_connection(near, *address, ssl=client_tls, server_hostname=name)
    await until(lambda: inside and inside[0].made.done())
    server.close()
    return (inside[0], other) if serves else (other, inside[0])


async def close(*protocols: Any) -> None:
    """Close these, one after the other, and wait until each has heard of it."""
    for protocol in protocols:
        protocol.transport.close()
    for protocol in protocols:
        await protocol.lost
