"""Calls that block: what they wait for, how long, and how they fail. The kernel's sockets say what is right."""

from __future__ import annotations

import errno
import os
import socket as constants
import struct
import time
from typing import Any

import pytest

from tests.socket.places import SOON, Aside, Place, outcome


def reset(one: Any) -> None:
    """Close a socket by a RST."""
    one.setsockopt(constants.SOL_SOCKET, constants.SO_LINGER, struct.pack("ii", 1, 0))
    one.close()


def test_recv_waits_for_what_comes(there: Place):
    with there.connected() as (client, server):
        waiting = Aside(client.recv, 100)
        time.sleep(0.05)
        assert waiting.is_alive()
        server.sendall(b"hello")
        assert waiting.result() == b"hello"


def test_reads_are_partial(there: Place):
    with there.connected() as (client, server):
        server.sendall(b"abcdefgh")
        assert client.recv(3, constants.MSG_PEEK) == b"abc"
        assert client.recv(3) == b"abc"
        buffer = bytearray(4)
        assert client.recv_into(buffer, 2) == 2
        assert bytes(buffer) == b"de\0\0"
        assert client.recv_into(memoryview(buffer)[2:]) == 2
        assert bytes(buffer) == b"defg"
        assert client.recvfrom(10) == (b"h", None)
        server.close()
        assert [client.recv(10), client.recv(10), client.recv_into(buffer)] == [b"", b"", 0]


def test_a_time_out_is_told(there: Place):
    with there.connected() as (client, _):
        client.settimeout(0.1)
        began = time.monotonic()
        with pytest.raises(TimeoutError, match="timed out") as caught:
            client.recv(1)
        assert caught.value.errno is None
        assert time.monotonic() - began >= 0.095
        client.settimeout(0)
        assert outcome(client.recv, 1) == (BlockingIOError, errno.EAGAIN)
        assert [client.gettimeout(), client.getblocking()] == [0, False]
        client.setblocking(True)
        assert [client.gettimeout(), client.getblocking()] == [None, True]
        assert outcome(client.recv, 1, constants.MSG_DONTWAIT) == (BlockingIOError, errno.EAGAIN)


def test_accept_times_out(there: Place):
    with there.listener() as listener:
        listener.settimeout(0.05)
        assert outcome(listener.accept) == (TimeoutError, None)
        listener.setblocking(False)
        assert outcome(listener.accept) == (BlockingIOError, errno.EAGAIN)
        with there.connect(listener) as client:
            listener.settimeout(SOON)
            server, peer = listener.accept()
            with server:
                assert peer == client.getsockname()
                assert server.gettimeout() is None


def test_connect_times_out_where_nobody_answers(there: Place):
    # A full backlog: further SYNs are not answered.
    with there.listener(backlog=0) as listener, there.connect(listener), there.client():
        clients = [there.socket.socket() for _ in range(3)]
        told = []
        for one in clients:
            one.settimeout(0.2)
            told.append(outcome(one.connect, listener.getsockname()))
            one.close()
        assert told[-1] == (TimeoutError, None)
        with there.socket.socket() as last:
            last.settimeout(0.1)
            assert last.connect_ex(listener.getsockname()) == errno.EAGAIN


def test_the_time_out_of_sendall_is_for_all_of_it(there: Place):
    with there.connected() as (client, server):
        client.settimeout(0.3)

        def read_slowly() -> None:
            while server.recv(20_000):
                time.sleep(0.01)

        reading = Aside(read_slowly)
        began = time.monotonic()
        assert outcome(client.sendall, bytes(100_000_000)) == (TimeoutError, None)
        assert 0.29 < time.monotonic() - began < 5
        reset(client)
        with pytest.raises(ConnectionResetError):
            reading.result()


def test_large_data_both_ways(there: Place):
    data = os.urandom(1 << 20) * 8

    def echo(server: Any) -> None:
        while part := server.recv(1 << 16):
            server.sendall(part)
        server.shutdown(constants.SHUT_WR)

    with there.connected() as (client, server):
        echoing = Aside(echo, server)

        def send() -> None:
            client.sendall(data)
            client.shutdown(constants.SHUT_WR)

        sending = Aside(send)  # two threads on one socket
        with client.makefile("rb") as file:
            assert file.read() == data
        sending.result()
        echoing.result()


