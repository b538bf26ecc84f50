"""poll and epoll, by level and by edge (epoll(7))."""

from __future__ import annotations

import pytest

from lastack.packetdrill.errors import ScriptError
from tests.host.harness import Peer
from tests.packetdrill.scripted import Scripted


def polled(events: str) -> tuple[Scripted, Peer]:
    """A connection 4 that the epoll instance 5 looks at."""
    s = Scripted(send_buffer=9000)
    peer = s.accepts()
    s.does("fcntl(4, F_SETFL, O_RDWR|O_NONBLOCK) = 0", "epoll_create(1) = 5")
    s.does(f"epoll_ctl(5, EPOLL_CTL_ADD, 4, {{events={events}, fd=4}}) = 0")
    return s, peer


def gets(s: Scripted, peer: Peer, line: str) -> None:
    """What the host answers is of no interest."""
    s.bench.forget()
    peer.gets(line)
    s.bench.forget()


NONE = "epoll_wait(5, {events=0, ptr=0}, 1, 0) = 0"


def some(events: str) -> str:
    return f"epoll_wait(5, {{events={events}, fd=4}}, 1, 0) = 1"


def test_poll_tells_what_is_asked_for():
    s = Scripted()
    peer = s.accepts()
    s.does(
        "poll([{fd=4, events=POLLIN|POLLOUT, revents=POLLOUT}], 1, 0) = 1", "poll([{fd=4, events=POLLIN}], 1, 0) = 0"
    )
    peer.gets("F. 1:11(10) ack 1")
    s.does("poll([{fd=4, events=POLLIN|POLLRDHUP, revents=POLLIN|POLLRDHUP}, {fd=3, events=POLLIN}], 2, 0) = 1")
    failed = s.fails("poll([{fd=4, events=POLLIN, revents=POLLIN|POLLERR}], 1, 0) = 1")
    assert failed.got == "poll([{fd=4, events=POLLIN, revents=POLLIN}], 1, 0) = 1"
    s.does("poll([{fd=9, events=POLLIN, revents=POLLNVAL}, {fd=-1, events=POLLIN, revents=0}], 2, -1) = 1")
    with pytest.raises(ScriptError, match="number of files"):
        s.does("poll([{fd=4, events=POLLIN}], 2, 0) = 0")
    s.bench.forget()


def test_poll_waits_up_to_its_time_out():
    s = Scripted()
    peer = s.accepts()
    waiting = s.begins("poll([{fd=4, events=POLLIN, revents=0}], 1, 20) = 0")
    assert waiting.wake == s.bench.now + 20_000
    s.bench.after(0.02)
    waiting.goes_on()
    assert waiting.ended
    waiting = s.begins("poll([{fd=4, events=POLLIN, revents=POLLIN}], 1, -1) = 1")
    assert not waiting.ended
    assert waiting.wake is None
    peer.gets("P. 1:11(10) ack 1")
    waiting.goes_on()
    assert waiting.ended
    s.bench.forget()


def test_a_level_is_told_as_long_as_it_lasts():
    s, peer = polled("EPOLLIN")
    s.does(NONE)
    peer.gets("P. 1:11(10) ack 1")
    s.does(some("EPOLLIN"), some("EPOLLIN"), "read(4, ..., 10) = 10", NONE)
    s.bench.forget()


def test_each_arrival_is_an_edge_and_a_read_is_none():
    s, peer = polled("EPOLLIN|EPOLLOUT|EPOLLET")
    s.does(some("EPOLLOUT"), NONE)
    gets(s, peer, "P. 1:11(10) ack 1")
    s.does(some("EPOLLIN|EPOLLOUT"), NONE, "read(4, ..., 1) = 1", NONE)
    gets(s, peer, "P. 11:21(10) ack 1")
    s.does(some("EPOLLIN|EPOLLOUT"), NONE)
    gets(s, peer, "F. 21:21(0) ack 1")
    s.does(some("EPOLLIN|EPOLLOUT"), NONE)


