"""What blocks: calls that wait in virtual time, and how they end."""

from __future__ import annotations

from tests.host.harness import Peer
from tests.packetdrill.scripted import Scripted


def opening(s: Scripted, *more: str) -> tuple[Peer, object]:
    """A blocking connect of 3, and its peer, which has seen the SYN."""
    s.does("socket(..., SOCK_STREAM, IPPROTO_TCP) = 3", *more)
    waiting = s.begins("connect(3, ..., ...) = 0")
    syn = s.bench.pending[-1][1]
    peer = s.bench.peer(8080, syn.source_port)
    peer.hears(syn)
    peer.sends("S 0:0(0)")
    return peer, waiting


def test_accept_waits_for_a_connection():
    s = Scripted()
    peer = s.listens()
    waiting = s.begins("accept(3, ..., ...) = 4")
    assert not waiting.ended
    peer.opens()
    waiting.goes_on()
    assert waiting.ended
    assert s.watch.told[-1] == ("accepted", 4)


def test_connect_waits_for_the_handshake():
    s = Scripted()
    peer, waiting = opening(s)
    waiting.goes_on()
    assert not waiting.ended
    peer.gets("S. 0:0(0) ack 1 <mss 1460>")
    peer.sends(". 1:1(0) ack 1")
    waiting.goes_on()
    assert waiting.ended
    s.does("connect(3, ..., ...) = -1 EISCONN (Transport endpoint is already connected)")


def test_connect_tells_how_it_failed():
    s = Scripted()
    s.does("socket(..., SOCK_STREAM, IPPROTO_TCP) = 3")
    waiting = s.begins("connect(3, ..., ...) = -1 ECONNREFUSED (Connection refused)")
    syn = s.bench.pending[-1][1]
    peer = s.bench.peer(8080, syn.source_port)
    peer.hears(syn)
    peer.sends("S 0:0(0)")
    peer.gets("R. 0:0(0) ack 1")
    waiting.goes_on()
    assert waiting.ended


def test_connect_ends_at_the_send_time_out():
    s = Scripted()
    s.does("socket(..., SOCK_STREAM, IPPROTO_TCP) = 3")
    s.does("setsockopt(3, SOL_SOCKET, SO_SNDTIMEO, {tv_sec=0, tv_usec=100000}, 16) = 0")
    waiting = s.begins("connect(3, ..., ...) = -1 EINPROGRESS (Operation now in progress)")
    assert waiting.wake == s.bench.now + 100_000
    s.bench.after(0.1)
    waiting.goes_on()
    assert waiting.ended
    s.bench.forget()


def test_a_blocking_send_takes_everything():
    s = Scripted(send_buffer=4000)
    peer = s.accepts()
    waiting = s.begins("write(4, ..., 10000) = 10000")
    peer.sends(". 1:1461(1460) ack 1", ". 1461:2921(1460) ack 1", "P. 2921:4001(1080) ack 1")
    for ack in (4001, 8001):
        assert not waiting.ended
        peer.gets(f". 1:1(0) ack {ack}")
        waiting.goes_on()
        s.bench.settle()
        s.bench.forget()
    assert waiting.ended


def test_a_send_that_an_error_ends_tells_what_it_took():
    s = Scripted(send_buffer=4000)
    peer = s.accepts()
    waiting = s.begins("write(4, ..., 10000) = 4000")
    s.bench.forget()
    peer.gets("R. 1:1(0) ack 1")
    waiting.goes_on()
    assert waiting.ended
    s.does("write(4, ..., 1) = -1 ECONNRESET (Connection reset by peer)", "write(4, ..., 1) = -1 EPIPE (Broken pipe)")


def test_a_send_that_must_not_wait_takes_what_there_is_room_for():
    s = Scripted(send_buffer=4000)
    s.accepts()
    s.does("send(4, ..., 5000, MSG_DONTWAIT) = 4000", "send(4, ..., 1, MSG_DONTWAIT) = -1 EAGAIN")
    s.bench.forget()


def test_a_send_waits_for_the_handshake():
    s = Scripted()
    s.does("socket(..., SOCK_STREAM, IPPROTO_TCP) = 3", "fcntl(3, F_SETFL, O_NONBLOCK) = 0")
    s.does("connect(3, ..., ...) = -1 EINPROGRESS", "write(3, ..., 10) = -1 EAGAIN", "fcntl(3, F_SETFL, 0) = 0")
    syn = s.bench.pending[-1][1]
    peer = s.bench.peer(8080, syn.source_port)
    peer.hears(syn)
    peer.sends("S 0:0(0)")
    waiting = s.begins("write(3, ..., 10) = 10")
    assert not waiting.ended
    peer.gets("S. 0:0(0) ack 1 <mss 1460>")
    peer.sends("P. 1:11(10) ack 1")
    waiting.goes_on()
    assert waiting.ended


