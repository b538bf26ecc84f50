"""The fuzzers hold for some thousand cases, and see a bug that is planted."""

from __future__ import annotations

import pytest

from fuzz import host as fuzz_host
from fuzz import wire as fuzz_wire
from lastack.tcp import text


@pytest.mark.parametrize("part", range(4))
def test_a_host_withstands_what_comes(part: int):
    assert fuzz_host.run(750, seed=1, first=part * 750) is None


@pytest.mark.parametrize("part", range(2))
def test_the_wire_withstands_what_comes(part: int):
    assert fuzz_wire.run(3000, seed=part) is None


def test_a_planted_bug_is_found_and_found_again(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(text, "acknowledge_text", lambda tcb, size, now: None)  # text is never acknowledged
    found = fuzz_host.run(300, seed=1)
    assert found is not None and "never be acknowledged" in found[1]
    number = found[0]
    assert fuzz_host.run(1, seed=1, first=number) is not None
