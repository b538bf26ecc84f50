"""Calls that open, name and close sockets; results and what is told where they differ."""

from __future__ import annotations

import pytest

from lastack.packetdrill.errors import ScriptError, Unsupported
from lastack.packetdrill.settings import Settings
from tests.packetdrill.scripted import Scripted


def test_a_connection_is_accepted_and_closed():
    s = Scripted()
    peer = s.accepts()
    s.does("close(4) = 0")
    peer.sends("F. 1:1(0) ack 1")
    assert s.watch.told == [("created", 3), ("listening", ("10.0.0.1", 8080)), ("accepted", 4)]


def test_another_result_is_told_in_the_scripts_notation():
    s = Scripted()
    s.accepts()
    s.does("fcntl(4, F_SETFL, O_RDWR|O_NONBLOCK) = 0")
    failed = s.fails("read(4, ..., 1000) = 1000")
    assert failed.expected == "read(4, ..., 1000) = 1000"
    assert failed.got == "read(4, ..., 1000) = -1 EAGAIN (Resource temporarily unavailable)"
    assert failed.line == 1


def test_another_error_is_not_the_one_that_was_wanted():
    s = Scripted()
    s.does("bind(7, ..., ...) = -1 EBADF", "bind(7, ..., ...) = -1", "bind(7, ..., ...) = ...")
    assert s.fails("bind(7, ..., ...) = -1 EINVAL").got == "bind(7, ..., ...) = -1 EBADF (Bad file descriptor)"
    assert s.fails("bind(7, ..., ...) = 0").expected == "bind(7, ..., ...) = 0"
    s.does("socket(..., SOCK_STREAM, 0) = 3")
    assert s.fails("listen(3, 1) = 0 EBADF").got == "listen(3, 1) = 0"
    with pytest.raises(Unsupported, match="the error ENOSUCH"):
        s.does("listen(9, 1) = -1 ENOSUCH")


def test_what_is_not_here_is_unsupported_by_name():
    s = Scripted()
    for line, what in (
        ("sendfile(4, 5, [0], 5) = 5", r"the system call sendfile\(\)"),
        ("socket(AF_INET, SOCK_DGRAM, IPPROTO_UDP) = 3", "SOCK_DGRAM"),
        ("socket(AF_INET, SOCK_STREAM, IPPROTO_SCTP) = 3", "IPPROTO_SCTP"),
        ("socket(AF_UNIX, SOCK_STREAM, 0) = 3", "the address family 1"),
    ):
        with pytest.raises(Unsupported, match=f"line 1: .*{what}"):
            s.does(line)
    s.does("socket(..., SOCK_STREAM, IPPROTO_UDP) = -1 EPROTONOSUPPORT (Protocol not supported)")


def test_arguments_that_make_no_sense_are_errors_of_the_script():
    s = Scripted()
    s.does("socket(..., SOCK_STREAM, 0) = 3")
    for line in (
        "bind(3, ...) = 0",
        "bind(3, 7, ...) = 0",
        "listen(3, [1]) = 0",
        'bind(3, {sa_family=AF_INET, sin_port=htons(70000), sin_addr=inet_addr("10.0.0.1")}, ...) = 0',
    ):
        with pytest.raises(ScriptError, match="line 1") as caught:
            s.does(line)
        assert not isinstance(caught.value, Unsupported)


def test_addresses_are_filled_in_or_given():
    s = Scripted()
    here = '{sa_family=AF_INET, sin_port=htons(90), sin_addr=inet_addr("10.0.0.1")}'
    s.does("socket(AF_INET, SOCK_STREAM, 0) = 3", f"bind(3, {here}, 16) = 0")
    s.does(f"getsockname(3, {here}, [16]) = 0", "getsockname(3, ..., ...) = 0")
    s.does("getpeername(3, ..., ...) = -1 ENOTCONN", "getsockname(3, NULL, [16]) = -1 EFAULT")
    failed = s.fails(f"getsockname(3, {here.replace('90', '91')}, [16]) = 0")
    assert failed.got == f"getsockname(3, {here}, [16]) = 0"


def test_the_settings_say_where_to():
    s = Scripted(Settings(local_ip="10.0.0.1", remote_ip="10.0.0.2", bind_port=70, connect_port=71))
    s.does("socket(..., SOCK_STREAM, 0) = 3", "bind(3, ..., ...) = 0", "fcntl(3, F_SETFL, O_NONBLOCK) = 0")
    s.does("connect(3, ..., ...) = -1 EINPROGRESS (Operation now in progress)", "connect(3, ..., ...) = -1 EALREADY")
    peer = s.bench.peer(71, 70)
    peer.hears(s.bench.pending[-1][1])
    peer.sends("S 0:0(0)")
    peer.gets("S. 0:0(0) ack 1 <mss 1460>")
    peer.sends(". 1:1(0) ack 1")
    there = '{sa_family=AF_INET, sin_port=htons(71), sin_addr=inet_addr("10.0.0.2")}'
    s.does(f"getpeername(3, {there}, [16]) = 0", "connect(3, ..., ...) = 0", "connect(3, ..., ...) = -1 EISCONN")
    assert s.watch.told[1:] == [("connecting", ("10.0.0.2", 71))] * 4


def test_sockets_of_ipv6_carry_ipv4():
    s = Scripted(Settings("ipv4-mapped-ipv6", local_ip="10.0.0.1", remote_ip="10.0.0.2"))
    peer = s.listens()
    peer.opens()
    there = '{sa_family=AF_INET6, sin_port=htons(4711), sin_addr=inet6_addr("::ffff:10.0.0.2")}'
    s.does(f"accept(3, {there}, [28]) = 4", "write(4, ..., 10) = 10")
    peer.sends("P. 1:11(10) ack 1")


def test_a_descriptor_is_free_again_after_the_close():
    s = Scripted()
    s.accepts()
    s.does("close(4) = 0", "close(4) = -1 EBADF (Bad file descriptor)", "read(4, ..., 10) = -1 EBADF")
    s.bench.forget()
    s.does("socket(..., SOCK_STREAM, 0) = 4", "socket(..., SOCK_STREAM, 0) = ...")
    assert sorted(s.calls.files) == [3, 4, 5]


def test_accept4_sets_what_it_is_asked_for():
    s = Scripted()
    s.listens().opens()
    s.does("accept4(3, ..., ..., SOCK_NONBLOCK) = 4", "fcntl(4, F_GETFL) = 0x802 (flags O_RDWR O_NONBLOCK)")
    s.does("fcntl(4, F_SETFL, O_RDWR) = 0", "fcntl(4, F_GETFL) = O_RDWR", "shutdown(4, SHUT_RDWR) = 0")
    s.bench.forget()


def test_a_new_socket_has_a_number_of_its_own():
    s = Scripted()
    s.does("socket(..., SOCK_STREAM, IPPROTO_TCP) = 3")
    with pytest.raises(ScriptError, match="the descriptor 3 is open already"):
        s.does("socket(..., SOCK_STREAM, IPPROTO_TCP) = 3")
    s.does("close(3) = 0", "socket(..., SOCK_STREAM, IPPROTO_TCP) = 3")


def test_an_accepted_one_may_use_a_number_again():
    s = Scripted()
    peer = s.accepts()
    s.bench.peer(4712, 8080).opens()
    s.does("accept(3, ..., ...) = 4", "write(4, ..., 10) = 10")
    assert s.bench.pending[0][1].destination_port == 4712 != peer.port
    s.bench.forget()
