"""Servers: where they listen, when, for how long, and what a new one finds after them."""

from __future__ import annotations

import asyncio
import errno
import socket
from collections.abc import Callable
from typing import Any

import pytest

from tests.aio.ends import Recorder, close, connect
from tests.aio.places import Place, Simulated


async def visit(place: Place, address: Any, *, near: bool = False) -> Recorder:
    """Connect to a server from one of the ends."""
    loop = asyncio.get_running_loop()
    family = socket.AF_INET6 if ":" in address[0] else socket.AF_INET
    sock = place.near_socket(family) if near else place.far_socket(family)
    try:
        await loop.sock_connect(sock, address[:2])
    except BaseException:
        sock.close()
        raise
    return (await loop.create_connection(Recorder, sock=sock))[1]


class Greeter(Recorder):
    """Says where it was called, and ends."""

    def connection_made(self, transport: Any) -> None:
        super().connection_made(transport)
        transport.write(repr(transport.get_extra_info("sockname")[:2]).encode())
        transport.close()


async def test_a_server_until_it_is_closed(place: Place):
    server = await asyncio.get_running_loop().create_server(Greeter, place.near, 0)
    assert server.is_serving()
    (sock,) = server.sockets
    address = sock.getsockname()
    assert address[0] == place.near and address[1] > 0
    assert sock.getsockopt(socket.SOL_SOCKET, socket.SO_ACCEPTCONN) == 1
    with pytest.raises(OSError, match=rf"\[Errno {errno.ENOTCONN}\]"):
        sock.getpeername()
    for _ in range(3):
        visitor = await visit(place, address)
        assert await visitor.lost is None
        assert visitor.data == repr(address).encode()
    server.close()
    server.close()
    assert not server.is_serving()
    assert server.sockets == ()
    await server.wait_closed()
    with pytest.raises(ConnectionRefusedError):
        await visit(place, address)


async def test_a_connection_outlives_its_server(place: Place, near: bool):
    a, b = await connect(place, serves=near)  # whose server is closed by now
    a.transport.write(b"still here")
    await b.has(b"still here")
    await close(a, b)


async def test_several_hosts(place: Place):
    server = await asyncio.get_running_loop().create_server(Greeter, [place.near, place.near6], 0)
    assert {one.family for one in server.sockets} == {socket.AF_INET, socket.AF_INET6}
    for one in server.sockets:
        visitor = await visit(place, one.getsockname())
        await visitor.lost
        assert visitor.data == repr(one.getsockname()[:2]).encode()
    server.close()


async def test_every_address(place: Place):
    """Without a host, and without a port: one socket for each family, as the one for IPv6 takes only that."""
    server = await asyncio.get_running_loop().create_server(Greeter, None, 0)
    assert sorted(one.getsockname()[0] for one in server.sockets) == ["0.0.0.0", "::"]
    for one in server.sockets:
        six = one.family == socket.AF_INET6
        if six:
            assert one.getsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY) == 1
        host, port = place.near6 if six else place.near, one.getsockname()[1]
        visitor = await visit(place, (host, port))
        await visitor.lost
        assert visitor.data == repr((host, port)).encode()
    server.close()


async def test_one_socket_for_both_families(place: Place):
    sock = place.near_socket(socket.AF_INET6)
    sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0)
    sock.bind(("::", 0))
    server = await asyncio.get_running_loop().create_server(Greeter, sock=sock)
    port = sock.getsockname()[1]
    visitor = await visit(place, (place.near, port))
    await visitor.lost
    assert visitor.data == repr((f"::ffff:{place.near}", port)).encode()
    server.close()


async def test_a_server_that_does_not_serve_yet(place: Place):
    server = await asyncio.get_running_loop().create_server(Greeter, place.near, 0, start_serving=False)
    address = server.sockets[0].getsockname()
    assert not server.is_serving()
    with pytest.raises(ConnectionRefusedError):
        await visit(place, address)
    await server.start_serving()
    await server.start_serving()
    assert server.is_serving()
    await (await visit(place, address)).lost
    server.close()


async def test_serving_for_ever_ends_by_cancelling(place: Place):
    server = await asyncio.get_running_loop().create_server(Greeter, place.near, 0, start_serving=False)
    task = asyncio.create_task(server.serve_forever())
    await asyncio.sleep(0)
    assert server.is_serving()
    with pytest.raises(RuntimeError, match="already"):
        await server.serve_forever()
    await (await visit(place, server.sockets[0].getsockname())).lost
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert not server.is_serving()
    with pytest.raises(RuntimeError, match="closed"):
        await server.serve_forever()


async def test_a_server_as_a_context(place: Place):
    async with await asyncio.start_server(lambda reader, writer: writer.close(), place.near, 0) as server:
        await (await visit(place, server.sockets[0].getsockname())).lost
    assert not server.is_serving()


