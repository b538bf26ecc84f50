"""What became of scripts, and how it is told: as text for people, as JSON, and as JUnit's XML for the tools of a CI."""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple
from xml.etree import ElementTree

PASSED, FAILED, UNSUPPORTED, ERROR = "passed", "failed", "unsupported", "error"
OUTCOMES = (PASSED, FAILED, UNSUPPORTED, ERROR)
_WARNING = "warning"

_BOLD, _RED, _GREEN, _YELLOW, _PLAIN = "\x1b[1m", "\x1b[31m", "\x1b[32m", "\x1b[33m", "\x1b[0m"
_COLOURS = {PASSED: _GREEN, FAILED: _RED, UNSUPPORTED: _YELLOW, ERROR: _RED}
_WIDEST = max(map(len, OUTCOMES))
# What a terminal would take for a command, and XML 1.0 section 2.2 does not have: controls but tab and newline, halves
# of surrogate pairs (a file's name may hold some), U+FFFE and U+FFFF.
_UNPRINTABLE = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\ud800-\udfff\ufffe\uffff]")


class Warned(NamedTuple):
    """What was not as a script says, though the script has gone on: it says that this is not fatal (--non_fatal)."""

    line: int
    message: str
    expected: str = ""
    got: str = ""


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of one script. `file` is its path as its user would write it, `outcome` one of OUTCOMES.

    `line` is where it failed (0: nowhere, or the file as a whole) and `message` why; `details` are the lines that help
    to find the mistake. With `warnings` a script may have passed all the same.

    Where time is real, `late_seconds` is the most by which the script's own packets and calls were late: on a busy
    machine a failure may be of that making.
    """

    file: str
    outcome: str
    line: int = 0
    message: str = ""
    real_seconds: float = 0.0
    virtual_seconds: float = 0.0
    details: str = ""
    warnings: tuple[Warned, ...] = ()
    late_seconds: float = 0.0

    @property
    def ok(self) -> bool:
        """It passed; what is not supported has not."""
        return self.outcome == PASSED

    @property
    def place(self) -> str:
        """`file:line`, as editors understand it."""
        return f"{self.file}:{self.line}" if self.line else self.file

    @property
    def warned(self) -> list[str]:
        """The warnings, each with its `file:line`."""
        return [f"{self.file}:{one.line}: {' '.join(one.message.split())}" for one in self.warnings]


def printable(text: str) -> str:
    """The text with what cannot be shown as \\x1b."""
    return _UNPRINTABLE.sub(_escaped, text)


def _escaped(match: re.Match[str]) -> str:
    code = ord(match[0])
    return f"\\x{code:02x}" if code < 0x100 else f"\\u{code:04x}"


# --- text ---


def line_of(outcome: Outcome, *, colour: bool = False) -> str:
    """One line of text on one script."""
    told = _paint(f"{outcome.outcome:<{_WIDEST}}", _COLOURS[outcome.outcome], colour)
    why = " ".join(outcome.message.split())
    return f"{told}  {printable(outcome.place)}" + (f": {printable(why)}" if why else "")


def lines_of(outcome: Outcome, *, colour: bool = False) -> str:
    """That line, and one for each of its warnings."""
    told = _paint(f"{_WARNING:<{_WIDEST}}", _YELLOW, colour)
    lines = [line_of(outcome, colour=colour), *(f"{told}  {printable(text)}" for text in outcome.warned)]
    return "".join(f"{line}\n" for line in lines)


def details_of(outcome: Outcome, *, colour: bool = False) -> str:
    """The details of one script under a heading."""
    head = f"{outcome.outcome}: {printable(outcome.place)}"
    told = f"{printable(outcome.message).rstrip()}\n\n" if outcome.message else ""
    return f"\n{_paint(head, _BOLD, colour)}\n{'-' * len(head)}\n{told}{outcome.details.rstrip()}\n"


def summary(outcomes: Sequence[Outcome], *, colour: bool = False) -> str:
    """One line on all of them: how many of each kind, and how much time there was in how much time."""
    counts = Counter(one.outcome for one in outcomes)
    told = [
        _paint(f"{counts[name]} {name}", _COLOURS[name] if counts[name] else "", colour)
        for name in OUTCOMES
        if counts[name] or name in (PASSED, FAILED)
    ]
    if warnings := sum(len(one.warnings) for one in outcomes):
        told.append(_paint("1 warning" if warnings == 1 else f"{warnings} warnings", _YELLOW, colour))
    scripts = "1 script" if len(outcomes) == 1 else f"{len(outcomes)} scripts"
    virtual = sum(one.virtual_seconds for one in outcomes)
    real = sum(one.real_seconds for one in outcomes)
    return f"{scripts}: {', '.join(told)} ({virtual:,.3f} s virtual, {real:,.3f} s real)"


def as_text(outcomes: Sequence[Outcome], *, colour: bool = False) -> str:
    """A line for each script, the details of those that have some, and the summary."""
    return "".join(lines_of(one, colour=colour) for one in outcomes) + closing_text(outcomes, colour=colour)


def closing_text(outcomes: Sequence[Outcome], *, colour: bool = False) -> str:
    """What follows the lines: details and summary."""
    told = [details_of(one, colour=colour) for one in outcomes if one.details]
    return "".join([*told, "\n", summary(outcomes, colour=colour), "\n"])


def _paint(text: str, with_: str, colour: bool) -> str:
    return f"{with_}{text}{_PLAIN}" if colour and with_ else text


# --- for programs ---


def as_json(outcomes: Sequence[Outcome]) -> str:
    """A list with one object for each script."""
    return json.dumps([_dictionary(one) for one in outcomes], indent=2) + "\n"


def _dictionary(outcome: Outcome) -> dict[str, Any]:
    return {
        "file": outcome.file,
        "outcome": outcome.outcome,
        "line": outcome.line,
        "message": outcome.message,
        "warnings": [{"line": one.line, "message": one.message} for one in outcome.warnings],
        "real_seconds": round(outcome.real_seconds, 6),
        "virtual_seconds": round(outcome.virtual_seconds, 6),
        "late_seconds": round(outcome.late_seconds, 6),
    }


# How JUnit calls what did not pass. A script that asks for what is not here is skipped: nothing was tested.
_ELEMENTS = {FAILED: "failure", UNSUPPORTED: "skipped", ERROR: "error"}


def as_junit(outcomes: Sequence[Outcome]) -> str:
    """An XML document of JUnit's form: a suite of one test case for each script, in the shape that pytest writes."""
    counts = Counter(one.outcome for one in outcomes)
    told = {
        "name": "packetdrill",
        "tests": str(len(outcomes)),
        "failures": str(counts[FAILED]),
        "errors": str(counts[ERROR]),
        "skipped": str(counts[UNSUPPORTED]),
        "time": _seconds(sum(one.real_seconds for one in outcomes)),
    }
    root = ElementTree.Element("testsuites", told)
    suite = ElementTree.SubElement(root, "testsuite", told)
    for one in outcomes:
        suite.append(_test_case(one))
    ElementTree.indent(root)
    return '<?xml version="1.0" encoding="utf-8"?>\n' + ElementTree.tostring(root, encoding="unicode") + "\n"


