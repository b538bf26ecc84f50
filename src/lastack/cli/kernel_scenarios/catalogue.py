"""Which scenarios are played against the kernel, and how one is.

@against_kernel("three-way-handshake")
def three_way_handshake(play: KernelPlay) -> None:
    \"\"\"The text that is printed above the ladder.\"\"\"

Name, row and title are those of the scenario of the simulation.
"""

from __future__ import annotations

import pkgutil
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from importlib import import_module
from inspect import cleandoc
from typing import Any

from lastack.cli.kernel_scenarios.stage import CALM, KernelStage
from lastack.device.errors import DeviceError
from lastack.sim.scenarios.play import Claim, Play, Result
from lastack.sim.scenarios.registry import Scenario, find
from lastack.sim.scenarios.stage import Capture
from lastack.tcp.config import DEFAULT, Config

Script = Callable[["KernelPlay"], None]


@dataclass(frozen=True, slots=True)
class KernelScenario:
    """A scenario's form against the kernel: `scenario` has the name, the row, the title, and the text of this form."""

    scenario: Scenario
    script: Script

    @property
    def name(self) -> str:
        """That of the scenario."""
        return self.scenario.name


_KNOWN: dict[str, Script] = {}


def against_kernel(name: str) -> Callable[[Script], Script]:
    """Register a function as a scenario's form against the kernel; its docstring is the text."""

    def register(script: Script) -> Script:
        assert name not in _KNOWN, f"two scenarios are called {name}"
        assert script.__doc__, f"the scenario {name} has no text"
        _KNOWN[name] = script
        return script

    return register


def kernel_scenarios() -> list[KernelScenario]:
    """All of them, in the order of the table."""
    package = __name__.rpartition(".")[0]
    for module in pkgutil.iter_modules(import_module(package).__path__):
        import_module(f"{package}.{module.name}")
    found = []
    for name, script in _KNOWN.items():
        scenario = find(name)
        assert scenario.kernel, f"{name} is not among the rows against the kernel"
        found.append(KernelScenario(replace(scenario, text=cleandoc(script.__doc__ or "")), script))
    return sorted(found, key=lambda one: one.scenario.order)


@dataclass(slots=True)
class KernelResult(Result):
    """What became of it, in real time. `skipped` is what was left out, and why."""

    skipped: list[str] = field(default_factory=list)


class KernelPlay(Play):
    """What a scenario is given; `stage(...)` sets up an act. `slow`: there is time for what takes a minute."""

    def __init__(self, preset: Config = DEFAULT, version: int = 4, *, slow: bool = False) -> None:
        super().__init__(preset, version)
        self.slow = slow
        self.skipped: list[str] = []

    def has_time(self, why: str) -> bool:
        """Whether an act may be played that takes long, and `why` it does; where it may not, that is told."""
        if not self.slow:
            self.skipped.append(why)
        return self.slow

    def stage(
        self,
        title: str = "",
        *,
        kernel: str,
        sysctl: Mapping[str, str | int] | None = None,
        options: bool = False,
        impatient: bool = False,
        **ours: Any,
    ) -> KernelStage:
        """A fresh sandbox, in which the kernel is the "client" or the "server".

        `ours` are settings of `Config` for our host, `sysctl` those of the kernel, without their "net.ipv4.".
        Neither end sends anything again within 10 s, unless `impatient` says that this is wanted.
        """
        self.finish()
        start = self.acts[-1].now + 1_000_000_000 + self._start if self.acts else 0
        self._start = start
        capture = Capture(self._writer, start)
        # A tail loss probe does not wait for the minimum of the RTO: off the processor for 0.2 s, we would send one.
        calm = {} if impatient else {"rto_min": CALM, "tail_loss_probes": False}
        config = self.preset.having(**{**calm, **ours})
        made = KernelStage(
            title,
            config,
            capture,
            number=len(self.acts),
            kernel=kernel,
            sysctl=sysctl or {},
            options=options,
            impatient=impatient,
            version=self.version,
        )
        self.acts.append(made)
        return made

    def finish(self) -> None:
        """Every act is over."""
        for act in self.acts:
            if isinstance(act, KernelStage):
                act.finish()


def perform(one: KernelScenario, preset: Config = DEFAULT, version: int = 4, *, slow: bool = False) -> KernelResult:
    """Play it over IPv4 or IPv6. A claim that is false, or an exception, makes the result not `ok`.

    Raises DeviceError where there may be no sandbox.
    """
    play = KernelPlay(preset, version, slow=slow)
    error = ""
    try:
        one.script(play)
    except DeviceError as problem:
        if not play.acts:
            raise
        error = str(problem)
    except Exception as problem:
        error = f"{type(problem).__name__}: {problem}"
    finally:
        play.finish()
    result = KernelResult(one.scenario, preset.name, play.acts, play.stream.getvalue(), error, skipped=play.skipped)
    if error:
        result.loose.append(Claim("the scenario runs to its end", False, error))
    return result
