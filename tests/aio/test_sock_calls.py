"""The loop's calls about bare sockets, its readers and writers, and what else it calls."""

from __future__ import annotations

import asyncio
import errno
import os
import signal
import socket
from pathlib import Path
from typing import Any

import pytest

from lastack.aio.sockets import HostSocket
from tests.aio.places import Place, Simulated, until


async def pair(place: Place, *, near: bool = False) -> tuple[Any, Any]:
    """Two bare sockets that are connected, the near one first; `near`: the near end listened."""
    loop = asyncio.get_running_loop()
    listener = place.listener(near=near)
    one = place.far_socket() if near else place.near_socket()
    await loop.sock_connect(one, listener.getsockname())
    other, address = await loop.sock_accept(listener)
    assert address == one.getsockname()
    assert other.gettimeout() == 0
    listener.close()
    return (other, one) if near else (one, other)


async def test_bytes_there_and_back(place: Place, near: bool):
    loop = asyncio.get_running_loop()
    a, b = await pair(place, near=near)
    await loop.sock_sendall(a, b"hello there")
    assert await loop.sock_recv(b, 5) == b"hello"
    assert await loop.sock_recv(b, 100) == b" there"
    buffer = bytearray(10)
    task = asyncio.create_task(loop.sock_recv_into(a, buffer))
    await asyncio.sleep(0)
    await loop.sock_sendall(b, bytearray(b"back"))
    assert await task == 4
    assert buffer[:4] == b"back"
    await loop.sock_sendall(b, memoryview(b"views too"))
    assert await loop.sock_recv_into(a, memoryview(buffer)[2:6]) == 4
    assert buffer[2:6] == b"view"
    assert await loop.sock_recvfrom(a, 100) == (b"s too", None)
    b.shutdown(socket.SHUT_WR)
    assert await loop.sock_recv(a, 100) == b""
    assert await loop.sock_recv_into(a, buffer) == 0
    a.close()
    b.close()


async def test_a_large_amount(place: Place, near: bool):
    loop = asyncio.get_running_loop()
    a, b = await pair(place, near=near)
    text = bytes(range(256)) * 4_000

    async def read() -> bytearray:
        found = bytearray()
        while data := await loop.sock_recv(b, 65536):
            found += data
        return found

    task = asyncio.create_task(read())
    await loop.sock_sendall(a, text)
    a.close()
    assert await task == text
    b.close()


async def test_a_file(place: Place, near: bool, tmp_path: Path):
    loop = asyncio.get_running_loop()
    text = bytes(range(256)) * 1_000
    (tmp_path / "file").write_bytes(text)
    a, b = await pair(place, near=near)
    found = bytearray()

    async def read(size: int) -> None:
        while len(found) < size:
            found.extend(await loop.sock_recv(b, 65536))

    with open(tmp_path / "file", "rb") as file:
        task = asyncio.create_task(read(len(text) + 1000))
        assert await loop.sock_sendfile(a, file) == len(text)
        assert file.tell() == len(text)
        assert await loop.sock_sendfile(a, file, 5_000, 1_000) == 1_000
        assert file.tell() == 6_000
        await task
        assert found == text + text[5_000:6_000]
        if isinstance(a, HostSocket):
            with pytest.raises(asyncio.SendfileNotAvailableError):
                await loop.sock_sendfile(a, file, fallback=False)
    close(a, b)


def close(*sockets: Any) -> None:
    for one in sockets:
        one.close()


async def test_readers_and_writers(place: Place, near: bool):
    loop = asyncio.get_running_loop()
    a, b = await pair(place, near=near)
    told: asyncio.Queue[Any] = asyncio.Queue()
    loop.add_writer(a, told.put_nowait, "first")
    loop.add_writer(a.fileno(), told.put_nowait, "writable")  # takes the place of the first
    assert await told.get() == "writable"
    assert loop.remove_writer(a)
    assert not loop.remove_writer(a)
    loop.add_reader(a, lambda: told.put_nowait(a.recv(100)))
    await asyncio.sleep(0.01)
    while not told.empty():
        told.get_nowait()
    b.send(b"data")
    assert await told.get() == b"data"
    b.send(b"more")
    assert await told.get() == b"more"
    b.close()
    assert await told.get() == b""
    assert loop.remove_reader(a)
    assert not loop.remove_reader(a)
    a.close()
    with pytest.raises(ValueError, match=r"file descriptor|file object"):
        loop.add_reader(a, told.put_nowait)


