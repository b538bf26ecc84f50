"""Tests of what asyncio's users expect run on three loops: see `places`."""

from __future__ import annotations

import gc
import inspect
import ssl
from collections.abc import Iterator
from typing import NamedTuple

import pytest
import trustme

from lastack.device.sandbox import Sandbox
from tests.aio.places import OverDevice, Place, Simulated
from tests.aio.somebody import run as run


class Tls(NamedTuple):
    """What both ends need for TLS, under the name `localhost`."""

    server: ssl.SSLContext
    client: ssl.SSLContext


@pytest.fixture(scope="session", autouse=True)
def modules_are_no_garbage() -> Iterator[None]:
    """Each test looks for what is left over by a collection: 80 ms where it goes through all that was imported."""
    gc.collect()
    gc.freeze()
    yield
    gc.unfreeze()


@pytest.fixture(autouse=True)
def leaves_nothing_to_others() -> Iterator[None]:
    """What a test leaves to the collector, and what that warns of, is its own: later it would be another test's."""
    yield
    gc.collect()


@pytest.fixture(scope="session")
def tls() -> Tls:
    """An authority of our own, and a certificate of it."""
    authority = trustme.CA()
    server, client = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER), ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    authority.issue_cert("localhost").configure_cert(server)
    authority.configure_trust(client)
    return Tls(server, client)


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
