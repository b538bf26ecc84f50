"""`lastack demo`: the life of one connection in virtual time, and then a file for the machine's own curl."""

from __future__ import annotations

import os
import sys
from contextlib import ExitStack
from textwrap import fill
from typing import TYPE_CHECKING

from lastack.cli.errors import CommandError, explain, reported

if TYPE_CHECKING:
    from lastack.cli.demo_story import Piece

_BOLD, _PLAIN = "\x1b[1m", "\x1b[0m"

NEXT = """
    lastack scenario --list          every rule of TCP's connection, shown by running it
    lastack diagram                  the eleven states and every way between them
    lastack lab --loss 2% serve . -- curl -o /dev/null http://10.9.0.7/README.md
                                     lastack and the kernel over a network that loses packets
    lastack --help                   all commands
"""


def demo() -> None:
    """Show what TIME-WAIT is for: the life of one connection, and the accident that happens without it.

    Then, where this user may make a network namespace (root may), the machine's own curl fetches a file from lastack
    over a TUN device, with the kernel's view of the connection beside lastack's. Takes a few seconds.
    """
    with reported("demo"):
        colour = sys.stdout.isatty() and not os.environ.get("NO_COLOR")
        _tell_story(colour)
        _meet_the_kernel(colour)
        show(_piece("Where to go from here", lines=NEXT.strip("\n")), colour)


def _tell_story(colour: bool) -> None:
    from lastack.cli.demo_story import WrongStory, story

    try:
        for piece in story(colour=colour):
            show(piece, colour)
    except WrongStory as error:
        raise CommandError(f"what is told here did not happen: {error}; please report this as a bug") from None


def _meet_the_kernel(colour: bool) -> None:
    """The second half; where it cannot be, a line that says why."""
    from lastack.cli.demo_kernel import TITLE, Demonstration
    from lastack.device.errors import DeviceError

    with ExitStack() as stack:
        try:
            demonstration = Demonstration(stack)
        except (DeviceError, CommandError) as error:
            why = error if isinstance(error, CommandError) else explain(error)
            show(_piece(TITLE, f"is left out here: {why}.", chief=True), colour)
            return
        for piece in demonstration.pieces():
            show(piece, colour)


def _piece(heading: str, text: str = "", lines: str = "", chief: bool = False) -> Piece:
    from lastack.cli.demo_story import Piece

    return Piece(heading, text, lines, chief)


def show(piece: Piece, colour: bool) -> None:
    """Print a piece, with an empty line behind each of its parts."""
    from lastack.cli.demo_story import WIDTH

    out = []
    if piece.heading:
        out.append(f"{_BOLD}{piece.heading}{_PLAIN}" if colour else piece.heading)
        out.append(("=" if piece.chief else "-") * len(piece.heading))
    if piece.text:
        out.append(fill(" ".join(piece.text.split()), WIDTH, break_on_hyphens=False))
    if out:
        out.append("")
    if piece.lines.strip():
        out += [piece.lines.strip("\n"), ""]
    print("\n".join(out), flush=True)