async def test_who_is_ready_is_told_as_long_as_it_is(place: Place, near: bool):
    """Level-triggered: what is left is told of again."""
    loop = asyncio.get_running_loop()
    a, b = await pair(place, near=near)
    found = bytearray()
    done = loop.create_future()

    def read() -> None:
        found.extend(a.recv(1))
        if len(found) == 10:
            done.set_result(None)
            loop.remove_reader(a)

    loop.add_reader(a, read)
    b.send(b"0123456789")
    await done
    assert found == b"0123456789"
    close(a, b)


async def test_errors_of_bare_sockets(place: Place):
    loop = asyncio.get_running_loop()
    silent = place.listener(near=False, backlog=None)
    sock = place.near_socket()
    with pytest.raises(ConnectionRefusedError):
        await loop.sock_connect(sock, silent.getsockname())
    close(sock, silent)
    a, b = await pair(place)
    a.connect(b.getsockname())  # once it may be asked how that ended
    with pytest.raises(OSError, match=rf"\[Errno {errno.EISCONN}\]"):
        a.connect(b.getsockname())
    with pytest.raises(BlockingIOError):
        a.recv(10)
    with pytest.raises(OSError, match=rf"\[Errno {errno.EINVAL}\]"):
        a.accept()
    a.close()
    with pytest.raises(OSError, match=rf"\[Errno {errno.EBADF}\]"):
        a.recv(10)
    assert a.fileno() == -1
    assert await loop.sock_recv(b, 10) == b""
    b.shutdown(socket.SHUT_WR)
    with pytest.raises(BrokenPipeError):
        b.send(b"too late")
    b.close()


async def test_a_transport_owns_its_socket(place: Place):
    loop = asyncio.get_running_loop()
    a, b = await pair(place)
    transport, _ = await loop.create_connection(asyncio.Protocol, sock=a)
    with pytest.raises(RuntimeError, match="is used by transport"):
        loop.add_reader(a, print)
    with pytest.raises(RuntimeError, match="is used by transport"):
        await loop.sock_recv(a, 10)
    transport.close()
    b.close()
    await asyncio.sleep(0.01)


async def test_the_rest_of_a_socket(place: Place, near: bool):
    """Methods that libraries call now and then."""
    a, b = await pair(place, near=near)
    assert a.sendmsg([b"in ", b"parts"]) == 8
    await asyncio.sleep(0.02)
    buffers = [bytearray(3), bytearray(10)]
    assert b.recvmsg_into(buffers)[0] == 8
    assert buffers == [b"in ", b"parts" + bytes(5)]
    a.sendall(b"all of it")
    await asyncio.sleep(0.02)
    assert b.recv(3, socket.MSG_PEEK) == b"all"
    assert b.recvmsg(100)[0] == b"all of it"
    assert a.getblocking() is False
    assert a.get_inheritable() is False
    a.settimeout(None)
    assert a.gettimeout() is None
    a.settimeout(0)
    assert isinstance(a, socket.socket)
    with a:
        pass
    assert a.fileno() == -1
    assert "closed" in repr(a)
    b.close()


async def test_a_socket_that_is_dropped_is_closed(place: Place, near: bool):
    loop = asyncio.get_running_loop()
    a, b = await pair(place, near=near)
    await asyncio.sleep(0)  # what has waited for it holds it until then
    with pytest.warns(ResourceWarning, match="unclosed"):
        del a
    assert await loop.sock_recv(b, 10) == b""
    b.close()


