"""What stood still when a world ended goes in silence, whatever it has in its `finally`."""

from __future__ import annotations

import asyncio
import gc
import logging
import socket
import ssl
import sys
import warnings
from collections.abc import Iterator
from contextlib import suppress
from typing import Any

import pytest
import trustme

from lastack.aio import Escaped, World, WorldStuck, garbage
from lastack.sim.world import WorldLimit

KEPT: list[Any] = []


class Library:
    """Minds how it is ended, as libraries do: by a warning, a word to the loop, and in the log."""

    def __init__(self) -> None:
        self.loop = asyncio.get_running_loop()
        self.closed = False

    async def close(self) -> None:
        await asyncio.sleep(1)
        self.closed = True

    def __del__(self) -> None:
        if not self.closed:
            warnings.warn("not closed", ResourceWarning, source=self, stacklevel=2)
            self.loop.call_exception_handler({"message": "not closed"})


async def careful() -> None:
    """Waits for ever; its end takes a while, and wants a loop and the network."""
    library = Library()
    KEPT.append(asyncio.current_task())
    try:
        await asyncio.Event().wait()
    finally:
        with suppress(Escaped):
            KEPT.append(socket.socket())
        logging.getLogger("careful").error("it ends")
        try:
            await asyncio.sleep(1)
        finally:
            await asyncio.create_task(library.close())


@pytest.fixture
def heard(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """What Python could not raise anywhere."""
    found: list[Any] = []
    monkeypatch.setattr(sys, "unraisablehook", found.append)
    return found


@pytest.mark.parametrize("how", ["end", "crash", "kill"])
def test_a_program_that_minds_how_it_ends_is_not_heard(
    how: str, heard: list[Any], caplog: pytest.LogCaptureFixture, recwarn: pytest.WarningsRecorder
):
    async def main() -> None:
        await asyncio.sleep(1)
        asyncio.get_running_loop().set_exception_handler(lambda *told: heard.append(told))
        if how != "end":
            getattr(world, how)("server")
        await asyncio.sleep(1)

    world = World()
    world.host("server", careful)
    world.run(main())
    assert len(KEPT) == 1
    KEPT.clear()
    gc.collect()
    assert (heard, caplog.records, list(recwarn)) == ([], [], [])
    assert not logging.root.manager.disable


@pytest.mark.parametrize("host", ["server", "localhost"])
@pytest.mark.parametrize("limit", [False, True])
def test_a_world_that_fails_ends_as_any_other(host: str, limit: bool, caplog: pytest.LogCaptureFixture):
    """Hosts stand still and what runs on localhost is cancelled, without a word."""
    ended: list[str] = []

    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            await reader.read()
        finally:
            ended.append("server")
            writer.close()

    async def serve() -> None:
        await (await asyncio.start_server(handle, port=80)).serve_forever()

    async def main() -> None:
        if host == "localhost":
            KEPT.append(asyncio.create_task(serve()))
        await asyncio.sleep(1)
        _, writer = await asyncio.open_connection(host, 80)
        try:
            while limit:
                await asyncio.sleep(7)
            await asyncio.Event().wait()
        finally:
            await asyncio.sleep(0 if limit else 1)
            ended.append("client")
            writer.close()

    world = World(max_time=100)
    if host == "server":
        world.host("server", serve)
    with pytest.raises(WorldLimit if limit else WorldStuck):
        world.run(main())
    KEPT.clear()
    assert ended == ["client", "server"]
    assert not caplog.records


@pytest.mark.parametrize("secure", [False, True])
def test_connections_that_stood_still_are_not_heard(
    secure: bool, heard: list[Any], caplog: pytest.LogCaptureFixture, recwarn: pytest.WarningsRecorder
):
    ca, listening, asking = trustme.CA(), ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER), ssl.create_default_context()
    ca.issue_cert("server").configure_cert(listening)
    ca.configure_trust(asking)

    async def serve() -> None:
        async with await asyncio.start_server(
            lambda *both: kept.append(both), port=80, ssl=listening if secure else None
        ) as server:
            await server.serve_forever()

    async def talk() -> None:
        kept.append(await asyncio.open_connection("server", 80, ssl=asking if secure else None))
        await asyncio.Event().wait()

    kept: list[Any] = []
    world = World()
    world.host("server", serve)
    world.host("client", talk)
    world.run(asyncio.sleep(5))
    assert kept
    kept.clear()
    del world
    gc.collect()
    assert (heard, caplog.records, list(recwarn)) == ([], [], [])


@pytest.mark.skipif(sys.version_info < (3, 12), reason="tasks begin at once from Python 3.12 on")
@pytest.mark.parametrize("how", ["end", "crash", "kill"])
def test_tasks_that_were_made_without_the_loop_stand_still_too(how: str):
    done: list[str] = []

    async def work() -> None:
        try:
            await asyncio.sleep(10)
        finally:
            done.append(socket.gethostname())

    async def serve() -> None:
        tasks.append(asyncio.Task(work(), loop=asyncio.get_running_loop(), eager_start=True))
        await asyncio.Event().wait()

    async def main() -> None:
        await asyncio.sleep(1)
        if how != "end":
            getattr(world, how)("server")
            await asyncio.sleep(20)
        assert not done

    tasks: list[Any] = []
    world = World()
    world.host("server", serve)
    world.run(main())
    assert done == ["server"]  # when all was over


@pytest.fixture
def collected_by_hand() -> Iterator[None]:
    gc.collect()
    gc.disable()
    yield
    gc.enable()


@pytest.mark.usefixtures("collected_by_hand")
@pytest.mark.parametrize("another", [False, True])
def test_what_the_error_of_a_world_holds_goes_in_silence(
    another: bool, heard: list[Any], caplog: pytest.LogCaptureFixture, recwarn: pytest.WarningsRecorder
):
    """The program's sockets at once; what a library minds with the next world, which looks for it."""

    async def serve() -> None:
        async with await asyncio.start_server(lambda *_: None, port=80) as server:
            await server.serve_forever()

    async def main() -> None:
        ends = [await asyncio.open_connection("server", 80)]
        ends.append(ends)  # type: ignore[arg-type]
        if another:
            library = Library()
            library.me = library  # type: ignore[attr-defined]
        raise ValueError(ends)

    world = World()
    world.host("server", serve)
    with pytest.raises(ValueError, match="StreamReader") as caught:
        world.run(main())
    del caught, world
    if another:
        World().run(asyncio.sleep(1))
    gc.collect()
    assert (heard, caplog.records, list(recwarn)) == ([], [], [])


def test_it_does_so_too_where_many_worlds_are_over(
    heard: list[Any], caplog: pytest.LogCaptureFixture, recwarn: pytest.WarningsRecorder
):
    threshold, garbage._Held.worlds = gc.get_threshold(), garbage._WORLDS
    gc.collect()
    gc.set_threshold(0)

    async def main() -> None:
        library = Library()
        library.me = library  # type: ignore[attr-defined]
        raise ValueError(library)

    try:
        for number in range(2 * garbage._WORLDS):
            world = World()
            if number != garbage._WORLDS:
                world.run(asyncio.sleep(1))
            else:
                with pytest.raises(ValueError, match="Library") as caught:
                    world.run(main())
                del caught
    finally:
        gc.set_threshold(*threshold)
    assert (heard, caplog.records, list(recwarn)) == ([], [], [])
