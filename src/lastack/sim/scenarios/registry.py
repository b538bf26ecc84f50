"""The scenarios by their names.

@scenario("three-way-handshake", row="1", title="Three segments open a connection", kernel=True)
def three_way_handshake(play: Play) -> None:
    \"\"\"The text that is printed above the ladder: two to five lines.\"\"\"
"""

from __future__ import annotations

import pkgutil
import re
from collections.abc import Callable
from dataclasses import dataclass
from difflib import get_close_matches
from importlib import import_module
from inspect import cleandoc
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from lastack.sim.scenarios.play import Play

Script = Callable[["Play"], None]


@dataclass(frozen=True, slots=True)
class Scenario:
    """One scenario. `row` is its number in the table of what must be seen ("8b"); `kernel` says that the row is to be
    shown against the Linux kernel as well; `text` explains it."""

    name: str
    row: str
    title: str
    text: str
    kernel: bool
    script: Script

    @property
    def order(self) -> tuple[int, str, str]:
        """Sorts the scenarios as their table has them."""
        digits = re.match(r"\d+", self.row)
        assert digits is not None, self.row
        return int(digits[0]), self.row[digits.end() :], self.name


_SCENARIOS: dict[str, Scenario] = {}


def scenario(name: str, *, row: str, title: str, kernel: bool = False) -> Callable[[Script], Script]:
    """Register a function as a scenario; its docstring is the text. AssertionError for a name that is taken."""

    def register(script: Script) -> Script:
        assert name not in _SCENARIOS, f"two scenarios are called {name}"
        assert script.__doc__, f"the scenario {name} has no text"
        _SCENARIOS[name] = Scenario(name, row, title, cleandoc(script.__doc__), kernel, script)
        return script

    return register


def scenarios() -> list[Scenario]:
    """All of them, in the order of the table."""
    package = __name__.rpartition(".")[0]
    for module in pkgutil.iter_modules(import_module(package).__path__):
        import_module(f"{package}.{module.name}")
    return sorted(_SCENARIOS.values(), key=lambda found: found.order)


def find(name: str) -> Scenario:
    """The scenario of that name. LookupError, whose text names what is near, where there is none."""
    known = {found.name: found for found in scenarios()}
    if name in known:
        return known[name]
    near = near_matches(name, list(known))
    hint = f"; did you mean {' or '.join(near)}?" if near else ""
    raise LookupError(f"there is no scenario {name!r}{hint}")


def near_matches(name: str, known: list[str]) -> list[str]:
    """At most three names that somebody who wrote `name` may have meant."""
    wanted = name.lower().replace("_", "-").replace(" ", "-")
    inside = [one for one in known if wanted and wanted in one]
    return list(dict.fromkeys([*get_close_matches(wanted, known, 3), *inside]))[:3]
