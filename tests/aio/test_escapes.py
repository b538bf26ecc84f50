"""What would leave the simulation, and somebody caught, is told at the end of the run."""

from __future__ import annotations

import asyncio
import re
import socket
import subprocess
import sys
import sysconfig
import time
import warnings
from collections.abc import Callable
from contextlib import suppress
from typing import Any

import pytest

from lastack.aio import Escaped, EscapedWarning, SimulatedLoop, World
from tests.aio.somebody import counts

pytest_plugins = ["pytester"]


async def naps() -> None:
    """A server that answers each request, as frameworks do."""

    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(1)
        try:
            time.sleep(1)
            writer.write(b"200")
        except Exception:
            writer.write(b"500")
        writer.close()

    async with await asyncio.start_server(handle, port=80) as server:
        await server.serve_forever()


async def ask() -> bytes:
    reader, writer = await asyncio.open_connection("server", 80)
    writer.write(b"x")
    try:
        return await reader.read()
    finally:
        writer.close()


def made() -> World:
    world = World()
    world.host("server", naps)
    return world


NAP = r"time\.sleep, in .*test_escapes\.py:\d+, on server: await asyncio\.sleep.*"


def test_a_run_that_ends_well_ends_with_a_warning():
    async def main() -> list[bytes]:
        return [await ask() for _ in range(3)]

    world = made()
    with pytest.warns(EscapedWarning) as caught:
        assert world.run(main()) == [b"500"] * 3
    (warning,) = caught
    first, *told = str(warning.message).splitlines()
    assert first == "somebody caught what would leave the simulation, and the program went on:"
    assert re.fullmatch(f"  {NAP}", *told)
    with open(warning.filename) as file:
        assert file.read().splitlines()[warning.lineno - 1] == "            time.sleep(1)"
    assert [f"  {one}" for one in world.escapes] == told


def test_a_run_that_fails_has_a_note():
    async def main() -> None:
        assert await ask() == b"200"

    with pytest.raises(AssertionError) as caught:
        made().run(main())
    note = caught.value.__notes__[-1]
    assert re.fullmatch(rf"before that, somebody caught what would leave the simulation:\n  {NAP}", note)


@pytest.mark.parametrize("caught_first", [False, True])
@pytest.mark.parametrize("chained", [False, True])
def test_what_the_run_fails_by_is_not_told_twice(caught_first: bool, chained: bool):
    async def main() -> None:
        if caught_first:
            await ask()
        try:
            subprocess.run([sys.executable, "-c", ""], check=False)
        except Escaped as error:
            if not chained:
                raise
            raise ValueError from error

    with pytest.raises(ValueError if chained else Escaped) as caught:
        made().run(main())
    told = [note for note in caught.value.__notes__ if "somebody caught" in note]
    assert len(told) == caught_first
    assert not any("a process" in note for note in told)


@pytest.mark.parametrize("call", ["time.sleep(1)", "subprocess.run(['true'])"])
def test_what_a_library_does_of_itself_is_told_with_its_line_and_not_with_that_which_runs_the_world(call: str):
    file = f"{sysconfig.get_path('purelib')}/framework.py"
    made: dict[str, Any] = {"time": time, "subprocess": subprocess, "suppress": suppress}
    exec(compile(f"async def handle():\n    with suppress(Exception):\n        {call}\n", file, "exec"), made)

    async def main() -> None:
        await asyncio.gather(made["handle"]())

    world = World()
    with pytest.warns(EscapedWarning) as caught:
        world.run(main())
    (warning,) = caught
    assert (warning.filename, warning.lineno) == (file, 3)
    assert f", in {file}:3, on localhost" in str(warning.message)


def test_what_the_loop_calls_is_told_with_the_line_of_the_loop():
    async def main() -> None:
        asyncio.get_running_loop().call_soon(time.sleep, 1)
        await asyncio.sleep(1)

    world = World()
    with pytest.raises(Escaped):
        world.run(main())
    (told,) = world.escapes
    assert f"in {asyncio.events.__file__}:" in told


