"""Who may know whom: the rooms of docs/design.md, and what the core may not touch."""

from __future__ import annotations

import ast
import sys
from collections.abc import Iterator
from pathlib import Path

from tests.structure.source import Module, name_of, package_modules

# What each room may import of the others; of "tcp.states", that module alone. A room that is not here has no place yet.
CORE = {"wire", "tcp", "host"}
WORLD = CORE | {"link", "trace"}
MAY_KNOW: dict[str, set[str]] = {
    "wire": set(),
    "tcp": {"wire"},
    "host": {"wire", "tcp"},
    "link": {"wire"},
    "trace": {"wire", "tcp.states", "tcp.observer"},
    "apps": CORE,
    "sim": WORLD | {"apps"},
    "device": WORLD | {"apps"},
    "aio": WORLD | {"sim", "device"},
    "socket": WORLD | {"sim", "device", "aio"},
    "packetdrill": WORLD | {"sim", "device", "aio"},
    "bench": WORLD | {"apps", "sim", "device", "aio"},
    "cli": WORLD | {"apps", "sim", "device", "aio", "packetdrill", "bench"},
}
ROOT_MAY_KNOW: dict[str, set[str]] = {"lastack.__main__": {"cli"}}

# No clock, no chance, no I/O in the core: the time and every random number are arguments.
BANNED = {
    *("time", "datetime", "random", "secrets", "uuid", "socket", "select", "selectors", "ssl", "asyncio", "threading"),
    *("multiprocessing", "subprocess", "signal", "logging", "os", "importlib"),
}

# Where the package may use what is not Python's own.
THIRD_PARTY = {
    "cli": {"typer", "rich", "h11", "pyroute2"},
    "apps": {"h11"},
    "device": {"pyroute2"},
    "bench": {"aiohttp", "h11", "matplotlib"},
}
# A plugin may use the program that it is for, which alone imports it.
PLUGINS = {
    "lastack.aio.pytest_plugin": {"pytest"},
    "lastack.aio.pytest_runs": {"pytest", "_pytest"},
    "lastack.packetdrill.pytest_plugin": {"pytest"},
}


def imported(module: Module) -> Iterator[tuple[ast.AST, str]]:
    """(node, absolute dotted name) of every import in a module, wherever it stands."""
    for node in ast.walk(module.tree):
        if isinstance(node, ast.Import):
            for alias in node.names:
                yield node, alias.name
        elif isinstance(node, ast.ImportFrom):
            origin = node.module or ""
            if node.level:
                parts = module.dotted.split(".")
                if module.path.endswith("/__init__.py"):
                    parts.append("")
                origin = ".".join([*parts[: len(parts) - node.level], *([node.module] if node.module else [])])
            for alias in node.names:
                yield node, f"{origin}.{alias.name}"
        elif isinstance(node, ast.Call) and name_of(node.func) in ("import_module", "__import__"):
            for argument in node.args[:1]:
                if isinstance(argument, ast.Constant) and isinstance(argument.value, str):
                    yield node, argument.value


def directions(root: Path) -> list[str]:
    """Imports between rooms run one way; those for type checkers and those inside functions are imports too."""
    wrong = []
    for module in package_modules(root):
        known = MAY_KNOW.get(module.room) if module.room else ROOT_MAY_KNOW.get(module.dotted, set())
        if known is None:
            wrong.append(f"{module.path}:1: the room {module.room} has no place in the order of imports")
            continue
        for node, name in imported(module):
            package, _, inner = name.partition(".")
            room = inner.partition(".")[0]
            if package != "lastack" or room in ("", "__version__", module.room):
                continue
            if room not in known and not any(inner == one or inner.startswith(one + ".") for one in known):
                wrong.append(module.at(node, f"{module.room or module.dotted} may not import {name}"))
    return wrong


def banned(root: Path) -> list[str]:
    """The core imports nothing that keeps time, draws lots or does I/O."""
    return [
        module.at(node, f"{module.room} may not import {name.partition('.')[0]}")
        for module in package_modules(root)
        if module.room in CORE
        for node, name in imported(module)
        if name.partition(".")[0] in BANNED
    ]


def third_party(root: Path) -> list[str]:
    """Other people's packages are used only in the rooms that the extras of pyproject.toml are for."""
    ours = {"lastack", "__future__", *sys.stdlib_module_names}
    return [
        module.at(node, f"{module.room or module.dotted} may not import {name.partition('.')[0]}")
        for module in package_modules(root)
        for node, name in imported(module)
        if name.partition(".")[0] not in ours | THIRD_PARTY.get(module.room, set()) | PLUGINS.get(module.dotted, set())
    ]
