"""File descriptors that show when a socket is ready: select, poll and epoll find it so as the kernel's own."""

from __future__ import annotations

import errno
import select
import selectors
import socket as constants
import struct
import time
from typing import Any

import pytest

from tests.socket.places import SOON, Aside, Place, outcome

READ, WRITE = selectors.EVENT_READ, selectors.EVENT_WRITE
SELECTORS = [selectors.SelectSelector, selectors.PollSelector, selectors.EpollSelector]


@pytest.fixture(params=SELECTORS)
def selector(request: pytest.FixtureRequest) -> Any:
    """Each kind of selector."""
    with request.param() as made:
        yield made


def ready(selector: Any, one: Any, wanted: int = READ | WRITE) -> int:
    """For what a socket is ready, as soon as it is for `wanted`, if that comes at all."""
    end = time.monotonic() + 1
    while True:
        found = selector.select(0.02)
        events = found[0][1] if found else 0
        if events == wanted or time.monotonic() > end:
            return int(events)


def test_reading_and_writing(there: Place, selector: Any):
    with there.connected() as (client, server):
        client.setblocking(False)
        selector.register(client, READ | WRITE)
        assert ready(selector, client, WRITE) == WRITE
        server.sendall(b"hello")
        assert ready(selector, client) == READ | WRITE
        assert client.recv(2) == b"he"
        assert ready(selector, client) == READ | WRITE
        assert client.recv(10) == b"llo"
        assert ready(selector, client, WRITE) == WRITE

        sent, end = 0, time.monotonic() + SOON
        while ready(selector, client, 0):
            assert time.monotonic() < end
            try:
                while True:
                    sent += client.send(bytes(1 << 20))
            except BlockingIOError:
                pass
        server.sendall(b"readable")
        assert ready(selector, client, READ) == READ
        got = 0
        while got < sent:
            got += len(server.recv(1 << 20))
        assert ready(selector, client) == READ | WRITE
        assert client.recv(100) == b"readable"
        server.close()
        assert ready(selector, client) == READ | WRITE  # the end is read
        assert client.recv(1) == b""
        selector.unregister(client)


def test_a_listener(there: Place, selector: Any):
    with there.listener() as listener:
        selector.register(listener, READ | WRITE)
        assert ready(selector, listener, 0) == 0
        with there.connect(listener):
            assert ready(selector, listener, READ) == READ
            listener.accept()[0].close()
            assert ready(selector, listener, 0) == 0


def test_an_opening_that_fails(there: Place, selector: Any):
    with there.listener() as listener:
        address = listener.getsockname()
    with there.client(), there.socket.socket() as one:
        one.setblocking(False)
        assert one.connect_ex(address) == errno.EINPROGRESS
        selector.register(one, WRITE)
        assert ready(selector, one, WRITE) == WRITE
        assert one.getsockopt(constants.SOL_SOCKET, constants.SO_ERROR) == errno.ECONNREFUSED


def test_a_reset_is_readable(there: Place, selector: Any):
    with there.connected() as (client, server):
        selector.register(client, READ)
        assert ready(selector, client, 0) == 0
        server.setsockopt(constants.SOL_SOCKET, constants.SO_LINGER, struct.pack("ii", 1, 0))
        server.close()
        assert ready(selector, client, READ) == READ
        with pytest.raises(ConnectionResetError):
            client.recv(1)


def test_who_waits_in_a_selector_is_woken(there: Place, selector: Any):
    with there.connected() as (client, server):
        selector.register(client, READ)
        waiting = Aside(selector.select, SOON)
        time.sleep(0.05)
        server.sendall(b"x")
        [(key, events)] = waiting.result()
        assert (key.fileobj, events) == (client, READ)


def test_the_number_of_a_socket(ours: Place):
    with ours.connected() as (client, _):
        number = client.fileno()
        assert number == client.fileno() >= 0
        client.close()
        assert client.fileno() == -1
        with pytest.raises(OSError, match="Bad file descriptor"):
            constants.close(number)


def test_nothing_else_can_be_done_with_it(ours: Place):
    with ours.connected() as (client, _):
        assert outcome(client.detach) == (OSError, errno.EOPNOTSUPP)
        assert outcome(client.dup) == (OSError, errno.EOPNOTSUPP)
        assert outcome(ours.socket.fromfd, 0, constants.AF_INET, constants.SOCK_STREAM)[1] == errno.EOPNOTSUPP
        assert outcome(lambda: ours.socket.socket(fileno=client.fileno()))[1] == errno.EOPNOTSUPP
        assert outcome(ours.socket.socket, constants.AF_INET, constants.SOCK_DGRAM)[1] == errno.EPROTONOSUPPORT
        assert outcome(ours.socket.socket, constants.AF_UNIX)[1] == errno.EAFNOSUPPORT


