"""Code blocks in a process of their own: whatever they do, they end, and harm nobody."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from lastack.packetdrill.confined import ConfinedBlocks, is_plain
from lastack.packetdrill.errors import Failed, ScriptError, Unsupported
from lastack.packetdrill.suite import play_file


@pytest.fixture
def blocks() -> Iterator[ConfinedBlocks]:
    found = ConfinedBlocks(seconds=0.5, memory=100 << 20)
    yield found
    found.close()


def test_blocks_share_their_names_and_are_given_fresh_fields(blocks: ConfinedBlocks) -> None:
    blocks.run("before = tcpi_snd_cwnd; print('one')", 1, {"tcpi_snd_cwnd": 10})
    blocks.run("assert tcpi_snd_cwnd == before + 1; print('two')", 2, {"tcpi_snd_cwnd": 11})
    assert blocks.printed == ["one", "two"]


def test_each_kind_of_end_comes_back_whole(blocks: ConfinedBlocks) -> None:
    with pytest.raises(Failed, match="assert x == 2") as failed:
        blocks.run("x = 1\nassert x == 2", 5, None)
    assert (failed.value.line, failed.value.expected, failed.value.got) == (6, "x == 2", "x = 1")
    with pytest.raises(Unsupported, match="line 7: import os"):
        blocks.run("import os", 7, None)
    with pytest.raises(ScriptError, match="line 8: ZeroDivisionError in the code") as error:
        blocks.run("1 / 0", 8, None)
    assert type(error.value) is ScriptError


@pytest.mark.parametrize(
    "text",
    [
        "y = [0] * 999999; z = [y for i in range(900)]; q = str(z)",
        "y = ['a' * 9999] * 99999; q = ''.join(y)",
        "x = [1]\nfor i in range(40): x = x + x",
        "x = [1]\nfor i in range(40): x += x",
        "'%9999999999d' % 1",
        "f'{1:>9999999999}'",
        "(1).to_bytes(9999999999, 'big')",
        "print('a'.ljust(9999999999))",
    ],
)
def test_memory_has_a_limit(blocks: ConfinedBlocks, text: str) -> None:
    with pytest.raises(ScriptError, match=r"line [34]: (the code takes too much memory|the code does not end)"):
        blocks.run(text, 3, None)


@pytest.mark.parametrize(
    "text",
    [
        "y = list(range(10**6))\nfor i in range(10**4): sorted(y, key=str)",
        "x = [0] * 10**5; y = [0.0] * 10**5\nwhile [x] * 5000 == [y] * 5000: pass",
    ],
)
def test_time_has_a_limit_that_no_count_of_steps_sees(blocks: ConfinedBlocks, text: str) -> None:
    with pytest.raises(ScriptError, match=r"line 3: the code does not end: over 0\.5 s of real time"):
        blocks.run(text, 3, None)


@pytest.mark.parametrize(
    ("text", "plain"),
    [
        (" assert tcpi_snd_cwnd == 10, tcpi_snd_cwnd ", True),
        ("assert 1 <= tcpi_unacked < 5 and not tcpi_options & 4\n", True),
        ("assert x * x", False),
        ("x = 1", False),
        ("assert str(x)", False),
        ("assert 'a' + 'b'", False),
        ("assert x[:]", False),
        ("assert 1, f'{1:>9999999999}'", False),
        ("while x: assert x", False),
        ("assert (", False),
    ],
)
def test_only_assertions_over_numbers_need_no_confinement(text: str, plain: bool) -> None:
    assert is_plain(text) is plain


def test_its_process_ends_with_it(monkeypatch: pytest.MonkeyPatch) -> None:
    begun: list[int] = []
    fork = os.fork
    monkeypatch.setattr(os, "fork", lambda: begun.append(fork()) or begun[-1])
    for end in (ConfinedBlocks.close, lambda _: None):  # by a word, and when it is forgotten
        found = ConfinedBlocks()
        found.run("x = 1", 1, None)
        end(found)
        del found
        with pytest.raises(ProcessLookupError):
            os.kill(begun.pop(), 0)


def test_a_script_that_reaches_a_limit_is_an_error_of_its_line_in_plain_words(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    script = tmp_path / "large.pkt"
    script.write_text("+0 %{ assert 1 is 1, '' }%\n+0 %{ q = ''.join(['a' * 9999] * 99999) }%\n")
    found = play_file(script)
    assert (found.outcome, found.line) == ("error", 2) and "too much memory" in found.message
    assert "Traceback" not in found.details and capfd.readouterr() == ("", "")
