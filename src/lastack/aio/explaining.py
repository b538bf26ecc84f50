"""The runs of one test, and what there is to say of one that failed; for a plugin of whatever runs tests."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from hashlib import sha256
from pathlib import Path
from typing import Any

from lastack.aio.evidence import Evidence
from lastack.aio.shrinking import Failure, Shrunk, failure_of, in_program
from lastack.aio.world import World

_OURS = str(Path(__file__).parents[1])
_LINES = 16  # of the ladder that are shown
_FAULTS = 20  # that are
_FILES = 8


@dataclass
class Run:
    """One run of a test: with what, and what became of it."""

    seed: int
    only: Sequence[str] | None = None
    folder: Path | None = None  # where it leaves what it recorded
    world: World | None = None
    evidence: Evidence | None = None
    error: BaseException | None = None
    reports: list[Any] = field(default_factory=list)

    def begin(self, **options: Any) -> World:
        """The world that it runs in, with these options."""
        self.world = World(self.seed, only=self.only, **options)
        if self.folder is not None:
            self.evidence = Evidence(self.world, self.folder)
        return self.world

    @property
    def taken(self) -> list[str]:
        """What happened in it by chance."""
        return self.world.decisions.taken if self.world is not None else []

    @property
    def failure(self) -> Failure | None:
        """What failed, and where."""
        return failure_of(self.error) if self.error is not None else None

    def went_as(self, other: Run) -> bool:
        """Whether both took the same course."""
        return self._course() == other._course()

    def _course(self) -> tuple[Any, ...]:
        return self.failure, self.taken, self.world.sim.now if self.world is not None else 0

    def at(self) -> str:
        """When it was over."""
        return f"at {self.world.now:.6f} s after {len(self.taken)} faults" if self.world is not None else "at once"


def folder_of(top: Path, test: str, seed: int) -> Path:
    """Where a failing seed of a test ("tests/test_a.py::test_it") leaves what it recorded; git is to leave it."""
    top.mkdir(parents=True, exist_ok=True)
    if not (top / ".gitignore").exists():
        (top / ".gitignore").write_text("*\n", encoding="utf-8")
    name, bracket, parameters = test.partition("[")
    *folders, last = re.split(r"/|::", name)
    return top.joinpath(*map(_plain, (*folders, last + bracket + parameters)), f"seed-{seed}")


def _plain(part: str) -> str:
    """A part of a test's name as the name of a folder: short, plain, and of one test alone."""
    plain = re.sub(r"[^\w.\[\]-]|^\.+$", "_", part)[:80]
    return plain if plain == part else f"{plain}-{sha256(part.encode()).hexdigest()[:6]}"


def without_us(error: BaseException) -> BaseException:
    """The error, whose traceback begins in the program, and where a socket has raised it ends with who called that."""
    traceback = error.__traceback__
    while traceback is not None and not in_program(traceback):
        traceback = traceback.tb_next
    level = traceback if isinstance(error, OSError) else None
    while level is not None and level.tb_next is not None:
        if level.tb_next.tb_frame.f_code.co_filename.startswith(_OURS):
            level.tb_next = None
        level = level.tb_next
    return error.with_traceback(traceback or error.__traceback__)


def without_the_loop(error: BaseException) -> None:
    """Leave out of its traceback what stands between a call of `World.run` and the line of the program that failed."""
    level = error.__traceback__
    while level is not None and level.tb_next is not None:
        below = level.tb_next
        if below.tb_frame.f_code is World.run.__code__:
            while below.tb_next is not None and not in_program(below):
                below = below.tb_next
            if in_program(below):
                level.tb_next = below
            return
        level = below


def told_faults(befell: int, found: Shrunk) -> list[str]:
    """How many faults befell a run, and which of them it needs to fail."""
    few = len(found.needed)
    faults = "fault" if befell == 1 else "faults"
    least = "" if found.whole else ", or fewer (the limits are --lastack-shrink-runs and --lastack-shrink-seconds)"
    words = [f"of the {befell:,} {faults} that befell it, it needs {few or 'none'}{least}{':' * bool(few)}"]
    words += [f"         {name}" for name in found.needed[:_FAULTS]]
    return words + [f"         ... and {few - _FAULTS:,} more"] * (few > _FAULTS)


def told_evidence(files: Sequence[str], evidence: Evidence) -> list[str]:
    """Where it is, and the end of it."""
    words = [f"{'look at:' if file == files[0] else '':9}{file}" for file in files[:_FILES]]
    words += [f"         ... and {len(files) - _FILES} more"] * (len(files) > _FILES)
    return [*words, "", evidence.tail(_LINES).rstrip()]


def told_loudly(run: Run, again: Run) -> list[str]:
    """The same seed took another course: that is worse than any fault."""
    if again.error is None:
        how = "it passed"
    elif again.failure != run.failure:
        how = f"it failed by {again.failure}, not by {run.failure}"
    else:
        how = f"it failed too, but {again.at()}, not {run.at()}"
    return [
        "",
        "NOT THE SAME AGAIN: the same seed took another course when it was run once more:",
        f"{how}.",
        "Something in the program leaves the simulation: the order of a set, id() or hash(), real time",
        "(datetime.now()), or what an earlier run left in a module. See docs/testing.md of lastack.",
    ]
