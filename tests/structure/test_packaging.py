"""What a newcomer meets first: the version, the extras, and the command without its extra."""

from __future__ import annotations

import subprocess
import sys
import tomllib
from itertools import chain
from pathlib import Path

import pytest

import lastack
from tests.structure.imports import THIRD_PARTY

# A module that is None cannot be imported: as if the extra were not installed.
BARE = "import sys; sys.modules.update(dict.fromkeys({absent!r})); from lastack.cli.main import main; main()"


@pytest.fixture(scope="module")
def project(root: Path) -> dict:
    """The table of pyproject.toml that says what is published."""
    return tomllib.loads((root / "pyproject.toml").read_text(encoding="utf-8"))["project"]


def bare_names(requirements: list[str]) -> set[str]:
    """The names of requirements, without their bounds."""
    return {one.partition(">=")[0] for one in requirements}


def test_the_library_needs_nothing(project: dict):
    assert project["dependencies"] == []


def test_the_extras_hold_what_the_rooms_use(project: dict):
    extras = {name: bare_names(project["optional-dependencies"][name]) for name in ("cli", "bench")}
    assert extras["bench"] - {"lastack[cli]"} == {"aiohttp", "matplotlib"}
    assert extras["cli"] | extras["bench"] - {"lastack[cli]"} == set().union(*THIRD_PARTY.values())


def test_requirements_have_lower_bounds_and_no_upper(project: dict):
    for requirement in chain(*project["optional-dependencies"].values()):
        assert requirement == "lastack[cli]" or (">=" in requirement and "<" not in requirement)


def test_the_changelog_begins_with_this_version(root: Path):
    headings = [one for one in (root / "CHANGELOG.md").read_text(encoding="utf-8").splitlines() if one[:3] == "## "]
    assert headings[0].split()[1] == lastack.__version__


def run(code: str, root: Path) -> subprocess.CompletedProcess[str]:
    """A fresh Python that finds the package of this tree."""
    environment = {"PYTHONPATH": str(root / "src")}
    return subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, env=environment, check=False)


def test_the_command_without_its_extra_says_what_to_install(root: Path):
    done = run(BARE.format(absent=sorted(THIRD_PARTY["cli"])), root)
    assert done.returncode != 0
    assert "lastack[cli]" in done.stderr
    assert "Traceback" not in done.stderr


def test_the_library_imports_without_any_other_package(root: Path):
    done = run("import sys, lastack; print(*sys.modules)", root)
    assert done.returncode == 0
    assert set().union(*THIRD_PARTY.values()) & set(done.stdout.split()) == set()
