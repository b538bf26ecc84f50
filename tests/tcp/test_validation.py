"""Congestion window validation: RFC 7661, and what holds without it (RFC 5681 4.1)."""

from __future__ import annotations

import pytest

from lastack.tcp.config import MINUTE
from lastack.tcp.congestion import ALGORITHMS, Congestion
from tests.tcp.controls import MSS, RTT, a_round, alone

NAMES = pytest.mark.parametrize("name", sorted(ALGORITHMS))
SECOND = 1_000_000


def validating(name: str = "newreno", window: int = 100) -> tuple[Congestion, int]:
    """A window that was used once; the time after that."""
    control = alone(name, window, window_validation=True)
    control.ssthresh = control.cwnd
    return control, a_round(control, 0, last=True)


def quiet(control: Congestion, now: int, share: float = 0.1, rounds: int = 30) -> int:
    """So many rounds in which little of the window is used."""
    for _ in range(rounds):
        now = a_round(control, now, share=share, last=True)
    return now


@NAMES
def test_a_window_that_is_not_used_is_kept_as_it_is(name: str):  # RFC 7661 sections 4.3 and 4.4
    control, now = validating(name)
    before = control.cwnd
    now = quiet(control, now)
    assert control.cwnd == before
    control.resumes(now + 100 * SECOND, True)  # no restart window either
    assert control.cwnd == before


def test_it_grows_only_when_all_of_it_is_used():  # RFC 7661 section 4.4, section 4.5.3: cwnd-limited
    control, now = validating()
    now = quiet(control, now)
    before = control.cwnd
    control.used = before * 3 // 4  # more than half, yet nothing held the sender back
    control.acknowledged(MSS, before * 3 // 4, now)
    assert control.cwnd == before
    a_round(control, now)  # this validates it
    assert control.cwnd > before


def test_pipe_ack_is_the_largest_sample_of_its_period():  # RFC 7661 section 4.2: max(3 * RTT, 1 second)
    control, now = validating()
    assert control.validation is not None
    full = control.validation.pipe_ack(RTT, now)
    quiet(control, now, rounds=5)
    assert control.validation.pipe_ack(RTT, now + 5 * RTT) == full == 100 * MSS
    now = quiet(control, now, rounds=15)
    assert control.validation.pipe_ack(RTT, now) == pytest.approx(10 * MSS, rel=0.05)
    assert control.validation.pipe_ack(RTT, now + 2 * SECOND) == 0  # nothing was acknowledged: a sample of zero


def test_before_the_first_sample_it_is_undefined():  # RFC 7661 section 4.1
    control = alone("newreno", 100, window_validation=True)
    assert control.validation is not None
    assert control.validation.pipe_ack(RTT, 0) is None
    assert not control.validation.preserves(control.cwnd, RTT, 0)


@NAMES
def test_a_loss_then_counts_what_was_used(name: str):  # RFC 7661 section 4.4.1
    control, now = validating(name)
    now = quiet(control, now)
    control.lost(20 * MSS, now)
    assert control.ssthresh == 10 * MSS  # max(pipeACK, LossFlightSize) / 2, of a window of a hundred
    assert control.validation is not None
    control.validation.retransmitted(4 * MSS)
    control.cwnd = control.ssthresh
    control.recovered()
    assert control.cwnd == control.ssthresh == 8 * MSS  # ... - R
    assert control.validation.pipe_ack(RTT, now) is None


def test_a_loss_with_little_in_flight_counts_what_was_used_lately():  # RFC 7661 section 4.4.1
    control, now = validating()
    now = quiet(control, now)
    control.lost(2 * MSS, now)
    assert 5 * MSS <= control.ssthresh < 6 * MSS  # pipeACK / 2


def test_a_loss_in_the_validated_phase_is_as_ever():  # RFC 7661 section 4.3
    control, now = validating()
    control.lost(100 * MSS, now)
    assert control.ssthresh == 50 * MSS
    control.cwnd = control.ssthresh
    control.recovered()
    assert control.cwnd == 50 * MSS


def test_a_time_out_leaves_the_phase():  # RFC 7661 section 4.4
    control, now = validating()
    now = quiet(control, now)
    control.timed_out(20 * MSS, now, again=False)
    assert (control.cwnd, control.ssthresh) == (MSS, 10 * MSS)
    assert control.validation is not None
    assert control.validation.pipe_ack(RTT, now) is None


@pytest.mark.parametrize(("minutes", "window"), [(4, 100), (6, 50), (11, 25), (100, 10)])
def test_after_five_minutes_it_is_halved_down_to_the_initial_window(minutes: int, window: int):  # RFC 7661 4.4.3
    control, now = validating()
    control.ssthresh = 60 * MSS
    control.cwnd = 100 * MSS
    control.resumes(now + minutes * MINUTE, True)
    assert control.cwnd == window * MSS
    assert control.ssthresh == (60 if minutes < 5 else 75) * MSS


def test_without_validation_silence_leaves_the_restart_window():  # RFC 5681 section 4.1
    control = alone("newreno", 100)
    control.resumes(SECOND, False)
    assert control.cwnd == 100 * MSS
    control.resumes(SECOND, True)
    assert control.cwnd == 10 * MSS
    control.cwnd = 3 * MSS
    control.resumes(SECOND, True)
    assert control.cwnd == 3 * MSS  # RW = min(IW, cwnd)


def test_an_expired_period_never_raises_a_window():  # RFC 7661 4.4.3: "to be not greater than"
    control, now = validating()
    control.cwnd = 4 * MSS  # after losses: less than the initial window
    control.resumes(now + 6 * MINUTE, True)
    assert control.cwnd == 4 * MSS


@pytest.mark.parametrize(("share", "kept"), [(0.4, True), (0.49, True), (0.52, False)])
def test_half_of_the_window_validates_it(share: float, kept: bool):  # RFC 7661 section 4.3: pipeACK < cwnd / 2
    control, now = validating()
    now = quiet(control, now, share, rounds=15)
    assert control.validation is not None
    assert control.validation.preserves(100 * MSS, RTT, now) is kept
