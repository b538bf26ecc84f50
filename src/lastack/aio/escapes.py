"""What a world's programs were kept from, and somebody caught: who handles requests catches all that they raise, logs
it and answers 500, and the run would end well. So a world remembers, and says so at its end.
"""

from __future__ import annotations

import asyncio
import sys
import warnings
from collections.abc import Iterator
from pathlib import Path
from types import FrameType

from lastack.aio.errors import Escaped, EscapedWarning
from lastack.aio.standing import is_installed, of_program

# How many of them are told: the first.
_TOLD = 5
_OURS = str(Path(__file__).parents[1])
# What loops call each step of a task by, and each callback.
_STEP = asyncio.Handle._run.__code__


class Escapes:
    """The first of them, in order, as text; the same line of the program is one."""

    def __init__(self) -> None:
        self._places: dict[str, tuple[str, int]] = {}
        self._said = False

    def __iter__(self) -> Iterator[str]:
        return iter(self._places)

    def note(self, error: Escaped, host: str) -> None:
        """This is being raised, by who calls this, in the program of that host."""
        place = _place(sys._getframe(1))
        text = f"{error.what}, in {place[0]}:{place[1]}, on {host}: {error.instead}"
        if len(self._places) < _TOLD or text in self._places:
            self._places[text] = place
            error.told = text

    def add_to(self, error: BaseException) -> None:
        """Say it by a note on the error by which the run has failed, unless it is that."""
        itself = {one.told for one in _chain(error) if isinstance(one, Escaped)}
        found = [text for text in self if text not in itself]
        if found and not self._said:
            self._said = True
            error.add_note("\n  ".join(["before that, somebody caught what would leave the simulation:", *found]))

    def warn(self) -> None:
        """Say it by a warning, at the line of the first: the run has ended well."""
        if self._places and not self._said:
            self._said = True
            text = "\n  ".join(["somebody caught what would leave the simulation, and the program went on:", *self])
            file, line = next(iter(self._places.values()))
            warnings.warn_explicit(EscapedWarning(text), None, file, line)


def _place(frame: FrameType | None) -> tuple[str, int]:
    """(file, line) of the program, or of the library, that calls what escapes. Who runs the loop does not."""
    found: list[FrameType] = []
    while frame is not None:
        if not frame.f_code.co_filename.startswith(_OURS):
            found.append(frame)
        frame = frame.f_back if frame.f_code is not _STEP else None
    for kind in (of_program, is_installed):
        found = [one for one in found if kind(one)] or found
    return (found[0].f_code.co_filename, found[0].f_lineno) if found else ("?", 0)


def _chain(error: BaseException | None) -> Iterator[BaseException]:
    """It, what it is made of, and what has led to it."""
    left, seen = [error], set()
    while left:
        one = left.pop()
        if one is not None and id(one) not in seen:
            seen.add(id(one))
            yield one
            left += [one.__cause__, one.__context__, *getattr(one, "exceptions", ())]
