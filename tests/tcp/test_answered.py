"""A round trip of small messages, as a congestion control is told of it: in one step, as in several."""

from __future__ import annotations

from random import Random

import pytest

from lastack.tcp.config import DEFAULT
from lastack.tcp.congestion import ALGORITHMS, create
from tests.tcp.segments import MSS
from tests.tcp.test_congestion import Cautious
from tests.tcp.test_prediction import numbers


@pytest.mark.parametrize("name", sorted(ALGORITHMS))
@pytest.mark.parametrize("settings", [{}, {"hystart": False}, {"hystart_at_once": True}, {"window_validation": True}])
@pytest.mark.parametrize("seed", range(4))
def test_a_round_in_one_step_is_the_same(name: str, settings: dict[str, bool], seed: int):
    rng, now = Random(seed), 0
    one = create(DEFAULT.having(congestion=name, **settings), MSS)
    other = one.copy()
    for _ in range(400):
        now += rng.choice((100, 5_000, 200_000))
        chance, size = rng.random(), rng.choice((1, MSS, 5 * MSS, one.cwnd))
        rtt = rng.choice((100, 8_000, 30_000))
        for control in (one, other):
            if chance < 0.02:
                control.lost(size, now)
                control.cwnd = control.ssthresh
                control.recovered()
            elif chance < 0.2:  # a part of what is outstanding is acknowledged
                control.measured(rtt, rtt)
                control.acknowledged(size, 3 * MSS, now, size)
            else:
                control.resumes(now, chance < 0.3)
                control.used = max(control.used, size)
        if chance >= 0.2:
            one.answered(size, rtt, rtt + 1, now)
            other.measured(rtt, rtt + 1)
            other.acknowledged(size, 0, now, size)
        assert numbers(one) == numbers(other)
        assert type(one.hystart) is type(other.hystart)
        assert numbers(one.hystart) == numbers(other.hystart)


def test_who_takes_a_step_for_its_own_hears_of_each():
    heard = []

    class Listening(Cautious):
        def measured(self, rtt: int, srtt: int) -> None:
            heard.append(rtt)
            super().measured(rtt, srtt)

    Listening(MSS, 10 * MSS, DEFAULT).answered(MSS, 5, 6, 7)
    assert heard == [5]
