"""What was imported by name before a world ran is the world's as well, and clocks agree however they are read."""

from __future__ import annotations

import asyncio
import os
import socket
import sys
import threading
import time
import uuid
from multiprocessing import get_context
from os import urandom as early_urandom
from pathlib import Path
from socket import socket as early_socket
from time import monotonic as early_monotonic
from time import sleep as early_sleep
from time import time as early_time
from typing import Any

import pytest
from aiohttp import ClientSession, TCPConnector, web

from lastack.aio import Escaped, World
from lastack.aio.ground import BEGINNING

# These tests catch it on purpose.
pytestmark = pytest.mark.filterwarnings("ignore::lastack.aio.EscapedWarning")


def test_names_that_were_imported_early_are_the_worlds():
    held = (early_monotonic, early_time, early_sleep, early_urandom, early_socket)

    async def main() -> tuple[Any, ...]:
        began = early_monotonic()
        await asyncio.sleep(3600)
        assert early_monotonic() - began == 3600
        assert early_time() == BEGINNING + 3600
        with pytest.raises(Escaped):
            early_sleep(1)
        with early_socket() as made:
            return early_urandom(8), made.fileno() >= 1 << 30

    assert World(1).run(main()) == World(1).run(main())
    assert (early_monotonic, early_time, early_sleep, early_urandom, early_socket) == held
    assert early_monotonic is time.monotonic


def test_a_module_that_is_imported_meanwhile_keeps_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    (tmp_path / "came_late.py").write_text("from time import monotonic\n")
    monkeypatch.syspath_prepend(tmp_path)

    async def main() -> None:
        import came_late

        assert came_late.monotonic() == 0

    try:
        World().run(main())
        assert sys.modules["came_late"].monotonic is time.monotonic
    finally:
        sys.modules.pop("came_late", None)


@pytest.mark.parametrize(("seconds", "same"), [(1, True), (3, False)])
def test_an_idle_connection_of_aiohttp_ends_in_virtual_time(seconds: int, same: bool):
    async def answer(request: web.Request) -> web.Response:
        assert request.transport is not None
        return web.Response(text=str(request.transport.get_extra_info("peername")[1]))

    async def main() -> None:
        app = web.Application()
        app.router.add_get("/", answer)
        runner = web.AppRunner(app, keepalive_timeout=3600)
        await runner.setup()
        await web.TCPSite(runner, None, 80).start()
        async with ClientSession(connector=TCPConnector(keepalive_timeout=2)) as session:
            ports = []
            for wait in (seconds, 0):
                async with session.get("http://127.0.0.1/") as response:
                    ports.append(await response.text())
                await asyncio.sleep(wait)
        await runner.cleanup()
        assert (ports[0] == ports[1]) == same

    World().run(main())


def test_a_deadline_in_a_thread_comes():
    def work() -> int:
        deadline, turns = time.monotonic() + 1, 0
        while time.monotonic() < deadline and turns < 100:
            time.sleep(0.125)
            turns += 1
        return turns

    async def main() -> None:
        assert await asyncio.to_thread(work) == 8
        assert asyncio.get_running_loop().time() == time.monotonic() == 1

    World().run(main())


def test_another_thread_may_not_wake_the_loop():
    found: list[BaseException] = []
    loops: list[asyncio.AbstractEventLoop] = []
    called: list[int] = []
    go, busy = threading.Event(), threading.Lock()
    busy.acquire()

    def outside() -> None:
        go.wait()
        try:
            loops[0].call_soon_threadsafe(print)
        except Escaped as error:
            found.append(error)
        finally:
            busy.release()

    async def main() -> None:
        loops.append(asyncio.get_running_loop())
        go.set()
        assert busy.acquire(timeout=10)
        loops[0].call_soon_threadsafe(called.append, 1)
        await asyncio.sleep(0)
        assert called == [1]

    thread = threading.Thread(target=outside)
    thread.start()
    World().run(main())
    thread.join()
    assert [type(one) for one in found] == [Escaped]


def test_multiprocessing_starts_no_process():
    async def main() -> None:
        with pytest.raises(Escaped, match="a process"):
            get_context("spawn").Process(target=print).start()

    World().run(main())


def test_a_socket_has_the_timeout_that_was_asked_for():
    async def main() -> None:
        with socket.socket(type=socket.SOCK_STREAM | socket.SOCK_NONBLOCK) as sock:
            assert sock.gettimeout() == 0
        with socket.socket() as sock:
            assert sock.gettimeout() is None
        socket.setdefaulttimeout(7)
        try:
            with socket.socket() as sock:
                assert sock.gettimeout() == 7
        finally:
            socket.setdefaulttimeout(None)

    World().run(main())


def test_names_are_asked_for_in_every_way():
    async def main() -> None:
        assert socket.gethostbyname_ex("b.example") == ("b.example", [], ["10.7.0.1"])
        assert socket.gethostbyaddr("10.7.0.1") == ("b.example", [], ["10.7.0.1"])
        assert socket.gethostbyaddr("127.0.0.1")[0] == "localhost"
        assert socket.getnameinfo(("10.7.0.1", 80), 0) == ("b.example", "http")
        assert (socket.getfqdn("10.7.0.1"), socket.getfqdn()) == ("b.example", "localhost")
        with pytest.raises(socket.herror):
            socket.gethostbyaddr("10.99.0.1")
        with pytest.raises(socket.gaierror):
            socket.gethostbyname_ex("nobody")

    world = World()
    world.host("b.example", addresses="10.7.0.1/8")
    world.run(main())


def test_all_clocks_agree():
    async def main() -> list[Any]:
        await asyncio.sleep(61)
        assert time.gmtime()[:6] == time.gmtime(BEGINNING + 61)[:6] == (2026, 1, 1, 0, 1, 1)
        assert time.localtime() == time.localtime(BEGINNING + 61)
        assert time.ctime() == time.asctime() == time.ctime(BEGINNING + 61)
        assert time.strftime("%s") == str(BEGINNING + 61)
        assert time.strftime("%Y", time.gmtime(0)) == "1970"
        assert time.clock_gettime(time.CLOCK_REALTIME) == time.time()
        assert time.clock_gettime_ns(time.CLOCK_MONOTONIC) == time.monotonic_ns() == 61 * 10**9
        first, second = uuid.uuid1(), uuid.uuid1()
        assert (first.version, second.time - first.time) == (1, 1)
        assert first.time // 10_000_000 - 0x01B21DD213814000 // 10_000_000 == BEGINNING + 61
        return [first, second, os.getrandom(8)]

    assert World(3).run(main()) == World(3).run(main())
    assert abs(time.time() - time.mktime(time.localtime())) < 5