def test_send_takes_all_from_who_waits_for_ever(there: Place):
    data = bytes(20_000_000)
    with there.connected() as (client, server):
        client.settimeout(None)
        sending = Aside(client.send, data)
        got = 0
        while got < len(data):
            got += len(server.recv(1 << 20))
        assert sending.result() == len(data)
        client.settimeout(SOON)
        assert 0 < client.send(data) < len(data)


def test_waitall(there: Place):
    with there.connected() as (client, server):
        client.settimeout(None)
        waiting = Aside(client.recv, 6, constants.MSG_WAITALL)
        server.sendall(b"abc")
        time.sleep(0.05)
        assert waiting.is_alive()
        server.sendall(b"defg")
        assert waiting.result() == b"abcdef"
        client.settimeout(SOON)
        assert client.recv(6, constants.MSG_WAITALL) == b"g"  # Python polls first: what is there, is all
        client.settimeout(None)
        waiting = Aside(client.recv, 6, constants.MSG_WAITALL)
        server.sendall(b"xy")
        server.close()
        assert waiting.result() == b"xy"
        buffer = bytearray(3)
        assert client.recv_into(buffer, 3, constants.MSG_WAITALL) == 0


def test_a_reset_is_told_once(there: Place):
    with there.connected() as (client, server):
        server.sendall(b"last")
        assert client.recv(10, constants.MSG_PEEK) == b"last"
        waiting = Aside(client.recv, 10, constants.MSG_WAITALL)
        waiting.result()
        waiting = Aside(client.recv, 10)
        time.sleep(0.05)
        reset(server)
        with pytest.raises(ConnectionResetError) as caught:
            waiting.result()
        assert caught.value.errno == errno.ECONNRESET
        assert client.recv(10) == b""
        assert outcome(client.send, b"x") == (BrokenPipeError, errno.EPIPE)
        assert outcome(client.getpeername) == (OSError, errno.ENOTCONN)


def test_a_writer_is_told_of_a_reset(there: Place):
    with there.connected() as (client, server):
        sending = Aside(client.sendall, bytes(100_000_000))
        time.sleep(0.05)
        reset(server)
        with pytest.raises((ConnectionResetError, BrokenPipeError)):
            sending.result()


def test_shutdown_ends_one_way(there: Place):
    with there.connected() as (client, server):
        waiting = Aside(server.recv, 10)
        time.sleep(0.02)
        client.shutdown(constants.SHUT_WR)
        assert waiting.result() == b""
        assert outcome(client.send, b"x") == (BrokenPipeError, errno.EPIPE)
        server.sendall(b"still")
        assert client.recv(10) == b"still"
        waiting = Aside(client.recv, 10)
        time.sleep(0.02)
        client.shutdown(constants.SHUT_RD)  # wakes who reads
        assert waiting.result() == b""


def test_a_listener_that_is_shut_wakes_who_accepts(there: Place):
    with there.listener() as listener:
        waiting = Aside(listener.accept)
        time.sleep(0.05)
        listener.shutdown(constants.SHUT_RDWR)
        with pytest.raises(OSError, match=r"\[Errno 22\]") as caught:
            waiting.result()
        assert caught.value.errno == errno.EINVAL


def test_nobody_listens(there: Place):
    with there.listener() as listener:
        address = listener.getsockname()
    with there.client(), there.socket.socket() as one:
        assert outcome(one.connect, address) == (ConnectionRefusedError, errno.ECONNREFUSED)
        assert one.connect_ex(address) == errno.ECONNREFUSED
        with pytest.raises(ConnectionRefusedError):
            there.socket.create_connection(address, timeout=SOON)


@pytest.mark.parametrize("timeout", [None, SOON])
def test_connected_twice(there: Place, timeout: float | None):
    with there.listener() as listener, there.client(), there.socket.socket() as one:
        one.settimeout(timeout)
        one.connect(listener.getsockname())
        again = [one.connect_ex(listener.getsockname()) for _ in range(2)]
        assert again == [0 if timeout else errno.EISCONN, errno.EISCONN]


def test_connecting_without_waiting(there: Place):
    with there.listener() as listener, there.client(), there.socket.socket() as one:
        one.setblocking(False)
        assert one.connect_ex(listener.getsockname()) in (0, errno.EINPROGRESS)
        server, _ = listener.accept()
        server.close()
        assert one.getsockopt(constants.SOL_SOCKET, constants.SO_ERROR) == 0
        assert one.getpeername() == listener.getsockname()


