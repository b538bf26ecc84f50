"""Fast retransmit and fast recovery without SACK: RFC 5681 3.2 and RFC 6582."""

from __future__ import annotations

import pytest

from tests.tcp.harness import LONG, established
from tests.tcp.segments import MSS, cwnd, full, sending


def test_the_third_duplicate_ack_is_a_loss():
    t = sending(8)
    t.gets(f". 1:1(0) ack {1 + MSS}")
    for _ in range(2):
        t.gets(f". 1:1(0) ack {1 + MSS}")
        t.silent()
    t.gets(f". 1:1(0) ack {1 + MSS}")
    t.sends(*full(1))
    assert t.tcb.congestion.ssthresh == 3500  # half of the flight


@pytest.mark.parametrize(
    "other",
    [
        "P. 1:2(1) ack 1001",  # with text
        ". 1:1(0) ack 1001 win 9999",  # a window update
    ],
)
def test_what_is_no_duplicate_ack(other: str):  # RFC 5681 section 2
    t = sending(8)
    t.gets(f". 1:1(0) ack {1 + MSS}")
    for _ in range(2):
        t.gets(f". 1:1(0) ack {1 + MSS}")
    t.gets(other)
    t.pending.clear()
    assert not t.tcb.in_recovery


def test_more_duplicates_let_new_segments_out():  # RFC 5681 3.2 step 4
    t = sending(6, prr=False, limited_transmit=False, send_buffer=100_000)
    t.call.send(6 * MSS)
    t.sends(*full(6, 7, 8, 9))
    for _ in range(3):
        t.gets(". 1:1(0) ack 1")
    t.sends(*full(0))
    assert cwnd(t) == 5000 + 3 * MSS
    for _ in range(2):
        t.gets(". 1:1(0) ack 1")
        t.silent()
    t.gets(". 1:1(0) ack 1")
    t.sends(*full(10))
    t.gets(". 1:1(0) ack 1")
    t.sends(*full(11, last=11))


def test_a_partial_acknowledgment_sends_the_next_hole():  # RFC 6582 3.2 step 3
    t = sending(8)
    for _ in range(3):
        t.gets(". 1:1(0) ack 1")
    t.sends(*full(0))
    t.gets(f". 1:1(0) ack {1 + 3 * MSS}")
    t.sends(*full(3))
    assert t.tcb.in_recovery


def test_a_full_acknowledgment_ends_recovery():  # RFC 6582 3.2 step 3
    t = sending(8)
    for _ in range(3):
        t.gets(". 1:1(0) ack 1")
    t.sends(*full(0))
    t.gets(f". 1:1(0) ack {1 + 8 * MSS}")
    assert not t.tcb.in_recovery
    assert cwnd(t) <= t.tcb.congestion.ssthresh == 4000


def test_duplicates_below_recover_begin_no_second_recovery():  # RFC 6582 3.2 step 2
    t = sending(8, rtt=100)
    t.after(t.tcb.rto / 1000)
    t.sends(*full(0))
    for _ in range(5):
        t.gets(". 1:1(0) ack 1")
    t.silent()
    assert not t.tcb.in_recovery


def test_a_loss_after_a_whole_recovery_is_a_loss_again():
    t = sending(8, prr=False)
    for _ in range(3):
        t.gets(". 1:1(0) ack 1")
    t.sends(*full(0))
    t.gets(f". 1:1(0) ack {1 + 8 * MSS}")
    t.call.send(4 * MSS)
    t.sends(*full(8, 9))  # cwnd = min(ssthresh, max(FlightSize, SMSS) + SMSS)
    t.gets(f". 1:1(0) ack {1 + 9 * MSS}")
    t.sends(*full(10, 11, last=11))
    for _ in range(3):
        t.gets(f". 1:1(0) ack {1 + 9 * MSS}")
    t.sends(*full(9))


@pytest.mark.parametrize("before", [2**31, 2**31 + 2**28, 2**32])
def test_a_loss_is_found_however_much_went_without_one(before: int):  # RFC 6582 3.2 step 2; RFC 9293 3.4: modulo 2**32
    t = established(**LONG)
    t.streams(before)
    una = (1 + before) % 2**32
    first = f". {una}:{una + 1024}(1024) ack 1"
    t.call.send(2048)
    t.sends(first, f"P. {una + 1024}:{una + 2048}(1024) ack 1")
    for _ in range(3):
        t.gets(f". 1:1(0) ack {una}")
    t.sends(first)


def test_a_lost_fin_is_found_by_duplicates_too():
    t = sending(5)
    t.call.close()
    t.sends(f"F. {1 + 5 * MSS}:{1 + 5 * MSS}(0) ack 1")
    for _ in range(3):
        t.gets(". 1:1(0) ack 1")
    t.sends(*full(0))
    t.gets(f". 1:1(0) ack {1 + 5 * MSS}")
    t.sends(f"F. {1 + 5 * MSS}:{1 + 5 * MSS}(0) ack 1")


@pytest.mark.parametrize(("advance", "lost"), [(1, True), (5, False)])
def test_what_went_again_after_a_time_out_may_itself_be_lost(advance: int, lost: bool):  # RFC 6582 section 4.1
    t = sending(8, rtt=100, frto=False)
    t.after(t.tcb.rto / 1000)
    t.sends(*full(0))
    t.gets(f". 1:1(0) ack {1 + advance * MSS}")
    t.pending.clear()
    for _ in range(3):
        t.gets(f". 1:1(0) ack {1 + advance * MSS}")
    assert t.tcb.in_recovery == lost
    t.pending.clear()
