"""Long garbage collections are put off while a driver runs, and only then."""

from __future__ import annotations

import gc
import sys
from collections.abc import Iterator

import pytest

from lastack.device.collector import Hold
from lastack.device.driver import Driver
from tests.device.peers import Timed, Wire

OURS = (700, 10, 10)


class Crowd:
    """A host with so many connections."""

    def __init__(self, count: int = 0) -> None:
        self.table = range(count)
        self.time_wait = range(count // 10)


@pytest.fixture(autouse=True)
def thresholds() -> Iterator[None]:
    before = gc.get_threshold()
    gc.set_threshold(*OURS)
    yield
    gc.set_threshold(*before)


@pytest.fixture
def blocks(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """How many blocks of memory there are, as the collector is told."""
    told = [1_000_000]
    monkeypatch.setattr(sys, "getallocatedblocks", lambda: told[0])
    return told


def put_off() -> bool:
    return gc.get_threshold() == (*OURS[:2], 2**31 - 1)


def full_collections() -> int:
    return int(gc.get_stats()[2]["collections"])


def look() -> None:
    """So many young collections that the collector has looked how much memory there is."""
    for _ in range(8):
        gc.collect(1)


def grow() -> list[list[int]]:
    return [[] for _ in range(500_000)]


def test_no_full_collection_comes_while_one_holds_and_they_are_back_then() -> None:
    hold = Hold(Crowd(5_000))
    before = full_collections()
    kept = grow()
    assert full_collections() == before
    hold.close()
    kept += grow()
    assert full_collections() > before


def test_a_driver_holds_unless_it_is_told_not_to(wire: Wire, blocks: list[int]) -> None:
    with Driver(Timed(), wire, long_collections=True):
        assert gc.get_threshold() == OURS
        with Driver(Timed(), wire):
            assert put_off()
        assert gc.get_threshold() == OURS


def test_the_last_of_two_lets_go(blocks: list[int]) -> None:
    before = list(gc.callbacks)
    one, other = Hold(Crowd()), Hold(Crowd())
    one.close()
    one.close()
    assert put_off()
    other.close()
    assert (gc.get_threshold(), gc.callbacks) == (OURS, before)


def test_short_ones_come_as_always(blocks: list[int]) -> None:
    blocks[0] = 100_000
    hold = Hold(Crowd())
    assert gc.get_threshold() == OURS
    blocks[0] = 150_000
    gc.collect(1)
    assert put_off()
    hold.close()


@pytest.mark.parametrize("connections", [0, 20_000])
def test_one_comes_when_there_is_more_than_connections_explain(connections: int, blocks: list[int]) -> None:
    hold = Hold(Crowd(connections))
    explained = 2 * blocks[0] + 100 * connections + 6 * connections // 10
    for blocks[0], late in ((explained, True), (explained + 1, False)):
        look()
        assert put_off() is late
    gc.collect()  # what is left now is the measure
    assert put_off()
    hold.close()


def test_thresholds_that_the_application_sets_are_kept(blocks: list[int]) -> None:
    hold = Hold(Crowd())
    gc.set_threshold(500, 5, 5)
    look()
    assert gc.get_threshold() == (500, 5, 2**31 - 1)
    hold.close()
    assert gc.get_threshold() == (500, 5, 5)
    hold = Hold(Crowd())
    gc.set_threshold(400, 4, 4)
    hold.close()
    assert gc.get_threshold() == (400, 4, 4)


def test_gc_collect_collects_all_the_same(wire: Wire) -> None:
    with Driver(Timed(), wire):
        cycle: list[object] = []
        cycle.append(cycle)
        gc.collect()
        del cycle
        assert gc.collect() > 0


def test_what_is_new_is_collected_every_so_many_turns(wire: Wire) -> None:
    gc.set_threshold(1_000_000, 10, 10)  # as if as much went as came
    with Driver(Timed(), wire) as driver:
        before = int(gc.get_stats()[1]["collections"])
        for _ in range(3 * 64):
            driver.turn(0)
        assert int(gc.get_stats()[1]["collections"]) == before + 3
        gc.disable()
        for _ in range(64):
            driver.turn(0)
        gc.enable()
        assert int(gc.get_stats()[1]["collections"]) == before + 3


def test_who_is_forgotten_holds_nothing(blocks: list[int]) -> None:
    hold = Hold(Crowd(100_000))
    gc.collect(1)
    assert gc.get_threshold()[2] > OURS[2]
    callbacks = len(gc.callbacks)
    del hold
    assert gc.get_threshold() == OURS
    assert len(gc.callbacks) == callbacks - 1


def test_who_has_switched_collections_off_has_none(monkeypatch: pytest.MonkeyPatch) -> None:
    collected: list[int] = []
    hold = Hold(Crowd())
    gc.set_threshold(0)
    monkeypatch.setattr(gc, "collect", collected.append)
    for _ in range(200):
        hold.turn()
    assert not collected
    hold.close()
