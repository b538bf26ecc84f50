"""What a sysctl changes of sockets and connections that are there. Linux's names: tests/conformance/scripts/sysctl."""

from __future__ import annotations

from pathlib import Path

import pytest

from lastack.packetdrill.language.parser import parse
from lastack.packetdrill.runner import Result, play
from lastack.packetdrill.settings import Settings
from lastack.packetdrill.sysctls import catalogue, moments
from lastack.packetdrill.sysctls.catalogue import Sysctls
from lastack.tcp.config import DEFAULT, Config
from lastack.tcp.presets import BSD
from tests.packetdrill.stack import FakeStack
from tests.packetdrill.test_own_suite import failing

LISTEN = """
0 socket(..., SOCK_STREAM, IPPROTO_TCP) = 3
+0 bind(3, ..., ...) = 0
+0 listen(3, 2) = 0
"""
OPENED = f"""{LISTEN}
+0 < S 0:0(0) win 65535 <mss 1460>
+0 > S. 0:0(0) ack 1 <...>
+.05 < . 1:1(0) ack 1 win 65535
+0 accept(3, ..., ...) = 4
"""
CALLS = "+0 connect(3, ..., ...) = -1 EINPROGRESS (Operation now in progress)\n"
NEW = "0 socket(..., SOCK_STREAM, IPPROTO_TCP) = 3\n+0 fcntl(3, F_SETFL, O_RDWR|O_NONBLOCK) = 0\n"
IDLE = "< P. 1:11(10) ack 1 win 65535\n* > . 1:1(0) ack 11\n+1.9~+2.1 > . 0:0(0) ack 11"


def run(text: str) -> Result:
    made = Settings()
    return play(parse(text, defines=made.all_defines), made, preset=BSD, folder=Path())


FOLLOWED = [
    (OPENED, "delayed_ack=0", "< P. 1:11(10) ack 1 win 65535\n+0 > . 1:1(0) ack 11"),
    (OPENED, "insecure_rst=1", "< R 10:10(0) win 0\n+0 read(4, ..., 10) = -1 ECONNRESET (reset)"),
    (f"`sysctl net.inet.tcp.always_keepalive=0 net.inet.tcp.keepidle=2000`\n{OPENED}", "always_keepalive=1", IDLE),
    (
        LISTEN,
        "rfc1323=0",
        "< S 0:0(0) win 9 <mss 1460,nop,wscale 1,nop,nop,TS val 1 ecr 0>\n+0 > S. 0:0(0) ack 1 <mss 1460>",
    ),
]


@pytest.mark.parametrize(("head", "setting", "more"), FOLLOWED, ids=[one[1] for one in FOLLOWED])
def test_what_freebsd_looks_at_when_it_is_used_reaches_what_is_open(head: str, setting: str, more: str):
    result = run(f"{head}+0 `sysctl net.inet.tcp.{setting}`\n+0 {more}\n")
    assert (result.outcome, result.message) == ("passed", "")


def test_the_time_in_time_wait_is_looked_at_when_it_begins():
    closes = "+0 close(4) = 0\n+0 > F. 1:1(0) ack 1\n+.1 < F. 1:1(0) ack 2 win 65535\n+0 > . 2:2(0) ack 2\n"
    after = "+2.1 < . 2:2(0) ack 2 win 65535\n+0 > R 2:2(0)\n"
    assert run(f"{OPENED}{closes}{after}").outcome == "failed"
    assert run(f"{OPENED}+0 `sysctl net.inet.tcp.msl=1000`\n{closes}{after}").outcome == "passed"


# What FreeBSD copies into a control block when socket() makes it.
COPIED = [
    ("net.inet.tcp.rfc1323=0", f"{CALLS}+0 > S 0:0(0) <mss 1460,sackOK,TS val 1 ecr 0,nop,wscale 6>"),
    ("net.inet.tcp.sack.enable=0", f"{CALLS}+0 > S 0:0(0) <mss 1460,sackOK,TS val 1 ecr 0,nop,wscale 6>"),
    ("net.inet.ip.ttl=9", f"{CALLS}+0 > [ttl 64] S 0:0(0) <...>"),
    ("net.inet.tcp.recvspace=8192", f"{CALLS}+0 > S 0:0(0) win 65535 <...>"),
    ("net.inet.tcp.cc.algorithm=newreno", '+0 getsockopt(3, IPPROTO_TCP, TCP_CONGESTION, ["cubic"], [16]) = 0'),
]


@pytest.mark.parametrize(("setting", "more"), COPIED, ids=[one[0] for one in COPIED])
def test_what_freebsd_copies_stays_as_it_was(setting: str, more: str, monkeypatch: pytest.MonkeyPatch):
    kinds = "+0 > S 0:0(0) <mss 1460,nop,wscale 6,sackOK,TS val 1 ecr 0>"  # in FreeBSD's order
    text = f"{NEW}+0 `sysctl {setting}`\n{more}\n".replace(
        "+0 > S 0:0(0) <mss 1460,sackOK,TS val 1 ecr 0,nop,wscale 6>", kinds
    )
    result = run(text)
    assert (result.outcome, result.message) == ("passed", "")
    monkeypatch.setattr(moments, "MOMENTS", {})
    assert run(text).outcome == "failed"


def test_a_socket_that_was_made_before_listens_with_what_is_set_now():
    text = LISTEN.replace("+0 bind", "+0 `sysctl net.inet.tcp.sack.enable=0 kern.ipc.soacceptqueue=1`\n+0 bind")
    answers = "+0 < S 0:0(0) win 65535 <mss 1460,nop,nop,sackOK>\n+0 > S. 0:0(0) ack 1 <mss 1460>\n"
    assert run(text + answers).outcome == "passed"


def test_each_moment_is_of_a_name_that_is_known():
    stack = FakeStack()
    sysctls = Sysctls(lambda: stack.host.config, stack.configure)
    assert [name for name in moments.MOMENTS if not sysctls.known(name)] == []


def test_how_far_a_buffer_grows_is_looked_at_when_it_grows():
    found = moments.moments("net.ipv4.tcp_rmem", {"receive_buffer_initial": 1, "receive_buffer": 2})
    assert found == {moments.Moment.SOCKET: {"receive_buffer_initial": 1}, moments.Moment.USE: {"receive_buffer": 2}}


def test_linuxs_scripts_of_what_stays_see_it_changed(monkeypatch: pytest.MonkeyPatch):
    names = {"backlog_of_a_listener_stays", "buffers_of_a_socket_stay", "congestion_control_of_a_socket_stays"}
    names.add("least_time_out_of_a_socket_stays")
    assert not failing(DEFAULT, "sysctl")
    monkeypatch.setattr(moments, "MOMENTS", {})
    assert failing(DEFAULT, "sysctl") == {f"sysctl/{name}" for name in names}
    # and those of what follows, that nothing does
    monkeypatch.setattr(moments, "moments", lambda _name, settings: {moments.Moment.SOCKET: settings})
    monkeypatch.setattr(catalogue, "moments", moments.moments)
    follow = {"caller_follows", "listener_follows", "fin_timeout_while_open", "hop_limit_while_open"}
    assert failing(DEFAULT, "sysctl") >= {f"sysctl/{name}" for name in (*follow, "keepalive_while_open")}


def test_what_a_socket_has_set_goes_before_what_the_system_is_given(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(Config, "under", Config.having)
    assert failing(DEFAULT, "sysctl") == {"sysctl/own_values_stay"}
