"""Each work can be measured on both sides: for a moment only, so that what it gives says nothing."""

from __future__ import annotations

import pytest

from lastack.bench.sides import KernelSide, OwnSide
from lastack.bench.works import WORKS

pytestmark = pytest.mark.interop("wrk")


@pytest.mark.parametrize("side", [KernelSide, OwnSide])
@pytest.mark.parametrize("name", [name for name, work in WORKS.items() if work.client != "wrk"])
def test_a_work_is_measured(side, name: str) -> None:
    with side() as made:
        assert made.measure(WORKS[name], 0.1) > 0


@pytest.mark.slow  # wrk counts whole seconds
@pytest.mark.parametrize("side", [KernelSide, OwnSide])
def test_requests_are_measured(side) -> None:
    with side() as made:
        assert made.measure(WORKS["http"], 1) > 0
