"""Where a program stands: the lines at which its tasks wait, and what its callbacks are."""

from __future__ import annotations

import asyncio
import sysconfig
from asyncio.format_helpers import _get_function_source
from functools import partial
from pathlib import Path
from types import FrameType, TracebackType
from typing import Any

_INSTALLED = tuple({sysconfig.get_path(name) for name in ("purelib", "platlib")})
_NOT_THE_PROGRAM = tuple(
    {str(Path(__file__).parents[1]), *(sysconfig.get_path(name) for name in ("stdlib", "platstdlib")), *_INSTALLED}
)


def of_program(frame: FrameType) -> bool:
    """Whether it is in the program, and neither in Python's library nor in what is installed."""
    return not frame.f_code.co_filename.startswith(_NOT_THE_PROGRAM)


def is_installed(frame: FrameType) -> bool:
    """Whether it is in a library that is not Python's own."""
    return frame.f_code.co_filename.startswith(_INSTALLED)


def stack_of(task: asyncio.Task[Any]) -> list[FrameType]:
    """What waits in it, the outermost first, up to the line of the program that does; all where no such line is."""
    frames: list[FrameType] = []
    one: Any = task.get_coro()
    while one is not None:
        frame = _first(one, "cr_frame", "gi_frame", "ag_frame")
        frames += [frame] if frame is not None else []
        one = _first(one, "cr_await", "gi_yieldfrom", "ag_await")
    last = max((number for number, frame in enumerate(frames) if of_program(frame)), default=len(frames))
    return frames[: last + 1]


def _first(one: Any, *names: str) -> Any:
    return next((getattr(one, name) for name in names if hasattr(one, name)), None)


def traceback_of(task: asyncio.Task[Any]) -> TracebackType | None:
    """As if it were raised where the task waits."""
    traceback: TracebackType | None = None
    for frame in reversed(stack_of(task)):
        traceback = TracebackType(traceback, frame, frame.f_lasti, frame.f_lineno)
    return traceback


def told_task(task: asyncio.Task[Any]) -> str:
    """Its name, and where it waits."""
    frames = stack_of(task)
    return f"{task.get_name()}, in {frames[-1].f_code.co_filename}:{frames[-1].f_lineno}" if frames else task.get_name()


def wakes_a_task(handle: asyncio.Handle) -> bool:
    """Whether it is asyncio's own, for a task that waits by `asyncio.sleep`, `timeout` and the like."""
    return str(getattr(_plain(handle._callback), "__module__", "")).startswith("asyncio.")  # type: ignore[attr-defined]


def told_handle(handle: asyncio.Handle) -> str:
    """What is going to be called: a step of a task, or a callback."""
    call = handle._callback  # type: ignore[attr-defined]
    task = getattr(call, "__self__", None)
    if isinstance(task, asyncio.Task):
        return told_task(task)
    place = _get_function_source(call)
    call = _plain(call)
    name = f"callback {getattr(call, '__qualname__', type(call).__qualname__)}"
    return f"{name}, in {place[0]}:{place[1]}" if place else name


def _plain(call: Any) -> Any:
    while isinstance(call, partial):
        call = call.func
    return call
