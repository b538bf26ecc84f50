"""Programs that are cancelled wherever they wait: nothing of theirs is left over, and nobody complains.

A scenario is run again and again, and cancelled at its first suspension, at its second, and so on, until it gets
through; each time at once, soon, or while something is under way.
"""

from __future__ import annotations

import asyncio
import gc
import sys
import types
from collections.abc import Callable, Coroutine, Generator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from tests.aio.conftest import Tls
from tests.aio.ends import Recorder
from tests.aio.places import Place, Simulated

# After how many seconds of a suspension the cancelling comes; None is at once. A path takes 0.5 ms each way.
MOMENTS = {"at once": None, "soon": 0.0, "later": 0.0003}
TEXT = bytes(range(256)) * 400

Scenario = Callable[["Stage"], Coroutine[Any, Any, None]]


class Stage:
    """Where a scenario plays: a server that echoes, and clients for who serves."""

    def __init__(self, place: Place, tls: Tls, file: Path) -> None:
        self.place = place
        self.tls = tls
        self.file = file
        self.echo: Any = None  # addresses of the servers
        self.echo_tls: Any = None
        self.visitors: list[asyncio.Task[None]] = []
        self._servers: list[Any] = []

    async def begin(self) -> None:
        """Let the others be there."""

        async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            with suppress(OSError):
                while data := await reader.read(65536):
                    if data == b"STARTTLS":
                        writer.write(b"go")
                        await writer.start_tls(self.tls.server)
                        continue
                    writer.write(data)
                    await writer.drain()
            writer.close()

        for name, context in (("echo", None), ("echo_tls", self.tls.server)):
            listener = self.place.listener(near=False)
            setattr(self, name, listener.getsockname())
            self._servers.append(await asyncio.start_server(handle, sock=listener, ssl=context))

    def visit(self, address: Any, count: int = 1) -> None:
        """Let clients come who say something, and read what they hear until its end."""

        async def visit() -> None:
            loop = asyncio.get_running_loop()
            sock = self.place.far_socket()
            with suppress(OSError):
                await loop.sock_connect(sock, address)
                await loop.sock_sendall(sock, TEXT[:1000])
                while await loop.sock_recv(sock, 65536):
                    pass
            sock.close()

        self.visitors += [asyncio.create_task(visit()) for _ in range(count)]

    async def end(self) -> None:
        """Let the others go."""
        for server in self._servers:
            server.close()
        if self.visitors:
            await asyncio.wait(self.visitors, timeout=5)


@types.coroutine
def cancelled_at(coroutine: Coroutine[Any, Any, None], number: int, moment: float | None) -> Generator[Any, Any, bool]:
    """Run a coroutine in the current task, which is cancelled when it waits for the `number`th time; whether it got
    so far."""
    task, loop = asyncio.current_task(), asyncio.get_running_loop()
    assert task is not None
    error: BaseException | None = None
    planned: asyncio.Handle | None = None
    count = 0
    while True:
        try:
            waited = coroutine.send(None) if error is None else coroutine.throw(error)
        except BaseException as over:
            if planned is not None:
                planned.cancel()
            if isinstance(over, StopIteration):
                return count > number
            raise
        if count == number:
            if moment is None:
                task.cancel()
            else:
                planned = loop.call_later(moment, task.cancel)
        count += 1
        error = None
        try:
            yield waited
        except BaseException as thrown:
            error = thrown


# --- scenarios, as good programs are written ---


async def client_of_streams(stage: Stage) -> None:
    await _talk(*await asyncio.open_connection(*stage.echo))


async def client_of_tls(stage: Stage) -> None:
    await _talk(*await asyncio.open_connection(*stage.echo_tls, ssl=stage.tls.client, server_hostname="localhost"))


async def client_that_upgrades(stage: Stage) -> None:
    reader, writer = await asyncio.open_connection(*stage.echo)
    try:
        writer.write(b"STARTTLS")
        await reader.readexactly(2)
        await writer.start_tls(stage.tls.client, server_hostname="localhost")
        writer.write(b"hello")
        assert await reader.readexactly(5) == b"hello"
    finally:
        writer.close()


async def _talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    try:
        writer.write(TEXT)
        await writer.drain()
        assert await reader.readexactly(len(TEXT)) == TEXT
        if writer.can_write_eof():
            writer.write_eof()
            assert await reader.read() == b""
    finally:
        writer.close()
        with suppress(OSError):  # TLS minds what comes after its close
            await writer.wait_closed()


