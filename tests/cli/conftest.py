"""What the tests of the control socket and of `lastack ss` have in common."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from lastack.cli import control
from lastack.sim.scenarios.play import Play
from lastack.sim.scenarios.stage import Stage
from tests.cli.control_loop import Loop


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where control sockets are, in this test."""
    directory = tmp_path / "lastack"
    monkeypatch.setattr(control, "directories", lambda: [directory])
    return directory


@pytest.fixture
def stage() -> Stage:
    """A client and a server in virtual time, with one connection open and a listener."""
    made = Play().act()
    made.open()
    return made


@pytest.fixture
def loop() -> Iterator[Loop]:
    made = Loop()
    yield made
    made.poller.close()
