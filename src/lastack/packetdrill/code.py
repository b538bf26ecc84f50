"""`%{ python }%` blocks: a script's own checks of TCP_INFO, run in a small Python without files, network and imports.

All blocks of a script share one namespace. What a block may do is limited before it runs (by its syntax) and while it
runs (by the number of its steps and the size of its values), so that it neither hangs nor reaches anything else.
"""

from __future__ import annotations

import ast
import math
import sys
import warnings
from collections.abc import Callable, Mapping
from textwrap import dedent
from types import CodeType, FrameType
from typing import Any

from lastack.packetdrill.errors import Failed, ScriptError, Unsupported
from lastack.packetdrill.info_names import NAMES, constants, missing

STEPS = 1_000_000  # limit: instructions of one block
LARGEST = 1_000_000  # limit: elements or bits of what a block multiplies, shifts, counts or raises
LONGEST = 100_000  # limit: characters of a block

_MODULES = {"math": math}
_BUILTINS: tuple[Callable[..., Any], ...] = (
    *(abs, all, any, bool, dict, divmod, enumerate, filter, float, frozenset, hex, int, isinstance, len, list),
    *(map, max, min, oct, bin, repr, reversed, round, set, slice, sorted, str, sum, tuple, zip),
)
# What would let a block catch its own limits, or open a way past them.
_REFUSED: dict[type[ast.AST], str] = {
    ast.Try: "try",
    ast.TryStar: "try",
    ast.ClassDef: "class",
    ast.With: "with",
    ast.AsyncFunctionDef: "async",
    ast.AsyncFor: "async",
    ast.AsyncWith: "async",
    ast.Await: "await",
    ast.Match: "match",
}
_PROGRAMS = frozenset(("open", "exec", "eval", "compile", "input", "globals", "locals", "vars", "getattr", "setattr"))
_PROGRAMS_TOO = frozenset(("delattr", "hasattr", "breakpoint", "exit", "quit", "type", "dir", "object", "memoryview"))
_NEVER_ASKED = ("format_map", "mro")


class _TooLong(BaseException):
    """A block has made too many steps."""


class CodeBlocks:
    """The blocks of one script. With `bsd` constants are FreeBSD's numbers."""

    __slots__ = ("_assertions", "_names", "_namespace", "_printed")

    def __init__(self, *, bsd: bool = False) -> None:
        self._names: set[str] = set()  # those of TCP_INFO that the last block was given
        self._assertions: list[tuple[str, frozenset[str], int]] = []
        self._printed: list[str] = []
        builtins: dict[str, Any] = {one.__name__: one for one in _BUILTINS}
        builtins |= {"range": _range, "pow": _power, "print": self._print, "__import__": _import}
        self._namespace: dict[str, Any] = {"__builtins__": builtins, "__name__": "script"}
        self._namespace |= {"_multiply": _multiply, "_power": _power, "_shift": _shift, "_failed": self._failed}
        self._namespace |= constants(bsd=bsd)

    @property
    def printed(self) -> list[str]:
        """What the blocks have printed, a text each."""
        return self._printed

    def run(self, text: str, line: int, info: Mapping[str, int] | None) -> None:
        """Run a block that begins in `line`, with the fields of TCP_INFO as variables (None: there is no connection).

        Failed for an assertion that does not hold, Unsupported for what a block may not ask for or is not measured
        here, ScriptError for a mistake in it; all with the line of the script.
        """
        code = self._compile(text, line)
        for name in self._names:
            self._namespace.pop(name, None)
        self._namespace |= info or {}
        self._names = set(info or ())
        try:
            _limited(code, self._namespace)
        except (ScriptError, _TooLong) as error:
            if isinstance(error, _TooLong):
                raise ScriptError(f"the code does not end: over {STEPS:,} steps", line) from None
            error.line = error.line or _line_of(error, line)
            raise
        except NameError as error:
            raise self._unknown(error.name or "", _line_of(error, line), info is None) from None
        except RecursionError:
            raise ScriptError("the code calls itself too deeply", line) from None
        except MemoryError as error:
            raise ScriptError("the code takes too much memory", _line_of(error, line)) from None
        except Exception as error:
            raise ScriptError(f"{type(error).__name__} in the code: {error}", _line_of(error, line)) from None

    # --- before it runs ---

    def _compile(self, text: str, line: int) -> CodeType:
        if len(text) > LONGEST:
            raise ScriptError(f"code of {len(text):,} characters; at most {LONGEST:,}", line)
        source = _plain(text)
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")  # they would be told to whoever runs us, and without the script's line
                tree = ast.parse(source)
                self._assertions = []
                tree = ast.fix_missing_locations(_Guard(source, line, self._assertions).visit(tree))
                return compile(tree, "script", "exec")
        except SyntaxError as error:
            raise ScriptError(f"the code is no Python: {error.msg}", line + (error.lineno or 1) - 1) from None
        except (ValueError, RecursionError, MemoryError) as error:
            raise ScriptError(f"the code is no Python: {str(error) or 'it is too deep'}", line) from None

    # --- while it runs ---

    def _failed(self, number: int, *said: Any) -> None:
        """The assertion of this number does not hold."""
        source, names, line = self._assertions[number]
        values = {name: self._namespace[name] for name in sorted(names) if name in self._namespace}
        got = ", ".join(f"{name} = {_shown(value)}" for name, value in values.items() if not callable(value))
        message = f"assert {source}" + (f": {_shown(said[0])}" if said else "")
        raise Failed(message, line, expected=source, got=got or (_shown(said[0]) if said else ""))

    def _print(self, *values: Any, **_more: Any) -> None:
        if len(self._printed) < 1000:
            self._printed.append(" ".join(map(_shown, values)))

    def _unknown(self, name: str, line: int, nothing: bool) -> ScriptError:
        if name in _PROGRAMS | _PROGRAMS_TOO:
            return Unsupported(f"{name}(): the code of a script may not use it here", line)
        if name in NAMES:
            told = ScriptError(f"{name}: there is no connection whose TCP_INFO it could be", line)
            return told if nothing else missing(name, line)
        return ScriptError(f"the code uses {name!r}, which nothing has set", line)


