"""What would leave the simulation raises an error that says what to do; what is outside notices nothing."""

from __future__ import annotations

import asyncio
import os
import queue
import random
import select
import socket
import subprocess
import sys
import threading
import time
import traceback
import warnings
from collections.abc import Callable, Coroutine
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import closing
from functools import partial
from socket import getaddrinfo as early_getaddrinfo
from socket import socket as early_socket
from time import sleep as early_sleep
from typing import Any

import pytest

from lastack.aio import Escaped, World

# These tests catch it on purpose.
pytestmark = pytest.mark.filterwarnings("ignore::lastack.aio.EscapedWarning")

TRUE = [sys.executable, "-c", ""]


async def _wait_for_pipe() -> None:
    reading, writing = os.pipe()
    try:
        asyncio.get_running_loop().add_reader(reading, print)
    finally:
        os.close(reading)
        os.close(writing)


async def _write_to_pipe() -> None:
    reading, writing = os.pipe()
    try:
        asyncio.get_running_loop().add_writer(writing, print)
    finally:
        os.close(reading)
        os.close(writing)


async def _real_socket_to_the_loop() -> None:
    await asyncio.get_running_loop().sock_connect(outside, ("127.0.0.1", 80))


async def _blocking(call: Callable[[socket.socket], object]) -> None:
    with socket.socket() as listener, socket.socket() as sock:
        listener.bind(("127.0.0.1", 80))
        listener.listen()
        sock.setblocking(False)
        await asyncio.get_running_loop().sock_connect(sock, ("127.0.0.1", 80))
        sock.setblocking(True)
        call(sock)


async def _blocking_accept() -> None:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 80))
        listener.listen()
        listener.accept()


async def _blocking_connect() -> None:
    socket.create_connection(("127.0.0.1", 80)).close()


def _at_once(call: Callable[[], object]) -> Callable[[], Coroutine[Any, Any, None]]:
    async def main() -> None:
        call()

    return main


def _submit() -> None:
    with ThreadPoolExecutor() as pool:
        pool.submit(print)


def _of_loop(name: str, *arguments: Any) -> Callable[[], Coroutine[Any, Any, Any]]:
    async def main() -> Any:
        return await getattr(asyncio.get_running_loop(), name)(*arguments)

    return main


async def _subprocess() -> None:
    await asyncio.create_subprocess_exec(*TRUE)


# Each way out, and a word of what its error tells to do.
WAYS: dict[str, tuple[Callable[[], Coroutine[Any, Any, Any]], str]] = {
    "UDP": (_at_once(lambda: socket.socket(socket.AF_INET, socket.SOCK_DGRAM)), "TCP alone"),
    "UDP by the loop": (_of_loop("create_datagram_endpoint", asyncio.DatagramProtocol, ("127.0.0.1", 0)), "TCP alone"),
    "AF_UNIX": (_at_once(lambda: socket.socket(socket.AF_UNIX)), "TCP alone"),
    "a Unix server": (_of_loop("create_unix_server", asyncio.Protocol, "/nowhere"), "use TCP"),
    "a Unix connection": (_of_loop("create_unix_connection", asyncio.Protocol, "/nowhere"), "use TCP"),
    "a raw socket": (_at_once(lambda: socket.socket(socket.AF_INET, socket.SOCK_RAW, 1)), "TCP alone"),
    "a pair": (_at_once(lambda: socket.socketpair()), r"a connection on localhost .* or .*asyncio\.Queue"),
    "a thread": (_at_once(lambda: threading.Thread(target=print).start()), "to_thread"),
    "a pool": (_at_once(_submit), "to_thread"),
    "a process": (_at_once(lambda: subprocess.run(TRUE, check=False)), "host of the world"),
    "a process by asyncio": (_subprocess, "host of the world"),
    "a shell": (_of_loop("subprocess_shell", asyncio.SubprocessProtocol, "true"), "host of the world"),
    "os.system": (_at_once(lambda: os.system("true")), "host of the world"),
    "os.fork": (_at_once(os.fork), "host of the world"),
    "os.posix_spawn": (_at_once(lambda: os.posix_spawn(TRUE[0], TRUE, {})), "host of the world"),
    "time.sleep": (_at_once(lambda: time.sleep(1)), r"asyncio\.sleep"),
    "an early class": (_at_once(early_socket), r"socket\.socket\(\.\.\.\) while the loop runs"),
    "an early function": (_at_once(partial(early_getaddrinfo, "localhost", 80)), "getaddrinfo"),
    "a real socket": (_real_socket_to_the_loop, r"socket\.socket"),
    "add_reader": (_wait_for_pipe, "sockets of the world"),
    "add_writer": (_write_to_pipe, "sockets of the world"),
    "a pipe": (_of_loop("connect_read_pipe", asyncio.Protocol, sys.stdin), "TCP connection"),
    "a pipe to write": (_of_loop("connect_write_pipe", asyncio.Protocol, sys.stdout), "TCP connection"),
    "recv that blocks": (lambda: _blocking(lambda sock: sock.recv(1)), "setblocking"),
    "send that blocks": (lambda: _blocking(lambda sock: sock.sendall(bytes(100_000_000))), "setblocking"),
    "accept that blocks": (_blocking_accept, "setblocking"),
    "connect that blocks": (_blocking_connect, "setblocking"),
}

