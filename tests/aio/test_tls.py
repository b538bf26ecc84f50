"""TLS over both ends: from the beginning, later by start_tls, and how it ends."""

from __future__ import annotations

import asyncio
import ssl
from pathlib import Path
from typing import Any

import pytest

from tests.aio.conftest import Tls
from tests.aio.ends import Buffered, Recorder, close, connect
from tests.aio.places import Place, until


async def test_tls_from_the_beginning(place: Place, near: bool, tls: Tls):
    a, b = await connect(place, serves=near, server_tls=tls.server, client_tls=tls.client)
    text = bytes(range(256)) * 1_000
    a.transport.write(text)
    b.transport.write(text)
    await b.has(text)
    await a.has(text)
    client = b if near else a
    assert client.transport.get_extra_info("sslcontext") is tls.client
    assert client.transport.get_extra_info("cipher")[1].startswith("TLS")
    assert client.transport.get_extra_info("compression") is None
    assert client.transport.get_extra_info("peercert")["subjectAltName"] == (("DNS", "localhost"),)
    assert client.transport.get_extra_info("ssl_object").version().startswith("TLS")
    assert client.transport.get_extra_info("peername")[1] > 0
    assert not a.transport.can_write_eof()
    await close(a)
    assert await b.lost is None


async def test_tls_into_a_buffer_that_is_lent(place: Place, near: bool, tls: Tls):
    a, b = await connect(place, serves=near, near=Buffered, far=Buffered, server_tls=tls.server, client_tls=tls.client)
    text = bytes(range(256)) * 500
    a.transport.write(text)
    await b.has(text)
    await close(b)
    await a.lost


async def test_tls_later(place: Place, near: bool, tls: Tls):
    a, b = await connect(place, serves=near)
    a.transport.write(b"STARTTLS")
    await b.has(b"STARTTLS")
    server, client = (a, b) if near else (b, a)
    await upgrade(server, client, tls)
    a.transport.write(b" and now nobody can read it")
    await b.has(b"STARTTLS and now nobody can read it")
    await close(a)
    await b.lost


async def upgrade(server: Any, client: Any, tls: Tls) -> None:
    """Both ends go on under TLS."""
    loop = asyncio.get_running_loop()
    server.transport, client.transport = await asyncio.gather(
        loop.start_tls(server.transport, server, tls.server, server_side=True),
        loop.start_tls(client.transport, client, tls.client, server_hostname="localhost"),
    )


async def test_streams_go_on_under_tls(place: Place, tls: Tls):
    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        assert await reader.readline() == b"STARTTLS\n"
        writer.write(b"go ahead\n")
        await writer.start_tls(tls.server)
        writer.write((await reader.readline()).upper())
        await writer.drain()
        writer.close()
        await writer.wait_closed()

    server = await asyncio.start_server(handle, sock=(listener := place.listener(near=False)))
    reader, writer = await asyncio.open_connection(*listener.getsockname())
    writer.write(b"STARTTLS\n")
    assert await reader.readline() == b"go ahead\n"
    await writer.start_tls(tls.client, server_hostname="localhost")
    writer.write(b"quietly\n")
    assert await reader.readline() == b"QUIETLY\n"
    assert await reader.read() == b""
    writer.close()
    await writer.wait_closed()
    server.close()


async def test_a_name_that_is_not_in_the_certificate(place: Place, tls: Tls):
    loop = asyncio.get_running_loop()
    failed: list[Any] = []
    before = loop.get_exception_handler()
    loop.set_exception_handler(lambda _, context: failed.append(context))
    server = await loop.create_server(Recorder, sock=(listener := place.listener(near=False)), ssl=tls.server)
    with pytest.raises(ssl.SSLCertVerificationError):
        await loop.create_connection(Recorder, *listener.getsockname(), ssl=tls.client, server_hostname="elsewhere")
    await until(lambda: not place.leftovers(loop) or len(place.leftovers(loop)) <= 2)
    server.close()
    await asyncio.sleep(0.01)
    loop.set_exception_handler(before)


async def test_a_handshake_that_nobody_answers(place: Place, tls: Tls):
    loop = asyncio.get_running_loop()
    listener = place.listener(near=False)
    with pytest.raises(ConnectionAbortedError, match="SSL handshake is taking longer"):
        await loop.create_connection(
            Recorder, *listener.getsockname(), ssl=tls.client, server_hostname="localhost", ssl_handshake_timeout=0.1
        )
    peer, _ = await loop.sock_accept(listener)
    assert (await loop.sock_recv(peer, 1))[0] == 22  # a handshake record
    peer.close()
    listener.close()


@pytest.mark.parametrize("encrypted", [False, True], ids=["plain", "tls"])
async def test_a_file_is_sent(place: Place, near: bool, tls: Tls, encrypted: bool, tmp_path: Path):
    text = bytes(range(256)) * 3_000
    (tmp_path / "file").write_bytes(text)
    more = {"server_tls": tls.server, "client_tls": tls.client} if encrypted else {}
    a, b = await connect(place, serves=near, **more)
    loop = asyncio.get_running_loop()
    with open(tmp_path / "file", "rb") as file:
        a.transport.write(b"before ")
        assert await loop.sendfile(a.transport, file) == len(text)
        a.transport.write(b" after")
        await b.has(b"before " + text + b" after")
        assert file.tell() == len(text)
        b.data.clear()
        assert await loop.sendfile(a.transport, file, 100, 50) == 50
        assert file.tell() == 150
        await b.has(text[100:150])
        assert await loop.sendfile(a.transport, file, len(text)) == 0
    await close(a)
    await b.lost
    with open(tmp_path / "file", "rb") as file, pytest.raises(RuntimeError, match="closing"):
        await loop.sendfile(a.transport, file)


async def test_the_peer_goes_while_a_file_is_sent(place: Place, near: bool, tmp_path: Path):
    (tmp_path / "file").write_bytes(bytes(30_000_000))
    a, b = await connect(place, serves=near)
    b.transport.pause_reading()

    async def leave() -> None:
        await asyncio.sleep(0.05)
        b.transport.abort()  # with data that nobody has read

    with open(tmp_path / "file", "rb") as file:
        task = asyncio.create_task(leave())
        with pytest.raises(ConnectionError):
            await asyncio.get_running_loop().sendfile(a.transport, file)
        await task
    a.transport.abort()
    await a.lost
    await b.lost
