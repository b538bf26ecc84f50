"""The tables of docs/performance.md, written between its markers, and the charts beside it."""

from __future__ import annotations

import re
from collections.abc import Iterable
from pathlib import Path
from statistics import median
from typing import Any

from lastack.bench.results import Comparison, Figure, Results, number

MARKERS = ("machine", "kernel", "alone")
_MARKED = re.compile(r"(<!-- (\w+):begin -->\n)(.*?)(<!-- \2:end -->)", re.DOTALL)


class PageError(ValueError):
    """A page that cannot be written, and why."""


def write(page: Path, results: Results) -> None:
    """Put the results into a page, and draw its charts into the folder that bears its name. Raises PageError."""
    try:
        text = filled(page.read_text(encoding="utf-8"), results)
        folder = page.with_suffix("")
        folder.mkdir(exist_ok=True)
        from lastack.bench.drawing import draw

        draw(folder, results)
        page.write_text(text, encoding="utf-8")
    except ModuleNotFoundError as error:
        raise PageError(f"drawing needs {error.name}; install it with: pip install 'lastack[bench]'") from None
    except OSError as error:
        raise PageError(f"cannot write {error.filename or page}: {error.strerror}") from None


def filled(text: str, results: Results) -> str:
    """A page with the results in it; what was not measured stays as it is. Raises PageError."""
    missing = sorted(set(MARKERS) - {match[2] for match in _MARKED.finditer(text)})
    if missing:
        raise PageError(f"the page has no marker <!-- {missing[0]}:begin --> with its end")
    tables = {"machine": _machine(results)}
    if results.comparisons:
        tables["kernel"] = _comparisons(results.comparisons)
    if results.alone:
        tables["alone"] = _alone(results.alone)

    def put(match: re.Match[str]) -> str:
        table = tables.get(match[2])
        return match[0] if table is None else f"{match[1]}\n{table}\n{match[4]}"

    return _MARKED.sub(put, text)


def _machine(results: Results) -> str:
    machine = results.machine
    rows = [
        ("measured", f"{results.when} UTC, lastack {results.lastack}"),
        ("machine", f"{machine['cpu']}, {machine['cores']} cores, {machine['memory_gib']} GiB"),
        ("software", f"{machine['kernel']}, {machine['python']}"),
        ("load before", str(machine["load"])),
    ]
    if results.settings:
        kernel, own = results.settings["kernel"], results.settings["lastack"]
        sysctls = ", ".join(f"{name.rpartition('.')[2]} {value}" for name, value in kernel["sysctls"].items())
        config = ", ".join(f"{name} {value}" for name, value in own["config"].items())
        rows += [
            ("the kernel's side", f"{kernel['device']}, MTU {kernel['mtu']}, {_offloads(kernel['offloads'])}"),
            ("our side", f"{own['device']}, MTU {own['mtu']}, {_offloads(own['offloads'])}{_spinning(own)}"),
            ("sysctls of all three namespaces", sysctls),
            (f"our preset {own['preset']} (us, bytes)", config),
            ("each client works for", f"{results.seconds:g} s"),
        ]
    return _table(("what", ""), rows, "ll")


def _spinning(own: dict[str, Any]) -> str:
    return f"; looks for packets {own['spin']} us before it sleeps" if own.get("spin") else ""


def _offloads(offloads: dict[str, object]) -> str:
    told = {True: "on", False: "off"}
    return "offloads: " + ", ".join(
        f"{name} {told[value] if isinstance(value, bool) else value}" for name, value in offloads.items()
    )


def _comparisons(comparisons: Iterable[Comparison]) -> str:
    heads = ("work", "unit", "kernel", "lastack", "ratio", "spread", "must", "aim")
    rows = [
        (
            one.title,
            one.unit,
            number(median(one.kernel)),
            number(median(one.own)),
            _judged(f"{one.ratio:.2f}", one.missed),
            f"{min(one.ratios):.2f} to {max(one.ratios):.2f}",
            _bound(one.must),
            _bound(one.aim),
        )
        for one in comparisons
    ]
    pairs = [
        (one.title, ", ".join(f"{number(k)}/{number(o)}" for k, o in zip(one.kernel, one.own, strict=True)))
        for one in comparisons
    ]
    return f"{_table(heads, rows, 'llrrrrrr')}\n{_table(('work', 'all pairs, kernel/lastack'), pairs, 'll')}"


def _alone(figures: Iterable[Figure]) -> str:
    heads = ("what", "unit", "median", "must", "aim", "all")
    rows = [
        (
            one.title,
            one.unit,
            _judged(number(one.median), one.missed),
            _bound(one.must),
            _bound(one.aim),
            ", ".join(map(number, one.figures)),
        )
        for one in figures
    ]
    return _table(heads, rows, "llrrrl")


def _judged(text: str, missed: bool) -> str:
    return f"**{text}** (!)" if missed else text


def _bound(value: float | None) -> str:
    return "" if value is None else f"{value:,g}"


def _table(heads: Iterable[str], rows: Iterable[Iterable[str]], sides: str) -> str:
    lines = [heads, ["---:" if side == "r" else "---" for side in sides], *rows]
    return "".join(f"| {' | '.join(cells)} |\n" for cells in lines)
