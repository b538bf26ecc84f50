"""One rule on two ways remembers of each what is of it."""

from __future__ import annotations

from collections.abc import Callable
from random import Random

import pytest

from lastack.link.match import IS_DATA
from lastack.link.pipeline import Pipeline
from lastack.link.rules import Delay, Loss, Rate, Rule
from lastack.link.sides import Side
from lastack.link.targeted import Drop, Hold, Loop, Mtu
from tests.link.packets import frame

SECOND = 1_000_000


def ways(rule: Rule) -> tuple[Pipeline, Pipeline]:
    return Pipeline([Side(rule)]), Pipeline([Side(rule)])


@pytest.mark.parametrize("make", [Hold, Loop])
def test_what_is_held_goes_on_the_way_that_it_came(make: Callable[[], Hold | Loop]) -> None:
    rule = make()
    forth, back = ways(rule)
    assert forth.enter(0, frame(b"forth", 1)) == back.enter(1, frame(b"back", 2)) == []
    for pipeline, number in ((back, 2), (forth, 1)):
        (place,) = pipeline.places(rule)
        assert [one.number for _, _, one in pipeline.release(SECOND, place)] == [number]
        assert pipeline.release(SECOND, place) == []
    assert rule.counters["released"] == 2


def test_what_is_held_can_be_seen_of_both_ways() -> None:
    hold, loop = Hold(limit=1), Loop(cycle=SECOND, hops=2)
    for rule in (hold, loop):
        for number, pipeline in enumerate((*ways(rule), *ways(rule)), 1):
            pipeline.enter(number, frame(b"", number))
    assert [one.number for one in hold.held] == [1, 2, 3, 4]  # the limit is of one way
    assert [(since, one.number) for since, one in loop.caught] == [(1, 1), (2, 2), (3, 3), (4, 4)]
    assert loop.alive(32 * SECOND + 2) == 2


def test_who_dies_in_a_loop_dies_on_its_own_way() -> None:
    loop = Loop(cycle=SECOND, hops=2)
    forth, back = ways(loop)
    forth.enter(0, frame(b"", 1))
    back.enter(20 * SECOND, frame(b"", 2))
    assert loop.alive(40 * SECOND) == 1
    assert [len(one.release(40 * SECOND, one.rules[0])) for one in (back, forth)] == [1, 0]
    assert [[lost.number for lost, _ in one.lost] for one in (forth, back)] == [[1], []]


def test_each_way_has_a_wire_of_its_own() -> None:
    rate = Rate(8_000_000, limit=100)  # a frame of 100 bytes takes 100 us
    forth, back = ways(rate)
    for pipeline in (forth, back):
        assert [at for at, _, _ in pipeline.enter(0, frame(bytes(60)))] == [100]
    rate.rate *= 2  # what is written holds for both
    assert [one.enter(100, frame(bytes(60)))[0][0] for one in (forth, back)] == [150, 150]


def test_each_way_keeps_its_own_order() -> None:
    delay = Delay(1000, Random(1), jitter=0)
    forth, back = ways(delay)
    assert forth.enter(0, frame())[0][0] == 1000
    delay.delay = 10
    assert back.enter(0, frame())[0][0] == 10
    assert forth.enter(0, frame())[0][0] == 1000


def test_a_rule_counts_in_all_directions() -> None:
    drop = Drop(IS_DATA, {2})
    forth, back = ways(drop)
    assert len(forth.enter(0, frame(b"1"))) == 1
    assert back.enter(0, frame(b"2")) == []
    assert ([one for one, _ in forth.lost], len(back.lost)) == ([], 1)
    assert drop.counters["lost"] == back.counters()["drop"]["lost"] == 1
    drop.on = False
    drop.numbers = None
    assert len(back.enter(0, frame(b"3"))) == 1


def test_an_answer_goes_back_on_its_own_way() -> None:
    forth, back = ways(Mtu(576))
    forth.enter(0, frame(bytes(1000)))
    assert (len(forth.replies), len(back.replies)) == (1, 0)


def test_what_is_taken_out_of_one_way_stays_on_the_other() -> None:
    loss = Loss(1.0, Random(1))
    forth, back = ways(loss)
    forth.remove(forth.rules[0])
    assert len(forth.enter(0, frame())) == 1
    assert back.enter(0, frame()) == []
    loss.during(5, None)
    assert len(back.enter(0, frame())) == 1


@pytest.mark.parametrize("rule", [Hold(), Loop(), Rate(1000), Delay(10, Random(1))])
def test_a_rule_that_remembers_stands_on_one_way(rule: Rule) -> None:
    forth, back = Pipeline([rule]), Pipeline()
    for put in (back.add, back.insert, lambda one: Pipeline([one])):
        with pytest.raises(ValueError, match="stands on another way"):
            put(rule)
    assert back.rules == []
    forth.rules.clear()
    assert back.add(rule) is rule


def test_a_rule_that_remembers_nothing_may_stand_on_several() -> None:
    drop = Drop()
    assert Pipeline([drop]).rules == Pipeline([drop]).rules
