"""The timers of a host: one heap, which must not keep what is gone."""

from __future__ import annotations

import random

from lastack.host.timers import Timers
from lastack.tcp.config import DEFAULT, NEVER
from lastack.tcp.tcb import Tcb

ENDS = ((b"\x0a\x00\x00\x01", 80), (b"\x0a\x00\x00\x02", 4711))


def connection(timers: Timers, at: int) -> Tcb:
    tcb = Tcb(DEFAULT, *ENDS, 1500)
    tcb.keepalive_at = at
    timers.schedule(tcb)
    return tcb


def test_those_due_come_in_order_and_once():
    timers = Timers()
    tcbs = [connection(timers, at) for at in (30, 10, 20)]
    assert (len(timers), timers.deadline()) == (3, 10)
    assert timers.due(9) is None
    assert [timers.due(25), timers.due(25), timers.due(25)] == [tcbs[1], tcbs[2], None]
    assert len(timers) == 1


def test_a_timer_that_was_put_off_is_not_due():
    timers = Timers()
    tcb = connection(timers, 10)
    tcb.keepalive_at = 50
    timers.schedule(tcb)
    assert (timers.due(20), timers.deadline(), len(timers)) == (None, 50, 1)
    tcb.keepalive_at = NEVER
    timers.schedule(tcb)
    assert (timers.deadline(), len(timers)) == (None, 0)


def test_what_is_gone_is_not_kept_behind_one_that_waits():
    timers = Timers()
    waiting = connection(timers, 10)
    for number in range(10_000):
        timers.forget(connection(timers, 7_200 + number))
    assert len(timers) == 1
    assert timers.entries < 100
    assert timers.due(10) is waiting


def test_a_timer_moved_back_and_forth_takes_one_place():
    timers = Timers()
    tcb = connection(timers, 1_000_000)
    for at in range(900_000, 0, -10):
        tcb.keepalive_at = at
        timers.schedule(tcb)
    assert (len(timers), timers.deadline()) == (1, 10)
    assert timers.entries < 100


def test_timers_run_out_in_order_while_stale_entries_are_sorted_out():
    timers, rng = Timers(), random.Random(1)
    tcbs, now = [connection(timers, 1_000 + number) for number in range(400)], 0
    for _ in range(4_000):
        now += rng.randrange(3)
        tcb = rng.choice(tcbs)
        if rng.random() < 0.3:
            timers.forget(tcb)
            tcb.keepalive_at = NEVER
        else:
            tcb.keepalive_at = now + rng.choice((1, 50, 900, 1_000))
            timers.schedule(tcb)
        armed = sorted(one.keepalive_at for one in tcbs if one.keepalive_at != NEVER)
        assert timers.deadline() == (armed[0] if armed else None)
        while (due := timers.due(now)) is not None:
            assert due.keepalive_at == armed.pop(0) <= now
            due.keepalive_at = NEVER
        assert not armed or armed[0] > now
        assert timers.entries <= 2.5 * len(timers) + 200


def test_many_that_go_at_once_are_sorted_out_bit_by_bit():
    timers = Timers()
    tcbs = [connection(timers, 7_200 + number) for number in range(2_000)]
    for tcb in tcbs[:1_950]:
        before = timers.entries
        timers.forget(tcb)
        assert before - timers.entries <= 8
    for number in range(300):
        timers.forget(connection(timers, 9_000 + number))
    assert timers.entries < 200
    assert [timers.due(10_000) for _ in range(51)] == [*tcbs[1_950:], None]


def test_timers_that_return_to_the_same_time_take_one_place_each():
    timers = Timers()
    tcbs = [connection(timers, 1_000_000) for _ in range(100)]
    for at in range(10, 600, 10):
        for tcb in tcbs:
            for tcb.keepalive_at in (at, 1_000_000):
                timers.schedule(tcb)
            assert timers.deadline() == 1_000_000
    assert timers.entries < 500