def _test_case(outcome: Outcome) -> ElementTree.Element:
    file = printable(outcome.file)
    folder, _, name = file.rpartition("/")
    attributes = {"classname": folder.strip("/").replace("/", "."), "name": name, "file": file}
    if outcome.line:
        attributes["line"] = str(outcome.line)
    case = ElementTree.Element("testcase", {**attributes, "time": _seconds(outcome.real_seconds)})
    properties = ElementTree.SubElement(case, "properties")
    virtual = {"name": "virtual_seconds", "value": _seconds(outcome.virtual_seconds)}
    ElementTree.SubElement(properties, "property", virtual)
    if not outcome.ok:
        why = {"message": printable(outcome.message), "type": f"packetdrill.{outcome.outcome}"}
        told = ElementTree.SubElement(case, _ELEMENTS[outcome.outcome], why)
        told.text = printable(f"{outcome.place}: {outcome.message}\n{outcome.details}").rstrip()
    if outcome.warnings:
        ElementTree.SubElement(case, "system-err").text = printable("\n".join(outcome.warned))
    return case


def _seconds(value: float) -> str:
    return f"{value:.6f}"


# The forms for programs; text is the other one.
FORMS: dict[str, Callable[[Sequence[Outcome]], str]] = {"json": as_json, "junit": as_junit}
FORMATS = ("text", *FORMS)
