"""`[ 1 -eq 1 ]` and `test`: conditions over the words that a script's commands have given."""

from __future__ import annotations

import re
from collections.abc import Callable

from lastack.packetdrill.errors import ScriptError, Unsupported

_NUMBER = re.compile(r"\s*[+-]?[0-9]{1,18}\s*")
_NUMBERS: dict[str, Callable[[int, int], bool]] = {
    "-eq": lambda one, other: one == other,
    "-ne": lambda one, other: one != other,
    "-lt": lambda one, other: one < other,
    "-le": lambda one, other: one <= other,
    "-gt": lambda one, other: one > other,
    "-ge": lambda one, other: one >= other,
}


def bracket(words: list[str], _text: str) -> tuple[int, str]:
    """`[ ... ]`."""
    if words[-1:] != ["]"]:
        raise ScriptError("[ ... ]: the last word is to be ]")
    return condition(words[:-1], _text)


def condition(words: list[str], _text: str) -> tuple[int, str]:
    """`test`: the status is 0 where it holds. ScriptError for what is no number, Unsupported for other conditions."""
    return int(not _holds(words)), ""


def _holds(words: list[str]) -> bool:
    if words[:1] == ["!"] and len(words) > 1:
        return not _holds(words[1:])
    if len(words) == 3 and words[1] in _NUMBERS:
        for word in (words[0], words[2]):
            if not _NUMBER.fullmatch(word):
                raise ScriptError(f"[ {' '.join(words)[:80]} ]: {word[:40]!r} is no number")
        return _NUMBERS[words[1]](int(words[0]), int(words[2]))
    if len(words) == 3 and words[1] in ("=", "==", "!="):
        return (words[0] == words[2]) is not (words[1] == "!=")
    if len(words) == 2 and words[0] in ("-n", "-z"):
        return (words[1] == "") is (words[0] == "-z")
    if len(words) < 2:
        return bool("".join(words))
    raise Unsupported(f"the condition [ {' '.join(words)[:80]} ]")
