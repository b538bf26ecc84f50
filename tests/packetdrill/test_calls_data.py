"""Calls that carry data: buffers, vectors, messages, pointers that point nowhere."""

from __future__ import annotations

import pytest

from lastack.packetdrill.errors import ScriptError, Unsupported
from tests.packetdrill.scripted import Scripted


def test_each_way_to_send():
    s = Scripted()
    peer = s.accepts()
    s.does("setsockopt(4, SOL_TCP, TCP_NODELAY, [1], 4) = 0")
    s.does("write(4, ..., 10) = 10", "send(4, ..., 10, MSG_NOSIGNAL) = 10", 'sendto(4, "ab", 2, 0, ..., ...) = 2')
    s.does("writev(4, [{..., 3}, {..., 4}], 2) = 7")
    s.does("sendmsg(4, {msg_name(...)=..., msg_iov(2)=[{..., 0}, {..., 5}], msg_flags=0}, 0) = 5")
    sent = peer.sends(
        "P. 1:11(10) ack 1", "P. 11:21(10) ack 1", "P. 21:23(2) ack 1", "P. 23:30(7) ack 1", "P. 30:35(5) ack 1"
    )
    assert b"".join(sent[2].payload) == b"ab"
    assert b"".join(sent[0].payload) == bytes(10)


def test_each_way_to_receive():
    s = Scripted()
    peer = s.accepts()
    peer.gets("P. 1:101(100) ack 1")
    s.does("read(4, ..., 10) = 10", "recv(4, ..., 10, MSG_PEEK) = 10", "recv(4, ..., 10, 0) = 10")
    s.does("recvfrom(4, ..., 10, 0, ..., ...) = 10", "readv(4, [{..., 3}, {..., 4}], 2) = 7")
    s.does("recvmsg(4, {msg_name(...)=..., msg_iov(1)=[{..., 5}], msg_flags=0}, 0) = 5")
    s.does("ioctl(4, SIOCINQ, [58]) = 0")
    assert s.fails("ioctl(4, SIOCINQ, [57]) = 0").got == "ioctl(4, SIOCINQ, [58]) = 0"
    s.bench.forget()


def test_a_pointer_that_points_nowhere_takes_nothing():
    s = Scripted()
    peer = s.accepts()
    s.does("write(4, NULL, 1000) = -1 EFAULT (Bad address)", "send(4, NULL, 1000, 0) = -1 EFAULT")
    s.does("sendto(4, NULL, 1000, 0, ..., ...) = -1 EFAULT", "write(4, NULL, 0) = 0")
    s.does("fcntl(4, F_SETFL, O_NONBLOCK) = 0", "read(4, NULL, 1000) = -1 EAGAIN")
    peer.gets("P. 1:1001(1000) ack 1")
    s.does("read(4, NULL, 1000) = -1 EFAULT (Bad address)", "recv(4, NULL, 1000, 0) = -1 EFAULT")
    s.does("recvfrom(4, NULL, 1000, 0, ..., ...) = -1 EFAULT", "read(4, ..., 2000) = 1000")
    s.bench.forget()


def test_recvmsg_tells_how_much_is_left():
    s = Scripted()
    peer = s.accepts()
    s.does("setsockopt(4, SOL_TCP, TCP_INQ, [1], 4) = 0", "getsockopt(4, SOL_TCP, TCP_INQ, [1], [4]) = 0")
    peer.gets("F. 1:1001(1000) ack 1")
    head = "recvmsg(4, {msg_name(...)=..., msg_iov(1)=[{..., 600}], msg_flags=0, msg_control="
    cmsg = "[{{cmsg_level=SOL_TCP, cmsg_type=TCP_CM_INQ, cmsg_data={}}}]"
    s.does(f"{head}{cmsg.format(400)}}}, 0) = 600")
    failed = s.fails(f"{head}{cmsg.format(0)}}}, 0) = 400")
    assert failed.got == f"{head}{cmsg.format(1)}}}, 0) = 400"  # the end of the stream is to be read, too
    s.bench.forget()


def test_the_queue_of_errors_is_empty():
    s = Scripted()
    s.accepts()
    line = "recvmsg(4, {msg_name(...)=..., msg_iov(1)=[{...,0}], msg_flags=MSG_ERRQUEUE, msg_control=[]}, MSG_ERRQUEUE)"
    s.does(f"{line} = -1 EAGAIN")


def test_what_cannot_be_sent_is_named():
    s = Scripted()
    s.accepts()
    with pytest.raises(Unsupported, match="MSG_ZEROCOPY"):
        s.does("send(4, ..., 10, MSG_ZEROCOPY) = 10")
    with pytest.raises(Unsupported, match="msg_control"):
        s.does("sendmsg(4, {msg_name(...)=..., msg_iov(1)=[{...,1}], msg_flags=0, msg_control=[1]}, 0) = 1")
    for wrong in ("writev(4, [{..., 3}], 2) = 3", "write(4, ..., -1) = 3", "sendmsg(4, ..., 0) = 3"):
        with pytest.raises(ScriptError, match=r"line 1: .*argument [23]"):
            s.does(wrong)


def test_freebsds_end_of_the_stream_goes_with_the_data():
    s = Scripted()
    peer = s.accepts()
    s.does("send(4, ..., 10, MSG_EOF) = 10")
    peer.sends("FP. 1:11(10) ack 1")
