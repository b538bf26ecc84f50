"""CUBIC by RFC 9438."""

from __future__ import annotations

import pytest

from lastack.tcp.congestion.cubic import Cubic, cube_root
from tests.tcp.controls import MSS, RTT, a_round, alone, avoiding

SECOND = 1_000_000


def test_the_cube_root_is_exact():
    for root in (0, 1, 2, 3, 99, 1000, 1290, 10**9 + 7, 10**13 - 1, 3**50):
        assert cube_root(root**3) == root == cube_root(root**3 + 3 * root**2 + 3 * root)
        assert cube_root(root**3 - 1) == max(root - 1, 0)


def test_a_loss_leaves_seven_tenths():  # RFC 9438 section 4.6; RFC 9293 MAY-18
    control = alone("cubic", 100)
    control.lost(100 * MSS, 0)
    assert control.ssthresh == 70 * MSS
    control.lost(MSS, 0)
    assert control.ssthresh == 2 * MSS  # never less than two segments


def test_the_window_is_back_at_w_max_after_k():  # RFC 9438 section 4.2: K = cbrt((W_max - cwnd_epoch) / C)
    control = avoiding("cubic", 1000)
    now = a_round(control, 0)
    k = (300 / 0.4) ** (1 / 3)  # 9.09 s
    while now < 0.5 * k * SECOND:
        now = a_round(control, now)
    half = control.cwnd  # concave: most of the way is made in the first half
    assert 950 * MSS < half < 970 * MSS
    while now < k * SECOND:
        now = a_round(control, now)
    assert 998 * MSS <= control.cwnd <= 1002 * MSS
    while now < 1.5 * k * SECOND:
        now = a_round(control, now)
    assert 1030 * MSS < control.cwnd < 1050 * MSS  # convex: as slowly beyond as it came there


def test_a_small_window_grows_as_reno_would():  # RFC 9438 section 4.3: alpha_cubic = 9/17 until cwnd_prior, then 1
    control = avoiding("cubic", 20)
    start = control.cwnd
    now = 0
    for _ in range(5):
        now = a_round(control, now)
    assert start + 5 * 9 * MSS // 17 - 2 * MSS // 5 <= control.cwnd <= start + 5 * 9 * MSS // 17 + 2 * MSS // 5
    while control.cwnd < 20 * MSS:
        now = a_round(control, now, rtt=1000)  # so short a round trip that the cubic function stands still
    before = control.cwnd
    for _ in range(5):
        now = a_round(control, now, rtt=1000)
    assert 4.5 * MSS < control.cwnd - before <= 5 * MSS


def test_a_second_loss_below_w_max_gives_room():  # RFC 9438 section 4.7: fast convergence
    control = alone("cubic", 100)
    control.lost(100 * MSS, 0)
    control.cwnd = control.ssthresh
    control.lost(70 * MSS, 0)
    control.cwnd = control.ssthresh
    control.recovered()
    assert isinstance(control, Cubic)
    a_round(control, 0)
    assert control._w_max == 70 * MSS * 17 // 20


def test_the_target_is_a_round_trip_ahead_and_half_a_window_at_most():  # RFC 9438 section 4.2
    control = avoiding("cubic", 1000)
    now = a_round(control, 0)
    control.srtt = 100 * SECOND  # the curve is far up by then
    before = control.cwnd
    control.used = control.cwnd
    control.acknowledged(control.cwnd, 0, now)
    assert control.cwnd == before * 3 // 2


def test_it_does_not_grow_by_time_in_which_the_window_was_not_used():  # RFC 9438 sections 4.2 and 5.8
    busy, lazy = avoiding("cubic", 300), avoiding("cubic", 300)
    now = a_round(busy, 0)
    assert a_round(lazy, 0) == now
    later = now
    for _ in range(100):
        later = a_round(lazy, later, share=0.1)
    assert abs(lazy.cwnd - busy.cwnd) <= MSS // 5
    lazy.used = lazy.cwnd
    a_round(busy, now)
    a_round(lazy, later)
    assert abs(lazy.cwnd - busy.cwnd) <= MSS // 5
    lazy.resumes(later + 100 * SECOND, False)  # nor by silence
    a_round(lazy, later + 100 * SECOND)
    a_round(busy, now + RTT)
    assert abs(lazy.cwnd - busy.cwnd) <= MSS


