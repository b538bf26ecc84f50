"""What becomes of a coroutine that one program runs on the host of another."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from contextvars import Context
from typing import TYPE_CHECKING, Any, TypeVar

from lastack.aio.errors import HostDown

T = TypeVar("T")

if TYPE_CHECKING:

    class Running(asyncio.Future[T], Coroutine[Any, Any, T]):
        """What `Computer.run` returns, to a type checker: a future that `create_task` takes as well, as the loop of a
        world does (see `as_coroutine`)."""


def as_coroutine(what: Any) -> Any:
    """What a task can be made of: an outcome is no coroutine, but can be awaited by one."""
    return _awaiting(what) if isinstance(what, Outcome) else what


async def _awaiting(outcome: Outcome) -> Any:
    return await outcome


class Outcome(asyncio.Future[Any]):
    """Ends as the task does; and where the program that the task is part of is ended, which lets the task stand still
    for ever, by HostDown. To cancel it is to cancel the task."""

    def __init__(self, task: asyncio.Task[Any], loop: Any) -> None:
        super().__init__(loop=loop)
        loop.tasks_made += 1
        self._number: int = loop.tasks_made
        self._task: asyncio.Task[Any] | None = task
        task.add_done_callback(self._ended, context=Context())  # whoever waits, and whether he is still there

    def __hash__(self) -> int:
        return self._number  # for sets whose order is the same in every run

    def cancel(self, msg: Any | None = None) -> bool:
        """Cancel the task, whose end this waits for; where it stands still, nothing is waited for."""
        return super().cancel(msg) if self._task is None else self._task.cancel(msg)

    def _ended(self, task: asyncio.Task[Any]) -> None:
        if self.done():
            return
        if task.cancelled():
            super().cancel()
        elif (error := task.exception()) is not None:
            self.set_exception(error)
        else:
            self.set_result(task.result())

    def stand_still(self) -> None:
        """The task will never end."""
        self._task = None

    def host_down(self, name: str) -> None:
        """Tell who waits; who does not need not know."""
        if not self.done():
            self.set_exception(HostDown(f"the program on {name} was ended, and this with it"))
            self._log_traceback = False
