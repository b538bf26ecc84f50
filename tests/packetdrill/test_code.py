"""Code blocks: what they see, how they fail, and what they may not do."""

from __future__ import annotations

import sys

import pytest

from lastack.host.info import tcp_info
from lastack.packetdrill.code import CodeBlocks
from lastack.packetdrill.errors import Failed, ScriptError, Unsupported
from lastack.packetdrill.info_names import LINUX_NAMES, fields
from lastack.tcp.config import DEFAULT
from lastack.tcp.connection import Connection

INFO = {"tcpi_state": 1, "tcpi_snd_cwnd": 12, "tcpi_unacked": 3, "tcpi_options": 7, "tcpi_snd_ssthresh": 0x7FFFFFFF}


def error(text: str, line: int = 1, info: dict[str, int] | None = INFO) -> ScriptError:
    with pytest.raises(ScriptError) as raised:
        CodeBlocks().run(text, line, info)
    return raised.value


@pytest.mark.parametrize(
    "text",
    [
        " assert tcpi_snd_cwnd == 12, tcpi_snd_cwnd ",
        "\nassert tcpi_state == TCP_ESTABLISHED\nassert tcpi_unacked == 3\n",
        "\n\t assert tcpi_unacked == 3\n\t if tcpi_state == 1:\n\t\t assert True\n",
        " assert 10 <= tcpi_snd_cwnd <= 20, 'cwnd=%d' % tcpi_snd_cwnd; \\\n    assert tcpi_unacked < 5;\\\n",
        "assert tcpi_snd_ssthresh == TCP_INFINITE_SSTHRESH",
        "assert (tcpi_options & TCPI_OPT_SACK) != 0, tcpi_options",
        "import math\nassert math.sqrt(16) == 4 and [x * 2 for x in range(3)] == [0, 2, 4]",
        "def twice(x):\n    return x * 2\nassert twice(tcpi_unacked) == 6",
        "if tcpi_state == 1:\n  y = 1\nelse:\n  y = 2\nassert y == 1",
        "from __future__ import print_function\nprint(tcpi_state)",
        "x = 3; x **= 2; x *= 2; x <<= 1; assert x == 36",
        "",
    ],
)
def test_what_a_block_may_do(text: str) -> None:
    CodeBlocks().run(text, 1, INFO)


def test_all_blocks_share_their_names_but_each_has_fresh_fields() -> None:
    blocks = CodeBlocks()
    blocks.run("before = tcpi_snd_cwnd", 1, INFO)
    blocks.run("before += 3; print('cwnd', tcpi_snd_cwnd); assert tcpi_snd_cwnd == before", 2, {"tcpi_snd_cwnd": 15})
    assert blocks.printed == ["cwnd 15"]
    with pytest.raises(ScriptError, match=r"line 3: tcpi_snd_cwnd: there is no connection"):
        blocks.run("tcpi_snd_cwnd", 3, None)


def test_a_failed_assertion_tells_its_line_its_text_and_its_values() -> None:
    found = error("\nassert tcpi_unacked == 3\nassert tcpi_snd_cwnd ==  10 and tcpi_state, 'cwnd'\n", 20)
    assert isinstance(found, Failed) and found.line == 22
    assert found.message == "assert tcpi_snd_cwnd == 10 and tcpi_state: cwnd"
    assert (found.expected, found.got) == ("tcpi_snd_cwnd == 10 and tcpi_state", "tcpi_snd_cwnd = 12, tcpi_state = 1")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("\nassert (\n", "line 11: the code is no Python"),
        ("\n\nassert unknown == 3", "line 12: the code uses 'unknown', which nothing has set"),
        ("\nx = 1 / 0", "line 11: ZeroDivisionError in the code: division by zero"),
        ("while True: pass", "line 10: the code does not end"),
        ("def f(): return f()\nf()", "calls itself too deeply"),
        ("[x for x in range(10**9)]", "range"),
        ("x = 'a' * 10**9", "a product is too large"),
        ("x = 9**9**9", "a power is too large"),
        ("x = 1 << 10**8", "a shift is too far"),
        ("x = 2\nwhile True: x = x * x", "a product is too large"),
        ("x" * 200_000, "at most"),
        ("raise ValueError", "'ValueError'"),
    ],
)
def test_a_mistake_in_a_block_has_its_line_and_ends(text: str, message: str) -> None:
    found = error(text, 10)
    assert message in str(found) and not isinstance(found, Failed | Unsupported)


