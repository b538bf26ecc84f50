"""Scripts on the Linux kernel in a sandbox, and on lastack as `linux`: both see the same script the same way."""

from __future__ import annotations

import os
import threading
from pathlib import Path

import pytest

from lastack.packetdrill.kernel.machine import KernelMachine
from lastack.packetdrill.language.parser import parse
from lastack.packetdrill.playing import MACHINES
from lastack.packetdrill.runner import Result, play
from lastack.packetdrill.settings import Settings
from lastack.packetdrill.suite import play_file
from lastack.tcp.presets import LINUX

pytestmark = pytest.mark.interop

LISTENING = """
0 socket(..., SOCK_STREAM, IPPROTO_TCP) = 3
+0 setsockopt(3, SOL_SOCKET, SO_REUSEADDR, [1], 4) = 0
+0 bind(3, ..., ...) = 0
+0 listen(3, 1) = 0
"""
OPENED = (
    LISTENING
    + """
+0 < S 0:0(0) win 32792 <mss 1000,sackOK,nop,nop,nop,wscale 7>
+0 > S. 0:0(0) ack 1 <mss 1460,nop,nop,sackOK,nop,wscale 7>
+.05 < . 1:1(0) ack 1 win 257
+0 accept(3, ..., ...) = 4
"""
)
CALLED = """
0 socket(..., SOCK_STREAM, IPPROTO_TCP) = 3
+0 fcntl(3, F_SETFL, O_RDWR|O_NONBLOCK) = 0
+0 connect(3, ..., ...) = -1 EINPROGRESS (Operation now in progress)
+0 > S 0:0(0) <mss 1460,sackOK,TS val 100 ecr 0,nop,wscale 7>
+.05 < S. 0:0(0) ack 1 win 5792 <mss 1000,sackOK,TS val 700 ecr 100,nop,wscale 7>
+0 > . 1:1(0) ack 1 <nop,nop,TS val 200 ecr 700>
"""
SCRIPTS = {
    "data both ways": OPENED
    + """
+0 write(4, ..., 2000) = 2000
+0 > P. 1:2001(2000) ack 1
+.05 < . 1:1(0) ack 2001 win 257
+0 < P. 1:101(100) ack 2001 win 257
+0 > . 2001:2001(0) ack 101
+0 ioctl(4, SIOCINQ, [100]) = 0
+0 read(4, ..., 1000) = 100
+0 %{ assert tcpi_bytes_received == 100 and tcpi_bytes_acked == 2000, tcpi_bytes_acked }%
""",
    "an open that we ask for": CALLED
    + """
+0 getsockopt(3, SOL_SOCKET, SO_ERROR, [0], [4]) = 0
+0 fcntl(3, F_SETFL, O_RDWR) = 0
+0 send(3, ..., 10, MSG_DONTWAIT) = 10
+0 > P. 1:11(10) ack 1 <nop,nop,TS val 200 ecr 700>
""",
    "closed by us": OPENED
    + """
+0 close(4) = 0
+0 > F. 1:1(0) ack 1
+.05 < F. 1:1(0) ack 2 win 257
+0 > . 2:2(0) ack 2
+0 `ss -tan state time-wait | grep -q 8080`
""",
    "closed by the peer": OPENED
    + """
+0 < F. 1:1(0) ack 1 win 257
+0~+.05 > . 1:1(0) ack 2
+0 read(4, ..., 10) = 0
+0 shutdown(4, SHUT_WR) = 0
+0 > F. 1:1(0) ack 2
+.05 < . 2:2(0) ack 2 win 257
+0 close(4) = 0
""",
    "reset": OPENED
    + """
+0 < R. 1:1(0) ack 1 win 0
+0 read(4, ..., 10) = -1 ECONNRESET (Connection reset by peer)
+0 write(4, ..., 10) = -1 EPIPE (Broken pipe)
""",
    "refused": CALLED.partition("+.05")[0]
    + """
+.05 < R. 0:0(0) ack 1 win 0
+0 getsockopt(3, SOL_SOCKET, SO_ERROR, [ECONNREFUSED], [4]) = 0
""",
    "reset by who has unread data": OPENED
    + """
+0 < P. 1:101(100) ack 1 win 257
+0 > . 1:1(0) ack 101
+0 close(4) = 0
+0 > R. 1:1(0) ack 101
""",
    "calls that block": OPENED
    + """
+0...0.1 read(4, ..., 100) = 10
+.1 < P. 1:11(10) ack 1 win 257
+0 > . 1:1(0) ack 11
+0 setsockopt(4, SOL_SOCKET, SO_RCVTIMEO, {tv_sec=0, tv_usec=100000}, 16) = 0
+0...0.1 read(4, ..., 100) = -1 EAGAIN (Resource temporarily unavailable)
""",
    "accept blocks": LISTENING
    + """
+0...0.1 accept(3, ..., ...) = 4
+.05 < S 0:0(0) win 32792 <mss 1000>
+0 > S. 0:0(0) ack 1 <mss 1460>
+.05 < . 1:1(0) ack 1 win 8000
+0 getpeername(4, ..., ...) = 0
""",
    "connect blocks": """
0 socket(..., SOCK_STREAM, IPPROTO_TCP) = 3
+0...0.1 connect(3, ..., ...) = 0
+0 > S 0:0(0) <mss 1460,sackOK,TS val 100 ecr 0,nop,wscale 7>
+.1 < S. 0:0(0) ack 1 win 5792 <mss 1000>
+0 > . 1:1(0) ack 1
""",
    "poll and epoll": OPENED
    + """
+0 poll([{fd=4, events=POLLIN|POLLOUT, revents=POLLOUT}], 1, 0) = 1
+0 poll([{fd=4, events=POLLIN, revents=0}], 1, 20) = 0
+0 epoll_create(1) = 5
+0 epoll_ctl(5, EPOLL_CTL_ADD, 4, {events=EPOLLIN|EPOLLET, fd=4}) = 0
+0 epoll_wait(5, {events=0, fd=0}, 1, 0) = 0
+0...0.1 epoll_wait(5, {events=EPOLLIN, fd=4}, 1, 5000) = 1
+.1 < P. 1:101(100) ack 1 win 257
+0 > . 1:1(0) ack 101
+0 epoll_wait(5, {events=0, fd=0}, 1, 0) = 0
+0 poll([{fd=4, events=POLLIN, revents=POLLIN}], 1, 0) = 1
""",
    "options": OPENED
    + """
+0 setsockopt(4, SOL_TCP, TCP_NODELAY, [1], 4) = 0
+0 getsockopt(4, SOL_TCP, TCP_NODELAY, [1], [4]) = 0
+0 setsockopt(4, SOL_SOCKET, SO_LINGER, {onoff=1, linger=5}, 8) = 0
+0 getsockopt(4, SOL_SOCKET, SO_LINGER, {onoff=1, linger=5}, [8]) = 0
+0 setsockopt(4, SOL_TCP, TCP_CONGESTION, "reno", 4) = 0
+0 setsockopt(4, SOL_TCP, TCP_CONGESTION, "nothing", 7) = -1 ENOENT (No such file or directory)
+0 getsockopt(4, SOL_TCP, TCP_MAXSEG, [1000], [4]) = 0
+0 setsockopt(4, SOL_TCP, 9999, [1], 4) = -1 ENOPROTOOPT (Protocol not available)
+0 setsockopt(4, SOL_SOCKET, SO_LINGER, {onoff=1, linger=0}, 8) = 0
+0 close(4) = 0
+0 > R. 1:1(0) ack 1
""",
    "sysctl": "`sysctl -q net.ipv4.tcp_sack=0 net.ipv4.tcp_window_scaling=0`"
    + LISTENING
    + """
+0 < S 0:0(0) win 32792 <mss 1000,sackOK,nop,nop,nop,wscale 7>
+0 > S. 0:0(0) ack 1 <mss 1460>
""",
    "ICMP": CALLED.partition("+.05")[0]
    + """
+.05 < icmp unreachable port_unreachable [0:0(0)]
+0 getsockopt(3, SOL_SOCKET, SO_ERROR, [ECONNREFUSED], [4]) = 0
""",
    "ICMP about who asks": LISTENING
    + """
+0 < S 0:0(0) win 32792 <mss 1000>
+0 > S. 0:0(0) ack 1 <mss 1460>
+.05 < icmp unreachable host_unreachable
+0 < . 1:1(0) ack 1 win 257
+0 > R 1:1(0)
""",
    "a retransmission": OPENED
    + """
+0 write(4, ..., 100) = 100
+0 > P. 1:101(100) ack 1
+.2~+.35 > P. 1:101(100) ack 1
+.05 < . 1:1(0) ack 101 win 257
""",
    "nobody listens": "0 < S 0:0(0) win 9\n+0 > R. 0:0(0) ack 1\n",
}
NOT_THERE = {"ICMP about who asks": "ipv6"}  # a code of another name


