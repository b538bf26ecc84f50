"""What a TIME-WAIT record costs when there are many: to add one, to restart its 2MSL, to let it expire."""

from __future__ import annotations

from random import Random
from time import process_time

from lastack.bench.records import template
from lastack.host.keys import key_of
from lastack.host.timewait import TimeWaitTable

SIZES = (10_000, 100_000, 1_000_000)
OPERATIONS = ("add", "restart", "expire")
_RESTARTS = 100_000
_LONG = 60_000_000  # 2MSL, us


def times(scale: float) -> dict[str, float]:
    """Microseconds for each, on the average of all: of a table that fills, is full (any record, at random), empties.

    add: the control block packed, the record put into the table (`Host.to_time_wait` without its bookkeeping of
    ports). restart: the record found by a packet's key and unpacked, its expiry changed.
    expire: taken out one after the other, and what they hold added up. Where tables grow in steps that is in the
    average.
    """
    found = {}
    for size in SIZES:
        count = max(int(size * scale), 100)
        for what, seconds in zip(OPERATIONS, _one(count), strict=True):
            found[f"{what}-{size}"] = seconds * 1e6
    return found


def _one(count: int) -> tuple[float, float, float]:
    crowd, tcb = template(4)
    table = TimeWaitTable(None)
    local = tcb.local
    now = tcb.time_wait_at
    keys = [key_of(local, crowd.endpoint(number)) for number in range(count)]
    draw = Random(1)
    again = [bytes(bytearray(key)) for key in draw.choices(keys, k=min(count, _RESTARTS))]  # as packets bring them

    begun = process_time()
    for key in keys:
        now += 1
        tcb.time_wait_at = now
        table.add(key, tcb)
    added = process_time() - begun

    begun = process_time()
    for key in again:
        now += 1
        record = table.get(key)
        assert record is not None
        table.restart(key, record, now)
    restarted = process_time() - begun

    begun = process_time()
    expired = sum(held for _, _, held in table.expire(now))
    gone = process_time() - begun
    assert expired == count and not len(table)
    return added / count, restarted / len(again), gone / count
