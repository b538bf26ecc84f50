"""A piece of work may not need more than it does today: counts that are the same on every machine, and no times.

A bound is about 5 % above what `python -m tests.bench.counts` shows; when that goes down, so should the bound.
"""

from __future__ import annotations

from dataclasses import asdict

import pytest

from tests.bench import counts
from tests.bench.counts import WORKS, Counts, count

# For each piece: 64 KiB, a round trip, a connection.
BOUNDS = {
    "bulk-in": Counts(1.14, 0.08, 0.08, 1.14, 0.08, 39.1, 560, 0.5),
    "bulk-out": Counts(0.13, 1.17, 0.07, 0.07, 1.17, 46.6, 375, 0.5),
    "bulk-in-plain": Counts(47.9, 3.0, 3.0, 47.9, 3.0, 1700, 50, 5),
    "bulk-out-plain": Counts(0.21, 50.2, 0.11, 0.11, 50.2, 990, 670, 5),
    "ping-pong": Counts(2.1, 1.05, 1.05, 1.05, 1.05, 234, 13, 0.1),
    "connect": Counts(8.4, 5.25, 4.2, 4.2, 5.25, 803, 13, 10),
    "connect-closed": Counts(6.3, 4.2, 3.15, 3.15, 4.2, 624, 15, 10),
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
    plain = counts.MemoryDevice.read

    def read(device: counts.MemoryDevice):
        packet = plain(device)
        return packet and counts._carried(packet)

    monkeypatch.setattr(counts.MemoryDevice, "read", read)
    assert "calls" in above(count("bulk-in"), BOUNDS["bulk-in"])


def test_an_acknowledgment_too_many_is_seen(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(counts, "DEFAULT", counts.DEFAULT.having(delayed_ack=0))
    found = above(count("ping-pong"), BOUNDS["ping-pong"])
    assert {"packets_out", "writes", "calls"} <= found.keys()
