"""The timers of a host: one heap, which must not keep what is gone."""

from __future__ import annotations

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
