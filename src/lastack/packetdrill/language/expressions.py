"""Arguments and results of system calls, from tokens to values."""

from __future__ import annotations

import re

from lastack.packetdrill.errors import ScriptError
from lastack.packetdrill.language.cursor import Cursor
from lastack.packetdrill.language.lexer import Kind
from lastack.packetdrill.language.syntax import (
    Anything,
    Applied,
    Array,
    Either,
    Expression,
    Field,
    Number,
    Struct,
    Text,
    Word,
)

DEEPEST = 20  # limit: brackets within brackets
MOST = 10_000  # limit: values in brackets
_ESCAPES = {"n": "\n", "t": "\t", "r": "\r", "0": "\0"}


def parse(cursor: Cursor, depth: int = 0) -> Expression:
    """The expression that comes next. ScriptError where none does."""
    if depth > DEEPEST:
        raise ScriptError(f"brackets within brackets, more than {DEEPEST} deep", cursor.line)
    parts = [_single(cursor, depth)]
    while cursor.take("|"):
        parts.append(_single(cursor, depth))
    return parts[0] if len(parts) == 1 else Either(tuple(parts))


def parse_list(cursor: Cursor, end: str, depth: int = 0) -> tuple[Expression, ...]:
    """Expressions between commas up to the sign `end`, which is taken."""
    found: list[Expression] = []
    if cursor.take(end):
        return ()
    while True:
        found.append(parse(cursor, depth))
        if cursor.take(end):
            return tuple(found)
        if len(found) == MOST:
            raise ScriptError(f"over {MOST:,} values in brackets", cursor.line)
        if not cursor.take(","):
            raise cursor.error(f"',' or {end!r}")


def _single(cursor: Cursor, depth: int) -> Expression:
    kind = cursor.next.kind
    if kind is Kind.INTEGER or kind is Kind.HEX:
        return Number(cursor.integer("a number", -(1 << 63), (1 << 64) - 1))
    if kind is Kind.FLOAT:
        return Text(cursor.advance().text)
    if kind is Kind.ELLIPSIS:
        cursor.advance()
        return Anything()
    if kind is Kind.STRING:
        return _text(cursor)
    if kind is Kind.ADDRESS:
        return Text(cursor.advance().text)
    if kind is Kind.WORD:
        return _word(cursor, depth)
    if cursor.take("["):
        return Array(parse_list(cursor, "]", depth + 1))
    if cursor.take("{"):
        return _struct(cursor, depth + 1)
    if cursor.take("("):
        inner = parse(cursor, depth + 1)
        cursor.need(")")
        return inner
    raise cursor.error("a value")


def _text(cursor: Cursor) -> Text:
    """Texts one after another are one; behind the last may stand `...`, for what does not matter."""
    parts = []
    while (text := cursor.take_kind(Kind.STRING)) is not None:
        parts.append(re.sub(r"\\x([0-9a-fA-F]{2})|\\(.)", _unescaped, text, flags=re.DOTALL))
    cursor.take_kind(Kind.ELLIPSIS)
    return Text("".join(parts))


def _unescaped(match: re.Match[str]) -> str:
    return chr(int(match[1], 16)) if match[1] else _ESCAPES.get(match[2], match[2])


def _word(cursor: Cursor, depth: int) -> Expression:
    name = cursor.advance().text
    if cursor.take("("):
        return Applied(name, parse_list(cursor, ")", depth + 1))
    if cursor.sees("=") and cursor.peek().kind is not Kind.END and depth == 0:
        cursor.advance()  # `symbol = value` as an argument: the name is for the reader
        return parse(cursor, depth)
    return Word(name)


def _struct(cursor: Cursor, depth: int) -> Struct:
    items: list[Expression | Field] = []
    while not cursor.take("}"):
        if len(items) == MOST:
            raise ScriptError(f"over {MOST:,} values in brackets", cursor.line)
        if items:
            cursor.need(",")
        items.append(_item(cursor, depth))
    return Struct(tuple(items))


def _item(cursor: Cursor, depth: int) -> Expression | Field:
    value = parse(cursor, depth)
    if not cursor.take("="):
        return value
    if isinstance(value, Word):
        return Field(value.name, parse(cursor, depth))
    if isinstance(value, Applied) and len(value.arguments) == 1:
        return Field(value.function, parse(cursor, depth), value.arguments[0])
    raise cursor.error("the name of a field before '='")
