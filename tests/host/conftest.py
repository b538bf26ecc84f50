"""Every test of a host ends in silence."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.host import harness


@pytest.fixture(autouse=True)
def silence() -> Iterator[None]:
    harness.running.clear()
    yield
    for bench in harness.running:
        bench.silent()
    harness.running.clear()
