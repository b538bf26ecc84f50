"""Whole scripts on a host of ours: what passes, and what each kind of mistake is told as."""

from __future__ import annotations

from pathlib import Path

import pytest

from lastack.packetdrill.language.parser import parse
from lastack.packetdrill.runner import Result, play
from lastack.packetdrill.settings import Settings
from lastack.packetdrill.suite import play_file
from lastack.tcp.config import DEFAULT, Config
from lastack.tcp.presets import BSD, LINUX
from lastack.trace.entries import Departure

OPENED = """
0 socket(..., SOCK_STREAM, IPPROTO_TCP) = 3
+0 setsockopt(3, SOL_SOCKET, SO_REUSEADDR, [1], 4) = 0
+0 bind(3, ..., ...) = 0
+0 listen(3, 1) = 0
+.1 < S 0:0(0) win 32792 <mss 1000,sackOK,nop,nop,nop,wscale 7>
+0 > S. 0:0(0) ack 1 <mss 1460,nop,nop,sackOK,nop,wscale 7>
+.1 < . 1:1(0) ack 1 win 257
+0 accept(3, ..., ...) = 4
"""
CALLED = """
0 socket(..., SOCK_STREAM, IPPROTO_TCP) = 3
+0 fcntl(3, F_SETFL, O_RDWR|O_NONBLOCK) = 0
+0 connect(3, ..., ...) = -1 EINPROGRESS (Operation now in progress)
+0 > S 0:0(0) <mss 1460,sackOK,TS val 100 ecr 0,nop,wscale 7>
+.1 < S. 7:7(0) ack 1 win 5792 <mss 1460,sackOK,TS val 700 ecr 100,nop,wscale 7>
+0 > . 1:1(0) ack 1 <nop,nop,TS val 200 ecr 700>
"""


def run(text: str, **settings: object) -> Result:
    made = Settings(**settings)  # type: ignore[arg-type]
    return play(parse(text, defines=made.all_defines), made, preset=LINUX, folder=Path())


def test_an_echo_of_what_was_never_sent_counts_from_the_first_timestamp_where_the_script_says_so():
    text = CALLED.replace("ecr 100,", "ecr 9999,").replace(
        "+0 > . 1:1(0) ack 1 <nop,nop,TS val 200 ecr 700>", "+0 > R 1:1(0)"
    )
    assert "TS ecr 9999" in run(text).message
    assert run("--tcp_ts_ecr_scaled" + text).outcome == "passed"


@pytest.mark.parametrize(("name", "mss"), [("some-v6.pkt", 1440), ("some-v4.pkt", 1460)])
def test_a_name_that_ends_in_v6_chooses_ipv6(tmp_path: Path, name: str, mss: int):
    (tmp_path / name).write_text(CALLED.replace("mss 1460", f"mss {mss}", 1))
    assert play_file(tmp_path / name, preset="linux").outcome == "passed"
    assert play_file(tmp_path / name, preset="linux", ip_version="ipv4").outcome == (
        "failed" if mss == 1440 else "passed"
    )


@pytest.mark.parametrize(
    "text",
    [
        OPENED + "+0 write(4, ..., 3000) = 3000\n+0 > . 1:1001(1000) ack 1\n+0 > P. 1001:3001(2000) ack 1\n",
        OPENED + "+0 write(4, ..., 3000) = 3000\n+0 > P. 1:3001(3000) ack 1\n",
        OPENED + "+0 < P. 1:11(10) ack 1 win 257\n+0 > . 1:1(0) ack 11\n+0 read(4, ..., 99) = 10\n",
        OPENED + "+0 close(4) = 0\n+0 > F. 1:1(0) ack 1\n+.1 < F. 1:1(0) ack 2 win 257\n+0 > . 2:2(0) ack 2\n",
        OPENED + "+0...0.3 read(4, ..., 99) = 10\n+.3 < P. 1:11(10) ack 1 win 257\n+0 > . 1:1(0) ack 11\n",
        CALLED + "+0 getsockopt(3, SOL_SOCKET, SO_ERROR, [0], [4]) = 0\n",
        CALLED + "+1 < R. 1:1(0) ack 1 win 0\n+0 read(3, ..., 9) = -1 ECONNRESET (Connection reset by peer)\n",
        OPENED + "+0 < P 1:11(10) ack 9 win 257\n+0 < R 1:1(0) ack 9 win 0\n+0 read(4, ..., 9) = -1 ECONNRESET\n",
        "0 < . 1:1(0) ack 5 win 9\n+0 > R 5:5(0)\n",  # nobody listens
    ],
)
@pytest.mark.parametrize("ip_version", ["ipv4", "ipv6", "ipv4-mapped-ipv6"])
def test_a_script_passes(text: str, ip_version: str):
    result = run(text, ip_version=ip_version)
    assert (result.outcome, result.message) == ("passed", "")