class _Guard(ast.NodeTransformer):
    """Refuses what a block may not contain, and puts limits where values can grow without a step."""

    def __init__(self, source: str, line: int, assertions: list[tuple[str, frozenset[str], int]]) -> None:
        self._source = source
        self._line = line
        self._assertions = assertions

    def visit(self, node: ast.AST) -> Any:
        """Any node."""
        refused = _REFUSED.get(type(node))
        if refused is not None:
            raise Unsupported(f"{refused!r} in the code of a script", self._at(node))
        return super().visit(node)

    def _at(self, node: ast.AST) -> int:
        return self._line + int(getattr(node, "lineno", 1)) - 1

    def visit_Import(self, node: ast.Import) -> ast.AST:
        """Only of what computes."""
        for one in node.names:
            self._importable(one.name, node)
        return node

    def visit_ImportFrom(self, node: ast.ImportFrom) -> ast.AST:
        """The same; `print_function` and the like are what Python does anyway."""
        if node.module == "__future__":
            return ast.copy_location(ast.Pass(), node)
        self._importable(node.module or "", node)
        return node

    def _importable(self, module: str, node: ast.AST) -> None:
        if module not in _MODULES:
            raise Unsupported(
                f"import {module}: the code of a script may use {', '.join(_MODULES)} alone", self._at(node)
            )

    def visit_Attribute(self, node: ast.Attribute) -> ast.AST:
        """No inner workings of Python."""
        if node.attr.startswith("_") or node.attr in _NEVER_ASKED or node.attr.startswith(("gi_", "f_", "tb_", "cr_")):
            raise Unsupported(f".{node.attr} in the code of a script", self._at(node))
        return self.generic_visit(node)

    def visit_Name(self, node: ast.Name) -> ast.AST:
        """None of Python's own names, but fields such as __tcpi_unacked."""
        if node.id.startswith("__") and not node.id.startswith("__tcpi_"):
            raise Unsupported(f"{node.id} in the code of a script", self._at(node))
        return node

    def visit_Assert(self, node: ast.Assert) -> ast.AST:
        """An assertion tells which it is and the values of its names."""
        names = frozenset(one.id for one in ast.walk(node.test) if isinstance(one, ast.Name))
        shown = " ".join((ast.get_source_segment(self._source, node.test) or "").split())
        number = len(self._assertions)
        self._assertions.append((shown, names, self._at(node)))
        said = [node.msg] if node.msg is not None else []
        call = ast.Call(ast.Name("_failed", ast.Load()), [ast.Constant(number), *said], [])
        failing = ast.If(ast.UnaryOp(ast.Not(), node.test), [ast.Expr(call)], [])
        return self.generic_visit(ast.copy_location(failing, node))

    def visit_BinOp(self, node: ast.BinOp) -> ast.expr:
        """What can make a value large at once."""
        self.generic_visit(node)
        name = _GROWING.get(type(node.op))
        if name is None:
            return node
        return ast.copy_location(ast.Call(ast.Name(name, ast.Load()), [node.left, node.right], []), node)

    def visit_AugAssign(self, node: ast.AugAssign) -> ast.AST:
        """`x *= y` as x = x * y."""
        if type(node.op) not in _GROWING:
            return self.generic_visit(node)
        if not isinstance(node.target, ast.Name):
            raise Unsupported("*=, **= or <<= on more than a name in the code of a script", self._at(node))
        value = ast.copy_location(ast.BinOp(ast.Name(node.target.id, ast.Load()), node.op, node.value), node)
        return ast.copy_location(ast.Assign([node.target], self.visit_BinOp(value)), node)


