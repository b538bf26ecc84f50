"""Typed programs of others: what the documents show is right to mypy, too."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.aio.somebody import ROOT


@pytest.mark.slow
def test_a_typed_program_is_clean(tmp_path: Path):
    """By mypy's strictest rules, and with no configuration of ours."""
    program = tmp_path / "program.py"
    program.write_bytes((Path(__file__).parent / "typed_program.py").read_bytes())
    command = [sys.executable, "-m", "mypy", "--strict", "--config-file=", program.name]
    environment = {**os.environ, "MYPYPATH": str(ROOT / "src")}
    done = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True, check=False)
    assert (done.stdout, done.stderr) == ("Success: no issues found in 1 source file\n", "")
