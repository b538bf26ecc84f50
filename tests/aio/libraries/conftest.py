"""Certificates, and devices, for the tests of libraries."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
import trustme

from lastack.device.sandbox import Sandbox
from tests.aio.libraries.stage import KERNEL, KERNEL6, OURS, OURS6, OnDevice


@pytest.fixture(scope="session")
def tls(tmp_path_factory: pytest.TempPathFactory) -> str:
    """A folder with a CA of its own, and a certificate for whoever is a server here."""
    folder: Path = tmp_path_factory.mktemp("certificates")
    ca = trustme.CA()
    ca.cert_pem.write_to_path(str(folder / "ca.pem"))
    server = ca.issue_cert("server", OURS, KERNEL, OURS6, KERNEL6)
    server.private_key_and_cert_chain_pem.write_to_path(str(folder / "server.pem"))
    return str(folder)


@pytest.fixture(params=[False, True], ids=["plain", "tls"])
def maybe(request: pytest.FixtureRequest, tls: str) -> str | None:
    """That folder, or None: once without TLS and once with it."""
    return tls if request.param else None


@pytest.fixture
def device() -> Iterator[OnDevice]:
    """A device of its own."""
    with Sandbox() as box:
        yield OnDevice(box)
