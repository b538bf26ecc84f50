"""The state matrix: what every segment does in every situation, against the RFC and against the reviewed table.

`python -m tests.tcp.matrix --write` writes the table (matrix.txt) anew. The states of a host are in
tests/host/test_matrix.py.
"""

from __future__ import annotations

from dataclasses import replace
from difflib import unified_diff
from pathlib import Path

import pytest

from lastack.tcp.config import Config
from lastack.tcp.presets import BSD, LINUX, RFC9293
from lastack.tcp.states import State
from lastack.wire.segment import CWR, ECE, PSH, SYN, URG, format_flags
from tests.tcp import host_cells, matrix
from tests.tcp.cells import Outcome, known
from tests.tcp.deviations import DEVIATIONS, expected
from tests.tcp.golden import Key
from tests.tcp.harness import Exchange
from tests.tcp.situations import SITUATIONS, SMALL, SYNCHRONIZED, synchronized

DESIGN = Path(__file__).parents[2] / "docs" / "design.md"
PLAIN = pytest.mark.parametrize("numbers", ["plain"], indirect=True)  # once, not for each sort of numbers
RULES = ("rfc1337", "timestamps_required", "freebsd_windows", "whole_segment_buffers", "ack_second_segment")
EXTRA = (PSH, URG, PSH | URG, ECE, CWR, ECE | CWR)


def reviewed(title: str) -> list[str]:
    """The lines of one block of the reviewed table."""
    blocks = matrix.GOLDEN.read_text(encoding="utf-8").split("\n\n")
    return next((block.splitlines() for block in blocks if block.startswith(title + "\n")), [])


def must_be_reviewed(title: str, now: str) -> None:
    """The block is the reviewed one, or the lines that differ are shown."""
    changed = list(unified_diff(reviewed(title), now.splitlines(), lineterm="", n=0))[2:]
    assert not changed, "\n".join([f"{title}: review, then `python -m tests.tcp.matrix --write`", *changed])


def must_be_the_rfc(t: Exchange, found: dict[Key, Outcome], **rules: bool) -> None:
    """Each cell is what the oracle says, deliberate deviations taken into account."""
    k, wrong = known(t.tcb), []
    for key, outcome in found.items():
        want, used = expected(k, matrix.segment(k, key), **rules)
        if outcome != want:
            wrong.append(f"{' '.join(key)}: {outcome}, and the RFC says {want} {sorted(used)}")
    assert not wrong, "\n".join(wrong[:20])


@PLAIN
@pytest.mark.parametrize("title", SITUATIONS)
def test_every_cell_is_as_the_rfc_has_it_and_as_it_was_reviewed(title: str):  # RFC 9293 3.10.7, RFC 5961 sections 3-5
    t = SITUATIONS[title]()
    found = matrix.outcomes(t)
    must_be_the_rfc(t, found)
    must_be_reviewed(title, matrix.block(title, known(t.tcb), found))


@PLAIN
def test_no_block_of_the_table_is_left_over():
    blocks = matrix.GOLDEN.read_text(encoding="utf-8").rstrip("\n").split("\n\n")
    titles = {block.partition("\n")[0] for block in blocks if "\n  flags " in block}
    assert titles == {*SITUATIONS, *host_cells.BLOCKS, *matrix.EXTRA}


@PLAIN
def test_every_deviation_happens_and_is_a_decision_of_the_design():
    used: set[str] = set()
    for reach in SITUATIONS.values():
        k = known(reach().tcb)
        for key in matrix.keys(k):
            used |= expected(k, matrix.segment(k, key))[1]
    t, segments = matrix.stamped(State.ESTABLISHED)
    for got in segments.values():
        used |= expected(known(t.tcb), got)[1]
    assert used == set(DEVIATIONS)
    design = DESIGN.read_text(encoding="utf-8")
    assert [name for name in DEVIATIONS if f"\n| {name} " not in design] == []


