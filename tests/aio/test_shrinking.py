"""A failing run made smaller: what is left is needed, and the search ends."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lastack.aio import World
from lastack.aio.shrinking import Failure, failure_of, kind, place, shrink

NAMES = [
    f"{what} {where} #{number}"
    for what in ("loss", "crash")
    for where in ("a>b", "b>a", "c>a")
    for number in range(1, 30)
]


def needs(*needed: Iterable[str]) -> Callable[[Sequence[str]], Sequence[str] | None]:
    """A run that fails where one of these sets of faults befalls it."""
    return lambda names: names if any(set(one) <= set(names) for one in needed) else None


def test_the_parts_of_a_name():
    assert (kind("loss a>b #3"), place("loss a>b #3")) == ("loss", "loss a>b")
    assert (kind("jitter a>b"), place("jitter a>b")) == ("jitter", "jitter a>b")


@given(st.lists(st.sampled_from(NAMES), min_size=0, max_size=5, unique=True))
def test_what_is_needed_is_found_and_nothing_else(needed: list[str]):
    found = shrink(NAMES, needs(needed), runs=10_000)
    assert found.whole
    assert sorted(found.needed) == sorted(needed)
    assert found.needed == tuple(name for name in NAMES if name in needed)  # in the order in which it happened


@given(st.sets(st.sampled_from(NAMES), min_size=1), st.sets(st.sampled_from(NAMES), min_size=1))
def test_nothing_more_can_be_left_out(one: set[str], other: set[str]):
    fails = needs(one, other)
    found = shrink(NAMES, fails, runs=10_000)
    assert fails(found.needed) is not None
    for left_out in found.needed:
        assert fails([name for name in found.needed if name != left_out]) is None


def test_what_needs_no_fault_is_seen_at_once():
    found = shrink(NAMES, needs(()))
    assert (found.needed, found.runs) == ((), 1)


def test_whole_kinds_and_places_go_first():
    tried: list[int] = []

    def fails(names: Sequence[str]) -> Sequence[str] | None:
        tried.append(len(names))
        return needs(["crash c>a #7"])(names)

    assert shrink(NAMES, fails).needed == ("crash c>a #7",)
    assert tried[1] == len(NAMES) // 2
    assert len(tried) < 15


def test_what_did_not_happen_any_more_is_not_tried_again():
    # The second fault follows from the first alone.
    def fails(names: Sequence[str]) -> Sequence[str] | None:
        return [name for name in names if name in ("loss a>b #1", "loss a>b #2")] if "loss a>b #1" in names else None

    assert shrink(NAMES, fails).needed == ("loss a>b #1",)


def test_so_many_runs_and_so_much_time_and_no_more():
    calls: list[int] = []

    def fails(names: Sequence[str]) -> Sequence[str] | None:
        calls.append(1)
        return needs(NAMES[::5])(names)

    found = shrink(NAMES, fails, runs=20)
    assert (len(calls), found.runs, found.whole) == (20, 20, False)
    assert set(NAMES[::5]) <= set(found.needed)
    ticks = iter(range(1_000))
    found = shrink(NAMES, fails, seconds=7, clock=lambda: float(next(ticks)))
    assert (found.runs, found.whole) == (6, False)


def failing(which: int) -> None:
    if which == 1:
        raise ConnectionResetError
    if which == 2:
        raise ConnectionResetError("another place")
    int("no number")


def failed(which: int) -> Failure:
    with pytest.raises((OSError, ValueError)) as caught:
        failing(which)
    return failure_of(caught.value)


def test_a_failure_is_its_kind_and_its_place():
    found = [failed(which) for which in (1, 2, 3, 1)]
    assert found[0] == found[3]
    assert len(set(found)) == 3
    assert str(found[2]).startswith("ValueError in ")


def test_a_group_is_what_is_in_it():
    def grouped(*whiches: int) -> Failure:
        errors = []
        for which in whiches:
            with pytest.raises((OSError, ValueError)) as caught:
                failing(which)
            errors.append(caught.value)
        return failure_of(ExceptionGroup("several", errors))

    assert grouped(1, 2) == grouped(1, 2) != grouped(1, 3)


def test_a_failing_world_is_made_smaller():
    async def main(world: World) -> None:
        for number in range(200):
            if world.decisions.happens(f"fault a #{number}", 0.5):
                world.random.random()
        assert not {"fault a #20", "fault a #30"} <= set(world.decisions.taken)

    def run(seed: int, only: Sequence[str] | None) -> Sequence[str] | None:
        world = World(seed, only=only)
        try:
            world.run(main(world))
        except AssertionError:
            return world.decisions.taken
        return None

    seed = next(seed for seed in range(100) if run(seed, None))
    taken = run(seed, None)
    assert taken is not None
    assert len(taken) > 50
    assert shrink(taken, lambda only: run(seed, only)).needed == ("fault a #20", "fault a #30")