def run(text: str, on: str, folder: Path = Path(), **settings: object) -> Result:
    made = Settings(**settings)  # type: ignore[arg-type]
    script = parse(text, defines=made.all_defines)
    return play(script, made, preset=LINUX, folder=folder, machine=MACHINES[on])


@pytest.mark.parametrize("on", ["lastack", "kernel"])
@pytest.mark.parametrize("ip_version", ["ipv4", "ipv6", "ipv4-mapped-ipv6"])
@pytest.mark.parametrize("name", SCRIPTS)
def test_a_script_passes_on_both(name: str, ip_version: str, on: str):
    if NOT_THERE.get(name) == ip_version:
        pytest.skip("is written for another IP version")
    result = run(SCRIPTS[name], on, ip_version=ip_version)
    assert (result.outcome, result.line, result.message) == ("passed", 0, "")


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ("+0 write(4, ..., 10) = 10\n+0 > P. 1:10(9) ack 1\n", "the packet differs: length: expected 9, got 10"),
        ("+0 write(4, ..., 10) = 11\n", "write came to another result"),
        ("+0 read(4, ..., 10) = 0\n", "read came to another result"),
        ("+0 %{ assert tcpi_unacked == 7 }%\n", "assert tcpi_unacked == 7"),
        ("+0 > . 1:1(0) ack 1\n", "nothing was sent up to"),
        ("+0...0.05 read(4, ..., 10) = 10\n", "the call still blocks; it was due to return"),
        ("`ss -tan | grep -q 9999`\n", "ended with the status 1"),
        ("`sysctl net.inet.tcp.blackhole=1`\n", "a name of another operating system"),
        ("`echo 1 > /sys/module/tcp_cubic/parameters/hystart`\n", "would change more than the sandbox"),
        ("+0 `nosuchprogram`\n", "nosuchprogram"),
    ],
)
def test_what_is_wrong_is_told_and_nothing_stays(wrong: str, message: str):
    nonblocking = "+0 fcntl(4, F_SETFL, O_RDWR|O_NONBLOCK) = 0\n"
    before = set(os.listdir("/proc/self/fd")), threading.active_count()
    result = run(OPENED + ("" if "+0..." in wrong else nonblocking) + wrong, "kernel")
    assert result.outcome in ("failed", "unsupported")
    assert message in result.message
    assert result.line == OPENED.count("\n") + 1 + ("+0..." not in wrong) + wrong.count("\n", 0, -1)
    assert (set(os.listdir("/proc/self/fd")), threading.active_count()) == before


