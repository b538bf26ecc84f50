"""Scripts from text to values: options, times, events. Packets and arguments have files of their own."""

from __future__ import annotations

from collections.abc import Mapping

from lastack.packetdrill.errors import ScriptError
from lastack.packetdrill.language import expressions, packets
from lastack.packetdrill.language.cursor import Cursor
from lastack.packetdrill.language.lexer import Kind, tokens
from lastack.packetdrill.language.syntax import Action, Anything, Call, Clock, Code, Command, Event, Script, When

LONGEST = 4_000_000  # characters of a script


def head(text: str, name: str = "script") -> Script:
    """The script's options alone: what it says of how it is to be played. ScriptError as `parse`."""
    script = Script(name)
    _options(_cursor(text, {}, head=True), script)
    return script


def parse(text: str, name: str = "script", defines: Mapping[str, str] | None = None) -> Script:
    """The script `text`. `defines` are names and what they stand for; those of its own --define options are added.

    ScriptError says what is wrong in which line.
    """
    known = {**dict(_defines(head(text))), **(defines or {})}
    cursor = _cursor(text, known)
    script = Script(name)
    _options(cursor, script)
    script.setup_line = cursor.line
    script.setup = _command(cursor)
    while cursor.next.kind is not Kind.END:
        if cursor.next.kind is Kind.COMMAND:
            script.cleanup_line = cursor.line
            script.cleanup = _command(cursor)
            if cursor.peek(0).kind is not Kind.END:
                raise cursor.error("the end behind the last command, which has no time (write +0 before it)")
        else:
            script.events.append(_event(cursor))
    if not script.events:
        what = "the script has no event" if text.strip() else "the file is empty"
        raise ScriptError(f"{what}: write one, such as `0 socket(..., SOCK_STREAM, IPPROTO_TCP) = 3`")
    return script


def _cursor(text: str, defines: Mapping[str, str], *, head: bool = False) -> Cursor:
    if len(text) > LONGEST:
        raise ScriptError(f"{len(text):,} characters; a script has at most {LONGEST:,}")
    return Cursor(tokens(text, defines, head=head), text)


def _options(cursor: Cursor, script: Script) -> None:
    while cursor.next.kind is Kind.OPTION:
        token = cursor.advance()
        key, _, value = token.text[2:].partition("=")
        script.options.append((key, value.strip('"`') if "=" not in value else value, token.line))


def _defines(script: Script) -> list[tuple[str, str]]:
    found = []
    for key, value, line in script.options:
        if key == "define":
            name, equals, meaning = value.partition("=")
            if not equals or not name.isidentifier():
                raise ScriptError(f"--define={value}: expected --define=NAME=VALUE", line)
            found.append((name, meaning))
    return found


def _command(cursor: Cursor) -> Command | None:
    text = cursor.take_kind(Kind.COMMAND)
    return None if text is None else Command(text)


def _event(cursor: Cursor) -> Event:
    line, start = cursor.line, cursor.next.start
    when = _when(cursor)
    if (when.clock is Clock.ANY or when.end is not None) and not cursor.sees(">"):
        raise ScriptError("* and a range of times are for packets that are expected (>)", line)
    action = _action(cursor, when)
    return Event(line, when, action, " ".join(cursor.text[start : cursor.previous_end()].split()))


def _when(cursor: Cursor) -> When:
    if cursor.take("*"):
        return When(Clock.ANY)
    clock = Clock.RELATIVE if cursor.take("+") else Clock.ABSOLUTE
    if cursor.next.kind is Kind.OPTION:
        raise ScriptError(f"{cursor.next.text[:40]}: options stand at the head, before all else", cursor.line)
    if clock is Clock.ABSOLUTE and cursor.next.kind not in (Kind.FLOAT, Kind.INTEGER):
        hint = " (a comment is // to the end of the line, or between /* and */)" if cursor.next.text == "#" else ""
        raise cursor.error(f"the time of an event: 0.1, +0.1 or *{hint}")
    start = cursor.microseconds()
    if not cursor.take("~"):
        return When(clock, start)
    if clock is Clock.RELATIVE:
        cursor.need("+")
    line, end = cursor.line, cursor.microseconds()
    if end < start:
        raise ScriptError("the range of times ends before it begins", line)
    return When(clock, start, end)


def _action(cursor: Cursor, when: When) -> Action:
    if cursor.sees("<", ">"):
        return packets.parse(cursor)
    if (command := _command(cursor)) is not None:
        return command
    if (code := cursor.take_kind(Kind.CODE)) is not None:
        return Code(code)
    if cursor.next.kind in (Kind.WORD, Kind.ELLIPSIS):
        return _call(cursor, when)
    raise cursor.error("a packet (< or >), a system call, a `command` or %{ code }%")


def _call(cursor: Cursor, when: When) -> Call:
    end = None
    if cursor.take_kind(Kind.ELLIPSIS) is not None:
        line, end = cursor.line, cursor.microseconds()
        if end < when.start:
            raise ScriptError("the call ends before it begins", line)
    name = cursor.word("the name of a system call")
    cursor.need("(")
    arguments = expressions.parse_list(cursor, ")")
    cursor.need("=")
    result = expressions.parse(cursor)
    errno = None
    if cursor.next.kind is Kind.WORD and not isinstance(result, Anything):
        _check_errno(cursor)
        errno = cursor.advance().text
    _note(cursor)
    return Call(name, arguments, result, errno, end)


def _check_errno(cursor: Cursor) -> None:
    name = cursor.next.text
    if not (name.isupper() and name.startswith("E")):
        raise ScriptError(f"{name!r} behind a result is no error such as EAGAIN", cursor.line)


def _note(cursor: Cursor) -> None:
    """What stands in round brackets behind a result is for the reader."""
    if not cursor.take("("):
        return
    line = cursor.line
    while not cursor.take(")"):
        if cursor.next.kind is Kind.END or cursor.line > line + 2:
            raise ScriptError("the note behind the result does not end: ')' is missing", line)
        cursor.advance()
