"""sysctl: the names of Linux and FreeBSD over our settings."""

from __future__ import annotations

from typing import Any

import pytest

from lastack.packetdrill.errors import ScriptError, Unsupported
from lastack.packetdrill.sysctls.catalogue import Sysctls, config_of
from lastack.packetdrill.sysctls.freebsd import FREEBSD
from lastack.packetdrill.sysctls.linux import LINUX as LINUX_NAMES
from lastack.tcp.config import Config
from lastack.tcp.presets import BSD, LINUX, PRESETS
from tests.packetdrill.stack import commands

# What the tasks of a FreeBSD script set at least.
FREEBSD_LIST = (
    "rfc1323 rfc3042 rfc3390 rfc6675_pipe sack.enable ecn.enable blackhole insecure_rst insecure_syn insecure_ack "
    "drop_synfin rexmit_initial rexmit_min rexmit_slop keepidle keepintvl keepcnt keepinit msl finwait2_timeout "
    "fast_finwait2_recycle delayed_ack delacktime mssdflt minmss hostcache.enable path_mtu_discovery recvspace "
    "sendspace recvbuf_auto sendbuf_auto syncookies initcwnd_segments cc.algorithm fastopen.server_enable"
)


def linux(**values: Any) -> Config:
    return config_of({f"net.ipv4.tcp_{name}": str(value) for name, value in values.items()}, LINUX)


def freebsd(**values: Any) -> Config:
    return config_of({f"net.inet.tcp.{name.replace('__', '.')}": str(value) for name, value in values.items()}, BSD)


@pytest.mark.parametrize("preset", PRESETS.values(), ids=PRESETS)
def test_every_name_can_be_read_and_set_to_what_was_read(preset: Config) -> None:
    _, found = commands(config=preset)
    for name in (*LINUX_NAMES, *FREEBSD):
        plain = name.replace("*", "all")
        value = found.sysctls.get(plain)
        if value or name.startswith("net.ipv4.ip_local_reserved"):
            found.sysctls.set(plain, value)
            assert found.sysctls.get(plain) == value, plain


@pytest.mark.parametrize("name", FREEBSD_LIST.split())
def test_the_names_of_freebsd_are_known(name: str) -> None:
    assert commands(config=BSD)[1].sysctls.known(f"net.inet.tcp.{name}")


def test_a_name_is_the_same_however_it_is_spelled() -> None:
    _, found = commands()
    for spelling in ("net.ipv4.tcp_sack", "net/ipv4/tcp_sack", "/proc/sys/net/ipv4/tcp_sack"):
        found.sysctls.set("net.ipv4.tcp_sack", "1")
        found.sysctls.set(spelling, " 0 ")
        assert found.sysctls.get(spelling) == "0"
    assert found.sysctls.get("net.ipv4.conf.tun0.rp_filter") == "0"


def test_linux_counts_in_seconds_and_freebsd_in_milliseconds() -> None:
    assert linux(fin_timeout=30).fin_wait_2_timeout == freebsd(msl=30_000).msl == 30_000_000
    assert freebsd(rexmit_min=30, rexmit_slop=200).rto_slop == 200_000
    assert linux(keepalive_time=7).keepalive_idle == freebsd(keepidle=7000).keepalive_idle


@pytest.mark.parametrize(
    ("rmem", "shift", "first"),
    [
        ("4096 540000 15728640", 8, 65536),
        ("4096 131072 6291456", 7, 65536),
        ("4096 87380 65535", 0, 43690),
        ("4096 8192 262144", 3, 4096),
    ],
)
def test_the_windows_of_linux(rmem: str, shift: int, first: int) -> None:  # RFC 7323 2.3
    config = linux(rmem=rmem)
    assert (config.window_shift, config.receive_buffer_initial) == (shift, first)


def test_the_window_scale_of_freebsd_is_that_of_the_largest_buffer() -> None:  # RFC 7323 2.3
    assert BSD.window_shift == 6
    assert config_of({"kern.ipc.maxsockbuf": "16777216"}, BSD).window_shift == 9


