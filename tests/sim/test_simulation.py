"""Random simulations: they pass, they are the same each time, and what they cover is what they should."""

from __future__ import annotations

from dataclasses import replace
from functools import cache

from lastack.link.faults import Faults
from lastack.sim.plan import Ending, draw
from lastack.sim.simulation import Summary, run_each, run_many, run_simulation
from lastack.tcp.config import DEFAULT
from tests.sim.plans import READS, SECOND, SENDS, plan


@cache
def some() -> Summary:
    return run_many(60, first_seed=1000)


def test_random_simulations_pass() -> None:
    assert [str(failure) for failure in some().failures] == []
    assert some().count == 60


def test_they_reach_what_they_are_there_for() -> None:
    seen = some().counters
    for edge in (
        "SYN-SENT: rcv SYN",
        "ESTABLISHED: ABORT",
        "ESTABLISHED: rcv RST",
        "FIN-WAIT-1: rcv FIN",
        "FIN-WAIT-2: rcv FIN",
        "CLOSING: rcv ACK of FIN",
        "LAST-ACK: rcv ACK of FIN",
        "TIME-WAIT: rcv SYN",
        "TIME-WAIT: timeout = 2MSL",
    ):
        assert seen[edge], edge
    for fault in ("loss lost", "corrupt corrupted", "duplicate duplicated", "reorder reordered", "partition lost"):
        assert seen[f"faults {fault}"], fault
    assert seen["complete"] > 60


def test_the_same_seed_is_the_same_run_to_the_byte() -> None:
    first, second = run_simulation(1003), run_simulation(1003)
    assert first == second
    assert first.trace != run_simulation(1004).trace


def test_processes_change_nothing() -> None:
    alone, together = list(run_each(4, 1000)), list(run_each(4, 1000, jobs=2))
    assert alone == together


def test_a_plan_is_drawn_from_its_seed() -> None:
    assert repr(draw(7)) == repr(draw(7))
    assert repr(draw(7)) != repr(draw(8))


def test_a_failure_names_its_replay() -> None:
    # A partition that outlasts every SYN, and a plan that does not say so.
    cut = plan(partition=(0, 600 * SECOND, ""), heal_at=600 * SECOND)
    result = run_simulation(5, "lastack simulate --seed {seed}", cut)
    assert not result.ok
    assert "connection 1 should have lost nothing, and is incomplete (TimeoutError" in result.problem
    assert result.problem.endswith("replay: lastack simulate --seed 5")


def test_a_harsh_network_excuses_it() -> None:
    assert run_simulation(5, plan=plan(partition=(0, 600 * SECOND, ""), heal_at=600 * SECOND, harsh=True)).ok


def test_a_reader_that_sleeps_closes_the_window_and_opens_it_again() -> None:  # RFC 9293 section 3.8.6.1
    small = DEFAULT.having(receive_buffer=3_000)
    sleepy = replace(READS, read_late=30 * SECOND)
    result = run_simulation(1, plan=plan(SENDS, sleepy, configs={"a": DEFAULT, "b": small}))
    assert result.ok, result.problem
    assert result.counters["complete"] == 1


def test_a_reboot_in_the_middle() -> None:
    slow = replace(SENDS, write=100, write_pause=10_000)
    result = run_simulation(1, plan=plan(slow, reboot=(SECOND, "b")))
    assert result.ok, result.problem
    assert result.counters["ESTABLISHED: rcv RST"] == 1
    assert result.counters["broken"] == 1


def test_super_segments_that_arrive_whole() -> None:
    big = {"mtu": 1500, "gso": 65_483, "checksum_offload": True}
    none = Faults()
    result = run_simulation(
        1,
        plan=plan(
            replace(SENDS, size=1_000_000, write=100_000),
            offload=True,
            options={"a": big, "b": big},
            faults={"a": none, "b": none},
        ),
    )
    assert result.ok, result.problem
    # One acknowledgment answers a batch (RFC 9293 MUST-58): far fewer frames than two for every three segments.
    assert result.counters["packets delivered"] < 1_000_000 / 1448 * 1.3


def test_both_open_at_once() -> None:  # RFC 9293 figure 8
    meeting = replace(plan().meetings[0], both=True, port=42_000)
    result = run_simulation(1, plan=plan(meetings=(meeting,)))
    assert result.ok, result.problem
    assert result.counters["complete"] == 1
    assert result.counters["SYN-SENT: rcv SYN"] == 2


def test_an_abort_leaves_nothing_behind() -> None:
    result = run_simulation(1, plan=plan(replace(SENDS, ending=Ending.ABORT_AT, moment=15_000)))
    assert result.ok, result.problem
    assert result.counters["broken"] == 1