outside: Any = None


def _of_another_thread() -> None:
    loop = asyncio.get_running_loop()
    asyncio.run_coroutine_threadsafe(asyncio.sleep(0), loop).result(0.01)


# Calls that would wait in real time for what a world cannot do meanwhile.
WAITS: dict[str, Callable[[], object]] = {
    "run_coroutine_threadsafe": _of_another_thread,
    "an Event": lambda: threading.Event().wait(0.01),
    "a Semaphore": lambda: threading.Semaphore(0).acquire(timeout=0.01),
    "a Queue": lambda: queue.Queue[int]().get(timeout=0.01),
    "a Future": lambda: Future[int]().result(0.01),
    "select": lambda: select.select([], [], [], 0.01),
    "poll": lambda: select.poll().poll(10),
}


@pytest.mark.parametrize("in_a_thread", [False, True])
@pytest.mark.parametrize("wait", WAITS.values(), ids=WAITS)
def test_who_waits_as_a_thread_does_is_told_at_once(wait: Callable[[], object], in_a_thread: bool):
    async def main() -> None:
        with pytest.raises(Escaped, match="would stop the loop"):
            await (asyncio.to_thread(wait) if in_a_thread else _at_once(wait)())
        await asyncio.sleep(1)  # the world goes on

    World().run(main())


def test_who_only_asks_is_answered():
    """Without waiting, also for what is there already."""

    async def main() -> None:
        event, waiting, done = threading.Event(), queue.Queue[int](), Future[int]()
        assert not event.wait(0)
        with pytest.raises(TimeoutError):
            done.result(0)
        with pytest.raises(queue.Empty):
            waiting.get_nowait()
        event.set()
        waiting.put(1)
        done.set_result(2)
        assert (event.wait(), waiting.get(), done.result()) == (True, 1, 2)
        assert select.select([], [], [], 0) == ([], [], [])
        assert select.select([outside], [outside], [], None) == ([], [outside], [])
        asked = select.poll()
        asked.register(outside, select.POLLOUT)
        assert [events for _, events in asked.poll()] == [select.POLLOUT]

    global outside
    outside, other = socket.socketpair()
    with outside, other:
        World().run(main())


@pytest.mark.parametrize(("way", "advice"), WAYS.values(), ids=WAYS)
def test_a_way_out(way: Callable[[], Coroutine[Any, Any, Any]], advice: str, monkeypatch: pytest.MonkeyPatch):
    async def main() -> None:
        with pytest.raises(Escaped, match=advice) as caught:
            await way()
        assert not isinstance(caught.value, OSError)  # which a program takes in its stride
        assert str(caught.value) == f"{caught.value.what} would leave the simulation: {caught.value.instead}"
        with warnings.catch_warnings():  # create_connection leaves its socket open where the error is no OSError
            warnings.simplefilter("ignore", ResourceWarning)
            traceback.clear_frames(caught.tb)
            del caught
        await asyncio.sleep(1)  # the world goes on

    with socket.socket() as real:
        monkeypatch.setattr(sys.modules[__name__], "outside", real)
        world = World()
        world.run(main())
        assert world.now == pytest.approx(1, abs=0.1)


def test_time_sleep_in_a_thread_takes_virtual_time():
    async def main() -> None:
        loop = asyncio.get_running_loop()
        began = loop.time()
        await asyncio.gather(asyncio.to_thread(time.sleep, 50), loop.run_in_executor(None, time.sleep, 100))
        assert loop.time() - began == 100
        with pytest.raises(ZeroDivisionError):
            await loop.run_in_executor(None, _sleep_and_fail)
        assert loop.time() - began == 107

    began = time.perf_counter()
    World().run(main())
    assert time.perf_counter() - began < 5


