"""Scripts found and played, in one process and in several; what hangs, ends or is broken harms nobody else."""

from __future__ import annotations

import os
import re
from multiprocessing import active_children
from pathlib import Path
from typing import Any

import pytest

import lastack.packetdrill
from lastack.packetdrill import playing
from lastack.packetdrill.playing import Way, play_path
from lastack.packetdrill.report import Outcome
from lastack.packetdrill.settings import Settings
from lastack.packetdrill.suite import NoScripts, captures, find, play_each, play_file, play_files, way_of
from lastack.packetdrill.virtual.machine import VirtualMachine
from lastack.tcp.config import Config
from lastack.trace.pcapng import read
from tests.packetdrill.standin import write


def test_directories_are_walked_in_order_and_nothing_comes_twice(standin: Path) -> None:
    write(standin, "b/z.pkt", "b/a/y.pkt", "b/a.pkt", "x.txt", "b/not.txt")
    (standin / "b/link.pkt").symlink_to(standin / "b/z.pkt")
    found = find(["x.txt", "b", "./b/a.pkt", standin / "b"])
    assert [one.shown for one in found] == ["x.txt", "b/a/y.pkt", "b/a.pkt", "b/link.pkt"]


def test_paths_are_written_from_where_we_are(standin: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write(standin, "here/a.pkt", "there/b.pkt")
    monkeypatch.chdir(standin / "here")
    found = find([standin / "here", "../there"])
    assert [one.shown for one in found] == ["a.pkt", "../there/b.pkt"]


@pytest.mark.parametrize("path", ["absent.pkt", "empty"])
def test_a_path_without_a_script_is_an_error(standin: Path, path: str) -> None:
    (standin / "empty").mkdir()
    with pytest.raises(NoScripts, match=path):
        find([path])


def test_captures_of_one_name_are_kept_apart_by_folders(standin: Path) -> None:
    scripts = [*write(standin, "a/x.pkt", "b/x.pkt", "b/y.pkt", "b/x.txt")]
    names = [str(one.relative_to("out")) for one in captures(find(scripts), Path("out"))]
    assert names == ["a/x.pcapng", "b/x.pcapng", "y.pcapng", "x.txt.pcapng"]
    play_files(["a", "b"], pcap="out")
    assert len(list(read(standin / "out/a/x.pcapng"))) == 2


def plain(outcome: Outcome) -> tuple[str, str, int, str, str]:
    """What is the same in every run."""
    return outcome.file, outcome.outcome, outcome.line, outcome.message, outcome.details


def test_outcomes_are_the_same_whatever_the_number_of_processes(standin: Path) -> None:
    write(standin, *[f"{what}-{number}.pkt" for what in ("good", "bad", "lacks", "crashes") for number in range(5)])
    (standin / "wrong.pkt").write_text("0 socket(..., = 3\n")
    alone, together = play_files(["."]), play_files(["."], jobs=3)
    assert [plain(one) for one in alone if one.file != "x"] == [plain(one) for one in together]
    assert [one.outcome for one in alone] == ["failed"] * 5 + ["error"] * 5 + ["passed"] * 5 + ["unsupported"] * 5 + [
        "error"
    ]
    assert alone[5].message == "KeyError: 'a bug of ours' (a bug of lastack's)"
    assert "in play" in alone[5].details
    assert (alone[-1].line, alone[-1].message) == (1, "expected a value, found '='")


@pytest.mark.parametrize("jobs", [1, 2])
def test_what_hangs_is_ended(standin: Path, jobs: int) -> None:
    write(standin, "a.pkt", "hangs.pkt", "z.pkt")
    told = play_files(["."], jobs=jobs, limit=0.2)
    assert [one.outcome for one in told] == ["passed", "error", "passed"]
    assert told[1].message == "took longer than 0.2 s of real time"


def test_who_ends_a_process_ends_its_own_alone(standin: Path) -> None:
    write(standin, "a.pkt", "dies.pkt", "z.pkt")
    told = play_files(["."], jobs=2)
    assert [one.outcome for one in told] == ["passed", "error", "passed"]
    assert told[1].message == "the process ended with status 3"


def test_turning_away_leaves_no_process(standin: Path) -> None:
    write(standin, "a.pkt", "hangs-1.pkt", "hangs-2.pkt")
    playing = play_each(find(["."]), Way(), jobs=2)
    assert next(playing).ok
    assert len(active_children()) == 2
    playing.close()
    assert active_children() == []


def test_a_failure_shows_what_helps(standin: Path) -> None:
    (path,) = write(standin, "bad.pkt")
    told = play_file(path)
    assert (told.place, told.message, told.virtual_seconds) == ("bad.pkt:3", "other flags", 1.5)
    assert told.details.splitlines()[2:6] == ["> 3 | +0 > S 0:0(0)", "", "expected: > S 0:0(0)", "got:      > R 0:0(0)"]
    assert "S. 0:0(0) ack 1" in told.details
    assert not play_file(write(standin, "good.pkt")[0]).details


def test_a_script_that_was_late_itself_says_so(standin: Path) -> None:
    told = play_file(write(standin, "late.pkt")[0])
    assert told.late_seconds == 0.0314
    assert "own packets and calls were up to 0.031 s late" in told.details
    assert "late" not in play_file(write(standin, "bad.pkt")[0]).details


def test_on_both_the_worse_outcome_counts_and_the_traces_stand_side_by_side(
    standin: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(playing.MACHINES, "kernel", "another")
    (path,) = write(standin, "differs.pkt")
    told = play_path(path, Way(on="both"), capture=standin / "one.pcapng")
    assert (told.outcome, told.line, told.virtual_seconds) == ("failed", 3, 3.0)
    assert told.message == "kernel: other flags (lastack: passed)"
    assert ["lastack", "kernel"] in [line.split() for line in told.details.splitlines()]
    assert told.details.count("> S. 0:0(0) ack 1") == 2
    assert [name for _, name, _ in read(standin / "one.pcapng")] == ["lastack", "lastack", "kernel", "kernel"]
    assert play_path(write(standin, "good.pkt")[0], Way(on="both")).ok


def test_on_both_the_other_failure_is_shown_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def without_sack(config: Config, settings: Settings, observer: Any) -> VirtualMachine:
        return VirtualMachine(config.having(sack=False), settings, observer)

    monkeypatch.setitem(playing.MACHINES, "kernel", without_sack)
    opened = "0 socket(..., SOCK_STREAM, IPPROTO_TCP) = 3\n+0 fcntl(3, F_SETFL, O_RDWR|O_NONBLOCK) = 0\n"
    opened += "+0 connect(3, ..., ...) = -1 EINPROGRESS\n"
    (tmp_path / "a.pkt").write_text(opened + "+0 > S 0:0(0) <mss 1460,nop,nop,sackOK>\n")
    told = play_path(tmp_path / "a.pkt", Way(on="both"))
    assert told.message.startswith("lastack: the packet differs: options: expected <mss 1460,nop,nop,sackOK>, got <mss")
    assert "(kernel: failed in line 4: the packet differs" in told.message
    assert (
        told.details.count("> S 0:0(0) <mss 1460,nop,nop,") >= 2 and "\nOn kernel: the packet differs" in told.details
    )
    assert told.details.count("> 4 |") == 1
    (tmp_path / "a.pkt").write_text(opened + "+0 close(3) = 1\n")
    assert play_path(tmp_path / "a.pkt", Way(on="both")).message.endswith("expected 1, got 0 (kernel: the same)")


def test_what_cannot_be_read_is_told(standin: Path) -> None:
    (standin / "binary.pkt").write_bytes(bytes(range(256)))
    (standin / "loop.pkt").symlink_to("loop.pkt")
    assert play_file("binary.pkt").outcome == "error"
    assert "No such file" in play_file("absent.pkt").message
    assert "symbolic links" in play_file("loop.pkt").message


@pytest.mark.parametrize(
    "how",
    [{"on": "moon"}, {"preset": "xp"}, {"loosen": ["time"]}, {"ip_version": "ipv5"}, {"defines": {"1x": "2"}}],
)
def test_what_makes_no_sense_raises(how: dict) -> None:
    with pytest.raises(ValueError, match=r"moon|xp|time|ipv5|1x"):
        way_of(**how)


def test_the_package_has_the_ways_to_play() -> None:
    assert lastack.packetdrill.play_files is play_files
    with pytest.raises(AttributeError):
        lastack.packetdrill.absent  # noqa: B018


def test_the_examples_of_the_document_do_what_it_says(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    text = (Path(__file__).parents[2] / "docs" / "packetdrill.md").read_text(encoding="utf-8")
    script, python = (re.search(rf"^```{kind}\n(.*?)^```", text, re.DOTALL | re.MULTILINE) for kind in ("", "python"))
    assert script is not None and python is not None
    monkeypatch.chdir(tmp_path)
    Path("tests").mkdir()
    Path("tests/close.pkt").write_text(script[1])
    exec(python[1], {})
    assert capsys.readouterr().out.split()[:2] == ["tests/close.pkt", "passed"]


def test_an_argument_that_there_is_not_is_refused(tmp_path: Path) -> None:
    with pytest.raises(TypeError, match="define: the arguments are on, preset"):
        play_file(tmp_path / "a.pkt", define=["A=1"])  # type: ignore[call-arg]


def test_a_pipe_is_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.pkt")
    told = play_file(tmp_path / "pipe.pkt", limit=1.0)
    assert (told.outcome, told.message) == ("error", "cannot be read: this is a pipe or a device")


def test_what_is_not_fatal_can_be_said_from_outside(tmp_path: Path) -> None:
    (tmp_path / "a.pkt").write_text("0 socket(..., SOCK_STREAM, IPPROTO_TCP) = 3\n+0 close(3) = 1\n")
    assert play_file(tmp_path / "a.pkt").outcome == "failed"
    outcome = play_file(tmp_path / "a.pkt", non_fatal=["syscall"])
    assert outcome.ok and [one.line for one in outcome.warnings] == [2]
    assert outcome.warned == [f"{outcome.file}:2: close came to another result: expected 1, got 0"]
    both = play_file(tmp_path / "a.pkt", non_fatal=["syscall", "packet"])
    assert both.warnings == outcome.warnings


@pytest.mark.parametrize(
    ("data", "line", "told"),
    [
        (b"", 0, "the file is empty"),
        (b"// nothing\n", 0, "the script has no event"),
        (b"0 close(3) = 0".decode().encode("utf-16"), 1, "a byte that is not UTF-8"),
        (b"// gr\xfc\xdfe\n0 gr\xfc\xdfe(3) = 0\n", 2, "a byte that is not UTF-8"),
        (b"0 cl\0ose(3) = 0\n", 1, "a byte 0"),
        (b"0 close(3)\n\n\n", 1, "expected '=', found the end of the script"),
        (b"0 close(" + b"3," * 20_000 + b"3) = 0\n", 1, "over 10,000 values in brackets"),
        (b"0 close({" + b"3," * 20_000 + b"3}) = 0\n", 1, "over 10,000 values in brackets"),
        (b"0 %{ x = " + b"-" * 50_000 + b"1 }%\n", 1, "the code is no Python: it is too deep"),
        (b"x" * 100_000 + b"\n", 1, "expected the time of an event"),
        (b"0 close(3) = -1 " + b"x" * 100_000 + b"\n", 1, "is no error such as EAGAIN"),
    ],
)
def test_what_is_no_script_is_told_in_a_few_lines(tmp_path: Path, data: bytes, line: int, told: str) -> None:
    (tmp_path / "a.pkt").write_bytes(data)
    outcome = play_file(tmp_path / "a.pkt")
    assert (outcome.outcome, outcome.line) == ("error", line)
    assert told in outcome.message or outcome.message.startswith("'xxx")
    assert len(outcome.message) + len(outcome.details) < 2500 and "Traceback" not in outcome.details


@pytest.mark.parametrize("ends", ["\r\n", "\r", "\n\t"])
def test_lines_may_end_as_on_other_systems(tmp_path: Path, ends: str) -> None:
    text = ends.join(["\ufeff// gr\xfc\xdfe", "0\tsocket(..., SOCK_STREAM, IPPROTO_TCP) = 3", "+0 close(3) = 0", ""])
    (tmp_path / "a.pkt").write_text(text, encoding="utf-8", newline="")
    assert play_file(tmp_path / "a.pkt").ok


def test_a_long_line_is_compared_in_no_time(tmp_path: Path) -> None:
    long = ", ".join(["{..., 1}"] * 1000)
    (tmp_path / "a.pkt").write_text(f"0 writev(3, [{long}], 1000) = 1\n")
    assert len(play_file(tmp_path / "a.pkt").details) < 30_000


def test_a_capture_that_cannot_be_written_is_told(tmp_path: Path) -> None:
    (tmp_path / "a.pkt").write_text("0 socket(..., SOCK_STREAM, IPPROTO_TCP) = 3\n")
    (tmp_path / "a.pcapng").mkdir()
    (outcome,) = play_files([tmp_path], pcap=tmp_path)
    assert outcome.outcome == "error" and "the packets cannot be written to" in outcome.message
    assert "Traceback" not in outcome.details


def test_a_script_that_takes_too_long_is_told_with_its_line(tmp_path: Path) -> None:
    (tmp_path / "a.pkt").write_text("0 socket(..., SOCK_STREAM, IPPROTO_TCP) = 3\n+0 %{\nwhile True: pass\n}%\n")
    outcome = play_file(tmp_path / "a.pkt", limit=0.05)
    assert (outcome.line, outcome.message) == (2, "took longer than 0.05 s of real time")
    assert "> 2 | +0 %{" in outcome.details and "Traceback" not in outcome.details
