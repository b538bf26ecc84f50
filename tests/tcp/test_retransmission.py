"""Retransmission: RFC 6298, RFC 9293 sections 3.8.1 to 3.8.3."""

from __future__ import annotations

from errno import ETIMEDOUT

import pytest

from lastack.tcp.presets import RFC9293
from lastack.tcp.states import State
from lastack.tcp.tcb import Reason
from tests.tcp.harness import established
from tests.tcp.segments import MSS, cwnd, full, sending


@pytest.mark.parametrize(("rtt", "rto"), [(10, 200), (100, 300), (1000, 3000), (60_000, 120_000)])
def test_the_first_measurement_sets_the_rto(rtt: float, rto: float):  # RFC 6298 (2.2): R + max(G, 4 * R/2), min and max
    t = established(rtt=rtt, syn_retransmissions=100, rto_initial=120_000_000)
    t.call.send(1)
    t.sends("P. 1:2(1) ack 1")
    t.after(rto)
    t.sends("P. 1:2(1) ack 1")


def test_later_measurements_are_smoothed():  # RFC 6298 (2.3): RTTVAR = 3/4 * 50 + 1/4 * 100, and so on
    t = established(rtt=100)
    t.call.send(1)
    t.sends("P. 1:2(1) ack 1")
    t.after(200)
    t.gets(". 1:1(0) ack 2")
    assert (t.tcb.rttvar, t.tcb.srtt, t.tcb.rto) == (62_500, 112_500, 362_500)


def test_an_ack_into_what_left_at_once_is_a_measurement_too():  # RFC 6298 section 3: at least one for each round trip
    t = sending(4)
    t.after(100)
    t.gets(f". 1:1(0) ack {1 + MSS}")
    assert t.tcb.srtt == 100_000 // 8


def test_the_minimum_of_the_letter_is_one_second():  # RFC 6298 (2.4)
    t = established(RFC9293, rtt=10)
    t.call.send(1)
    t.sends("P. 1:2(1) ack 1")
    t.after(1000)
    t.sends("P. 1:2(1) ack 1")


def test_the_timer_backs_off_to_its_maximum():  # RFC 6298 (2.5), (5.5), (5.6); MUST-19
    t = established(rtt=100)
    t.call.send(1)
    t.sends("P. 1:2(1) ack 1")
    times = [at for at, _ in t.log(400_000)]
    assert times == [300 * (2**n - 1) for n in range(1, 10)] + [300 * 511 + 120_000, 300 * 511 + 240_000]


def test_the_timer_starts_anew_with_each_new_acknowledgment():  # RFC 6298 (5.3), (5); RFC 6298 (5.3), (5)
    t = sending(2, rtt=100)
    t.after(100)
    t.gets(f". 1:1(0) ack {1 + MSS}")
    t.after(t.tcb.rto / 1000)
    t.sends(*full(1, last=1))


def test_the_timer_stops_when_all_is_acknowledged():  # RFC 6298 (5.2)
    t = sending(2)
    t.gets(f". 1:1(0) ack {1 + 2 * MSS}")
    assert t.connection.deadline() is None


def test_a_segment_sent_again_is_not_measured():  # Karn, MUST-18; RFC 6298 section 3, (5.1)
    t = established(rtt=100)
    t.call.send(1)
    t.sends("P. 1:2(1) ack 1")
    t.after(300)
    t.sends("P. 1:2(1) ack 1")
    t.after(1)
    t.gets(". 1:1(0) ack 2")
    assert t.tcb.srtt == 100_000
    t.call.send(1)
    t.sends("P. 2:3(1) ack 1")
    t.after(600)  # the back-off is kept until a new segment is measured
    t.sends("P. 2:3(1) ack 1")


def test_a_new_measurement_ends_the_back_off():  # RFC 6298 (5.5): "a new RTT measurement"
    t = established(rtt=100)
    t.call.send(1)
    t.sends("P. 1:2(1) ack 1")
    t.log(1000)
    t.gets(". 1:1(0) ack 2")
    t.call.send(1)
    t.sends("P. 2:3(1) ack 1")
    t.after(100)
    t.gets(". 1:1(0) ack 3")
    t.call.send(1)
    t.sends("P. 3:4(1) ack 1")
    t.after(t.tcb.rto / 1000)
    t.sends("P. 3:4(1) ack 1")
    assert t.tcb.rto < 300_000


def test_with_timestamps_a_segment_sent_again_is_measured():  # RFC 7323 section 4
    t = established(options="mss 1460,nop,nop,TS val 100 ecr 1000", rtt=100)
    t.call.send(1)
    t.sends("P. 1:2(1) ack 1")
    t.after(300)
    t.sends("P. 1:2(1) ack 1")
    t.after(50)
    t.gets(". 1:1(0) ack 2")
    assert t.tcb.srtt == 93_750