@pytest.mark.parametrize(
    ("more", "line", "message"),
    [
        ("+0 write(4, ..., 9) = 8\n", 10, "write came to another result"),
        ("+0 write(4, ..., 9) = 9\n+0 > P. 1:9(8) ack 1\n", 11, "length: expected 8, got 9"),
        (
            "+0 write(4, ..., 9) = 9\n+.1 > P. 1:10(9) ack 1\n",
            11,
            "the packet was due at 0.300000 s and happened at 0.2",
        ),
        ("+0 > . 1:1(0) ack 1\n", 10, "nothing was sent up to"),
        ("+0 read(4, ..., 9) = 9\n", 10, "the call blocks, and nothing that could end it is to come"),
        ("+0...0.1 read(4, ..., 9) = 9\n", 10, "the call still blocks"),
        ("+0...0.1 read(4, ..., 9) = 9\n+.2 < . 1:10(9) ack 1 win 9\n", 10, "the return of the call was due at 0.3"),
        ("+0 < . 1:1(0) ack 1 win 9 <nop,nop,TS val 1 ecr 5>\n", 10, "TS ecr 5: no segment with TS val 5"),
    ],
)
def test_what_does_not_happen_fails(more: str, line: int, message: str):
    result = run(OPENED + more)
    assert (result.outcome, result.line) == ("failed", line)
    assert message in result.message
    assert "192.168.0.1:8080" in result.connections


@pytest.mark.parametrize(
    ("text", "feature"),
    [
        ("0 frobnicate(3) = 0\n", "frobnicate()"),
        ("0 socket(..., SOCK_STREAM, IPPROTO_SCTP) = 3\n", "SCTP"),
        ("0 < ipv4 1.2.3.4 > 5.6.7.8: . 1:1(0) ack 1 win 5\n", "carried in ipv4"),
    ],
)
def test_what_is_not_here_is_unsupported_and_named(text: str, feature: str):
    result = run(text)
    assert result.outcome == "unsupported"
    assert feature in result.message


def test_commands_and_code_are_done():
    text = "`sysctl -q net.ipv4.tcp_timestamps=0`\n" + CALLED.replace(",TS val 100 ecr 0,nop", ",nop")
    text = (
        text.replace(",TS val 700 ecr 100", "")
        .replace("sackOK,nop", "nop,nop,sackOK,nop")
        .replace("<nop,nop,TS val 200 ecr 700>", "")
    )
    text += "+0 %{ seen = tcpi_state }%\n+0 `ss -tan | grep -q ESTAB`\n+0 %{ assert seen == TCP_ESTABLISHED }%\n"
    assert run(text).message == ""
    failed = run(text + "+0 %{ assert tcpi_snd_cwnd == 11 }%\n")
    assert (failed.outcome, failed.line) == ("failed", 12)
    assert "10" in failed.got
    assert run(text + "+0 `cat /etc/passwd`\n").outcome != "passed"


def test_freebsd_tells_windows_in_bytes():
    text = (
        OPENED.replace("mss 1460,nop,nop,sackOK,nop,wscale 7", "...")
        + "+0 write(4, ..., 500) = 500\n+0 > P. 1:501(500) ack 1\n"
    )
    text += "+0 %{ assert (tcpi_snd_cwnd, tcpi_state) == (10000, TCPS_ESTABLISHED) }%\n"
    text += "+0 %{ assert tcpi_snd_nxt - tcpi_snd_una == 500 }%\n"
    made = Settings()
    assert play(parse(text), made, preset=BSD, folder=Path()).message == ""
    assert play(parse(text), made, preset=LINUX, folder=Path()).outcome != "passed"


