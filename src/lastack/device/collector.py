"""Long garbage collections are put off while a driver runs.

CPython's collector looks for objects that are in cycles and that nobody needs. A young collection looks at some 8,000
new objects and takes a millisecond; a full one looks at all there are, and takes 425 ms at 100,000 connections (3.6
million blocks of memory), in which no packet is answered. What a connection consists of goes at once when it ends, as
its cycles are broken then (tests/host/test_cycles.py), so a full collection finds nothing of ours. One is let through:

- while there is little memory to look at, so that it is short;
- when there is more than connections explain: then an application leaves cycles behind, and memory counts for more.

Nothing else changes: young collections go on, and gc.collect() collects all, whenever the application thinks it best.
"""

from __future__ import annotations

import gc
import sys
from typing import Any
from weakref import WeakSet

# Blocks of memory, of all kinds, that are little: 50,000 of them take 2.5 ms, 400,000 take 26.
_FEW = 120_000
# A connection has 36 blocks, and its application may have as many again and more.
_EACH = 100
_RECORD = 6  # of a TIME-WAIT
# Without these, memory may double between two full collections.
_GROWTH = 2
_NEVER = 2**31 - 1
# While they are put off: the number of collections of the middle generation between looks at memory, which take 0.7 ms
# at 100,000 connections, as long as such a collection itself.
_LOOK = 8
# Turns of the loop between collections of what is new. A turn brings 64 packets at most, a connection 14 objects.
COLLECT_EVERY = 64


class Hold:
    """What a driver holds: long collections are put off until it is closed. `host` tells how many connections it has
    by its `table` and its `time_wait`, where it has such. Where nobody closes it, it ends with its driver."""

    __slots__ = ("__weakref__", "host")

    def __init__(self, host: object) -> None:
        self.host = host
        _COLLECTOR.begin(self)

    def turn(self) -> None:
        """The driver has turned COLLECT_EVERY times. CPython counts what is new less what is freed: while connections
        come and go in equal numbers it would wait, and find 100,000 new objects at a time (70 ms)."""
        if gc.isenabled() and gc.get_threshold()[0]:
            gc.collect(1)

    def close(self) -> None:
        """With the last hold of the process its collector is as it was. Twice is once."""
        _COLLECTOR.end(self)

    def __del__(self) -> None:
        _COLLECTOR.end(self)


class _Collector:
    """The collector of this process. Thresholds are written by whichever thread collects: one value, or the other."""

    __slots__ = ("_after", "_holds", "_own", "_set")

    def __init__(self) -> None:
        self._holds: WeakSet[Hold] = WeakSet()
        self._own = self._set = (0, 0, 0)  # thresholds: the application's, and what was made of them
        self._after = 0  # blocks that the last full collection left

    def begin(self, hold: Hold) -> None:
        """Another holds."""
        if self.collected not in gc.callbacks:
            self._own = self._set = gc.get_threshold()
            self._after = sys.getallocatedblocks()
            gc.callbacks.append(self.collected)
        self._holds.add(hold)
        self._decide()

    def end(self, hold: Hold) -> None:
        """One holds no more."""
        self._holds.discard(hold)
        if self._holds or self.collected not in gc.callbacks:
            return
        gc.callbacks.remove(self.collected)
        if gc.get_threshold() == self._set:  # else the application has set its own
            gc.set_threshold(*self._own)

    def collected(self, phase: str, info: dict[str, Any]) -> None:
        """For gc.callbacks."""
        if phase == "start" or info["generation"] == 0:
            return
        if info["generation"] == 2:
            self._after = sys.getallocatedblocks()
        elif self._set[2] == _NEVER and gc.get_count()[2] % _LOOK:
            return
        self._decide()

    def _decide(self) -> None:
        """Whether the next full collection may come when CPython thinks it is time."""
        if gc.get_threshold() != self._set:
            self._own = gc.get_threshold()
        blocks = sys.getallocatedblocks()
        few, many = blocks <= _FEW, blocks > _GROWTH * self._after + sum(map(_explained, tuple(self._holds)))
        self._set = (*self._own[:2], self._own[2] if few or many else _NEVER)
        gc.set_threshold(*self._set)


def _explained(hold: Hold) -> int:
    """The blocks of memory that connections may have."""
    host = hold.host
    return _EACH * len(getattr(host, "table", ())) + _RECORD * len(getattr(host, "time_wait", ()))


_COLLECTOR = _Collector()
