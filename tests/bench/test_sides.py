"""Each work can be measured on both sides: for a moment only, so that what it gives says nothing."""

from __future__ import annotations

import pytest

from lastack.bench.sides import KernelSide, OwnSide
from lastack.bench.works import WORKS

pytestmark = pytest.mark.interop("wrk", "iperf3")


@pytest.mark.parametrize("side", [KernelSide, OwnSide])
@pytest.mark.parametrize("name", [name for name, work in WORKS.items() if not work.program])
def test_a_work_is_measured(side, name: str) -> None:
    with side() as made:
        assert made.run(WORKS[name], 0.1).amount > 0


@pytest.mark.slow  # they count whole seconds
@pytest.mark.parametrize("side", [KernelSide, OwnSide])
@pytest.mark.parametrize("name", [name for name, work in WORKS.items() if work.program])
def test_a_work_of_another_program_is_measured(side, name: str) -> None:
    with side() as made:
        assert made.run(WORKS[name], 1).amount > 0
