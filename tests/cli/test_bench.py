"""`lastack bench` as a user meets it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from pathlib import Path
from signal import SIGINT, SIGTERM

import pytest

from lastack.bench import alone, run
from lastack.bench.alone import ALONE
from lastack.bench.sides import BenchError
from lastack.bench.works import WORKS
from lastack.cli import main as command_line
from lastack.device.poll import Poller
from tests.bench.test_results import EMPTY_PAGE
from tests.cli.device import SOURCE

# Heeds interrupts, also where these tests run in the background, deaf to them.
HEEDFUL = "import signal; signal.signal(signal.SIGINT, signal.default_int_handler)\n"
MAIN = "from lastack.cli.main import main; main()"


def bench(capsys: pytest.CaptureFixture[str], *arguments: str) -> tuple[int, str, str]:
    """The exit code, the output and the error output."""
    with pytest.raises(SystemExit) as ended:
        command_line.main(["bench", *arguments])
    out, err = capsys.readouterr()
    return int(ended.value.code or 0), out, err


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Measurements without a peer give 1 at once."""
    monkeypatch.setattr(alone, "run", lambda name, scale: dict.fromkeys((row.name for row in ALONE[name].rows), 1.0))


def test_the_list_names_all(capsys):
    code, out, _ = bench(capsys, "--list")
    assert code == 0
    assert [line.split()[0] for line in out.splitlines()] == [*WORKS, *ALONE]
    assert json.loads(bench(capsys, "--list", "--format", "json")[1]).keys() == {*WORKS, *ALONE}


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["absent"], "there is no 'absent' to measure; there are: bulk-in, bulk-out"),
        (["--profile", "memory"], "there is no 'memory' to measure"),
        (["--profile", "bulk-in", "--pairs", "3"], "--profile NAME goes with"),
        (["--pairs", "0"], "--pairs"),
        (["--seconds", "nan"], "--seconds"),
        (["--load", "absent.json"], "cannot read absent.json"),
        (["--load", "a.json", "memory"], "leave out the names"),
        (["memory", "--save", "absent/a.json"], "cannot write absent/a.json"),
    ],
)
def test_bad_use_is_told_and_nothing_is_measured(capsys, tmp_path, monkeypatch, arguments: list[str], told: str):
    monkeypatch.chdir(tmp_path)
    code, out, err = bench(capsys, *arguments)
    assert (code, out) == (2, "")
    assert told in " ".join(err.replace("│", " ").split())


def test_without_root_it_says_what_can_be_measured(capsys, monkeypatch):
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    code, _, err = bench(capsys, "bulk-in", "memory")
    assert code == 1
    assert "need root" in err and "lastack bench memory" in err


def test_a_program_that_is_missing_is_named_before_anything_is_measured(capsys, monkeypatch):
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    monkeypatch.setattr(run.shutil, "which", lambda name: None)
    code, _, err = bench(capsys, "http", "bulk-in")
    assert code == 1
    assert "apt install wrk" in err


def test_results_are_kept_and_shown_again(capsys, tmp_path: Path, quick):
    kept = tmp_path / "kept.json"
    code, out, _ = bench(capsys, "time-wait", "sim-segments", "--pairs", "2", "--save", str(kept))
    assert code == 0
    assert "1.00 !" in out  # segments a second
    assert bench(capsys, "--load", str(kept)) == (0, out, "")
    assert bench(capsys, "--load", str(kept), "--format", "json")[1] == kept.read_text()


def test_charts_are_the_same_again(capsys, tmp_path: Path, quick):
    pytest.importorskip("matplotlib")
    kept, page = tmp_path / "kept.json", tmp_path / "page.md"
    page.write_text(EMPTY_PAGE)
    options = ("--pairs", "2", "--save", str(kept), "--page", str(page))
    assert bench(capsys, "time-wait", "sim-segments", *options)[0] == 0
    drawn = {path.name: path.read_bytes() for path in (tmp_path / "page").iterdir()}
    assert drawn.keys() == {"alone.svg", "time-wait.svg"}
    bench(capsys, "--load", str(kept), "--page", str(page))
    assert {path.name: path.read_bytes() for path in (tmp_path / "page").iterdir()} == drawn