def told(one: Any, wanted: int) -> int:
    """The events of poll, as soon as they are `wanted`, if that comes at all; POLLERR cannot be shown."""
    asked = select.poll()
    asked.register(one, ANY)
    end = time.monotonic() + 1
    while True:
        found = asked.poll(20)
        events = found[0][1] & ~select.POLLERR if found else 0
        if events == wanted or time.monotonic() > end:
            return int(events)


ANY = select.POLLIN | select.POLLOUT | select.POLLRDHUP
ENDS = select.POLLIN | select.POLLOUT | select.POLLRDHUP


def test_the_end_of_a_connection_is_told_by_poll(there: Place):
    with there.connected() as (client, server):
        assert told(client, select.POLLOUT) == select.POLLOUT
        server.sendall(b"hello")
        assert told(client, select.POLLIN | select.POLLOUT) == select.POLLIN | select.POLLOUT
        server.shutdown(constants.SHUT_WR)
        assert told(client, ENDS) == ENDS
        assert client.recv(10) == b"hello"
        assert told(client, ENDS) == ENDS  # there is the end to be read
        assert told(server, select.POLLOUT) == select.POLLOUT
        client.shutdown(constants.SHUT_WR)
        for one in (client, server):
            assert told(one, ENDS | select.POLLHUP) == ENDS | select.POLLHUP
        assert client.recv(1) == server.recv(1) == b""
        assert told(client, ENDS | select.POLLHUP) == ENDS | select.POLLHUP


def test_who_has_ended_may_still_be_told_something(there: Place):
    """Our FIN alone is no POLLHUP; and who only reads is full sometimes."""
    with there.connected() as (client, server):
        client.setblocking(False)
        assert told(client, select.POLLOUT) == select.POLLOUT
        server.shutdown(constants.SHUT_WR)
        assert told(client, ENDS) == ENDS
        end = time.monotonic() + SOON
        sent = 0
        while told(client, ENDS & ~select.POLLOUT) & select.POLLOUT:
            assert time.monotonic() < end
            try:
                while True:
                    sent += client.send(bytes(1 << 20))
            except BlockingIOError:
                pass
        while sent:
            sent -= len(server.recv(1 << 20))
        assert told(client, ENDS) == ENDS
        assert told(server, select.POLLOUT) & select.POLLHUP == 0


@pytest.mark.parametrize("kind", SELECTORS[1:])
def test_a_reset_is_the_end_for_all(there: Place, kind: Any):
    with there.connected() as (client, server), kind() as selector:
        selector.register(client, READ)
        assert ready(selector, client, 0) == 0
        server.setsockopt(constants.SOL_SOCKET, constants.SO_LINGER, struct.pack("ii", 1, 0))
        server.close()
        assert ready(selector, client, READ) == READ
        assert told(client, ENDS | select.POLLHUP) == ENDS | select.POLLHUP
        with pytest.raises(ConnectionResetError):
            client.recv(1)
        assert told(client, ENDS | select.POLLHUP) == ENDS | select.POLLHUP


def test_what_is_not_open_yet_has_not_ended(ours: Place):
    """The same descriptor shows the connection that comes later, and an opening that is tried again."""
    with ours.listener() as listener:
        address = listener.getsockname()
        taken = ours.listener()
        refused = taken.getsockname()
        taken.close()
        with ours.client(), ours.socket.socket() as one, selectors.EpollSelector() as selector:
            one.setblocking(False)
            selector.register(one, READ | WRITE)
            number = one.fileno()
            assert told(one, select.POLLIN | select.POLLOUT) == select.POLLIN | select.POLLOUT
            one.connect_ex(refused)
            assert ready(selector, one) == READ | WRITE
            assert one.getsockopt(constants.SOL_SOCKET, constants.SO_ERROR) == errno.ECONNREFUSED
            assert one.connect_ex(refused) == errno.ECONNABORTED
            assert one.connect_ex(address) == errno.EINPROGRESS
            assert ready(selector, one, WRITE) == WRITE
            assert told(one, select.POLLOUT) == select.POLLOUT
            assert one.fileno() == number


def test_who_begins_anew_after_the_end_has_not_ended(ours: Place):
    """A connection that was reset before its connect() was asked how it went: the next connect() begins another."""
    with ours.listener() as listener, ours.client(), ours.socket.socket() as one:
        one.setblocking(False)
        number = one.fileno()
        assert one.connect_ex(listener.getsockname()) == errno.EINPROGRESS
        server, _ = listener.accept()
        assert told(one, select.POLLOUT) == select.POLLOUT
        server.setsockopt(constants.SOL_SOCKET, constants.SO_LINGER, struct.pack("ii", 1, 0))
        server.close()
        assert told(one, ENDS | select.POLLHUP) == ENDS | select.POLLHUP
        assert one.connect_ex(listener.getsockname()) == errno.ECONNRESET
        assert one.connect_ex(listener.getsockname()) == errno.EINPROGRESS
        assert told(one, select.POLLOUT) == select.POLLOUT
        assert one.fileno() == number
        listener.accept()[0].close()
        assert told(one, ENDS) == ENDS
