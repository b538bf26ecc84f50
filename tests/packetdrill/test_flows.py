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
