"""Calls in the script's own notation: showing them, and comparing what was wanted with what came."""

from __future__ import annotations

import os
from collections.abc import Mapping
from types import MappingProxyType

from lastack.packetdrill.language.syntax import (
    Anything,
    Applied,
    Array,
    Call,
    Either,
    Expression,
    Field,
    Number,
    Struct,
    Text,
    Word,
)
from lastack.packetdrill.symbols import CONSTANTS, resolve

Given = Mapping[int, Expression]  # what came through the pointers of a call, by the place of the argument
_NO_OTHERS: Mapping[str, int] = MappingProxyType({})
_LONGEST_TEXT = 60  # characters of a text that is shown


def show(expression: Expression | Field) -> str:
    """An expression as a script has it."""
    if isinstance(expression, Number):
        return str(expression.value)
    if isinstance(expression, Word):
        return expression.name
    if isinstance(expression, Text):
        return _text(expression.value)
    if isinstance(expression, Anything):
        return "..."
    if isinstance(expression, Either):
        return "|".join(map(show, expression.parts))
    if isinstance(expression, Array):
        return f"[{', '.join(map(show, expression.items))}]"
    if isinstance(expression, Struct):
        return f"{{{', '.join(map(show, expression.items))}}}"
    if isinstance(expression, Applied):
        return f"{expression.function}({', '.join(map(show, expression.arguments))})"
    count = "" if expression.count is None else f"({show(expression.count)})"
    return f"{expression.name}{count}={show(expression.value)}"


def _text(value: str) -> str:
    cut = value[:_LONGEST_TEXT]
    shown = "".join(
        f"\\{sign}" if sign in '"\\' else sign if " " <= sign <= "~" else f"\\x{ord(sign):02x}" for sign in cut
    )
    return f'"{shown}"' + ("..." if len(cut) < len(value) else "")


def show_call(call: Call, result: Expression, error: str | None, given: Given | None = None) -> str:
    """A call with a result: `read(4, ..., 1000) = -1 EAGAIN (Resource temporarily unavailable)`."""
    arguments = [show((given or {}).get(place, argument)) for place, argument in enumerate(call.arguments)]
    line = f"{call.name}({', '.join(arguments)}) = {show(result)}"
    return line if error is None else f"{line} {error} ({_meaning(error)})"


def _meaning(error: str) -> str:
    return os.strerror(CONSTANTS[error]) if error in CONSTANTS else "no error that is known"


def same(wanted: Expression, came: Expression, line: int = 0, names: Mapping[str, int] = _NO_OTHERS) -> bool:
    """Whether what came is what a script wants; `...` wants anything, and a structure what its fields say. `names` are
    constants that go before those that are known everywhere."""
    if isinstance(wanted, Anything):
        return True
    if isinstance(wanted, Number | Word | Either):
        if not isinstance(came, Number | Word | Either):
            return False
        numbers = resolve(wanted, line, names), resolve(came, line, names)
        # 0xffffffff is the -1 of a C program's int.
        return numbers[0] == numbers[1] or (min(numbers) < 0 and (numbers[0] - numbers[1]) % (1 << 32) == 0)
    if isinstance(wanted, Array):
        return isinstance(came, Array) and _all_same(wanted.items, came.items, line, names)
    if isinstance(wanted, Struct) and isinstance(came, Struct) and wanted.fields():
        fields = {_plain(name): value for name, value in came.fields().items()}
        return all(_field_same(value, fields.get(_plain(name)), line, names) for name, value in wanted.fields().items())
    if isinstance(wanted, Struct):
        items = came.items if isinstance(came, Struct) else ()
        plain = tuple(item for item in wanted.items if not isinstance(item, Field))
        return _all_same(plain, tuple(item for item in items if not isinstance(item, Field)), line, names)
    if isinstance(wanted, Text) and isinstance(came, Text):
        return wanted.value == came.value
    return wanted == came


def _plain(name: str) -> str:
    """A field may be named with the letters of its structure or without: l_onoff and onoff."""
    return name.removeprefix("l_")


def _field_same(wanted: Expression, came: Expression | None, line: int, names: Mapping[str, int]) -> bool:
    return isinstance(wanted, Anything) or (came is not None and same(wanted, came, line, names))


def _all_same(
    wanted: tuple[Expression, ...], came: tuple[Expression, ...], line: int, names: Mapping[str, int]
) -> bool:
    return len(wanted) == len(came) and all(
        same(one, other, line, names) for one, other in zip(wanted, came, strict=True)
    )
