"""Bytes of memory of what a host holds, as tracemalloc sees them: every object, and tables with what they keep free."""

from __future__ import annotations

import gc
import tracemalloc

from lastack.bench.crowd import Crowd
from lastack.bench.records import fill
from lastack.host.timewait import TimeWaitTable

_CONNECTIONS = 4_000
_EXCHANGED = 1_000  # bytes each way
_RECORDS = 1_000_000


def connections(scale: float) -> dict[str, float]:
    """Connections that a server has accepted, each with its socket and no application behind it.

    They are IDLE in that no data ever passed ("used": some did, and all is acknowledged). The clients are not
    counted: they are no stacks, and their memory is in place before.
    """
    found: dict[str, float] = {}
    count = max(int(_CONNECTIONS * scale), 10)
    tracemalloc.start()
    for version, suffix in ((4, ""), (6, "6")):
        crowd = Crowd(count, version)
        empty = _traced()
        if version == 4:
            first = crowd.host  # has made what all hosts share
            crowd.listen(first.config)
            found["listening"] = _traced() - empty
            del first
            empty = _traced()
        crowd.open_all()
        found[f"idle{suffix}"] = (_traced() - empty) / count
        for number in range(count):
            crowd.exchange(number, _EXCHANGED)
        found[f"used{suffix}"] = (_traced() - empty) / count
    tracemalloc.stop()
    return found


def time_wait(scale: float) -> dict[str, float]:
    """A million records in the table of a host, each made from a connection's control block as a host does."""
    found = {}
    count = max(int(_RECORDS * scale), 10)
    tracemalloc.start()
    for version, suffix in ((4, ""), (6, "6")):
        table = TimeWaitTable(None)
        empty = _traced()
        fill(table, count, version)
        found[f"record{suffix}"] = (_traced() - empty) / count
        del table
    tracemalloc.stop()
    return found


def _traced() -> int:
    gc.collect()
    return tracemalloc.get_traced_memory()[0]