def test_misuse(there: Place):
    with there.connected() as (client, _), there.client(), there.socket.socket() as fresh:
        told = [
            outcome(fresh.recv, 1),
            outcome(fresh.send, b"x"),
            outcome(fresh.getpeername),
            outcome(fresh.accept),
            outcome(fresh.shutdown, constants.SHUT_RDWR),
            outcome(fresh.connect, ("127.0.0.1", 70_000)),
            outcome(fresh.bind, ("127.0.0.1", -1)),
            outcome(fresh.connect, "127.0.0.1"),
            outcome(fresh.recv, -1),
            outcome(fresh.settimeout, -1),
            outcome(client.listen),
            outcome(client.bind, ("127.0.0.1", 0)),
            outcome(fresh.setsockopt, constants.SOL_SOCKET, 12345, 1),
            fresh.getsockopt(constants.SOL_SOCKET, constants.SO_TYPE),
            fresh.getsockopt(constants.SOL_SOCKET, constants.SO_ERROR),
            (fresh.family, fresh.type, fresh.getsockname()),
        ]
    told += [outcome(client.recv, 1), outcome(client.getsockname), client.fileno(), outcome(client.close)]
    assert told == [
        (OSError, errno.ENOTCONN),
        (BrokenPipeError, errno.EPIPE),
        (OSError, errno.ENOTCONN),
        (OSError, errno.EINVAL),
        (OSError, errno.ENOTCONN),
        (OverflowError, None),
        (OverflowError, None),
        (TypeError, None),
        (ValueError, None),
        (ValueError, None),
        (OSError, errno.EINVAL),
        (OSError, errno.EINVAL),
        (OSError, errno.ENOPROTOOPT),
        constants.SOCK_STREAM,
        0,
        (constants.AF_INET, constants.SOCK_STREAM, ("0.0.0.0", 0)),
        (OSError, errno.EBADF),
        (OSError, errno.EBADF),
        -1,
        None,
    ]


def test_a_port_that_is_listened_on(there: Place):
    with there.listener() as listener, there.server(), there.socket.socket() as other:
        assert outcome(other.bind, listener.getsockname()) == (OSError, errno.EADDRINUSE)


def test_urgent_data(there: Place):
    with there.connected() as (client, server):
        client.settimeout(None)
        assert outcome(client.recv, 1, constants.MSG_OOB) == (OSError, errno.EINVAL)
        server.send(b"ab!", constants.MSG_OOB)
        assert client.recv(10) == b"ab"
        assert client.recv(1, constants.MSG_OOB) == b"!"
        client.settimeout(0.05)
        assert outcome(client.recv, 1) == (TimeoutError, None)


def test_a_file_of_a_socket(there: Place):
    with there.connected() as (client, server):
        with client.makefile("rw", encoding="utf-8", newline="\n") as file:
            client.close()  # the file keeps it open
            print("hello", file=file, flush=True)
            with server.makefile("rwb", buffering=0) as other:
                assert other.readline() == b"hello\n"
                assert other.write(b"good bye\n") == 9
            assert file.readline() == "good bye\n"
        assert server.recv(1) == b""


def test_a_file_is_sent(there: Place, tmp_path: Any):
    path = tmp_path / "file"
    path.write_bytes(bytes(range(256)) * 1000)
    with there.connected() as (client, server), open(path, "rb") as file:
        sending = Aside(client.sendfile, file, 256)
        with server.makefile("rb") as other:
            assert other.read(255_744) == path.read_bytes()[256:]
        assert sending.result() == 255_744


def test_messages_of_several_buffers(there: Place):
    with there.connected() as (client, server):
        assert client.sendmsg([b"ab", b"cd", b"ef"]) == 6
        first, second = bytearray(4), bytearray(4)
        assert server.recvmsg_into([first, second])[:2] == (6, [])
        assert (bytes(first), bytes(second)) == (b"abcd", b"ef\0\0")
        server.sendall(b"xyz")
        assert client.recvmsg(10)[0] == b"xyz"


def test_the_default_time_out(there: Place):
    with there.listener() as listener, there.client():
        there.socket.setdefaulttimeout(0.05)
        try:
            assert there.socket.getdefaulttimeout() == 0.05
            with there.socket.create_connection(listener.getsockname()) as client:
                server, _ = listener.accept()
                with server:
                    assert [client.gettimeout(), server.gettimeout()] == [0.05, 0.05]
                    assert outcome(client.recv, 1) == (TimeoutError, None)
        finally:
            there.socket.setdefaulttimeout(None)
