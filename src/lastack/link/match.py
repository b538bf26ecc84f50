"""Which frames are meant: predicates on the segment inside, and their text form ("3rd SYN", "every FIN once").

A predicate is asked of a frame; `&`, `|` and `~` combine them. The direction is the path's on which a rule stands.
"""

from __future__ import annotations

import re
from collections.abc import Callable

from lastack.link.frame import Frame
from lastack.wire.segment import ACK, FIN, RST, SYN, Segment


class Match:
    """A predicate on frames. What is no TCP segment never matches `of_segment`."""

    __slots__ = ("test", "text")

    def __init__(self, text: str, test: Callable[[Frame], bool]) -> None:
        self.text = text
        self.test = test

    def __call__(self, frame: Frame) -> bool:
        return self.test(frame)

    def __and__(self, other: Match) -> Match:
        return Match(f"({self.text} and {other.text})", lambda frame: self.test(frame) and other.test(frame))

    def __or__(self, other: Match) -> Match:
        return Match(f"({self.text} or {other.text})", lambda frame: self.test(frame) or other.test(frame))

    def __invert__(self) -> Match:
        return Match(f"not {self.text}", lambda frame: not self.test(frame))

    def __repr__(self) -> str:
        return f"Match({self.text})"


def of_segment(text: str, test: Callable[[Segment], bool]) -> Match:
    """A predicate on the TCP segment of a frame."""

    def test_frame(frame: Frame) -> bool:
        segment = frame.segment
        return segment is not None and test(segment)

    return Match(text, test_frame)


EVERYTHING = Match("everything", lambda frame: True)
IS_SYN = of_segment("SYN", lambda segment: segment.flags & (SYN | ACK) == SYN)
IS_SYN_ACK = of_segment("SYN,ACK", lambda segment: segment.flags & (SYN | ACK) == SYN | ACK)
IS_FIN = of_segment("FIN", lambda segment: bool(segment.flags & FIN))
IS_RST = of_segment("RST", lambda segment: bool(segment.flags & RST))
IS_DATA = of_segment("data", lambda segment: segment.length > 0)
# An acknowledgment and nothing else.
IS_ACK = of_segment("ACK", lambda segment: segment.flags & (SYN | FIN | RST | ACK) == ACK and not segment.length)

KINDS = {
    "segment": of_segment("segment", lambda segment: True),
    "packet": EVERYTHING,
    "SYN": IS_SYN,
    "SYN,ACK": IS_SYN_ACK,
    "FIN": IS_FIN,
    "RST": IS_RST,
    "data": IS_DATA,
    "ACK": IS_ACK,
}


def at_sequence(seq: int) -> Match:
    """The segments that begin at this sequence number."""
    return of_segment(f"seq {seq}", lambda segment: segment.seq == seq)


def covers(seq: int) -> Match:
    """The segments whose text holds this sequence number."""
    return of_segment(f"text of {seq}", lambda segment: (seq - segment.seq) & 0xFFFFFFFF < segment.length)


def ports(source: int | None = None, destination: int | None = None) -> Match:
    """The segments of these ports; None stands for any."""
    return of_segment(
        f"ports {source or 'any'} to {destination or 'any'}",
        lambda segment: source in (None, segment.source_port) and destination in (None, segment.destination_port),
    )


_ORDINAL = re.compile(r"(\d+)(st|nd|rd|th)?(?:-(\d+)(st|nd|rd|th)?)?$", re.ASCII)


def _ordinal(number: int) -> str:
    """2 is "2nd"."""
    endings = {} if number % 100 in (11, 12, 13) else {1: "st", 2: "nd", 3: "rd"}
    return f"{number}{endings.get(number % 10, 'th')}"


def parse_choice(text: str) -> tuple[Match, frozenset[int] | None, bool]:
    """Read which frames are meant: (predicate, their numbers counted from 1 or None for all, once each).

    "3rd SYN", "2-4 data", "1,3 FIN", "every FIN", "every FIN once" (each segment's first transmission).
    Raises ValueError with what is wrong.
    """
    words = text.split()
    once = len(words) == 3 and words[2] == "once"
    if len(words) != (3 if once else 2):
        raise ValueError(f"cannot read {text!r}: write for example '3rd SYN', '2-4 data' or 'every FIN once'")
    if words[1] not in KINDS:
        raise ValueError(f"unknown kind of segment {words[1]!r} in {text!r}: one of {' '.join(KINDS)}")
    kind = KINDS[words[1]]
    if words[0] in ("every", "all"):
        return kind, None, once
    if once:
        raise ValueError(f"'once' goes with 'every', not with a number: {text!r}")
    numbers: set[int] = set()
    for part in words[0].split(","):
        found = _ORDINAL.match(part)
        if found is None:
            raise ValueError(f"{part!r} in {text!r} is not a number: write 3rd, 2-4 or 'every'")
        if not int(found[1]):
            raise ValueError(f"{part!r} in {text!r}: they are counted from 1, write 1st")
        for digits, ending in (found.group(1, 2), found.group(3, 4)):
            if ending and digits + ending != _ordinal(int(digits)):
                raise ValueError(f"{digits}{ending} in {text!r} is no number: write {_ordinal(int(digits))}")
        first = int(found[1])
        last = int(found[3] or first)
        if not first <= last <= first + 10_000:
            raise ValueError(f"{part!r} in {text!r} is no range from low to high")
        numbers.update(range(first, last + 1))
    return kind, frozenset(numbers), False