def test_a_page_without_markers_and_drawing_without_its_package_are_told(capsys, tmp_path: Path, quick, monkeypatch):
    kept, page = tmp_path / "kept.json", tmp_path / "page.md"
    bench(capsys, "time-wait", "--pairs", "1", "--save", str(kept))
    page.write_text("")
    assert "no marker" in bench(capsys, "--load", str(kept), "--page", str(page))[2]
    page.write_text(EMPTY_PAGE)
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    monkeypatch.delitem(sys.modules, "lastack.bench.drawing", raising=False)
    code, _, err = bench(capsys, "--load", str(kept), "--page", str(page))
    assert code == 2
    assert "pip install 'lastack[bench]'" in err
    assert page.read_text() == EMPTY_PAGE


def test_what_could_not_be_measured_is_told_at_the_end(capsys, monkeypatch):
    def fail(name: str, scale: float):
        raise BenchError("no more memory")

    monkeypatch.setattr(alone, "run", fail)
    code, _, err = bench(capsys, "memory", "--pairs", "1")
    assert code == 1
    assert "memory: no more memory" in err


@pytest.mark.interop
@pytest.mark.parametrize(("signal", "codes"), [(SIGINT, {1, 130}), (SIGTERM, {143})])
@pytest.mark.parametrize(("what", "children"), [(["ping-pong"], 4), (["--profile", "ping-pong"], 2)])
def test_an_interrupt_leaves_nothing_behind(what: list[str], children: int, signal: int, codes: set[int]):
    """On the kernel's side first; where a profile is made on ours."""
    command = [sys.executable, "-c", HEEDFUL + MAIN, "bench", *what, "--seconds", "20"]
    environment = {**os.environ, "PYTHONPATH": str(SOURCE)}
    before = _inside()
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    with subprocess.Popen(command, env=environment, text=True, start_new_session=True, **pipes) as process:
        _wait_for(lambda: any("client.py" in line for line in _children(process.pid)))
        assert len(_children(process.pid)) >= children  # those that hold namespaces, the client
        process.send_signal(signal)
        _, err = process.communicate(timeout=20)
    assert process.returncode in codes
    assert "Traceback" not in err
    _wait_for(lambda: _inside() <= before)


def _children(pid: int) -> list[str]:
    """The command lines of a process's children."""
    found = []
    for path in Path("/proc").glob("[0-9]*/stat"):
        try:
            if int(path.read_text().rpartition(")")[2].split()[1]) == pid:
                found.append((path.parent / "cmdline").read_text().replace("\0", " "))
        except OSError:
            continue
    return found


def _inside() -> set[str]:
    """The processes of measurements on this machine."""
    found = set()
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            line = path.read_text()
        except OSError:
            continue
        if "bench/client.py" in line or "bench.kernel_server" in line:
            found.add(path.parent.name)
    return found


def _wait_for(true) -> None:
    for _ in range(400):
        if true():
            return
        time.sleep(0.05)
    raise AssertionError("it took longer than 20 seconds")


@pytest.mark.interop
def test_a_work_is_measured_on_both_sides(capsys, monkeypatch):
    spun: list[int] = []
    monkeypatch.setattr(Poller, "_spin", lambda poller, microseconds: spun.append(microseconds))
    code, out, err = bench(capsys, "ping-pong", "--pairs", "2", "--seconds", "0.1", "--spin", "20", "--format", "json")
    assert (code, err) == (0, "")
    told = json.loads(out)
    (one,) = told["comparisons"]
    assert len(one["kernel"]) == len(one["own"]) == len(one["ratios"]) == 2
    assert told["settings"]["kernel"]["sysctls"]["net.ipv4.tcp_congestion_control"] == "reno"
    assert told["settings"]["kernel"]["offloads"]["TSO"] is True
    assert told["settings"]["lastack"]["spin"] == max(spun) == 20


@pytest.mark.interop
def test_a_profile_shows_functions_and_calls(capsys):
    code, out, _ = bench(capsys, "--profile", "ping-pong", "--seconds", "0.2", "--format", "json")
    assert code == 0
    told = json.loads(out)
    assert told["pieces"] > 10
    assert any(row["function"].startswith("tcp/quiet.py") for row in told["rows"])
    assert 0.5 < next(row["calls"] for row in told["rows"] if "posix.writev" in row["function"]) < 2
    rooms = {room["name"]: room["share"] for room in told["rooms"]}
    assert {"tcp/", "host/", "device/", "apps/", "read(2)", "writev(2)"} <= rooms.keys()
    assert sum(rooms.values()) == pytest.approx(1)
    code, out, _ = bench(capsys, "--profile", "ping-pong", "--seconds", "0.1")
    assert "one-byte ping-pong" in out and "posix.writev" in out
