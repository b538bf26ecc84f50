"""The faults of a path as one value, with the text form of the command line."""

from __future__ import annotations

from dataclasses import dataclass, fields
from random import Random

from lastack.link.pipeline import Pipeline
from lastack.link.rules import Corrupt, Delay, Duplicate, Loss, Mark, Rate, Reorder, Rule
from lastack.link.targeted import Drop, Mtu
from lastack.link.units import (
    format_percent,
    format_rate,
    format_time,
    parse_percent,
    parse_rate,
    parse_size,
    parse_time,
)

_PERCENTS = ("loss", "duplicate", "reorder", "corrupt", "ecn_mark")
_TIMES = ("delay", "jitter", "reorder_by")


@dataclass(frozen=True)
class Faults:
    """What a path does to frames. Probabilities from 0 to 1, times in microseconds, `rate` in bits a second (0: any).

    `queue` is the bytes that wait in front of a `rate`, `mtu` the largest packet (0: any), of which the sender is told
    by ICMP; `black_hole` is the same in silence. `drop` are texts as `Drop.parse` reads them.
    """

    loss: float = 0.0
    delay: int = 0
    jitter: int = 0
    reorder: float = 0.0
    reorder_by: int = 5_000
    duplicate: float = 0.0
    corrupt: float = 0.0
    rate: int = 0
    queue: int = 256 * 1024
    mtu: int = 0
    black_hole: int = 0
    drop: tuple[str, ...] = ()
    ecn_mark: float = 0.0

    @classmethod
    def parse(cls, **options: str | tuple[str, ...] | list[str] | None) -> Faults:
        """From texts: `parse(loss="2%", delay="10ms", rate="100mbit", drop=["3rd SYN"])`; None means not given.

        Raises ValueError naming the option and what is wrong with it.
        """
        values: dict[str, float | int | tuple[str, ...]] = {}
        known = {field.name for field in fields(cls)}
        for name, text in options.items():
            if name not in known:
                raise ValueError(f"unknown fault {name!r}: one of {' '.join(sorted(known))}")
            if text is None:
                continue
            try:
                values[name] = _parse_one(name, text)
            except ValueError as error:
                raise ValueError(f"--{name.replace('_', '-')}: {error}") from None
        return cls(**values)  # type: ignore[arg-type]

    def __bool__(self) -> bool:
        return self != Faults(reorder_by=self.reorder_by, queue=self.queue)

    def __str__(self) -> str:
        """The options of the command line that give this value; empty for a path without faults."""
        plain, words = Faults(), []
        for field in fields(self):
            value = getattr(self, field.name)
            if value == getattr(plain, field.name):
                continue
            option = "--" + field.name.replace("_", "-")
            if field.name == "drop":
                words += [f"{option} '{text}'" for text in value]
            else:
                words.append(f"{option} {_format_one(field.name, value)}")
        return " ".join(words)

    def rules(self, generator: Random) -> list[Rule]:
        """Fresh rules in the order in which a frame meets them, each with a generator of its own.

        One that is switched off therefore leaves the chances of the others as they were.
        """
        loss, corrupt, duplicate, delay, reorder, mark = (Random(generator.getrandbits(64)) for _ in range(6))
        rules: list[Rule] = [Drop.parse(text) for text in self.drop]
        if self.mtu:
            rules.append(Mtu(self.mtu))
        if self.black_hole:
            rules.append(Mtu(self.black_hole, tells=False))
        if self.loss:
            rules.append(Loss(self.loss, loss))
        if self.ecn_mark:
            rules.append(Mark(self.ecn_mark, mark))
        if self.corrupt:
            rules.append(Corrupt(self.corrupt, corrupt))
        if self.duplicate:
            rules.append(Duplicate(self.duplicate, duplicate))
        if self.rate:
            rules.append(Rate(self.rate, self.queue))
        if self.delay or self.jitter:
            rules.append(Delay(self.delay, delay, self.jitter))
        if self.reorder:
            rules.append(Reorder(self.reorder, reorder, self.reorder_by))
        return rules

    def pipeline(self, generator: Random) -> Pipeline:
        """The rules in a row."""
        return Pipeline(self.rules(generator))


def _parse_one(name: str, text: str | tuple[str, ...] | list[str]) -> float | int | tuple[str, ...]:
    if name == "drop":
        texts = (text,) if isinstance(text, str) else tuple(text)
        for each in texts:
            Drop.parse(each)
        return texts
    if not isinstance(text, str):
        raise ValueError("is given once")
    if name in _PERCENTS:
        return parse_percent(text)
    if name in _TIMES:
        return parse_time(text)
    size = parse_rate(text) if name == "rate" else parse_size(text)
    if name in ("mtu", "black_hole") and size < 68:
        raise ValueError(f"{text!r} is less than 68 bytes, the least that IPv4 allows (RFC 791 section 3.2)")
    return size


def _format_one(name: str, value: float | int) -> str:
    if name in _PERCENTS:
        return format_percent(value)
    if name in _TIMES:
        return format_time(int(value))
    return format_rate(int(value)) if name == "rate" else str(value)
