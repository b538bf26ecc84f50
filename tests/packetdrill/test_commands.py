"""Commands in back-quotes, done on our own stack."""

from __future__ import annotations

from pathlib import Path

import pytest

from lastack.packetdrill.errors import Failed, ScriptError, Unsupported
from lastack.packetdrill.machine import SocketRow
from lastack.packetdrill.suite import play_file
from lastack.packetdrill.virtual.commands import Commands
from lastack.tcp.presets import BSD
from lastack.wire.address import parse_address
from tests.packetdrill.stack import FakeStack, commands

LISTENING = SocketRow(4, ("*", 8080), None, "LISTEN")
OPEN = SocketRow(4, ("192.168.0.1", 8080), ("192.0.2.1", 40001), "ESTABLISHED")
WAITING = SocketRow(4, ("192.168.0.1", 8080), ("192.0.2.1", 40002), "TIME-WAIT")
SIX = SocketRow(6, ("fd00::1", 8080), ("fd00::2", 5), "FIN-WAIT-2")


def on(*rows: SocketRow) -> tuple[FakeStack, Commands]:
    stack, found = commands()
    stack.rows = list(rows)
    return stack, found


def holds(text: str, *rows: SocketRow) -> bool:
    """Whether the command ends well on a machine with these sockets."""
    try:
        on(*rows)[1].run(text, 1)
    except Failed:
        return False
    return True


# --- the shell's logic ---


@pytest.mark.parametrize(
    ("text", "well"),
    [
        ("true", True),
        ("false", False),
        ("! false", True),
        ("false || true", True),
        ("true && false", False),
        ("false && true; true", True),
        ("echo a | grep -q a", True),
        ("echo a | grep -q b", False),
        ("echo a | grep -v a", False),
        ("printf 'a\\nb\\n' | grep -c a | grep -x 1", True),
        ("printf 'a\\nb\\n' | wc -l | grep -qw 2", True),
        ("printf 'a\\nb\\n' | head -n 1 | grep b", False),
        ("printf 'b\\na\\nb\\n' | sort -u | tail -1 | grep -x b", True),
        ("echo 'ab 12' | grep -E 'a(b|c) [0-9]+$'", True),
        ("echo 'a+b' | grep 'a+b'", True),
        ("echo 'aab' | grep 'a\\+b'", True),
        ("echo 'a.b' | grep -F a.c", False),
        ("echo ABC | grep -i b", True),
        ("echo a > /dev/null 2>&1", True),
    ],
)
def test_the_last_status_decides(text: str, well: bool) -> None:
    assert holds(text) is well


def test_a_check_that_does_not_hold_has_failed_with_its_line() -> None:
    with pytest.raises(Failed, match=r"line 9: `echo a \| grep b` ended with the status 1"):
        on()[1].run("echo a |   grep b", 9)


@pytest.mark.parametrize(
    ("text", "named"),
    [
        ("rm -rf /", "the program rm"),
        ("/srv/sysctl a", "the program /srv/sysctl"),
        ("iptables -A INPUT", "iptables -A INPUT"),
        ("cat /etc/passwd", "reading /etc/passwd"),
        ("grep root < /etc/passwd", "reading /etc/passwd"),
        ("grep root /etc/passwd", "grep: one pattern"),
        ("echo 1 > /etc/passwd", "writing '1' to /etc/passwd"),
        ("tc qdisc add dev tun0 root netem delay 100ms", "tc qdisc netem"),
        ("tc qdisc replace dev tun0 root pfifo limit 0", "limit 0"),
        ("ip link set tun0 down", "ip link down"),
        ("ip route add 10.0.0.0/8 dev tun0", "one host"),
        ("kldload dummynet", "the kernel module dummynet"),
        ("kldload -n tcp_rack tcp_bbr", "the kernel module tcp_bbr"),
        ("python3 -c 1", "the program python3"),
        ("ss -K", "ss -K"),
        ("nstat TcpExtNothing", "nstat TcpExtNothing"),
    ],
)
def test_anything_else_is_refused_by_name(text: str, named: str) -> None:
    with pytest.raises(Unsupported) as raised:
        on()[1].run(f"true\n{text}", 4)
    assert named in str(raised.value) and raised.value.line == 5