@pytest.mark.parametrize("text", ["+0 write(4, ..., 10) = 10\n+0 > P. 1:10(9) ack 1\n", "+0 write(4, ..., 10) = 11\n"])
def test_both_tell_a_mistake_in_the_same_words(text: str):
    found = [run(OPENED + text, on) for on in ("lastack", "kernel")]
    assert found[0].message == found[1].message
    assert found[0].line == found[1].line


def test_on_both_the_traces_stand_beside_each_other(tmp_path: Path):
    script = tmp_path / "one.pkt"
    script.write_text(OPENED + "+0 write(4, ..., 10) = 10\n+0 > P. 1:11(10) ack 1\n")
    assert play_file(script, on="both", preset="linux").outcome == "passed"
    script.write_text(OPENED + "+0 write(4, ..., 10) = 10\n+0 > P. 1:10(9) ack 1\n")
    outcome = play_file(script, on="both", preset="linux")
    assert (outcome.outcome, outcome.line) == ("failed", 12)
    lines = outcome.details.splitlines()
    assert any(line.split() == ["lastack", "kernel"] for line in lines)
    assert any(line.count("> P. 1:11(10) ack 1") == 2 for line in lines)


def test_without_the_right_it_is_an_error_with_its_cause(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("lastack.device.sandbox.PATH", "/dev/net/nowhere")
    result = run(OPENED, "kernel")
    assert (result.outcome, result.message) == (
        "error",
        "there is no /dev/net/tun: load the module (modprobe tun); in a container pass the device in",
    )


def test_a_script_may_read_and_drop_the_sockets_of_its_sandbox():
    machine = KernelMachine(Settings())
    try:
        file = machine.system.socket(2, 1, 0)
        machine.system.bind(file, ("192.168.0.1", 8080))
        machine.system.listen(file, 1)
        assert [row.state for row in machine.sockets()] == ["LISTEN"]
        assert not machine.drop(("192.168.0.1", 8080), ("192.0.2.1", 7))
        assert machine.drop(("192.168.0.1", 8080), ("0.0.0.0", 0))
        assert machine.sockets() == []
    finally:
        machine.close()


def test_a_command_that_does_not_end_is_ended_with_its_children(monkeypatch: pytest.MonkeyPatch, tmp_path: Path):
    monkeypatch.setattr("lastack.packetdrill.kernel.commands.SECONDS", 0.3)
    result = run("0 `sh -c 'echo $$ > pid; sleep 1000'; true`\n", "kernel", tmp_path)
    assert (result.outcome, result.message) == ("failed", "the command takes too long")
    process = int((tmp_path / "pid").read_text())
    stat = Path(f"/proc/{process}/stat")
    assert not stat.exists() or stat.read_text().rpartition(")")[2].split()[0] in "ZX"  # nobody may have reaped it yet


def test_settings_end_with_the_script(tmp_path: Path):
    (tmp_path / "set.sh").write_text("sysctl -q net.ipv4.tcp_sack=0\nsysctl -n net.ipv4.tcp_sack | grep -qx 0\n")
    assert run("`./set.sh`\n" + LISTENING, "kernel", tmp_path).outcome == "passed"
    assert run("`sysctl -n net.ipv4.tcp_sack | grep -qx 1`\n" + LISTENING, "kernel").outcome == "passed"
