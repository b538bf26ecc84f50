"""Several threads on a socket, sockets closed under who waits, signals, and what is left at the end."""

from __future__ import annotations

import errno
import gc
import os
import signal
import subprocess
import sys
import threading
import time
import warnings
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any

import pytest

import lastack.socket
from tests.socket.places import SOON, Aside, Place, outcome


@pytest.mark.parametrize("what", ["recv", "send", "accept"])
def test_closing_wakes_who_waits(ours: Place, what: str):
    with ours.listener() as listener, ours.connect(listener) as client:
        server, _ = listener.accept()
        with server:
            one = listener if what == "accept" else client
            one.settimeout(None)
            call: Any = {"recv": lambda: one.recv(1), "send": lambda: one.send(bytes(1 << 26)), "accept": one.accept}
            waiting = Aside(call[what])
            time.sleep(0.05)
            assert waiting.is_alive()
            one.close()
            if what == "send":
                assert 0 < waiting.result() < 1 << 26
            else:
                with pytest.raises(OSError, match="closed") as caught:
                    waiting.result()
                assert caught.value.errno == errno.EBADF


def test_the_end_of_a_stack_wakes_who_waits():
    with lastack.socket.open_pair() as pair, lastack.socket.use(pair.server):
        listener = lastack.socket.create_server(("", 80))
        listener.settimeout(None)
        waiting = Aside(listener.accept)
        time.sleep(0.05)
        assert waiting.is_alive()
    with pytest.raises(OSError, match="stack is closed") as caught:
        waiting.result()
    assert caught.value.errno == errno.ENETDOWN
    assert outcome(listener.accept) == (OSError, errno.ENETDOWN)
    listener.close()
    with lastack.socket.use(pair.server), pytest.raises(OSError, match="stack is closed"):
        lastack.socket.socket()


def test_many_threads_on_many_connections(ours: Place):
    count, size = 20, 200_000

    def serve(server: Any) -> None:
        with server:
            while part := server.recv(10_000):
                server.sendall(part)

    def ask(listener: Any, number: int) -> int:
        data = bytes([number]) * size
        with ours.connect(listener) as client:
            sending = Aside(client.sendall, data)
            with client.makefile("rb") as file:
                right = file.read(size) == data
            sending.result()
        return right

    with ours.listener(backlog=count) as listener:
        asking = [Aside(ask, listener, number) for number in range(count)]
        serving = [Aside(serve, listener.accept()[0]) for _ in range(count)]
        assert all(one.result() for one in asking)
        for one in serving:
            one.result()


def test_one_stack_for_each_thread():
    with lastack.socket.open_pair() as pair:

        def serve() -> Any:
            with lastack.socket.use(pair.server), lastack.socket.create_server(("server", 80)) as listener:
                listening.set()
                server, peer = listener.accept()
                server.close()
                return peer[0]

        listening = threading.Event()
        serving = Aside(serve)
        assert listening.wait(SOON)
        with lastack.socket.use(pair.client), lastack.socket.create_connection(("server", 80), SOON) as client:
            assert client.getpeername() == ("10.0.0.2", 80)
        assert serving.result() == "10.0.0.1"


def test_a_signal_ends_a_call_that_waits(ours: Place):
    class Alarm(Exception):
        pass

    def ring(number: int, frame: Any) -> None:
        raise Alarm

    with ours.connected() as (client, server):
        client.settimeout(None)
        before = signal.signal(signal.SIGALRM, ring)
        try:
            signal.setitimer(signal.ITIMER_REAL, 0.05)
            with pytest.raises(Alarm):
                client.recv(1)
            signal.signal(signal.SIGALRM, lambda number, frame: server.send(b"x"))
            signal.setitimer(signal.ITIMER_REAL, 0.05)
            assert client.recv(1) == b"x"  # who handles a signal in silence goes on waiting
        finally:
            signal.signal(signal.SIGALRM, before)


def test_what_nobody_has_any_more_is_closed(ours: Place):
    with ours.connected() as (client, server), warnings.catch_warnings(record=True) as told:
        warnings.simplefilter("always")
        with ours.listener() as other:
            lost = ours.connect(other)
            found, _ = other.accept()
        text = repr(lost)
        waiting = Aside(found.recv, 1)
        time.sleep(0.05)  # it waits by now, and nobody but the stack's own thread touches the host
        del lost
        gc.collect()
        assert [str(one.message) for one in told] == [f"unclosed {text}"]
        assert told[0].category is ResourceWarning
        assert waiting.result() == b""
        found.close()
        client.sendall(b"x")
        assert server.recv(1) == b"x"


def test_descriptors_and_threads_are_given_back():
    def once() -> None:
        with lastack.socket.open_pair() as pair, lastack.socket.use(pair.client):
            one, other = lastack.socket.socketpair()
            with one, other:
                one.fileno()
                one.sendall(b"x")
                assert other.recv(1) == b"x"

    once()
    before = len(os.listdir("/proc/self/fd")), threading.active_count()
    for _ in range(5):
        once()
    assert (len(os.listdir("/proc/self/fd")), threading.active_count()) == before


@contextmanager
def run(program: str) -> Iterator[subprocess.Popen[str]]:
    """A Python program of its own, that is not left running."""
    command = [sys.executable, "-W", "error", "-c", "import lastack.socket as socket\n" + program]
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)}
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    with subprocess.Popen(command, env=environment, text=True, **pipes, start_new_session=True) as process:
        try:
            yield process
        finally:
            with suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)


def test_a_program_that_forgets_to_close_ends():
    program = """
one, other = socket.socketpair()
one.sendall(b"hello")
pair = socket.open_pair()
with socket.use(pair.server):
    listener = socket.create_server(("", 80))
print(other.recv(10))
"""
    with run(program) as process:
        out, error = process.communicate(timeout=SOON)
    assert (out, error, process.returncode) == ("b'hello'\n", "", 0)


def test_control_c_ends_a_program_that_waits():
    program = """
import signal
signal.signal(signal.SIGINT, signal.default_int_handler)  # who runs us in the background ignores it
one, other = socket.socketpair()
print("waiting", flush=True)
one.recv(1)
"""
    with run(program) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "waiting\n"
        time.sleep(0.1)
        process.send_signal(signal.SIGINT)
        _, error = process.communicate(timeout=SOON)
    assert error.endswith("KeyboardInterrupt\n")
    assert process.returncode == -signal.SIGINT


def test_a_child_process_has_no_part_in_it():
    program = """
import os
one, other = socket.socketpair()
child = os.fork()
try:
    one.send(b"y")
except OSError as error:
    print("child" if child == 0 else "parent", error.strerror, flush=True)
    os._exit(0)
"""
    program = program.replace("child = os.fork()", "child = os.fork()\nif child:\n    other.send(b'x'); os.wait()")
    with run(program) as process:
        out, error = process.communicate(timeout=SOON)
    assert (out, process.returncode) == (
        "child the stack belongs to the parent process: make another after the fork\n",
        0,
    ), error
