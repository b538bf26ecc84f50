"""The charts of docs/performance.md."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any

import matplotlib as mpl
from matplotlib.figure import Figure as Chart

from lastack.bench import alone_crowd, alone_time_wait
from lastack.bench.results import Comparison, Figure, Results

_OURS, _MISSED, _BOUND = "#2b6cb0", "#c05621", "#4a5568"
# The same figures give the same file to the byte, and text stays text.
_STYLE = {"svg.hashsalt": "lastack", "svg.fonttype": "none", "font.size": 9, "axes.spines.top": False}


def draw(folder: Path, results: Results) -> None:
    """The charts for which there are figures, as SVG files of that folder. Raises OSError."""
    figures = {one.name: one for one in results.alone}
    with mpl.rc_context({**_STYLE, "axes.spines.right": False}):
        if results.comparisons:
            _save(_ratios(results.comparisons), folder / "ratios.svg")
        if results.alone:
            _save(_bounds(results.alone), folder / "alone.svg")
        if _all_there(figures, (f"add-{size}" for size in alone_time_wait.SIZES)):
            _save(_time_wait(figures), folder / "time-wait.svg")
        if _all_there(figures, (f"same-{size}" for size in alone_crowd.SIZES[1:])):
            _save(_connections(figures), folder / "connections.svg")


def _save(chart: Chart, path: Path) -> None:
    chart.savefig(path, metadata={"Date": None, "Creator": None})
    # matplotlib ends lines with blanks.
    lines = path.read_text(encoding="utf-8").splitlines()
    path.write_text("\n".join(line.rstrip() for line in lines) + "\n", encoding="utf-8")


def _all_there(figures: dict[str, Figure], names: Iterable[str]) -> bool:
    return all(name in figures for name in names)


def _chart(width: float, height: float) -> tuple[Chart, Any]:
    chart = Chart(figsize=(width, height), layout="constrained")
    return chart, chart.subplots()


def _ratios(comparisons: list[Comparison]) -> Chart:
    """A bar for each work's median, a dot for each pair, marks for what must be and what is aimed at."""
    chart, axes = _chart(8, 0.45 * len(comparisons) + 1)
    for row, one in enumerate(comparisons):
        axes.barh(row, one.ratio, height=0.55, color=_MISSED if one.missed else _OURS, alpha=0.75)
        axes.plot(one.ratios, [row] * len(one.ratios), "o", color="black", markersize=3, alpha=0.6)
        _marks(axes, row, one.must, one.aim)
    axes.set_yticks(range(len(comparisons)), [one.title for one in comparisons])
    axes.invert_yaxis()
    axes.set_xlim(left=0)
    axes.axvline(1, color=_BOUND, linewidth=0.8)
    axes.set_xlabel("ratio to the kernel over veth: bar: median, dots: pairs, | must, ¦ aim")
    return chart


def _marks(axes: Any, row: int, must: float | None, aim: float | None) -> None:
    for bound, style in ((must, "-"), (aim, ":")):
        if bound is not None:
            axes.plot([bound, bound], [row - 0.42, row + 0.42], style, color=_BOUND, linewidth=2)


def _bounds(figures: list[Figure]) -> Chart:
    """How much better than it must be each figure is."""
    judged = [one for one in figures if one.must]
    chart, axes = _chart(8, 0.4 * len(judged) + 1)
    for row, one in enumerate(judged):
        assert one.must is not None
        better = one.must / one.median if one.less else one.median / one.must
        axes.barh(row, better, height=0.55, color=_MISSED if one.missed else _OURS, alpha=0.75)
        aim = None if one.aim is None else (one.must / one.aim if one.less else one.aim / one.must)
        _marks(axes, row, 1, aim)
    axes.set_yticks(range(len(judged)), [one.title for one in judged])
    axes.invert_yaxis()
    axes.set_xscale("log", base=2)
    axes.xaxis.set_major_formatter(lambda value, _: f"{value:g}")
    axes.set_xlabel("times as good as it must be: | must, ¦ aim")
    return chart


def _time_wait(figures: dict[str, Figure]) -> Chart:
    chart, axes = _chart(6, 3)
    for what in alone_time_wait.OPERATIONS:
        values = [figures[f"{what}-{size}"].median for size in alone_time_wait.SIZES]
        axes.plot(alone_time_wait.SIZES, values, "o-", label=what)
    axes.set_xscale("log")
    axes.set_ylim(bottom=0)
    axes.set_xlabel("TIME-WAIT records")
    axes.set_ylabel("us each")
    axes.legend()
    return chart


def _connections(figures: dict[str, Figure]) -> Chart:
    chart, axes = _chart(6, 3)
    for which, title in (("same", "always the same connection"), ("random", "a random one")):
        values = [1.0, *(figures[f"{which}-{size}"].median for size in alone_crowd.SIZES[1:])]
        axes.plot(alone_crowd.SIZES, values, "o-", label=title)
    axes.set_xscale("log")
    axes.set_ylim(bottom=0)
    axes.set_xlabel("open connections")
    axes.set_ylabel("cost of a segment, relative to one connection")
    axes.legend()
    return chart
