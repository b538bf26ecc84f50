"""`lastack diagram`: the diagram of the eleven states, drawn from the table that the code runs on."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from lastack.cli.scenario import one_of
from lastack.trace import names as state_names
from lastack.trace.diagram import FORMATS

EXAMPLE = """
Example:

    lastack diagram -o states.svg --names netstat
"""

_SUFFIXES = {".svg": "svg", ".mmd": "mermaid", ".dot": "dot", ".gv": "dot"}


def diagram(
    output: Annotated[
        str | None,
        typer.Option(
            "--format",
            metavar="|".join(FORMATS),
            callback=one_of(*FORMATS),
            help="What to draw it as; without it FILE's suffix decides (.svg, .mmd, .dot, .gv), or else text.",
            show_default=False,
        ),
    ] = None,
    file: Annotated[
        Path | None,
        typer.Option("-o", "--output", metavar="FILE", help="Where to write it, not to stdout.", show_default=False),
    ] = None,
    names: Annotated[
        str,
        typer.Option(
            metavar="|".join(state_names.STYLES), callback=one_of(*state_names.STYLES), help="How to spell the states."
        ),
    ] = state_names.RFC,
) -> None:
    """Draw the eleven states of TCP and every way between them, as this program has them.

    Mermaid and DOT are for other programs to lay out; SVG and text are laid out like Figure 5 of RFC 9293.
    """
    if output is None:
        output = _SUFFIXES.get(file.suffix.lower(), "text") if file is not None else "text"
    drawing = FORMATS[output](style=names)
    if file is None:
        typer.echo(drawing, nl=not drawing.endswith("\n"))
        return
    try:
        file.write_text(drawing, encoding="utf-8")
    except OSError as error:
        typer.echo(f"lastack diagram: cannot write {file}: {error.strerror}", err=True)
        raise typer.Exit(2) from None