def test_a_scripts_own_defines_go_before_those_of_the_ip_version(tmp_path: Path):
    text = "--define=CODE=port_unreachable" + CALLED.split("+.1 <")[0] + "+.1 < icmp unreachable CODE [0:0(0)]\n"
    (tmp_path / "a.pkt").write_text(text + "+0 getsockopt(3, SOL_SOCKET, SO_ERROR, [ECONNREFUSED], [4]) = 0\n")
    assert play_file(tmp_path / "a.pkt").message == ""
    assert not play_file(tmp_path / "a.pkt", defines={"CODE": "host_unreachable"}).ok


def test_the_setting_files_of_the_head_are_read(tmp_path: Path):
    (tmp_path / "plain.sh").write_text("sysctl -q net.ipv4.tcp_sack=0")
    script = parse("--init_scripts=plain.sh\n0 `sysctl -n net.ipv4.tcp_sack | grep -q 0`")
    assert play(script, Settings(), preset=LINUX, folder=tmp_path).outcome == "passed"
    assert play(script, Settings(), preset=LINUX, folder=tmp_path / "..").outcome == "error"


def test_what_makes_no_sense_is_an_error():
    result = run("--frobnicate=7\n0 < . 1:1(0) ack 1 win 5\n")
    assert (result.outcome, result.line) == ("error", 1)


def test_a_failure_says_what_was_expected_and_what_came():
    result = run(OPENED + "+0 write(4, ..., 9) = 9\n+0 > . 1:10(9) ack 1\n")
    assert result.expected == "+0 > . 1:10(9) ack 1"
    assert result.got == "0.200000 > P. 1:10(9) ack 1 win 512"


@pytest.mark.parametrize("head", ["", "--strict_segments", "--tolerance_percent=99"])
def test_what_is_missing_of_a_packet_is_told_before_it_is_sent_again(head: str):
    result = run(f"{head}\n{OPENED.lstrip()}+0 write(4, ..., 10) = 10\n+0 > P. 1:12(11) ack 1\n")
    told = "length: expected 11, got 10" if head == "--strict_segments" else "only 10 of 11 bytes were sent"
    assert told in result.message
    assert result.got == "0.200000 > P. 1:11(10) ack 1 win 512"
    assert result.virtual_seconds < 0.3


def test_segments_that_do_not_make_a_packet_are_all_shown():
    nodelay = OPENED + "+0 setsockopt(4, SOL_TCP, TCP_NODELAY, [1], 4) = 0\n"
    result = run(nodelay + "+0 write(4, ..., 9) = 9\n+0 write(4, ..., 10) = 10\n+0 > P. 1:20(19) ack 1\n")
    assert "not of one length" in result.message
    assert result.got.splitlines() == [
        "0.200000 > P. 1:10(9) ack 1 win 512",
        "0.200000 > P. 10:20(10) ack 1 win 512",
    ]


@pytest.mark.parametrize(
    ("when", "due"),
    [("+.1", "at 0.300000 s"), ("+.1~+.2", "between 0.300000 and 0.400000 s"), ("0.6", "at 0.600000 s")],
)
def test_what_is_not_in_time_is_shown_with_both_times(when: str, due: str):
    result = run(OPENED + f"+0 write(4, ..., 9) = 9\n{when} > P. 1:10(9) ack 1\n")
    assert result.expected == f"{due}: > P. 1:10(9) ack 1"
    assert result.got == "at 0.200000 s: > P. 1:10(9) ack 1 win 512"


def test_a_call_that_does_not_return_in_time_is_shown_with_both_times():
    result = run(OPENED + "+0...0.1 read(4, ..., 9) = 9\n+.2 < . 1:10(9) ack 1 win 9\n")
    assert (result.expected, result.got) == ("at 0.300000 s", "at 0.400000 s")


def test_what_came_instead_of_an_icmp_message_is_shown():
    result = run(OPENED + "+0 write(4, ..., 9) = 9\n+0 > icmp unreachable port_unreachable\n")
    assert result.got == "0.200000 > P. 1:10(9) ack 1 win 512"


