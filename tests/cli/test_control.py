"""The control socket of a running lastack."""

from __future__ import annotations

import json
import os
import socket
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from lastack.cli import control
from lastack.cli.control import Control, ControlError, ask
from lastack.sim.scenarios.stage import Stage
from tests.cli.control_loop import Loop, left_behind

pytestmark = pytest.mark.usefixtures("place")


def test_it_tells_the_sockets_and_goes_at_the_end(stage: Stage, loop: Loop, place: Path):
    with Control(stage.world["server"], loop, "tun0") as made:
        assert made.path == place / f"{os.getpid()}-tun0.sock"
        assert stat.S_IMODE(made.path.stat().st_mode) == 0o600
        assert stat.S_IMODE(place.stat().st_mode) == 0o700
        answer = loop.turn_beside(lambda: ask(made.path))
        assert (answer["pid"], answer["device"], answer["addresses"]) == (os.getpid(), "tun0", ["10.0.0.2"])
        assert [one["state"] for one in answer["sockets"]] == ["LISTEN", "ESTABLISHED"]
    assert not made.path.exists()
    made.close()


def test_no_umask_opens_it(stage: Stage, loop: Loop):
    old = os.umask(0)
    try:
        with Control(stage.world["server"], loop, "tun0") as made:
            assert stat.S_IMODE(made.path.stat().st_mode) == 0o600
    finally:
        os.umask(old)


@pytest.mark.parametrize(
    ("question", "answer"),
    [
        (b'{"ask": "sockets"}\n', '"sockets": ['),
        (b'{"ask": "weather"}\n', "unknown question 'weather'"),
        (b"weather?\n", "a question is a line of JSON"),
        (b"[]\n", "a question is a line of JSON"),
        (b"[" * 1000 + b"\n", "a question is a line of JSON"),
        (b"\xff\n", "a question is a line of JSON"),
        (b"x" * 2000, "at most 1024 bytes"),
    ],
)
def test_every_question_has_an_answer(stage: Stage, loop: Loop, question: bytes, answer: str):
    with Control(stage.world["server"], loop, "tun0") as made, socket.socket(socket.AF_UNIX) as asking:
        asking.connect(str(made.path))
        asking.sendall(question)
        told = loop.turn_beside(lambda: b"".join(iter(lambda: asking.recv(4096), b"")))
        assert answer in told.decode()


def test_who_never_asks_gives_way_to_who_does(stage: Stage, loop: Loop):
    with Control(stage.world["server"], loop, "tun0") as made:
        idle = [socket.socket(socket.AF_UNIX) for _ in range(30)]
        for one in idle:
            one.connect(str(made.path))
            loop.poller.wait(0)
        assert loop.turn_beside(lambda: ask(made.path))["sockets"]
        assert len(made._clients) <= 8
        for one in idle:
            one.close()


def test_an_answer_of_many_pieces_lets_the_loop_turn(stage: Stage, loop: Loop):
    """Nobody reads: the loop is not held up, and keeps no more than a piece of the answer."""
    for port in range(1000, 1700):
        stage.server.listen(port)
    with Control(stage.world["server"], loop, "tun0") as made, socket.socket(socket.AF_UNIX) as asking:
        asking.connect(str(made.path))
        asking.sendall(b'{"ask": "sockets"}\n')
        for _ in range(200):
            loop.poller.wait(0)
        assert len(made._clients) == 1
        told = loop.turn_beside(lambda: b"".join(iter(lambda: asking.recv(4096), b"")))
        assert len(json.loads(told)["sockets"]) == 702


def test_what_a_killed_process_left_is_removed(stage: Stage, loop: Loop, place: Path):
    for name in ("99-tun0.sock", f"{os.getpid()}-tun0.sock"):
        left_behind(place / name)
    (place / "a file of somebody").touch()
    with Control(stage.world["server"], loop, "tun0") as made:
        assert sorted(os.listdir(place)) == sorted([made.path.name, "a file of somebody"])
    left_behind(place / "99-tun0.sock")
    assert control.running() == []
    assert os.listdir(place) == ["a file of somebody"]


def test_a_path_of_one_s_own(stage: Stage, loop: Loop, tmp_path: Path):
    path = tmp_path / "mine"
    left_behind(path)
    with Control(stage.world["server"], loop, "tun0", path):
        with pytest.raises(ControlError, match="another lastack answers there"):
            Control(stage.world["client"], loop, "tun1", path)
        assert path.is_socket()
    path.write_text("kept")
    with pytest.raises(ControlError, match="there is such a file already"):
        Control(stage.world["server"], loop, "tun0", path)
    assert path.read_text() == "kept"
    with pytest.raises(ControlError, match=r"no control socket at .*: No such file"):
        Control(stage.world["server"], loop, "tun0", tmp_path / "none" / "mine")
    with pytest.raises(ControlError, match="at most 107 bytes"):
        Control(stage.world["server"], loop, "tun0", tmp_path / ("x" * 108))


def test_a_directory_that_others_may_write_to_is_not_used(place: Path):
    place.mkdir(mode=0o777)
    place.chmod(0o777)
    with pytest.raises(ControlError, match="--control"):
        control.default_path("tun0")
    place.rmdir()
    place.symlink_to("/tmp")
    with pytest.raises(ControlError, match="--control"):
        control.default_path("tun0")


def test_where_it_looks(monkeypatch: pytest.MonkeyPatch, tmp_path: Path):
    monkeypatch.undo()
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path))
    tmp_path.chmod(0o700)
    assert control.directories()[0] == tmp_path / "lastack"
    monkeypatch.setenv("XDG_RUNTIME_DIR", "relative")
    assert control.directories()[-1].name == f"lastack-{os.geteuid()}"
    assert all(path.is_absolute() for path in control.directories())


def test_another_user_may_not_ask(stage: Stage, loop: Loop, tmp_path: Path):
    if os.geteuid() != 0:
        pytest.skip("needs root")
    directory = Path(f"/tmp/lastack-test-{os.getpid()}")
    directory.mkdir(mode=0o755)
    try:
        with Control(stage.world["server"], loop, "tun0", directory / "path") as made:
            code = f"import os, socket; os.setuid(65534); socket.socket(socket.AF_UNIX).connect({str(made.path)!r})"
            done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
            assert "PermissionError" in done.stderr
    finally:
        directory.rmdir()


def test_a_lastack_that_is_stopped(tmp_path: Path):
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(tmp_path / "path"))
        listener.listen()
        with pytest.raises(ControlError, match="does not answer: is it stopped"):
            ask(tmp_path / "path", patience=0.01)
