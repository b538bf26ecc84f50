"""Every scenario, under every preset: what it claims is so, twice the same, and its capture holds it all."""

from __future__ import annotations

from io import BytesIO
from pathlib import Path

import pytest

from lastack.sim.scenarios.play import perform
from lastack.sim.scenarios.registry import Scenario, find, scenarios
from lastack.tcp.config import Config
from lastack.tcp.presets import PRESETS
from lastack.trace.pcapng import read, read_stream

EVERY = pytest.mark.parametrize("scenario", scenarios(), ids=lambda scenario: scenario.name)

# Rows 1 to 8c of the table; K stands for those that the kernel is to be shown in as well.
ROWS = {
    "1": ("three-way-handshake", "K"),
    "2": ("four-way-close", "K"),
    "3": ("three-segment-close", "K"),
    "4": ("half-close", "K"),
    "5": ("simultaneous-open", "K"),
    "6": ("simultaneous-close", "K"),
    "7": ("each-close-segment-lost", ""),
    "8": ("lost-final-ack", "K"),
    "8b": ("lost-final-ack-without-time-wait", "K"),
    "8c": ("late-syn-meets-last-ack", "K"),
}


@EVERY
@pytest.mark.parametrize("preset", PRESETS.values(), ids=PRESETS)
@pytest.mark.parametrize("version", [4, 6])
def test_what_it_claims_is_so(scenario: Scenario, preset: Config, version: int) -> None:
    result = perform(scenario, preset, version=version)
    assert [claim for claim in result.claims if not claim.ok] == []
    assert result.ok
    assert all(act.claims for act in result.acts), "an act that claims nothing"


@EVERY
@pytest.mark.parametrize("version", [4, 6])
def test_it_is_the_same_twice(scenario: Scenario, version: int) -> None:
    first, second = perform(scenario, version=version), perform(scenario, version=version)
    assert first.ladder() == second.ladder()
    assert first.capture == second.capture
    assert first.states() == second.states()


@EVERY
def test_its_capture_holds_every_segment(scenario: Scenario, tmp_path: Path) -> None:
    result = perform(scenario)
    file = tmp_path / "capture.pcapng"
    file.write_bytes(result.capture)
    times = [now for now, _, _ in read(file)]
    assert len(times) == result.segments
    assert times == sorted(times)


@EVERY
def test_over_ipv6_nothing_differs_but_the_headers(scenario: Scenario) -> None:
    four, six = perform(scenario), perform(scenario, version=6)
    assert (four.states(), four.segments, four.virtual_seconds) == (six.states(), six.segments, six.virtual_seconds)
    assert [len(act.claims) for act in four.acts] == [len(act.claims) for act in six.acts]
    assert "[fd00:" in six.ladder() and "[fd00:" not in four.ladder()
    assert "10.0." not in six.ladder() and "0.0.0.0" not in six.ladder()
    versions = {data[0] >> 4 for _, _, data in read_stream(BytesIO(six.capture))}
    assert versions == ({6} if six.segments else set())


@EVERY
def test_its_text_is_for_reading(scenario: Scenario) -> None:
    assert 2 <= len(scenario.text.splitlines()) <= 6
    assert not scenario.title.endswith(".")


@pytest.mark.parametrize(("row", "told"), ROWS.items(), ids=ROWS)
def test_the_table(row: str, told: tuple[str, str]) -> None:
    name, kernel = told
    found = find(name)
    assert (found.row, found.kernel) == (row, kernel == "K")
