"""How a test of the pytest plugin runs: with each seed until one fails, then again to explain that one."""

from __future__ import annotations

import inspect
import os
import shlex
from collections.abc import Sequence
from pathlib import Path

import pytest
from _pytest.runner import runtestprotocol

from lastack.aio.evidence import write_faults
from lastack.aio.explaining import Run, folder_of, told_evidence, told_faults, told_loudly
from lastack.aio.pytest_plugin import GIVEN, MISUSED, RUN, marked
from lastack.aio.shrinking import shrink


class Test:
    """A test with all its runs."""

    def __init__(self, item: pytest.Function) -> None:
        self.item = item
        self.given = given = item.config.stash[GIVEN]
        wanted = marked(item)[0]
        seeds = (item.config.getoption("lastack_seed"), given.get("only_seed"), wanted.get("seed"), given["seed"], 0)
        self.seed = next(seed for seed in seeds if seed is not None)
        # Who names a seed wants to see that one again.
        one = 1 if seeds[0] is not None or given["only"] is not None else None
        runs = (item.config.getoption("lastack_runs"), one, wanted.get("runs"), given["runs"], 1)
        self.runs = next(count for count in runs if count is not None)
        self.properties = list(item.user_properties)
        self.seconds = 0.0

    def run(self, nextitem: pytest.Item | None) -> list[pytest.TestReport]:
        """The reports of the run that is shown: the one that failed, or the last."""
        run = self._all()
        for report in run.reports:
            if report.when == "call":
                report.duration = self.seconds
        return run.reports + self._tear_down(nextitem)

    def _all(self) -> Run:
        """Every run there is to be; the one that is shown."""
        for seed in range(self.seed, self.seed + self.runs):
            run = self._once(Run(seed, self.given["only"]))
            if not all(report.passed for report in run.reports):
                break
        if run.error is not None and not self.item.config.getoption("usepdb", False):
            run = self._explain(run)
        elif any(report.failed for report in run.reports) and not self.item.stash[MISUSED]:
            self._tell(run, [f"seed {run.seed} fails", f"again:   {self._command(run)}"])
        return run

    def _once(self, run: Run) -> Run:
        """Set the test up, call it, and tear it down, as if it had never run before."""
        item = self.item
        item.stash[RUN] = run
        item.stash[MISUSED] = False
        item.__dict__.pop("_instance", None)
        if inspect.ismethod(item.obj):
            item.__dict__.pop("_obj", None)
        item._report_sections.clear()
        item.user_properties[:] = self.properties
        # What it shares with others of its module or class stays: the collector is "the next" that needs it.
        run.reports = runtestprotocol(item, log=False, nextitem=item.parent)  # type: ignore[arg-type]
        self.seconds += sum(report.duration for report in run.reports if report.when == "call")
        return run

    def _tear_down(self, nextitem: pytest.Item | None) -> list[pytest.TestReport]:
        """Tear down what the next test does not need; a report where that fails."""
        state = self.item.session._setupstate
        call = pytest.CallInfo.from_call(lambda: state.teardown_exact(nextitem), when="teardown")
        if call.excinfo is None:
            return []
        return [self.item.ihook.pytest_runtest_makereport(item=self.item, call=call)]

    # --- a failure ---

    def _explain(self, run: Run) -> Run:
        """Run it again, recorded; then with as few faults as will do. The run that is to be shown."""
        words = [f"seed {run.seed} fails" + f", after {run.seed - self.seed} that passed" * (run.seed > self.seed)]
        try:
            folder: Path | None = self._folder(run.seed)
        except OSError as error:
            folder, words = None, [*words, f"nothing is left to look at: {error}; another place is --lastack-dir"]
        again = self._once(Run(run.seed, run.only, folder))
        if not again.went_as(run):
            self._tell(run, [*words, f"again:   {self._command(run)}", *told_loudly(run, again)])
            return run
        faults = None
        if run.only is None and run.taken:
            again, told = self._shrink(again)
            words += told
        if again.only is not None and run.only is None and again.folder is not None:
            faults = again.folder / "only.txt"
            write_faults(faults, run.seed, again.only, f"{self.item.nodeid} with seed {run.seed} where it fails")
        words.append(f"again:   {self._command(run, faults)}")
        if again.evidence is not None:
            words += told_evidence([self._shown(file) for file in again.evidence.write()], again.evidence)
        self._tell(again, words)
        return again

    def _shrink(self, run: Run) -> tuple[Run, list[str]]:
        """The run with as few faults as can be found, recorded too, and what there is to say of it."""

        def fails(only: Sequence[str]) -> Sequence[str] | None:
            tried = self._once(Run(run.seed, only))
            return tried.taken if tried.failure == run.failure else None

        limits = {name: self.given[f"shrink_{name}"] for name in ("runs", "seconds")}
        found = shrink(run.taken, fails, **{name: limit for name, limit in limits.items() if limit is not None})
        shown = self._once(Run(run.seed, found.needed, run.folder)) if found.runs else run
        words = told_faults(len(run.taken), found)
        return shown, words if shown.failure == run.failure else words + told_loudly(run, shown)

    def _tell(self, run: Run, words: list[str]) -> None:
        """Put it below the traceback."""
        text = "\n".join(words).rstrip()
        for report in run.reports:
            if report.failed:
                if hasattr(report.longrepr, "addsection"):
                    report.longrepr.addsection("lastack", text)
                else:
                    report.sections.append(("lastack", text))

    def _folder(self, seed: int) -> Path:
        config, given = self.item.config, self.given["dir"]
        top = config.rootpath / ".lastack" if given is None else config.invocation_params.dir / given
        return folder_of(top, self.item.nodeid, seed)

    def _command(self, run: Run, faults: Path | None = None) -> str:
        """What runs exactly this again."""
        _, _, inner = self.item.nodeid.partition("::")
        words = ["pytest", f"{self._shown(self.item.path)}::{inner}", "--lastack-seed", str(run.seed)]
        only = faults or self.item.config.getoption("lastack_only")
        return shlex.join([*words, "--lastack-only", self._shown(only)] if only is not None else words)

    def _shown(self, path: Path) -> str:
        """A path as who has called pytest would write it."""
        return os.path.relpath(path, self.item.config.invocation_params.dir)
