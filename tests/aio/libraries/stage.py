"""Where the programs are run: two hosts of a world, or a device with the kernel behind it."""

from __future__ import annotations

import asyncio
import subprocess
import sys
from collections.abc import Awaitable, Callable, Coroutine
from contextlib import suppress
from functools import partial
from pathlib import Path
from types import ModuleType
from typing import Any

from lastack.aio import DeviceLoop, World
from lastack.device.sandbox import Sandbox

ROOT = Path(__file__).parents[3]
OURS, KERNEL = "10.9.0.7", "10.9.0.1"
OURS6, KERNEL6 = "fd09::7", "fd09::1"
PORT = 8080
# Seconds in which anything over a device must be over; it takes a few at most.
PATIENCE = 60

Talk = Callable[[str, int, str | None], Awaitable[None]]


def world_of(programs: ModuleType, seed: int = 1, tls: str | None = None, talk: Talk | None = None) -> World:
    """A server and a client of these programs, 10 ms apart, where each fiftieth segment is lost."""
    world = World(seed, latency=0.01)
    world.host("server", partial(programs.serve, None, PORT, tls))
    world.client("client", partial(talk or programs.talk, "server", PORT, tls))
    world.loss("client", "server", 0.02)
    return world


class OnDevice:
    """A sandbox, whose device is our loop's, and the kernel's end of it."""

    def __init__(self, box: Sandbox) -> None:
        self.box = box

    def run(self, main: Coroutine[Any, Any, None]) -> None:
        """Run it on a loop over the device."""
        addresses = [f"{OURS}/24", f"{OURS6}/64"]
        with asyncio.Runner(loop_factory=lambda: DeviceLoop(self.box.tun, addresses)) as runner:
            runner.run(asyncio.wait_for(main, PATIENCE))

    def client(self, programs: ModuleType, tls: str | None = None, host: str = KERNEL) -> None:
        """Our client, and the server on the kernel's TCP."""
        server = self.popen(programs, "serve", host, tls)
        self.run(self._ask(programs.talk, host, PORT, tls, server))

    def server(self, programs: ModuleType, tls: str | None = None, host: str = OURS) -> None:
        """Our server, and the client on the kernel's TCP."""
        self.run(self._serve(programs, host, tls))

    def ask(self, talk: Talk, port: int, server: subprocess.Popen[Any], tls: str | None = None) -> None:
        """Our client, and some program on the kernel's TCP."""
        self.run(self._ask(talk, KERNEL, port, tls, server))

    def popen(self, programs: ModuleType, function: str, host: str, tls: str | None) -> subprocess.Popen[Any]:
        """One of these programs on the kernel's TCP."""
        name = programs.__name__.rpartition(".")[2]
        words = [sys.executable, "-m", "tests.aio.libraries.programs", name, function, host, str(PORT)]
        return self.box.popen([*words, *([tls] if tls else [])], cwd=ROOT)

    async def _ask(self, talk: Talk, host: str, port: int, tls: str | None, server: subprocess.Popen[Any]) -> None:
        await listens(host, port, server)
        await talk(host, port, tls)
        assert server.poll() is None

    async def _serve(self, programs: ModuleType, host: str, tls: str | None) -> None:
        task = asyncio.create_task(programs.serve(host, PORT, tls))
        await asyncio.sleep(0.05)
        client = self.popen(programs, "talk", host, tls)
        while client.poll() is None and not task.done():
            await asyncio.sleep(0.02)
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task
        assert client.wait(PATIENCE) == 0


async def listens(host: str, port: int, server: subprocess.Popen[Any]) -> None:
    """Until something listens there."""
    while server.poll() is None:
        try:
            writer = (await asyncio.open_connection(host, port))[1]
        except ConnectionRefusedError:
            await asyncio.sleep(0.05)
        else:
            writer.close()
            await writer.wait_closed()
            return
    raise AssertionError(f"the server has ended: {server.returncode}")
