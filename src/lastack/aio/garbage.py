"""When cycles of objects are collected: at moments of the run, not of the interpreter.

CPython looks for garbage when so many objects have been made, by whatever program runs in the process. What it finds
may have a say in the run: a transport that nobody has closed closes its socket when it is collected. So while a world
runs it is collected after so many turns of its loop, and only what the run has made.
"""

from __future__ import annotations

import gc
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, ClassVar
from weakref import WeakSet

# How many worlds that are over may wait to be collected.
_WORLDS = 10
# Turns of the loop between two collections, and how many more for each socket: their number is what a collection costs.
_TURNS = 10_000
_TURNS_FOR_A_SOCKET = 4


class _Held:
    """How many hold it (there is one collector): the first has done it, and the last undoes it."""

    count: ClassVar[int] = 0
    enabled: ClassVar[bool] = True
    worlds: ClassVar[int] = _WORLDS  # how many more than these are looked through


@contextmanager
def held() -> Iterator[None]:
    """Meanwhile Python collects nothing by itself, and who collects finds only what comes into being from now on: so
    the end of a world, which looks for what the world has left, costs nothing for what else there is in the process."""
    if not _Held.count:
        _Held.enabled = gc.isenabled()
        if _Held.enabled and len(OVER) > _Held.worlds and not FAILED:  # or the end of this one looks, in silence
            gc.collect()
            _Held.worlds = max(_WORLDS, 2 * len(OVER))  # what somebody has is not looked for each time
        gc.disable()
        gc.freeze()
    _Held.count += 1
    try:
        yield
    finally:
        _Held.count -= 1
        if not _Held.count:
            gc.unfreeze()
            if _Held.enabled:
                gc.enable()


# Worlds that are over and still there. Each is a cycle that the end of the next does not find, and that end resets what
# Python itself counts until it looks. So where there are many, all is looked through before the next begins.
OVER: WeakSet[Any] = WeakSet()

# Worlds that have failed and are still there: who has the error has all that its frames hold. It goes when the next
# error takes its place, or later, and then no more is to be heard of it than of any world.
FAILED: WeakSet[Any] = WeakSet()


def collect() -> None:
    """What the world has left; and what one that failed has, by now."""
    if FAILED:
        gc.unfreeze()
    gc.collect()


class Rounds:
    """Counts turns of a loop, and collects."""

    def __init__(self) -> None:
        self._left = _TURNS

    def turn(self, sockets: int) -> None:
        """One more; so many sockets are open."""
        self._left -= 1
        if not self._left:
            self._left = _TURNS + _TURNS_FOR_A_SOCKET * sockets
            gc.collect()
