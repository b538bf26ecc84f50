"""Documents tell the truth about the tree, and nothing in it comes from somebody's own machine."""

from __future__ import annotations

import subprocess
import sys
from functools import cache
from pathlib import Path

import pytest

from tests.structure import texts
from tests.structure.conftest import Plant, hold

MAIN = "from lastack.cli.main import main; main()"
SOURCE = Path(__file__).parents[2] / "src"


@cache
def command_help(name: str) -> str | None:
    """What `lastack NAME --help` prints, or None where it fails."""
    environment = {"COLUMNS": "200", "NO_COLOR": "1", "TERM": "dumb", "PYTHONPATH": str(SOURCE)}
    asked = [sys.executable, "-c", MAIN, name, "--help"]
    done = subprocess.run(asked, capture_output=True, text=True, env=environment, check=False)
    return done.stdout if done.returncode == 0 else None


@pytest.mark.parametrize(
    "rule", [texts.links, texts.unfinished, texts.machine_paths, texts.private_words, texts.mirrored]
)
def test_the_tree_keeps(rule, root: Path):
    hold(rule(root))


def test_the_documents_show_commands_that_exist(root: Path):
    hold(texts.commands(root, command_help))


@pytest.mark.parametrize("link", ["absent.md", "docs/absent.md#top", "#absent", "other.md#absent", "../outside.md"])
def test_a_broken_link_is_seen(plant: Plant, link: str):
    plant("other.md", "# Other heading\n")
    assert len(texts.links(plant("README.md", f"# Top\n\nSee [there]({link}).\n"))) == 1


@pytest.mark.parametrize("link", ["#the-top-of-it", "other.md", "other.md#other-heading", "https://example.org/x"])
def test_a_whole_link_passes(plant: Plant, link: str):
    plant("other.md", "# Other heading\n")
    assert texts.links(plant("README.md", f"# The top of it\n\nSee [there]({link}).\n")) == []


@pytest.mark.parametrize(
    "text",
    [
        "`make absent`",
        "```sh\nmake test absent\n```",
        "```console\n$ lastack absent\noutput\n```",
        "`lastack absent NAME`",
        "```sh\nlastack absent   # both ends' states\n```",
        "`lastack demo --absent 3`",
        "```sh\npython fuzz/absent.py --cases 3\n```",
        "`.venv/bin/pytest tests/absent`",
    ],
)
def test_a_command_that_does_not_exist_is_seen(plant: Plant, text: str):
    plant("Makefile", "test:\n")
    assert len(texts.commands(plant("docs/a.md", f"Run:\n\n{text}\n"), {"demo": "--seed"}.get)) == 1


def test_commands_that_exist_pass(plant: Plant):
    plant("Makefile", "PYTHON := x\n\ntest: check\n\nfuzz:\n")
    plant("tests/tcp/test_a.py", "")
    shown = "`make test`\n\n```sh\nlastack demo --seed 3   # the same again\npytest tests/tcp/test_a.py::test_b\n```\n"
    assert texts.commands(plant("README.md", shown), {"demo": "--seed"}.get) == []


@pytest.mark.parametrize("path", ["src/lastack/sim/a.py", "docs/a.md", "Makefile"])
@pytest.mark.parametrize("mark", [f"TO{'DO'}", f"FIX{'ME'}"])
def test_unfinished_work_is_seen(plant: Plant, path: str, mark: str):
    assert len(texts.unfinished(plant(path, f"# {mark}: later\n"))) == 1


@pytest.mark.parametrize("folder", ["work", "root", "home", "Users"])
def test_a_machine_path_is_seen(plant: Plant, folder: str):
    assert len(texts.machine_paths(plant("docs/a.md", f"see\n`/{folder}/me/x`\n"))) == 1


def test_a_path_inside_a_longer_one_passes(plant: Plant):
    assert texts.machine_paths(plant("docs/a.md", "https://example.org/home/ and/work ./root ../work src/work")) == []


@pytest.mark.parametrize("text", ["the Sesame.", "sesame-oil", "open.sesame", "a\nSESAME"])
def test_a_private_word_is_seen(plant: Plant, text: str):
    digests = frozenset({texts.digest("sesame")})
    assert len(texts.private_words(plant("docs/a.md", text), digests)) == 1


def test_a_private_word_in_the_name_of_a_file_is_seen(plant: Plant):
    assert len(texts.private_words(plant("docs/sesame.md", ""), frozenset({texts.digest("sesame.md")}))) == 1


def test_files_left_out_of_version_control_are_not_read(plant: Plant):
    plant(".gitignore", "out.txt\n")
    root = plant("out.txt", f"FIX{'ME'}")
    assert len(texts.unfinished(root)) == 1
    subprocess.run(["git", "init", "--quiet", str(root)], check=True)
    assert texts.unfinished(root) == []


def test_a_room_without_tests_is_seen(plant: Plant):
    plant("src/lastack/wire/__init__.py", "")
    root = plant("src/lastack/sim/clock.py", "")
    assert texts.mirrored(root) == ["src/lastack/sim:1: no tests in tests/sim"]
    plant("tests/sim/deeper/test_clock.py", "")
    assert texts.mirrored(root) == []