def test_timestamps_have_three_values_in_linux_and_rfc1323_four_in_freebsd() -> None:  # RFC 7323
    assert [(linux(timestamps=n).timestamps, linux(timestamps=n).timestamp_offsets) for n in range(3)] == [
        (False, True),
        (True, True),
        (True, False),
    ]
    assert [(freebsd(rfc1323=n).window_scaling, freebsd(rfc1323=n).timestamps) for n in range(4)] == [
        (False, False),
        (True, True),
        (True, False),
        (False, True),
    ]


def test_fast_open_is_bits_and_keys() -> None:  # RFC 7413
    config = linux(fastopen="0x70403", fastopen_key="a1a1a1a1-b2b2b2b2-c3c3c3c3-d4d4d4d4")
    assert config.fastopen_client and config.fastopen_server and config.fastopen_all_listeners
    assert config.fastopen_cookie_required
    assert config.fastopen_key.hex() == "a1a1a1a1b2b2b2b2c3c3c3c3d4d4d4d4"
    stack, found = commands()
    found.sysctls.set("net.ipv4.tcp_fastopen", "0x602")
    assert found.sysctls.get("net.ipv4.tcp_fastopen") == str(0x602)
    assert not stack.host.config.fastopen_client and not stack.host.config.fastopen_cookie_required


def test_an_orphan_of_freebsd_ends_by_what_four_names_say() -> None:
    assert freebsd(keepcnt=4, keepintvl=10_000).fin_wait_2_timeout == 50_000_000
    fast = freebsd(finwait2_timeout=5000, fast_finwait2_recycle=1, keepcnt=4)
    assert (fast.fin_wait_2_timeout, fast.fin_wait_2_counts_idle) == (5_000_000, False)
    slow = freebsd(finwait2_timeout=5000)
    assert slow.fin_wait_2_timeout == BSD.fin_wait_2_timeout


def test_switching_delayed_acks_off_and_on_keeps_their_time() -> None:  # RFC 9293 3.8.6.3 MUST-40
    _, found = commands(config=BSD)
    for name, value in (("delacktime", "100"), ("delayed_ack", "0"), ("delayed_ack", "1")):
        found.sysctls.set(f"net.inet.tcp.{name}", value)
    assert found.sysctls.get("net.inet.tcp.delacktime") == "100"


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("net.ipv4.tcp_recovery", "0"),
        ("net.ipv4.tcp_reordering", "10"),
        ("net.ipv4.tcp_congestion_control", "bbr"),
        ("net.ipv4.tcp_ecn", "3"),
        ("net.inet.tcp.cc.algorithm", "htcp"),
        ("net.ipv4.tcp_of_our_own", "1"),
        # what a script could see, and that is not here
        ("net.ipv4.tcp_mem", "1 2 3"),
        ("net.ipv4.tcp_tso_win_divisor", "1"),
        ("net.ipv4.tcp_pacing_ss_ratio", "100"),
        ("net.ipv4.tcp_retrans_collapse", "0"),
        ("net.ipv4.icmp_ratelimit", "1000"),
        ("net.ipv4.ip_forward", "1"),
        ("net.inet.tcp.sack.maxholes", "2"),
        ("net.inet.tcp.sack.globalmaxholes", "2"),
        ("net.inet.tcp.v6pmtud_blackhole_mss", "1000"),
        ("net.inet.tcp.syncache.bucketlimit", "1"),
        ("net.inet.tcp.syncache.hashsize", "1"),
        ("net.inet.tcp.reass.maxsegments", "2"),
        ("net.inet.tcp.reass.new_limit", "1"),
        ("net.inet.tcp.reass.cursegments", "0"),
        ("net.inet.ip.portrange.randomized", "0"),
    ],
)
def test_what_we_do_not_have_is_unsupported_and_named(name: str, value: str) -> None:
    with pytest.raises(Unsupported, match=name):
        config_of({name: value}, LINUX)


@pytest.mark.parametrize("name", ["net.ipv4.tcp_ecn", "net.inet.tcp.ecn.enable"])
def test_of_accurate_ecn_it_is_said_that_it_is_not_here(name: str) -> None:  # RFC 9768
    with pytest.raises(Unsupported, match="AccECN"):
        config_of({name: "3"}, LINUX)


def test_both_ways_to_count_what_is_in_flight_are_the_one_that_rack_has() -> None:  # RFC 8985 6.2
    assert freebsd(rfc6675_pipe=0) == freebsd(rfc6675_pipe=1) == BSD


