"""UDP in scripts: datagrams for nobody, and TCP in UDP."""

from __future__ import annotations

from pathlib import Path

import pytest

from lastack.packetdrill.errors import Unsupported
from lastack.packetdrill.inject import check_encapsulation, check_supported
from lastack.packetdrill.language.parser import parse
from lastack.packetdrill.language.syntax import PacketEvent
from lastack.packetdrill.runner import Result, play
from lastack.packetdrill.settings import Settings
from lastack.tcp.presets import BSD, LINUX
from lastack.trace.entries import Departure
from lastack.wire.datagram import parse as parse_packet
from lastack.wire.packet import Packet
from lastack.wire.udp import Datagram

OPENED = """--udp_encapsulation=tcp
0 `sysctl net.inet.tcp.udp_tunneling_port=9899`
+0 socket(..., SOCK_STREAM, IPPROTO_TCP) = 3
+0 setsockopt(3, SOL_SOCKET, SO_REUSEADDR, [1], 4) = 0
+0 bind(3, ..., ...) = 0
+0 listen(3, 1) = 0
+.1 < S 0:0(0) win 32792 <mss 1000>/udp(5000>9899)
+0 > S. 0:0(0) ack 1 <mss 1452>/udp(9899>5000)
+.1 < . 1:1(0) ack 1 win 32792 /udp(5000>9899)
+0 accept(3, ..., ...) = 4
+0 write(4, ..., 1000) = 1000
"""
ONE = "+0 > P. 1:1001(1000) ack 1 /udp(9899>5000)\n"


def run(text: str, preset: object = LINUX, **settings: object) -> Result:
    made = Settings(**settings)  # type: ignore[arg-type]
    return play(parse(text, defines=made.all_defines), made, preset=preset, folder=Path())  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("preset", "ip_version"), [(LINUX, "ipv4"), (LINUX, "ipv6"), (LINUX, "ipv4-mapped-ipv6"), (BSD, "ipv4")]
)
def test_tcp_goes_in_udp(preset: object, ip_version: str):
    result = run(OPENED + ONE, preset, ip_version=ip_version)
    assert result.message == ""
    bodies = [parse_packet(Packet(data))[1] for _, data in result.capture]
    assert len(bodies) >= 4 and all(isinstance(body, Datagram) for body in bodies)
    seen = [entry.packet for entry in result.timeline.entries if isinstance(entry, Departure)]
    assert [one.text for one in seen] == [""] * len(seen)  # as TCP
    assert {seen[0].source[1], seen[0].destination[1]} == {40_000, 8080}


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("> P. 1:1001(1000) ack 1", "udp: expected none, got 9899>5000"),
        ("> P. 1:1001(1000) ack 1 /udp(9899>5001)", "udp: expected 9899>5001, got 9899>5000"),
        ("> udp (1020)", "something else than a UDP datagram was sent"),
        ("> icmp unreachable port_unreachable", "instead of an ICMP message"),
    ],
)
def test_another_way_fails(line: str, message: str):
    result = run(f"{OPENED}+0 {line}\n")
    assert result.outcome == "failed"
    assert message in result.message
    assert "/udp" not in line or result.got.endswith("/udp(9899>5000)")


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("> udp (40)", ""),
        ("> udp 9899>9900 (40)", ""),
        ("> udp 9900>9899 (40)", "the datagram goes 9899>9900 instead of 9900>9899"),
        ("> udp (41)", "a datagram of 40 bytes was sent instead of one of 41"),
        ("> icmp unreachable port_unreachable", "a datagram was sent instead of an ICMP message"),
    ],
)
def test_a_script_without_tcp_in_udp_sees_datagrams(line: str, message: str):
    text = "".join(OPENED.splitlines(keepends=True)[1:3])
    text += "+0 setsockopt(3, IPPROTO_TCP, TCP_REMOTE_UDP_ENCAPS_PORT, [9900], 4) = 0\n"
    text += (
        "+0 fcntl(3, F_SETFL, O_NONBLOCK) = 0\n+0 connect(3, ..., ...) = -1 EINPROGRESS (Operation now in progress)\n"
    )
    result = run(f"{text}+0 {line}\n")
    assert result.message == message
    assert not message or result.got.endswith("> udp 9899>9900 (40)")


