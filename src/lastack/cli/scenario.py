"""`lastack scenario`: run a scenario, in virtual time or against the kernel, and print whether it is so."""

from __future__ import annotations

import json
import os
import shutil
import sys
from pathlib import Path
from textwrap import fill
from typing import Annotated, Any, NoReturn

import typer

from lastack.cli.errors import reported
from lastack.cli.kernel_scenarios.catalogue import KernelResult, kernel_scenarios
from lastack.cli.kernel_scenarios.catalogue import perform as perform_against_kernel
from lastack.sim.scenarios.play import Claim, Result, perform
from lastack.sim.scenarios.registry import Scenario, find, scenarios
from lastack.sim.scenarios.spelling import spell
from lastack.tcp.presets import PRESETS
from lastack.trace import names as state_names
from lastack.trace.ladder import Style

EXAMPLE = """
Examples:

    lastack scenario lost-final-ack --names netstat

    lastack scenario --all --preset bsd --pcap captures

    lastack scenario lost-final-ack --ipv6

    lastack scenario lost-final-ack --kernel
"""

FORMATS = ("text", "json")
WIDTH = 110
_BOLD, _DIM, _GREEN, _RED, _PLAIN = "\x1b[1m", "\x1b[2m", "\x1b[32m", "\x1b[31m", "\x1b[0m"


def one_of(*choices: str) -> Any:
    """A check of an option's value for typer, which names the choices."""

    def check(value: str | None) -> str | None:
        if value is not None and value not in choices:
            raise typer.BadParameter(f"{value!r} is none of {', '.join(choices)}")
        return value

    return check


def scenario(
    chosen: Annotated[
        list[str] | None,
        typer.Argument(metavar="NAME", help="Which to run (--list names them).", show_default=False),
    ] = None,
    every: Annotated[bool, typer.Option("--all", help="Run every scenario.")] = False,
    listing: Annotated[bool, typer.Option("--list", help="List the scenarios and run none.")] = False,
    output: Annotated[
        str, typer.Option("--format", metavar="|".join(FORMATS), callback=one_of(*FORMATS), help="How to print them.")
    ] = "text",
    pcap: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE",
            help="Write the segments to a pcapng file, each once, as it leaves its sender. "
            "With several scenarios FILE is a directory, made if need be, that gets NAME.pcapng for each.",
            show_default=False,
        ),
    ] = None,
    names: Annotated[
        str,
        typer.Option(
            metavar="|".join(state_names.STYLES), callback=one_of(*state_names.STYLES), help="How to spell the states."
        ),
    ] = state_names.RFC,
    preset: Annotated[
        str,
        typer.Option(metavar="|".join(PRESETS), callback=one_of(*PRESETS), help="The configuration of both hosts."),
    ] = "default",
    kernel: Annotated[
        bool,
        typer.Option("--kernel", help="With the Linux kernel as one end, in a network of its own and in real time."),
    ] = False,
    ipv6: Annotated[bool, typer.Option("--ipv6", help="Over IPv6.")] = False,
    slow: Annotated[
        bool, typer.Option("--slow", help="With --kernel: also what has to wait for the kernel's minute of TIME-WAIT.")
    ] = False,
) -> None:
    """Show one thing that TCP does: both ends' states beside a ladder of segments, and what must be so.

    Everything happens in virtual time, in milliseconds; with --kernel in real time, against the kernel's own TCP
    (not every scenario can; it needs root, or the right to make namespaces). Exit status: 0 if every claim is true,
    1 if one is false, 2 for a name that does not exist or a file that cannot be written.
    """
    if slow and not kernel:
        _stop("--slow goes with --kernel")
    if listing:
        _refuse_beside_list(chosen, every, pcap, slow, ipv6)
        typer.echo(_list(output, names, _known(kernel)), nl=False)
        return
    wanted = _choose(chosen or [], every, kernel)
    colour = _colour()
    results = []
    for number, one in enumerate(wanted):
        with reported("scenario"):
            version = 6 if ipv6 else 4
            result = _against_kernel(one, preset, version, slow) if kernel else perform(one, PRESETS[preset], version)
        results.append(result)
        if pcap is not None:
            _write(pcap, result, several=len(wanted) > 1)
        if output == "text":
            typer.echo(("\n\n" if number else "") + page(result, names, colour=colour, width=_width()), color=colour)
    if output == "json":
        typer.echo(json.dumps([as_json(result, names) for result in results], indent=2))
    elif len(results) > 1:
        typer.echo("\n\n" + _total(results, colour), color=colour)
    if not all(result.ok for result in results):
        raise typer.Exit(1)


def _refuse_beside_list(chosen: list[str] | None, every: bool, pcap: Path | None, slow: bool, ipv6: bool) -> None:
    """A list runs nothing, and is always of all."""
    given = {"a name": chosen, "--all": every, "--pcap": pcap, "--slow": slow, "--ipv6": ipv6}
    if unheard := [what for what, value in given.items() if value]:
        _stop(f"--list lists every scenario and runs none: leave out {' and '.join(unheard)}, or --list")


def _known(kernel: bool) -> list[Scenario]:
    return [one.scenario for one in kernel_scenarios()] if kernel else scenarios()


def _choose(chosen: list[str], every: bool, kernel: bool) -> list[Scenario]:
    if every and not chosen:
        return _known(kernel)
    listed = "`lastack scenario --list --kernel` lists them" if kernel else "`lastack scenario --list` lists them"
    if every or not chosen:
        _stop(f"name the scenarios, or say --all; {listed}")
    try:
        wanted = [find(name) for name in dict.fromkeys(chosen)]
    except LookupError as error:
        _stop(f"{error.args[0]} ({listed})")
    possible = {one.name for one in _known(kernel)}
    for one in wanted:
        if one.name not in possible:
            _stop(f"the scenario {one.name} is not played against the kernel ({listed})")
    return wanted


