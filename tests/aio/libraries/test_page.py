"""docs/compatibility.md says what the tests show, and the programs that it speaks of are unchanged."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

from tests.aio.libraries.evidence import FOLDER, WORLDS, libraries
from tests.aio.libraries.page import PAGE, page, versions, written_versions


def test_the_page_is_up_to_date():
    """Whatever versions are installed: those on the page are the ones that it was written with."""
    assert PAGE.read_text(encoding="utf-8") == page(written_versions()), "run `make compatibility`"
    assert written_versions().keys() == versions().keys()


def test_another_version_changes_nothing_but_the_version():
    newer = {**written_versions(), "aiohttp": "99.1"}
    assert page(newer) != page(written_versions())
    assert page(newer).replace("| 99.1 |", f"| {written_versions()['aiohttp']} |") == page(written_versions())


def test_every_library_is_shown_in_both_worlds():
    assert all({one.world for one in library.shown} == set(WORLDS) for _, library in libraries())


@pytest.mark.parametrize("path", sorted((FOLDER / "programs").glob("*.py")), ids=lambda path: path.stem)
def test_a_program_knows_nothing_of_lastack(path: Path):
    tree = ast.parse(path.read_text(encoding="utf-8"))
    names = [node.module or "" for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)]
    names += [one.name for node in ast.walk(tree) if isinstance(node, ast.Import) for one in node.names]
    assert not [name for name in names if name.split(".")[0] == "lastack" or name.endswith("stage")]
