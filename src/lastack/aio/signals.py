"""Signals of a world's hosts: what `signal.signal` and its kin do for a program in a world.

It hears what `world.signal` sends to its host, and what it raises itself; the machine's signals stay those of who runs
the world.
"""

from __future__ import annotations

import signal
from contextvars import Context
from typing import Any

from lastack.aio.computer import Process
from lastack.aio.ground import Ground

_DEFAULTS = (signal.SIG_DFL, signal.default_int_handler)


def set_handler(process: Process, number: int, handler: Any) -> Any:
    """As signal.signal: what was there before."""
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
