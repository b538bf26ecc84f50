"""A scenario's performance: its acts, what they claim, and the result."""

from __future__ import annotations

from dataclasses import dataclass, field
from io import BytesIO
from typing import Any

from lastack.sim.scenarios.registry import Scenario
from lastack.sim.scenarios.stage import Capture, Stage
from lastack.tcp.config import DEFAULT, MILLISECOND, SECOND, Config
from lastack.tcp.states import State
from lastack.trace import names
from lastack.trace.ladder import Style
from lastack.trace.pcapng import PcapngWriter

LATENCY = 10 * MILLISECOND
# Between two acts of one capture: longer than any TIME-WAIT.
_INTERVAL = 1_000 * SECOND


@dataclass(frozen=True, slots=True)
class Claim:
    """Something that a scenario says is so. `saw` is what was there instead, where it is not."""

    text: str
    ok: bool
    saw: str = ""


class Play:
    """What a scenario is given: `act()` sets up a stage. `preset` is the configuration that both hosts start from,
    `version` that of IP."""

    def __init__(self, preset: Config = DEFAULT, version: int = 4) -> None:
        self.preset = preset
        self.version = version
        self.acts: list[Stage] = []
        self.stream = BytesIO()
        self._writer = PcapngWriter(self.stream)
        self._start = 0

    def act(
        self,
        title: str = "",
        *,
        client: dict[str, Any] | None = None,
        server: dict[str, Any] | None = None,
        latency: int = LATENCY,
        inside: bool = False,
        options: bool = False,
        **both: Any,
    ) -> Stage:
        """Two fresh hosts. `both` are settings of `Config` for the two, `client` and `server` those of one.

        State every value that a claim depends on: a scenario must hold under each preset. `latency` is the time of one
        way in microseconds, `inside` is for hosts that talk to themselves, `options` shows the segments' options.
        """
        if self.acts:
            self._start += self.acts[-1].now + _INTERVAL
        base = self.preset.having(**both)
        stage = Stage(
            title,
            base.having(**(client or {})),
            base.having(**(server or {})),
            number=len(self.acts),
            latency=latency,
            inside=inside,
            options=options,
            capture=Capture(self._writer, self._start),
            version=self.version,
        )
        self.acts.append(stage)
        return stage


@dataclass(slots=True)
class Result:
    """What became of a scenario. `error` is what it stumbled over, "" for nothing; `capture` is a pcapng file."""

    scenario: Scenario
    preset: str
    acts: list[Stage]
    capture: bytes
    error: str = ""
    loose: list[Claim] = field(default_factory=list)

    @property
    def claims(self) -> list[Claim]:
        """Those of all acts, in order."""
        return [claim for act in self.acts for claim in act.claims] + self.loose

    @property
    def ok(self) -> bool:
        """Every claim is true, and there is one."""
        claims = self.claims
        return bool(claims) and all(claim.ok for claim in claims)

    @property
    def virtual_seconds(self) -> float:
        """How much time has passed in all acts."""
        return sum(act.now for act in self.acts) / SECOND

    @property
    def segments(self) -> int:
        """How many segments were sent."""
        return sum(act.segments for act in self.acts)

    def states(self, style: str = names.RFC) -> dict[str, list[str]]:
        """Every state of each host's connections, one connection and one act after the other."""
        found: dict[str, list[str]] = {}
        for act in self.acts:
            for host, states in act.all_states().items():
                told = found.setdefault(host, [])
                if told and states == [State.CLOSED]:
                    continue  # it had no part in this act
                for state in states:
                    if not told or told[-1] != names.name(state, style):
                        told.append(names.name(state, style))
        return found

    def ladder(self, style: Style | None = None) -> str:
        """The drawings of all acts, each under its title."""
        return "\n".join(f"{act.title}\n\n{act.ladder(style)}" if act.title else act.ladder(style) for act in self.acts)


def perform(scenario: Scenario, preset: Config = DEFAULT, version: int = 4) -> Result:
    """Run a scenario over IPv4 or IPv6. A claim that is false, or an exception, makes the result not `ok`; nothing is
    raised."""
    play = Play(preset, version)
    error = ""
    try:
        scenario.script(play)
    except Exception as problem:
        error = f"{type(problem).__name__}: {problem}"
    result = Result(scenario, preset.name, play.acts, play.stream.getvalue(), error)
    if error:
        result.loose.append(Claim("the scenario runs to its end", False, error))
    return result
