"""The text form of faults, there and back, and what is said about text that is none."""

from __future__ import annotations

import shlex
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lastack.link.faults import Faults
from lastack.link.units import (
    format_percent,
    format_rate,
    format_time,
    parse_percent,
    parse_rate,
    parse_size,
    parse_time,
)


def test_the_command_line_of_faults() -> None:
    faults = Faults.parse(
        loss="2%",
        delay="10ms",
        jitter="2ms",
        reorder="5%",
        duplicate="1%",
        corrupt="0.5%",
        rate="100mbit",
        ecn_mark="10%",
    )
    assert faults == Faults(
        loss=0.02,
        delay=10_000,
        jitter=2_000,
        reorder=0.05,
        duplicate=0.01,
        corrupt=0.005,
        rate=100_000_000,
        ecn_mark=0.1,
    )
    names = [rule.name for rule in faults.rules(Random(1))]
    assert names == ["loss", "ecn_mark", "corrupt", "duplicate", "rate", "delay", "reorder"]


def test_no_faults() -> None:
    assert not Faults.parse(loss=None, queue="10kB")
    assert Faults.parse(drop=["3rd SYN"])
    assert Faults().rules(Random(1)) == []


@given(
    st.builds(
        Faults,
        loss=st.integers(0, 1000).map(lambda n: n / 1000),
        delay=st.integers(0, 10**9),
        rate=st.integers(0, 10**10),
        mtu=st.just(0) | st.integers(68, 65535),
        drop=st.lists(st.sampled_from(["3rd SYN", "every FIN once"])).map(tuple),
    )
)
def test_printed_faults_read_back(faults: Faults) -> None:
    words = shlex.split(str(faults))
    options: dict[str, list[str]] = {}
    for option, value in zip(words[::2], words[1::2], strict=True):
        options.setdefault(option.removeprefix("--").replace("-", "_"), []).append(value)
    texts = {name: values if name == "drop" else values[0] for name, values in options.items()}
    assert Faults.parse(**texts) == faults


def test_one_switched_off_leaves_the_chances_of_the_others() -> None:
    def generators(faults: Faults) -> list[float]:
        return [rule.generator.random() for rule in faults.rules(Random(5)) if hasattr(rule, "generator")]

    assert generators(Faults(loss=0.1, reorder=0.1))[1:] == generators(Faults(reorder=0.1))


@pytest.mark.parametrize(
    ("options", "problem"),
    [
        ({"loss": "2"}, "--loss: '2' is not a percentage: write 2% or 0.5%"),
        ({"loss": "lots"}, "--loss: 'lots' is not a percentage"),
        ({"loss": "101%"}, "--loss: '101%' is more than 100%"),
        ({"loss": "-1%"}, "--loss: '-1%' is not a percentage"),
        ({"delay": "10"}, "--delay: '10' has no unit: write 250us, 10ms"),
        ({"delay": "10parsecs"}, "--delay: '10parsecs' has the unknown unit 'parsecs'"),
        ({"rate": "0mbit"}, "--rate: '0mbit' is no rate"),
        ({"rate": "fast"}, "--rate: 'fast' is not a rate: write 64kbit"),
        ({"mtu": "40"}, "--mtu: '40' is less than 68"),
        ({"reorder_by": "x"}, "--reorder-by: 'x' is not a time"),
        ({"drop": ["3rd"]}, "--drop: cannot read '3rd'"),
        ({"los": "2%"}, "unknown fault 'los': one of black_hole corrupt delay"),
    ],
)
def test_text_that_is_no_fault_says_why(options: dict[str, str], problem: str) -> None:
    with pytest.raises(ValueError, match=problem.replace("(", r"\(")):
        Faults.parse(**options)


def test_units() -> None:
    assert parse_percent("0.5%") == 0.005
    assert [format_percent(chance) for chance in (0.02, 0.005, 1.0)] == ["2%", "0.5%", "100%"]
    assert [parse_time(text) for text in ("250us", "1.5 ms", "2s", "3min", "1h")] == [
        250,
        1_500,
        2_000_000,
        180_000_000,
        3_600_000_000,
    ]
    assert parse_rate("1.5Mbit/s") == 1_500_000
    assert [parse_size(text) for text in ("1500", "64kB", "1MiB")] == [1500, 64_000, 1_048_576]
    assert [format_time(time) for time in (0, 1, 1_500, 120_000_000)] == ["0us", "1us", "1500us", "2min"]
    assert format_rate(100_000_000) == "100mbit"
