"""Programs that stood still are laid to rest once their world is over, in silence.

Python ends a coroutine that nobody holds any more by an exception in it, so that its `finally` runs after all, and who
wrote that did not reckon with a world that is no more: it complains, by warnings, in the log, and to the loop. Nobody
is to hear of it, and nothing that it does has an effect.
"""

from __future__ import annotations

import asyncio
import logging
import sys
import warnings
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from contextvars import copy_context
from typing import Any

from lastack.aio import garbage
from lastack.aio.borders import closed
from lastack.aio.computer import Process
from lastack.aio.ground import CURRENT, Ground

# How often one coroutine may wait once more when it is told to end.
_PATIENCE = 100


def bury(world: Ground, loop: asyncio.AbstractEventLoop) -> None:
    """Close what the programs of this world left standing; its loop is closed, and its borders are in place again."""
    garbage.OVER.add(world)
    with closed(world), _silence(loop):
        for process in world.graves:
            for task in process.tasks:
                copy_context().run(_end, process, task.get_coro())
            process.tasks.clear()
            process.outcomes.clear()
            for transport in process.transports:
                _forsake(transport)
            process.transports.clear()
            process.computer.task = None
        world.graves.clear()
        garbage.collect()
        for transport in tuple(loop._transports.values()):  # type: ignore[attr-defined]
            _forsake(transport)  # that somebody holds: the error by which the world failed, or the program
        for owner in world.selector.owners():
            owner.forsake()


def _end(process: Process, coroutine: Any) -> None:
    CURRENT.set(process)  # as part of which nothing runs any more
    for _ in range(_PATIENCE):
        with suppress(BaseException):  # it may answer by whatever it likes, that it waits once more, too
            coroutine.close()
            break


def _forsake(transport: Any) -> None:
    """Let it believe that it was closed."""
    transport._closing, transport._sock = True, None
    above = getattr(transport._protocol, "_app_transport", None)  # TLS
    if above is not None:
        above._closed = True


@contextmanager
def _silence(loop: asyncio.AbstractEventLoop) -> Iterator[None]:
    hook, level = sys.unraisablehook, logging.root.manager.disable
    loop.set_exception_handler(lambda *_: None)
    sys.unraisablehook = lambda _: None
    logging.disable()
    asyncio._set_running_loop(loop)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        asyncio._set_running_loop(None)
        logging.disable(level)
        sys.unraisablehook = hook
