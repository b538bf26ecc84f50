"""What the tests of this folder show, as they say themselves: a library works in a world, or it cannot and says so."""

from __future__ import annotations

import importlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any, TypeVar

FOLDER = Path(__file__).parent
WORLDS = ("simulation", "device")

_F = TypeVar("_F", bound=Callable[..., Any])


@dataclass
class Library:
    """A library as it is called where it is installed from, and what of it is run."""

    name: str
    roles: str
    shown: list[Shown] = field(default_factory=list)

    def shows(self, world: str, what: str, *, tls: bool = False) -> Callable[[_F], _F]:
        """For a test: it shows this in that world; with `tls` once without TLS and once with it."""
        assert world in WORLDS

        def enter(test: _F) -> _F:
            self.shown.append(Shown(world, what, tls, test.__name__))
            return test

        return enter


@dataclass(frozen=True)
class Shown:
    """One test of a library."""

    world: str
    what: str
    tls: bool
    test: str


@dataclass(frozen=True)
class Refusal:
    """What cannot work in a simulation: why, what to do instead, and the test in which it says so."""

    what: str
    why: str
    instead: str
    test: str


REFUSALS: dict[str, Refusal] = {}


def refuses(what: str, *, why: str, instead: str) -> Callable[[_F], _F]:
    """For a test: this cannot work in a simulation, and fails with a clear error."""

    def enter(test: _F) -> _F:
        REFUSALS[test.__name__] = Refusal(what, why, instead, test.__name__)
        return test

    return enter


@cache
def _modules() -> tuple[Any, ...]:
    paths = sorted(FOLDER.glob("test_*.py"))
    return tuple(importlib.import_module(f"{__package__}.{path.stem}") for path in paths)


def libraries() -> Iterator[tuple[str, Library]]:
    """(name of the file, library) of all that is tested."""
    for module in _modules():
        for value in vars(module).values():
            if isinstance(value, Library):
                yield module.__name__.rpartition(".")[2] + ".py", value


def refusals() -> tuple[Refusal, ...]:
    """All that cannot work."""
    _modules()
    return tuple(REFUSALS.values())
