"""TCP options of a script's packets, from tokens to values."""

from __future__ import annotations

import re
from collections.abc import Callable

from lastack.packetdrill.errors import ScriptError
from lastack.packetdrill.language.cursor import Cursor
from lastack.packetdrill.language.lexer import Kind
from lastack.packetdrill.language.syntax import Stamp
from lastack.wire.errors import WireError
from lastack.wire.options import (
    SPACE,
    EndOfList,
    FastOpen,
    MaximumSegmentSize,
    Md5,
    Nop,
    Option,
    Sack,
    SackPermitted,
    Unknown,
    WindowScale,
)

_ACCECN_KINDS = {"AccECN0": 172, "AccECN1": 174}  # RFC 9768 section 3.2.3
_EXPERIMENTS = {"exp-AccECN0": 0xACC0, "exp-AccECN1": 0xACC1, "exp-tarr": 0x00AC}
_EXPERIMENT = 254  # RFC 6994
_STAMP = 10  # bytes of a timestamp option (RFC 7323 section 3.2)
_RAW = re.compile("(?:[0-9a-fA-F]{2})+")  # all options in one


def parse(cursor: Cursor) -> tuple[Option | Stamp, ...] | bytes | None:
    """The options between < and >: None for `<...>`, bytes for `<020405b4>`. A timestamp is always a Stamp."""
    cursor.need("<")
    if cursor.take_kind(Kind.ELLIPSIS) is not None:
        cursor.need(">")
        return None
    if cursor.next.text not in _OPTIONS and _RAW.fullmatch(cursor.next.text) and cursor.peek().text == ">":
        return _raw(cursor)
    found: list[Option | Stamp] = []
    beginning, size = cursor.line, 0
    while not cursor.take(">"):
        if found:
            cursor.need(",")
        line = cursor.line
        option = _option(cursor)
        try:
            size += _STAMP if isinstance(option, Stamp) else len(option.encode())
        except WireError as error:
            raise ScriptError(str(error), line) from None
        found.append(option)
    _check_size(size, beginning)
    return tuple(found)


def _check_size(size: int, line: int) -> None:
    """The header's length counts words of 4 bytes (RFC 9293 section 3.1); packetdrill, too, wants the padding said."""
    if size > SPACE:
        raise ScriptError(f"the options take {size} bytes; a header has room for {SPACE}", line)
    if missing := -size % 4:
        padding = ",".join(["nop"] * missing)
        raise ScriptError(
            f"the options take {size} bytes, not a multiple of 4: pad them by {missing}, as in <{padding},...> "
            f"or <...,{padding.replace('nop', 'eol')}>",
            line,
        )


def _raw(cursor: Cursor) -> bytes:
    token = cursor.advance()
    cursor.need(">")
    data = bytes.fromhex(token.text)
    if len(data) > SPACE or len(data) % 4:
        raise ScriptError(f"{len(data)} bytes of options: a multiple of 4 up to {SPACE}", token.line)
    return data


def _option(cursor: Cursor) -> Option | Stamp:
    word = cursor.word("an option")
    simple = _OPTIONS.get(word)
    if simple is not None:
        return simple(cursor)
    if word in _ACCECN_KINDS:
        return Unknown(_ACCECN_KINDS[word], _counters(cursor))
    if word in _EXPERIMENTS:
        data = _rate(cursor) if word == "exp-tarr" else _counters(cursor)
        return Unknown(_EXPERIMENT, _EXPERIMENTS[word].to_bytes(2, "big") + data)
    if word.startswith("gen-") and word[4:].isdecimal():
        return Unknown(int(word[4:]), _hex(cursor))
    if word.startswith("exp-"):
        try:
            return Unknown(_EXPERIMENT, int(word[4:], 16).to_bytes(2, "big") + _hex(cursor))
        except (ValueError, OverflowError):
            pass
    raise ScriptError(f"{word!r} is no option: {', '.join((*_OPTIONS, *_ACCECN_KINDS, 'gen-KIND HEX'))}", cursor.line)


def _hex(cursor: Cursor) -> bytes:
    """Bytes in hexadecimal, which the lexer may take for a number or a word; none if nothing of the kind comes."""
    if cursor.next.kind not in (Kind.WORD, Kind.INTEGER):
        return b""
    token = cursor.advance()
    try:
        return bytes.fromhex(token.text)
    except ValueError:
        raise ScriptError(f"{token.text!r} is not a row of bytes in hexadecimal", token.line) from None


def _blocks(cursor: Cursor) -> Sack:
    found = []
    while cursor.next.kind is Kind.INTEGER:
        left = cursor.integer("a sequence number")
        cursor.need(":")
        found.append((left, cursor.integer("a sequence number")))
    if not found:
        raise cursor.error("a block, as in sack 1:1001")
    return Sack(tuple(found))


def _stamp(cursor: Cursor) -> Stamp:
    values: list[int | None] = []
    absolute = []
    for name in ("val", "ecr"):
        if not cursor.take_word(name):
            raise cursor.error(f"{name!r}, as in TS val 1 ecr 0")
        anything = cursor.take_kind(Kind.ELLIPSIS) is not None
        values.append(None if anything else cursor.integer("a timestamp"))
        absolute.append(cursor.take("!"))
    return Stamp(values[0], values[1], absolute[0], absolute[1])


def _counters(cursor: Cursor) -> bytes:
    """The counters of an AccECN option, 24 bits each, in the order in which they stand there."""
    data = b""
    while cursor.take_word("e0b", "e1b", "ceb", "ee0b", "ee1b", "eceb"):
        data += cursor.integer("a counter", most=0xFFFFFF).to_bytes(3, "big")
    return data


def _accecn(cursor: Cursor) -> Unknown:
    """`ECN e0b 1 ceb 0 e1b 1`: the counter that comes first tells which of the two options it is."""
    return Unknown(_ACCECN_KINDS["AccECN1" if cursor.sees_word("e1b") else "AccECN0"], _counters(cursor))


def _rate(cursor: Cursor) -> bytes:
    if cursor.next.kind is not Kind.INTEGER:
        return b""
    return bytes((cursor.integer("a rate", most=0x7F) << 1,))


def _md5(cursor: Cursor) -> Md5:
    if cursor.take_word("valid"):
        raise ScriptError("digests of TCP MD5 (RFC 2385) are not computed here", cursor.line)
    return Md5(_hex(cursor))


_OPTIONS: dict[str, Callable[[Cursor], Option | Stamp]] = {
    "nop": lambda cursor: Nop(),
    "eol": lambda cursor: EndOfList(),
    "mss": lambda cursor: MaximumSegmentSize(cursor.integer("an MSS", most=0xFFFF)),
    "wscale": lambda cursor: WindowScale(cursor.integer("a shift", most=0xFF)),
    "sackOK": lambda cursor: SackPermitted(),
    "sack": _blocks,
    "TS": _stamp,
    "md5": _md5,
    "FO": lambda cursor: FastOpen(_hex(cursor)),
    "FOEXP": lambda cursor: FastOpen(_hex(cursor), experimental=True),
    "exp-FO": lambda cursor: FastOpen(_hex(cursor), experimental=True),
    "ECN": _accecn,
}
