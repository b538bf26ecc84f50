"""Sets whose order is the same in every run.

asyncio keeps tasks in sets (whom a TaskGroup cancels, whom the end of a run does), and the addresses of a server, too.
The order of a set goes by hashes: of objects that is where they lie in memory, of texts the interpreter's own seed.
"""

from __future__ import annotations

import asyncio
from typing import Any
from zlib import crc32


class CountedTask(asyncio.Task[Any]):
    """A task whose hash is its number in its loop."""

    __slots__ = ("_number",)
    _number: int

    def __new__(cls, coro: Any, *, loop: Any, **more: Any) -> CountedTask:
        """Its number has to be known before a set takes it."""
        task = super().__new__(cls)
        loop.tasks_made += 1
        task._number = loop.tasks_made
        return task

    def __hash__(self) -> int:
        return self._number


def counted(loop: Any, coro: Any, **more: Any) -> CountedTask:
    """A factory of tasks, for loops that count them (`tasks_made`)."""
    return CountedTask(coro, loop=loop, **more)


class Info(tuple[Any, ...]):
    """What getaddrinfo gave, with a hash that is the same in every run."""

    __slots__ = ()

    def __hash__(self) -> int:
        return crc32(repr(tuple(self)).encode())
