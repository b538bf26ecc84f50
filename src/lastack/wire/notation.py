"""Segments in packetdrill's notation, printed and parsed.

    S 0:0(0) win 65535 <mss 1460,sackOK,TS val 1 ecr 0,nop,wscale 7>
    P. 1:1461(1460) ack 1 win 257
    [ce] . 1:1461(1460) ack 1

In front the ECN field (`[noecn]`, `[ect0]`, `[ect1]`, `[ce]`), then flags (F S R P . U E W A, `-` for none),
`seq:end(length)` where `end` is `seq + length` without SYN and FIN, `ack N`, `win N`, `urg N`, `<options>`. Sequence
numbers may be relative: to `iss` those of the segment's own direction, to `irs` the acknowledged ones, SACK blocks
included. Ports, addresses and the bytes of the payload are not in a line.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import NamedTuple

from lastack.wire import options as wire_options
from lastack.wire.errors import WireError
from lastack.wire.options import (
    EndOfList,
    FastOpen,
    MaximumSegmentSize,
    Md5,
    Mptcp,
    Nop,
    Option,
    Sack,
    SackPermitted,
    TcpAo,
    Timestamps,
    Unknown,
    UserTimeout,
    WindowScale,
)
from lastack.wire.packet import Buffer
from lastack.wire.segment import ACK, URG, Segment, format_flags, parse_flags

DEFAULT_WINDOW = 65535
_MASK = 0xFFFFFFFF
_ECN = ("noecn", "ect1", "ect0", "ce")  # by the value of the field (RFC 3168 section 5)
_LONGEST = 65535  # bytes of payload: a line is no way to ask for gigabytes of zeros


class Line(NamedTuple):
    """A parsed line with absolute numbers. What was left out is None; `options` is None for `<...>`: any."""

    flags: int
    seq: int
    length: int
    ack: int | None
    window: int | None
    urgent: int | None
    options: bytes | None
    ecn: int | None = None


def format_segment(segment: Segment, *, iss: int = 0, irs: int = 0) -> str:
    """`segment` as a line, its sequence numbers relative to `iss` and `irs` (modulo 2**32)."""
    seq = segment.seq - iss & _MASK
    words = [f"[{_ECN[segment.ecn]}]"] if segment.ecn else []
    words += [format_flags(segment.flags), f"{seq}:{seq + segment.length & _MASK}({segment.length})"]
    if segment.flags & ACK:
        words.append(f"ack {segment.ack - irs & _MASK}")
    words.append(f"win {segment.window}")
    if segment.flags & URG:
        words.append(f"urg {segment.urgent}")
    if len(segment.options):
        words.append(f"<{format_options(segment.options, irs=irs)}>")
    return " ".join(words)


def format_options(buffer: Buffer, *, irs: int = 0) -> str:
    """The bytes of a header's options as a line has them between < and >; `raw HEX` where they are malformed."""
    data = bytes(buffer)
    try:
        options = wire_options.parse(data)
        if wire_options.build(options) != data:  # something stands behind the end of the list
            return f"raw {data.hex()}"
    except WireError:
        return f"raw {data.hex()}"
    return ",".join([_format_option(option, irs) for option in options])


def _format_option(option: Option, irs: int) -> str:
    match option:
        case EndOfList():
            return "eol"
        case Nop():
            return "nop"
        case MaximumSegmentSize(value):
            return f"mss {value}"
        case WindowScale(shift):
            return f"wscale {shift}"
        case SackPermitted():
            return "sackOK"
        case Sack(blocks):
            return "sack " + " ".join([f"{left - irs & _MASK}:{right - irs & _MASK}" for left, right in blocks])
        case Timestamps(val, ecr):
            return f"TS val {val} ecr {ecr}"
        case Md5(digest):
            return f"md5 {digest.hex()}"
        case UserTimeout(granularity, value):
            return f"uto {value} {'min' if granularity else 's'}"
        case TcpAo(key_id, next_key_id, mac):
            return f"ao {key_id} {next_key_id} {mac.hex()}".rstrip()
        case FastOpen(cookie, experimental):
            return f"{'FOEXP' if experimental else 'FO'} {cookie.hex()}".rstrip()
        case Mptcp(data):
            return f"mptcp {data.hex()}".rstrip()
        case Unknown(kind, data):
            return f"unknown {kind:#04x} {data.hex()}".rstrip()


