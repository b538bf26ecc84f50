"""Two stacks and a lossy path: goodput stays within a stated factor of what the PFTK model predicts."""

from __future__ import annotations

from statistics import median

import pytest

from lastack.tcp import ranges
from lastack.tcp.config import DEFAULT, Config
from lastack.tcp.congestion import ALGORITHMS
from tests.sim.goodput import Transfer, pftk

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


@pytest.mark.slow
def test_a_flight_that_counts_what_is_held_is_seen(monkeypatch: pytest.MonkeyPatch) -> None:
    """The planted bug: half of it, as the new ssthresh, would be less of a reduction."""
    sound = ratio(0.03, DEFAULT.having(congestion="newreno"))
    monkeypatch.setattr(ranges, "flight_size", lambda tcb: (tcb.snd_nxt - tcb.snd_una) & 0xFFFFFFFF)
    assert ratio(0.03, DEFAULT.having(congestion="newreno")) > 1.1 * sound
