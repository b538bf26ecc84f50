"""The captures of the scenarios as tshark reads them: it remarks on what each is about, and on nothing else."""

from __future__ import annotations

from pathlib import Path

import pytest

from lastack.link.frame import Frame
from lastack.sim.scenarios import stage
from lastack.sim.scenarios.play import Play, perform
from lastack.sim.scenarios.registry import Scenario, find, scenarios
from lastack.tcp.presets import LINUX, PRESETS
from tests.sim.scenarios.about import LINUX_NOTES, NOTES
from tests.trace.tshark import Note, differences, names, needs_tshark, notes

EVERY = pytest.mark.parametrize("scenario", scenarios(), ids=lambda scenario: scenario.name)


def remarks(capture: bytes, place: Path) -> list[Note]:
    file = place / "capture.pcapng"
    file.write_bytes(capture)
    return notes(file)


def test_the_list_is_of_the_scenarios() -> None:
    assert list(NOTES) == [scenario.name for scenario in scenarios()]


@EVERY
@needs_tshark
@pytest.mark.parametrize("version", [4, 6])
def test_tshark_remarks_on_what_it_is_about(scenario: Scenario, version: int, tmp_path: Path) -> None:
    found = remarks(perform(scenario, version=version).capture, tmp_path)
    assert differences(found, NOTES[scenario.name]) == []


@EVERY
@needs_tshark
@pytest.mark.slow
def test_and_so_under_every_preset(scenario: Scenario, tmp_path: Path) -> None:
    about = {perform(scenario, of).capture: LINUX_NOTES if of is LINUX else NOTES for of in PRESETS.values()}
    about.pop(perform(scenario).capture, None)
    for capture, notes_of in about.items():
        assert differences(remarks(capture, tmp_path), notes_of[scenario.name]) == []


@needs_tshark
@pytest.mark.parametrize("number", [4, 6])
def test_a_segment_too_many_is_seen(number: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Here data, and the answer to it."""
    sent = stage.Capture.sent

    def twice(capture: stage.Capture, now: int, sender: str, receiver: str, frame: Frame) -> None:
        sent(capture, now, sender, receiver, frame)
        if len(capture.frames) == number:
            capture.writer.write(capture.start + now, sender, frame)

    monkeypatch.setattr(stage.Capture, "sent", twice)
    assert differences(remarks(perform(find("half-close")).capture, tmp_path), NOTES["half-close"])


def two_acts() -> bytes:
    """The same twice over."""
    play = Play()
    for _ in range(2):
        play.act().open(local=5000)
    return play.stream.getvalue()


@needs_tshark
def test_acts_that_share_addresses_are_seen(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert remarks(two_acts(), tmp_path) == []
    monkeypatch.setattr(stage, "CLIENT", {4: "10.0.0.1"})
    monkeypatch.setattr(stage, "SERVER", {4: "10.0.0.2"})
    assert names(remarks(two_acts(), tmp_path))
