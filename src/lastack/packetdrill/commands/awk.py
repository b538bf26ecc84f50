"""The little of awk that scripts pick columns with: `awk '/LISTEN/ {print $8}'`, `$6 == "LISTEN"`, `NR > 1`."""

from __future__ import annotations

import re
from collections.abc import Callable

from lastack.packetdrill.commands.filters import pattern_of
from lastack.packetdrill.errors import Unsupported

_FIELD = r"\$(?:[0-9]{1,3}|NF)"
_TEXT = r'"[^"\\]*"'
_PROGRAM = re.compile(r"\s*(?P<when>[^{}]*?)\s*(?:\{\s*print\b\s*(?P<what>[^{};]*?)\s*;?\s*\})?\s*")
_MATCH = re.compile(rf"(?:(?P<field>{_FIELD})\s*(?P<sign>!?~)\s*)?/(?P<pattern>[^/]*)/")
_COMPARED = re.compile(rf"(?P<left>{_FIELD}|N[RF])\s*(?P<sign>[=!<>]=|[<>])\s*(?P<right>{_TEXT}|-?[0-9]{{1,18}})")
_ITEM = re.compile(rf"\s*(?P<item>{_FIELD}|{_TEXT}|N[RF])\s*(?P<comma>,|(?=[$\"N])|$)")
_SIGNS: dict[str, Callable[[int], bool]] = {
    "==": lambda order: order == 0,
    "!=": lambda order: order != 0,
    "<": lambda order: order < 0,
    ">": lambda order: order > 0,
    "<=": lambda order: order <= 0,
    ">=": lambda order: order >= 0,
}


class _Line:
    """One line with its number, cut at a separator or at blanks."""

    def __init__(self, text: str, number: int, separator: str) -> None:
        self.text = text
        self.number = number
        self.fields = text.split(separator) if separator.strip() else text.split()

    def value(self, name: str) -> str:
        """What NR, NF, $0, $1, $NF or a text in quotes stands for."""
        if name in ("NR", "NF"):
            return str(self.number if name == "NR" else len(self.fields))
        if name.startswith('"'):
            return name[1:-1]
        at = len(self.fields) if name == "$NF" else int(name[1:])
        if not at:
            return self.text
        return self.fields[at - 1] if at <= len(self.fields) else ""


def awk(words: list[str], text: str) -> tuple[int, str]:
    """Lines that a condition picks, and of them what is printed. Unsupported for any other program."""
    separator = ""
    while words and words[0].startswith("-F"):
        separator, words = (words[0][2:], words[1:]) if len(words[0]) > 2 else ("".join(words[1:2]), words[2:])
    program = _PROGRAM.fullmatch(words[0]) if len(words) == 1 else None
    if program is None or not (program["when"] or program["what"] is not None) or len(separator) > 1:
        raise Unsupported(f"awk {' '.join(words)[:80]}: a condition and {{print $N, ...}} are what is read here")
    picks = _condition(program["when"])
    shows = _items(program["what"] or "$0")
    lines = (_Line(line, number, separator) for number, line in enumerate(text.splitlines(), 1))
    return 0, "".join(f"{shows(line)}\n" for line in lines if picks(line))


def _condition(text: str) -> Callable[[_Line], bool]:
    if not text:
        return lambda line: True
    if match := _MATCH.fullmatch(text):
        field, wanted = match["field"] or "$0", match["sign"] != "!~"
        pattern = pattern_of(match["pattern"], {"E"})
        return lambda line: (pattern.search(line.value(field)) is not None) is wanted
    if compared := _COMPARED.fullmatch(text):
        left, right, holds = compared["left"], compared["right"], _SIGNS[compared["sign"]]
        return lambda line: holds(_order(line.value(left), right))
    raise Unsupported(f"awk: the condition {text[:60]!r}")


def _order(value: str, other: str) -> int:
    """Below, equal or above: as numbers, where both are."""
    if other.startswith('"') or not re.fullmatch(r"-?[0-9]{1,18}", value):
        other = other.strip('"')
        return (value > other) - (value < other)
    return (int(value) > int(other)) - (int(value) < int(other))


def _items(text: str) -> Callable[[_Line], str]:
    """What is printed: with a comma between them a blank apart, else together."""
    found: list[tuple[str, str]] = []
    at = 0
    while at < len(text):
        match = _ITEM.match(text, at)
        if match is None:
            raise Unsupported(f"awk: print {text[:60]}")
        found.append((match["item"], " " if match["comma"] else ""))
        at = match.end()
    return lambda line: "".join(line.value(item) + gap for item, gap in found)
