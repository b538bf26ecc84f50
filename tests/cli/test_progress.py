"""The line of progress, and the numbers in it."""

from __future__ import annotations

import io

import pytest

from lastack.cli import progress
from lastack.cli.progress import Progress, rate, size


class Screen(io.StringIO):
    """A standard error that somebody looks at, or not."""

    def __init__(self, tty: bool) -> None:
        super().__init__()
        self.tty = tty

    def isatty(self) -> bool:
        return self.tty


@pytest.mark.parametrize(("tty", "seconds", "seen"), [(True, 2.0, True), (True, 0.5, False), (False, 2.0, False)])
def test_it_appears_after_a_second_on_a_terminal(
    tty: bool, seconds: float, seen: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    screen = Screen(tty)
    monkeypatch.setattr(progress.sys, "stderr", screen)
    monkeypatch.setattr(progress.time, "monotonic", lambda: 0.0)
    line = Progress("file")
    monkeypatch.setattr(progress.time, "monotonic", lambda: seconds)
    line.show(50_000_000, 200_000_000)
    assert ("file: 50.0 MB of 200.0 MB (25%), 200.00 Mbit/s, 6 s left" in screen.getvalue()) is seen
    line.clear()
    assert screen.getvalue() == "" or screen.getvalue().endswith("\r")


@pytest.mark.parametrize(
    ("count", "text"), [(0, "0 bytes"), (999, "999 bytes"), (1000, "1.0 kB"), (2_500_000, "2.5 MB"), (3e12, "3.0 TB")]
)
def test_sizes(count: float, text: str) -> None:
    assert size(count) == text


@pytest.mark.parametrize(
    ("count", "seconds", "text"),
    [(125_000_000, 1.0, "1.00 Gbit/s"), (1250, 1.0, "10.00 kbit/s"), (10, 1.0, "80 bit/s"), (10, 0.0, "0 bit/s")],
)
def test_rates(count: int, seconds: float, text: str) -> None:
    assert rate(count, seconds) == text