def test_what_is_sent_plain_is_not_in_udp():
    result = run("0 < . 1:1(0) ack 5 win 9\n+0 > R 5:5(0) /udp(9899>5000)\n")
    assert "udp: expected 9899>5000, got none" in result.message


def test_the_option_of_the_head_is_not_needed():
    assert run(OPENED.split("\n", 1)[1] + ONE).message == ""


@pytest.mark.parametrize("ip_version", ["ipv4", "ipv6"])
def test_datagrams_for_nobody(ip_version: str):  # RFC 1122 4.1.3.1, RFC 4443 section 3.1
    text = "0 < udp (100)\n+0 > icmp unreachable port_unreachable [udp (100)]\n"
    result = run(text, ip_version=ip_version)
    assert result.message == ""
    _, datagram = parse_packet(Packet(result.capture[0][1]))
    assert isinstance(datagram, Datagram) and (datagram.source_port, datagram.destination_port) == (40_000, 8080)
    assert "about [udp (100)], not about [udp (99)]" in run(text.replace("[udp (100", "[udp (99")).message
    assert "something else than a UDP datagram" in run("0 < udp 1>2 (0)\n+0 > udp 2>1 (0)\n").message
    assert "nothing was sent" in run("0 < udp (1)\n+0 > icmp unreachable port_unreachable\n+0 > udp (1)\n").message


@pytest.mark.parametrize(
    "line",
    [
        "< udp (65535)",
        "< . 1:65514(65513) ack 1 win 9 /udp(1>2)",
        "< icmp unreachable port_unreachable [udp (65535)]",
        "< icmp unreachable port_unreachable [1:65536(65535)]",
    ],
)
def test_what_no_packet_has_room_for_is_an_error(line: str):
    result = run(f"0 < . 1:1(0) ack 5 win 9\n+0 {line}\n")
    assert (result.outcome, result.line) == ("error", 2)
    assert "the packet cannot be built: length" in result.message


def test_icmp_about_a_datagram_is_about_nothing_here():
    text = "0 < icmp unreachable port_unreachable [udp (10)]\n+.1 < . 1:1(0) ack 5 win 9\n+0 > R 5:5(0)\n"
    assert run(text).message == ""


@pytest.mark.parametrize("line", ["> S 0:0(0) <...>/udp(1>2)", "< icmp unreachable port_unreachable [0:0(0)/udp(1>2)]"])
def test_linux_carries_no_tcp_in_udp(line: str):
    class Kernel:
        name = "kernel"

    action = parse(f"0 {line}").events[0].action
    assert isinstance(action, PacketEvent)
    for check in (lambda: check_supported(action, Kernel()), lambda: check_encapsulation(Kernel())):  # type: ignore[arg-type]
        with pytest.raises(Unsupported, match="TCP carried in UDP"):
            check()
    plain = parse("0 < udp (100)").events[0].action
    assert isinstance(plain, PacketEvent)
    check_supported(plain, Kernel())  # type: ignore[arg-type]


def test_the_sysctls_are_freebsds():
    text = "0 `sysctl net.inet.tcp.udp_tunneling_overhead=108`\n" + OPENED.split("\n", 1)[1].replace("0 `", "+0 `", 1)
    assert run(text.replace("mss 1452", "mss 1352") + ONE).message == ""
    for bad in ("udp_tunneling_overhead=7", "udp_tunneling_overhead=1025", "udp_tunneling_port=65536"):
        assert run(f"0 `sysctl net.inet.tcp.{bad}`").outcome != "passed"
    assert run("0 `sysctl -n net.inet.tcp.udp_tunneling_port | grep -q '^0$'`").message == ""
