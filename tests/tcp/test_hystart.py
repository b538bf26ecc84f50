"""HyStart++ by RFC 9406: the first slow start ends when round trips take longer."""

from __future__ import annotations

import pytest

from lastack.tcp.congestion import ALGORITHMS, Congestion
from lastack.tcp.congestion.hystart_at_once import HyStartAtOnce
from lastack.tcp.congestion.interface import INFINITE
from tests.tcp.controls import MSS, alone
from tests.tcp.harness import established

NAMES = pytest.mark.parametrize("name", sorted(ALGORITHMS))


def round_of(control: Congestion, rtt: int, *, samples: int = 10) -> int:
    """A whole round, with `samples` round-trip times; by how much the window grew."""
    before = flight = control.cwnd
    control.used = flight
    for number in range(samples):
        control.measured(rtt, rtt)
        size = flight // samples if number < samples - 1 else flight - (samples - 1) * (flight // samples)
        control.acknowledged(size, control.cwnd - size, 0)
        control.used = control.cwnd  # and the window is filled again
    return control.cwnd - before


def started(name: str = "newreno", rtt: int = 80_000) -> Congestion:
    control = alone(name, hystart=True, slow_start_limit=0)
    assert [round_of(control, rtt), round_of(control, rtt)] == [10 * MSS, 20 * MSS]
    return control


@NAMES
@pytest.mark.parametrize(
    ("rtt", "more"),
    [(80_000, 10_000), (8_000, 4_000), (1_000_000, 16_000)],  # an eighth, but not below 4 ms, not above 16 ms
)
def test_a_longer_round_trip_slows_the_growth_to_a_quarter(name: str, rtt: int, more: int):  # RFC 9406 section 4.2
    control = started(name, rtt)
    assert round_of(control, rtt + more - 1) == 40 * MSS
    control = started(name, rtt)
    assert 30 * MSS < round_of(control, rtt + more) < 40 * MSS  # found by the eighth sample of the round
    assert round_of(control, rtt + more) == pytest.approx(control.cwnd / 5, rel=0.01)
    assert control.ssthresh == INFINITE


def test_fewer_than_eight_samples_say_nothing():  # RFC 9406 section 4.3: N_RTT_SAMPLE
    control = started()
    assert round_of(control, 200_000, samples=8) == 40 * MSS  # the first of them ends the round before
    control = started()
    assert round_of(control, 200_000, samples=9) < 40 * MSS


@NAMES
def test_after_five_rounds_slow_start_is_over(name: str):  # RFC 9406 section 4.2: CSS_ROUNDS
    control = started(name)
    for _ in range(5):  # the round in which it begins is one of them
        round_of(control, 100_000)
    assert control.ssthresh == INFINITE
    round_of(control, 100_000)
    assert control.ssthresh <= control.cwnd < control.ssthresh + 2 * MSS
    assert control.hystart is None


def test_jitter_lets_slow_start_go_on():  # RFC 9406 section 4.2: back below the baseline
    control = started()
    round_of(control, 100_000)
    round_of(control, 80_000)
    window = control.cwnd
    assert round_of(control, 80_000) == window


def test_a_loss_ends_it_and_a_later_slow_start_has_none():  # RFC 9406 section 4.2
    control = started()
    control.timed_out(control.cwnd, 0, again=False)
    control.recovered()
    assert control.hystart is None
    round_of(control, 80_000)
    assert round_of(control, 900_000, samples=2) == 2 * MSS


def test_without_pacing_one_ack_opens_the_window_by_eight_segments():  # RFC 9406 sections 4.2 and 4.3: L
    control = alone("newreno", 50, hystart=True)
    control.used = control.cwnd
    control.acknowledged(50 * MSS, 0, 0)
    assert control.cwnd == 58 * MSS


def test_it_can_be_switched_off():
    control = alone("cubic")
    for _ in range(3):
        round_of(control, 80_000)
    before = control.cwnd
    assert round_of(control, 900_000) == before


def test_each_ack_of_a_super_segment_is_a_sample():  # RFC 9406 section 4.2; RFC 7323 section 4
    t = established(options="mss 1000,sackOK", initial_window_segments=20, unit=65_000, tail_loss_probes=False)
    t.call.send(20_000)
    assert len(t.tcb.sent) == 1
    t.pending.clear()
    for number in range(1, 9):
        t.after(10)
        t.gets(f". 1:1(0) ack {1 + 1000 * number}")
    assert t.tcb.congestion.hystart is not None
    assert (t.tcb.congestion.hystart.samples, t.tcb.congestion.rtt) == (9, 80_000)  # and the SYN
    t.pending.clear()


def test_conservative_slow_start_counts_its_rounds_anew():  # RFC 9406 section 4.2
    control = started()
    for _ in range(3):
        round_of(control, 100_000)
    for _ in range(2):
        round_of(control, 80_000)  # it was jitter
    for _ in range(4):
        round_of(control, 120_000)
    assert control.ssthresh == INFINITE
    for _ in range(2):
        round_of(control, 120_000)
    assert control.ssthresh < INFINITE


def test_a_loss_ends_it_at_once():  # RFC 9406 section 4.2: at the first congestion signal
    control = started()
    control.lost(control.cwnd, 0)
    assert control.hystart is None


# --- as it was before RFC 9406: Linux (Config.hystart_at_once) ---


def at_once(window: int = 20) -> Congestion:
    """A round trip of 200 ms is known, and ACKs of two segments each begin to arrive, the first of a round."""
    control = alone("cubic", window, hystart=True, hystart_at_once=True, slow_start_limit=0)
    control.measured(200_000, 200_000)
    return control


def acks(control: Congestion, count: int, rtt: int, every: int) -> int:
    """So many of them. The number of the one that ended slow start, or 0."""
    for number in range(count):
        control.used = control.cwnd
        control.measured(rtt, 200_000)
        control.acknowledged(2 * MSS, 38 * MSS, 1_000_000 + number * every)
        if control.ssthresh < INFINITE:
            return number + 1
    return 0


@pytest.mark.parametrize(("rtt", "ended"), [(216_000, 0), (216_001, 9), (190_000, 0)])
def test_a_longer_round_trip_ends_slow_start_at_once(rtt: int, ended: int):  # Linux hystart_update()
    control = at_once()
    assert acks(control, 12, rtt, 3_000) == ended
    if ended:
        assert control.ssthresh == 36 * MSS  # eight ACKs have raised it, the ninth does not
        assert control.hystart is None


@pytest.mark.parametrize(("every", "ended"), [(2_000, 52), (2_001, 0), (1_000, 102)])
def test_a_train_of_acks_half_as_long_as_the_path_ends_it(every: int, ended: int):  # Linux hystart_update()
    control = at_once()
    control._left = 1 << 40  # one long round
    assert isinstance(control.hystart, HyStartAtOnce)
    control.hystart.began = control.hystart.last_ack = 1_000_000
    assert acks(control, 110, 200_000, every) == ended


def test_one_short_round_trip_keeps_slow_start_going():  # Linux: the smallest of the round counts
    control = at_once()
    assert acks(control, 1, 200_000, 3_000) == acks(control, 12, 400_000, 3_000) == 0


def test_in_small_windows_it_does_not_look():
    assert acks(at_once(4), 5, 400_000, 3_000) == 0
