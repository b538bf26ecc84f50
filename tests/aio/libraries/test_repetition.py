"""The same seed is the same run for every library, to the byte, in whatever process it runs."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from typing import Any

import pytest

from tests.aio.libraries.repeated import PROGRAMS
from tests.aio.libraries.stage import ROOT


def start(order: str, *seeds: str) -> subprocess.Popen[str]:
    """A process of its own, where sets of strings have an order of their own."""
    paths = os.pathsep.join([str(ROOT / "src"), str(ROOT)])
    environment = {**os.environ, "PYTHONPATH": paths, "PYTHONHASHSEED": order}
    command = [sys.executable, "-m", "tests.aio.libraries.repeated", *seeds]
    return subprocess.Popen(command, cwd=ROOT, env=environment, stdout=subprocess.PIPE, text=True)


@pytest.fixture(scope="module")
def runs() -> list[Any]:
    """What two processes say."""
    processes = [start("1", "1", "2"), start("2", "1")]
    return [json.loads(process.communicate()[0]) for process in processes]


@pytest.mark.slow
@pytest.mark.parametrize("name", PROGRAMS)
def test_one_seed_is_one_run(runs: list[Any], name: str):
    (first, second), (again,) = runs
    assert first[name] == again[name]
    assert first[name] != second[name]  # another seed
