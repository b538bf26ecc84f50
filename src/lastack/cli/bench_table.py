"""The tables of `lastack bench`."""

from __future__ import annotations

from statistics import median

from rich.console import Console
from rich.table import Table
from rich.text import Text

from lastack.bench.profile import Profile
from lastack.bench.results import Comparison, Figure, Results, number

_BOUNDS = ("must", "aim")


def show(results: Results) -> None:
    """All figures, what falls short marked."""
    # A pipe has no width: rows must not break there.
    console = Console(highlight=False, soft_wrap=False)
    if not console.is_terminal:
        console.width = 160
    console.print(_machine(results), style="dim")
    if results.comparisons:
        console.print(_comparisons(results.comparisons))
    if results.alone:
        console.print(_alone(results.alone))
    if any(one.missed for one in results.comparisons) or any(one.missed for one in results.alone):
        console.print("! falls short of what it must be")


def _machine(results: Results) -> str:
    machine = results.machine
    told = (
        f"{machine['cpu']}, {machine['cores']} cores, {machine['memory_gib']} GiB; {machine['kernel']}, "
        f"{machine['python']}; load {machine['load']}"
    )
    if not results.settings:
        return told
    kernel, own = results.settings["kernel"], results.settings["lastack"]
    return (
        f"{told}\nkernel: {kernel['device']}, MTU {kernel['mtu']}, "
        f"{kernel['sysctls'].get('net.ipv4.tcp_congestion_control')}; "
        f"lastack: {own['device']}, MTU {own['mtu']}, preset {own['preset']}, {own['config']['congestion']}, "
        f"spin {own.get('spin', 0)} us; "
        f"{results.seconds:g} s each; medians, and all pairs as kernel/lastack"
    )


def _table(*columns: str) -> Table:
    table = Table(box=None, pad_edge=False, header_style="bold")
    for column in columns:
        left = column in ("work", "unit", "pairs", "all", "without a peer")
        table.add_column(column, justify="left" if left else "right", overflow="fold", no_wrap=not left)
    return table


def _comparisons(comparisons: list[Comparison]) -> Table:
    table = _table("work", "kernel", "lastack", "unit", "ratio", "spread", *_BOUNDS, "pairs")
    for one in comparisons:
        medians = [number(median(figures)) for figures in (one.kernel, one.own)]
        spread = f"{min(one.ratios):.2f} .. {max(one.ratios):.2f}"
        pairs = zip(one.kernel, one.own, strict=True)
        figures = "  ".join(f"{number(kernel)}/{number(own)}" for kernel, own in pairs)
        bounds = (_bound(one.must), _bound(one.aim))
        table.add_row(one.title, *medians, one.unit, _judged(f"{one.ratio:.2f}", one.missed), spread, *bounds, figures)
    return table


def _alone(figures: list[Figure]) -> Table:
    table = _table("without a peer", "median", "unit", *_BOUNDS, "all")
    for one in figures:
        shown = "  ".join(map(number, one.figures))
        judged = _judged(number(one.median), one.missed)
        table.add_row(one.title, judged, one.unit, _bound(one.must), _bound(one.aim), shown)
    return table


def _judged(text: str, missed: bool) -> Text:
    return Text(f"{text} !", style="red") if missed else Text(f"{text}  ")


def _bound(value: float | None) -> str:
    return "" if value is None else f"{value:,g}"


def show_profile(found: Profile) -> None:
    """Where the time of one work goes."""
    console = Console(highlight=False, soft_wrap=True)
    rooms = _table("us", "share", "work")
    rooms.columns[-1].header = "room"
    for room in found.rooms:
        rooms.add_row(f"{room.microseconds:.2f}", f"{room.share:.1%}", room.name)
    table = _table("us", "share", "calls", "work")
    table.columns[-1].header = "function"
    for row in found.rows:
        table.add_row(f"{row.microseconds:.2f}", f"{row.share:.1%}", f"{row.calls:.2f}", row.function)
    console.print(
        f"{found.title}: {found.pieces:,} times {found.piece}; {found.microseconds:.1f} us and {found.calls:.0f} calls "
        f"each under the profiler, which slows calls down; {found.idle:.0%} of the time it waited"
    )
    console.print(rooms)
    console.print(table)
