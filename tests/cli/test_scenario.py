"""`lastack scenario` as its users meet it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import typer
from typer.testing import CliRunner, Result

from lastack.cli import scenario as command
from lastack.sim.scenarios.play import perform
from lastack.sim.scenarios.registry import find, scenarios
from lastack.tcp import handshake
from lastack.trace.pcapng import read

app = typer.Typer()
app.command()(command.scenario)


def run(*arguments: str) -> Result:
    return CliRunner().invoke(app, arguments)


def test_a_page_has_all_its_parts() -> None:
    done = run("three-way-handshake")
    assert done.exit_code == 0
    lines = done.output.splitlines()
    assert lines[0] == "three-way-handshake: Three segments open a connection"
    ladder = next(line for line in lines if "S 0:0(0) -" in line)
    assert ladder.split()[1] == "SYN-SENT"
    assert "SYN-RECEIVED" in ladder
    assert "  ✓ it takes three segments" in lines
    assert lines[-1].startswith("three-way-handshake: ok (6 claims, 3 segments, 0.03 s")
    assert "\x1b" not in done.output
    assert max(map(len, lines)) <= 110


def test_json_is_exactly_this() -> None:
    (told,) = json.loads(run("lost-final-ack", "--format", "json").output)
    assert list(told) == ["name", "ok", "claims", "states", "virtual_seconds", "segments"]
    assert (told["name"], told["ok"]) == ("lost-final-ack", True)
    assert all(list(claim) == ["claim", "ok"] for claim in told["claims"])
    assert told["states"]["server"][-3:] == ["CLOSE-WAIT", "LAST-ACK", "CLOSED"]
    assert (told["virtual_seconds"], told["segments"]) == (62.24, 11)


@pytest.mark.parametrize(("style", "state"), [("netstat", "FIN_WAIT2"), ("ss", "FIN-WAIT-2"), ("rfc", "FIN-WAIT-2")])
def test_states_are_spelled_as_asked_everywhere(style: str, state: str) -> None:
    page = run("half-close", "--names", style).output
    assert page.count(state) > 6
    assert ("FIN-WAIT" in page) is (style != "netstat")
    (told,) = json.loads(run("half-close", "--names", style, "--format", "json").output)
    assert state in told["states"]["client"]


def test_the_preset_is_used() -> None:
    assert "preset bsd" in run("half-close", "--preset", "bsd").output


def test_an_unknown_name_is_met_with_what_is_near() -> None:
    done = run("half-close", "three-way-handshak")
    assert done.exit_code == 2
    assert "no scenario 'three-way-handshak'; did you mean three-way-handshake?" in done.stderr
    assert done.stdout == ""


@pytest.mark.parametrize(
    "arguments",
    [
        (),
        ("--all", "half-close"),
        ("half-close", "--preset", "xp"),
        ("half-close", "--format", "xml"),
        ("--list", "half-close"),
        ("--list", "--all"),
        ("--list", "--pcap", "file"),
        ("--list", "--kernel", "--slow"),
    ],
)
def test_misuse_is_told(arguments: tuple[str, ...]) -> None:
    done = run(*arguments)
    assert done.exit_code == 2
    assert done.stderr
    assert "Traceback" not in done.output


def test_a_false_claim_is_status_1(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(handshake, "syn_options", lambda tcb, now: b"")
    done = run("three-way-handshake", "half-close")
    assert done.exit_code == 1
    assert "  ✗ both SYNs carry options, the maximum segment size (1460) among them\n      but: " in done.output
    assert "three-way-handshake: FAILED (1 of 6 claims false" in done.output
    assert "1 of 2 scenarios failed: three-way-handshake" in done.output
    assert json.loads(run("three-way-handshake", "--format", "json").output)[0]["ok"] is False


def test_all_of_them_are_listed_and_run() -> None:
    names = [one.name for one in scenarios()]
    assert [line.split()[0] for line in run("--list").output.splitlines()] == names
    assert [one["name"] for one in json.loads(run("--list", "--format", "json").output)] == names
    assert [one["name"] for one in json.loads(run("--all", "--format", "json").output)] == names


def test_one_capture_is_a_file(tmp_path: Path) -> None:
    file = tmp_path / "one.pcapng"
    assert run("half-close", "--pcap", str(file)).exit_code == 0
    assert len(list(read(file))) == 11


def test_several_captures_are_a_directory(tmp_path: Path) -> None:
    place = tmp_path / "new" / "captures"
    assert run("half-close", "lost-final-ack", "--pcap", str(place)).exit_code == 0
    assert sorted(file.name for file in place.iterdir()) == ["half-close.pcapng", "lost-final-ack.pcapng"]
    assert run("four-way-close", "--pcap", str(place)).exit_code == 0
    assert (place / "four-way-close.pcapng").exists()


def test_a_capture_that_cannot_be_written_is_told(tmp_path: Path) -> None:
    file = tmp_path / "file"
    file.write_text("mine")
    done = run("half-close", "lost-final-ack", "--pcap", str(file))
    assert (done.exit_code, file.read_text()) == (2, "mine")
    assert "is a file" in done.stderr
    done = run("half-close", "--pcap", str(tmp_path / "no" / "such.pcapng"))
    assert done.exit_code == 2
    assert "No such file or directory" in done.stderr


def test_colour_is_for_terminals_and_for_those_who_want_it(monkeypatch: pytest.MonkeyPatch) -> None:
    result = perform(find("lost-final-ack"))
    plain, painted = command.page(result), command.page(result, colour=True)
    assert "\x1b[32m✓\x1b[0m" in painted
    assert "\x1b" not in plain
    monkeypatch.setattr("sys.stdout.isatty", lambda: True, raising=False)
    monkeypatch.delenv("NO_COLOR", raising=False)
    assert command._colour()
    monkeypatch.setenv("NO_COLOR", "1")
    assert not command._colour()


def test_over_ipv6() -> None:
    page = run("three-way-handshake", "--ipv6").output
    assert "[fd00::1]:" in page and "mss 1440" in page and "10.0.0" not in page
    assert "  ✓ both SYNs carry options, the maximum segment size (1440) among them" in page.splitlines()
