"""One seed is one run, also in another process: where objects lie, and how texts are hashed, changes nothing."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
from pathlib import Path

from lastack.aio import World

_PROGRAM = """
import sys
from tests.aio.test_order import run
kept = [object() for _ in range(int(sys.argv[1]))]
print(run())
"""


async def serve() -> None:
    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read()
        writer.close()

    # Four sockets, and four ports that are drawn.
    hosts = [*world["server"].addresses, "127.0.0.1", "::1"]
    async with await asyncio.start_server(handle, hosts, 0) as drawn, await asyncio.start_server(handle, None, 80):
        ports.extend(one.getsockname()[1] for one in drawn.sockets)
        await drawn.serve_forever()


async def tell_at_the_end(number: int) -> None:
    _, writer = await asyncio.open_connection("server", 80)
    try:
        await asyncio.sleep(100)
    finally:
        writer.write(b"%d" % number)
        writer.close()


async def fail() -> None:
    await asyncio.sleep(1)
    raise ValueError("on purpose")


async def main() -> None:
    try:
        async with asyncio.TaskGroup() as group:
            for number in range(30):
                group.create_task(tell_at_the_end(number))
            group.create_task(fail())
    except* ValueError:
        await asyncio.sleep(1)


def run() -> str:
    """What happens in a world where a set of tasks is cancelled, and a set of addresses is listened on."""
    global world
    ports.clear()
    world = World(seed=7)
    world.host("server", serve, addresses=("10.1.0.1/8", "fd00::1/64"))
    trace = world.trace_hash()
    world.run(main())
    return f"{trace.hexdigest()} {ports}"


ports: list[int] = []
world: World


def test_sets_of_tasks_and_addresses_have_one_order():
    root = Path(__file__).parents[2]
    runs = {run()}
    for kept in (1, 333, 4000):
        environment = {**os.environ, "PYTHONHASHSEED": str(kept), "PYTHONPATH": f"{root}:{root / 'src'}"}
        command = [sys.executable, "-c", _PROGRAM, str(kept)]
        runs.add(subprocess.run(command, env=environment, capture_output=True, text=True, check=True).stdout.strip())
    assert len(runs) == 1
