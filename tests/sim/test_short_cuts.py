"""The short cuts of the hot path can be deleted without any observable change: whole simulations, to the byte."""

from __future__ import annotations

import pytest

from lastack.host import fast_in, host
from lastack.host.tables import Tables
from lastack.sim.simulation import run_simulation
from lastack.tcp import clean, greeting, parting, predict, quiet, straight

SHORT_CUTS = (
    (predict, "predicted"),
    (clean, "acknowledged"),
    (straight, "send"),
    (quiet, "arrived"),
    (quiet, "acknowledged"),
    (quiet, "rests"),
    (greeting, "begun"),
    (greeting, "replied"),
    (greeting, "completed"),
    (greeting, "answered"),
    (parting, "heard"),
    (parting, "over"),
    (parting, "both_over"),
    (parting, "send"),
)


@pytest.mark.parametrize("seed", range(2000, 2040))
def test_simulations_are_the_same_without_them(seed: int, monkeypatch: pytest.MonkeyPatch) -> None:
    with_them = run_simulation(seed)
    for module, name in SHORT_CUTS:
        monkeypatch.setattr(module, name, lambda *given: False)
    monkeypatch.setattr(quiet, "leaving", lambda *given: None)
    monkeypatch.setattr(host, "glance", lambda packet: None)
    monkeypatch.setattr(fast_in, "taken", lambda *given: None)
    monkeypatch.setattr(Tables, "_template", lambda *given: None)
    assert run_simulation(seed) == with_them