async def test_an_address_that_is_taken(place: Place):
    loop = asyncio.get_running_loop()
    server = await loop.create_server(Recorder, place.near, 0)
    port = server.sockets[0].getsockname()[1]
    with pytest.raises(OSError, match="error while attempting to bind on address") as caught:
        await loop.create_server(Recorder, place.near, port)
    assert caught.value.errno == errno.EADDRINUSE
    server.close()
    again = await loop.create_server(Recorder, place.near, port)
    again.close()


async def test_a_port_with_connections_in_time_wait(place: Place):
    loop = asyncio.get_running_loop()
    server = await loop.create_server(Greeter, place.near, 0)
    address = server.sockets[0].getsockname()
    visitor = await visit(place, address)
    await visitor.lost  # Greeter ends first, so TIME-WAIT is at the server's end
    server.close()
    await asyncio.sleep(0.02)
    with pytest.raises(OSError, match="address already in use"):
        await loop.create_server(Greeter, *address, reuse_address=False)
    again = await loop.create_server(Greeter, *address)  # asyncio asks for it by default
    await (await visit(place, address)).lost
    again.close()


async def test_what_cannot_be_served(place: Place):
    loop = asyncio.get_running_loop()
    with pytest.raises(ValueError, match="Neither host/port nor sock"):
        await loop.create_server(Recorder)
    sock = place.listener(near=True, backlog=None)
    with pytest.raises(ValueError, match="can not be specified at the same time"):
        await loop.create_server(Recorder, place.near, 0, sock=sock)
    sock.close()
    with pytest.raises(OSError, match=r"error while attempting to bind|could not bind") as caught:
        await loop.create_server(Recorder, place.far if place.far != place.near else "192.0.2.1", 0)
    assert caught.value.errno in (errno.EADDRNOTAVAIL, None)  # None: Python 3.13 tries all addresses first
    with pytest.raises(socket.gaierror):
        await loop.create_server(Recorder, "there.is.nobody.of.this.name.invalid", 0)


async def test_reuse_port(place: Place):
    """Servers that share a port share the connections, and those that are left get all."""
    loop = asyncio.get_running_loop()
    counts = [0, 0]

    def counted(number: int) -> Callable[[], asyncio.Protocol]:
        def make() -> asyncio.Protocol:
            counts[number] += 1
            return Greeter()

        return make

    first = await loop.create_server(counted(0), place.near, 0, reuse_port=True)
    address = first.sockets[0].getsockname()
    assert first.sockets[0].getsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT) == 1
    with pytest.raises(OSError, match="address already in use"):
        await loop.create_server(Greeter, *address)
    second = await loop.create_server(counted(1), *address, reuse_port=True)
    for _ in range(30):
        await (await visit(place, address)).lost
    assert sum(counts) == 30
    assert min(counts) > 0
    first.close()
    before = counts[1]
    for _ in range(5):
        await (await visit(place, address)).lost
    assert counts[1] == before + 5
    second.close()
    with pytest.raises(ConnectionRefusedError):
        await visit(place, address)


async def test_the_first_address_refuses(place: Place):
    """A name of two addresses, of which only the second has a server."""
    loop = asyncio.get_running_loop()
    server = await loop.create_server(Greeter, place.near, 0)
    port = server.sockets[0].getsockname()[1]

    async def two(host: str, port: int, **more: Any) -> list[Any]:
        return [
            (socket.AF_INET6, socket.SOCK_STREAM, 6, "", (place.near6, port, 0, 0)),
            (socket.AF_INET, socket.SOCK_STREAM, 6, "", (place.near, port)),
        ]

    loop.getaddrinfo = two  # type: ignore[method-assign]
    for more in ({}, {"happy_eyeballs_delay": 0.25}, {"interleave": 1}):
        _, protocol = await loop.create_connection(Recorder, "name", port, **more)
        await protocol.lost
        assert protocol.data
    server.close()
    with pytest.raises(OSError, match="Multiple exceptions"):
        await loop.create_connection(Recorder, "name", port)
    del loop.getaddrinfo  # type: ignore[method-assign]


def test_happy_eyeballs_do_not_wait_for_a_path_that_is_dead():
    async def main() -> None:
        loop = asyncio.get_running_loop()
        server = await place.world["far"].run(loop.create_server(Greeter, None, 80))
        place.world.links("near", "far").drop(lambda frame: frame.data[0] >> 4 == 6)
        place.world.names.add("both", (place.far6, place.far))
        began = loop.time()
        _, protocol = await loop.create_connection(Recorder, "both", 80, happy_eyeballs_delay=0.25)
        assert loop.time() - began == pytest.approx(0.25, abs=0.01)
        await protocol.lost
        began = loop.time()
        _, protocol = await loop.create_connection(Recorder, "both", 80)
        assert loop.time() - began > 60  # all the SYNs of the first
        await protocol.lost
        server.close()

    place = Simulated()
    place.run(lambda _: main())