@pytest.mark.parametrize(
    ("text", "named"),
    [
        ("open('/etc/passwd')", "open()"),
        ("import os", "import os"),
        ("import subprocess as math", "import subprocess"),
        ("from socket import socket", "import socket"),
        ("__import__('os')", "__import__"),
        ("().__class__.__bases__", ".__bases__"),
        ("(x for x in []).gi_frame", ".gi_frame"),
        ("eval('1')", "eval()"),
        ("getattr(1, 'real')", "getattr()"),
        ("try:\n  pass\nexcept:\n  pass", "'try'"),
        ("class A: pass", "'class'"),
        ("__builtins__['x']", "__builtins__"),
        ("_failed.__globals__", ".__globals__"),
        ("'{0.__class__}'.format_map({})", ".format_map"),
    ],
)
def test_what_a_block_may_not_use_is_named(text: str, named: str) -> None:
    found = error(text)
    assert isinstance(found, Unsupported) and named in str(found)


def test_a_field_that_is_not_measured_is_named_and_no_wrong_number() -> None:
    found = error("assert tcpi_pacing_rate > 0", 5)
    assert isinstance(found, Unsupported) and str(found) == "line 5: tcpi_pacing_rate is not measured here"


def test_our_fields_are_linuxs() -> None:
    tcb = Connection((b"\x0a\0\0\1", 1), (b"\x0a\0\0\2", 2), DEFAULT).tcb
    ours = set(tcp_info(tcb, 1)) - {"tcpi_soft_error", "tcpi_stalled"}
    assert ours <= LINUX_NAMES


def test_freebsds_names_and_units() -> None:
    blocks = CodeBlocks(bsd=True)
    info = fields({**INFO, "tcpi_state": 5, "tcpi_rtt": 7}, {"bytes_cwnd": 14600}, bsd=True)
    blocks.run("assert tcpi_state == TCPS_FIN_WAIT_2 == TCPI_FIN_WAIT_2 and tcpi_snd_cwnd == 14600", 1, info)
    blocks.run("assert __tcpi_unacked == 0 and tcpi_options & TCPI_OPT_WSCALE and tcpi_rtt == 7", 1, info)


@pytest.mark.parametrize("bsd", [False, True])
def test_each_name_means_the_same_with_either_system(bsd: bool) -> None:
    for linuxs, nplabs, ours in (
        ("FIN_WAIT2", "FIN_WAIT_2", 5),
        ("CLOSE", "CLOSED", 7),
        ("SYN_RECV", "SYN_RECEIVED", 3),
    ):
        info = fields({**INFO, "tcpi_state": ours, "tcpi_total_retrans": 6}, {"bytes_cwnd": 14600}, bsd=bsd)
        blocks = CodeBlocks(bsd=bsd)
        blocks.run(f"assert tcpi_state == TCP_{linuxs} == TCPS_{nplabs} == TCPI_{nplabs} != TCP_ESTABLISHED", 1, info)
        blocks.run("assert (tcpi_unacked, tcpi_snd_rexmitpack, __tcpi_unacked) == (3, 6, 0)", 1, info)
        blocks.run(f"assert tcpi_snd_cwnd == {14600 if bsd else 12}", 1, info)
    with pytest.raises(Unsupported, match="tcpi_snd_zerowin is not measured here"):
        blocks.run("assert tcpi_snd_zerowin == 0", 1, info)


def test_who_watches_us_goes_on_watching() -> None:
    seen = []
    before = sys.gettrace()

    def watch(*_event: object) -> None:
        seen.append(1)

    sys.settrace(watch)
    try:
        CodeBlocks().run("x = 1", 1, None)
        assert sys.gettrace() is watch
    finally:
        sys.settrace(before)
