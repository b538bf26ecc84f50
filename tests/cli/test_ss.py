"""The table of sockets, ours and the kernel's, and the command that shows it."""

from __future__ import annotations

import json
import os
import socket
from collections.abc import Callable, Iterator
from pathlib import Path
from threading import Thread
from typing import Any

import pytest
import typer
from typer.testing import CliRunner

from lastack.cli.control import Control
from lastack.cli.ss import ss
from lastack.device.errors import DeviceError
from lastack.device.kernel_sockets import NETLINK_SOCK_DIAG, kernel_sockets
from lastack.device.sandbox import Sandbox
from lastack.device.socket_rows import Row, Timer, format_left
from lastack.device.socket_table import format_end, rows_of, table
from lastack.sim.scenarios.stage import Stage
from lastack.tcp.states import State
from tests.cli.control_loop import Loop, left_behind

SECOND = 1_000_000
app = typer.Typer()
app.command("ss")(ss)


pytestmark = pytest.mark.usefixtures("place")


def rows(stage: Stage, name: str) -> list[Row]:
    return list(rows_of(stage.world[name], stage.now))


def connection(stage: Stage, name: str) -> Row:
    return next(row for row in rows(stage, name) if row.state is not State.LISTEN)


def run(*arguments: str) -> Any:
    return CliRunner().invoke(app, list(arguments))


# --- the rows ---


def test_a_listener_counts_connections(stage: Stage):
    stage.server.accepts = False
    stage.connect()
    stage.pause()
    assert rows(stage, "server")[0] == Row(State.LISTEN, ("10.0.0.2", 80), ("0.0.0.0", 0), 1, 128)


def test_queues_are_what_waits_to_be_read_and_to_be_acknowledged(stage: Stage):
    stage.server.talk.reads = False
    stage.client.send(b"x" * 100)
    stage.world.settle()
    row = connection(stage, "client")
    assert (row.recv_q, row.send_q, row.timer.name) == (0, 100, "on")
    stage.pause()
    assert connection(stage, "server").recv_q == 100
    assert connection(stage, "client").timer is None


def test_a_syn_and_a_fin_take_a_place_in_the_queue(stage: Stage):
    """As in the kernel, whose queue is counted in sequence numbers."""
    stage.partition()
    stage.connect()
    stage.client.talks[0].close()
    stage.world.settle()
    found = {row.state: row.send_q for row in rows(stage, "client")}
    assert found == {State.FIN_WAIT_1: 1, State.SYN_SENT: 1}


def test_the_peers_fin_takes_a_place_until_the_program_has_read_the_end(stage: Stage):
    """Recv-Q 1 in CLOSE-WAIT: the kernel's ss shows so, too, that nobody has looked."""
    stage.server.talk.reads = False
    stage.client.send(b"x" * 10)
    stage.client.close()
    stage.pause()
    assert (connection(stage, "server").state, connection(stage, "server").recv_q) == (State.CLOSE_WAIT, 11)
    stage.server.talk.read()
    assert connection(stage, "server").recv_q == 0


def test_a_retransmission_is_counted(stage: Stage):
    stage.partition()
    stage.client.send(b"lost")
    stage.wait(1 * SECOND)
    row = connection(stage, "client")
    assert row.retransmits == row.timer.count == row.info["tcpi_retransmits"] > 0


def test_who_closes_first_is_in_time_wait_with_sixty_seconds_left(stage: Stage):
    stage.close(stage.client)
    stage.pause()
    waiting = connection(stage, "client")
    assert (waiting.state, waiting.timer.name, waiting.orphan) == (State.FIN_WAIT_2, "timewait", True)
    assert waiting.send_q == 0  # the FIN is acknowledged
    stage.close(stage.server)
    stage.run(lambda: len(stage.world["client"].time_wait) == 1)
    assert connection(stage, "server").state is State.LAST_ACK
    row = connection(stage, "client")
    assert (row.state, row.timer, row.info) == (State.TIME_WAIT, Timer("timewait", 60 * SECOND), None)
    stage.pause()
    assert [row.state for row in rows(stage, "server")] == [State.LISTEN]


def test_a_row_survives_json(stage: Stage):
    stage.client.send(b"x")
    stage.world.settle()
    for row in [*rows(stage, "client"), *rows(stage, "server")]:
        assert Row.from_dict(json.loads(json.dumps(row.as_dict()))) == row


