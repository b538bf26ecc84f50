"""Retransmission and congestion: RFC 6298, RFC 5681, RFC 6582, RFC 9293 section 3.8.1 to 3.8.3."""

from __future__ import annotations

from errno import ETIMEDOUT

import pytest

from lastack.tcp.config import RFC9293
from lastack.tcp.states import State
from lastack.tcp.tcb import Reason
from tests.tcp.harness import LONG, Exchange, established

MSS = 1000


def sending(segments: int, **more: object) -> Exchange:
    """Established without a round trip, `segments` full segments under way."""
    t = established(options=f"mss {MSS}", **more)  # type: ignore[arg-type]
    t.call.send(segments * MSS)
    t.sends(
        *(
            f"{'P' if n == segments - 1 else ''}. {1 + n * MSS}:{1 + (n + 1) * MSS}({MSS}) ack 1"
            for n in range(segments)
        )
    )
    return t


def full(*numbers: int, last: int = -1) -> list[str]:
    """The lines of the full segments with these numbers (from 0)."""
    return [f"{'P' if n == last else ''}. {1 + n * MSS}:{1 + (n + 1) * MSS}({MSS}) ack 1" for n in numbers]


def cwnd(t: Exchange) -> int:
    return t.tcb.congestion.cwnd


@pytest.mark.parametrize(("rtt", "rto"), [(10, 200), (100, 300), (1000, 3000), (60_000, 120_000)])
def test_the_first_measurement_sets_the_rto(rtt: float, rto: float):  # (2.2): R + max(G, 4 * R/2), min and max
    t = established(rtt=rtt, syn_retransmissions=100, rto_initial=120_000_000)
    t.call.send(1)
    t.sends("P. 1:2(1) ack 1")
    t.after(rto)
    t.sends("P. 1:2(1) ack 1")


def test_later_measurements_are_smoothed():  # (2.3): RTTVAR = 3/4 * 50 + 1/4 * 100, SRTT = 7/8 * 100 + 1/8 * 200
    t = established(rtt=100)
    t.call.send(1)
    t.sends("P. 1:2(1) ack 1")
    t.after(200)
    t.gets(". 1:1(0) ack 2")
    assert (t.tcb.rttvar, t.tcb.srtt, t.tcb.rto) == (62_500, 112_500, 362_500)


def test_the_minimum_of_the_letter_is_one_second():  # (2.4)
    t = established(RFC9293, rtt=10)
    t.call.send(1)
    t.sends("P. 1:2(1) ack 1")
    t.after(1000)
    t.sends("P. 1:2(1) ack 1")


def test_the_timer_backs_off_to_its_maximum():  # (5.5), (2.5)
    t = established(rtt=100)
    t.call.send(1)
    t.sends("P. 1:2(1) ack 1")
    times = [at for at, _ in t.log(400_000)]
    assert times == [300 * (2**n - 1) for n in range(1, 10)] + [300 * 511 + 120_000, 300 * 511 + 240_000]


def test_the_timer_starts_anew_with_each_new_acknowledgment():  # (5.3)
    t = sending(2, rtt=100)
    t.after(100)
    t.gets(f". 1:1(0) ack {1 + MSS}")
    t.after(t.tcb.rto / 1000)
    t.sends(*full(1, last=1))


def test_the_timer_stops_when_all_is_acknowledged():  # (5.2)
    t = sending(2)
    t.gets(f". 1:1(0) ack {1 + 2 * MSS}")
    assert t.connection.deadline() is None


def test_a_segment_sent_again_is_not_measured():  # Karn, MUST-18
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


def test_a_new_measurement_ends_the_back_off():  # (5.7): "a new RTT measurement"
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


def test_retransmissions_are_cut_anew():  # the user's writes are joined (MAY-7's spirit: sizes may change)
    t = established(options=f"mss {MSS}", nagle=False, rtt=100)
    for number in range(3):
        t.call.send(10)
        t.sends(f"P. {1 + 10 * number}:{11 + 10 * number}(10) ack 1")
    t.after(t.tcb.rto / 1000)
    assert sum(segment.length for _, segment in t.pending) in (10, 30)
    t.pending.clear()


# --- slow start and congestion avoidance, RFC 5681 3.1 ---


@pytest.mark.parametrize(("mss", "segments"), [(1460, 10), (1000, 10), (536, 10), (9000, 2)])
def test_the_initial_window_is_ten_segments(mss: int, segments: int):  # RFC 6928 section 2
    t = established(options=f"mss {mss}", mtu=9100, window=65535)
    t.call.send(60_000)
    assert len(t.pending) == segments
    t.pending.clear()


def test_slow_start_grows_by_what_is_acknowledged():
    t = established(options=f"mss {MSS}", initial_window_segments=2)
    t.call.send(50 * MSS)
    t.sends(*full(0, 1))
    t.gets(f". 1:1(0) ack {1 + 2 * MSS}")
    t.sends(*full(2, 3, 4, 5))
    t.gets(f". 1:1(0) ack {1 + 6 * MSS}")
    t.sends(*full(6, 7, 8, 9, 10, 11, 12, 13))


def test_congestion_avoidance_grows_by_one_segment_a_window():  # RFC 5681 equation (2), counted in bytes
    t = established(options=f"mss {MSS}", initial_window_segments=4)
    t.tcb.congestion.ssthresh = 4 * MSS
    t.call.send(50 * MSS)
    t.sends(*full(0, 1, 2, 3))
    t.gets(f". 1:1(0) ack {1 + 4 * MSS}")
    t.sends(*full(4, 5, 6, 7, 8))
    t.gets(f". 1:1(0) ack {1 + 9 * MSS}")
    t.sends(*full(9, 10, 11, 12, 13, 14))


def test_acks_of_single_bytes_do_not_grow_it_by_segments():  # RFC 3465: ACK division gains nothing
    t = established(options=f"mss {MSS}", initial_window_segments=2)
    t.call.send(50 * MSS)
    t.sends(*full(0, 1))
    for ack in range(2, 12):
        t.gets(f". 1:1(0) ack {ack}")
        t.pending.clear()
    assert cwnd(t) == 2 * MSS + 10


def test_a_window_that_is_not_used_does_not_grow():  # RFC 7661
    t = established(options=f"mss {MSS}")
    before = cwnd(t)
    for number in range(30):
        t.call.send(100)
        t.sends(f"P. {1 + 100 * number}:{101 + 100 * number}(100) ack 1")
        t.gets(f". 1:1(0) ack {101 + 100 * number}")
    assert cwnd(t) == before


def test_after_an_idle_time_the_restart_window_holds():  # RFC 5681 4.1
    t = established(options=f"mss {MSS}", initial_window_segments=2, rtt=100)
    sent = 0
    for _ in range(4):
        t.call.send(30 * MSS)
        sent += sum(segment.length for _, segment in t.pending)
        t.pending.clear()
        t.gets(f". 1:1(0) ack {1 + sent}")
        sent += sum(segment.length for _, segment in t.pending)
        t.pending.clear()
    t.call.send(0)
    while t.tcb.sent:
        t.gets(f". 1:1(0) ack {1 + sent}")
        sent += sum(segment.length for _, segment in t.pending)
        t.pending.clear()
    assert cwnd(t) > 4 * MSS
    t.after(t.tcb.rto / 1000 + 1)
    t.call.send(50 * MSS)
    assert len(t.pending) == 2
    t.pending.clear()


# --- fast retransmit and fast recovery, RFC 5681 3.2 and RFC 6582 ---


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
    t = sending(6, send_buffer=100_000)
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
    t = sending(8)
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
