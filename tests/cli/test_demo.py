"""`lastack demo`: what is told, that it is checked, and what happens where there is no kernel to talk to."""

from __future__ import annotations

import re
import shutil
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from lastack.cli import demo_story
from lastack.cli.demo_story import Piece, WrongStory, story
from lastack.cli.main import build
from lastack.device.errors import DeviceError
from lastack.tcp.states import State

ANSI = re.compile(r"\x1b\[\d*m")


def run() -> Any:
    return CliRunner().invoke(build(["demo", "ss"]), ["demo"])


@pytest.fixture
def told() -> list[Piece]:
    return list(story(colour=False))


def lines(pieces: list[Piece]) -> list[str]:
    return [line for piece in pieces for line in piece.lines.splitlines()]


def test_one_life_goes_through_every_state_but_closing(told: list[Piece]):
    """CLOSING takes a simultaneous close; the others are all on one connection's way."""
    text = "\n".join(lines(told))
    assert [state for state in State if state.value not in text] == [State.CLOSING]


def test_the_story_has_its_climax(told: list[Piece]):
    text = "\n".join(lines(told))
    for words in ("X lost", "connect from port 40000 again: EADDRNOTAVAIL", "[timeout = 2MSL]", 'says "balance 250"'):
        assert words in text
    # The last word: of two answers the client has read the old one again, and the new one never.
    assert text.count('has read "balance 100"') == 2
    assert 'has read "balance 250"' not in text


def test_the_ladders_are_cut_where_chapters_begin(told: list[Piece]):
    assert not any(demo_story._MARK in line or len(line) > demo_story.WIDTH for line in lines(told))
    chapters = [piece for piece in told if piece.heading and not piece.chief]
    assert [piece.heading for piece in chapters] == [
        heading for texts in (demo_story.LIFE, demo_story.ACCIDENT) for heading, _ in texts.values() if heading
    ]
    assert all(piece.lines.strip() for piece in chapters)


def test_it_is_the_same_every_time_and_in_colour(told: list[Piece]):
    assert list(story(colour=False)) == told
    painted = list(story(colour=True))
    assert any("\x1b" in line for line in lines(painted))
    assert [ANSI.sub("", line).rstrip() for line in lines(painted)] == [line.rstrip() for line in lines(told)]


@pytest.mark.parametrize(
    "spoil",
    [
        lambda patch: patch.setattr(demo_story, "refusal", lambda call: ""),
        lambda patch: patch.setattr(demo_story, "force", lambda party, *numbers: None),
    ],
    ids=["the port is not refused", "the sequence numbers do not overlap"],
)
def test_what_did_not_happen_is_not_told(monkeypatch: pytest.MonkeyPatch, spoil: Callable[[Any], None]):
    spoil(monkeypatch)
    with pytest.raises(WrongStory):
        list(story(colour=False))
    done = run()
    assert done.exit_code == 1
    assert "lastack demo: what is told here did not happen" in done.stderr


def test_where_there_may_be_no_sandbox(monkeypatch: pytest.MonkeyPatch):
    def refuse(*arguments: Any, **options: Any) -> None:
        raise DeviceError("this user may not make a network namespace; run as root")

    monkeypatch.setattr("lastack.cli.demo_kernel.Sandbox", refuse)
    monkeypatch.setattr(shutil, "which", lambda name: f"/usr/bin/{name}")
    done = run()
    assert done.exit_code == 0
    assert "is left out here: this user may not make a network namespace; run as root." in done.stdout
    assert "Where to go from here" in done.stdout


def test_where_there_is_no_curl(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(shutil, "which", lambda name: None)
    done = run()
    assert done.exit_code == 0
    assert "is left out here: there is no curl on this machine." in done.stdout


@pytest.mark.interop("curl")
@pytest.mark.parametrize("tool", ["ss -tano", "lastack ss --kernel"])
def test_both_ends_are_shown_and_each_waits_for_what_it_closed(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, tool: str
):
    which = shutil.which
    if tool == "ss -tano" and which("ss") is None:
        pytest.skip("not installed: ss")
    monkeypatch.setattr(shutil, "which", lambda name: None if name == "ss" and tool != "ss -tano" else which(name))
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    done = run()
    assert done.exit_code == 0, done.stderr
    _, _, kernel = done.stdout.partition("The same TCP, with the Linux kernel as its peer")
    assert kernel.count(f"the kernel's end: {tool}") == 2
    rows = [line.split()[:5] for line in kernel.splitlines() if re.match(r" +(ESTAB|TIME-WAIT) ", line)]
    (up_theirs, up_ours, waiting_theirs, waiting_ours) = rows
    assert (up_theirs[0], up_ours[0], waiting_theirs[0], waiting_ours[0]) == (
        "ESTAB",
        "ESTAB",
        "TIME-WAIT",
        "TIME-WAIT",
    )
    # While it is up both show one connection, each from its end; what is left at each end is another one.
    assert up_theirs[3:] == up_ours[:2:-1]
    assert waiting_theirs[3] == up_theirs[3] != waiting_ours[4]
    assert "SHA-256 equal" in " ".join(kernel.split())
    assert not [path for path in tmp_path.iterdir() if path.name.startswith("lastack-demo")]
