"""The shipped examples: each bug is found with its first seeds, explained by what is left behind, and mended."""

from __future__ import annotations

import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]

# Of each example: what the failing run says, the file that explains it, and what stands there.
TELLING = {
    "ephemeral_ports": ("no ephemeral port", "netstat.txt", r"(?:TIME-WAIT .*\n){64}"),
    "keep_alive": (
        "has closed the connection and has not answered",
        "ladder-client-server.txt",
        r"P\. .*\.\.\. .*\n.* close\(\) .*\n.*F\. (?:.*\n)+.* R \d+:\d+\(0\) (?:.*\n)+.*localhost fails",
    ),
    "lost_power": ("no news for", "ladder-client-server.txt", r"loses its power(?:.*\n)+.*localhost fails: .*no news"),
    "nagle": (
        "a request took 4",
        "ladder-client-server.txt",
        r"send\(5 bytes\)\n *\* delayed ACK timer \*.*\n.*<-* \. .*\n.*P\. .*\(5\)",
    ),
    "restart": (
        "address already in use",
        "ladder-client-server.txt",
        r"restart server #\d(?:.*\n)+.*F\. .*FIN-WAIT-1(?:.*\n)+.*server fails: OSError: .*address already in\n *use",
    ),
    "slow_reader": (
        "nothing came for",
        "ladder-hanging-hub.txt",
        r"persist timer \*.*\n.*\n.* win 0 (?:.*\n)+.* win 0 ",
    ),
    "unread_data": (
        "ConnectionResetError",
        "ladder-client-server.txt",
        r"close\(\) .*\n.* R\. .*\n(?:.*\n)+.*P\. 1:11\(10\)",
    ),
}


def play(*arguments: str) -> str:
    """What pytest says."""
    command = [sys.executable, "-m", "pytest", "-p", "lastack.aio.pytest_plugin", "-p", "no:cacheprovider", *arguments]
    environment = {**os.environ, "PYTHONPATH": str(ROOT / "src"), "COLUMNS": "120"}
    return subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False).stdout


def test_every_example_is_held_here_and_told_of():
    files = {path.stem.removeprefix("test_") for path in (ROOT / "examples").glob("test_*.py")}
    assert files == set(TELLING)
    told = (ROOT / "examples/README.md").read_text(encoding="utf-8")
    assert all(f"pytest examples/test_{name}.py::test_buggy" in told for name in files)


@pytest.mark.slow
@pytest.mark.parametrize("name", TELLING)
def test_the_bug_is_found_and_explained_and_its_mend_holds(name: str, tmp_path: Path):
    said, file, telling = TELLING[name]
    text = play(f"examples/test_{name}.py", "--lastack-dir", str(tmp_path))
    assert "1 failed, 1 passed" in text
    assert said in text
    found = re.search(r"^seed (\d+) fails", text, re.MULTILINE)
    again = re.search(r"^again:   pytest (.*)$", text, re.MULTILINE)
    assert found is not None
    assert again is not None
    folder = tmp_path / f"examples/test_{name}.py/test_buggy/seed-{found[1]}"
    assert re.search(telling, (folder / file).read_text(encoding="utf-8"))
    evidence = (folder / "capture.pcapng").read_bytes()
    assert evidence

    # The command shows the same again, to the byte.
    assert said in play(*shlex.split(again[1]), "--lastack-dir", str(tmp_path))
    assert (folder / "capture.pcapng").read_bytes() == evidence