def test_some_are_told_and_each_line_once():
    async def main() -> None:
        for _ in range(3):
            for wait in waits:
                with suppress(Escaped):
                    wait()

    waits: list[Callable[[], Any]] = [
        lambda: socket.socket(socket.AF_UNIX),
        lambda: time.sleep(1),
        lambda: time.sleep(2),
        lambda: socket.socketpair(),
        lambda: asyncio.get_running_loop().add_reader(0, print),
        lambda: subprocess.run([sys.executable, "-c", ""], check=False),
        lambda: time.sleep(3),
    ]
    world = World()
    with pytest.warns(EscapedWarning) as caught:
        world.run(main())
    assert len(caught) == 1
    words = ["a socket of AF_UNIX", "time.sleep", "time.sleep", "a socketpair", "waiting for file descriptor 0"]
    assert [told.partition(",")[0] for told in world.escapes] == words
    assert all(" on localhost: " in told for told in world.escapes)


def test_who_catches_it_on_purpose_may_say_so():
    async def main() -> str:
        try:
            socket.socket(socket.AF_UNIX)
        except Escaped:
            return "another way"
        return "this way"

    with warnings.catch_warnings():
        warnings.simplefilter("error")
        warnings.filterwarnings("ignore", category=EscapedWarning)
        assert World().run(main()) == "another way"
        warnings.filterwarnings("error", category=EscapedWarning)
        with pytest.raises(EscapedWarning, match="a socket of AF_UNIX"):
            World().run(main())


def test_without_a_world_of_ones_own_too():
    async def main() -> None:
        with suppress(Escaped):
            time.sleep(1)

    with (
        pytest.warns(EscapedWarning, match=r"time\.sleep.* on localhost"),
        asyncio.Runner(loop_factory=SimulatedLoop) as runner,
    ):
        runner.run(main())


def test_what_is_laid_to_rest_is_not_told():
    """Its `finally` counts no more."""

    async def serve() -> None:
        try:
            await asyncio.Event().wait()
        finally:
            ended.append(time.sleep(1))  # type: ignore[func-returns-value]

    ended: list[None] = []
    world = World()
    world.host("server", serve)
    world.run(asyncio.sleep(1))
    assert list(world.escapes) == ended == []


def test_nothing_outside_is_told():
    Escaped("this", "that")
    world = World()
    world.run(asyncio.sleep(1))
    assert list(world.escapes) == []


def test_the_report_of_pytest_has_it(run: Any):
    done = run(
        """
    import time

    async def handle(reader, writer):
        try:
            time.sleep(1)
        except Exception:
            writer.write(b"500")
        writer.close()

    async def serve():
        async with await asyncio.start_server(handle, port=80) as server:
            await server.serve_forever()

    async def ask(world):
        world.host("server", serve)
        await asyncio.sleep(1)
        reader, writer = await asyncio.open_connection("server", 80)
        answer = await reader.read()
        writer.close()
        return answer

    async def test_well(world):
        assert await ask(world) == b"500"

    async def test_badly(world):
        assert await ask(world) == b"200"

    @pytest.mark.filterwarnings("ignore::lastack.aio.EscapedWarning")
    async def test_on_purpose(world):
        assert await ask(world) == b"500"
        """,
        *("-W", "always"),
    )
    assert counts(done) == {"failed": 1, "passed": 2, "warnings": 1}
    done.stdout.fnmatch_lines(
        [
            "E       before that, somebody caught what would leave the simulation:",
            "E         time.sleep, in *test_it.py:*, on server: await asyncio.sleep*",
            "*test_it.py:*: EscapedWarning: somebody caught what would leave the simulation, and the program went on:",
            "    time.sleep, in *test_it.py:*, on server: await asyncio.sleep*",
        ]
    )