def test_room_is_an_edge_only_where_there_was_none():
    s, peer = polled("EPOLLOUT|EPOLLET")
    s.does(some("EPOLLOUT"), "write(4, ..., 1000) = 1000")
    gets(s, peer, ". 1:1(0) ack 1001")
    s.does(NONE)  # there has been room all the time
    s.does("write(4, ..., 12000) = 9000", NONE)
    gets(s, peer, ". 1:1(0) ack 2001")
    s.does(NONE)  # not a third of the buffer
    gets(s, peer, ". 1:1(0) ack 5001")
    s.does("write(4, ..., 1) = 1", some("EPOLLOUT"), NONE)  # it has woken, though nobody asked meanwhile


def test_once_is_once_until_it_is_asked_for_again():
    s, peer = polled("EPOLLIN|EPOLLONESHOT")
    gets(s, peer, "P. 1:11(10) ack 1")
    s.does(some("EPOLLIN"), NONE)
    gets(s, peer, "R. 11:11(0) ack 1")
    s.does(NONE)  # not even the end
    s.does("epoll_ctl(5, EPOLL_CTL_MOD, 4, {events=EPOLLIN|EPOLLRDHUP, ptr=7}) = 0")
    s.does("epoll_wait(5, {events=EPOLLIN|EPOLLRDHUP|EPOLLHUP|EPOLLERR, ptr=7}, 1, 0) = 1")


def test_interest_is_added_changed_and_taken_away_once():
    s, _ = polled("EPOLLOUT|EPOLLET|EPOLLEXCLUSIVE")
    s.does("epoll_ctl(5, EPOLL_CTL_ADD, 4, {events=EPOLLIN, fd=4}) = -1 EEXIST (File exists)")
    s.does("epoll_ctl(5, EPOLL_CTL_MOD, 4, {events=EPOLLIN, fd=4}) = -1 EINVAL")
    s.does("epoll_ctl(5, EPOLL_CTL_DEL, 4, NULL) = 0", "epoll_ctl(5, EPOLL_CTL_DEL, 4, NULL) = -1 ENOENT", NONE)
    s.does("epoll_ctl(5, EPOLL_CTL_ADD, 9, {events=EPOLLIN, fd=9}) = -1 EBADF")
    s.does("epoll_ctl(4, EPOLL_CTL_ADD, 3, {events=EPOLLIN, fd=3}) = -1 EINVAL")
    s.does("epoll_create(0) = -1 EINVAL", "epoll_create1(EPOLL_CLOEXEC) = 6", "epoll_wait(6, ..., 0, 0) = -1 EINVAL")
    s.does("close(6) = 0", "close(5) = 0")


def test_what_is_closed_is_looked_at_no_more():
    s, _ = polled("EPOLLOUT")
    s.does("close(4) = 0", NONE)
    s.bench.forget()


def test_several_files_are_told_in_turn():
    s, peer = polled("EPOLLIN")
    other = s.bench.peer(4712, 8080)
    other.opens()
    s.does("accept(3, ..., ...) = 6", "epoll_ctl(5, EPOLL_CTL_ADD, 6, {events=EPOLLIN, fd=6}) = 0")
    peer.gets("P. 1:11(10) ack 1")
    s.bench.forget()
    other.gets("P. 1:11(10) ack 1")
    s.does(some("EPOLLIN"), "epoll_wait(5, {events=EPOLLIN, fd=6}, 1, 0) = 1", some("EPOLLIN"))
    s.does("epoll_wait(5, [{events=EPOLLIN, fd=6}, {events=EPOLLIN, fd=4}, {events=0, ptr=0}], 9, 0) = 2")
    s.bench.forget()


def test_a_listener_wakes_for_each_connection():
    s = Scripted()
    peer = s.listens()
    s.does("epoll_create1(0) = 5", "epoll_ctl(5, EPOLL_CTL_ADD, 3, {events=EPOLLIN|EPOLLET, fd=3}) = 0", NONE)
    waiting = s.begins("epoll_wait(5, {events=EPOLLIN, fd=3}, 1, -1) = 1")
    peer.opens()
    waiting.goes_on()
    assert waiting.ended
    s.does(NONE, "accept(3, ..., ...) = 4", NONE)
