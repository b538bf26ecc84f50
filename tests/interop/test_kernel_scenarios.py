"""The scenarios against the kernel: every claim of each holds, and the command tells it."""

from __future__ import annotations

import json
from functools import cache
from pathlib import Path

import pytest
import typer
from typer.testing import CliRunner, Result

from lastack.cli import scenario as command
from lastack.cli.kernel_scenarios import watch
from lastack.cli.kernel_scenarios.catalogue import KernelResult, KernelScenario, kernel_scenarios, perform
from lastack.sim.scenarios.registry import scenarios
from lastack.tcp import handshake
from lastack.tcp.states import Event, State
from tests.sim.scenarios.about import AGAIN, KERNEL_NOTES
from tests.trace.tshark import differences, notes

app = typer.Typer()
app.command()(command.scenario)

KERNEL = pytest.mark.interop()
EVERY = pytest.mark.parametrize("one", kernel_scenarios(), ids=lambda one: one.name)


def run(*arguments: str) -> Result:
    return CliRunner().invoke(app, arguments)


@cache
def performed(one: KernelScenario, version: int = 4) -> KernelResult:
    """They take their time: once is enough."""
    return perform(one, version=version)


@KERNEL
@EVERY
@pytest.mark.parametrize("version", [4, 6])
def test_every_claim_holds(one: KernelScenario, version: int) -> None:
    result = performed(one, version)
    assert [(claim.text, claim.saw) for claim in result.claims if not claim.ok] == []
    assert result.claims
    assert result.segments
    assert result.ladder()


@pytest.mark.interop("tshark")
@EVERY
def test_tshark_remarks_on_what_it_is_about(one: KernelScenario, tmp_path: Path) -> None:
    (tmp_path / "capture.pcapng").write_bytes(performed(one).capture)
    found = notes(tmp_path / "capture.pcapng")
    # Its SYNs are lost on purpose, and go again where a busy machine takes over a second for all of it.
    beside = {AGAIN} if one.name == "netstat-view" else set()
    assert differences(found, KERNEL_NOTES[one.name], beside) == []


def test_every_row_that_is_to_be_shown_against_the_kernel_is() -> None:
    assert [one.name for one in kernel_scenarios()] == [one.name for one in scenarios() if one.kernel]


@KERNEL
def test_the_agreed_shape_of_json() -> None:
    done = run("three-way-handshake", "--kernel", "--format", "json")
    (told,) = json.loads(done.stdout)
    assert list(told) == ["name", "ok", "claims", "states", "virtual_seconds", "segments"]
    assert told["states"]["server"][:4] == ["CLOSED", "LISTEN", "SYN-RECEIVED", "ESTABLISHED"]


@KERNEL
def test_what_takes_a_minute_is_left_out_and_told() -> None:
    done = run("simultaneous-close", "--kernel", "--format", "json")
    assert done.stderr == (
        "lastack scenario: simultaneous-close: left out without --slow: the kernel's TIME-WAIT lasts 60 s\n"
    )
    assert json.loads(done.stdout)[0]["ok"] is True


@KERNEL
def test_a_bug_of_ours_is_seen(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(handshake, "syn_options", lambda tcb, now: b"")
    done = run("three-way-handshake", "--kernel")
    assert done.exit_code == 1
    assert "against the Linux kernel" in done.output


def test_a_scenario_that_is_not_played_against_the_kernel_is_told() -> None:
    done = run("port-exhaustion", "--kernel")
    assert done.exit_code == 2
    assert "port-exhaustion is not played against the kernel" in done.stderr
    assert run("half-close", "--slow").exit_code == 2


def test_the_list_is_of_those_that_are() -> None:
    told = [line.split()[0] for line in run("--list", "--kernel").output.splitlines()]
    assert told == [one.name for one in kernel_scenarios()]


@pytest.mark.parametrize(
    ("old", "new", "likely", "events"),
    [
        (State.ESTABLISHED, State.CLOSED, watch.RESET, [Event.RCV_RST]),
        (State.ESTABLISHED, State.CLOSED, watch.CALL, [Event.ABORT]),
        (State.FIN_WAIT_2, State.CLOSED, watch.TIME, [Event.FIN_WAIT_2_TIMEOUT]),
        (State.FIN_WAIT_2, State.CLOSED, watch.FIN, [Event.RCV_FIN, Event.TIME_WAIT_TIMEOUT]),
        (State.FIN_WAIT_1, State.TIME_WAIT, watch.FIN, [Event.RCV_ACK_OF_FIN, Event.RCV_FIN]),
    ],
)
def test_events_are_inferred_along_the_table(
    old: State, new: State, likely: tuple[Event, ...], events: list[Event]
) -> None:
    assert [event for event, _ in watch.way(old, new, likely)] == events
