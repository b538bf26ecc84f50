"""A project of somebody who has lastack and pytest."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

# Known before, so that runs within this one do not import them anew.
from lastack.aio import pytest_runs
from lastack.trace import pcapng

assert pytest_runs
assert pcapng

ROOT = Path(__file__).parents[2]
PROGRAM = """
    import asyncio
    import random
    from contextlib import closing, suppress

    import pytest

    async def serve():
        async def handle(reader, writer):
            with suppress(OSError):
                while line := await reader.readline():
                    writer.write(line.upper())
            writer.close()

        async with await asyncio.start_server(handle, port=80) as server:
            await server.serve_forever()

    async def ask(times, pause=1.0):
        reader, writer = await asyncio.open_connection("server", 80)
        with closing(writer):
            for _ in range(times):
                writer.write(b"hello\\n")
                assert await reader.readline() == b"HELLO\\n"
                await asyncio.sleep(pause)
"""


@pytest.fixture
def run(pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch):
    """Run a file of tests with these options."""
    monkeypatch.setenv("PYTHONPATH", str(ROOT / "src"), prepend=os.pathsep)

    def play(tests: str, *options: str, process: bool = False) -> pytest.RunResult:
        pytester.makepyfile(test_it=PROGRAM + tests)
        start = pytester.runpytest_subprocess if process else pytester.runpytest
        return start("-p", "lastack.aio.pytest_plugin", "-p", "no:cacheprovider", *options)

    return play


def counts(done: pytest.RunResult) -> dict[str, int]:
    return {name: number for name, number in done.parseoutcomes().items() if number}