async def test_names(place: Place):
    loop = asyncio.get_running_loop()
    found = await loop.getaddrinfo("127.0.0.1", 80, type=socket.SOCK_STREAM)
    assert found == [(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP, "", ("127.0.0.1", 80))]
    found = await loop.getaddrinfo("::1", "http", type=socket.SOCK_STREAM)
    assert found == [(socket.AF_INET6, socket.SOCK_STREAM, socket.IPPROTO_TCP, "", ("::1", 80, 0, 0))]
    assert ("127.0.0.1", 80) in [one[4] for one in await loop.getaddrinfo("localhost", 80)]
    passive = await loop.getaddrinfo(None, 80, family=socket.AF_INET, type=1, flags=socket.AI_PASSIVE)
    assert passive[0][4] == ("0.0.0.0", 80)
    with pytest.raises(socket.gaierror):
        await loop.getaddrinfo("there.is.nobody.of.this.name.invalid", 80)
    with pytest.raises(socket.gaierror):
        await loop.getaddrinfo("127.0.0.1", 80, family=socket.AF_INET6)
    numeric = socket.NI_NUMERICHOST | socket.NI_NUMERICSERV
    assert await loop.getnameinfo(("127.0.0.1", 80), numeric) == ("127.0.0.1", "80")
    assert await loop.getnameinfo(("127.0.0.1", 80)) == ("localhost", "http")
    assert await loop.getnameinfo(("127.0.0.1", 64_999), socket.NI_NUMERICHOST) == ("127.0.0.1", "64999")
    with pytest.raises(socket.gaierror):
        await loop.getaddrinfo("", 80)
    for short in ("127.1", "0x7f.1", "2130706433"):
        assert (await loop.getaddrinfo(short, 80))[0][4] == ("127.0.0.1", 80)
    for wrong in ("127.1 x", "1.2.3.4.5", "300.1.1.1"):
        with pytest.raises(socket.gaierror):
            await loop.getaddrinfo(wrong, 80)


async def test_calls_from_elsewhere(place: Place):
    loop = asyncio.get_running_loop()
    done = loop.create_future()
    loop.call_soon_threadsafe(done.set_result, 5)
    assert await done == 5
    assert await asyncio.to_thread(lambda: 6) == 6
    assert await loop.run_in_executor(None, max, 1, 7) == 7
    with pytest.raises(ZeroDivisionError):
        await loop.run_in_executor(None, lambda: 1 / 0)
    later = loop.create_future()
    await asyncio.to_thread(loop.call_soon_threadsafe, later.set_result, 8)
    assert await later == 8


async def test_signals(place: Place):
    """They reach the handler of a loop that waits; those of a world are the world's own."""
    loop = asyncio.get_running_loop()
    heard: list[int] = []
    loop.add_signal_handler(signal.SIGUSR1, heard.append, 1)
    if isinstance(place, Simulated):
        loop.call_later(0.01, place.world.signal, "near", signal.SIGUSR1)
    else:
        loop.call_later(0.01, os.kill, os.getpid(), signal.SIGUSR1)
    await until(lambda: heard)
    assert loop.remove_signal_handler(signal.SIGUSR1)
    assert not loop.remove_signal_handler(signal.SIGUSR1)


async def test_a_buffer_that_is_too_small_takes_nothing(place: Place):
    """It is said before anything is read."""
    loop = asyncio.get_running_loop()
    a, b = await pair(place)
    await loop.sock_sendall(b, b"hello")
    arrived = asyncio.Event()
    loop.add_reader(a, arrived.set)
    await arrived.wait()
    loop.remove_reader(a)
    with pytest.raises(ValueError, match="buffer too small"):
        a.recv_into(bytearray(2), 5)
    with pytest.raises(ValueError, match="negative buffersize"):
        a.recv_into(bytearray(2), -1)
    with pytest.raises(TypeError, match="read-write bytes-like object"):
        a.recv_into(b"constant")
    buffer = bytearray(b"-----")
    assert a.recv_into(buffer, 4) == 4
    assert buffer == b"hell-"
    assert await loop.sock_recv(a, 5) == b"o"
    a.close()
    b.close()
