"""What is measured without a peer runs: with so little work that the figures say nothing."""

from __future__ import annotations

import pytest

from lastack.bench import alone, alone_memory, alone_time_wait
from lastack.bench.alone import ALONE
from lastack.bench.crowd import Crowd
from lastack.bench.run import NAMES, Order, measure
from lastack.bench.sides import BenchError
from lastack.host.timewait import pack
from lastack.tcp.states import State


@pytest.mark.parametrize("name", ALONE)
def test_a_measurement_gives_each_of_its_rows(name: str):
    found = ALONE[name].function(0.001)
    assert found.keys() >= {row.name for row in ALONE[name].rows}
    assert all(value >= 0 for value in found.values())


def test_it_runs_in_a_process_of_its_own():
    results = measure(Order(("memory",), 1, scale=0.01))
    assert not results.failures
    assert 500 < next(one for one in results.alone if one.name == "idle").median < 10_000


def test_a_measurement_that_fails_is_told_and_the_others_go_on(monkeypatch: pytest.MonkeyPatch):
    def fail(name: str, scale: float):
        raise BenchError("no more memory")

    monkeypatch.setattr(alone, "run", fail)
    results = measure(Order(("memory", "pause"), 1))
    assert results.failures == ["memory: no more memory", "pause: no more memory"]


def test_the_steps_that_are_told_are_all_there_are(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(alone, "run", lambda name, scale: dict.fromkeys((row.name for row in ALONE[name].rows), 1.0))
    told = []
    measure(Order(tuple(ALONE)), lambda what, at, of: told.append((at, of)))
    assert told == [(at + 1, len(told)) for at in range(len(told))]
    assert set(ALONE) < set(NAMES)


@pytest.mark.parametrize("version", [4, 6])
def test_a_crowd_opens_uses_and_closes_connections(version: int):
    crowd = Crowd(100, version)
    crowd.open_all()
    assert all(socket and socket.state is State.ESTABLISHED for socket in crowd.sockets)
    crowd.exchange(7, 1000)
    crowd.close(7)
    assert (len(crowd.host.tcbs), len(crowd.host.time_wait)) == (99, 1)


def test_records_made_in_a_table_are_as_large_as_those_of_real_connections():
    crowd = Crowd(2)
    crowd.open_all()
    crowd.close(0)
    (record,) = crowd.host.time_wait
    _, tcb = alone_time_wait.template(4)
    assert len(record.packed) == len(pack(tcb))
    assert alone_memory.time_wait(0.001)["record"] > len(record.packed)