def test_a_limit_that_no_script_reaches_may_be_any() -> None:
    _, found = commands(config=BSD)
    for name, value in (("sack.maxholes", "500"), ("hostcache.cachelimit", "100"), ("reass.maxsegments", "10000")):
        found.sysctls.set(f"net.inet.tcp.{name}", value)
        assert found.sysctls.get(f"net.inet.tcp.{name}") == value


def test_the_queue_ahead_of_a_hole_and_what_comes_without_a_timestamp_are_freebsds() -> None:  # RFC 7323 3.2
    assert BSD.reassembly_holes == 100 and freebsd(reass__maxqueuelen=2).reassembly_holes == 2
    assert BSD.timestamps_required and not freebsd(tolerate_missing_ts=1).timestamps_required


def test_a_new_key_leaves_the_one_before_it_as_the_second() -> None:  # RFC 7413 section 4.1.2
    stack, found = commands(config=BSD)
    for letter in "ab":
        found.sysctls.set("net.inet.tcp.fastopen.setkey", letter * 32)
    assert stack.host.config.fastopen_key.hex() == "b" * 32 + "a" * 32
    assert found.sysctls.get("net.inet.tcp.fastopen.setkey") == "b" * 32


@pytest.mark.parametrize(
    ("name", "value"), [("net.ipv4.tcp_recovery", "1"), ("net.ipv4.tcp_reordering", "3"), ("net.inet.tcp.do_lrd", "1")]
)
def test_unless_it_is_what_we_do_anyway(name: str, value: str) -> None:
    assert config_of({name: value}, LINUX) == LINUX


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("net.ipv4.tcp_syn_retries", "many"),
        ("net.ipv4.tcp_syn_retries", "1000"),
        ("net.ipv4.tcp_rmem", "4096 5"),
        ("net.ipv4.ip_local_port_range", "5 4"),
        ("net.ipv4.tcp_fastopen_key", "1-2"),
        ("net.inet.tcp.msl", "-1"),
        ("net.inet.tcp.msl", "1" * 500),
    ],
)
def test_a_value_without_sense_is_an_error_and_nothing_is_changed(name: str, value: str) -> None:
    _, found = commands()
    before = found.sysctls.get(name)
    with pytest.raises(ScriptError) as raised:
        found.sysctls.set(name, value)
    assert not isinstance(raised.value, Unsupported) and name in str(raised.value)
    assert found.sysctls.get(name) == before


@pytest.mark.parametrize(
    "value", ["banana", "", "-7", "1.5", "1_000", "+1", "0x", "1;2", "1 2 3 4", "\u0663", "9" * 20, "\0", "[1]"]
)
def test_nonsense_is_an_error_that_says_what_is_possible(value: str) -> None:
    senseful = {("net.ipv4.ip_local_reserved_ports", ""), ("net.ipv4.tcp_adv_win_scale", "-7")}
    for name in (*LINUX_NAMES, *FREEBSD):
        _, found = commands(config=LINUX if name in LINUX_NAMES else BSD)
        if (name, value) not in senseful:
            with pytest.raises(ScriptError, match=r"expected|can only be read|fast open key") as raised:
                found.sysctls.set(name.replace("*", "all"), value)
            assert not isinstance(raised.value, Unsupported), name


def test_a_number_may_be_written_in_any_way() -> None:
    _, found = commands()
    for name, value in (
        ("net.ipv4.tcp_sack", "0x0"),
        ("net.inet.tcp.syncookies", "01"),
        ("net.ipv4.tcp_mem", "20000 30000 0x9000"),
    ):
        found.sysctls.set(name, value)
    assert found.sysctls.get("net.ipv4.tcp_sack") == "0"
    assert found.sysctls.get("net.inet.tcp.syncookies") == "1"


def test_what_a_name_does_is_done_where_it_is_written() -> None:
    done: list[str] = []
    found = Sysctls(lambda: BSD, lambda **_: None, {"net.inet.tcp.hostcache.purgenow": lambda: done.append("purged")})
    found.set("net.inet.tcp.hostcache.purgenow", "0")
    found.set("net.inet.tcp.hostcache.purgenow", "1")
    assert done == ["purged"]
