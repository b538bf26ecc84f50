"""What a script's head and the command line say about how it is played."""

from __future__ import annotations

from typing import Any

import pytest

from lastack.packetdrill.errors import ScriptError, Unsupported
from lastack.packetdrill.language.parser import parse
from lastack.packetdrill.settings import Settings, from_options, from_script


def played(head: str, base: Settings | None = None) -> Settings:
    return from_script(parse(f"{head}\n0 f() = 0"), base or Settings())


def test_what_nobody_says_is_the_default_of_the_ip_version() -> None:
    plain = Settings()
    assert (plain.local_ip, plain.remote_ip, plain.mtu, plain.version) == ("192.168.0.1", "192.0.2.1", 1500, 4)
    six = Settings(ip_version="ipv6")
    assert (six.local_ip, six.remote_ip, six.mtu) == ("fd3d:0a0b:17d6::1", "fd3d:fa7b:d17d::1", 1520)
    assert Settings(ip_version="ipv4-mapped-ipv6").local_ip == "192.168.0.1"


def test_a_script_changes_what_the_command_line_leaves_open() -> None:
    head = (
        "--mtu=1400\n--tolerance_usecs=10000\n--local_ip=192.168.0.2\n--non_fatal=packet,syscall\n--strict_segments\n"
    )
    found = played(head, Settings(tolerance_usecs=6000))
    assert (found.mtu, found.tolerance_usecs, found.local_ip) == (1400, 6000, "192.168.0.2")
    assert found.non_fatal == {"packet", "syscall"} and found.strict_segments


def test_what_is_given_is_kept_even_where_it_is_the_default() -> None:
    assert played("--ip_version=ipv6", from_options(ip_version="ipv4")).ip_version == "ipv4"
    assert played("--mtu=1400", from_options(mtu=1500)).mtu == 1500
    assert played("--ip_version=ipv6", Settings()).ip_version == "ipv6"


def test_a_script_that_chooses_ipv6_itself_means_plain_ipv6() -> None:
    found = played("--ip_version=ipv6")
    assert (found.mtu, found.local_ip, found.remote_ip) == (1500, "fd3d:fa7b:d17d::1", "2001:db8::1")
    assert played("--local_ip=192.168.0.9", from_options(ip_version="ipv6")).local_ip == "fd3d:0a0b:17d6::1"


def test_defines_of_the_command_line_go_first_and_those_of_the_version_last() -> None:
    found = played("--define=A=1\n--define=CODE=net_unreachable\n", from_options(["A=2", "B=3"]))
    assert found.defines == {"A": "2", "B": "3", "CODE": "net_unreachable"}
    assert found.all_defines["CODE"] == "net_unreachable" and found.all_defines["CMSG_LEVEL_IP"] == "SOL_IP"
    assert "CODE" not in played("--ip_version=ipv6").all_defines


def test_what_concerns_the_c_program_alone_is_ignored() -> None:
    assert played("--verbose\n--wire_client\n--code_command=/usr/bin/python2\n--persistent_tun_dev\n") == Settings()


@pytest.mark.parametrize(
    ("head", "error"),
    [
        ("--mtu=1400\n--colour=red", "line 2: --colour: there is no such option"),
        ("--bind_port=0", "line 1: --bind_port=0: expected a number from 1 to 65,535"),
        ("--local_ip=here", "line 1: --local_ip=here: expected an IP address"),
        ("--local_ip=fd::1", "line 1: --local_ip=fd::1 is no IPv4 address"),
        ("--mtu", "line 1: --mtu needs a value: --mtu=..."),
        ("--strict_segments=1", "line 1: --strict_segments takes no value"),
        ("--ip_version=ipx", "line 1: --ip_version=ipx: expected one of ipv4, ipv6, ipv4-mapped-ipv6"),
        ("--non_fatal=all", "line 1: --non_fatal=all: expected packet, syscall or both"),
        ("--tolerance_percent=many", "line 1: --tolerance_percent=many: expected a number from 0 to 100"),
    ],
)
def test_an_option_without_sense_is_an_error_with_its_line(head: str, error: str) -> None:
    with pytest.raises(ScriptError) as raised:
        played(head)
    assert str(raised.value) == error and not isinstance(raised.value, Unsupported)


@pytest.mark.parametrize(
    "name", ["udp_encapsulation=sctp", "psp_udp_port=1000", "tcp_md5_secret=x", "so_filename=x.so"]
)
def test_an_option_that_asks_for_what_is_not_here_is_named(name: str) -> None:
    with pytest.raises(Unsupported, match=f"line 1: --{name.partition('=')[0]}"):
        played(f"--{name}")


def test_a_definition_needs_a_name_and_a_value() -> None:
    with pytest.raises(ScriptError, match="expected NAME=VALUE"):
        from_options(["A"])
    with pytest.raises(ScriptError, match="ip_version='ipx': one of"):
        from_options(ip_version="ipx")


# --- whose rules ---


def rules(text: str, *, freebsd: bool = False, **base: Any) -> tuple[bool, float]:
    found = from_script(parse(text), Settings(**base), freebsd=freebsd)
    return found.strict_segments, found.tolerance_percent


@pytest.mark.parametrize(
    "command",
    ["sysctl -w net.inet.tcp.rfc1323=0", "kldload -n tcp_rack", "sysctl kern.timecounter.alloweddeviation=0"],
)
def test_a_script_with_names_of_freebsd_is_judged_by_its_packetdrills_rules(command: str):
    assert rules(f"`{command}`\n0 `true`\n") == (True, 5.0)
    assert rules(f"0 `true`\n+0 `{command}`\n") == (True, 5.0)
    assert rules("`sysctl net.ipv4.tcp_sack=0 kernel.hostname`\n0 `ss -tan`\n") == (False, 12.5)
    assert rules("0 `true`\n", freebsd=True) == (True, 5.0)


def test_what_a_script_or_the_command_line_says_goes_before_the_rules_of_a_dialect():
    assert rules("--tolerance_percent=1.5\n0 `true`\n", freebsd=True) == (True, 1.5)
    assert rules("0 `true`\n", freebsd=True, tolerance_percent=40.0) == (True, 40.0)