def test_after_a_time_out_the_curve_begins_anew():  # RFC 9438 section 4.8: K = 0, W_max the window of that moment
    control = avoiding("cubic", 1000)
    control.timed_out(700 * MSS, 0, again=False)
    assert (control.cwnd, control.ssthresh) == (MSS, 490 * MSS)
    control.cwnd = control.ssthresh
    now = a_round(control, 0)
    while now < 5 * SECOND:
        now = a_round(control, now)
    assert control.cwnd == pytest.approx((490 + 0.4 * 5**3) * MSS, rel=0.02)


def test_the_same_after_slow_start_ended_without_a_loss():  # RFC 9438 section 4.10
    control = alone("cubic", 100)
    control.ssthresh = control.cwnd  # as HyStart++ does
    now = 0
    while now < 10 * SECOND:
        now = a_round(control, now)
    assert control.cwnd == pytest.approx((100 + 0.4 * 10**3) * MSS, rel=0.05)


def test_a_loss_that_was_none_is_undone():  # RFC 9438 section 4.9.2
    control, other = avoiding("cubic", 300), avoiding("cubic", 300)
    now = a_round(control, 0)
    a_round(other, 0)
    before = (control.cwnd, control.ssthresh)
    control.lost(control.cwnd, now)
    control.cwnd = control.ssthresh
    control.undo()
    assert (control.cwnd, control.ssthresh) == before
    a_round(control, now)
    a_round(other, now)
    assert control.cwnd == other.cwnd  # the curve goes on where it was
    control.lost(control.cwnd, now)
    control.cwnd *= 2  # found out long afterwards
    grown = control.cwnd
    control.undo()
    assert control.cwnd == grown


def test_small_steps_are_not_lost():
    """One byte acknowledged at a time comes to what one segment at a time does."""
    one, other = avoiding("cubic", 300), avoiding("cubic", 300)
    for control, size in ((one, 10), (other, MSS)):
        for number in range(210 * MSS // size):
            control.used = control.cwnd
            control.acknowledged(size, control.cwnd - size, RTT * number * size // (210 * MSS))
    assert abs(one.cwnd - other.cwnd) < MSS // 4


@pytest.mark.parametrize("how", ["loss", "idle"])
def test_time_before_a_reduction_does_not_count(how: str):  # RFC 9438 section 4.2: t_epoch; RFC 5681 section 4.1
    control = avoiding("cubic", 300)
    now = 0
    for _ in range(200):  # far beyond K
        now = a_round(control, now)
    if how == "loss":
        control.lost(control.cwnd, now)
        control.cwnd = control.ssthresh
        control.recovered()
    else:
        control.idle()
        control.ssthresh = control.cwnd = 200 * MSS  # slow start is over again
    before = control.cwnd
    a_round(control, now)
    assert control.cwnd - before < before // 10  # the curve begins anew: no jump to where it had been


def test_each_loss_sets_reno_s_estimate_anew():  # RFC 9438 section 4.3: W_est, cwnd_prior
    control = avoiding("cubic", 40)
    now = a_round(control, 0, rtt=1000)
    control.cwnd = 20 * MSS
    control.lost(20 * MSS, now)
    control.cwnd = control.ssthresh
    control.recovered()
    now = a_round(control, now, rtt=1000)
    assert 14 * MSS < control.cwnd < 15 * MSS
    while control.cwnd < 20 * MSS:
        now = a_round(control, now, rtt=1000)
    before = control.cwnd
    for _ in range(5):
        now = a_round(control, now, rtt=1000)
    assert 4.5 * MSS < control.cwnd - before <= 5 * MSS  # as Reno from cwnd_prior on, the last one
