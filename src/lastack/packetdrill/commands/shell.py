"""The little of the shell's language that scripts use for their settings, read by ourselves: nothing here runs a shell.

Commands with words, quotes and comments; `;` `&&` `||` `|` `!`; redirections; NAME=value, $NAME, ${NAME},
$((15*1024)), and $(...) among the words of a command. Anything else is refused by its name.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field

from lastack.packetdrill.errors import ScriptError, Unsupported

LONGEST = 100_000  # characters
_MOST_COMMANDS = 2000
_DEEPEST = 8  # $(...) within each other

_KEYWORDS = frozenset(("if", "then", "else", "elif", "fi", "for", "while", "until", "do", "done", "case", "esac"))
_KEYWORDS_TOO = frozenset(("function", "select", "{", "}", "[[", "eval", "exec", "source", ".", "trap"))
_REDIRECTION = re.compile(r"(?P<which>[0-9]|&)?(?P<how>>>|>\||>|<)(?P<copy>&(?P<to>[0-9-]))?")
_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_ASSIGNMENT = re.compile(r"([A-Za-z_][A-Za-z0-9_]*)=")
_NUMBER = re.compile(r"0[xX][0-9a-fA-F]+|[0-9]+")
_BLANK = " \t\r"
_MARK = re.compile("[\0\1][0-9]+[\0\1]")  # stands for a $(...), with \1 for one in quotes


@dataclass(slots=True)
class Simple:
    """One command: its words, what it sets for itself, and the files that it writes to ("out", "err") or reads.

    Each `$(...)` in the words is a mark until the command is done (`resolved`); `inner` is what it stands for.
    """

    line: int
    words: list[str] = field(default_factory=list)
    assigned: dict[str, str] = field(default_factory=dict)
    reads: str | None = None
    writes: str | None = None
    hides_errors: bool = False
    inner: dict[str, list[Pipeline]] = field(default_factory=dict)

    @property
    def unresolved(self) -> bool:
        """Whether its words hold a `$(...)`."""
        return any(map(_MARK.search, self.words))

    def resolved(self, output: Callable[[list[Pipeline]], str]) -> list[str]:
        """The words, with the output of each `$(...)`; one that stands alone, and not in quotes, is several words."""
        found: list[str] = []
        for word in self.words:
            mark = _MARK.fullmatch(word)
            if mark is not None and word[0] == "\0":
                found += output(self.inner[word]).split()
            else:
                found.append(_MARK.sub(lambda match: output(self.inner[match[0]]).rstrip("\n"), word))
        return found


@dataclass(slots=True)
class Pipeline:
    """Commands with `|` between them. `after` is what stands before: ";", "&&" or "||"."""

    after: str
    commands: list[Simple]
    negated: bool = False


def parse(text: str, line: int, variables: dict[str, str]) -> list[Pipeline]:
    """The commands of a text that begins in `line`. `variables` are the names known; assignments are added to them.

    Unsupported names what we do not read, ScriptError what is no shell; both with the line.
    """
    if len(text) > LONGEST:
        raise ScriptError(f"commands of {len(text):,} characters; at most {LONGEST:,}", line)
    return _Reader(text.replace("\0", "").replace("\1", ""), line, variables).read()


class _Reader:
    """Walks over the text once."""

    __slots__ = ("_at", "_deep", "_inner", "_line", "_text", "_variables")

    def __init__(self, text: str, line: int, variables: dict[str, str], deep: int = 0) -> None:
        self._inner: dict[str, list[Pipeline]] = {}
        self._deep = deep
        self._text = text
        self._at = 0
        self._line = line
        self._variables = variables

    def read(self) -> list[Pipeline]:
        """All of it."""
        found: list[Pipeline] = []
        after = ";"
        while True:
            self._blanks(newlines=True)
            if self._at >= len(self._text):
                if after != ";":
                    raise ScriptError(f"nothing stands behind the last {after}", self._line)
                return found
            found.append(self._pipeline(after))
            if len(found) > _MOST_COMMANDS:
                raise ScriptError(f"over {_MOST_COMMANDS} commands", self._line)
            after = self._operator()

    def _operator(self) -> str:
        for sign in ("&&", "||", ";", "\n"):
            if self._text.startswith(sign, self._at):
                self._at += len(sign)
                if sign == "\n":
                    self._line += 1
                return sign if sign in ("&&", "||") else ";"
        if self._at < len(self._text):
            raise Unsupported(f"{self._text[self._at]!r} of the shell's language in a command", self._line)
        return ";"

    def _pipeline(self, after: str) -> Pipeline:
        found = Pipeline(after, [])
        if re.match(r"!\s", self._text[self._at : self._at + 2]):
            found.negated = True
            self._at += 1
        while True:
            self._blanks(newlines=bool(found.commands))
            found.commands.append(self._simple())
            if not self._text.startswith("|", self._at) or self._text.startswith("||", self._at):
                return found
            self._at += 1

    def _simple(self) -> Simple:
        one = Simple(self._line, inner=self._inner)
        for word, quoted in self._words(one):
            match = _ASSIGNMENT.match(word)
            if not one.words and match is not None and not quoted:
                if _MARK.search(word):
                    raise Unsupported("$(...), the output of a command, as the value of a variable", self._line)
                one.assigned[match[1]] = word[match.end() :]
            elif not one.words and not quoted and (word in _KEYWORDS or word in _KEYWORDS_TOO):
                raise Unsupported(f"{word!r} of the shell's language in a command", self._line)
            else:
                one.words.append(word)
        if not one.words:
            if not one.assigned:
                raise ScriptError("a command is missing here", self._line)
            self._variables.update(one.assigned)
        return one

    def _words(self, one: Simple) -> Iterator[tuple[str, bool]]:
        while True:
            self._blanks()
            if self._at >= len(self._text) or self._text[self._at] in "\n;|":
                return
            if self._text[self._at] in "()`":
                raise Unsupported(f"{self._text[self._at]!r} of the shell's language in a command", self._line)
            match = _REDIRECTION.match(self._text, self._at)
            if match is not None:
                self._at = match.end()
                self._redirect(one, match)
            elif self._text[self._at] == "&":
                return
            else:
                yield self._word()

    def _redirect(self, one: Simple, match: re.Match[str]) -> None:
        which = match["which"] or ("0" if match["how"] == "<" else "1")
        if match["copy"]:
            if which == "2":
                return
            if (which, match["to"]) == ("1", "2"):
                one.writes = "/dev/null"
                return
            raise Unsupported(f"the redirection {match[0]!r}", self._line)
        self._blanks()
        target, _ = self._word()
        if not target:
            raise ScriptError(f"a file is missing behind {match[0]!r}", self._line)
        if which == "0":
            one.reads = target
        if which in ("1", "&"):
            one.writes = target
        if which in ("2", "&"):
            one.hides_errors = True

    def _word(self) -> tuple[str, bool]:
        """One word with its quotes and names resolved; whether some of it was quoted at its beginning."""
        text = self._text
        parts: list[str] = []
        quoted = text[self._at : self._at + 1] in ("'", '"', "\\")
        while self._at < len(text):
            sign = text[self._at]
            if sign in _BLANK or sign in "\n;|&<>":
                break
            if sign == "\\":
                if text.startswith("\\\n", self._at):
                    break
                parts.append(text[self._at + 1 : self._at + 2])
                self._at += 2
            elif sign == "'":
                parts.append(self._until("'"))
            elif sign == '"':
                parts.append(self._double())
            elif sign == "$":
                parts.append(self._dollar())
            elif sign in "`()":
                raise Unsupported(f"{sign!r} of the shell's language in a command", self._line)
            else:
                parts.append(sign)
                self._at += 1
        return "".join(parts), quoted

    def _until(self, mark: str) -> str:
        end = self._text.find(mark, self._at + 1)
        if end < 0:
            raise ScriptError(f"a text begins with {mark} and does not end", self._line)
        found = self._text[self._at + 1 : end]
        self._line += found.count("\n")
        self._at = end + 1
        return found

    def _double(self) -> str:
        parts: list[str] = []
        begun = self._line
        self._at += 1
        while self._at < len(self._text):
            sign = self._text[self._at]
            if sign == '"':
                self._at += 1
                return "".join(parts)
            if sign == "\\" and self._text[self._at + 1 : self._at + 2] in ('"', "\\", "$", "`"):
                parts.append(self._text[self._at + 1])
                self._at += 2
            elif sign == "$":
                parts.append(self._dollar(quoted=True))
            elif sign == "`":
                raise Unsupported("the output of a command within a command", self._line)
            else:
                self._line += sign == "\n"
                parts.append(sign)
                self._at += 1
        raise ScriptError('a text begins with " and does not end', begun)

    def _dollar(self, *, quoted: bool = False) -> str:
        text = self._text
        if text.startswith("$((", self._at):
            end = text.find("))", self._at)
            if end < 0:
                raise ScriptError("$(( has no end", self._line)
            inside = text[self._at + 3 : end]
            self._at = end + 2
            return str(arithmetic(inside, self._variables, self._line))
        if text.startswith("$(", self._at):
            return self._output_of("\1" if quoted else "\0")
        braces = text.startswith("${", self._at)
        match = _NAME.match(text, self._at + 1 + braces)
        if match is None or (braces and text[match.end() : match.end() + 1] != "}"):
            if not braces and (self._at + 1 >= len(text) or text[self._at + 1] in ' \t\n"'):
                self._at += 1
                return "$"
            raise Unsupported(f"{text[self._at : self._at + 12].split()[0]} of the shell's language", self._line)
        self._at = match.end() + braces
        if match[0] not in self._variables:
            raise Unsupported(f"${match[0]}: a variable that nothing here sets", self._line)
        return self._variables[match[0]]

    def _output_of(self, sign: str) -> str:
        """The mark of a `$(...)`, whose commands are read here and done later."""
        begin, depth, quote = self._at + 2, 1, ""
        for end in range(begin, len(self._text)):
            one = self._text[end]
            if quote or one in "'\"":
                quote = "" if one == quote else quote or one
            else:
                depth += (one == "(") - (one == ")")
            if not depth:
                break
        else:
            raise ScriptError("$( has no end", self._line)
        if self._deep >= _DEEPEST:
            raise Unsupported(f"$(...) within each other, over {_DEEPEST} deep", self._line)
        inside = self._text[begin:end]
        mark = f"{sign}{len(self._inner)}{sign}"
        self._inner[mark] = _Reader(inside, self._line, self._variables, self._deep + 1).read()
        self._line += inside.count("\n")
        self._at = end + 1
        return mark

    def _blanks(self, *, newlines: bool = False) -> None:
        text = self._text
        while self._at < len(text):
            if text[self._at] in _BLANK or (newlines and text[self._at] in "\n;" and self._skips(text[self._at])):
                self._at += 1
            elif text.startswith("\\\n", self._at):
                self._line += 1
                self._at += 2
            elif text.startswith("\\\r\n", self._at):
                self._line += 1
                self._at += 3
            elif text[self._at] == "#":
                end = text.find("\n", self._at)
                self._at = len(text) if end < 0 else end
            else:
                return

    def _skips(self, sign: str) -> bool:
        self._line += sign == "\n"
        return True


# --- arithmetic ---


def perform(pipelines: Sequence[Pipeline], do: Callable[[Pipeline], int]) -> int:
    """Do them one after another, as `;`, `&&`, `||` and `!` say; the status of the last that was done.

    What is Unsupported counts as failed where the script says itself (`||`) what is to be done without it.
    """
    status = 0
    for at, one in enumerate(pipelines):
        if (one.after == "&&" and status) or (one.after == "||" and not status):
            continue
        forgiving = at + 1 < len(pipelines) and pipelines[at + 1].after == "||"
        try:
            status = do(one)
        except Unsupported:
            if not forgiving:
                raise
            status = 1
        status = int(not status) if one.negated else status
    return status


def arithmetic(text: str, variables: dict[str, str], line: int) -> int:
    """The value of `$((text))`: whole numbers with + - * / % << >> and brackets. ScriptError for anything else."""
    tokens = re.findall(r"0[xX][0-9a-fA-F]+|[0-9]+|[A-Za-z_][A-Za-z0-9_]*|<<|>>|[-+*/%()]|\S", text.replace("$", ""))
    if len(tokens) > 200:
        raise ScriptError("$((...)) is too long", line)
    reader = _Arithmetic(tokens, variables, line)
    value = reader.sum_of(0)
    reader.end()
    return value


# How tightly each sign binds.
_BINDS = {"<<": 1, ">>": 1, "+": 2, "-": 2, "*": 3, "/": 3, "%": 3}


class _Arithmetic:
    __slots__ = ("_line", "_tokens", "_variables")

    def __init__(self, tokens: list[str], variables: dict[str, str], line: int) -> None:
        self._tokens = tokens
        self._variables = variables
        self._line = line

    def end(self) -> None:
        if self._tokens:
            raise ScriptError(f"$((...)): {self._tokens[0]!r} is not understood", self._line)

    def sum_of(self, least: int) -> int:
        value = self._one()
        while self._tokens and _BINDS.get(self._tokens[0], -1) > least:
            sign = self._tokens.pop(0)
            value = self._apply(sign, value, self.sum_of(_BINDS[sign]))
        return value

    def _apply(self, sign: str, left: int, right: int) -> int:
        if sign in "/%" and not right:
            raise ScriptError("$((...)) divides by zero", self._line)
        if sign in ("<<", ">>") and not 0 <= right < 64:
            raise ScriptError("$((...)) shifts too far", self._line)
        results = {"+": lambda: left + right, "-": lambda: left - right, "*": lambda: left * right}
        results |= {"/": lambda: int(left / right), "%": lambda: left - right * int(left / right)}
        results |= {"<<": lambda: left << right, ">>": lambda: left >> right}
        value = results[sign]()
        if abs(value) >= 1 << 63:
            raise ScriptError("$((...)) is too large", self._line)
        return value

    def _one(self) -> int:
        token = self._tokens.pop(0) if self._tokens else ""
        if token == "(":
            value = self.sum_of(0)
            if not self._tokens or self._tokens.pop(0) != ")":
                raise ScriptError("$((...)): ) is missing", self._line)
            return value
        if token == "-":
            return -self._one()
        text = self._variables.get(token, token)
        if not _NUMBER.fullmatch(text):
            raise ScriptError(f"$((...)): {token!r} is not understood", self._line)
        return int(text, 16 if text.lower().startswith("0x") else 10)