def _sleep_and_fail() -> None:
    time.sleep(7)
    raise ZeroDivisionError


def test_other_threads_are_not_disturbed():
    """A thread of the machine has its sockets, its time and its names while a world runs."""
    found: dict[str, object] = {}
    go, done = threading.Event(), threading.Event()

    def work() -> None:
        go.wait()
        began = time.monotonic()
        time.sleep(0.01)
        found["slept"] = time.monotonic() - began
        found["wall"] = abs(time.time() - time.clock_gettime(time.CLOCK_REALTIME))
        with socket.socket() as listener, socket.socket(socket.AF_INET, socket.SOCK_DGRAM):
            listener.bind(("127.0.0.1", 0))
            listener.listen()
            with socket.create_connection(listener.getsockname()) as one:
                other, _ = listener.accept()
                with other:
                    one.sendall(b"real")
                    found["data"] = other.recv(10)
                found["fd"] = one.fileno()
        found["names"] = socket.getaddrinfo("127.0.0.1", 80)[0][4]
        found["host"] = socket.gethostname()
        found["process"] = subprocess.run(TRUE, check=False).returncode
        found["random"] = os.urandom(8)
        done.set()

    async def main() -> None:
        assert socket.gethostname() == "localhost"
        go.set()
        while not done.is_set():
            await asyncio.sleep(0.01)
            early_wait()

    thread = threading.Thread(target=work)
    thread.start()
    World(seed=1).run(main())
    thread.join()
    assert found.pop("slept") >= 0.01
    assert found.pop("wall") < 1
    assert found.pop("fd") < 1 << 30
    assert found.pop("random")
    assert found == {"data": b"real", "names": ("127.0.0.1", 80), "host": socket.gethostname(), "process": 0}


held = threading.Lock()
held.acquire()


def early_wait() -> None:
    """Let the other thread have the interpreter."""
    held.acquire(timeout=0.001)


def test_everything_is_put_back():
    names = [(socket, "socket"), (socket, "getaddrinfo"), (time, "time"), (time, "monotonic"), (time, "sleep")]
    names += [(os, "urandom"), (time, "perf_counter"), (socket, "gethostbyname")]
    before = [getattr(*name) for name in names]
    state = random.getstate()

    async def main() -> None:
        assert [getattr(*name) for name in names] != before
        raise ValueError("on purpose")

    with pytest.raises(ValueError, match="on purpose"):
        World().run(main())
    assert [getattr(*name) for name in names] == before
    assert random.getstate() == state
    early_sleep(0)


def test_a_socket_made_in_the_world_is_a_socket_to_who_asks():
    async def main() -> None:
        with socket.socket() as made:
            assert isinstance(made, socket.socket)
            assert isinstance(made, early_socket)
            assert not isinstance(made, int)
        with socket.socket(socket.AF_INET6, socket.SOCK_STREAM | socket.SOCK_NONBLOCK) as made:
            assert (made.family, made.type) == (socket.AF_INET6, socket.SOCK_STREAM)
            assert issubclass(type(made), socket.socket)

    World().run(main())


@pytest.mark.parametrize("call", ["create_connection", "connect_accepted_socket", "sock_recv", "sock_sendall"])
def test_a_real_socket_is_not_taken_in(call: str):
    one, other = socket.socketpair()

    async def main() -> None:
        loop = asyncio.get_running_loop()
        if call.startswith("sock_"):
            await getattr(loop, call)(one, {"sock_recv": 1, "sock_sendall": b"x"}[call])
        elif call == "create_connection":
            await loop.create_connection(asyncio.Protocol, sock=one)
        else:
            await loop.connect_accepted_socket(asyncio.Protocol, one)

    one.setblocking(False)
    with one, other, pytest.raises(Escaped, match="a real socket"):
        World().run(main())


def test_what_escapes_where_nobody_looks_ends_the_run():
    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            await reader.read(1)
            time.sleep(1)
        finally:
            writer.close()

    async def serve() -> None:
        await (await asyncio.start_server(handle, port=80)).serve_forever()

    async def main() -> None:
        reader, writer = await asyncio.open_connection("server", 80)
        with closing(writer):  # it is cancelled
            writer.write(b"x")
            assert await reader.read() == b""
            await asyncio.sleep(1)

    world = World()
    world.host("server", serve)
    with pytest.raises(Escaped, match=r"time\.sleep"):
        world.run(main())
