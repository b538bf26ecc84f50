"""A script as tokens, in the dialects of google and of nplab."""

from __future__ import annotations

import re
from collections.abc import Mapping
from enum import Enum
from typing import NamedTuple

from lastack.packetdrill.errors import ScriptError


class Kind(Enum):
    """What a token is."""

    OPTION = "an option"
    FLOAT = "a number"
    INTEGER = "a whole number"
    HEX = "a hexadecimal number"
    WORD = "a name"
    STRING = "a text"
    COMMAND = "a command in back-quotes"
    CODE = "a code block"
    ADDRESS = "an address"
    ELLIPSIS = "'...'"
    SIGN = "a sign"
    END = "the end of the script"


class Token(NamedTuple):
    """A token: `text` is its meaning (without quotes), `start` and `end` where it stands in the script."""

    kind: Kind
    text: str
    line: int
    start: int
    end: int


_GROUP = "[0-9a-fA-F]{1,4}"
_IPV4 = r"[0-9]+\.[0-9]+\.[0-9]+\.[0-9]+"
# Either all eight groups or a "::", so that a range of sequence numbers is none.
_IPV6 = rf"(?:{_GROUP}:){{7}}{_GROUP}|(?:{_GROUP}(?::{_GROUP})*)?::(?:{_GROUP}:)*(?:{_IPV4}|{_GROUP})?"
_TOKENS = re.compile(
    rf"""
    (?P<blank>\s+ | //[^\n]* | /\*.*?\*/)
  | (?P<code>%\{{.*?\}}%)
  | `(?P<command>(?:\\.|[^`])*)`
  | "(?P<string>(?:\\.|[^"])*)"
  | (?P<option>--[a-zA-Z0-9_]+(?:=(?:"[^"\n]*"|`[^`\n]*`|[^\s"`=]+(?:=(?:"[^"\n]*"|`[^`\n]*`|[^\s"`]+))?))?)
  | (?P<ellipsis>\.\.\.)
  | (?P<address>{_IPV6}|{_IPV4})
  | (?P<experimental>exp-[a-zA-Z0-9]+|gen-[a-zA-Z0-9]+)
  | (?P<hex>0[xX][0-9a-fA-F]+)
  | (?P<float>-?[0-9]*\.[0-9]+)
  | (?P<word>[0-9]*[a-zA-Z_][a-zA-Z0-9_]*)
  | (?P<integer>-?[0-9]+)
  | (?P<sign>[^\s])
    """,
    re.VERBOSE | re.DOTALL,
)
_KINDS = {
    "code": Kind.CODE,
    "command": Kind.COMMAND,
    "string": Kind.STRING,
    "option": Kind.OPTION,
    "ellipsis": Kind.ELLIPSIS,
    "address": Kind.ADDRESS,
    "experimental": Kind.WORD,
    "hex": Kind.HEX,
    "float": Kind.FLOAT,
    "word": Kind.WORD,
    "integer": Kind.INTEGER,
    "sign": Kind.SIGN,
}
LONGEST_NUMBER = 100  # characters
_UNCLOSED = {'"': "a text", "`": "a command", "%{": "a code block", "/*": "a comment"}


def tokens(text: str, defines: Mapping[str, str], *, head: bool = False) -> list[Token]:
    """The tokens of a script, the last of which is END; of its `head` alone those up to what is no option. A word that
    `defines` has is what it says there: a number, a word, a "text" or a `command`. ScriptError for what is never
    closed, and for what is no text."""
    found: list[Token] = []
    line, at = 1, 0
    while at < len(text):
        match = _TOKENS.match(text, at)
        assert match is not None and match.lastgroup is not None
        kind, value = match.lastgroup, match[match.lastgroup]
        if kind == "sign":
            _refuse(text, at, line)
        if kind != "blank":
            found.append(_token(_KINDS[kind], value, line, at, match.end(), defines))
            if head and kind != "option":
                break
        line += text.count("\n", at, match.end())
        at = match.end()
    found.append(Token(Kind.END, "", line, at, at))
    return found


def _token(kind: Kind, value: str, line: int, start: int, end: int, defines: Mapping[str, str]) -> Token:
    if len(value) > LONGEST_NUMBER and kind in (Kind.INTEGER, Kind.FLOAT, Kind.HEX):
        raise ScriptError(f"a number of {len(value):,} digits", line)
    if kind is Kind.CODE:
        value = value[2:-2]
    elif kind is Kind.WORD and value in defines:
        kind, value = _defined(defines[value])
    return Token(kind, value, line, start, end)


def _defined(value: str) -> tuple[Kind, str]:
    if len(value) > 1 and value[0] == value[-1] and value[0] in '"`':
        return (Kind.STRING if value[0] == '"' else Kind.COMMAND), value[1:-1]
    if re.fullmatch(r"-?[0-9]+", value):
        return Kind.INTEGER, value
    if re.fullmatch(r"0[xX][0-9a-fA-F]+", value):
        return Kind.HEX, value
    return Kind.WORD, value


def _refuse(text: str, at: int, line: int) -> None:
    if text[at] == "\N{REPLACEMENT CHARACTER}":
        raise ScriptError("a byte that is not UTF-8: only comments may have some; save the file as UTF-8", line)
    if text[at] == "\0":
        raise ScriptError("a byte 0: this is no text, or one in UTF-16; a script is UTF-8", line)
    for mark, what in _UNCLOSED.items():
        if text.startswith(mark, at):
            raise ScriptError(f"{what} begins here with {mark} and does not end", line)