def _edge(text: str, irs: int) -> int:
    value = int(text)
    if value > _MASK:
        raise WireError("option-value", f"{text} is no sequence number")
    return value + irs & _MASK


def _blocks(text: str, irs: int) -> tuple[tuple[int, int], ...]:
    pairs = [block.split(":") for block in text.split()]
    return tuple((_edge(left, irs), _edge(right, irs)) for left, right in pairs)


_N = "([0-9]{1,10})"
_HEX = "((?: ?(?:[0-9a-fA-F]{2})+)?)"  # of no bytes, too
_HEX_WORD = "((?:[0-9a-fA-F]{2})+)"

# By the first word: how it goes on (an example, the pattern), and the option it is.
_OPTIONS: dict[str, tuple[str, re.Pattern[str], Callable[[re.Match[str], int], Option]]] = {
    name: (example, re.compile(f"{name}{pattern}"), make)
    for name, example, pattern, make in (
        ("eol", "eol", "", lambda m, irs: EndOfList()),
        ("nop", "nop", "", lambda m, irs: Nop()),
        ("mss", "mss 1460", f" {_N}", lambda m, irs: MaximumSegmentSize(int(m[1]))),
        ("wscale", "wscale 7", f" {_N}", lambda m, irs: WindowScale(int(m[1]))),
        ("sackOK", "sackOK", "", lambda m, irs: SackPermitted()),
        ("sack", "sack 1:1001 2001:3001", f"((?: {_N}:{_N})+)", lambda m, irs: Sack(_blocks(m[1], irs))),
        ("TS", "TS val 1 ecr 0", f" val {_N} ecr {_N}", lambda m, irs: Timestamps(int(m[1]), int(m[2]))),
        ("md5", "md5 HEX", f" {_HEX_WORD}", lambda m, irs: Md5(bytes.fromhex(m[1]))),
        ("uto", "uto 30 s", f" {_N} (s|min)", lambda m, irs: UserTimeout(int(m[2] == "min"), int(m[1]))),
        ("ao", "ao 1 2 HEX", f" {_N} {_N}{_HEX}", lambda m, irs: TcpAo(int(m[1]), int(m[2]), bytes.fromhex(m[3]))),
        ("FO", "FO HEX", _HEX, lambda m, irs: FastOpen(bytes.fromhex(m[1]))),
        ("FOEXP", "FOEXP HEX", _HEX, lambda m, irs: FastOpen(bytes.fromhex(m[1]), True)),
        ("mptcp", "mptcp HEX", _HEX, lambda m, irs: Mptcp(bytes.fromhex(m[1]))),
        (
            "unknown",
            "unknown 0xfd HEX",
            f" 0x([0-9a-fA-F]{{2}}){_HEX}",
            lambda m, irs: Unknown(int(m[1], 16), bytes.fromhex(m[2])),
        ),
    )
}
_RAW = re.compile(f"raw {_HEX_WORD}")


class _Reader:
    """Walks a line and knows the column it is at."""

    __slots__ = ("at", "text")

    def __init__(self, text: str) -> None:
        self.text = text
        self.at = 0

    def fail(self, wanted: str, at: int | None = None) -> WireError:
        column = self.at if at is None else at
        rest = self.text[column : column + 20]
        return WireError(
            "notation",
            f"column {column + 1}: expected {wanted}, found {rest!r}"
            if rest
            else f"column {column + 1}: expected {wanted}, found the end of the line",
        )

    def skip(self) -> None:
        while self.at < len(self.text) and self.text[self.at] in " \t":
            self.at += 1

    def take(self, pattern: re.Pattern[str]) -> re.Match[str] | None:
        match = pattern.match(self.text, self.at)
        if match:
            self.at = match.end()
        return match

    def number(self, name: str, limit: int) -> int | None:
        """The number behind the word `name`, or None where that word does not come next."""
        self.skip()
        if not self.take(re.compile(rf"{name}\b")):
            return None
        self.skip()
        return self.plain(f"a number of at most {limit} behind {name!r}", limit)

    def plain(self, wanted: str, limit: int) -> int:
        at = self.at
        match = self.take(_DIGITS)
        if not match or int(match[0]) > limit:
            raise self.fail(wanted, at)
        return int(match[0])

    def literal(self, character: str) -> None:
        if not self.text.startswith(character, self.at):
            raise self.fail(repr(character))
        self.at += 1


_DIGITS = re.compile(r"[0-9]{1,10}")
_FLAGS = re.compile(r"[^\s:<]+")
_MARK = re.compile(r"\[([^\]]*)\]")