def test_what_is_not_fatal_is_warned_of():
    text = "--non_fatal=packet,syscall\n" + OPENED.lstrip() + "+0 write(4, ..., 9) = 8\n+0 > P. 1:10(9) ack 1 win 7\n"
    text += "+0...0.1 read(4, ..., 9) = 9\n+.2 < . 1:10(9) ack 1 win 9\n+.2 > . 10:10(0) ack 10\n"
    result = run(text + "+0 < . 10:11(1) ack 10 win 9\n+0 > . 10:10(0) ack 12\n")
    assert (result.outcome, result.line, result.message) == ("passed", 0, "")
    assert [(one.line, one.message.split(";")[0]) for one in result.warnings] == [
        (10, "write came to another result: expected 8, got 9"),
        (11, "the packet differs: win: expected 7, got 512"),
        (14, "the packet was due at 0.600000 s and happened at 0.400000 s (tolerance 0.025000 s)"),
        (16, "the packet differs: ack: expected 12, got 11"),
        (12, "the return of the call was due at 0.300000 s and happened at 0.400000 s (tolerance 0.012500 s)"),
    ]
    assert result.warnings[1].got == "0.200000 > P. 1:10(9) ack 1 win 512"


@pytest.mark.parametrize(
    ("kinds", "more", "message"),
    [
        ("syscall", "+0 write(4, ..., 9) = 9\n+0 > . 1:10(9) ack 1\n", "the packet differs: flags"),
        ("packet", "+0 write(4, ..., 9) = 8\n", "write came to another result"),
        ("packet,syscall", "+0 > . 1:1(0) ack 1\n", "nothing was sent"),
        ("packet,syscall", "+0 read(4, ..., 9) = 9\n", "the call blocks"),
        ("packet,syscall", "+0...0.1 read(4, ..., 9) = 9\n", "the call still blocks"),
        ("packet,syscall", "+0 `false`\n", "ended with the status 1"),
        ("packet,syscall", "+0 %{ assert tcpi_snd_cwnd == 99 }%\n", "assert"),
    ],
)
def test_what_there_is_no_going_on_from_is_fatal(kinds: str, more: str, message: str):
    result = run(f"--non_fatal={kinds}\n{OPENED.lstrip()}{more}")
    assert result.outcome == "failed" and message in result.message and not result.warnings


def test_an_hour_passes_in_no_time():
    result = run(OPENED + "+3600 write(4, ..., 9) = 9\n+0 > P. 1:10(9) ack 1\n")
    assert result.outcome == "passed"
    assert result.virtual_seconds > 3600
    assert result.real_seconds < 60


def test_a_script_of_a_thousand_hours_is_too_long():
    assert "hours of virtual time" in run("9999999 < . 1:1(0) ack 1 win 5\n").message


def test_everything_that_passed_is_kept():
    result = run(OPENED)
    assert len(result.capture) == 3
    assert [type(entry).__name__ for entry in result.timeline.entries].count("Departure") == 3


def test_some_things_need_not_be_so_exact():
    text = OPENED + "+0 write(4, ..., 9) = 9\n+.1 > P. 1:10(9) ack 1 win 7 <nop,nop,nop,nop>\n"
    made = Settings()
    script = parse(text)
    loosen = frozenset({"window", "options", "timing"})
    assert play(script, made, preset=DEFAULT, folder=Path(), loosen=loosen).outcome == "passed"
    for word in loosen:
        assert play(script, made, preset=DEFAULT, folder=Path(), loosen=loosen - {word}).outcome == "failed"


def test_all_that_was_sent_is_recorded_in_the_order_of_time():
    late = OPENED + "+0 write(4, ..., 1000) = 1000\n+.5 < . 1:1(0) ack 1 win 300\n+.1 > P. 1:1001(1000) ack 1\n"
    result = run(late)
    assert result.outcome == "failed"
    times = [entry.now for entry in result.timeline.entries]
    assert times == sorted(times)
    assert times[-1] < 2_000_000
    sent = [entry for entry in result.timeline.entries if isinstance(entry, Departure)]
    assert [entry.now for entry in sent if entry.packet.length] == [200_000, 500_000]  # then as a probe
    assert [time for time, _ in result.capture] == [entry.now for entry in sent]


