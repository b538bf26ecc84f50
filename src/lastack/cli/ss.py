"""`lastack ss`: the sockets of every running lastack, or of the kernel, as users of `ss -tano` know them."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any

import typer

from lastack.cli import control, options, ss_info
from lastack.cli.errors import UsageError, reported, tell
from lastack.device.kernel_sockets import kernel_sockets
from lastack.device.socket_rows import Row
from lastack.device.socket_table import table
from lastack.tcp.states import State
from lastack.trace import names

EXAMPLE = """
Example, while `lastack serve` runs in another terminal:

    lastack ss --all
"""


class Names(StrEnum):
    """How the states are spelled: `lastack.trace.names.STYLES`."""

    ss = names.SS
    netstat = names.NETSTAT
    rfc = names.RFC


@dataclass(slots=True)
class Source:
    """Whose sockets they are."""

    title: str
    rows: list[Row]
    about: dict[str, Any] = field(default_factory=dict)


def ss(
    kernel: Annotated[bool, typer.Option("--kernel", help="The kernel's own TCP sockets instead.")] = False,
    everything: Annotated[bool, typer.Option("--all", "-a", help="Listening sockets too.")] = False,
    listening: Annotated[bool, typer.Option("--listening", "-l", help="Listening sockets alone.")] = False,
    info: Annotated[bool, typer.Option("--info", "-i", help="TCP_INFO of each connection, as ss -i.")] = False,
    style: Annotated[Names, typer.Option("--names", help="How to spell the states.")] = Names.ss,
    form: Annotated[options.Format, typer.Option("--format", help="JSON has TCP_INFO too.")] = options.Format.text,
    path: Annotated[
        Path | None,
        typer.Option("--control", metavar="PATH", help="Ask the lastack with this control socket.", show_default=False),
    ] = None,
) -> None:
    """Show the TCP sockets of every running lastack, as `ss -tano` shows the kernel's.

    Recv-Q and Send-Q are the bytes that wait to be read and to be acknowledged; for a listening socket, the connections
    that wait to be accepted, and how many may. Timer is the one that runs out next, the time left, and its retries:
    on (retransmission), persist (window probes), keepalive, timewait.
    """
    with reported("ss"):
        if kernel and path is not None:
            raise UsageError("--kernel asks the kernel and --control a lastack: give one of them")
        if everything and listening:
            raise UsageError("--all and --listening exclude each other")
        sources = [Source("kernel", kernel_sockets())] if kernel else _ask(path)
        hidden = 0
        for source in sources:
            chosen = [row for row in source.rows if everything or (row.state is State.LISTEN) is listening]
            hidden += 0 if listening else len(source.rows) - len(chosen)
            source.rows = chosen
        if form is options.Format.json:
            print(json.dumps([_as_dict(source, style) for source in sources], indent=2), flush=True)
            return
        print("\n".join(text(sources, style, info=info)), flush=True)
        if hidden:
            sockets = "1 listening socket is" if hidden == 1 else f"{hidden} listening sockets are"
            tell(f"{sockets} not shown: --all shows everything")


def text(sources: Iterable[Source], style: str = names.SS, *, info: bool = False) -> list[str]:
    """The tables one after the other, each under its title where there are several; with `info`, TCP_INFO too."""
    sources = list(sources)
    lines: list[str] = []
    for source in sources:
        if len(sources) > 1:
            lines += [*([""] if lines else []), source.title]
        heading, *rows = table(source.rows, style)
        lines.append(heading)
        for row, shown in zip(source.rows, rows, strict=True):
            lines.append(shown)
            if info and row.info is not None:
                lines.append(ss_info.line(row.info))
    return lines


def _ask(path: Path | None) -> list[Source]:
    """The sockets of the lastack with that control socket, or of all: one that ends meanwhile is passed over."""
    sources = []
    problems: list[control.ControlError] = []
    for one in control.running() if path is None else [path]:
        try:
            sources.append(_source(one))
        except control.ControlError as error:
            problems.append(error)
    if sources:
        for problem in problems:
            tell(f"lastack ss: {problem}")
        return sources
    if problems:
        raise problems[0]
    advice = "start one (lastack serve, lastack services), or see the kernel's sockets with --kernel"
    raise control.ControlError(f"no lastack of this user is running: {advice}")


def _source(path: Path) -> Source:
    answer = control.ask(path)
    try:
        rows = [Row.from_dict(known) for known in answer["sockets"]]
        pid, device, addresses = int(answer["pid"]), str(answer["device"]), [str(one) for one in answer["addresses"]]
    except (KeyError, TypeError, ValueError, IndexError):
        raise control.ControlError(f"what answers at {path} is no lastack of this version") from None
    about = {"pid": pid, "device": device, "addresses": addresses}
    return Source(f"lastack {pid} on {device} ({', '.join(addresses)})", rows, about)


def _as_dict(source: Source, style: str) -> dict[str, Any]:
    about = source.about or {"kernel": True}
    return {**about, "sockets": [row.as_dict(style) for row in source.rows]}