@PLAIN
@pytest.mark.parametrize("full", [False, True], ids=["open", "full"])
@pytest.mark.parametrize("state", SYNCHRONIZED)
def test_a_passive_open_leads_to_the_same_states(state: State, full: bool):
    active, passive = (synchronized(state, passive=passive, full=full) for passive in (False, True))
    one, other = (replace(known(t.tcb), opened_from=State.LISTEN, snd_wl1=0) for t in (active, passive))
    assert one == other  # SND.WL1 is that of the SYN,ACK or of the ACK of ours
    k, other = known(active.tcb), known(passive.tcb)
    for key in matrix.keys(k)[::3]:
        outcomes = matrix.outcome(active, matrix.segment(k, key)), matrix.outcome(passive, matrix.segment(other, key))
        assert outcomes[0] == outcomes[1], key


@pytest.mark.parametrize("title", SITUATIONS)
def test_numbers_that_wrap_change_nothing(title: str):  # RFC 9293 3.4, a sample of the cells
    t = SITUATIONS[title]()
    k = known(t.tcb)
    must_be_the_rfc(t, {key: matrix.outcome(t, matrix.segment(k, key)) for key in matrix.keys(k)[::7]})


@PLAIN
@pytest.mark.parametrize("title", SITUATIONS)
def test_psh_urg_and_what_is_for_ecn_change_nothing(title: str):  # without ECN: RFC 3168 section 6.1
    t = SITUATIONS[title]()
    k = known(t.tcb)
    for place, key in enumerate(matrix.keys(k)[::5]):
        plain, more = matrix.segment(k, key), matrix.segment(k, key)
        if t.state is State.SYN_SENT and plain.flags & SYN:
            continue  # ECE and CWR of a SYN would ask for ECN
        more.flags |= EXTRA[place % len(EXTRA)]
        one, other = (matrix.outcome(t, got) for got in (plain, more))
        other = replace(other, user=tuple(word for word in other.user if word != "urgent"))
        assert one == other, f"{format_flags(more.flags)}: {' '.join(key)}"


# --- protections turned off ---


@PLAIN
@pytest.mark.parametrize("state", [*SYNCHRONIZED[:-1], State.SYN_RCVD])
def test_without_rfc_5961_it_is_the_letter_of_rfc_793(state: State):
    t = matrix.without_rfc_5961(state)
    found = matrix.outcomes(t)
    must_be_the_rfc(t, found, rfc5961=False)


@pytest.mark.parametrize("state", [State.SYN_RCVD, *SYNCHRONIZED])
def test_old_timestamps_are_refused_and_new_ones_recorded(state: State):  # RFC 7323 sections 3.2, 5.3 R1 and R3
    t, segments = matrix.stamped(state)
    found = {key: matrix.outcome(t, got) for key, got in segments.items()}
    k = known(t.tcb)
    wrong = {key: (outcome, expected(k, segments[key])) for key, outcome in found.items()}
    assert not {key: both for key, both in wrong.items() if both[0] != both[1][0]}


@PLAIN
@pytest.mark.parametrize("title", matrix.EXTRA)
def test_what_a_setting_changes_was_reviewed(title: str):
    must_be_reviewed(title, matrix.EXTRA[title](title))


@PLAIN
@pytest.mark.parametrize("preset", [LINUX, BSD, RFC9293], ids=lambda preset: preset.name)
@pytest.mark.parametrize("state", SYNCHRONIZED)
def test_presets_differ_in_these_settings_alone(preset: Config, state: State):
    one = synchronized(state, preset.having(receive_buffer=SMALL.receive_buffer))
    settings = {name: getattr(preset, name) for name in RULES}
    other = synchronized(state, SMALL.having(**settings))
    k = known(one.tcb)
    for key in matrix.keys(k)[:: 1 if state is State.TIME_WAIT else 5]:
        assert matrix.outcome(one, matrix.segment(k, key)) == matrix.outcome(other, matrix.segment(k, key)), key
