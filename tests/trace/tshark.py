"""A second opinion on a capture: what Wireshark's dissectors think of it."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Iterable, Iterator, Set
from pathlib import Path
from typing import NamedTuple
from xml.etree import ElementTree

import pytest

# By default Wireshark believes every checksum.
_CHECKS = ("-o", "tcp.check_checksum:TRUE", "-o", "ip.check_checksum:TRUE")

# From this severity on: note, warning, error. Below are comments, and chat such as "Connection finish (FIN)".
_NOTE = 0x400000
_OF_EVERY_CLOSE = frozenset({"tcp.connection.fin_active", "tcp.connection.fin_passive"})

needs_tshark = pytest.mark.skipif(shutil.which("tshark") is None, reason="not installed: tshark")


class Note(NamedTuple):
    """A remark on a packet, which is counted from 1; `name` is the field's, without a "tcp.analysis." before it."""

    packet: int
    name: str
    text: str


def fields(capture: Path, *names: str) -> list[tuple[str, ...]]:
    """The values of these fields in each packet of a capture; "" for a field that a packet has not."""
    command = ["tshark", "-r", str(capture), *_CHECKS, "-T", "fields", "-E", "separator=/t"]
    for name in names:
        command += ["-e", name]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return [tuple(line.split("\t")) for line in done.stdout.splitlines()]


def notes(capture: Path, *settings: str) -> list[Note]:
    """All that tshark remarks on a capture, but for small talk and what it says of every close, in order.

    `settings` are further arguments for it.
    """
    remarked = ("-Y", f"_ws.expert.severity >= {_NOTE}")
    command = ["tshark", "-r", str(capture), *_CHECKS, *settings, *remarked, "-T", "pdml"]
    done = subprocess.run(command, capture_output=True, check=False)
    assert done.returncode == 0, done.stderr.decode()
    found = [note for packet in ElementTree.fromstring(done.stdout).iter("packet") for note in _of(packet)]
    return [note for note in found if note.name not in _OF_EVERY_CLOSE]


def _of(packet: ElementTree.Element) -> Iterator[Note]:
    number = next(field.get("show", "") for field in packet.iter("field") if field.get("name") == "num")
    for field in packet.iter("field"):
        if field.get("name") == "_ws.expert":
            what, *rest = field
            told = {one.get("name"): one.get("show", "") for one in rest}
            if int(told["_ws.expert.severity"]) >= _NOTE:
                name = (what.get("name") or "").removeprefix("tcp.analysis.")
                yield Note(int(number), name, told["_ws.expert.message"])


def names(found: Iterable[Note]) -> set[str]:
    """What kinds of notes there are."""
    return {note.name for note in found}


def differences(found: Iterable[Note], about: Set[str], beside: Set[str] = frozenset()) -> list[str]:
    """Where notes are not those that a capture is about: each that is too many, each kind that is missing.

    Those of `beside` may be there or not.
    """
    found = list(found)
    extra = [f"packet {note.packet}: {note.name}: {note.text}" for note in found if note.name not in about | beside]
    return extra + [f"nowhere: {name}" for name in sorted(about - names(found))]
