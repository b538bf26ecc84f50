"""The tree under test, and bad trees to plant violations in."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

Plant = Callable[[str, str], Path]


def hold(violations: list[str]) -> None:
    """Fail with every violation on a line of its own."""
    if violations:
        pytest.fail("\n".join(violations), pytrace=False)


@pytest.fixture(scope="session")
def root() -> Path:
    """The repository."""
    return Path(__file__).parents[2]


@pytest.fixture
def plant(tmp_path: Path) -> Plant:
    """Writes one file, named by its path, into an otherwise empty tree; returns the tree's root."""

    def write(path: str, text: str) -> Path:
        file = tmp_path / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text, encoding="utf-8")
        return tmp_path

    return write
