"""A second opinion on a capture: what Wireshark's dissectors think of it."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

# By default Wireshark believes every checksum.
_CHECKS = ("-o", "tcp.check_checksum:TRUE", "-o", "ip.check_checksum:TRUE")

needs_tshark = pytest.mark.skipif(shutil.which("tshark") is None, reason="not installed: tshark")


def fields(capture: Path, *names: str) -> list[tuple[str, ...]]:
    """The values of these fields in each packet of a capture; "" for a field that a packet has not."""
    command = ["tshark", "-r", str(capture), *_CHECKS, "-T", "fields", "-E", "separator=/t"]
    for name in names:
        command += ["-e", name]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return [tuple(line.split("\t")) for line in done.stdout.splitlines()]


def expert_notes(capture: Path) -> list[tuple[int, str]]:
    """(packet number from 1, what tshark remarks) for every packet of a capture that it has something to say about."""
    rows = fields(capture, "frame.number", "_ws.expert.message", "_ws.malformed")
    return [(int(number), " ".join(filter(None, told))) for number, *told in rows if any(told)]


def complaints(capture: Path) -> list[tuple[int, str]]:
    """Those of the expert notes that say that a packet is malformed or its checksum bad."""
    return [note for note in expert_notes(capture) if any(w in note[1].lower() for w in ("malformed", "checksum"))]