def _against_kernel(one: Scenario, preset: str, version: int, slow: bool) -> Result:
    played = next(known for known in kernel_scenarios() if known.name == one.name)
    result = perform_against_kernel(played, PRESETS[preset], version, slow=slow)
    for why in result.skipped:
        typer.echo(f"lastack scenario: {one.name}: left out without --slow: {why}", err=True)
    return result


def _stop(why: str) -> NoReturn:
    typer.echo(f"lastack scenario: {why}", err=True)
    raise typer.Exit(2)


def _colour() -> bool:
    return sys.stdout.isatty() and not os.environ.get("NO_COLOR")


def _width() -> int:
    """As wide as the terminal, within what a ladder can use."""
    return max(100, min(shutil.get_terminal_size((WIDTH, 24)).columns, 130)) if sys.stdout.isatty() else WIDTH


def _list(output: str, names: str, known: list[Scenario]) -> str:
    if output == "json":
        return (
            json.dumps(
                [{"name": one.name, "row": one.row, "title": spell(one.title, names)} for one in known], indent=2
            )
            + "\n"
        )
    longest = max(len(one.name) for one in known)
    return "".join(f"{one.name:<{longest}}  {spell(one.title, names)}\n" for one in known)


def _write(pcap: Path, result: Result, several: bool) -> None:
    try:
        if several:
            pcap.mkdir(parents=True, exist_ok=True)
        file = pcap / f"{result.scenario.name}.pcapng" if several or pcap.is_dir() else pcap
        file.write_bytes(result.capture)
    except FileExistsError:
        _stop(f"{pcap} is a file; with several scenarios --pcap names a directory")
    except OSError as error:
        _stop(f"cannot write {error.filename}: {error.strerror}")


# --- what is printed ---


def as_json(result: Result, names: str = state_names.RFC) -> dict[str, Any]:
    """A result for JSON."""
    return {
        "name": result.scenario.name,
        "ok": result.ok,
        "claims": [{"claim": spell(claim.text, names), "ok": claim.ok} for claim in result.claims],
        "states": result.states(names),
        "virtual_seconds": result.virtual_seconds,
        "segments": result.segments,
    }


def page(result: Result, names: str = state_names.RFC, *, colour: bool = False, width: int = WIDTH) -> str:
    """A result as text: title, text, and for each act its ladder and its claims; one line at the end sums it up."""
    shown = result.scenario
    title = spell(f"{shown.name}: {shown.title}", names)
    head = f"{_paint(title, _BOLD, colour)}\n{'=' * len(title)}"
    text = fill(spell(" ".join(shown.text.split()), names), width, break_on_hyphens=False)
    parts = [head, text]
    style = Style(names=names, width=width, colour=colour)
    for number, act in enumerate(result.acts, 1):
        if act.title:
            title = spell(f"{number}. {act.title}" if len(result.acts) > 1 else act.title, names)
            parts.append(f"{_paint(title, _BOLD, colour)}\n{'-' * len(title)}")
        parts += [act.ladder(style).rstrip(), _claims(act.claims, names, colour)]
    parts += [_claims(result.loose, names, colour), _summary(result, colour)]
    return "\n\n".join(part for part in parts if part)


def _paint(text: str, with_: str, colour: bool) -> str:
    return f"{with_}{text}{_PLAIN}" if colour else text


def _marks() -> tuple[str, str]:
    """What stands before a claim that is true, and before one that is false."""
    try:
        "✓✗".encode(sys.stdout.encoding or "ascii")
    except UnicodeEncodeError:
        return "ok ", "NOT"
    return "✓", "✗"


def _claims(claims: list[Claim], names: str, colour: bool) -> str:
    good, bad = _marks()
    lines = []
    for claim in claims:
        mark = _paint(good, _GREEN, colour) if claim.ok else _paint(bad, _RED, colour)
        lines.append(f"  {mark} {spell(claim.text, names)}")
        if claim.saw:
            lines.append(_paint(f"      but: {spell(claim.saw, names)}", _RED, colour))
    return "\n".join(lines)


def _summary(result: Result, colour: bool) -> str:
    claims = result.claims
    false = sum(not claim.ok for claim in claims)
    verdict = _paint("ok", _GREEN, colour) if result.ok else _paint("FAILED", _RED, colour)
    count = f"{len(claims)} claims" if not false else f"{false} of {len(claims)} claims false"
    facts = f"{count}, {result.segments} segments, {_time(result)}"
    return f"{_paint(result.scenario.name, _BOLD, colour)}: {verdict} ({facts}, preset {result.preset})"


def _time(*results: Result) -> str:
    seconds = sum(result.virtual_seconds for result in results)
    if any(isinstance(result, KernelResult) for result in results):
        return f"{seconds:.2f} s against the Linux kernel {os.uname().release}"
    return f"{seconds:.10g} s of virtual time"


def _total(results: list[Result], colour: bool) -> str:
    failed = [result.scenario.name for result in results if not result.ok]
    claims = sum(len(result.claims) for result in results)
    facts = f"{claims} claims, {_time(*results)}"
    if failed:
        return _paint(f"{len(failed)} of {len(results)} scenarios failed: {', '.join(failed)} ({facts})", _RED, colour)
    return _paint(f"all {len(results)} scenarios ok ({facts})", _GREEN, colour)