async def client_of_several_addresses(stage: Stage) -> None:
    silent = stage.place.listener(near=False, backlog=None)
    loop = asyncio.get_running_loop()
    infos = [(2, 1, 6, "", silent.getsockname()), (2, 1, 6, "", stage.echo)]

    async def known(*_: Any, **__: Any) -> list[Any]:
        return infos

    loop.getaddrinfo = known  # type: ignore[method-assign]
    try:
        transport, _ = await loop.create_connection(Recorder, "name", 1)
        transport.close()
    finally:
        del loop.getaddrinfo  # type: ignore[method-assign]
        silent.close()


async def client_of_bare_sockets(stage: Stage) -> None:
    loop = asyncio.get_running_loop()
    with stage.place.near_socket() as sock, open(stage.file, "rb") as file:
        await loop.sock_connect(sock, stage.echo)
        sender = asyncio.create_task(loop.sock_sendall(sock, TEXT))
        try:
            buffer, size = bytearray(65536), 0
            while size < len(TEXT):
                size += await loop.sock_recv_into(sock, buffer)
            await loop.sock_sendfile(sock, file, 0, 20_000)
            assert await loop.sock_recv(sock, 10) == TEXT[:10]
        finally:
            sender.cancel()
            with suppress(asyncio.CancelledError):
                await sender


async def sender_of_files(stage: Stage) -> None:
    loop = asyncio.get_running_loop()
    transport, protocol = await loop.create_connection(Recorder, *stage.echo)
    try:
        with open(stage.file, "rb") as file:
            await loop.sendfile(transport, file)
        transport.write_eof()
        await asyncio.shield(protocol.lost)
    finally:
        transport.close()


async def server_of_streams(stage: Stage) -> None:
    await _serve(stage, None)


async def _serve(stage: Stage, context: Any) -> None:
    served: asyncio.Queue[bytes] = asyncio.Queue()

    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            served.put_nowait(await reader.readexactly(1000))
            writer.write(TEXT)
            await writer.drain()
        finally:
            writer.close()

    # Begun in two steps: where create_server itself is cancelled it forgets what it has opened.
    server = await asyncio.start_server(handle, sock=stage.place.listener(near=True), ssl=context, start_serving=False)
    async with server:
        await server.start_serving()
        stage.visit(server.sockets[0].getsockname(), 2)
        assert await served.get() == TEXT[:1000]
        assert await served.get() == TEXT[:1000]


async def server_by_hand(stage: Stage) -> None:
    loop = asyncio.get_running_loop()
    with stage.place.listener(near=True) as listener:
        stage.visit(listener.getsockname())
        sock, _ = await loop.sock_accept(listener)
        with sock:
            assert await loop.sock_recv(sock, 1000)
            await loop.sock_sendall(sock, TEXT)


async def server_that_takes_what_is_connected(stage: Stage) -> None:
    loop = asyncio.get_running_loop()
    with stage.place.listener(near=True) as listener:
        stage.visit(listener.getsockname())
        sock, _ = await loop.sock_accept(listener)
        try:
            transport, protocol = await loop.connect_accepted_socket(Recorder, sock)
        except BaseException:
            sock.close()
            raise
        transport.write(TEXT)
        transport.close()
        await asyncio.shield(protocol.lost)


SCENARIOS = [
    client_of_streams,
    client_of_tls,
    client_that_upgrades,
    client_of_several_addresses,
    client_of_bare_sockets,
    sender_of_files,
    server_of_streams,
    server_by_hand,
    server_that_takes_what_is_connected,
]


@pytest.fixture
def complaints(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """What could be said to nobody: warnings of what is collected."""
    monkeypatch.setattr(sys, "unraisablehook", lambda _: None)
    gc.collect()  # what other tests have left is none of ours
    found: list[Any] = []
    monkeypatch.setattr(sys, "unraisablehook", found.append)
    return found


# Over the kernel a later moment may be that of an event, and asyncio then drops what sock_accept has taken.
WHERE = [(Place, None), *((Simulated, moment) for moment in MOMENTS.values())]


@pytest.mark.parametrize(("make", "moment"), WHERE, ids=["kernel", *(f"world {moment}" for moment in MOMENTS)])
@pytest.mark.parametrize("scenario", SCENARIOS, ids=lambda scenario: scenario.__name__)
def test_cancelled_wherever_it_waits(
    make: type[Place], scenario: Scenario, moment: float | None, tls: Tls, complaints: list[Any], tmp_path: Path
):
    (tmp_path / "file").write_bytes(TEXT)
    number, there = 0, True
    while there:

        async def main(place: Place) -> bool:
            stage = Stage(place, tls, tmp_path / "file")
            await stage.begin()
            try:
                return await cancelled_at(scenario(stage), number, moment)  # noqa: B023 (it runs now)
            except asyncio.CancelledError:
                return True
            finally:
                await stage.end()

        there = make().run(main)
        number += 1 + number // 12  # what many segments bring is much the same
    gc.collect()
    assert not complaints
    assert number > 1
