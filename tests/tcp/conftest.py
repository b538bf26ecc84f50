"""Every segment test runs with sequence numbers of each sort, and ends in silence."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.tcp import harness


@pytest.fixture(autouse=True, params=harness.NUMBERS)
def numbers(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Numbers far from any edge, numbers that wrap within the first segments, and numbers about the sign bit."""
    monkeypatch.setattr(harness, "numbers", harness.NUMBERS[request.param])
    harness.running.clear()
    yield
    for exchange in harness.running:
        exchange.silent()
    harness.running.clear()