# --- settings ---


def test_sysctl_writes_and_reads() -> None:
    stack, found = commands()
    found.run("sysctl -q net.ipv4.tcp_sack=0 net.ipv4.tcp_fin_timeout=5", 1)
    found.run("echo 3 > /proc/sys/net/ipv4/tcp_syn_retries", 1)
    assert not stack.host.config.sack and stack.host.config.syn_retransmissions == 3
    found.run("sysctl net.ipv4.tcp_sack | grep -x 'net.ipv4.tcp_sack = 0'", 1)
    found.run("sysctl -n net.ipv4.tcp_fin_timeout | grep -x 5", 1)
    found.run("cat /proc/sys/net/ipv4/tcp_sack | grep -x 0", 1)


def test_sysctl_shows_freebsds_names_as_freebsd_does() -> None:
    _, found = commands(config=BSD)
    found.run("sysctl net.inet.tcp.msl | grep -x 'net.inet.tcp.msl: 30000'", 1)
    found.run("sysctl net.inet.tcp.msl=100 | grep -x 'net.inet.tcp.msl: 30000 -> 100'", 1)


def test_an_unknown_name_may_be_provided_for() -> None:
    _, found = commands()
    found.run("sysctl -q net.ipv4.tcp_of_our_own=1 &> /dev/null || true", 1)
    found.run("sysctl -e -q net.ipv4.tcp_of_our_own=1", 1)
    with pytest.raises(Unsupported, match=r"line 1: sysctl net.ipv4.tcp_of_our_own"):
        found.run("sysctl -q net.ipv4.tcp_of_our_own=1", 1)


def test_sleep_lets_time_pass() -> None:
    stack, found = commands()
    found.run("sleep 1.5; sleep .25", 1)
    assert stack.now == 1_750_000
    with pytest.raises(ScriptError, match="at most"):
        found.run("sleep 100000000", 1)


def test_a_route_sets_what_connections_to_its_host_begin_with() -> None:
    stack, found = commands()
    found.run("ip route change 192.0.2.1 via 192.168.0.2 dev tun0 advmss 600 mtu lock 640 initcwnd 11", 1)
    config, mtu = stack.host.paths.first_hop(parse_address("192.0.2.1"), stack.host.config, 1500)
    assert (config.mss, config.initial_window_segments, mtu) == (600, 11, 640)
    with pytest.raises(Unsupported, match=r"ip route \.\.\. fastopen_no_cookie"):
        found.run("ip route add 192.0.2.1 dev tun0 fastopen_no_cookie 1", 1)


def test_what_was_learned_of_others_is_forgotten() -> None:
    stack, found = commands()
    for text in ("ip tcp_metrics flush all > /dev/null 2>&1", "sysctl net.inet.tcp.hostcache.purgenow=1"):
        stack.host.paths.learn(parse_address("192.0.2.1"), 1000, 0)
        found.run(text, 1)
        assert len(stack.host.paths) == 0


def test_the_device_and_what_changes_nothing() -> None:
    stack, found = commands()
    found.run("ip link set dev tun0 mtu 1400 up; ifconfig tun0 mtu 1300; ethtool -K tun0 gso off tso off", 1)
    found.run("tc qdisc delete dev tun0 root 2>/dev/null ; tc qdisc add dev tun0 root pfifo; kldload -n cc_newreno", 1)
    assert stack.host.mtu == 1300


# --- listings ---


