"""`lastack simulate` as a user meets it."""

import json

import pytest

from lastack.cli import main as command_line
from lastack.sim import simulation


def run(capsys: pytest.CaptureFixture[str], *arguments: str) -> tuple[int, str, str]:
    """The exit code, the output and the error output of a command."""
    with pytest.raises(SystemExit) as ended:
        command_line.main(["simulate", *arguments])
    out, err = capsys.readouterr()
    return int(ended.value.code or 0), out, err


def test_many_seeds_are_summed_up(capsys):
    code, out, _ = run(capsys, "--count", "4", "--jobs", "1")
    assert code == 0
    assert "4 of 4 simulations ok" in out


def test_one_seed_is_replayed_alike(capsys):
    assert run(capsys, "--seed", "3") == run(capsys, "--seed", "3")


def test_json_is_for_programs(capsys):
    code, out, _ = run(capsys, "--count", "2", "--jobs", "1", "--format", "json")
    told = json.loads(out)
    assert (code, told["count"], told["failures"]) == (0, 2, [])
    assert told["counters"]["events"] > 0


def test_a_failure_is_told_with_its_replay(capsys, monkeypatch):
    def lost(self):
        raise AssertionError("a byte was lost")

    monkeypatch.setattr(simulation.Simulation, "_judge", lost)
    code, out, err = run(capsys, "--count", "1", "--jobs", "1")
    assert code == 1
    assert "replay: lastack simulate --seed 0" in err
    assert "0 of 1 simulations ok" in out


@pytest.mark.parametrize(
    "wrong", [("--count", "0"), ("--count", "x"), ("--seed", "-1"), ("--seed", "1", "--first", "9")]
)
def test_a_wrong_value_is_refused(capsys, wrong):
    code, _, err = run(capsys, *wrong)
    assert code == 2
    assert "Traceback" not in err
