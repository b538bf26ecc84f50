"""A piece of work may not need more than it does today: counts that are the same on every machine, and no times.

A bound is 5 % above what was counted: `python -m tests.bench.counts` prints this table anew. When counts go down, so
should the bounds.
"""

from __future__ import annotations

from dataclasses import asdict

import pytest

from lastack.tcp import quiet
from lastack.tcp.tcb import Tcb
from tests.bench import counts
from tests.bench.counts import WORKS, Counts, bounds_for, count

# For each piece: 64 KiB, a round trip, a connection.
BOUNDS = {
    "bulk-in": Counts(1.16, 0.07, 0.07, 1.09, 0.07, 7.07, 10.3, 1),
    "bulk-out": Counts(0.07, 1.09, 0.07, 0.07, 1.09, 11.59, 15.3, 1.2),
    "bulk-in-plain": Counts(47.05, 23.52, 0.74, 47.05, 23.52, 1061.35, 105.7, 1),
    "bulk-out-plain": Counts(0.11, 50.2, 0.11, 0.11, 50.2, 318.94, 301.7, 3.1),
    "ping-pong": Counts(1.07, 1.05, 1.05, 1.05, 1.05, 62.69, 2.4, 1),
    "connect": Counts(4.27, 3.16, 4.21, 4.21, 3.16, 180.44, 5.1, 7.4),
    "connect-closed": Counts(3.2, 3.16, 3.16, 3.16, 3.16, 148.78, 9.9, 3.2),
}


def above(found: Counts, bounds: Counts) -> dict[str, tuple[float, float]]:
    """What exceeds its bound: (found, bound)."""
    allowed = asdict(bounds)
    return {what: (value, allowed[what]) for what, value in asdict(found).items() if value > allowed[what]}


@pytest.mark.parametrize("name", WORKS)
def test_a_piece_of_work_needs_no_more_than_it_did(name: str) -> None:
    assert above(count(name), BOUNDS[name]) == {}


def test_the_counts_are_the_same_again() -> None:
    once, again = asdict(count("ping-pong")), asdict(count("ping-pong"))
    for found in (once, again):  # of memory, Python itself keeps some the first time
        del found["peak"], found["kept"]
    assert once == again


def test_work_that_has_become_dearer_is_seen(monkeypatch: pytest.MonkeyPatch) -> None:
    bounds = bounds_for(count("bulk-in"))
    plain = counts.MemoryDevice.read

    def read(device: counts.MemoryDevice):
        packet = plain(device)
        return packet and counts._carried(packet)

    monkeypatch.setattr(counts.MemoryDevice, "read", read)
    assert "calls" in above(count("bulk-in"), bounds)


def test_an_acknowledgment_too_many_is_seen(monkeypatch: pytest.MonkeyPatch) -> None:
    bounds = bounds_for(count("ping-pong"))

    def owing_one(tcb: Tcb, now: int) -> None:
        tcb.dup_acks_owed += 1

    monkeypatch.setattr(quiet, "leaving", owing_one)
    found = above(count("ping-pong"), bounds)
    assert {"packets_out", "writes", "calls"} <= found.keys()
