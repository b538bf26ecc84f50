"""What a script's numbers are on the wire: SYNs with text, and another SYN than the first."""

from __future__ import annotations

from pathlib import Path

import pytest

from lastack.packetdrill.language.parser import parse
from lastack.packetdrill.runner import play
from lastack.packetdrill.settings import Settings
from lastack.tcp.presets import LINUX

LISTENING = """
0 socket(..., SOCK_STREAM, IPPROTO_TCP) = 3
+0 setsockopt(3, SOL_TCP, TCP_FASTOPEN, [5], 4) = 0
+0 bind(3, ..., ...) = 0
+0 listen(3, 5) = 0
"""


@pytest.mark.parametrize(
    "text",
    [
        # RFC 7413 section 4.2: the text of a SYN with a cookie is acknowledged by the SYN,ACK
        "+0 < S 0:10(10) win 9000 <mss 1460,nop,nop,FO TFO_COOKIE>\n+0 > S. 0:0(0) ack 11 <mss 1460>\n"
        "+.1 < . 11:11(0) ack 1 win 9000\n+0 accept(3, ..., ...) = 4\n"
        "+0 write(4, ..., 100) = 100\n+0 > P. 1:101(100) ack 11\n",
        # without one it is not, and comes again
        "+0 < S 0:10(10) win 9000 <mss 1460>\n+0 > S. 0:0(0) ack 1 <mss 1460>\n"
        "+.1 < P. 1:11(10) ack 1 win 9000\n+0 > . 1:1(0) ack 11\n",
    ],
)
def test_the_text_of_a_syn_does_not_move_the_numbers(text: str):
    settings = Settings()
    key = "`sysctl -q net.ipv4.tcp_fastopen=2 net.ipv4.tcp_fastopen_key=a1a1a1a1-b2b2b2b2-c3c3c3c3-d4d4d4d4`"
    result = play(parse(key + LISTENING + text, defines=settings.all_defines), settings, preset=LINUX, folder=Path())
    assert (result.outcome, result.message) == ("passed", "")


# --- several connections at once ---

TWO = """
+0 < 50000>8080 S 0:0(0) win 9000 <mss 1460>
+0 > 8080>50000 S. 0:0(0) ack 1 <mss 1460>
+0 < 50001>8080 S 0:0(0) win 9000 <mss 1460>
+0 > 8080>50001 S. 0:0(0) ack 1 <mss 1460>
+0 < 50000>8080 . 1:1(0) ack 1 win 9000
+0 < 50001>8080 . 1:1(0) ack 1 win 9000
+0 accept(3, ..., ...) = 4
+0 accept(3, ..., ...) = 5
"""
CONNECTING = """
0 socket(..., SOCK_STREAM, IPPROTO_TCP) = 3
+0 fcntl(3, F_SETFL, O_RDWR|O_NONBLOCK) = 0
+0 connect(3, ..., ...) = -1 EINPROGRESS
+.1 socket(..., SOCK_STREAM, IPPROTO_TCP) = 4
+0 fcntl(4, F_SETFL, O_RDWR|O_NONBLOCK) = 0
+0 connect(4, ..., ...) = -1 EINPROGRESS
"""


def ends(text: str) -> tuple[str, int, str]:
    result = play(parse(text), Settings(), preset=LINUX, folder=Path())
    return result.outcome, result.line, result.message


def test_each_connection_has_the_descriptor_that_accept_gave_it():
    written = TWO + "+0 write(4, ..., 7) = 7\n+0 > 8080>50000 P. 1:8(7) ack 1\n"
    assert ends(LISTENING + written + "+0 %{ assert tcpi_unacked == 1 }%\n")[0] == "passed"
    # packets without ports are of the connection that was named last, and so is TCP_INFO
    other = "+0 < . 1:1(0) ack 8 win 9000\n+0 write(5, ..., 9) = 9\n+0 > 8080>50001 P. 1:10(9) ack 1\n"
    assert ends(LISTENING + written + other + "+0 %{ assert tcpi_notsent_bytes == 0 and tcpi_unacked == 1 }%\n")[0] == (
        "passed"
    )


def test_a_syn_without_ports_is_that_of_the_socket_opened_last():
    assert ends(CONNECTING + "+0 > S 0:0(0) <...>\n")[0] == "passed"


