"""`lastack packetdrill` as its users meet it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from pathlib import Path
from signal import SIGINT, SIGKILL, SIGTERM
from xml.etree import ElementTree

import pytest
from rich.progress import Progress

from lastack.cli import main as command_line
from lastack.trace.pcapng import read
from tests.cli.test_simulate import HEEDFUL, runs, wait_for_workers
from tests.packetdrill.standin import standin, write

__all__ = ["standin"]
ROOT = Path(__file__).parents[2]


def run(capsys: pytest.CaptureFixture[str], *arguments: object) -> tuple[int, str, str]:
    """The exit code, the output and the error output of a command."""
    with pytest.raises(SystemExit) as ended:
        command_line.main(["packetdrill", *map(str, arguments)])
    out, err = capsys.readouterr()
    return int(ended.value.code or 0), out, err


def test_all_passed_is_status_0(standin: Path, capsys) -> None:
    write(standin, "a.pkt", "b/c.pkt")
    code, out, err = run(capsys, "a.pkt", "b")
    assert (code, err) == (0, "")
    assert out.splitlines()[:2] == ["passed       a.pkt", "passed       b/c.pkt"]
    assert out.splitlines()[-1].startswith("2 scripts: 2 passed, 0 failed (3.000 s virtual, 0.")


@pytest.mark.parametrize("name", ["bad.pkt", "lacks.pkt", "crashes.pkt"])
def test_anything_else_is_status_1(standin: Path, capsys, name: str) -> None:
    write(standin, "a.pkt", name)
    assert run(capsys, ".")[0] == 1
    assert run(capsys, "a.pkt")[0] == 0


@pytest.mark.parametrize(
    "wrong",
    [
        ("absent.pkt",),
        ("empty",),
        (),
        ("a.pkt", "--define", "N"),
        ("a.pkt", "--define", "=V"),
        ("a.pkt", "--loosen", "window,time"),
        ("a.pkt", "--preset", "xp"),
        ("a.pkt", "--non-fatal", "code"),
        ("a.pkt", "--on", "moon"),
        ("a.pkt", "--ip-version", "5"),
        ("a.pkt", "--format", "xml"),
        ("a.pkt", "--jobs", "-1"),
        ("a.pkt", "--pcap", "a.pkt"),
    ],
)
def test_misuse_is_status_2(standin: Path, capsys, wrong: tuple[str, ...]) -> None:
    write(standin, "a.pkt")
    (standin / "empty").mkdir()
    code, out, err = run(capsys, *wrong)
    assert (code, out) == (2, "")
    assert err
    assert "Traceback" not in err


def test_programs_get_json_and_xml(standin: Path, capsys) -> None:
    write(standin, "a.pkt", "bad.pkt")
    told = json.loads(run(capsys, ".", "--format", "json")[1])
    assert [(one["file"], one["outcome"], one["line"]) for one in told] == [
        ("a.pkt", "passed", 0),
        ("bad.pkt", "failed", 3),
    ]
    root = ElementTree.fromstring(run(capsys, ".", "--format", "junit")[1].encode())
    assert root[0].get("failures") == "1"


def test_captures_are_written_where_they_are_wanted(standin: Path, capsys) -> None:
    write(standin, "a.pkt", "b.pkt")
    assert run(capsys, ".", "--pcap", "new/captures")[0] == 0
    assert [len(list(read(standin / "new/captures" / f"{name}.pcapng"))) for name in "ab"] == [2, 2]


def test_more_is_shown_where_more_is_asked_for(standin: Path, capsys) -> None:
    write(standin, "a.pkt", "bad.pkt")
    out = run(capsys, ".")[1]
    assert "got:      > R 0:0(0)" in out and "passed: a.pkt" not in out
    assert "passed: a.pkt" in run(capsys, ".", "--verbose")[1]


def test_a_terminal_gets_colours_and_a_bar(standin: Path, capsys, monkeypatch: pytest.MonkeyPatch) -> None:
    write(standin, "a.pkt", "bad.pkt")
    assert "\x1b" not in "".join(map(str, run(capsys, ".")))
    monkeypatch.delenv("NO_COLOR", raising=False)
    monkeypatch.setattr("sys.stdout.isatty", lambda: True, raising=False)
    monkeypatch.setattr("sys.stderr.isatty", lambda: True, raising=False)
    bars = []
    monkeypatch.setattr(Progress, "refresh", lambda self: bars.append([task.completed for task in self.tasks]))
    out = run(capsys, ".")[1]
    assert "\x1b[32mpassed     \x1b[0m  a.pkt" in out
    assert out.count("a.pkt") == 1
    assert [1] in bars and [2] in bars
    monkeypatch.setenv("NO_COLOR", "1")
    assert "\x1b[3" not in run(capsys, ".")[1]


PROGRAM = """
import sys
from lastack.cli.main import main
from lastack.packetdrill import playing
from tests.packetdrill.standin import play
playing.play = play
main(sys.argv[1:])
"""


@pytest.mark.parametrize(("number", "code"), [(SIGINT, 130), (SIGTERM, 128 + SIGTERM), (SIGKILL, -SIGKILL)])
def test_no_process_outlives_the_command(standin: Path, number: int, code: int) -> None:
    """A terminal's interrupt comes to all of them, the others to the command alone."""
    write(standin, "hangs-1.pkt", "hangs-2.pkt")
    (standin / "program.py").write_text(PROGRAM.replace("main(", "playing.REAL_SECONDS['lastack'] = 3\nmain(", 1))
    command = [sys.executable, "-c", HEEDFUL, "program.py", "packetdrill", ".", "--jobs", "2"]
    environment = {**os.environ, "PYTHONPATH": f"{ROOT / 'src'}:{ROOT}"}
    with subprocess.Popen(
        command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, start_new_session=True
    ) as process:
        workers = wait_for_workers(process.pid)
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
