"""Whatever stands in a script: it is parsed, or an error says in which line it is none."""

from __future__ import annotations

from pathlib import Path

from hypothesis import given, settings
from hypothesis import strategies as st

from lastack.packetdrill.errors import ScriptError
from lastack.packetdrill.language.parser import parse
from lastack.packetdrill.runner import play
from lastack.packetdrill.settings import Settings
from lastack.tcp.config import DEFAULT

SCRIPT = """--mtu=1500
`sysctl -q net.ipv4.tcp_sack=1`
0 socket(..., SOCK_STREAM, IPPROTO_TCP) = 3
+0 setsockopt(3, SOL_SOCKET, SO_LINGER, {onoff=1, linger=5}, 8) = 0
+0 bind(3, ..., ...) = 0 /* a comment */
+0 listen(3, 1) = 0 // another
+.1 < [ect0] S 0:0(0) win 32792 <mss 1000,sackOK,TS val 1 ecr 0,nop,wscale 7>
+0 > S. 0:0(0) ack 1 <...>
+.1...0.2 accept(3, ..., ...) = 4
+.1 < P. 1:11(10) ack 1 win 257 <nop,nop,TS val 2 ecr 3!>
* > . 1:1(0) ack 11
1~2 > F. 1:1(0) ack 11
+0 < icmp unreachable frag_needed mtu 900 [1:11(10)]
+0 poll([{fd=4, events=POLLIN|POLLOUT, revents=POLLOUT}], 1, 0) = 1
+0 %{ assert tcpi_state == 1, "text" }%
"""
PIECES = [*'+0`"<>[](){}|=*~\n', "...", "%{", "}%", "--x", "/*"]


@st.composite
def spoilt(draw: st.DrawFn) -> str:
    """The script with some places cut out, doubled or filled with something else."""
    text = SCRIPT
    for _ in range(draw(st.integers(1, 4))):
        at = draw(st.integers(0, len(text)))
        end = min(at + draw(st.integers(0, 12)), len(text))
        filling = draw(st.sampled_from(["", text[at:end] * 2, *PIECES]))
        text = text[:at] + filling + text[end:]
    return text


WORDS = st.lists(st.sampled_from([*PIECES, "S", "1:1(0)", "f"])).map(" ".join)


@given(st.one_of(st.text(max_size=200), spoilt(), WORDS))
@settings(max_examples=300, deadline=None)
def test_a_text_is_a_script_or_an_error_says_where_it_is_none(text: str):
    problem = None
    try:
        assert parse(text).events
    except ScriptError as error:
        problem = error
    if problem is not None:
        assert 0 <= problem.line <= text.count("\n") + 1
        assert problem.message


@given(spoilt())
@settings(max_examples=60, deadline=None)
def test_what_is_played_ends_in_one_of_four_ways(text: str):
    try:
        script = parse(text)
    except ScriptError:
        return
    result = play(script, Settings(), preset=DEFAULT, folder=Path())
    assert result.outcome in ("passed", "failed", "unsupported", "error")
    assert (result.outcome == "passed") == (not result.message)