def parse_line(text: str, *, iss: int = 0, irs: int = 0) -> Line:
    """The line `text`, its numbers made absolute with `iss` and `irs`. WireError "notation" says where it is wrong."""
    reader = _Reader(text)
    reader.skip()
    at = reader.at
    mark = reader.take(_MARK)
    if mark and mark[1] not in _ECN:
        raise reader.fail(f"one of {', '.join(f'[{name}]' for name in _ECN)}", at)
    ecn = _ECN.index(mark[1]) if mark else None
    reader.skip()
    at = reader.at
    letters = reader.take(_FLAGS)
    try:
        flags = parse_flags(letters[0] if letters else "")
    except WireError:
        raise reader.fail("flags (letters of FSRP.UEWA, each once, or -)", at) from None
    reader.skip()
    seq = reader.plain("a sequence number", _MASK)
    reader.literal(":")
    at = reader.at
    end = reader.plain("a sequence number", _MASK)
    reader.literal("(")
    length = reader.plain(f"a length of at most {_LONGEST}", _LONGEST)
    reader.literal(")")
    if seq + length & _MASK != end:
        raise reader.fail(f"{seq + length & _MASK} ({seq} + {length})", at)
    ack = reader.number("ack", _MASK)
    window = reader.number("win", 0xFFFF)
    urgent = reader.number("urg", 0xFFFF)
    reader.skip()
    options: bytes | None = b""
    if text.startswith("<", reader.at):
        options = _parse_options(reader, irs)
        reader.skip()
    if reader.at < len(text.rstrip()):
        raise reader.fail("ack, win, urg, <options> in this order, or the end")
    return Line(
        flags, seq + iss & _MASK, length, None if ack is None else ack + irs & _MASK, window, urgent, options, ecn
    )


def _parse_options(reader: _Reader, irs: int) -> bytes | None:
    text, start = reader.text, reader.at
    end = text.find(">", start)
    if end < 0:
        reader.at = len(text)
        raise reader.fail("'>'")
    reader.at = end + 1
    inside = text[start + 1 : end]
    if inside.strip() == "...":
        return None
    column = start + 1
    found: list[Option] = []
    raw = _RAW.fullmatch(inside.strip())
    if raw:
        data = bytes.fromhex(raw[1])
    else:
        for item in inside.split(",") if inside.strip() else ():
            place = column + len(item) - len(item.lstrip())
            found.append(_parse_option(reader, " ".join(item.split()), place, irs))
            column += len(item) + 1
        data = b"".join([option.encode() for option in found])
    if len(data) > wire_options.SPACE:
        raise reader.fail(f"at most {wire_options.SPACE} bytes of options (these are {len(data)})", start)
    return data + bytes(-len(data) % 4)


def _parse_option(reader: _Reader, item: str, place: int, irs: int) -> Option:
    name = item.split(" ")[0]
    if name not in _OPTIONS:
        raise reader.fail(f"an option ({', '.join(_OPTIONS)})", place)
    example, pattern, make = _OPTIONS[name]
    match = pattern.fullmatch(item)
    if not match:
        raise reader.fail(f"an option like {example!r}", place)
    try:
        option = make(match, irs)
        option.encode()
    except WireError as error:
        raise WireError("notation", f"column {place + 1}: {error}") from None
    return option


def parse_segment(text: str, *, iss: int = 0, irs: int = 0, window: int = DEFAULT_WINDOW) -> Segment:
    """The segment that the line says, with a payload of zeros of its length; the ports are 0.

    A `win` that is left out is `window`; an `ack` or `urg` that is left out is a field of 0. WireError "notation" for a
    line that is malformed or leaves the options open (`<...>`).
    """
    line = parse_line(text, iss=iss, irs=irs)
    if line.options is None:
        raise WireError("notation", f"column {text.index('<') + 1}: <...> does not say which options")
    segment = Segment(
        seq=line.seq,
        ack=line.ack or 0,
        flags=line.flags,
        window=window if line.window is None else line.window,
        urgent=line.urgent or 0,
        options=line.options,
        payload=(bytes(line.length),) if line.length else (),
        length=line.length,
    )
    segment.ecn = line.ecn or 0
    try:
        found = wire_options.find_timestamp(line.options)
    except WireError:  # `raw`: malformed on purpose
        found = None
    if found is not None:
        segment.ts_val, segment.ts_ecr = found
    return segment
