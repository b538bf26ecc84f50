"""Percentages, times, rates and sizes as people write them, and back. ValueError says what is wrong and what is not."""

from __future__ import annotations

import re
from decimal import Decimal

_NUMBER = re.compile(r"(?P<number>\d+(?:\.\d+)?|\.\d+)\s*(?P<unit>[A-Za-z%µ]*)$")

# In microseconds.
TIMES = {"us": 1, "µs": 1, "ms": 1_000, "s": 1_000_000, "min": 60_000_000, "h": 3_600_000_000}
# In bits a second.
RATES = {"bit": 1, "kbit": 1_000, "mbit": 1_000_000, "gbit": 1_000_000_000}
# In bytes.
SIZES = {"": 1, "b": 1, "kb": 1_000, "mb": 1_000_000, "kib": 1024, "mib": 1024 * 1024}


def parse_percent(text: str) -> float:
    """ "2%" is 0.02. ValueError for what is no percentage from 0% to 100%."""
    number, unit = _split(text, "a percentage", "2% or 0.5%")
    if unit != "%":
        raise ValueError(f"{text!r} is not a percentage: write 2% or 0.5%")
    if number > 100:
        raise ValueError(f"{text!r} is more than 100%")
    return float(number / 100)


def parse_time(text: str) -> int:
    """ "10ms" is 10,000 microseconds; us, ms, s, min, h. ValueError where the unit is missing or unknown."""
    return _scaled(text, "a time", "250us, 10ms, 1.5s, 2min or 1h", TIMES)


def parse_rate(text: str) -> int:
    """ "100mbit" is 100,000,000 bits a second; bit, kbit, mbit, gbit. ValueError, also for zero."""
    rate = _scaled(text.removesuffix("/s"), "a rate", "64kbit, 100mbit or 1gbit", RATES)
    if not rate:
        raise ValueError(f"{text!r} is no rate that anything passes at: use a partition instead")
    return rate


def parse_size(text: str) -> int:
    """ "64kB" is 64,000 bytes; bytes alone, B, kB, MB, KiB, MiB. ValueError where the unit is unknown."""
    return _scaled(text, "a size", "1500, 64kB or 1MiB", SIZES)


def format_percent(probability: float) -> str:
    """0.02 is "2%"."""
    return f"{(Decimal(repr(probability)) * 100).normalize():f}%"


def format_time(microseconds: int) -> str:
    """10,000 is "10ms": in the largest unit that leaves a whole number."""
    return _largest(microseconds, {unit: size for unit, size in TIMES.items() if unit != "µs"})


def format_rate(rate: int) -> str:
    """100,000,000 is "100mbit"."""
    return _largest(rate, RATES)


def _split(text: str, what: str, examples: str) -> tuple[Decimal, str]:
    found = _NUMBER.match(text.strip())
    if found is None:
        raise ValueError(f"{text!r} is not {what}: write {examples}")
    return Decimal(found["number"]), found["unit"].lower()


def _scaled(text: str, what: str, examples: str, units: dict[str, int]) -> int:
    number, unit = _split(text, what, examples)
    if unit not in units:
        problem = f"has the unknown unit {unit!r}" if unit else "has no unit"
        raise ValueError(f"{text!r} {problem}: write {examples}")
    return int(number * units[unit])


def _largest(value: int, units: dict[str, int]) -> str:
    best = next(iter(units))
    for unit, size in units.items():
        if value and value % size == 0:
            best = unit
    return f"{value // units[best]}{best}"