def test_what_is_kept_has_its_own_time():
    late = TWO + "+0 write(4, ..., 7) = 7\n+0 write(5, ..., 9) = 9\n+0 > 8080>50001 P. 1:10(9) ack 1\n"
    assert ends(LISTENING + late + "+.1 > 8080>50000 P. 1:8(7) ack 1\n")[2].startswith(
        "the packet was due at 0.100000 s and happened at 0.000000 s"
    )
    # and its place: nothing of a connection is passed over
    twice = late.replace("+0 write(5", "+0 < 50000>8080 P. 1:11(10) ack 8 win 9000\n+0 write(5")
    assert "length: expected 0, got 7" in ends(LISTENING + twice + "+0 > 8080>50000 . 8:8(0) ack 11\n")[2]


def test_an_icmp_message_waits_for_its_line():
    asked = "+0 < icmp echo_request id 7\n+0 < 50000>8080 S 0:0(0) win 9000 <mss 1460>\n"
    answers = "+0 > 8080>50000 S. 0:0(0) ack 1 <mss 1460>\n+0 > icmp echo_reply\n"
    assert ends(LISTENING + asked + answers) == ("passed", 0, "")


def test_what_came_is_shown_with_its_ports_where_the_script_names_them():
    text = LISTENING + TWO + "+0 write(4, ..., 7) = 7\n+0 > 8080>50000 P. 1:9(8) ack 1\n"
    result = play(parse(text), Settings(), preset=LINUX, folder=Path())
    assert result.got == "0.000000 > 8080>50000 P. 1:8(7) ack 1 win 65535"


def test_who_names_wrong_ports_is_told_what_came():
    text = LISTENING + TWO + "+0 write(4, ..., 7) = 7\n+0 write(5, ..., 7) = 7\n+0 < icmp echo_request id 7\n"
    told = ends(text + "+0 > 8080>50002 P. 1:8(7) ack 1\n")[2]
    assert told.endswith("; what no line has asked for: 4 of ports 8080>50000, 4 of ports 8080>50001, 1 not of TCP")
    assert ends(LISTENING + "+0 > 8080>50002 . 1:1(0) ack 1\n")[2] == "nothing was sent up to 2.000000 s"


def test_what_no_line_asks_for_fails_where_the_script_went_on():
    both = LISTENING + TWO + "+0 write(4, ..., 7) = 7\n+0 write(5, ..., 9) = 9\n"
    only = both + "+0 > 8080>50001 P. 1:10(9) ack 1\n+.1 < 50001>8080 . 1:1(0) ack 10 win 9000\n"
    told = "another connection had sent something before, and no line asks for it"
    assert ends(only) == ("failed", only[: only.index("+0 > 8080>50001 P.")].count("\n") + 1, told)
    assert ends(both + "+0 > 8080>50000 P. 1:8(7) ack 1\n")[0] == "passed"  # nothing was asked for after the other
    # who names no ports has gone on to the connection of the socket opened last, and to it alone
    first = "+0 > S 0:0(0) <...>\n+0 < S. 0:0(0) ack 1 win 9000\n+0 > . 1:1(0) ack 1\n"
    one, other = CONNECTING.split("+.1 ")
    assert ends(f"{one}{first}+0 close(3) = 0\n+.1 {other}{first}") == ("passed", 0, "")


def test_the_port_of_both_ends_tells_which_connection_was_accepted():
    where = 'sa_family = AF_INET, sin_port = htons({}), sin_addr = inet_addr("0.0.0.0")'
    listens = "".join(
        f"+0 socket(..., SOCK_STREAM, IPPROTO_TCP) = {file}\n"
        f"+0 bind({file}, {{{where.format(port)}}}, ...) = 0\n"
        f"+0 listen({file}, 1) = 0\n"
        for file, port in ((3, 80), (4, 81))
    )
    opens = "".join(
        f"+0 < 5000>{port} S 0:0(0) win 9000 <mss {mss}>\n+0 > {port}>5000 S. 0:0(0) ack 1 <mss 1460>\n"
        f"+0 < 5000>{port} . 1:1(0) ack 1 win 9000\n"
        for port, mss in ((80, 900), (81, 800))
    )
    first = "+0 accept(3, ..., ...) = 5\n+0 < 5000>80 P. 1:2(1) ack 1 win 9000\n+0 %{ assert tcpi_snd_mss == 900 }%\n"
    assert ends(listens + opens + first)[0] == "passed"
