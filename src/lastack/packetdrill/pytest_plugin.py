"""A pytest plugin: a `.pkt` file among the tests is a test.

Whoever installs lastack has it, by an entry point; without such files it does nothing, and loads nothing of lastack.
"""

from __future__ import annotations

import pathlib
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any, Literal

import pytest

if TYPE_CHECKING:
    from lastack.packetdrill.playing import Way
    from lastack.packetdrill.report import Outcome

# Each is an option of the command line, --packetdrill-NAME, and a setting in pytest's file, lastack_packetdrill_NAME.
_OPTIONS = {
    "on": ("NAME", "what scripts are played on (lastack)"),
    "preset": ("NAME", "the configuration to play packetdrill scripts with: default, linux, bsd or rfc9293"),
    "ip_version": ("VERSION", "play packetdrill scripts over ipv4, ipv6 or ipv4-mapped-ipv6"),
    "define": ("N=V", "what names in packetdrill scripts stand for (may be given several times)"),
    "loosen": ("WORDS", "what of packets need not be as packetdrill scripts say: window,options,timing"),
    "non_fatal": ("WORDS", "what of packetdrill scripts is only warned of where it fails: packet,syscall"),
}
_Kind = Literal["string", "linelist"]
_ONE: tuple[str, _Kind] = ("store", "string")
_SEVERAL: tuple[str, _Kind] = ("append", "linelist")


def pytest_addoption(parser: pytest.Parser) -> None:
    """Options and settings of the same names."""
    group = parser.getgroup("packetdrill", "packetdrill scripts (lastack)")
    for name, (metavar, what) in _OPTIONS.items():
        action, kind = _SEVERAL if name == "define" else _ONE
        option = f"--packetdrill-{name.replace('_', '-')}"
        group.addoption(option, dest=f"packetdrill_{name}", action=action, metavar=metavar, help=what)
        parser.addini(f"lastack_packetdrill_{name}", what, type=kind, default=None)


def pytest_collect_file(file_path: pathlib.Path, parent: pytest.Collector) -> pytest.Collector | None:
    """What stands in a `.pkt` file is a test."""
    if file_path.suffix != ".pkt":
        return None
    file: ScriptFile = ScriptFile.from_parent(parent, path=file_path)
    return file


class ScriptFile(pytest.File):
    """A file with a script."""

    def collect(self) -> Iterable[pytest.Item]:
        """The script, under the file's name."""
        yield ScriptItem.from_parent(self, name=self.path.stem)


class NotPassed(Exception):
    """A script has failed, or cannot be played."""

    def __init__(self, outcome: Outcome) -> None:
        super().__init__(f"{outcome.place}: {outcome.message}")
        self.outcome = outcome


class ScriptWarning(pytest.PytestWarning):
    """What was not as a script says, which says that this is not fatal."""


class ScriptItem(pytest.Item):
    """A script as a test: it passes, fails, or is skipped because it asks for what there is not here."""

    def runtest(self) -> None:
        """Play it."""
        from lastack.packetdrill.playing import play_path
        from lastack.packetdrill.report import UNSUPPORTED
        from lastack.packetdrill.suite import shown

        outcome = play_path(self.path, _way(self.config), shown=shown(self.path))
        self.user_properties.append(("virtual_seconds", f"{outcome.virtual_seconds:.6f}"))
        for told in outcome.warned:
            self.warn(ScriptWarning(told))
        if outcome.outcome == UNSUPPORTED:
            pytest.skip(f"{outcome.place}: unsupported: {outcome.message}")
        if not outcome.ok:
            raise NotPassed(outcome)

    def repr_failure(self, excinfo: pytest.ExceptionInfo[BaseException], style: Any = None) -> Any:
        """What the command `lastack packetdrill` would show."""
        if isinstance(excinfo.value, NotPassed):
            outcome = excinfo.value.outcome
            return f"{outcome.place}: {outcome.message}\n\n{outcome.details}".rstrip()
        if isinstance(excinfo.value, pytest.UsageError):
            return str(excinfo.value)
        return super().repr_failure(excinfo, style)

    def reportinfo(self) -> tuple[pathlib.Path, int | None, str]:
        """Where the test stands."""
        return self.path, 0, self.name


_WAY: pytest.StashKey[Way] = pytest.StashKey()


def _way(config: pytest.Config) -> Way:
    """How scripts are played in this run."""
    if _WAY not in config.stash:
        from lastack.packetdrill.suite import way_of

        given = {}
        for name in _OPTIONS:
            value = config.getoption(f"packetdrill_{name}")
            given[name] = config.getini(f"lastack_packetdrill_{name}") if value is None else value
        how: dict[str, Any] = {name: value for name, value in given.items() if value}
        try:
            how["defines"] = dict(text.split("=", 1) for text in how.pop("define", ()))
            for name in ("loosen", "non_fatal"):
                how[name] = [word for word in how.get(name, "").replace(" ", "").split(",") if word]
            config.stash[_WAY] = way_of(**how)
        except ValueError as error:
            raise pytest.UsageError(f"packetdrill: {error}") from None
    return config.stash[_WAY]
