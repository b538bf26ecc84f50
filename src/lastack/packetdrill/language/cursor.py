"""A place in the tokens of a script: what comes next, and the error where it is something else."""

from __future__ import annotations

from collections.abc import Sequence

from lastack.packetdrill.errors import ScriptError
from lastack.packetdrill.language.lexer import Kind, Token


class Cursor:
    """Walks over tokens; `text` is the script they come from."""

    __slots__ = ("_at", "_tokens", "text")

    def __init__(self, tokens: Sequence[Token], text: str) -> None:
        self._tokens = tokens
        self._at = 0
        self.text = text

    @property
    def next(self) -> Token:
        """The token that comes next."""
        return self._tokens[self._at]

    @property
    def line(self) -> int:
        """The line of the next token."""
        return self.next.line

    def peek(self, ahead: int = 1) -> Token:
        """A token further on; the last one for what is beyond the end."""
        return self._tokens[min(self._at + ahead, len(self._tokens) - 1)]

    def previous_end(self) -> int:
        """Where the token taken last ends in the text."""
        return self._tokens[self._at - 1].end if self._at else 0

    def advance(self) -> Token:
        """Take the next token, whatever it is."""
        token = self.next
        if token.kind is not Kind.END:
            self._at += 1
        return token

    def error(self, wanted: str) -> ScriptError:
        """The error to raise: something else than `wanted` stands here."""
        token = self.next
        if token.kind is Kind.END:
            last = self._tokens[self._at - 1] if self._at else token
            return ScriptError(f"expected {wanted}, found the end of the script", last.line)
        return ScriptError(f"expected {wanted}, found {self.text[token.start : token.end][:40]!r}", token.line)

    def sees(self, *signs: str) -> bool:
        """Whether one of these signs comes next."""
        return self.next.kind is Kind.SIGN and self.next.text in signs

    def sees_word(self, *words: str) -> bool:
        """Whether one of these words comes next."""
        return self.next.kind is Kind.WORD and self.next.text in words

    def take(self, sign: str) -> bool:
        """Take this sign if it comes next."""
        if self.sees(sign):
            self._at += 1
            return True
        return False

    def take_word(self, *words: str) -> str | None:
        """Take one of these words if it comes next; which."""
        return self.advance().text if self.sees_word(*words) else None

    def take_kind(self, kind: Kind) -> str | None:
        """Take a token of this kind if it comes next; its text."""
        return self.advance().text if self.next.kind is kind else None

    def need(self, sign: str) -> None:
        """Take this sign; ScriptError where it does not come."""
        if not self.take(sign):
            raise self.error(repr(sign))

    def word(self, wanted: str) -> str:
        """Take a word; ScriptError where none comes."""
        if self.next.kind is not Kind.WORD:
            raise self.error(wanted)
        return self.advance().text

    def integer(self, wanted: str, least: int = 0, most: int = 0xFFFF_FFFF) -> int:
        """Take a whole number, decimal or hexadecimal, in this range."""
        token = self.next
        if token.kind not in (Kind.INTEGER, Kind.HEX):
            raise self.error(wanted)
        value = int(token.text, 16 if token.kind is Kind.HEX else 10)
        if not least <= value <= most:
            raise ScriptError(f"{wanted}: {token.text} is not in {least} to {most}", token.line)
        self._at += 1
        return value

    def microseconds(self) -> int:
        """Take a time, which scripts write in seconds."""
        token = self.next
        if token.kind not in (Kind.INTEGER, Kind.FLOAT) or token.text.startswith("-"):
            raise self.error("a time in seconds")
        self._at += 1
        return round(float(token.text) * 1_000_000)
