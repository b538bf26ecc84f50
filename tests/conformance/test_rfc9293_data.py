"""RFC 9293 sections 3.8 and 3.9.1.2 where no other test shows them: PSH, urgent data, windows."""

from __future__ import annotations

import pytest

from lastack.tcp.states import State
from lastack.wire.segment import PSH
from tests.tcp.harness import established, reach


def test_many_small_sends_are_gathered_into_full_segments_with_one_push():  # SHLD-27, SHLD-28, MUST-61, MAY-16
    t = established(options="mss 1000")
    t.call.send(1)
    t.sends("P. 1:2(1) ack 1")
    for _ in range(250):
        t.call.send(10)
        t.pending.clear()
    t.gets(f". 1:1(0) ack {t.tcb.snd_nxt - t.iss & 0xFFFFFFFF}")
    (last,) = [segment for _, segment in t.pending]
    assert (last.length, last.flags & PSH) == (500, PSH)
    t.pending.clear()


@pytest.mark.parametrize("size", [1, 10, 999, 1000, 1001, 2500])
def test_what_is_sent_leaves_without_a_push_and_within_its_time(size: int):  # MUST-60
    t = established(options="mss 1000", window=400)
    t.call.send(size)
    for _ in range(40):
        end = t.tcb.snd_nxt - t.iss & 0xFFFFFFFF
        t.pending.clear()
        if end == size + 1:
            return
        t.gets(f". 1:1(0) ack {end} win 150")
        t.pending.clear()
        t.log(200)
    raise AssertionError("something is held back for ever")


def test_urgent_data_may_be_longer_than_its_pointer_reaches():  # MUST-30, MUST-31
    t = established(options="mss 1000", initial_window_segments=100, unit=0)
    t.call.send(70_000, urgent=True)
    told = [(segment.seq - t.iss - 1 & 0xFFFFFFFF, segment.urgent) for _, segment in t.pending]
    t.pending.clear()
    assert told == [(at, min(70_000 - at, 65_535)) for at in range(0, 1000 * len(told), 1000)]
    assert told[0] == (0, 65_535) and told[-1][0] + told[-1][1] == 70_000


def test_a_window_may_be_kept_closed_for_ever():  # MAY-8, MUST-39
    t = established(receive_buffer=1000)
    t.gets("P. 1:1001(1000) ack 1")
    t.sends(". 1:1(0) ack 1001 win 0")
    for _ in range(100):
        t.after(60_000)
        t.gets(". 1001:1002(1) ack 1")
        t.sends(". 1:1(0) ack 1001 win 0")
    assert t.state is State.ESTABLISHED


def test_a_window_that_shrank_to_nothing_times_nothing_out_that_is_answered():  # SHLD-17, MUST-37
    t = established(options="mss 1000", window=4000, rtt=100, r2_retransmissions=3)
    t.call.send(4000)
    t.pending.clear()
    t.gets(". 1:1(0) ack 1001 win 0")
    for _ in range(40):
        t.log((t.connection.deadline() or 0) / 1000 - t.now / 1000)
        t.gets(". 1:1(0) ack 1001 win 0")
    assert t.state is State.ESTABLISHED


def test_a_reset_of_a_connection_with_a_closed_window_is_taken():  # MUST-66
    t = established(receive_buffer=1000)
    t.gets("P. 1:1001(1000) ack 1")
    t.sends(". 1:1(0) ack 1001 win 0")
    t.gets("R 1001:1001(0)")
    assert t.state is State.CLOSED


def test_a_reset_in_syn_received_goes_back_to_where_it_came_from():  # MUST-11
    passive = reach(State.SYN_RCVD)
    passive.gets("R 1:1(0)")
    assert passive.state is State.LISTEN
    active = reach(State.SYN_SENT)
    active.gets("S 0:0(0) <mss 1460>")
    active.sends("S. 0:0(0) ack 1")
    active.gets("R 1:1(0)")
    assert active.state is State.CLOSED
