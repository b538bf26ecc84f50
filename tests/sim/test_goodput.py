"""Two stacks and a lossy path: goodput stays within a stated factor of what the PFTK model predicts."""

from __future__ import annotations

from statistics import median

import pytest

from lastack.tcp import ranges
from lastack.tcp.config import DEFAULT, Config
from lastack.tcp.congestion import ALGORITHMS
from lastack.tcp.congestion.newreno import NewReno
from tests.sim.goodput import LostTwice, Transfer, pftk

# The model is of Reno without SACK; what repairs several losses of a window at once may be so much faster.
FACTOR = 2.0
MSS = 1448


def ratio(loss: float, config: Config, seconds: int = 60, seeds: int = 3) -> float:
    """Median goodput of a few seeds as a multiple of the model's."""
    goodputs = [Transfer(loss, seconds, seed, config, config).goodput for seed in range(seeds)]
    return median(goodputs) / pftk(loss, MSS, rto=config.rto_min / 1e6)


@pytest.mark.slow
@pytest.mark.parametrize("sack", [True, False], ids=["sack", "no sack"])
@pytest.mark.parametrize("algorithm", ALGORITHMS)
@pytest.mark.parametrize("loss", [0.01, 0.03, 0.1])
def test_goodput_is_what_the_model_predicts(loss: float, algorithm: str, sack: bool) -> None:
    found = ratio(loss, DEFAULT.having(congestion=algorithm, sack=sack))
    print(f"{algorithm}, SACK {'on' if sack else 'off'}, {loss:.0%} lost: {found:.2f} of the model")
    assert 1 / FACTOR < found < FACTOR


def lost_twice(seconds: int) -> float:
    """Goodput where each loss takes the first retransmission too: the hole stays, and new data goes on behind it."""
    config = DEFAULT.having(congestion="newreno")
    return Transfer(0, seconds, 1, config, config, LostTwice(50)).goodput


@pytest.mark.slow
def test_a_flight_that_counts_what_is_held_is_seen(monkeypatch: pytest.MonkeyPatch) -> None:
    """The planted bug: half of it, as the new ssthresh, would be less of a reduction (RFC 5681 4.3: lowered twice)."""
    sound = lost_twice(20)
    monkeypatch.setattr(ranges, "flight_size", lambda tcb: (tcb.snd_nxt - tcb.snd_una) & 0xFFFFFFFF)
    assert lost_twice(20) > 1.4 * sound


@pytest.mark.slow
def test_a_window_that_a_loss_does_not_reduce_is_seen(monkeypatch: pytest.MonkeyPatch) -> None:
    """The planted bug: no multiplicative decrease (RFC 5681 equation (4))."""
    sound = lost_twice(8)
    monkeypatch.setattr(NewReno, "reduce", lambda self, flight, now: setattr(self, "ssthresh", self.cwnd))
    assert lost_twice(8) > 4 * sound
