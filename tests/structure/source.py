"""A source tree as the rules see it: its files, and the syntax tree of each Python file.

A rule is a function from the root of a repository to the list of its violations, each "path:line: what is wrong".
"""

from __future__ import annotations

import ast
import os
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

PACKAGE = "src/lastack"
PYTHON_FOLDERS = ("src", "tests", "examples", "fuzz", "bench", "docs")
NOT_OURS = {".git", ".venv", "dist", "__pycache__", ".hypothesis", ".mypy_cache", ".pytest_cache", ".ruff_cache"}


@dataclass(frozen=True)
class Module:
    """One Python file. `path` is relative to the root; `room` is the folder of src/lastack it stands in, or ""."""

    path: str
    room: str
    tree: ast.Module
    lines: int

    @property
    def dotted(self) -> str:
        """The name by which a module of the package is imported."""
        return self.path.removeprefix("src/").removesuffix(".py").removesuffix("/__init__").replace("/", ".")

    def at(self, node: ast.AST, what: str) -> str:
        """A violation at a node."""
        return f"{self.path}:{getattr(node, 'lineno', 1)}: {what}"


def python_modules(root: Path, *folders: str) -> list[Module]:
    """Every Python file below the folders, in order of path."""
    found = []
    for folder in folders or PYTHON_FOLDERS:
        for file in sorted((root / folder).rglob("*.py")):
            path = file.relative_to(root).as_posix()
            inner = path.removeprefix(PACKAGE + "/").split("/") if path.startswith(PACKAGE + "/") else [""]
            text = file.read_text(encoding="utf-8")
            room = inner[0] if len(inner) > 1 else ""
            found.append(Module(path, room, ast.parse(text, path), len(text.splitlines())))
    return found


def package_modules(root: Path) -> list[Module]:
    """Every module of the package."""
    return python_modules(root, PACKAGE)


def texts(root: Path) -> Iterator[tuple[str, str]]:
    """(path, text) of every file that is or would be under version control, and is text."""
    listing = ["git", "-C", str(root), "ls-files", "--cached", "--others", "--exclude-standard", "-z"]
    listed = subprocess.run(listing, capture_output=True, text=True, check=False) if (root / ".git").exists() else None
    if listed is not None and listed.returncode == 0:
        paths = sorted({path for path in listed.stdout.split("\0") if path})
    else:
        paths = sorted(_walk(root))
    for path in paths:
        file = root / path
        if file.is_symlink() or not file.is_file():
            continue
        try:
            yield path, file.read_text(encoding="utf-8")
        except UnicodeDecodeError:
            continue  # not text


def _walk(root: Path) -> Iterator[str]:
    for folder, folders, files in os.walk(root):
        folders[:] = [name for name in folders if name not in NOT_OURS]
        for name in files:
            yield (Path(folder) / name).relative_to(root).as_posix()


def name_of(node: ast.expr) -> str:
    """The last part of a name, an attribute, a subscript or a call: `typing.Protocol[T]` is "Protocol"."""
    while isinstance(node, ast.Subscript | ast.Call):
        node = node.value if isinstance(node, ast.Subscript) else node.func
    if isinstance(node, ast.Attribute):
        return node.attr
    return node.id if isinstance(node, ast.Name) else ""
