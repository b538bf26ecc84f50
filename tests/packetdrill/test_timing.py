"""When events are due, and what is in time."""

from __future__ import annotations

import pytest

from lastack.packetdrill.errors import Failed
from lastack.packetdrill.language.parser import parse
from lastack.packetdrill.settings import Settings
from lastack.packetdrill.timing import Due, Timing

SECOND = 1_000_000


def due(*texts: str, now: int = 0, **settings: float) -> tuple[Timing, Due]:
    """The last of these events; `now` is when it is asked."""
    timing = Timing(Settings(**settings))  # type: ignore[arg-type]
    lines = (f"{text}{'' if text.endswith('<') else ' >'} . 1:1(0) ack 1 win 5" for text in texts)
    for event in parse("\n".join(lines)).events:
        found = timing.due(event, now)
    return timing, found


@pytest.mark.parametrize(
    ("texts", "now", "start", "end"),
    [
        (["1"], 0, SECOND, SECOND),
        (["1", "+.5"], 1_000_007, 1_500_007, 1_500_007),  # from when the one before came, not from when it was due
        (["1 <", "+.5 <"], 1_000_007, 1_500_000, 1_500_000),  # but what comes in in a row keeps to the script
        (["1 <", "+.5"], 1_000_007, 1_500_007, 1_500_007),
        (["1", "1.5"], 7, 1_500_000, 1_500_000),
        (["1~2"], 0, SECOND, 2 * SECOND),
        (["1", "+1~+2"], 900_000, 1_900_000, 2_900_000),
        (["1~2", "+1"], 1_700_000, 2_700_000, 2_700_000),  # a range has no one time to count from
        (["*", "+1"], 5 * SECOND, 6 * SECOND, 6 * SECOND),
        (["1", "*"], SECOND, SECOND, None),
    ],
)
def test_when_an_event_is_due(texts: list[str], now: int, start: int, end: int | None):
    assert due(*texts, now=now)[1] == Due(start, end)


@pytest.mark.parametrize("texts", [("1", "0.9"), ("+1", "0.9"), ("1", "*", "0.9"), ("1", "+1~+2", "1.9")])
def test_times_do_not_go_back(texts: tuple[str, ...]):
    with pytest.raises(Failed, match="before that of the event before"):
        due(*texts, now=SECOND)


def test_a_time_is_not_held_against_what_was_late():
    assert due("1", "+.5", "1.5", now=1_000_007)[1].start == 1_500_000


@pytest.mark.parametrize(
    ("happened", "fine"),
    [(996_000, True), (995_999, False), (1_004_000, True), (1_004_001, False)],
)
def test_what_was_not_waited_for_may_be_off_by_4_ms(happened: int, fine: bool):
    timing, at = due("1", "+0", now=SECOND)
    if fine:
        timing.check("it", at, happened)
    else:
        with pytest.raises(Failed, match=r"was due at 1\.000000 s and happened at"):
            timing.check("it", at, happened)


def test_the_longer_the_wait_the_more_may_it_be_off():
    timing, at = due("1", "+8", now=SECOND)
    timing.check("it", at, 10 * SECOND)  # 12.5 % of 8 s
    with pytest.raises(Failed, match=r"tolerance 1.000000 s"):
        timing.check("it", at, 10 * SECOND + 1)


def test_a_call_that_blocks_is_held_to_how_long_it_did():
    timing, at = due("1", "+0")
    timing.check("it", Due(at.start + 8 * SECOND, at.start + 8 * SECOND), at.start + 9 * SECOND, at.start)
    with pytest.raises(Failed):
        timing.check("it", Due(at.start + 8 * SECOND, at.start + 8 * SECOND), at.start + 9 * SECOND + 1, at.start)


def test_the_tolerance_can_be_chosen():
    timing, at = due("1", "+8", now=SECOND, tolerance_percent=0.0, tolerance_usecs=10)
    timing.check("it", at, 9_000_010)
    with pytest.raises(Failed):
        timing.check("it", at, 9_000_011)


def test_any_time_is_in_time():
    timing, at = due("*")
    timing.check("it", at, 10**12)


@pytest.mark.parametrize(
    ("kind", "happened", "fine"),
    [
        ("+0", 1_026_000, True),  # while the event before went on
        ("+0", 1_025_999, False),  # before it
        ("+.5", 1_526_000, True),
        ("+.5", 1_525_999, False),
        ("1.1", 1_096_000, True),
        ("1.1", 1_095_999, False),  # that time counts from the start of the script
    ],
)
def test_what_an_event_brings_about_may_come_before_it_is_over(kind: str, happened: int, fine: bool):
    timing = Timing(Settings(tolerance_percent=0))
    before, event = parse(f"1 < . 1:1(0) ack 1 win 5\n{kind} > . 1:1(0) ack 1 win 5").events
    timing.due(before, 0)
    timing.over(1_030_000, 1_100_000)
    due = timing.due(event, 1_100_000)
    if fine:
        timing.check("it", due, happened)
    else:
        with pytest.raises(Failed, match="was due"):
            timing.check("it", due, happened)


def test_what_was_kept_since_long_ago_lets_nothing_come_early():
    timing = Timing(Settings())
    before, event = parse("1 > . 1:1(0) ack 1 win 5\n+0 > . 1:1(0) ack 1 win 5").events
    timing.due(before, SECOND)
    timing.over(500_000, SECOND)
    with pytest.raises(Failed, match="was due"):
        timing.check("it", timing.due(event, SECOND), 900_000)
