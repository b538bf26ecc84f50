"""What was measured, as values: kept as JSON, printed, drawn and written into the page by others."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, field
from pathlib import Path
from statistics import median
from typing import Any

VERSION = 1


@dataclass(slots=True)
class Comparison:
    """A work on both sides. Figures in `unit`, more is better: those at one place of both lists are a pair, measured
    one right after the other."""

    name: str
    title: str
    unit: str
    must: float | None
    aim: float | None
    kernel: list[float] = field(default_factory=list)
    own: list[float] = field(default_factory=list)

    @property
    def ratios(self) -> list[float]:
        """Ours to the kernel's, pair by pair."""
        return [own / kernel for own, kernel in zip(self.own, self.kernel, strict=True)]

    @property
    def ratio(self) -> float:
        """The median of the pairs' ratios."""
        return median(self.ratios)

    @property
    def missed(self) -> bool:
        """Whether the ratio is below what it must be."""
        return self.must is not None and self.ratio < self.must


@dataclass(slots=True)
class Figure:
    """One row of what is measured without a peer."""

    name: str
    title: str
    unit: str
    must: float | None
    aim: float | None
    less: bool  # is better
    figures: list[float] = field(default_factory=list)

    @property
    def median(self) -> float:
        """Of all repetitions."""
        return median(self.figures)

    @property
    def missed(self) -> bool:
        """Whether the median is worse than it must be."""
        if self.must is None:
            return False
        return self.median > self.must if self.less else self.median < self.must


@dataclass(slots=True)
class Results:
    """One run: when (UTC), on what machine, with what settings, and all figures. `failures` tells what came to nothing
    and why."""

    when: str
    lastack: str
    seconds: float
    machine: dict[str, Any]
    settings: dict[str, Any] = field(default_factory=dict)
    comparisons: list[Comparison] = field(default_factory=list)
    alone: list[Figure] = field(default_factory=list)
    failures: list[str] = field(default_factory=list)

    def to_json(self) -> str:
        """All of it, with medians and ratios for whoever reads it without this program."""
        told = {"version": VERSION, **asdict(self)}
        for shown, comparison in zip(told["comparisons"], self.comparisons, strict=True):
            shown["ratios"] = [round(one, 4) for one in comparison.ratios]
            shown["ratio"] = round(comparison.ratio, 4)
        for shown, figure in zip(told["alone"], self.alone, strict=True):
            shown["median"] = figure.median
        return json.dumps(_rounded(told), indent=1) + "\n"

    @classmethod
    def from_json(cls, text: str) -> Results:
        """What `to_json` made. ValueError for anything else."""
        try:
            told = json.loads(text)
            if told.pop("version") != VERSION:
                raise ValueError("made by another version")
            comparisons = [Comparison(**_without(one, "ratios", "ratio")) for one in told.pop("comparisons")]
            alone = [Figure(**_without(one, "median")) for one in told.pop("alone")]
            return cls(comparisons=comparisons, alone=alone, **told)
        except (KeyError, TypeError, AttributeError) as error:
            raise ValueError(f"no results of lastack bench ({error})") from None

    @classmethod
    def load(cls, path: Path) -> Results:
        """From a file. OSError, ValueError."""
        return cls.from_json(path.read_text(encoding="utf-8"))


def _without(known: dict[str, Any], *names: str) -> dict[str, Any]:
    return {name: value for name, value in known.items() if name not in names}


def _rounded(value: Any) -> Any:
    """Figures to six digits: more of them mean nothing."""
    if isinstance(value, float):
        return float(f"{value:.6g}")
    if isinstance(value, dict):
        return {name: _rounded(one) for name, one in value.items()}
    return [_rounded(one) for one in value] if isinstance(value, list) else value


def number(value: float) -> str:
    """A figure for people: three digits, or all of a whole number."""
    if abs(value) >= 1000:
        return f"{value:,.0f}"
    return f"{value:.{2 if abs(value) < 10 else 1 if abs(value) < 100 else 0}f}"
