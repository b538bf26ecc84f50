"""A host of a world: its kernel, its clock, and the program that it runs."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from contextvars import copy_context
from typing import TYPE_CHECKING, Any

from lastack.aio.processes import CURRENT, Process

if TYPE_CHECKING:
    from lastack.aio.world import World

Main = Callable[[], Awaitable[Any]]


class Computer:
    """One host: `name`, `addresses` (text), `kernel` (a `lastack.host.host.Host`; None while it is off) and `process`,
    the program that it runs, begun by calling `main`.

    `skew` is by how many seconds its clock is ahead of the world's, `drift` how many seconds it gains in each.
    """

    def __init__(self, world: World, name: str, addresses: tuple[str, ...], main: Main | None) -> None:
        self.world = world
        self.name = name
        self.addresses = addresses
        self.main = main
        self.node = world.sim.nodes[name]
        self.skew = 0.0
        self.drift = 0.0
        self.process = Process(self)
        self.task: asyncio.Task[Any] | None = None  # that `main` runs in
        self.returned = False  # whether it has

    def __repr__(self) -> str:
        return f"<host {self.name} {' '.join(self.addresses)} {'up' if self.kernel is not None else 'off'}>"

    @property
    def kernel(self) -> Any:
        """Its TCP; None while it is off."""
        self.world.sim.stir(self.node)  # whoever asks may call it
        return self.node.host

    def boot(self) -> None:
        """Begin the program, as a process of its own."""
        self.process = Process(self)
        self.returned = False
        if self.main is not None and self.world.loop is not None:
            self.task = self.run(self.main())
            self.task.add_done_callback(self._ended, context=copy_context())

    def _ended(self, task: asyncio.Task[Any]) -> None:
        self.returned = task is self.task
        self.world.main_ended(task)

    def run(self, coroutine: Any) -> asyncio.Task[Any]:
        """Run a coroutine as part of this host's program; its task."""
        assert self.world.loop is not None, "the world does not run"
        context = copy_context()
        context.run(CURRENT.set, self.process)
        task: asyncio.Task[Any] = self.world.loop.create_task(coroutine, name=f"{self.name}", context=context)
        return task

    def end(self, *, power: bool) -> None:
        """End the program where it stands; with `power` off the kernel too, and what it knew."""
        if self.process.alive:
            self.process.end(closes=not power)
        if power:
            self.world.sim.power_off(self.name)