def test_an_injected_packet_is_taken_to_have_been_joined_from_segments_of_mss():
    text = "--mss=900\n" + OPENED.lstrip() + "+0 < . 1:9001(9000) ack 1 win 257\n+0 > . 1:1(0) ack 9001\n"
    assert run(text + "+0 %{ assert (tcpi_rcv_mss, tcpi_data_segs_in) == (900, 10) }%\n").outcome == "passed"


def test_the_end_of_a_unit_of_the_send_buffer_ends_a_burst():
    """A unit is half of 32,792 here; what the first one leaves behind is filled up to another."""
    text = (
        OPENED
        + """
+0 fcntl(4, F_SETFL, O_RDWR|O_NONBLOCK) = 0
+0 setsockopt(4, SOL_SOCKET, SO_SNDBUF, [10000], 4) = 0
+0 getsockopt(4, SOL_SOCKET, SO_SNDBUF, [20000], [4]) = 0
+0 write(4, ..., 50000) = 26000
+0 > P. 1:10001(10000) ack 1
+.1 < . 1:1(0) ack 10001 win 257
+0 > P. 10001:26001(16000) ack 1
+0 write(4, ..., 50000) = 20000
+0 > P. 26001:30001(4000) ack 1
"""
    )
    assert run(text).message == ""


def test_freebsds_packetdrill_compares_each_segment_by_itself():
    text = OPENED.replace("mss 1460,nop,nop,sackOK,nop,wscale 7", "...") + "+0 write(4, ..., 2000) = 2000\n"
    one, two = "+0 > P. 1:2001(2000) ack 1\n", "+0 > . 1:1001(1000) ack 1\n+0 > P. 1001:2001(1000) ack 1\n"
    assert run(text + one).outcome == run(text + two).outcome == "passed"
    for sent, outcome in ((one, "failed"), (two, "passed")):
        whole = text + sent
        assert play(parse(whole), Settings(), preset=BSD, folder=Path()).outcome == outcome
        assert run("`sysctl kern.ipc.maxsockbuf`\n" + whole).outcome == outcome
    assert "got 1000 (each segment is compared by itself)" in run("--strict_segments\n" + text + one).message


@pytest.mark.parametrize(("when", "outcome"), [("+70", "passed"), ("+66", "failed"), ("+80", "passed")])
def test_what_is_late_within_a_long_tolerance_is_waited_for(when: str, outcome: str):
    keeps = (
        "+0 setsockopt(4, SOL_SOCKET, SO_KEEPALIVE, [1], 4) = 0\n+0 setsockopt(4, SOL_TCP, TCP_KEEPIDLE, [75], 4) = 0\n"
    )
    assert run(f"{OPENED}{keeps}{when} > . 0:0(0) ack 1\n").outcome == outcome
    # a call that blocks likewise
    waits = f"+0...{when[1:]} read(4, ..., 10) = 10\n+75 < P. 1:11(10) ack 1 win 257\n"
    assert run(f"{OPENED}{waits}").outcome == outcome


@pytest.mark.parametrize("preset", [LINUX, BSD])
def test_getsockopt_tells_tcp_info_under_the_names_of_both_systems(preset: Config):
    head = OPENED.replace("<mss 1460,nop,nop,sackOK,nop,wscale 7>", "<...>")

    def ends(fields: str) -> Result:
        text = f"{head}+0 getsockopt(4, IPPROTO_TCP, TCP_INFO, {{{fields}}}, ...) = 0\n"
        return play(parse(text), Settings(), preset=preset, folder=Path())

    for state in ("TCP_ESTABLISHED", "TCPS_ESTABLISHED", "TCPI_ESTABLISHED", "4" if preset is BSD else "1"):
        assert ends(f"tcpi_state={state}, tcpi_snd_rexmitpack=0, tcpi_unacked=0, tcpi_pacing_rate=...").message == ""
    assert ends("tcpi_state=TCPS_CLOSE_WAIT").outcome == ends("tcpi_state=TCP_CLOSE").outcome == "failed"
    assert ends(f"tcpi_snd_cwnd={10_000 if preset is BSD else 10}").outcome == "passed"
    assert ends("tcpi_options=TCPI_OPT_SACK|TCPI_OPT_WSCALE").outcome == "passed"
    assert (ends("tcpi_pacing_rate=0").outcome, ends("tcpi_bogus=...").outcome) == ("unsupported", "error")