@pytest.mark.parametrize("options", ["mss 1000", "mss 1000,nop,nop,TS val 100 ecr 1000"])
def test_what_waited_behind_a_hole_is_not_measured(options: str):  # RFC 6298 section 3, RFC 7323 section 4
    t = established(options=options, rtt=100)
    t.call.send(3 * t.tcb.snd_mss)
    assert len(t.pending) == 3  # the first is lost, again and again; the others wait at the peer
    t.pending.clear()
    t.log(2_100)
    t.gets(f". 1:1(0) ack {1 + 3 * t.tcb.snd_mss}")
    assert t.tcb.srtt == 100_000 or t.tcb.ts_on
    assert t.tcb.rto < 1_000_000


def test_after_a_time_out_an_ack_opens_the_window_by_a_segment():  # RFC 3465 section 2.3
    t = sending(10, rtt=100)
    t.after(t.tcb.rto / 1000)
    t.sends(*full(0))
    t.gets(f". 1:1(0) ack {1 + 9 * MSS}")
    t.sends(*full(9, last=9))
    assert cwnd(t) == 2 * MSS


def test_the_third_retransmission_is_counted_as_a_problem():  # R1: section 3.8.3, SHLD-10; MUST-20, SHLD-9
    t = established(rtt=100)
    t.call.send(1)
    t.sends("P. 1:2(1) ack 1")
    t.log(2_099)
    assert t.tcb.counts is None
    t.log(2_500)
    assert t.tcb.counts == {"R1 reached: not acknowledged": 1}


def test_r2_gives_up_after_its_number_of_retransmissions():  # MUST-20, MUST-21
    t = established(rtt=100, r2_retransmissions=3)
    t.call.send(1)
    t.sends("P. 1:2(1) ack 1")
    assert [at for at, _ in t.log(4499)] == [300, 900, 2100]
    assert t.state is State.ESTABLISHED
    assert t.log(1) == []
    assert (t.state, t.tcb.reason, t.tcb.error) == (State.CLOSED, Reason.TIMED_OUT, ETIMEDOUT)


def test_progress_begins_the_count_anew():
    t = established(rtt=100, r2_retransmissions=3)
    for number in range(10):
        t.call.send(1)
        t.sends(f"P. {number + 1}:{number + 2}(1) ack 1")
        t.log(t.tcb.rto / 1000 * 3)
        t.gets(f". 1:1(0) ack {number + 2}")
    assert t.state is State.ESTABLISHED


def test_the_default_r2_is_at_least_100_seconds():  # SHLD-11
    t = established()
    t.call.send(1)
    t.sends("P. 1:2(1) ack 1")
    t.log(100_000)
    assert t.state is State.ESTABLISHED


def test_a_time_out_sends_the_first_segment_alone():  # RFC 6298 (5.4), RFC 5681 (3.1): the loss window
    t = sending(5, rtt=100)
    t.after(t.tcb.rto / 1000)
    t.sends(*full(0))
    assert (cwnd(t), t.tcb.congestion.ssthresh) == (MSS, 2500)
    t.gets(f". 1:1(0) ack {1 + MSS}")
    t.sends(*full(1, 2))
    t.gets(f". 1:1(0) ack {1 + 5 * MSS}")
    assert not t.tcb.sent


def test_a_second_time_out_leaves_ssthresh():  # RFC 5681 3.1: "when ... already been retransmitted"
    t = sending(8, rtt=100)
    t.after(300)
    t.sends(*full(0))
    t.after(600)
    t.sends(*full(0))
    assert t.tcb.congestion.ssthresh == 4000


def test_a_partly_acknowledged_segment_goes_again_from_there():
    t = sending(1, rtt=100)
    t.gets(". 1:1(0) ack 401")
    t.after(t.tcb.rto / 1000)
    t.sends("P. 401:1001(600) ack 1")


def test_retransmissions_are_cut_anew():  # the user's writes are joined (RFC 9293 3.8: sizes may change)
    t = established(options=f"mss {MSS}", nagle=False, rtt=100)
    for number in range(3):
        t.call.send(10)
        t.sends(f"P. {1 + 10 * number}:{11 + 10 * number}(10) ack 1")
    t.after(t.tcb.rto / 1000)
    assert sum(segment.length for _, segment in t.pending) in (10, 30)
    t.pending.clear()


def test_several_samples_in_a_round_trip_share_their_weight():  # RFC 7323 section 4.1, Appendix G
    t = established(options="mss 1000", rtt=100, initial_window_segments=10)
    for _ in range(8):
        t.call.send(1000)
        t.pending.clear()
    t.after(180)
    t.gets(". 1:1(0) ack 1001")  # ExpectedSamples = 8 / 2
    t.pending.clear()
    assert t.tcb.srtt == 100_000 + 80_000 // 8 // 4
    assert t.tcb.rttvar == 50_000 + 30_000 // 4 // 4
