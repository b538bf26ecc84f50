"""Rows 9 to 21 of the table: their names, and details that a claim of theirs rests on."""

from __future__ import annotations

import pytest

from lastack.sim.scenarios import incarnations, views, waiting
from lastack.sim.scenarios.forced import force, refusal
from lastack.sim.scenarios.play import Play, perform
from lastack.sim.scenarios.registry import find, scenarios
from lastack.tcp.config import SECOND
from lastack.tcp.states import TRANSITIONS, State
from lastack.trace.diagram import to_mermaid

# K stands for the rows that the kernel is to be shown in as well.
ROWS = {
    "9": ("delayed-duplicate", ""),
    "9b": ("delayed-duplicate-delivered", ""),
    "9c": ("delayed-duplicate-with-timestamps", ""),
    "10": ("time-wait-is-the-active-closers", "K"),
    "11": ("restart-server", "K"),
    "12": ("port-exhaustion", ""),
    "13": ("fin-wait-2", "K"),
    "13b": ("close-wait-for-ever", "K"),
    "13c": ("last-ack-ends", ""),
    "14": ("half-open-power-loss", ""),
    "14b": ("half-open-reboot", "K"),
    "14c": ("half-open-network-break", ""),
    "15": ("reset", "K"),
    "16": ("time-wait-assassination", "K"),
    "17": ("new-incarnation", "K"),
    "18": ("msl-presets", ""),
    "18b": ("why-two-msl", ""),
    "18c": ("wanderer", ""),
    "19": ("netstat-view", "K"),
    "20": ("wireshark-view", "K"),
    "21": ("state-diagram", ""),
}


@pytest.mark.parametrize(("row", "told"), ROWS.items(), ids=ROWS)
def test_the_table(row: str, told: tuple[str, str]) -> None:
    name, kernel = told
    found = find(name)
    assert (found.row, found.kernel) == (row, kernel == "K")


def test_no_row_stands_twice() -> None:
    rows = [one.row for one in scenarios()]
    assert len(rows) == len(set(rows))


def test_the_accident_is_shown_byte_by_byte() -> None:
    ladder = perform(find("delayed-duplicate-delivered")).acts[0].ladder()
    assert "byte 0 of the new stream: sent 'n', delivered 'o'" in ladder
    assert ladder.count("of the new stream: sent") == 2 * len(incarnations.compare(b"new: 2222", b"old: 1111")) - 7


def test_all_acts_of_9b_but_two_keep_the_new_stream_whole() -> None:
    acts = perform(find("delayed-duplicate-delivered")).acts
    reads = [act.client.received for act in acts]
    spoiled = incarnations.OLD + incarnations.NEW[len(incarnations.OLD) :]
    assert reads == [spoiled, *[incarnations.NEW] * 3, spoiled, incarnations.NEW]


def test_the_arithmetic_of_r2() -> None:
    """RFC 6298 section 5.5; with Linux's figures the 924.6 s of its documentation (tcp_retries2 = 15)."""
    assert waiting.give_up_time(200_000, 120 * SECOND, 15) == 924_600_000


def test_forced_numbers_are_used_in_order_the_last_for_ever() -> None:
    s = Play().act(msl=0)
    force(s.client, 5, 7)
    seen = []
    for _ in range(3):
        s.open()
        seen.append(s.client.talk.tcb.iss)
        s.client.abort()
        s.pause()
    assert seen == [5, 7, 7]


def test_a_refusal_has_the_name_of_its_error() -> None:
    s = Play().act()
    s.listen()
    assert refusal(lambda: s.server.socket(80)) == "EADDRINUSE"
    assert refusal(lambda: s.server.socket(81)) == ""


def test_the_picture_follows_the_names_that_are_asked_for() -> None:
    from lastack.trace.ladder import Style

    act = perform(find("netstat-view")).acts[0]
    assert act.ladder(Style(names="netstat")).startswith("Local Address")
    assert "FIN_WAIT2" in act.ladder(Style(names="netstat"))
    assert "UNCONN" in act.ladder(Style(names="ss"))


def test_a_host_that_was_switched_off_remembers_nothing_in_the_ladder() -> None:
    lines = perform(find("half-open-reboot")).acts[0].ladder().split("\n")
    (starts,) = [at for at, line in enumerate(lines) if " starts " in line]
    (data,) = [line for line in lines if "1:20(19)" in line]
    assert "LISTEN" in data and data.count("ESTABLISHED") == 1, data  # the client's alone
    off = perform(find("half-open-power-loss")).acts[1].ladder()
    probes = [line for line in off.split("\n") if "host is down" in line]
    assert len(probes) == 9 and all(line.count("ESTABLISHED") == 1 for line in probes)
    assert "loses its power" in lines[starts - 2]


def test_an_edge_is_drawn_or_it_is_not() -> None:
    mermaid = to_mermaid()
    for old, row in TRANSITIONS.items():
        for event, new in row.items():
            others = [state for state in State if state is not new]
            assert views._is_drawn(mermaid, old, event, new)
            assert not any(views._is_drawn(mermaid, old, event, other) for other in others)
