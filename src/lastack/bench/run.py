"""One run: the chosen works in pairs, one side right after the other, and what is measured without a peer."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import UTC, datetime

from lastack import __version__
from lastack.bench import alone, machine
from lastack.bench.alone import ALONE, Alone
from lastack.bench.results import Comparison, Figure, Results
from lastack.bench.sides import BenchError, KernelSide, OwnSide, Side
from lastack.bench.works import WORKS, Work
from lastack.tcp.presets import PRESETS

# In the order in which they are measured and shown.
NAMES = (*WORKS, *ALONE)

# Told what is measured next, and which of how many measurements that is.
Told = Callable[[str, int, int], None]


@dataclass(frozen=True, slots=True)
class Order:
    """What to measure: names of NAMES, and how often and long; None is as often as each work's own `pairs` says."""

    names: Sequence[str] = NAMES
    pairs: int | None = None
    seconds: float = 1.0
    preset: str = "default"
    scale: float = 1.0  # of the work without a peer
    spin: int = 0  # of our loop

    @property
    def works(self) -> list[Work]:
        """Those beside the kernel."""
        return [work for name, work in WORKS.items() if name in self.names]

    @property
    def alone(self) -> list[Alone]:
        """Those without a peer."""
        return [one for name, one in ALONE.items() if name in self.names]

    @property
    def steps(self) -> int:
        """How many measurements there are."""
        pairs = sum(self.pairs or work.pairs for work in self.works)
        return 2 * pairs + sum(self.pairs or one.repetitions for one in self.alone)


def missing_programs(names: Sequence[str]) -> list[str]:
    """Programs that these works need and that are not installed."""
    needed = {work.program: None for name, work in WORKS.items() if name in names and work.program}
    return [program for program in needed if program and shutil.which(program) is None]


def measure(order: Order, told: Told = lambda what, at, of: None) -> Results:
    """Measure all of it. What comes to nothing is in `failures`, with why. Raises DeviceError for no namespace."""
    now = datetime.now(UTC)
    results = Results(now.strftime("%Y-%m-%d %H:%M"), __version__, order.seconds, machine.describe())
    step = _Steps(told, order.steps)
    if order.works:
        config = PRESETS[order.preset]
        with ExitStack() as stack:
            kernel, own = stack.enter_context(KernelSide()), stack.enter_context(OwnSide(config, spin=order.spin))
            results.settings = machine.settings(kernel, own, order.preset, config)
            for work in order.works:
                try:
                    results.comparisons.append(_compare(work, (kernel, own), order, step))
                except BenchError as error:
                    results.failures.append(f"{work.name}: {error}")
    for one in order.alone:
        try:
            results.alone += _repeat(one, order, step)
        except BenchError as error:
            results.failures.append(f"{one.name}: {error}")
    return results


class _Steps:
    """Counts the measurements."""

    def __init__(self, told: Told, total: int) -> None:
        self.told = told
        self.total = total
        self.at = 0

    def __call__(self, what: str) -> None:
        self.at += 1
        self.told(what, self.at, self.total)


def _compare(work: Work, sides: tuple[Side, Side], order: Order, step: _Steps) -> Comparison:
    """Pairs in turned order, so that neither side always comes first."""
    comparison = Comparison(work.name, work.title, work.unit, work.must, work.aim)
    pairs = order.pairs or work.pairs
    for pair in range(pairs):
        kernel, own = sides
        turned = sides if pair % 2 == 0 else (own, kernel)
        figures = {}
        for side in turned:
            step(f"{work.name}, pair {pair + 1} of {pairs}: {side.name}")
            figures[side.name] = work.figure(side.run(work, order.seconds))
        comparison.kernel.append(figures[kernel.name])
        comparison.own.append(figures[own.name])
    return comparison


def _repeat(one: Alone, order: Order, step: _Steps) -> list[Figure]:
    rows = [Figure(row.name, row.title, row.unit, row.must, row.aim, row.less) for row in one.rows]
    repetitions = order.pairs or one.repetitions
    for repetition in range(repetitions):
        step(f"{one.name}, {repetition + 1} of {repetitions}")
        told = alone.run(one.name, order.scale)
        for row in rows:
            row.figures.append(told[row.name])
    return rows