@pytest.mark.parametrize(
    ("text", "well"),
    [
        ("ss -tan | grep ESTAB", True),
        ("ss -tn | grep TIME-WAIT", False),
        ("ss -tan state time-wait | grep -q 40002", True),
        ("ss -Htan state established '( sport = :8080 )' | wc -l | grep -w 1", True),
        ("ss -ltn 'sport = :8080' | grep -q LISTEN", True),
        ("ss -ltn 'sport=:9' | grep -q LISTEN", False),
        ("ss -Htan 'state time-wait and dst 192.0.2.1:40002' | grep -q .", True),
        ("ss -Htan state established sport = :8080 | wc -l | grep -w 1", True),
        ("ss -tln | grep LISTEN | grep :8080", True),
        ("ss -tan dport = :9", True),
        ("ss -tan dport = :9 | grep ESTAB", False),
        ("netstat -tan | grep '192.168.0.1:8080.*192.0.2.1:40001.*ESTABLISHED'", True),
        ("netstat -an -p tcp | grep '192.168.0.1.8080.*192.0.2.1.40001.*ESTABLISHED'", True),
        ("netstat -an -f inet6 | grep FIN_WAIT_2", True),
        ("sockstat -4 -P tcp -p 8080 -s | grep -q LISTEN", True),
        ("sockstat -4sP tcp | grep FIN_WAIT_2", False),
        ("sockstat -4sPtcp -p8080 | grep -q LISTEN", True),
        ("sockstat -4Ptcp -p 9999 | grep 192", False),
        ("sockstat -4sqPtcp | awk '{print $8}' | grep -x LISTEN", True),
        ("sockstat -4sqPtcp | awk '/40001/ {print $6, $8}' | grep -x '192.168.0.1:8080 ESTABLISHED'", True),
        ("sockstat -4s | awk 'NR > 1 {print $NF}' | head -1 | grep -x LISTEN", True),
        ('sockstat -4s | awk \'$8 == "TIME_WAIT" {print "one" NF}\' | grep -x one8', True),
        ("sockstat -4s | awk '$8 ~ /^TIME/' | wc -l | grep -xw 1", True),
        ("printf 'a:1\nb:2\n' | awk -F: '$2 >= 2 {print $1}' | grep -x b", True),
        ("[ $(sockstat -4sPtcp | grep -c LISTEN) -eq 1 ]", True),
        ("[ $(sockstat -4sPtcp | grep -c LISTEN) -gt 1 ]", False),
        ("test \"$(ss -Htan state time-wait | awk '{print $1}')\" = TIME-WAIT", True),
        ('[ -z "$(ss -Htan state closing)" ] && ! [ -n "$(ss -Htan state closing)" ]', True),
        ("sysctl -q net.ipv4.tcp_sack=0; [ $(sysctl -n net.ipv4.tcp_sack) = 0 ]", True),
        ("echo $(echo $(echo a b)) | grep -x 'a b'", True),
        ("sockstat -6sP tcp | grep FIN_WAIT_2", True),
        ("sockstat -q -p 9999 | wc -l | grep -w 0", True),
        ('grep " 0A " /proc/net/tcp /proc/net/tcp6 | grep ":1F90"', True),
        ("grep ' 06 ' /proc/net/tcp | grep 0100A8C0:1F90 | grep 010200C0:9C42", True),
        ("grep ' 0A ' /proc/net/tcp6", False),
    ],
)
def test_checks_of_states(text: str, well: bool) -> None:
    assert holds(text, LISTENING, OPEN, WAITING, SIX) is well


def test_every_state_has_a_name_in_every_listing() -> None:
    from lastack.tcp.states import State

    for state in State:
        row = OPEN._replace(state=state.value)
        for text in ("ss -Htan", "netstat -an", "sockstat -qs", "cat /proc/net/tcp"):
            assert holds(f"{text} | grep -q .", row), (state, text)


def test_tcpdrop() -> None:
    stack, found = on(OPEN)
    found.run("tcpdrop 192.168.0.1 8080 192.0.2.1 40001", 1)
    assert stack.dropped == [(("192.168.0.1", 8080), ("192.0.2.1", 40001))]
    with pytest.raises(Failed):
        found.run("tcpdrop 192.168.0.1 8080 192.0.2.1 5", 1)