@pytest.mark.parametrize(
    ("left", "text"),
    [
        (0, "0ms"),
        (199_999, "199ms"),
        (1_200_000, "1.200sec"),
        (52_700_000, "52sec"),
        (60_000_000, "1min"),
        (124_000_000, "2min4sec"),
        (7_199_000_000, "119min"),
    ],
)
def test_time_left_is_short(left: int, text: str):
    assert format_left(left) == text


def test_ends_and_table_read_as_in_ss():
    assert format_end(("fd09::7", 80)) == "[fd09::7]:80"
    assert format_end(("0.0.0.0", 0)) == "0.0.0.0:*"
    row = Row(State.TIME_WAIT, ("10.9.0.7", 80), ("10.9.0.1", 40000), timer=Timer("timewait", 52 * SECOND))
    head, line = table([row])
    assert " ".join(head.split()) == "State Recv-Q Send-Q Local Address:Port Peer Address:Port Timer"
    assert line.split() == ["TIME-WAIT", "0", "0", "10.9.0.7:80", "10.9.0.1:40000", "timer:(timewait,52sec,0)"]
    assert table([row], "netstat")[1].startswith("TIME_WAIT ")
    assert table([Row(None, ("10.9.0.7", 1), ("10.9.0.1", 2))])[1].startswith("UNKNOWN ")


# --- the command ---


@pytest.fixture
def asked(stage: Stage, loop: Loop) -> Iterator[Callable[..., Any]]:
    """Runs the command beside a running lastack; `asked.path` is its control socket."""
    with Control(stage.world["server"], loop, "tun0"):
        yield lambda *arguments: loop.turn_beside(lambda: run(*arguments))


def test_connections_or_listeners_or_both(asked: Callable[..., Any]):
    done = asked()
    assert done.exit_code == 0
    assert [line.split()[0] for line in done.stdout.splitlines()] == ["State", "ESTAB"]
    assert done.stderr == "1 listening socket is not shown: --all shows everything\n"
    assert [line.split()[0] for line in asked("--listening").stdout.splitlines()] == ["State", "LISTEN"]
    both = asked("-a", "--names", "netstat")
    assert [line.split()[0] for line in both.stdout.splitlines()] == ["State", "LISTEN", "ESTABLISHED"]
    assert both.stderr == ""


def test_several_are_listed_one_after_another(asked: Callable[..., Any], stage: Stage, loop: Loop):
    with Control(stage.world["client"], loop, "tun1"):
        lines = asked().stdout.splitlines()
    pid = os.getpid()
    assert [line for line in lines if "lastack" in line] == [
        f"lastack {pid} on tun0 (10.0.0.2)",
        f"lastack {pid} on tun1 (10.0.0.1)",
    ]
    assert len(lines) == 7


def test_json(asked: Callable[..., Any]):
    (told,) = json.loads(asked("--format", "json", "--all").stdout)
    assert [one["state"] for one in told["sockets"]] == ["LISTEN", "ESTAB"]
    assert told["sockets"][1]["tcp_info"]["tcpi_state"] == 1
    assert told["device"] == "tun0"


def test_none_is_running():
    done = run()
    assert (done.exit_code, done.stdout) == (1, "")
    assert "no lastack of this user is running" in done.stderr
    assert "--kernel" in done.stderr


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda path: None, "there is no control socket at"),
        (lambda path: path.write_text("hello"), "no lastack listens at"),
        (left_behind, "no lastack listens at"),
    ],
)
def test_a_control_path_without_a_lastack(tmp_path: Path, make: Callable[[Path], Any], message: str):
    make(tmp_path / "path")
    done = run("--control", str(tmp_path / "path"))
    assert done.exit_code == 1
    assert message in done.stderr


@pytest.mark.parametrize("answer", [b"", b"hello\n", b'{"sockets": 1}\n', b'{"sockets": [{"state": "?"}]}\n'])
def test_what_answers_is_no_lastack(tmp_path: Path, answer: bytes):
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(tmp_path / "path"))
        listener.listen()

        def serve() -> None:
            connection, _ = listener.accept()
            with connection:
                connection.recv(1024)
                connection.sendall(answer)

        thread = Thread(target=serve)
        thread.start()
        done = run("--control", str(tmp_path / "path"))
        thread.join()
    assert done.exit_code == 1
    assert str(tmp_path / "path") in done.stderr
    assert done.exception is None or isinstance(done.exception, SystemExit)


