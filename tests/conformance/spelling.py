"""How a citation is written: which requirements a piece of text names.

    RFC 9293 3.8.6.1 MUST-36         MUST-32, 33       MUST-54 to MUST-56
    RFC 6298 (5.4) to (5.6)          RFC 5961 sections 3.2 and 4.2
    RFC 8985 6.2 steps 1 to 3        RFC 7323 4.3 (2)  RFC 5681 equation (4)

What stands behind the number of the RFC is its own name for the place: a section, and within it a step, a rule or an
equation. A reference is (RFC, place), as (9293, "MUST-36") or (8985, "6.2 step 2").
"""

from __future__ import annotations

import re
from collections.abc import Iterator

Reference = tuple[int, str]

_TCP = 9293
_RFC = re.compile(r"RFC (\d{3,5})")
_NUMBERED = re.compile(r"\b(MUST|SHLD|MAY|REC)-(\d+)")
_MORE_NUMBERS = re.compile(r"(,| and| to(?: (?:MUST|SHLD|MAY|REC)-(?=\d))?) ?(\d+)(?![\d\w:-]|\.\d)")

_AND = r"(?:,? and |, | to )"
_SECTION = r"(?:Appendix )?\(?(?:[A-Z]\.)?\d+(?:\.\d+)*\)?|Appendix [A-Z](?:\.\d+)*"
# The place within a section, in the words of the RFCs.
_WITHIN = re.compile(
    r",? \(?(?P<word>steps?|[Rr]ules?|equations?|Figures?|Algorithms?) "
    rf"(?P<numbers>\(?\d\)?(?:{_AND}\(?\d\)?(?![\d.]))*)"
    r"|,? (?P<checks>(?:first|second|third)(?:(?:, | and )(?:first|second|third))*) check"
    r"| (?P<letter>R\d|\([1-9a-z]\))(?!\w)"
)
_PLACE = re.compile(rf"(?:,? ?\(?(?:[Ss]ections?|§) )?(?P<section>{_SECTION})")
_ALONE = re.compile(r" (?P<word>[Aa]lgorithm|[Ee]quation|[Ff]igure|[Tt]able) (?P<number>\(?\d\)?)")
_NEXT = re.compile(rf"(?P<join>,? and |, | to )(?:[Ss]ections? )?(?P<section>{_SECTION})(?![\w%])")


def references(text: str) -> Iterator[Reference]:
    """Every reference in a text, whose lines are joined by blanks; a bare MUST-n is one of RFC 9293."""
    text = " ".join(text.split())
    for match in _NUMBERED.finditer(text):
        yield from ((_TCP, f"{match[1]}-{number}") for number in _numbers(text, match))
    for match in _RFC.finditer(text):
        yield from ((int(match[1]), place) for place in _places(text, match.end()))


def _numbers(text: str, match: re.Match[str]) -> list[int]:
    """The number of a requirement, and those that follow it without its name: "MUST-32, 33", "MUST-4 to MUST-7"."""
    numbers = [int(match[2])]
    more = _MORE_NUMBERS.match(text, match.end())
    while more:
        number = int(more[2])
        numbers += range(numbers[-1] + 1, number + 1) if more[1].startswith(" to") else [number]
        more = _MORE_NUMBERS.match(text, more.end())
    return numbers


def _places(text: str, at: int) -> Iterator[str]:
    """The places that follow the number of an RFC; "" where none does."""
    first = _PLACE.match(text, at) or _PLACE.match(text, at + text[at:].startswith(" "))
    if first is None:
        alone = _ALONE.match(text, at)
        yield f"{alone['word'].lower()} {_bare(alone['number'])}" if alone else ""
        return
    section = _bare(first["section"])
    at = first.end()
    while True:
        within = _WITHIN.match(text, at)
        if within:
            at = within.end()
            yield from (f"{section} {part}" for part in _parts(within))
        else:
            yield section
        after = _NEXT.match(text, at)
        if after is None or _is_count(after["section"], text[at - 1] == ")"):
            return
        other = _bare(after["section"])
        if after["join"] == " to ":
            yield from _between(section, other)
        section, at = other, after.end()


def _bare(place: str) -> str:
    return place.strip("()")


def _is_count(section: str, parenthesised: bool) -> bool:
    """Whether a number behind a comma is more likely a count than a section: "RFC 6298 (2.1), 3 seconds"."""
    return section.isdigit() and not parenthesised


def _parts(match: re.Match[str]) -> list[str]:
    """Of "steps 1 to 3": "step 1", "step 2", "step 3"."""
    if match["checks"]:
        return [f"{one} check" for one in re.findall(r"first|second|third", match["checks"])]
    if match["letter"]:
        return [match["letter"]]
    word = match["word"].rstrip("s").lower()
    digits = [int(one) for one in re.findall(r"\d", match["numbers"])]
    if " to " in match["numbers"]:
        digits = list(range(digits[0], digits[-1] + 1))
    return [f"{word} {digit}" for digit in digits]


def _between(first: str, last: str) -> Iterator[str]:
    """Of 5.4 and 5.7: 5.5 and 5.6."""
    head, _, low = first.rpartition(".")
    other, _, high = last.rpartition(".")
    if head == other and low.isdigit() and high.isdigit():
        yield from (f"{head}.{number}" if head else str(number) for number in range(int(low) + 1, int(high)))
