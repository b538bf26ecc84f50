"""setsockopt, getsockopt, fcntl, ioctl: values, structures, texts, lengths."""

from __future__ import annotations

import pytest

from lastack.packetdrill.errors import ScriptError, Unsupported
from tests.packetdrill.scripted import Scripted


def scripted() -> Scripted:
    s = Scripted()
    s.does("socket(..., SOCK_STREAM, IPPROTO_TCP) = 3")
    return s


def test_numbers_are_set_and_read():
    s = scripted()
    s.does(
        "setsockopt(3, SOL_SOCKET, SO_REUSEADDR, [1], 4) = 0", "getsockopt(3, SOL_SOCKET, SO_REUSEADDR, [1], [4]) = 0"
    )
    s.does("setsockopt(3, SOL_IP, IP_TOS, [32], 1) = 0", "getsockopt(3, IPPROTO_IP, IP_TOS, [0x20], [4]) = 0")
    failed = s.fails("getsockopt(3, SOL_SOCKET, SO_REUSEADDR, [0], [4]) = 0")
    assert failed.expected == "getsockopt(3, SOL_SOCKET, SO_REUSEADDR, [0], [4]) = 0"
    assert failed.got == "getsockopt(3, SOL_SOCKET, SO_REUSEADDR, [1], [4]) = 0"


def test_a_number_of_32_bits_may_be_written_either_way():
    s = scripted()
    s.does("setsockopt(3, SOL_TCP, TCP_NOTSENT_LOWAT, [0xffffffff], 4) = 0")
    s.does("getsockopt(3, SOL_TCP, TCP_NOTSENT_LOWAT, [0xffffffff], [4]) = 0")
    s.does("getsockopt(3, SOL_TCP, TCP_NOTSENT_LOWAT, [-1], [4]) = 0")


def test_structures_and_names():
    s = scripted()
    s.does("setsockopt(3, SOL_SOCKET, SO_LINGER, {onoff=1, linger=5}, 8) = 0")
    s.does("getsockopt(3, SOL_SOCKET, SO_LINGER, {l_onoff=1, l_linger=...}, [8]) = 0")
    s.does('setsockopt(3, SOL_TCP, TCP_CONGESTION, "newreno", 7) = 0')
    s.does('getsockopt(3, SOL_TCP, TCP_CONGESTION, ["newreno"], [16]) = 0')
    assert s.fails("getsockopt(3, SOL_SOCKET, SO_LINGER, {onoff=0, linger=...}, [8]) = 0").got.endswith(
        "{onoff=1, linger=5}, [8]) = 0"
    )


def test_a_tcp_stack_of_freebsd_is_chosen_by_its_name():
    s = Scripted()
    peer = s.listens()
    s.does('getsockopt(3, IPPROTO_TCP, TCP_FUNCTION_BLK, {function_set_name="freebsd", pcbcnt=...}, [36]) = 0')
    for name in ("freebsd", "rack"):
        s.does(f'setsockopt(3, IPPROTO_TCP, TCP_FUNCTION_BLK, {{function_set_name="{name}", pcbcnt=0}}, 36) = 0')
    peer.opens()
    s.does("accept(3, ..., ...) = 4")
    s.does('getsockopt(4, IPPROTO_TCP, TCP_FUNCTION_BLK, {function_set_name="rack", pcbcnt=...}, [36]) = 0')
    s.does('setsockopt(4, IPPROTO_TCP, TCP_FUNCTION_BLK, {function_set_name="no", pcbcnt=0}, 36) = -1 ENOENT')
    s.does('setsockopt(4, IPPROTO_TCP, TCP_FUNCTION_BLK, {function_set_name="rack", pcbcnt=0}, 35) = -1 EINVAL')
    with pytest.raises(Unsupported, match="the TCP stack bbr"):
        s.does('setsockopt(4, IPPROTO_TCP, TCP_FUNCTION_BLK, {function_set_name="bbr", pcbcnt=0}, 36) = 0')
    with pytest.raises(ScriptError, match="the name of a TCP stack"):
        s.does("setsockopt(4, IPPROTO_TCP, TCP_FUNCTION_BLK, {function_set_name=7, pcbcnt=0}, 36) = 0")


def test_what_is_too_short_or_nowhere():
    s = scripted()
    s.does("setsockopt(3, SOL_SOCKET, SO_KEEPALIVE, [1], 2) = -1 EINVAL (Invalid argument)")
    s.does("setsockopt(3, SOL_SOCKET, SO_LINGER, {onoff=1, linger=5}, 4) = -1 EINVAL")
    s.does("setsockopt(3, SOL_IP, IP_TOS, [32], 0) = -1 EINVAL")
    s.does("setsockopt(3, SOL_SOCKET, SO_KEEPALIVE, NULL, 4) = -1 EFAULT (Bad address)")
    s.does("getsockopt(3, SOL_SOCKET, SO_KEEPALIVE, NULL, [4]) = -1 EFAULT")


def test_the_error_is_told_once():
    s = scripted()
    s.does("fcntl(3, F_SETFL, O_RDWR|O_NONBLOCK) = 0", "connect(3, ..., ...) = -1 EINPROGRESS")
    syn = s.bench.pending[-1][1]
    peer = s.bench.peer(8080, syn.source_port)
    peer.hears(syn)
    peer.sends("S 0:0(0)")
    peer.gets("R. 0:0(0) ack 1")
    s.does("getsockopt(3, SOL_SOCKET, SO_ERROR, [ECONNREFUSED], [4]) = 0", "getsockopt(3, 1, 4, [0], [4]) = 0")


def test_fields_of_tcp_info():
    s = Scripted()
    s.accepts()
    s.does("getsockopt(4, SOL_TCP, TCP_INFO, {tcpi_state=TCP_ESTABLISHED, tcpi_unacked=0}, ...) = 0")
    s.fails("getsockopt(4, SOL_TCP, TCP_INFO, {tcpi_state=2}, ...) = 0")


