"""The three loops that a test of asyncio's expectations runs on, each with a near end and a far one.

A test that takes a `place` is a coroutine function, and runs once in each:

- "kernel": plain asyncio over the kernel's loopback. What holds here is what asyncio's users expect.
- "world": two simulated hosts.
- "device": our TCP near, the kernel's far, over a TUN device in a namespace of its own.
"""

from __future__ import annotations

import asyncio
import gc
import socket
from collections.abc import Callable, Coroutine
from typing import Any

from lastack.aio import DeviceLoop, SimulatedLoop, World
from lastack.device.sandbox import Sandbox

PATIENCE = 20  # seconds after which a test is taken to hang


class Place:
    """A machine, or two. `near` and `far` are addresses of the two ends."""

    near = far = "127.0.0.1"
    near6 = far6 = "::1"

    def near_socket(self, family: int = socket.AF_INET) -> socket.socket:
        """A new socket of the near end, which does not block."""
        made = socket.socket(family, socket.SOCK_STREAM)
        made.setblocking(False)
        return made

    def far_socket(self, family: int = socket.AF_INET) -> socket.socket:
        """A new socket of the far end, which does not block."""
        return self.near_socket(family)

    def address(self, *, near: bool, family: int = socket.AF_INET) -> str:
        """Of one of the ends."""
        if family == socket.AF_INET6:
            return self.near6 if near else self.far6
        return self.near if near else self.far

    def listener(self, *, near: bool, family: int = socket.AF_INET, backlog: int | None = 100) -> socket.socket:
        """A socket of one of the ends that listens (unless `backlog` is None) on a port of its own."""
        made = self.near_socket(family) if near else self.far_socket(family)
        made.bind((self.address(near=near, family=family), 0))
        if backlog is not None:
            made.listen(backlog)
        return made

    def loop(self) -> asyncio.AbstractEventLoop:
        """A loop of this place."""
        return asyncio.SelectorEventLoop()

    def leftovers(self, loop: Any) -> list[object]:
        """What waits for something, still."""
        inside = {loop._ssock.fileno()} if loop._ssock is not None else set()
        return [key for key in loop._selector.get_map().values() if key.fd not in inside]

    def run(self, main: Callable[[Place], Coroutine[Any, Any, Any]], *, debug: bool | None = None) -> Any:
        """Run a test; nothing may be left over."""
        with asyncio.Runner(loop_factory=self.loop, debug=debug) as runner:
            return runner.run(self._whole(main))

    async def _whole(self, main: Callable[[Place], Coroutine[Any, Any, Any]]) -> Any:
        loop = asyncio.get_running_loop()
        failed: list[dict[str, Any]] = []
        before = asyncio.all_tasks()
        loop.set_exception_handler(lambda _, context: failed.append(context))
        async with asyncio.timeout(PATIENCE if self.__class__ is not Simulated else 100_000):
            result = await main(self)
            await until(lambda: not self.leftovers(loop) and asyncio.all_tasks() == before, self.left, 5)
        gc.collect()
        assert failed == [], [one.get("exception") for one in failed]
        return result

    def left(self) -> str:
        """What a test did not end."""
        loop = asyncio.get_running_loop()
        tasks = asyncio.all_tasks() - {asyncio.current_task()}
        return f"left over: {self.leftovers(loop)} {tasks}"


class Simulated(Place):
    """Two hosts of a world."""

    def __init__(self, seed: int = 0, **options: Any) -> None:
        self.world = World(seed, **options)
        self.world.host("far", addresses=("10.0.0.2/24", "fd00::2/64"))
        self.world.host("near", addresses=("10.0.0.9/24", "fd00::9/64"))
        self.near, self.near6 = self.world["near"].addresses
        self.far, self.far6 = self.world["far"].addresses

    def far_socket(self, family: int = socket.AF_INET) -> socket.socket:
        made = self.world["far"].process.socket(family)
        made.setblocking(False)
        return made

    def loop(self) -> asyncio.AbstractEventLoop:
        return SimulatedLoop(self.world)

    def leftovers(self, loop: Any) -> list[object]:
        lines = [line for name in ("near", "far") for line in self.world.netstat(name).splitlines()[1:]]
        return [*loop._selector.owners(), *(line for line in lines if not line.startswith("TIME-WAIT"))]

    async def _whole(self, main: Callable[[Place], Coroutine[Any, Any, Any]]) -> Any:
        assert self.world.loop is not None
        return await self.world["near"].run(super()._whole(main))


class OverDevice(Place):
    """A host of ours, and the kernel."""

    def __init__(self, sandbox: Sandbox) -> None:
        self.sandbox = sandbox
        self.near, self.near6 = sandbox.ours
        self.far, self.far6 = sandbox.theirs

    def far_socket(self, family: int = socket.AF_INET) -> socket.socket:
        made = self.sandbox.socket(family)
        made.setblocking(False)
        return made

    def loop(self) -> asyncio.AbstractEventLoop:
        return DeviceLoop(self.sandbox.tun, (f"{self.near}/24", f"{self.near6}/64"))

    def leftovers(self, loop: Any) -> list[object]:
        return [*super().leftovers(loop), *loop._selector.owners()]


async def until(condition: Callable[[], object], what: Callable[[], str] = lambda: "", seconds: float = 10) -> None:
    """Wait until something is so."""
    loop = asyncio.get_running_loop()
    end = loop.time() + seconds
    while not condition():
        assert loop.time() < end, f"it did not come to be: {what()}"
        await asyncio.sleep(0.001)