def test_a_blocked_send_goes_on_only_where_there_is_room_worth_it():
    s = Scripted(send_buffer=9000)
    peer = s.accepts()
    waiting = s.begins("write(4, ..., 10000) = 10000")
    s.bench.forget()
    peer.gets(". 1:1(0) ack 2001")
    waiting.goes_on()
    assert not waiting.ended  # not a third of the buffer
    peer.gets(". 1:1(0) ack 3001")
    waiting.goes_on()
    assert waiting.ended
    s.bench.settle()
    s.bench.forget()


def test_a_read_waits_for_data_and_for_all_where_it_is_asked_to():
    s = Scripted()
    peer = s.accepts()
    reading = s.begins("read(4, ..., 100) = 10")
    peer.gets("P. 1:11(10) ack 1")
    reading.goes_on()
    assert reading.ended
    whole = s.begins("recv(4, ..., 20, MSG_WAITALL) = 20")
    s.bench.forget()
    for line in ("P. 11:21(10) ack 1", "P. 21:31(10) ack 1"):
        assert not whole.ended
        peer.gets(line)
        s.bench.forget()
        whole.goes_on()
    assert whole.ended


def test_a_read_of_all_ends_with_the_stream():
    s = Scripted()
    peer = s.accepts()
    waiting = s.begins("recv(4, ..., 20, MSG_WAITALL) = 10")
    peer.gets("F. 1:11(10) ack 1")
    waiting.goes_on()
    assert waiting.ended
    s.does("read(4, ..., 10) = 0")
    s.bench.forget()


def test_a_low_water_mark_is_waited_for():
    s = Scripted()
    peer = s.accepts()
    s.does("setsockopt(4, SOL_SOCKET, SO_RCVLOWAT, [15], 4) = 0")
    waiting = s.begins("read(4, ..., 100) = 20")
    for line in ("P. 1:11(10) ack 1", "P. 11:21(10) ack 1"):
        assert not waiting.ended
        peer.gets(line)
        s.bench.forget()
        waiting.goes_on()
    assert waiting.ended


def test_close_waits_for_lingering_data():
    s = Scripted()
    peer = s.accepts()
    s.does("setsockopt(4, SOL_SOCKET, SO_LINGER, {onoff=1, linger=5}, 8) = 0", "write(4, ..., 10) = 10")
    waiting = s.begins("close(4) = 0")
    assert waiting.wake == s.bench.now + 5_000_000
    peer.sends("P. 1:11(10) ack 1", "F. 11:11(0) ack 1")
    peer.gets(". 1:1(0) ack 12")
    waiting.goes_on()
    assert waiting.ended


def test_close_does_not_wait_longer_than_it_is_told():
    s = Scripted()
    s.accepts()
    s.does("setsockopt(4, SOL_SOCKET, SO_LINGER, {onoff=1, linger=1}, 8) = 0")
    waiting = s.begins("close(4) = 0")
    s.bench.after(0.9)
    waiting.goes_on()
    assert not waiting.ended
    s.bench.after(0.1)
    waiting.goes_on()
    assert waiting.ended
    s.bench.forget()


def test_no_linger_resets():
    s = Scripted()
    peer = s.accepts()
    s.does("setsockopt(4, SOL_SOCKET, SO_LINGER, {onoff=1, linger=0}, 8) = 0", "close(4) = 0")
    peer.sends("R. 1:1(0) ack 1")


def test_the_urgent_byte_is_read_apart():
    s = Scripted(oob_inline=False)
    peer = s.accepts()
    s.does("send(4, ..., 1, MSG_OOB) = 1", "recv(4, ..., 1, MSG_OOB) = -1 EINVAL (Invalid argument)")
    s.bench.forget()
    peer.gets("PU. 1:11(10) ack 2 urg 10")
    s.does("poll([{fd=4, events=POLLPRI, revents=POLLPRI}], 1, 0) = 1", "recv(4, ..., 1, MSG_OOB) = 1")
    s.does("read(4, ..., 100) = 9", "ioctl(4, SIOCATMARK, [1]) = 0")
    s.bench.forget()
