"""The watch on ECN: whole transfers over a path that marks, and each planted bug that it must see. RFC 3168."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from lastack.link.faults import Faults
from lastack.sim.plan import Plan
from lastack.sim.simulation import run_simulation
from lastack.tcp import ecn, output, segments
from lastack.tcp.config import DEFAULT
from tests.sim.plans import READS, SENDS, plan

Patch = pytest.MonkeyPatch
BULK = replace(SENDS, size=400_000, write=100_000)


def marking(passive: bool = False, loss: float = 0.0, version: int = 4) -> Plan:
    """A bulk transfer over a path that marks a tenth of what may be marked."""
    on = DEFAULT.having(ecn="on")
    faults = {name: Faults(delay=10_000, ecn_mark=0.1, loss=loss) for name in "ab"}
    configs = {"a": DEFAULT if passive else on, "b": on if passive else DEFAULT}
    return plan(BULK, READS, configs=configs, faults=faults, version=version)


@pytest.mark.parametrize("version", [4, 6])
@pytest.mark.parametrize("loss", [0.0, 0.02])
def test_a_path_that_marks(version: int, loss: float) -> None:
    result = run_simulation(1, plan=marking(loss=loss, version=version))
    assert result.ok, result.problem
    assert result.counters["faults ecn_mark marked"] > 5
    assert loss or "faults loss lost" not in result.counters


def test_nobody_asked() -> None:
    result = run_simulation(1, plan=marking(passive=True))
    assert result.ok, result.problem
    assert "faults ecn_mark marked" not in result.counters


# --- planted bugs ---


def marks_everything(patch: Patch) -> None:
    def segment(original: Any, tcb: Any, *rest: Any) -> Any:
        made = original(tcb, *rest)
        made.ecn = ecn.ECT_0 if tcb.ecn is not None and tcb.ecn.on else 0
        return made

    wrap(patch, segments, "_segment", segment)


def marks_what_goes_again(patch: Patch) -> None:
    def again(original: Any, tcb: Any, sent: Any, now: int) -> None:
        original(tcb, sent, now)
        sent.transmissions = 1

    wrap(patch, output, "_again", again)


def marks_unasked(patch: Patch) -> None:
    patch.setattr(ecn.Ecn, "on", True)
    wrap(patch, ecn, "syn_flags", lambda original, tcb: original(tcb) & 0)


def forgets_the_echo(patch: Patch) -> None:
    def segment(original: Any, tcb: Any, *rest: Any) -> Any:
        made = original(tcb, *rest)
        if tcb.ecn is not None:
            tcb.ecn.echo = False
        return made

    wrap(patch, segments, "_segment", segment)


def never_echoes(patch: Patch) -> None:
    patch.setattr(ecn, "arrived", lambda tcb, segment: None)


def echoes_from_the_start(patch: Patch) -> None:
    wrap(patch, ecn.Ecn, "__init__", lambda original, self: (original(self), setattr(self, "echo", True))[0])


def cwr_on_everything(patch: Patch) -> None:
    def emit(original: Any, tcb: Any, sent: Any, now: int, out: list[Any]) -> None:
        before = len(out)
        original(tcb, sent, now, out)
        for segment in out[before:]:
            if sent.transmissions > 1:
                segment.flags |= ecn.CWR

    wrap(patch, segments, "emit", emit)


def wrap(patch: Patch, place: Any, name: str, change: Callable[..., Any]) -> None:
    original = getattr(place, name)
    patch.setattr(place, name, lambda *args: change(original, *args))


BUGS: dict[str, tuple[Callable[[Patch], None], float, str]] = {
    "ECT on pure ACKs": (marks_everything, 0.0, "bears ECT, and no new text"),
    "ECT on retransmissions": (marks_what_goes_again, 0.02, "bears ECT, and no new text"),
    "ECT without an agreement": (marks_unasked, 0.0, "bears ECT, which was not agreed on"),
    "ECE once": (forgets_the_echo, 0.0, "lacks ECE"),
    "no ECE": (never_echoes, 0.0, "lacks ECE"),
    "ECE without a mark": (echoes_from_the_start, 0.0, "bears ECE, and no mark has come"),
    "CWR on retransmissions": (cwr_on_everything, 0.05, "bears CWR, and no new text"),
}


@pytest.mark.parametrize("name", BUGS)
def test_a_bug_is_seen(name: str, monkeypatch: Patch) -> None:
    plant, loss, what = BUGS[name]
    plant(monkeypatch)
    result = run_simulation(1, plan=marking(loss=loss))
    assert not result.ok
    assert what in result.problem, result.problem
