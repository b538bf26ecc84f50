"""Sandboxes for the tests of this room."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from lastack.device.driver import Driver
from lastack.device.sandbox import Sandbox
from tests.device.peers import Timed, Wire


@pytest.fixture(params=[True, False], ids=["offload", "plain"])
def offload(request: pytest.FixtureRequest) -> bool:
    """Both modes of the device."""
    return bool(request.param)


@pytest.fixture
def box(offload: bool) -> Iterator[Sandbox]:
    """A sandbox in either mode."""
    with Sandbox(offload=offload) as made:
        yield made


@pytest.fixture
def offloading() -> Iterator[Sandbox]:
    """A sandbox with offloads."""
    with Sandbox() as made:
        yield made


@pytest.fixture
def wire() -> Iterator[Wire]:
    made = Wire()
    yield made
    made.close()


@pytest.fixture
def driver(wire: Wire) -> Iterator[Driver]:
    with Driver(Timed(), wire) as made:
        yield made
