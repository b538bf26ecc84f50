"""`lastack bench`: this TCP beside the Linux kernel's in one run, and what needs no peer."""

from __future__ import annotations

import json
import os
import sys
from dataclasses import asdict
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from lastack.cli import options
from lastack.cli.errors import FAILED, CommandError, UsageError, cannot_write, reported, tell

if TYPE_CHECKING:
    from lastack.bench.profile import Profile
    from lastack.bench.results import Results
    from lastack.bench.run import Order

EXAMPLE = """
Examples, as root:

    lastack bench bulk-in ping-pong --pairs 3

    lastack bench --profile ping-pong
"""

_MOST_PAIRS = 1_000
_MOST_SECONDS = 60.0


class Format(StrEnum):
    """How the results are printed."""

    TEXT = "text"
    JSON = "json"


def bench(
    names: Annotated[
        list[str] | None, typer.Argument(metavar="[NAME]...", help="What to measure; default: all.")
    ] = None,
    listed: Annotated[bool, typer.Option("--list", help="Say what can be measured, and end.")] = False,
    pairs: Annotated[
        int | None,
        typer.Option(help="How often; by default 5 times, bulk data 9 times.", min=1, max=_MOST_PAIRS),
    ] = None,
    seconds: Annotated[
        float,
        typer.Option(help="How long each client works.", min=0.1, max=_MOST_SECONDS, callback=options.a_number),
    ] = 1.0,
    preset: options.PresetName = options.Preset.default,
    spin: options.Spin = 0,
    form: Annotated[Format, typer.Option("--format", help="Text for people, or JSON.")] = Format.TEXT,
    save: Annotated[Path | None, typer.Option(metavar="FILE", help="Keep the results, as JSON.")] = None,
    load: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Measure nothing: show results that were kept.")
    ] = None,
    page: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE", help="Write tables between the markers of this page, and charts in a folder beside."
        ),
    ] = None,
    profile: Annotated[
        str | None, typer.Option(metavar="NAME", help="Show where one work's time goes on our side.")
    ] = None,
) -> None:
    """Measure lastack and the Linux kernel side by side, on the same work with the same client, in turn.

    The kernel serves over a veth between two network namespaces, lastack over a TUN device in a third. Then what needs
    no peer: the simulator's speed, memory, TIME-WAIT records, many connections. What falls short of what it must be is
    marked with "!"; the exit code is 1 only where something could not be measured.
    """
    from lastack.sim.workers import ended_by_sigterm

    with reported("bench"), ended_by_sigterm():
        if listed:
            _list(form)
            return
        if profile is not None:
            if names or load or save or page or pairs or spin:
                raise UsageError("--profile NAME goes with --seconds, --preset and --format alone")
            _print_profile(_profiled(profile, seconds, preset), form)
            return
        if load is not None:
            results = _loaded(load, names)
        else:
            results = _measured(_order(names, pairs, seconds, preset, spin), save)
        if page is not None:
            _write_page(page, results)
        if form is Format.JSON:
            print(results.to_json(), end="")
        else:
            from lastack.cli.bench_table import show

            show(results)
        for failure in results.failures:
            tell(f"lastack bench: {failure}")
    if results.failures:
        sys.exit(FAILED)


def _list(form: Format) -> None:
    from lastack.bench.alone import ALONE
    from lastack.bench.works import WORKS

    titles = {name: work.title for name, work in WORKS.items()}
    titles |= {name: one.title for name, one in ALONE.items()}
    if form is Format.JSON:
        print(json.dumps(titles, indent=2))
        return
    for name, title in titles.items():
        print(f"{name:18}{title}{' (no peer)' if name in ALONE else ''}")


def _known(names: list[str], known: list[str]) -> None:
    for name in names:
        if name not in known:
            raise UsageError(f"there is no {name!r} to measure; there are: {', '.join(known)}")


def _order(names: list[str] | None, pairs: int | None, seconds: float, preset: options.Preset, spin: int) -> Order:
    from lastack.bench.run import NAMES, Order

    chosen = names or list(NAMES)
    _known(chosen, list(NAMES))
    order = Order(tuple(chosen), pairs, seconds, preset.value, spin=spin)
    _can_measure(order)
    return order


def _can_measure(order: Order) -> None:
    """Say at once what would fail in minutes."""
    from lastack.bench.run import missing_programs

    if order.works and os.geteuid() != 0:
        free = " ".join(one.name for one in order.alone) or "sim-segments"
        raise CommandError(f"the measurements beside the kernel need root; without it: lastack bench {free}")
    for program in missing_programs(order.names):
        raise CommandError(f"there is no program {program}: install it (apt install {program}), or name other works")


def _measured(order: Order, save: Path | None) -> Results:
    """Measure, showing on a terminal how far it is; keep the results where they are wanted."""
    from lastack.bench.run import measure

    if save is not None:
        _may_write(save)
    line = _Line()
    try:
        results = measure(order, line.show)
    finally:
        line.clear()
    if save is not None:
        try:
            save.write_text(results.to_json(), encoding="utf-8")
        except OSError as error:
            raise cannot_write(save, error) from None
    return results


def _may_write(path: Path) -> None:
    """Find out before minutes of measurements, not after."""
    try:
        with open(path, "a", encoding="utf-8"):
            pass
        if not path.stat().st_size:
            path.unlink()
    except OSError as error:
        raise cannot_write(path, error) from None


def _loaded(path: Path, names: list[str] | None) -> Results:
    from lastack.bench.results import Results

    if names:
        raise UsageError("--load shows all that was kept: leave out the names")
    try:
        return Results.load(path)
    except OSError as error:
        raise UsageError(f"cannot read {path}: {error.strerror}") from None
    except ValueError as error:
        raise UsageError(f"{path}: {error}") from None


def _write_page(page: Path, results: Results) -> None:
    from lastack.bench.page import PageError, write

    try:
        write(page, results)
    except PageError as error:
        raise UsageError(str(error)) from None


def _profiled(name: str, seconds: float, preset: options.Preset) -> Profile:
    from lastack.bench.profile import profile
    from lastack.bench.run import Order
    from lastack.bench.sides import BenchError
    from lastack.bench.works import WORKS

    _known([name], list(WORKS))
    _can_measure(Order((name,)))
    try:
        return profile(WORKS[name], seconds, preset.value)
    except BenchError as error:
        raise CommandError(str(error)) from None


def _print_profile(found: Profile, form: Format) -> None:
    if form is Format.JSON:
        print(json.dumps(asdict(found), indent=2))
    else:
        from lastack.cli.bench_table import show_profile

        show_profile(found)


class _Line:
    """Which measurement is under way, on one line of a terminal."""

    def __init__(self) -> None:
        self.shown = 0

    def show(self, what: str, at: int, of: int) -> None:
        """The measurement that begins now."""
        if sys.stderr.isatty():
            text = f"[{at}/{of}] {what}"
            sys.stderr.write("\r" + text.ljust(self.shown))
            sys.stderr.flush()
            self.shown = len(text)

    def clear(self) -> None:
        """Take the line away."""
        if self.shown:
            sys.stderr.write("\r" + " " * self.shown + "\r")
            sys.stderr.flush()
