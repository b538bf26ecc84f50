"""What scripts filter listings with: grep, wc, head, tail, sort, uniq, cat, as far as they are used for that."""

from __future__ import annotations

import re
from collections.abc import Callable

from lastack.packetdrill.errors import ScriptError, Unsupported

_LONGEST_PATTERN = 500  # characters


def grep(words: list[str], text: str) -> tuple[int, str]:
    """Exit status and output of grep on `text`, with -E -F -G -P -q -v -c -i -o -w -x -s -n -h -m -e. Unsupported names
    any other option."""
    options, rest = _options(words, "EFGPqvcioxwsnh", with_value="em")
    patterns = [value for name, value in options if name == "e"] or rest[:1]
    flags = {name for name, _ in options}
    if not patterns or (len(rest) > 1 and "e" not in flags) or ("e" in flags and rest):
        raise Unsupported("grep: one pattern on what comes through the pipe is what is read here")
    matches = [pattern_of(pattern, flags) for pattern in patterns]
    limit = next((int(value) for name, value in options if name == "m" and value.isdecimal()), None)
    found: list[str] = []
    for number, line in enumerate(text.splitlines(), 1):
        hits = [hit for match in matches for hit in match.finditer(line)]
        if bool(hits) is not ("v" in flags) and (limit is None or len(found) < limit):
            shown = [hit[0] for hit in hits] if "o" in flags else [line]
            found.append("\n".join(f"{number}:{one}" if "n" in flags else one for one in shown))
    status = 0 if found else 1
    if "q" in flags:
        return status, ""
    return status, f"{len(found)}\n" if "c" in flags else "".join(f"{line}\n" for line in found)


def pattern_of(pattern: str, flags: set[str]) -> re.Pattern[str]:
    """A pattern as grep reads it with these of its options. ScriptError for what is none."""
    if len(pattern) > _LONGEST_PATTERN:
        raise ScriptError(f"grep: a pattern of {len(pattern):,} characters; at most {_LONGEST_PATTERN}")
    if "F" in flags:
        pattern = re.escape(pattern)
    elif not flags & {"E", "P"}:
        pattern = _basic(pattern)
    pattern = re.sub(r"\[\[:(\w+):\]\]", lambda match: _CLASSES.get(match[1], match[0]), pattern)
    if "w" in flags:
        pattern = rf"\b(?:{pattern})\b"
    if "x" in flags:
        pattern = rf"^(?:{pattern})$"
    if re.search(r"[*+}]\)[*+{]", pattern):
        raise Unsupported("grep: repetitions within repetitions")
    try:
        return re.compile(pattern, re.IGNORECASE if "i" in flags else 0)
    except re.error as error:
        raise ScriptError(f"grep: {pattern!r}: {error}") from None


_CLASSES = {
    "space": r"\s",
    "blank": r"[ \t]",
    "digit": r"\d",
    "alpha": "[A-Za-z]",
    "alnum": "[A-Za-z0-9]",
    "upper": "[A-Z]",
    "lower": "[a-z]",
    "xdigit": "[0-9A-Fa-f]",
}


def _basic(pattern: str) -> str:
    """A basic regular expression as an extended one: there + ? | ( ) { } are signs only behind a backslash."""
    parts: list[str] = []
    at = 0
    while at < len(pattern):
        sign = pattern[at]
        if sign == "\\" and at + 1 < len(pattern):
            following = pattern[at + 1]
            parts.append(following if following in "+?|(){}" else sign + following)
            at += 2
            continue
        if sign == "[":
            end = pattern.find("]", at + 2)
            end = pattern.find("]", end + 1) if pattern.startswith("[:", at + 1) and end >= 0 else end
            if end > 0:
                parts.append(pattern[at : end + 1])
                at = end + 1
                continue
        parts.append("\\" + sign if sign in "+?|(){}" else sign)
        at += 1
    return "".join(parts)


def count(words: list[str], text: str) -> tuple[int, str]:
    """wc -l, -w, -c."""
    options, rest = _options(words, "lwc")
    if rest or len(options) != 1:
        raise Unsupported("wc: -l, -w or -c on what comes through the pipe is what is read here")
    number = {"l": text.count("\n"), "w": len(text.split()), "c": len(text)}[options[0][0]]
    return 0, f"{number}\n"


def head(words: list[str], text: str) -> tuple[int, str]:
    """The first lines: -n N or -N; ten."""
    lines = text.splitlines(keepends=True)
    return 0, "".join(lines[: _lines(words, "head")])


def tail(words: list[str], text: str) -> tuple[int, str]:
    """The last lines."""
    lines = text.splitlines(keepends=True)
    number = _lines(words, "tail")
    return 0, "".join(lines[-number:] if number else [])


def _lines(words: list[str], program: str) -> int:
    joined = " ".join(words)
    match = re.fullmatch(r"(?:-n *|-)([0-9]{1,6})|", joined)
    if match is None:
        raise Unsupported(f"{program} {joined[:60]}: only a number of lines is read here")
    return int(match[1] or 10)


def sort(words: list[str], text: str) -> tuple[int, str]:
    """sort and sort -u."""
    options, rest = _options(words, "u")
    if rest:
        raise Unsupported("sort: files")
    lines = text.splitlines()
    return 0, "".join(f"{line}\n" for line in sorted(set(lines) if options else lines))


def unique(words: list[str], text: str) -> tuple[int, str]:
    """uniq without options."""
    if words:
        raise Unsupported("uniq: options")
    lines = text.splitlines()
    return 0, "".join(f"{line}\n" for at, line in enumerate(lines) if not at or lines[at - 1] != line)


def copy(words: list[str], text: str) -> tuple[int, str]:
    """cat of what comes through the pipe."""
    if words not in ([], ["-"]):
        raise Unsupported(f"cat {' '.join(words)[:80]}: files are not read")
    return 0, text


FILTERS: dict[str, Callable[[list[str], str], tuple[int, str]]] = {
    "grep": grep,
    "egrep": lambda words, text: grep(["-E", *words], text),
    "fgrep": lambda words, text: grep(["-F", *words], text),
    "wc": count,
    "head": head,
    "tail": tail,
    "sort": sort,
    "uniq": unique,
    "cat": copy,
}


def _options(words: list[str], letters: str, with_value: str = "") -> tuple[list[tuple[str, str]], list[str]]:
    """The options, one letter each, and the other words."""
    long = {"--quiet": "q", "--silent": "q", "--count": "c", "--invert-match": "v", "--ignore-case": "i"}
    found: list[tuple[str, str]] = []
    rest: list[str] = []
    waiting = iter(words)
    for word in waiting:
        if word == "--":
            rest += waiting
        elif word in long and long[word] in letters:
            found.append((long[word], ""))
        elif word.startswith("-") and len(word) > 1:
            for at, letter in enumerate(word[1:], 1):
                if letter in with_value:
                    found.append((letter, word[at + 1 :] or next(waiting, "")))
                    break
                if letter not in letters:
                    raise Unsupported(f"the option {word}")
                found.append((letter, ""))
        else:
            rest.append(word)
    return found, rest
