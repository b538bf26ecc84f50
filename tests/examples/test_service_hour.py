"""An hour of twenty hosts: the same on every Python, and it sees a store that forgets."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path
from shutil import which
from types import FrameType

import pytest

from examples.service_hour.hour import HOSTS, Service
from examples.service_hour.rpc import Words
from examples.service_hour.service import Broken
from examples.service_hour.store import Leader

_ROOT = Path(__file__).parents[2]
# Others that may be at hand, as names on PATH; the versions of pyenv are looked at as well.
MOST_CALLS = 225  # of functions for each frame; 214 they are
_OTHERS = ("3.12", "3.13", "3.14")


def pythons() -> list[str]:
    """Other interpreters on this machine, one of each version."""
    versions = Path(os.environ.get("PYENV_ROOT", Path.home() / ".pyenv")) / "versions"
    found = []
    for version in _OTHERS:
        installed = [*sorted(versions.glob(f"{version}.*/bin/python{version}")), which(f"python{version}")]
        # What pyenv has on PATH may be a name for a version that is not there.
        found += [str(one) for one in installed if one is not None and _works(str(one))][:1]
    return found


def _works(python: str) -> bool:
    return subprocess.run([python, "-c", ""], capture_output=True, check=False).returncode == 0


def command(*options: str, python: str = sys.executable, hash_seed: int = 0) -> str:
    """What the command prints, run in a process of its own."""
    environment = {**os.environ, "PYTHONPATH": str(_ROOT / "src"), "PYTHONHASHSEED": str(hash_seed)}
    line = [python, "-m", "examples.service_hour", *options]
    ended = subprocess.run(line, cwd=_ROOT, env=environment, capture_output=True, text=True, check=True)
    return ended.stdout


def hash_in(text: str) -> str:
    """The trace hash that was printed."""
    found = re.search(r"^trace hash ([0-9a-f]{64})$", text, re.MULTILINE)
    assert found, text
    return found[1]


def test_twenty_hosts_answer_through_loss_and_partitions():
    assert len(HOSTS) == 20
    service = Service(seed=2, minutes=0.5)
    report = service.run()
    assert report.requests > 150
    assert report.failures == 0
    assert report.lost > report.frames * 0.005
    assert report.writes > 20
    service.replicas["store-2"].log.pop()
    with pytest.raises(Broken, match="store-2"):
        service.check()


def test_a_store_that_forgets_is_found(monkeypatch: pytest.MonkeyPatch):
    answer = Leader.answer

    async def forgets(self: Leader, seconds: float, words: Words) -> str:
        return "0" if words[0] == "get" else await answer(self, seconds, words)

    monkeypatch.setattr(Leader, "answer", forgets)
    with pytest.raises(Broken, match=r"reads its write 0, and \d+ was acknowledged"):
        Service(seed=1, minutes=1).run()


@pytest.mark.slow
def test_another_process_and_another_hash_seed_are_the_same_run():
    assert hash_in(command("--minutes", "1", hash_seed=1)) == hash_in(command("--minutes", "1", hash_seed=2))


@pytest.mark.slow
@pytest.mark.parametrize("version", _OTHERS)
def test_another_python_is_the_same_run(version: str):
    found = [one for one in pythons() if one.endswith(version)]
    if not found:
        pytest.skip(f"Python {version} is not at hand")
    assert hash_in(command("--minutes", "1", python=found[0])) == hash_in(command("--minutes", "1"))


def test_an_hour_costs_no_more_than_it_did():
    """`python -m examples.service_hour` tells the seconds; what a slow machine counts as well are calls of Python's
    functions, for each frame."""
    calls = 0

    def count(frame: FrameType, event: str, argument: object) -> None:
        nonlocal calls
        calls += event == "call"

    service = Service(seed=0, minutes=1)
    sys.setprofile(count)
    try:
        report = service.run()
    finally:
        sys.setprofile(None)
    assert report.frames > 4_000
    assert calls / report.frames < MOST_CALLS
