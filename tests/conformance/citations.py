"""Who cites what: each comment and docstring of a Python file belongs to the innermost thing that holds it.

A thing is a function, a class, or an assignment to a name at the level of the module or a class. A comment of its own
directly above a thing belongs to it as well. What stands above all of them is the module's.
"""

from __future__ import annotations

import ast
import io
import tokenize
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from tests.conformance.spelling import Reference, references

# Where an implementation stands. What simulates, draws or shows only looks at it.
CODE = ("wire", "tcp", "host", "link", "apps", "device", "aio")
# Tests that are skipped where there is no Linux kernel to talk to.
NEED_A_KERNEL = ("tests/interop/", "tests/device/")

_Definition = ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef


@dataclass(frozen=True, order=True)
class Place:
    """A thing in a file; `name` is "" for the module."""

    path: str
    name: str
    skipped: bool = False

    @property
    def is_test(self) -> bool:
        return self.path.startswith("tests/") and self.name.rpartition(".")[2].startswith("test_")

    @property
    def always_runs(self) -> bool:
        return self.is_test and not self.skipped and not self.path.startswith(NEED_A_KERNEL)


@dataclass(frozen=True)
class Citation:
    """One reference and where it stands; `line` is for messages alone."""

    reference: Reference
    place: Place
    line: int


def citations(root: Path) -> list[Citation]:
    """Every citation in the implementation and in its tests."""
    folders = [root / "src" / "lastack" / room for room in CODE] + [root / "tests"]
    ours = root / "tests" / "conformance"
    found: list[Citation] = []
    for folder in folders:
        for file in sorted(folder.rglob("*.py")):
            if file.parent != ours or file.name.startswith("test_rfc"):
                found += in_file(file.relative_to(root).as_posix(), file.read_text(encoding="utf-8"))
    return found


def in_file(path: str, text: str) -> list[Citation]:
    """Every citation in the text of one file."""
    owners = list(_owners(ast.parse(text, path)))
    found = []
    for line, written in [*_docstrings(ast.parse(text, path)), *_comments(text)]:
        name, skipped = _owner(owners, line)
        found += [Citation(one, Place(path, name, skipped), line) for one in references(written)]
    return found


def _owners(tree: ast.AST, prefix: str = "") -> Iterator[tuple[int, int, str, bool]]:
    """(first line, last line, name, skipped) of each thing, the outer before the inner."""
    for node in ast.iter_child_nodes(tree):
        if isinstance(node, _Definition):
            first = min([node.lineno, *(one.lineno for one in node.decorator_list)])
            skipped = any(".skip" in ast.unparse(one) or ".xfail" in ast.unparse(one) for one in node.decorator_list)
            yield first, node.end_lineno or first, prefix + node.name, skipped
            if isinstance(node, ast.ClassDef):
                yield from _owners(node, f"{prefix}{node.name}.")
        elif isinstance(node, ast.Assign | ast.AnnAssign):
            target = node.targets[0] if isinstance(node, ast.Assign) else node.target
            if isinstance(target, ast.Name):
                yield node.lineno, node.end_lineno or node.lineno, prefix + target.id, False


def _owner(owners: list[tuple[int, int, str, bool]], line: int) -> tuple[str, bool]:
    holding = [one for one in owners if one[0] <= line <= one[1]]
    if not holding:
        return "", False
    return holding[-1][2], any(one[3] for one in holding)


def _docstrings(tree: ast.AST) -> Iterator[tuple[int, str]]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Module | _Definition) and (written := ast.get_docstring(node)):
            yield node.body[0].lineno, written


def _comments(text: str) -> Iterator[tuple[int, str]]:
    """(line it belongs to, text) of each comment; comments on lines of their own are one with those below them, and
    belong to the line behind the last."""
    block: list[str] = []
    last = 0
    for token in tokenize.generate_tokens(io.StringIO(text).readline):
        if token.type != tokenize.COMMENT:
            continue
        words = token.string.lstrip("# ").rstrip("- ")
        line = token.start[0]
        alone = not token.line[: token.start[1]].strip()
        if block and (not alone or line != last + 1):
            yield last + 1, " ".join(block)
            block = []
        if alone:
            block.append(words)
            last = line
        else:
            yield line, words
    if block:
        yield last + 1, " ".join(block)
