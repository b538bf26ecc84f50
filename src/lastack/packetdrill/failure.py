"""What is shown of a script that failed, for who looks for the mistake: the place, what was expected beside what came,
the connection as it was left, and the ladder so far."""

from __future__ import annotations

import re
from collections.abc import Sequence
from difflib import SequenceMatcher
from itertools import zip_longest
from textwrap import indent
from typing import NamedTuple

from lastack.packetdrill.report import Warned, printable
from lastack.trace.entries import Departure
from lastack.trace.ladder import Style, draw
from lastack.trace.numbers import Numbers
from lastack.trace.timeline import Timeline

AROUND = 2  # lines of the script before and after the one that failed
LONGEST = 400  # characters of a line of the script that are shown
LONGEST_SIDE = 4000  # characters of what was expected, and of what came
LADDER_LINES = 60  # of a ladder, unless the whole is asked for
_RED, _GREEN, _PLAIN = "\x1b[31m", "\x1b[32m", "\x1b[0m"
_TOKENS = re.compile(r"\w+|\s+|.")
_WHEN = re.compile(r"^(\*|[+~\d.]+)\s+(?=>)", re.MULTILINE)  # the time of a packet that goes out
_SAID = re.compile(r"^(at|between) [^:]+: >")  # where that is the matter
_WINDOW = re.compile(r" win \d+")
_STAMP = re.compile(r"TS val \d+ ecr \d+")


def details(
    text: str,
    line: int,
    expected: str = "",
    got: str = "",
    state: str = "",
    timeline: Timeline | None = None,
    style: Style | None = None,
    *,
    whole: bool = False,
) -> str:
    """All of it, as far as there is something to show. `text` is the script, `line` where it failed."""
    style = style or Style()
    parts = [
        passage(text, line),
        versus(*_in_one_form(expected, got), style),
        f"The connection:\n{_folded(printable(state.rstrip()), style.width)}" if state else "",
        ladder(timeline, style, whole=whole) if timeline is not None else "",
    ]
    return "\n\n".join(part for part in parts if part)


def warning(text: str, warned: Warned, style: Style) -> str:
    """What is shown of a failure that was not fatal."""
    told = versus(*_in_one_form(warned.expected, warned.got), style)
    return "\n\n".join(part for part in (f"warning: {warned.message}", passage(text, warned.line), told) if part)


def lateness(late: float, tolerance: float) -> str:
    """What is said of a script that was itself late by more seconds than it grants to others; else nothing."""
    if late <= tolerance:
        return ""
    return (
        f"The script's own packets and calls were up to {late:.3f} s late: on a busy machine a failure may be of that."
    )


def _in_one_form(expected: str, got: str) -> tuple[str, str]:
    """Packets without their times, which are written otherwise, and without a window that the script leaves open."""
    if _WHEN.match(expected):
        expected, got = _WHEN.sub("", expected), _WHEN.sub("", got)
    elif not _SAID.match(expected):
        return expected, got
    if " win " not in expected:
        got = _WINDOW.sub("", got)
    return expected, got


def _folded(text: str, width: int) -> str:
    """Lines of names and values, with two blanks between them where a line may end."""
    lines = []
    for line in text.splitlines():
        lines.append("")
        for part in line.split("  "):
            if lines[-1] and len(lines[-1]) + len(part) + 4 > width:
                lines.append("")
            lines[-1] += f"  {part}"
    return "\n".join(lines)


def passage(text: str, line: int) -> str:
    """A line of the script between its neighbours; nothing for line 0."""
    lines = text.splitlines()
    if not 0 < line <= len(lines):
        return ""
    first = max(1, line - AROUND)
    shown = range(first, min(len(lines), line + AROUND) + 1)
    width = len(str(shown[-1]))
    return "\n".join(
        f"{'>' if number == line else ' '} {number:>{width}} | {_cut(lines[number - 1], LONGEST)}".rstrip()
        for number in shown
    )


def _cut(text: str, most: int) -> str:
    shown = text if len(text) <= most else f"{text[:most]}..."
    return printable(shown.expandtabs())


def versus(expected: str, got: str, style: Style) -> str:
    """Two texts in one notation, under each other: what is equal in the same columns, what is not marked below."""
    expected, got = _cut(expected, LONGEST_SIDE).rstrip(), _cut(got, LONGEST_SIDE).rstrip()
    if not expected or not got:
        told = (("expected", expected, _GREEN), ("got", got, _RED))
        return "\n".join(f"{name}: {_paint(one, colour, style)}" for name, one, colour in told if one)
    if "\n" in expected + got:
        blocks = (("expected", expected, _GREEN), ("got", got, _RED))
        return "\n".join(f"{name}:\n{_paint(indent(one, '  '), colour, style)}" for name, one, colour in blocks)
    above, below, marks = _aligned(expected, got)
    lane = style.width - len("expected: ")
    lines = []
    for start in range(0, len(marks), lane):
        piece = slice(start, start + lane)
        names = ("expected: ", "got:      ") if not start else (" " * 10, " " * 10)
        lines += [names[0] + above[piece].rstrip(), names[1] + below[piece].rstrip()]
        if marks[piece].strip():
            lines.append(" " * 10 + _paint(marks[piece].rstrip(), _RED, style))
    return "\n".join(lines)