@pytest.mark.parametrize(
    ("words", "dropped"),
    [
        ("192.168.0.1:8080 192.0.2.1:40001", [OPEN]),
        ("192.168.0.1.8080 192.0.2.1.40001", [OPEN]),
        ("[fd00::1]:8080 fd00::2:5", [SIX]),
        ("-a", [OPEN, WAITING, SIX]),
        ("-s FIN_WAIT_2", [SIX]),
        ("-s SYN_SENT", []),
    ],
)
def test_tcpdrop_has_several_forms(words: str, dropped: list[SocketRow]) -> None:
    stack, found = on(LISTENING, OPEN, WAITING, SIX)
    found.run(f"tcpdrop {words}", 1)
    assert stack.dropped == [(row.local, row.remote) for row in dropped]


def test_tcpdrop_ends_a_time_wait_and_tells_nobody(tmp_path: Path) -> None:
    script = tmp_path / "dropped.pkt"
    script.write_text("""
0 socket(..., SOCK_STREAM, IPPROTO_TCP) = 3
+0 bind(3, ..., ...) = 0
+0 listen(3, 1) = 0
+0 < S 0:0(0) win 65535 <mss 1460>
+0 > S. 0:0(0) ack 1 <...>
+.01 < . 1:1(0) ack 1 win 65535
+0 accept(3, ..., ...) = 4
+0 close(4) = 0
+0 > F. 1:1(0) ack 1
+.01 < F. 1:1(0) ack 2 win 65535
+0 > . 2:2(0) ack 2
+0 `[ $(sockstat -4sqPtcp | awk '$8 == "TIME_WAIT"' | wc -l) -eq 1 ]`
+0 `tcpdrop -s TIME_WAIT`
+0 `[ $(sockstat -4sqPtcp | grep -c TIME_WAIT) -eq 0 ]`
+.01 < F. 1:1(0) ack 2 win 65535
+0 > R 2:2(0)
""")
    assert play_file(script, preset="bsd").ok


@pytest.mark.parametrize(
    ("text", "named"),
    [
        ("tcpdrop -s NOWHERE", "no such state"),
        ("tcpdrop 1 2 3", "tcpdrop 1 2 3: LOCAL PORT"),
        ("echo a | awk '{print toupper($1)}'", "awk: print toupper"),
        ("echo a | awk 'BEGIN {print 1}'", "awk: the condition 'BEGIN'"),
        ("[ 1 -eq 1", "the last word is to be ]"),
        ("[ a -eq 1 ]", "'a' is no number"),
        ("[ -f /etc/passwd ]", r"the condition [ -f"),
        ("x=$(echo 1)", "the value of a variable"),
        ("echo $(rm -rf /)", "the program rm"),
        ("echo $(echo", "$( has no end"),
        ("echo " + "$(" * 20 + ")" * 20, "over 8 deep"),
    ],
)
def test_what_of_these_is_not_read_is_told(text: str, named: str) -> None:
    with pytest.raises(ScriptError) as raised:
        on()[1].run(text, 3)
    assert named in raised.value.message and raised.value.line == 3


def test_nstat_counts_from_its_last_call() -> None:
    stack, found = commands()
    stack.host.counters["SYN cookie sent"] = 2
    found.run("nstat | grep -E 'TcpExtSyncookiesSent +2 '", 1)
    stack.host.counters["SYN cookie sent"] = 5
    found.run("nstat TcpExtSyncookiesSent | grep -E 'TcpExtSyncookiesSent +3 '", 1)
    with pytest.raises(Failed):
        found.run("nstat | grep Syncookies", 1)
    found.run("nstat -az | grep -E 'TcpExtSyncookiesSent +5 '", 1)


def test_commands_do_not_need_their_folder(tmp_path: Path) -> None:
    commands(tmp_path / "gone")[1].run("true", 1)
