"""`lastack simulate` as a user meets it."""

import json
import os
import subprocess
import sys
import time
from pathlib import Path
from signal import SIGINT, SIGKILL, SIGTERM

import pytest

from lastack.cli import main as command_line
from lastack.sim import simulation
from tests.cli.device import SOURCE

SIMULATE = str(SOURCE / "lastack" / "__main__.py")
FUZZ = str(SOURCE.parent / "fuzz" / "host.py")
# Runs a program that heeds interrupts, also where these tests run in the background, deaf to them.
HEEDFUL = """
import runpy, signal, sys
signal.signal(signal.SIGINT, signal.default_int_handler)
sys.argv = sys.argv[1:]
runpy.run_path(sys.argv[0], run_name="__main__")
"""


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


@pytest.mark.parametrize("program", [(SIMULATE, "simulate", "--jobs", "2", "--count"), (FUZZ, "--cases")])
@pytest.mark.parametrize(("number", "code"), [(SIGINT, 130), (SIGTERM, 128 + SIGTERM), (SIGKILL, -SIGKILL)])
def test_no_worker_outlives_the_command(program: tuple[str, ...], number: int, code: int):
    """A terminal's interrupt comes to all of them, the others to the command alone."""
    command = [sys.executable, "-c", HEEDFUL, *program, "100000"]
    environment = {**os.environ, "PYTHONPATH": str(SOURCE)}
    with subprocess.Popen(
        command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, start_new_session=True
    ) as process:
        workers = wait_for_workers(process.pid)
        time.sleep(0.3)
        if number == SIGINT:
            os.killpg(process.pid, number)
        else:
            process.send_signal(number)
        out, err = process.communicate(timeout=30)  # which ends when the last of the workers has
    assert (process.returncode, out, err.replace("Aborted!", "").strip()) == (code, "", "")
    for _ in range(100):  # an ending process lets go of its pipes first
        if not any(map(runs, workers)):
            break
        time.sleep(0.02)
    assert [pid for pid in workers if runs(pid)] == []


def runs(pid: str) -> bool:
    """What has ended may stay for a while as a zombie: its parent is another one now, which may be slow to ask."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


def wait_for_workers(pid: int) -> list[str]:
    """The children of a process, once it has several."""
    children = Path(f"/proc/{pid}/task/{pid}/children")
    for _ in range(200):
        found = children.read_text().split()
        if len(found) >= 2:
            return found
        time.sleep(0.05)
    raise AssertionError("no workers")
