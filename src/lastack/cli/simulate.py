"""`lastack simulate`: random worlds of two hosts from seeds, with every checker on; and the replay of one of them."""

from __future__ import annotations

import json
import os
import sys
import time
from contextlib import closing
from enum import StrEnum
from typing import Annotated

import typer

from lastack.cli.errors import FAILED, UsageError, reported, tell
from lastack.sim.simulation import Result, Summary, run_each, run_simulation
from lastack.sim.workers import ended_by_sigterm

EXAMPLE = "Example: `lastack simulate --count 1000`, and `lastack simulate --seed 187` replays one that failed."

_MOST_SEEDS = 1_000_000_000  # months of work
_MOST_PROCESSES = 1024
_SHOWN = 20  # failures told one by one


class Format(StrEnum):
    """How the result is printed."""

    TEXT = "text"
    JSON = "json"


def simulate(
    seed: Annotated[int | None, typer.Option(help="Run this seed alone, and say what happened.", min=0)] = None,
    count: Annotated[int, typer.Option(help="How many seeds to run.", min=1, max=_MOST_SEEDS)] = 200,
    first: Annotated[int, typer.Option(help="The first of them.", min=0)] = 0,
    jobs: Annotated[int, typer.Option(help="Processes; 0 is one for each processor.", min=0, max=_MOST_PROCESSES)] = 0,
    format: Annotated[Format, typer.Option(help="Text for people, or JSON.")] = Format.TEXT,
) -> None:
    """Simulate two hosts on a bad network, from seeds: sizes, faults, options and closes are drawn at random.

    After every event the checkers look at both hosts and at the wire; then the network is healed, and both ends must
    finish. A seed is the same run to the byte, so a failure is replayed by its seed.
    """
    with reported("simulate"), ended_by_sigterm():
        if seed is not None and (count != 200 or first):
            raise UsageError("--seed runs one simulation; --count and --first run many: use one or the other")
        summary = _one(seed) if seed is not None else _many(count, first, jobs or os.cpu_count() or 1)
        if format is Format.JSON:
            _print_json(summary)
        else:
            _print_text(summary, seed)
    if summary.failures:
        sys.exit(FAILED)


def _one(seed: int) -> Summary:
    summary = Summary()
    summary.add(run_simulation(seed))
    return summary


def _many(count: int, first: int, jobs: int) -> Summary:
    summary = Summary()
    began = shown = time.monotonic()
    with closing(run_each(count, first, jobs)) as results:
        for result in results:
            summary.add(result)
            if not result.ok and len(summary.failures) <= _SHOWN:
                tell(_failure(result))
            now = time.monotonic()
            if now - shown > 1 and sys.stderr.isatty():
                shown = now
                left = (now - began) / summary.count * (count - summary.count)
                sys.stderr.write(f"\r{summary.count} of {count}, {len(summary.failures)} failed, {left:.0f} s left ")
                sys.stderr.flush()
    if shown > began:
        sys.stderr.write("\r" + " " * 60 + "\r")
    return summary


def _failure(result: Result) -> str:
    return f"seed {result.seed}: {result.problem}" + (f"\n{result.details}" if result.details else "")


def _print_json(summary: Summary) -> None:
    failures = [{"seed": failed.seed, "problem": failed.problem} for failed in summary.failures]
    counters = dict(sorted(summary.counters.items()))
    print(json.dumps({"count": summary.count, "failures": failures, "counters": counters}, indent=2))


def _print_text(summary: Summary, seed: int | None) -> None:
    if seed is not None:
        for failed in summary.failures:
            print(_failure(failed))
        if not summary.failures:
            print(f"seed {seed}: ok")
    counters = summary.counters
    for name in ("events", "packets sent", "packets delivered", "opened", "accepted", "complete", "broken"):
        print(f"  {name:20}{counters[name]:>12,}")
    print(f"{summary.count - len(summary.failures):,} of {summary.count:,} simulations ok")
