"""Tests of what asyncio's users expect run on three loops: see `places`."""

from __future__ import annotations

import inspect
from collections.abc import Iterator

import pytest

from lastack.device.sandbox import Sandbox
from tests.aio.places import OverDevice, Place, Simulated


@pytest.fixture(params=["kernel", "world", pytest.param("device", marks=pytest.mark.interop())])
def place(request: pytest.FixtureRequest) -> Iterator[Place]:
    """Each of the three."""
    if request.param == "device":
        with Sandbox() as sandbox:
            yield OverDevice(sandbox)
    else:
        yield Simulated() if request.param == "world" else Place()


@pytest.fixture(params=[True, False], ids=["near", "far"])
def near(request: pytest.FixtureRequest) -> bool:
    """Whether it is the near end that something is about."""
    return bool(request.param)


@pytest.hookimpl(tryfirst=True)
def pytest_pyfunc_call(pyfuncitem: pytest.Function) -> bool | None:
    """A coroutine function that takes a `place` runs there."""
    place = pyfuncitem.funcargs.get("place")
    if not isinstance(place, Place) or not inspect.iscoroutinefunction(pyfuncitem.obj):
        return None
    wanted = {name: pyfuncitem.funcargs[name] for name in pyfuncitem._fixtureinfo.argnames}
    place.run(lambda _: pyfuncitem.obj(**wanted))
    return True