def test_unknown_options_of_linux_are_named_and_others_do_not_exist():
    s = scripted()
    with pytest.raises(Unsupported, match="line 1: SO_ZEROCOPY"):
        s.does("setsockopt(3, SOL_SOCKET, SO_ZEROCOPY, [1], 4) = 0")
    with pytest.raises(Unsupported, match="TCP_FUNCTION_ALIAS"):
        s.does('setsockopt(3, IPPROTO_TCP, TCP_FUNCTION_ALIAS, {function_set_name="rack", pcbcnt=0}, 36) = 0')
    s.does("setsockopt(3, SOL_TCP, 999, [1], 4) = -1 ENOPROTOOPT (Protocol not available)")


def test_the_queue_of_errors_is_empty_while_a_connection_is_open_and_else_not_here():
    s = scripted()
    s.does("setsockopt(3, SOL_IP, IP_RECVERR, [1], 4) = 0", "getsockopt(3, SOL_IP, IP_RECVERR, [1], [4]) = 0")
    asks = "recvmsg({}, {{msg_name(...)=..., msg_iov(1)=[{{..., 9}}], msg_flags=0}}, MSG_ERRQUEUE) = -1 EAGAIN"
    with pytest.raises(Unsupported, match="the queue of ICMP errors"):
        s.does(asks.format(3))
    s = Scripted()
    s.accepts()
    s.does("setsockopt(4, SOL_IP, IP_RECVERR, [1], 4) = 0", asks.format(4))


def test_times_that_calls_may_last():
    s = scripted()
    s.does("setsockopt(3, SOL_SOCKET, SO_RCVTIMEO, {tv_sec=1, tv_usec=500000}, 16) = 0")
    s.does("bind(3, ..., ...) = 0", "listen(3, 1) = 0")
    waiting = s.begins("accept(3, ..., ...) = -1 EAGAIN (Resource temporarily unavailable)")
    assert waiting.wake == s.bench.now + 1_500_000
    s.bench.after(1.5)
    waiting.goes_on()
    assert waiting.ended


def test_requests_and_commands():
    s = Scripted()
    peer = s.accepts()
    s.does("write(4, ..., 100) = 100", "ioctl(4, SIOCOUTQ, [100]) = 0", "ioctl(4, SIOCOUTQNSD, [0]) = 0")
    peer.sends("P. 1:101(100) ack 1")
    s.does("ioctl(4, FIONREAD, [0]) = 0", "ioctl(3, SIOCINQ, [0]) = -1 EINVAL", "ioctl(4, SIOCINQ, NULL) = -1 EFAULT")
    s.does("ioctl(4, FIONBIO, [1]) = 0", "fcntl(4, F_GETFL) = O_RDWR|O_NONBLOCK")
    with pytest.raises(Unsupported, match="fcntl"):
        s.does("fcntl(4, F_DUPFD, 7) = 7")
    with pytest.raises(Unsupported, match="ioctl"):
        s.does("ioctl(4, 7, [0]) = 0")


def test_what_freebsd_has_and_linux_has_not():
    s = scripted()
    s.does(
        "setsockopt(3, SOL_SOCKET, SO_NOSIGPIPE, [1], 4) = 0", "getsockopt(3, SOL_SOCKET, SO_NOSIGPIPE, [1], [4]) = 0"
    )
    s.does("getsockopt(3, IPPROTO_TCP, TCP_DELACK, [1], [4]) = 0", "setsockopt(3, IPPROTO_TCP, TCP_DELACK, [0], 4) = 0")
    s.does("getsockopt(3, IPPROTO_TCP, TCP_DELACK, [0], [4]) = 0", "setsockopt(3, IPPROTO_TCP, TCP_NOOPT, [1], 4) = 0")
    s.does("getsockopt(3, IPPROTO_TCP, TCP_NOOPT, [1], [4]) = 0", "fcntl(3, F_SETFL, O_NONBLOCK) = 0")
    s.does("connect(3, ..., ...) = -1 EINPROGRESS")
    (syn,) = s.bench.host.connections()
    assert (syn.config.delayed_ack, syn.config.syn_options, syn.ts_on, syn.sack_on) == (0, (), False, False)


def test_what_waits_to_be_sent_and_the_room_for_more():
    s = Scripted(send_buffer=10_000, autotuning=False)
    s.accepts()
    s.does("write(4, ..., 3000) = 3000", "ioctl(4, FIONWRITE, [3000]) = 0", "ioctl(4, FIONSPACE, [7000]) = 0")


def test_a_plain_number_may_be_freebsds_flag_that_does_not_block():
    s = scripted()
    s.does("fcntl(3, F_GETFL) = 0x2", "fcntl(3, F_SETFL, 0x6) = 0", "fcntl(3, F_GETFL) = 0x6")
    s.does("fcntl(3, F_GETFL) = O_RDWR|O_NONBLOCK", "fcntl(3, F_SETFL, O_RDWR) = 0")
    s.fails("fcntl(3, F_GETFL) = 0x6")


def test_two_sockets_on_one_port_are_not_here():
    s = scripted()
    s.does("setsockopt(3, SOL_SOCKET, SO_REUSEPORT, [1], 4) = 0", "bind(3, ..., ...) = 0", "listen(3, 1) = 0")
    s.does("socket(..., SOCK_STREAM, IPPROTO_TCP) = 4", "setsockopt(4, SOL_SOCKET, SO_REUSEPORT, [1], 4) = 0")
    with pytest.raises(Unsupported, match="SO_REUSEPORT of several sockets"):
        s.does("bind(4, ..., ...) = 0")
