"""The lines of a ladder diagram: what stands in them, in which order they come, and how they look."""

from __future__ import annotations

import re
from collections.abc import Sequence
from textwrap import wrap

# What a line shows; it decides the colour.
SEGMENT = "segment"
LOST = "lost"
CALL = "call"
TIMER = "timer"
NOTE = "note"

_BOLD, _PLAIN = "\x1b[1m", "\x1b[0m"
_COLOURS = {SEGMENT: "", LOST: "\x1b[31m", CALL: "\x1b[36m", TIMER: "\x1b[33m", NOTE: "\x1b[2m"}

# Of a drawing, in columns: room for the longest label.
NARROWEST = 100

_LONG_SILENCE = 10_000_000
_HOUR = 3_600_000_000


class Row:
    """One line. `places` are its places in the recording as the left and the right column order it (None: it has no
    part in that column); `times` (microseconds) and `states` stand in the two columns, `text` between them.

    `align` is -1, 0 or 1 (left, middle, right); a segment's row has `arrow` instead: the line's two ends, as "" and
    ">". `under` is what follows in lines of its own.
    """

    __slots__ = ("align", "arrow", "kind", "places", "states", "text", "times", "under")

    def __init__(self, kind: str, text: str, places: tuple[int | None, int | None], align: int = 0) -> None:
        self.kind = kind
        self.text = text
        self.places = places
        self.align = align
        self.times: list[int | None] = [None, None]
        self.states: list[str] = ["", ""]
        self.arrow: tuple[str, str] | None = None
        self.under = ""

    def key(self) -> int:
        """The first place at which the line's story begins."""
        return min(place for place in self.places if place is not None)


def in_order(rows: Sequence[Row]) -> list[Row]:
    """The rows from top to bottom: each column in its own order, and what neither decides as it was recorded."""
    columns = []
    for side in (0, 1):
        column = [(place, row) for row in rows if (place := row.places[side]) is not None]
        columns.append([row for _, row in sorted(column, key=_first)])
    ordered: list[Row] = []
    at = [0, 0]
    while at[0] < len(columns[0]) or at[1] < len(columns[1]):
        heads = [columns[side][at[side]] if at[side] < len(columns[side]) else None for side in (0, 1)]
        free = [
            head
            for side, head in enumerate(heads)
            if head is not None and (head.places[1 - side] is None or head is heads[1 - side])
        ]
        assert free, "two whole arrows cross"
        row = min(free, key=Row.key)
        ordered.append(row)
        for side in (0, 1):
            at[side] += heads[side] is row
    return ordered


def _first(pair: tuple[int, Row]) -> int:
    return pair[0]


class Painter:
    """Turns rows into text of a given width."""

    __slots__ = ("_colour", "_digits", "_lane", "_name", "_time", "_width")

    def __init__(self, rows: Sequence[Row], width: int, colour: bool, name_width: int) -> None:
        times = [time for row in rows for time in row.times if time is not None]
        self._digits = 3 if all(time % 1000 == 0 for time in times) else 6
        self._time = max((len(self._clock(time)) for time in times), default=5)
        self._name = name_width
        self._width = max(width, NARROWEST)
        self._lane = self._width - 2 * (self._time + 2 + name_width + 2)
        self._colour = colour

    def text(self, head: Sequence[tuple[str, str]], rows: Sequence[Row]) -> str:
        """The whole drawing: who stands where, then the rows."""
        indent = " " * (self._time + 2)
        lines = []
        for left, right in head:
            middle = " " * (self._width - 2 * len(indent) - len(left) - len(right))
            lines.append(f"{indent}{left}{middle}{right}")
        lines.append("")
        last: list[int | None] = [None]
        before = ["", ""]
        for row in rows:
            lines += self._silence(row, last)
            lines += self._row(row, before)
        return "\n".join(line.rstrip() for line in lines) + "\n"

    def _clock(self, time: int) -> str:
        sign = "-" if time < 0 else ""
        seconds, fraction = divmod(abs(time), 1_000_000)
        return f"{sign}{seconds}.{fraction:06d}"[: self._digits - 6 or None]

    def _silence(self, row: Row, last: list[int | None]) -> list[str]:
        """A line for a long time in which nothing happened."""
        times = [time for time in row.times if time is not None]
        if not times:
            return []
        before, last[0] = last[0], max([*times, last[0] or times[0]])
        gap = min(times) - before if before is not None else 0
        if gap < _LONG_SILENCE:
            return []
        words = f". . .  {_duration(gap)} later  . . ."
        return [self._paint(NOTE, words.center(self._width))]

    def _row(self, row: Row, before: list[str]) -> list[str]:
        clocks = [self._clock(time) if time is not None else "" for time in row.times]
        states = [row.states[0].ljust(self._name), row.states[1].rjust(self._name)]
        for side in (0, 1):
            if row.states[side]:
                if self._colour and row.states[side] != before[side]:
                    states[side] = f"{_BOLD}{states[side]}{_PLAIN}"
                before[side] = row.states[side]
        middles = self._middle(row)
        lines = [
            f"{clocks[0]:>{self._time}}  {states[0]}  {self._paint(row.kind, middles[0])}  "
            f"{states[1]}  {clocks[1]:>{self._time}}"
        ]
        indent = " " * (self._time + self._name + 4)
        return lines + [indent + self._paint(row.kind, middle) for middle in middles[1:]]

    def _middle(self, row: Row) -> list[str]:
        if row.arrow is None:
            texts = wrap(row.text, self._lane) or [""]
            return [(text.ljust, text.center, text.rjust)[row.align + 1](self._lane) for text in texts]
        left, right = row.arrow
        label = f" {row.text} "
        room = max(self._lane - len(left) - len(right), len(label) + 4)
        line = left + label.center(room, "-") + right
        return [line, *(text.center(self._lane) for text in _folded(row.under, self._lane - 4))]

    def _paint(self, kind: str, text: str) -> str:
        start = _COLOURS[kind] if self._colour else ""
        return f"{start}{text}{_PLAIN}" if start else text


def _duration(time: int) -> str:
    """Microseconds in seconds, and in words where nobody has a feeling for so many of them."""
    seconds = f"{time / 1_000_000:.10g} s"
    if time < _HOUR:
        return seconds
    hours = time / _HOUR
    return f"{seconds} ({hours / 24:.3g} days)" if hours >= 48 else f"{seconds} ({hours:.3g} h)"


def _folded(text: str, width: int) -> list[str]:
    """A list with commas as lines of that width, broken after a comma wherever that will do."""
    lines = [""]
    for part in re.split(r"(?<=,)", text):
        if len(lines[-1] + part) <= width:
            lines[-1] += part
        else:
            lines += wrap(part, width)
    return [line for line in lines if line]
