"""Setting files: which may be read, and that none is run."""

from __future__ import annotations

from pathlib import Path

import pytest

from lastack.packetdrill.commands.setting_files import FOLDERS_UP, LARGEST, read
from lastack.packetdrill.errors import ScriptError, Unsupported
from tests.packetdrill.stack import commands

SECRET = "sysctl -q net.ipv4.tcp_sack=0 # hush"


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """The folder of a script, deep in a suite that has a setting file for all."""
    folder = tmp_path / "suite" / "tcp" / "close"
    folder.mkdir(parents=True)
    (tmp_path / "suite" / "common").mkdir()
    (tmp_path / "suite" / "common" / "defaults.sh").write_text("#!/bin/bash\nsysctl -q net.ipv4.tcp_sack=0\n")
    return folder


def test_a_script_sources_what_its_suite_shares(home: Path) -> None:
    stack, found = commands(home)
    found.run("../../common/defaults.sh\nsysctl -q net.ipv4.tcp_dsack=0", 1)
    assert not stack.host.config.sack and not stack.host.config.dsack


def test_a_folder_of_links_to_what_the_suite_shares(home: Path) -> None:
    (home.parent / "common").symlink_to(home.parent.parent / "common")
    assert "tcp_sack" in read(home, "../common/defaults.sh", 1)


def test_the_setter_is_known_by_its_name_and_never_read(home: Path) -> None:
    stack, found = commands(home)
    found.run("../../common/set_sysctls.py /proc/sys/net/ipv4/tcp_timestamps=0 /proc/sys/net/ipv4/tcp_wmem='1 2 3'", 1)
    assert not stack.host.config.timestamps and stack.host.config.send_buffer == 3
    found.run("/tmp/sysctl_restore_${PPID}.sh", 1)


def test_a_mistake_in_a_setting_file_is_told_with_both_lines(home: Path) -> None:
    (home / "mine.sh").write_text("true\nsysctl -q net.ipv4.tcp_of_our_own=1\n")
    with pytest.raises(Unsupported, match=r"line 7: ./mine.sh, line 2: sysctl net.ipv4.tcp_of_our_own"):
        commands(home)[1].run("./mine.sh", 7)


def test_setting_files_that_source_each_other_end(home: Path) -> None:
    (home / "mine.sh").write_text("./mine.sh\n")
    with pytest.raises(ScriptError, match="over 8 deep"):
        commands(home)[1].run("./mine.sh", 1)


@pytest.mark.parametrize(
    "name",
    ["/etc/profile.sh", "../" * (FOLDERS_UP + 1) + "x.sh", "./missing.sh", "./folder.sh", "./notes.txt", "./link.sh"],
)
def test_what_may_not_be_read_is_refused_and_not_shown(home: Path, tmp_path: Path, name: str) -> None:
    (home / "folder.sh").mkdir()
    (home / "notes.txt").write_text(SECRET)
    (tmp_path / "secret").write_text(SECRET)
    (home / "link.sh").symlink_to(tmp_path / "secret")
    with pytest.raises(ScriptError) as raised:
        read(home, name, 3)
    assert raised.value.line == 3 and "hush" not in str(raised.value)
    with pytest.raises(ScriptError):
        commands(home)[1].run(name, 3)


def test_nothing_outside_the_suite_is_reached_by_a_link(home: Path, tmp_path_factory: pytest.TempPathFactory) -> None:
    other = tmp_path_factory.mktemp("other") / "a" / "b" / "c"
    other.mkdir(parents=True)
    far = tmp_path_factory.getbasetemp().parent / "far.sh"
    deep = home / "a" / "b" / "c" / "d"
    deep.mkdir(parents=True)
    far.write_text(SECRET)
    (deep / "link.sh").symlink_to(far)
    try:
        with pytest.raises(ScriptError, match="leads elsewhere"):
            read(deep, "link.sh", 1)
    finally:
        far.unlink()


def test_a_file_that_is_too_large_or_no_text(home: Path) -> None:
    (home / "large.sh").write_text("#" * (LARGEST + 1))
    (home / "binary.sh").write_bytes(b"\xff\xfe")
    for name, message in (("./large.sh", "at most"), ("./binary.sh", "UTF-8")):
        with pytest.raises(ScriptError, match=message):
            read(home, name, 1)
