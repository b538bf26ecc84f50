"""A stand-in for the runner: what becomes of a script is told by its name."""

from __future__ import annotations

import os
import time
from pathlib import Path
from typing import Any

import pytest

from lastack.packetdrill import playing
from lastack.packetdrill.language.syntax import Script
from lastack.packetdrill.runner import Result
from tests.packetdrill.recordings import timeline

SCRIPT = "0 socket(..., SOCK_STREAM, IPPROTO_TCP) = 3\n+0 close(3) = 0\n+0 > S 0:0(0)\n"


def play(script: Script, settings: Any, **how: Any) -> Result:
    """As `lastack.packetdrill.runner.play`."""
    what = script.name.split(".")[0].split("-")[0]
    if what == "differs":
        what = "bad" if how["machine"] == "another" else "good"
    result = Result("passed", virtual_seconds=1.5, timeline=timeline(), capture=[(2, b"\x45"), (3, b"\x45")])
    if what == "bad":
        result.outcome, result.line, result.message = "failed", 3, "other flags"
        result.expected, result.got, result.connections = "> S 0:0(0)", "> R 0:0(0)", "SYN-SENT\nSND.UNA 1"
    elif what == "late":
        result.outcome, result.line, result.message, result.late_seconds = "failed", 3, "too late", 0.0314
    elif what == "lacks":
        result.outcome, result.line, result.message = "unsupported", 1, "SO_ZEROCOPY"
    elif what == "tells":
        result.outcome = "failed"
        told = how["preset"].name, settings.ip_version, dict(settings.defines), sorted(how["loosen"])
        result.message = " ".join(map(str, told))
    elif what == "crashes":
        raise KeyError("a bug of ours")
    elif what == "hangs":
        while True:
            time.sleep(0.01)
    elif what == "dies":
        os._exit(3)
    return result


def write(folder: Path, *names: str) -> list[Path]:
    """Scripts of these names."""
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(SCRIPT)
    return [folder / name for name in names]


@pytest.fixture
def standin(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """The stand-in plays, and we are in an empty directory."""
    monkeypatch.setattr(playing, "play", play)
    monkeypatch.chdir(tmp_path)
    return tmp_path
