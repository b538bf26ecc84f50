"""What a program leaves open is complained of as over plain asyncio, and asyncio's debug mode works."""

from __future__ import annotations

import asyncio
import gc
import socket
import warnings
from collections.abc import Callable, Coroutine
from typing import Any

import pytest

from lastack.aio import SimulatedLoop
from tests.aio.conftest import Tls
from tests.aio.ends import Recorder, close, connect
from tests.aio.places import Place, Simulated

Loop = Callable[[], asyncio.AbstractEventLoop]


async def an_open_connection() -> None:
    server = await asyncio.get_running_loop().create_server(Recorder, "127.0.0.1", 0)
    await asyncio.open_connection(*server.sockets[0].getsockname())
    await asyncio.sleep(0.01)
    server.close()


async def an_open_server() -> None:
    await asyncio.get_running_loop().create_server(Recorder, "127.0.0.1", 0)


async def an_open_socket() -> None:
    sock = socket.socket()
    sock.bind(("127.0.0.1", 0))


async def a_connected_socket() -> None:
    loop = asyncio.get_running_loop()
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen()
        sock = socket.socket()
        sock.setblocking(False)
        await loop.sock_connect(sock, listener.getsockname())


async def a_task_that_is_not_awaited() -> None:
    asyncio.create_task(asyncio.sleep(100))  # noqa: RUF006


async def a_coroutine_that_is_not_awaited() -> None:
    asyncio.sleep(1)


async def nothing() -> None:
    server = await asyncio.get_running_loop().create_server(Recorder, "127.0.0.1", 0)
    _, writer = await asyncio.open_connection(*server.sockets[0].getsockname())
    writer.close()
    await writer.wait_closed()
    server.close()
    await asyncio.sleep(0.01)


def warned(loop: Loop, main: Callable[[], Coroutine[Any, Any, None]]) -> list[tuple[str, str]]:
    """What is warned of: of which kind, and the words before a name."""
    gc.collect()
    with warnings.catch_warnings(record=True) as found:
        warnings.simplefilter("always")
        with asyncio.Runner(loop_factory=loop) as runner:
            runner.run(main())
        gc.collect()
    return sorted((one.category.__name__, str(one.message).partition("<")[0]) for one in found)


@pytest.mark.parametrize(
    "main",
    [
        an_open_connection,
        an_open_server,
        an_open_socket,
        a_connected_socket,
        a_task_that_is_not_awaited,
        a_coroutine_that_is_not_awaited,
        nothing,
    ],
    ids=lambda main: main.__name__,
)
def test_warnings_are_those_of_plain_asyncio(main: Callable[[], Coroutine[Any, Any, None]]):
    plain = warned(asyncio.SelectorEventLoop, main)
    assert bool(plain) == (main not in (nothing, a_task_that_is_not_awaited))
    assert warned(SimulatedLoop, main) == plain


async def debugged(place: Place, tls: Tls) -> None:
    loop = asyncio.get_running_loop()
    loop.slow_callback_duration = 60.0  # the machine may have other things to do
    a, b = await connect(place, server_tls=tls.server, client_tls=tls.client)
    a.transport.write(b"hello")
    await b.has(b"hello")
    await close(a)
    await b.lost
    sock = place.near_socket()
    sock.setblocking(True)
    for call in (loop.sock_recv(sock, 1), loop.sock_sendall(sock, b""), loop.sock_connect(sock, ("127.0.0.1", 80))):
        with pytest.raises(ValueError, match="the socket must be non-blocking"):
            await call
    sock.close()
    with pytest.raises(TypeError, match="coroutine"):
        loop.call_soon(debugged)
    await asyncio.to_thread(len, "")


@pytest.mark.parametrize("make", [Place, Simulated], ids=["kernel", "world"])
def test_debug_mode(make: type[Place], tls: Tls, caplog: pytest.LogCaptureFixture):
    make().run(lambda place: debugged(place, tls), debug=True)
    assert not [record for record in caplog.records if record.levelname in ("WARNING", "ERROR")]
