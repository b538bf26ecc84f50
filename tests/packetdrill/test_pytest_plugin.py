"""Scripts among the tests of somebody who uses pytest."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from xml.etree import ElementTree

import pytest

from lastack.packetdrill.report import Outcome, as_junit
from tests.packetdrill.standin import write

ROOT = Path(__file__).parents[2]
_ALONE = ("-p", "no:lastack.aio.pytest_plugin")  # which may be installed as well
STANDIN = """
from lastack.packetdrill import playing
from tests.packetdrill.standin import play

playing.play = play
"""


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """Somebody's project, whose environment has lastack."""
    (tmp_path / "conftest.py").write_text(STANDIN)
    (tmp_path / "pytest.ini").write_text("[pytest]\nfilterwarnings = error\naddopts = --import-mode=importlib\n")
    installed = tmp_path / "site" / "lastack-0.dist-info"
    installed.mkdir(parents=True)
    (installed / "METADATA").write_text("Metadata-Version: 2.1\nName: lastack\nVersion: 0\n")
    name = "lastack.packetdrill.pytest_plugin"
    (installed / "entry_points.txt").write_text(f"[pytest11]\n{name} = {name}\n")
    return tmp_path


def run(project: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    paths = [str(project / "site"), str(ROOT / "src"), str(ROOT)]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(paths), "COLUMNS": "120"}
    command = [sys.executable, "-m", "pytest", "-ra", "-p", "no:cacheprovider", *_ALONE, *arguments]
    return subprocess.run(command, cwd=project, env=environment, capture_output=True, text=True, check=False)


def test_a_script_is_a_test(project: Path) -> None:
    write(project, "tests/good.pkt", "tests/deep/bad.pkt", "tests/lacks.pkt", "tests/crashes.pkt")
    done = run(project)
    assert "2 failed, 1 passed, 1 skipped" in done.stdout
    assert "tests/deep/bad.pkt:3: other flags" in done.stdout
    assert "got:      > R 0:0(0)" in done.stdout
    assert "tests/lacks.pkt:1: unsupported: SO_ZEROCOPY" in done.stdout
    assert "FAILED tests/deep/bad.pkt::bad" in done.stdout


def test_several_processes_find_the_same(project: Path) -> None:
    write(project, "tests/good.pkt", "tests/bad.pkt", "tests/lacks.pkt")
    done = run(project, "-n", "2")
    assert "1 failed, 1 passed, 1 skipped" in done.stdout
    assert run(project, "tests/good.pkt::good").returncode == 0


def test_how_scripts_are_played_is_an_option_or_a_setting(project: Path) -> None:
    write(project, "tells.pkt")
    with (project / "pytest.ini").open("a") as file:
        file.write("lastack_packetdrill_preset = bsd\nlastack_packetdrill_define =\n    A=1\n    B=x=y\n")
    assert "bsd ipv4 {'A': '1', 'B': 'x=y'} []" in run(project).stdout
    options = ("--packetdrill-preset=linux", "--packetdrill-ip-version=ipv6", "--packetdrill-loosen=timing,window")
    assert "linux ipv6 {'A': '1', 'B': 'x=y'} ['timing', 'window']" in run(project, *options).stdout
    assert "packetdrill: there is no preset 'xp'" in run(project, "--packetdrill-preset=xp").stdout


def test_a_project_without_scripts_has_no_trouble(project: Path) -> None:
    (project / "conftest.py").unlink()
    (project / "test_it.py").write_text(
        "import sys\n\n\ndef test_it():\n    assert [n for n in sys.modules if n.startswith('lastack')] == "
        "['lastack', 'lastack.packetdrill', 'lastack.packetdrill.pytest_plugin']\n"
    )
    assert "1 passed" in run(project).stdout
    # A conftest.py that asks for it although it is installed does no harm.
    (project / "conftest.py").write_text('pytest_plugins = ["lastack.packetdrill.pytest_plugin"]\n')
    assert "1 passed" in run(project).stdout


def test_pytest_writes_junits_xml_in_our_shape(project: Path) -> None:
    write(project, "good.pkt", "bad.pkt", "lacks.pkt")
    run(project, "--junit-xml=report.xml")
    theirs = ElementTree.parse(project / "report.xml").getroot()
    outcomes = [Outcome("good.pkt", "passed"), Outcome("bad.pkt", "failed", 3), Outcome("lacks.pkt", "unsupported", 1)]
    ours = ElementTree.fromstring(as_junit(outcomes))
    for root in (theirs, ours):
        assert (root.tag, [suite.tag for suite in root]) == ("testsuites", ["testsuite"])
        assert {name: root[0].get(name) for name in ("tests", "failures", "errors", "skipped")} == {
            "tests": "3",
            "failures": "1",
            "errors": "0",
            "skipped": "1",
        }
        assert {case.get("name", "").removesuffix(".pkt"): [child.tag for child in case] for case in root[0]} == {
            "good": ["properties"],
            "bad": ["properties", "failure"],
            "lacks": ["properties", "skipped"],
        }


def test_what_is_not_fatal_is_a_warning_of_pytests(project: Path) -> None:
    (project / "conftest.py").write_text("")
    (project / "a.pkt").write_text("0 socket(..., SOCK_STREAM, IPPROTO_TCP) = 3\n+0 close(3) = 1\n")
    done = run(project, "--packetdrill-non-fatal=syscall", "-W", "default")
    assert "1 passed, 1 warning" in done.stdout
    assert "a.pkt:2: close came to another result: expected 1, got 0" in done.stdout
    assert "1 failed" in run(project).stdout
