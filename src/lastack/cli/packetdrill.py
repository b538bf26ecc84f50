"""`lastack packetdrill`: play packetdrill scripts, and say what became of each."""

from __future__ import annotations

import os
import shutil
import sys
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from contextlib import closing, contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from lastack.cli.errors import FAILED, UsageError, cannot_write, reported
from lastack.cli.scenario import one_of
from lastack.packetdrill.playing import LOOSE, ON
from lastack.packetdrill.report import FORMATS, FORMS, OUTCOMES, Outcome, as_text, closing_text, lines_of
from lastack.packetdrill.settings import IP_VERSIONS, NOT_FATAL
from lastack.packetdrill.suite import find, play_each, way_of
from lastack.sim.workers import ended_by_sigterm
from lastack.tcp.presets import PRESETS
from lastack.trace.ladder import Style

EXAMPLE = """
Examples:

    lastack packetdrill tests/

    lastack packetdrill close.pkt --preset linux --pcap captures

    lastack packetdrill tests/ --format junit --loosen timing > report.xml
"""

_NARROWEST, _USUAL, _WIDEST = 100, 110, 160
_MOST_PROCESSES = 1024

_Jobs = Annotated[
    int,
    typer.Option(
        "--jobs", "-j", min=0, max=_MOST_PROCESSES, help="Processes; 0 is one for each processor, 1 this one alone."
    ),
]
_NonFatal = Annotated[
    str,
    typer.Option(
        "--non-fatal",
        "--non_fatal",
        metavar=",".join(NOT_FATAL),
        help="What is only warned of where it is not as written.",
        show_default=False,
    ),
]


def packetdrill(
    paths: Annotated[list[Path], typer.Argument(metavar="FILE_OR_DIR", help="Scripts, and directories of .pkt files.")],
    on: Annotated[str, typer.Option(metavar="|".join(ON), callback=one_of(*ON), help="What to play them on.")] = ON[0],
    preset: Annotated[
        str, typer.Option(metavar="|".join(PRESETS), callback=one_of(*PRESETS), help="The configuration of lastack.")
    ] = "default",
    define: Annotated[
        list[str] | None,
        typer.Option("--define", "-D", metavar="N=V", help="What a name in scripts stands for.", show_default=False),
    ] = None,
    ip_version: Annotated[
        str | None,
        typer.Option(
            metavar="|".join(IP_VERSIONS),
            callback=one_of(*IP_VERSIONS),
            help="Over what the scripts say themselves.",
            show_default=False,
        ),
    ] = None,
    jobs: _Jobs = 0,
    output: Annotated[
        str, typer.Option("--format", metavar="|".join(FORMATS), callback=one_of(*FORMATS), help="How to tell of them.")
    ] = "text",
    pcap: Annotated[
        Path | None,
        typer.Option(metavar="DIR", help="Write the packets of each script to DIR/NAME.pcapng.", show_default=False),
    ] = None,
    loosen: Annotated[
        str,
        typer.Option(metavar=",".join(LOOSE), help="What of packets need not be as written.", show_default=False),
    ] = "",
    non_fatal: _NonFatal = "",
    verbose: Annotated[
        bool, typer.Option("--verbose", "-v", help="Whole ladders, and those of scripts that pass, too.")
    ] = False,
) -> None:
    """Play packetdrill scripts against lastack, in virtual time: minutes of a script take milliseconds. Or, with
    `--on kernel`, against the Linux kernel in a sandbox, in real time.

    A line for each script tells what became of it, and of one that fails is shown what was expected, what came, and
    what had happened so far. A script that asks for what there is not here is unsupported, and has not passed. Exit
    status: 0 if every script passed, 1 if one did not, 2 for a path without a script or an option without a sense.
    """
    with reported("packetdrill"), ended_by_sigterm():
        try:
            scripts = find(paths)
            way = way_of(
                on=on,
                preset=preset,
                ip_version=ip_version,
                defines=_defines(define or []),
                loosen=_words(loosen),
                non_fatal=_words(non_fatal),
            )
        except ValueError as error:
            raise UsageError(str(error)) from None
        if pcap is not None:
            _make(pcap)
        colour = output == "text" and sys.stdout.isatty() and not os.environ.get("NO_COLOR")
        way = replace(way, style=Style(width=_width(), colour=colour, options=True), verbose=verbose)
        with closing(play_each(scripts, way, jobs=jobs or os.cpu_count() or 1, pcap=pcap)) as playing:
            outcomes = _tell(playing, len(scripts), output, colour)
    if not all(one.ok for one in outcomes):
        sys.exit(FAILED)


def _defines(given: Iterable[str]) -> dict[str, str]:
    known = {}
    for text in given:
        name, equals, value = text.partition("=")
        if not equals:
            raise UsageError(f"--define {text}: expected NAME=VALUE")
        known[name] = value
    return known


def _words(text: str) -> list[str]:
    return [word for word in text.replace(" ", "").split(",") if word]


def _make(folder: Path) -> None:
    """A directory for captures, in which files can be made: better to know before than after an hour."""
    if folder.exists() and not folder.is_dir():
        raise UsageError(f"--pcap {folder}: this is a file; give a directory")
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise cannot_write(folder, error) from None
    if not os.access(folder, os.W_OK | os.X_OK):
        raise UsageError(f"cannot write into {folder}")


def _width() -> int:
    """As wide as the terminal, within what a ladder can use."""
    columns = shutil.get_terminal_size((_USUAL, 24)).columns if sys.stdout.isatty() else _USUAL
    return max(_NARROWEST, min(columns, _WIDEST))


# --- what is printed ---


def _tell(playing: Iterable[Outcome], total: int, output: str, colour: bool) -> list[Outcome]:
    """Play, and print: text line by line as it comes, but where a terminal shows a bar meanwhile, afterwards."""
    outcomes = []
    flowing = output == "text" and not sys.stderr.isatty()
    with _bar(total) as advance:
        for outcome in playing:
            outcomes.append(outcome)
            advance(outcome)
            if flowing:
                _print(lines_of(outcome, colour=colour), colour)
    if output == "text":
        _print((closing_text if flowing else as_text)(outcomes, colour=colour), colour)
    else:
        _print(FORMS[output](outcomes), colour=False)
    return outcomes


@contextmanager
def _bar(total: int) -> Iterator[Callable[[Outcome], None]]:
    """A bar on a terminal, which is gone at the end; it is told of each outcome. Elsewhere there is none."""
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    # Without the thread that would redraw it by the clock: processes are forked meanwhile.
    shown = Progress(
        *columns, console=Console(stderr=True), transient=True, auto_refresh=False, disable=not sys.stderr.isatty()
    )
    counts: Counter[str] = Counter()

    def advance(outcome: Outcome) -> None:
        counts[outcome.outcome] += 1
        shown.update(task, advance=1, description=", ".join(f"{counts[one]} {one}" for one in OUTCOMES if counts[one]))
        shown.refresh()

    with shown:
        task = shown.add_task("scripts", total=total)
        yield advance


def _print(text: str, colour: bool) -> None:
    encoding = sys.stdout.encoding or "ascii"
    typer.echo(text.encode(encoding, "backslashreplace").decode(encoding), nl=False, color=colour)