def _aligned(expected: str, got: str) -> tuple[str, str, str]:
    """Both, stretched to one length by blanks, and ^ wherever they differ."""
    left, right = _TOKENS.findall(expected), _TOKENS.findall(got)
    above = below = marks = ""
    for tag, a, b, c, d in SequenceMatcher(None, left, right, autojunk=False).get_opcodes():
        one, other = "".join(left[a:b]), "".join(right[c:d])
        width = max(len(one), len(other))
        above += one.ljust(width)
        below += other.ljust(width)
        marks += (" " if tag == "equal" else "^") * width
    return above, below, marks


def ladder(timeline: Timeline, style: Style, *, whole: bool = False) -> str:
    """The ladder of what has happened; of a long one the end, unless the `whole` is asked for."""
    if not timeline.entries:
        return ""
    lines = printable_lines(draw(timeline, style)).splitlines()
    head = lines.index("") + 1 if "" in lines else 0
    left_out = len(lines) - head - LADDER_LINES
    if not whole and left_out > 1:
        lines[head : head + left_out] = [f"... {left_out} lines before (--verbose shows them) ..."]
    return "\n".join(lines)


def printable_lines(text: str) -> str:
    """A drawing of ours may have colours; what it quotes may have nothing else of the kind."""
    return "\x1b[".join(printable(part) for part in text.split("\x1b["))


def _paint(text: str, with_: str, style: Style) -> str:
    return f"{with_}{text}{_PLAIN}" if style.colour else text


# --- two traces side by side ---


class Traced(NamedTuple):
    """A packet of a trace: when (microseconds), `<` or `>`, and what it is, in the notation of scripts."""

    time: int
    sign: str
    text: str

    @property
    def key(self) -> str:
        """The same for two packets that differ by no more than times, of which each machine has its own."""
        return f"{self.sign} {_STAMP.sub('TS', self.text)}"


def trace(timeline: Timeline) -> list[Traced]:
    """The packets of a recording whose first host is the script."""
    numbers = Numbers(options=True)
    script = timeline.hosts[0] if timeline.hosts else ""
    other = timeline.hosts[1] if len(timeline.hosts) > 1 else "peer"
    found = []
    for entry in timeline.entries:
        if isinstance(entry, Departure):
            ends = (script, other) if entry.host == script else (other, script)
            numbers.learn(entry.packet, ends)
            label, details = numbers.label(entry.packet, ends), numbers.details(entry.packet, ends)
            label = label.removesuffix(" win 0") if details else label
            found.append(Traced(entry.now, "<" if entry.host == script else ">", f"{label} {details}".rstrip()))
    return found


def side_by_side(left: tuple[str, Timeline], right: tuple[str, Timeline], style: Style) -> str:
    """Two traces beside each other, each with the name of its machine; `!` between those packets that differ."""
    one, other = trace(left[1]), trace(right[1])
    lane = (style.width - 3) // 2
    lines = [f"{left[0]:<{lane}}   {right[0]}".rstrip(), ""]
    matcher = SequenceMatcher(None, [packet.key for packet in one], [packet.key for packet in other], autojunk=False)
    for tag, a, b, c, d in matcher.get_opcodes():
        sign = " " if tag == "equal" else "!"
        for first, second in zip_longest(one[a:b], other[c:d]):
            cells = zip_longest(_cell(first, lane), _cell(second, lane), fillvalue="")
            for number, (here, there) in enumerate(cells):
                middle = sign if number == 0 else " "
                row = f"{here:<{lane}} {middle} {there}".rstrip()
                lines.append(_paint(row, _RED, style) if sign == "!" else row)
    return "\n".join(lines)


def _cell(packet: Traced | None, width: int) -> Sequence[str]:
    """A packet in a column: further lines stand in under its text."""
    if packet is None:
        return [""]
    head = f"{packet.time / 1_000_000:9.6f} {packet.sign} "
    room = width - len(head)
    lines = [""]
    for word in re.findall(r"[^ ,]+,?|,", packet.text):
        joint = " " if lines[-1] and not lines[-1].endswith(",") else ""
        if lines[-1] and len(lines[-1]) + len(joint) + len(word) > room:
            lines.append("")
            joint = ""
        lines[-1] += joint + word
    return [(head if number == 0 else " " * len(head)) + line for number, line in enumerate(lines)]
