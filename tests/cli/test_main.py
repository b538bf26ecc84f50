"""The command line as a newcomer meets it."""

from __future__ import annotations

import re
import subprocess
import sys
from importlib import import_module
from pathlib import Path

import pytest

import lastack
from lastack.cli.main import COMMANDS, build, main

WITH_DEVICE = ("serve", "get", "services")


def shown(capsys: pytest.CaptureFixture[str], *words: str) -> str:
    with pytest.raises(SystemExit) as caught:
        main(list(words))
    assert caught.value.code == 0
    return capsys.readouterr().out


@pytest.fixture(autouse=True)
def wide(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "200")
    monkeypatch.setenv("NO_COLOR", "1")


def test_the_help_names_every_command(capsys: pytest.CaptureFixture[str]) -> None:
    text = shown(capsys, "--help")
    assert [name for name in COMMANDS if f" {name} " not in text] == []


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_is_explained(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert f"lastack {name}" in shown(capsys, name, "--help")


@pytest.mark.parametrize("name", WITH_DEVICE)
def test_a_command_with_a_device_shows_an_example_that_parses(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    text = shown(capsys, name, "--help")
    example = next(line for line in import_module(f"lastack.cli.{name}").EXAMPLE.splitlines() if "    lastack" in line)
    assert " ".join(example.split()) in " ".join(text.split())
    for option in ("--tun", "--address", "--preset", "--mtu", "--no-offload", "--pcap", "--format"):
        assert option in text


def test_no_example_lets_curl_write_over_the_file_that_is_served() -> None:
    """`curl -O` in the served folder opens, and so empties, the very file that it asks for."""
    readme = Path(__file__).parents[2] / "README.md"
    texts = [readme, *Path(lastack.__path__[0], "cli").glob("*.py")]
    shown = [line for text in texts for line in re.findall(r"\bcurl -.*", text.read_text(encoding="utf-8"))]
    assert len(shown) >= 5
    assert [line for line in shown if re.match(r"curl (.* )?(-\w*O|--remote-name)\b", line)] == []


def test_the_version(capsys: pytest.CaptureFixture[str]) -> None:
    assert shown(capsys, "--version") == f"lastack {lastack.__version__}\n"


def test_only_the_command_that_is_asked_for_is_built() -> None:
    assert len(build(("serve",)).registered_commands) == 1
    assert len(build().registered_commands) == len(COMMANDS)


@pytest.mark.parametrize("package", ["typer", "pyroute2"])
def test_a_missing_package_is_named_and_nothing_else_happens(package: str) -> None:
    code = f"import sys; sys.modules['{package}'] = None; from lastack.cli.main import main; main(['--help'])"
    environment = {"PYTHONPATH": str(lastack.__path__[0]).removesuffix("/lastack")}
    done = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.count("\n") == 1 and "pip install 'lastack[cli]'" in done.stderr


def test_commands_that_need_no_device_do_not_wait_for_the_import_of_netlink() -> None:
    code = "import sys; from lastack.cli.main import build; build(); print('pyroute2' in sys.modules)"
    environment = {"PYTHONPATH": str(lastack.__path__[0]).removesuffix("/lastack")}
    done = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=False)
    assert done.stdout == "False\n"
