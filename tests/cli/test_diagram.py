"""`lastack diagram` as its users meet it."""

from __future__ import annotations

from pathlib import Path
from xml.etree import ElementTree

import pytest
import typer
from typer.testing import CliRunner, Result

from lastack.cli.diagram import diagram
from lastack.trace.diagram import FORMATS

app = typer.Typer()
app.command()(diagram)


def run(*arguments: str) -> Result:
    return CliRunner().invoke(app, arguments)


@pytest.mark.parametrize("output", FORMATS)
def test_every_format_is_what_is_drawn(output: str) -> None:
    done = run("--format", output)
    assert (done.exit_code, done.output) == (0, FORMATS[output]())


def test_text_is_the_default() -> None:
    assert run().output == FORMATS["text"]()


def test_states_are_spelled_as_asked() -> None:
    told = run("--names", "netstat").output
    assert "FIN_WAIT2" in told
    assert told == FORMATS["text"](style="netstat")


@pytest.mark.parametrize(
    ("name", "output"), [("a.svg", "svg"), ("a.mmd", "mermaid"), ("a.dot", "dot"), ("a.GV", "dot"), ("a.txt", "text")]
)
def test_a_file_is_of_the_kind_that_it_is_called(name: str, output: str, tmp_path: Path) -> None:
    file = tmp_path / name
    done = run("-o", str(file))
    assert (done.exit_code, done.output) == (0, "")
    assert file.read_text(encoding="utf-8") == FORMATS[output]()


def test_the_format_asked_for_wins(tmp_path: Path) -> None:
    file = tmp_path / "a.txt"
    run("--format", "svg", "-o", str(file))
    assert ElementTree.parse(file).getroot().tag.endswith("svg")


@pytest.mark.parametrize("arguments", [("--format", "png"), ("--names", "windows")])
def test_an_unknown_choice_is_told(arguments: tuple[str, str]) -> None:
    done = run(*arguments)
    assert done.exit_code == 2
    assert f"'{arguments[1]}' is none of" in done.stderr


def test_a_file_that_cannot_be_written_is_told(tmp_path: Path) -> None:
    done = run("-o", str(tmp_path / "no" / "such.svg"))
    assert done.exit_code == 2
    assert "No such file or directory" in done.stderr
