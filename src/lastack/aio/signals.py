"""Signals of a world's hosts: what `signal.signal` and its kin do for a program in a world.

It hears what `world.signal` sends to its host, and what it raises itself; the machine's signals stay those of who runs
the world.
"""

from __future__ import annotations

import errno
import os
import signal
from asyncio import iscoroutine
from contextvars import Context
from inspect import iscoroutinefunction
from typing import Any

from lastack.aio.computer import Process
from lastack.aio.ground import Ground

_DEFAULTS = (signal.SIG_DFL, signal.default_int_handler)
_NEVER_HEARD = (signal.SIGKILL, signal.SIGSTOP)


def check(number: Any, callback: Any = None) -> None:
    """What asyncio says of a signal that nobody can hear: TypeError, ValueError, RuntimeError."""
    if callback is not None and (iscoroutine(callback) or iscoroutinefunction(callback)):
        raise TypeError("coroutines cannot be used with add_signal_handler()")
    if not isinstance(number, int):
        raise TypeError(f"sig must be an int, not {number!r}")
    if number not in signal.valid_signals():
        raise ValueError(f"invalid signal number {number}")
    if callback is not None and number in _NEVER_HEARD:
        raise RuntimeError(f"sig {number} cannot be caught")


def set_handler(process: Process, number: int, handler: Any) -> Any:
    """As signal.signal: what was there before."""
    if number in _NEVER_HEARD:
        raise OSError(errno.EINVAL, os.strerror(errno.EINVAL))
    before = get_handler(process, number)
    process.handlers.pop(number, None)
    process.signals.pop(number, None)
    if handler not in _DEFAULTS:
        process.handlers[number] = handler
        process.signals[number] = lambda: handler(number, None) if callable(handler) else None
    return before


def get_handler(process: Process, number: int) -> Any:
    """As signal.getsignal."""
    default = signal.default_int_handler if number == signal.SIGINT else signal.SIG_DFL
    return process.handlers.get(number, default)


def raise_signal(world: Ground, number: int) -> None:
    """As signal.raise_signal: who has no handler for it is ended by it."""
    process = world.process
    handler = process.signals.get(number)
    if handler is not None:
        handler()
    elif world.loop is not None:
        world.loop.call_soon(world.kill, process.computer, context=Context())