@pytest.mark.parametrize(
    "arguments", [["--kernel", "--control", "x"], ["-a", "-l"], ["--names", "bsd"], ["--format", "xml"], ["what"]]
)
def test_bad_use(arguments: list[str]):
    assert run(*arguments).exit_code == 2


# --- the kernel's ---


@pytest.mark.interop("ss")
def test_the_kernel_s_sockets_are_those_of_ss():
    """Every line that ss prints, but for the time that has passed between the two."""
    with Sandbox() as box, box.socket() as listener:
        listener.bind(("10.9.0.1", 80))
        listener.listen(5)
        ends = []
        for _ in range(3):
            ends.append(box.socket())
            ends[-1].connect(("10.9.0.1", 80))
            ends.append(listener.accept()[0])
        ends[0].close()  # FIN-WAIT-2 and CLOSE-WAIT
        ends[3].close()  # TIME-WAIT
        ends[2].close()
        ends[4].send(b"x" * 100)
        ends[4].setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
        told = [line.split() for line in box.run(["ss", "-Htano"]).stdout.splitlines()]
        found = kernel_sockets(box.socket(socket.AF_NETLINK, socket.SOCK_DGRAM, NETLINK_SOCK_DIAG))
        for end in ends:
            end.close()
    lines = [line.split() for line in table(found)[1:]]
    assert sorted(line[:5] for line in lines) == sorted(line[:5] for line in told)
    timers = [(row.state, row.timer.name) for row in found if row.timer is not None]
    assert (State.TIME_WAIT, "timewait") in timers
    assert (State.ESTABLISHED, "keepalive") in timers
    assert all(row.timer.left <= 60 * SECOND for row in found if row.state is State.TIME_WAIT)
    assert {row.info["tcpi_state"] for row in found if row.state is State.ESTABLISHED} == {1}


@pytest.mark.interop
def test_a_kernel_s_socket_whole_of_a_namespace_that_is_not_ours():
    with Sandbox() as box, box.socket(socket.AF_INET6) as listener, box.socket(socket.AF_INET6) as client:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 10_000)
        listener.bind(("fd09::1", 80))
        listener.listen(5)
        client.connect(("fd09::1", 80))
        info = client.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, 8)
        with box.socket() as knocker:  # nobody answers
            knocker.setblocking(False)
            knocker.connect_ex(("10.9.0.7", 5))
            open_files = len(os.listdir("/proc/self/fd"))
            found = kernel_sockets(box.socket(socket.AF_NETLINK, socket.SOCK_DGRAM, NETLINK_SOCK_DIAG))
            assert len(os.listdir("/proc/self/fd")) == open_files
        (ours,) = [row for row in found if row.local == client.getsockname()[:2]]
        (knocking,) = [row for row in found if row.state is State.SYN_SENT]
    assert (ours.state, ours.remote, ours.orphan) == (State.ESTABLISHED, ("fd09::1", 80), False)
    assert (ours.info["tcpi_snd_wscale"], ours.info["tcpi_rcv_wscale"]) == (info[6] & 0xF, info[6] >> 4)
    assert info[6] & 0xF != info[6] >> 4
    assert (knocking.send_q, knocking.timer.name) == (1, "on")
    assert 0 < knocking.timer.left <= SECOND


@pytest.mark.interop
def test_a_kernel_that_does_not_tell():
    # A socket of another protocol takes the question for an order that makes no sense.
    with Sandbox() as box, pytest.raises(DeviceError, match="the kernel does not tell its sockets: Invalid argument"):
        kernel_sockets(box.socket(socket.AF_NETLINK, socket.SOCK_DGRAM, socket.NETLINK_ROUTE))


def test_the_kernel_s_sockets_are_shown(monkeypatch: pytest.MonkeyPatch):
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen(7)
        port = listener.getsockname()[1]
        done = run("--kernel", "--listening", "--format", "json")
    (told,) = json.loads(done.stdout)
    assert told["kernel"] is True
    (ours,) = [one for one in told["sockets"] if one["local"] == ["127.0.0.1", port]]
    assert (ours["state"], ours["send_q"], ours["remote"]) == ("LISTEN", 7, ["0.0.0.0", 0])