_GROWING: dict[type[ast.operator], str] = {ast.Mult: "_multiply", ast.Pow: "_power", ast.LShift: "_shift"}


def _plain(text: str) -> str:
    """The code without the indentation that it has in the script, each line at its place."""
    first, newline, rest = text.expandtabs().rstrip().rstrip("\\").partition("\n")
    if first.strip():
        body = first.strip() + newline
        return body + (rest if first.rstrip().endswith(":") else dedent(rest))
    return newline + dedent(rest)


def _limited(code: CodeType, namespace: dict[str, Any]) -> None:
    """Run it for so many instructions at most: a count, and no clock, so that a run is the same each time."""
    left = STEPS

    def trace(frame: FrameType, event: str, _argument: Any) -> Any:
        nonlocal left
        frame.f_trace_opcodes = True
        frame.f_trace_lines = False
        left -= 1
        if left <= 0:
            raise _TooLong
        return trace

    before = sys.gettrace()
    sys.settrace(trace)
    try:
        exec(code, namespace)
    finally:
        sys.settrace(before)


def _line_of(error: BaseException, line: int) -> int:
    """Where in the script an error arose."""
    trace = error.__traceback__
    inside = 0
    while trace is not None:
        if trace.tb_frame.f_code.co_filename == "script":
            inside = trace.tb_lineno
        trace = trace.tb_next
    return line + max(inside, 1) - 1


def _shown(value: Any) -> str:
    text = str(value)
    return text if len(text) <= 200 else f"{text[:197]}..."


# --- what a block is given in place of Python's own ---


def _range(*ends: int) -> range:
    made = range(*ends)
    if len(made) > LARGEST:
        raise ScriptError(f"range({', '.join(map(str, ends))}): over {LARGEST:,} in the code")
    return made


def _size(value: Any) -> int:
    if isinstance(value, int):
        return value.bit_length()
    return len(value) if isinstance(value, str | bytes | list | tuple) else 0


def _multiply(left: Any, right: Any) -> Any:
    whole = isinstance(left, int) and isinstance(right, int)
    if isinstance(left, int) and not whole:
        left, right = right, left
    size = _size(left) + _size(right) if whole else _size(left) * (right if isinstance(right, int) else 0)
    if size > LARGEST:
        raise ScriptError("a product is too large in the code")
    return left * right


def _power(base: Any, exponent: Any, modulus: int | None = None) -> Any:
    if modulus is None and isinstance(base, int) and isinstance(exponent, int) and _size(base) * exponent > LARGEST:
        raise ScriptError("a power is too large in the code")
    return pow(base, exponent, modulus) if modulus is not None else base**exponent


def _shift(value: Any, by: Any) -> Any:
    if isinstance(by, int) and by > LARGEST:
        raise ScriptError("a shift is too far in the code")
    return value << by


def _import(name: str, *_more: Any) -> Any:
    return _MODULES[name]
