"""Congestion control as a connection uses it: RFC 5681 3.1 and 4.1, RFC 3465, RFC 6928, and algorithms of one's own."""

from __future__ import annotations

from typing import Any

import pytest

from lastack.tcp.congestion import ALGORITHMS, Congestion, initial_window, register, switch
from lastack.tcp.congestion.interface import INFINITE
from lastack.tcp.presets import RFC9293
from tests.tcp.controls import a_round, alone, avoiding
from tests.tcp.harness import established, opening
from tests.tcp.segments import MSS, cwnd, full

RENO = {"congestion": "newreno", "hystart": False, "slow_start_limit": 0}
NAMES = pytest.mark.parametrize("name", sorted(ALGORITHMS))

# --- the initial window ---


@pytest.mark.parametrize(("mss", "segments"), [(1460, 10), (1000, 10), (536, 10), (9000, 2)])
def test_the_initial_window_is_ten_segments(mss: int, segments: int):  # RFC 6928 section 2
    t = established(options=f"mss {mss}", mtu=9100, window=65535)
    t.call.send(60_000)
    assert len(t.pending) == segments
    t.pending.clear()


@pytest.mark.parametrize(("mss", "segments"), [(536, 4), (1095, 4), (1096, 3), (1460, 3), (2190, 3), (2191, 2)])
def test_the_initial_window_of_the_standard(mss: int, segments: int):  # RFC 5681 section 3.1
    assert initial_window(mss, 4) == segments * mss
    assert initial_window(mss, 4) <= max(2 * mss, 6570)  # RFC 3390 with the larger middle of RFC 5681
    assert initial_window(mss, 1) == mss


@NAMES
def test_a_lost_syn_leaves_one_segment(name: str):  # RFC 5681 section 3.1: MUST
    t = established(options=f"mss {MSS}", congestion=name)
    assert cwnd(t) == 10 * MSS
    t = opening(congestion=name)
    t.after(1000)
    t.sends("S 0:0(0)")
    t.gets(f"S. 0:0(0) ack 1 win 65535 <mss {MSS}>")
    t.sends(". 1:1(0) ack 1")
    assert (cwnd(t), t.tcb.congestion.ssthresh) == (MSS, INFINITE)  # arbitrarily high


@NAMES
def test_smaller_segments_are_no_more_of_them(name: str):  # RFC 5681 section 3.1: by the ratio of the sizes
    control = alone(name, 10)
    control.resized(MSS // 2)
    assert (control.cwnd, control.mss, control.initial) == (10 * MSS // 2, MSS // 2, 10 * MSS // 2)
    control.cwnd = control.mss
    control.resized(MSS)
    assert control.cwnd == MSS


@NAMES
def test_smaller_segments_do_not_come_back_as_more_of_them(name: str):  # RFC 5681 section 3.1, RFC 8201 section 5.4
    control = avoiding(name, 100)
    now = a_round(control, 0)
    before = control.cwnd
    control.resized(MSS // 2)
    a_round(control, now)
    assert before // 2 <= control.cwnd <= before // 2 + 2 * MSS


# --- slow start and congestion avoidance, RFC 5681 3.1 ---


def test_slow_start_grows_by_what_is_acknowledged():  # RFC 9293 MUST-19, RFC 3465
    t = established(options=f"mss {MSS}", initial_window_segments=2, slow_start_limit=0)
    t.call.send(50 * MSS)
    t.sends(*full(0, 1))
    t.gets(f". 1:1(0) ack {1 + 2 * MSS}")
    t.sends(*full(2, 3, 4, 5))
    t.gets(f". 1:1(0) ack {1 + 6 * MSS}")
    t.sends(*full(6, 7, 8, 9, 10, 11, 12, 13))


@pytest.mark.parametrize(("limit", "grown"), [(1, 1), (2, 2), (8, 6)])
def test_one_ack_opens_the_window_by_so_many_segments(limit: int, grown: int):  # RFC 5681 equation (2), RFC 3465 2.2
    control = alone("newreno", slow_start_limit=limit)
    control.used = control.cwnd
    control.acknowledged(6 * MSS, 4 * MSS, 0)
    assert control.cwnd == (10 + grown) * MSS


def test_the_standard_s_letter_is_one_segment():  # RFC 5681 equation (2)
    assert (RFC9293.slow_start_limit, RFC9293.congestion, RFC9293.hystart) == (1, "newreno", False)


def test_congestion_avoidance_grows_by_one_segment_a_window():  # RFC 5681 equation (3), RFC 9293 MUST-19
    t = established(options=f"mss {MSS}", initial_window_segments=4, **RENO)
    t.tcb.congestion.ssthresh = t.tcb.congestion.cwnd = 4 * MSS
    t.call.send(50 * MSS)
    t.sends(*full(0, 1, 2, 3))
    t.gets(f". 1:1(0) ack {1 + 4 * MSS}")
    t.sends(*full(4, 5, 6, 7, 8))
    t.gets(f". 1:1(0) ack {1 + 9 * MSS}")
    t.sends(*full(9, 10, 11, 12, 13, 14))


def test_it_never_grows_by_more_than_a_segment_a_round_trip():  # RFC 5681 section 3.1: MUST NOT
    control, now = avoiding("newreno", 40), 0
    for _ in range(50):
        before = control.cwnd
        now = a_round(control, now, each=2)
        assert control.cwnd - before <= MSS


@NAMES
def test_what_crosses_ssthresh_is_avoidance_s(name: str):  # RFC 5681 3.1: slow start is used when cwnd < ssthresh
    control = alone(name, 10, slow_start_limit=0)
    control.ssthresh = 12 * MSS
    control.used = control.cwnd
    control.acknowledged(10 * MSS, 0, 0)
    assert 12 * MSS <= control.cwnd <= 13 * MSS


@NAMES
def test_a_time_out_leaves_one_segment(name: str):  # RFC 5681 3.1 (LW), RFC 5681 equation (4)
    control = alone(name, 20)
    control.timed_out(20 * MSS, 0, again=False)
    assert control.cwnd == MSS
    first = control.ssthresh
    assert first == (10 if name == "newreno" else 14) * MSS
    control.timed_out(MSS, 0, again=True)
    assert (control.cwnd, control.ssthresh) == (MSS, first)  # held constant


def test_a_window_that_is_not_used_does_not_grow():  # RFC 7661 section 4.4
    t = established(options=f"mss {MSS}")
    before = cwnd(t)
    for number in range(30):
        t.call.send(100)
        t.sends(f"P. {1 + 100 * number}:{101 + 100 * number}(100) ack 1")
        t.gets(f". 1:1(0) ack {101 + 100 * number}")
    assert cwnd(t) == before


@pytest.mark.parametrize(("segments", "grown"), [(5, 10), (6, 12), (9, 18), (10, 20)])
def test_slow_start_doubles_what_was_used(segments: int, grown: int):  # RFC 7661 section 4.4; Linux
    t = established(options=f"mss {MSS}", hystart=False)
    t.call.send(segments * MSS)
    t.pending.clear()
    for number in range(2, segments + 2, 2):
        t.gets(f". 1:1(0) ack {1 + min(number, segments) * MSS}")
    assert cwnd(t) == grown * MSS


@NAMES
def test_in_congestion_avoidance_all_of_it_must_be_used(name: str):  # RFC 9438 5.8
    for used, grows in ((18, False), (19, True), (20, True)):
        control = alone(name, 20)
        control.ssthresh = control.cwnd
        control.used = used * MSS + 1
        for _ in range(30):
            control.acknowledged(MSS, used * MSS - MSS, 10_000_000)
            control.used = used * MSS + 1
        assert (control.cwnd > 20 * MSS) == grows


def test_what_duplicate_acks_told_of_opens_nothing():  # as Linux; a burst would answer the ACK that fills the hole
    for options, blocks in ((f"mss {MSS}", ()), (f"mss {MSS},sackOK,nop,nop", ("1001:2001", "1001:3001"))):
        t = established(options=options, hystart=False, rtt=100)
        t.call.send(10 * MSS)
        t.pending.clear()
        t.after(100)
        for number in range(2):
            t.gets(". 1:1(0) ack 1" + (f" <nop,nop,sack {blocks[number]}>" if blocks else ""))
        t.gets(f". 1:1(0) ack {1 + 3 * MSS}")  # the first was late
        assert cwnd(t) == 11 * MSS
        t.pending.clear()


@pytest.mark.parametrize(("on", "left"), [(False, 2), (True, 5)])
def test_a_loss_leaves_half_of_what_is_in_flight_or_of_the_window(on: bool, left: int):  # RFC 5681 (4); Linux
    t = established(options=f"mss {MSS}", congestion="newreno", reduce_from_cwnd=on)
    t.call.send(MSS)
    t.pending.clear()
    t.log(300)
    assert t.tcb.congestion.ssthresh == left * MSS


@pytest.mark.parametrize(("on", "left"), [(True, 2500), (False, 5000)])
def test_a_time_out_in_recovery_reduces_again_or_not(on: bool, left: int):  # RFC 5681 4.3; Linux: once an episode
    t = established(options=f"mss {MSS}", congestion="newreno", reduce_again=on)
    t.call.send(10 * MSS)
    for ack in (0, 0, 0, 4):
        t.pending.clear()
        t.gets(f". 1:1(0) ack {1 + ack * MSS}")
    assert t.tcb.in_recovery and t.tcb.congestion.ssthresh == 5 * MSS
    t.pending.clear()
    t.log(300)
    assert (t.tcb.in_recovery, cwnd(t), t.tcb.congestion.ssthresh) == (False, MSS, left)


# --- receivers that lie: RFC 3465, RFC 5681 section 5 ---


def test_acks_of_single_bytes_do_not_grow_it_by_segments():  # RFC 3465: ACK division gains nothing
    t = established(options=f"mss {MSS}", initial_window_segments=2)
    t.call.send(50 * MSS)
    t.sends(*full(0, 1))
    for ack in range(2, 12):
        t.gets(f". 1:1(0) ack {ack}")
        t.pending.clear()
    assert cwnd(t) == 2 * MSS + 10


@NAMES
@pytest.mark.parametrize("slow", [True, False])
@pytest.mark.parametrize("pieces", [3, 100])
def test_who_splits_its_acks_gains_nothing(name: str, slow: bool, pieces: int):  # RFC 5681 section 5, RFC 3465
    def after(split: int) -> int:
        control = alone(name, 40, slow_start_limit=0) if slow else avoiding(name, 60)
        for _ in range(40):
            for part in range(split):
                control.used = control.cwnd
                size = MSS * (part + 1) // split - MSS * part // split
                control.acknowledged(size, control.cwnd - size, 1_000_000)
        return control.cwnd

    assert abs(after(pieces) - after(1)) <= MSS // 50
    assert after(1) <= 81 * MSS


@NAMES
def test_an_ack_of_what_was_never_sent_is_worth_nothing(name: str):  # RFC 5961 section 5: optimistic ACKs
    t = established(options=f"mss {MSS}", initial_window_segments=2, congestion=name)
    t.call.send(2 * MSS)
    t.sends(*full(0, 1, last=1))
    t.gets(f". 1:1(0) ack {2 + 2 * MSS}")
    t.sends(f". {1 + 2 * MSS}:{1 + 2 * MSS}(0) ack 1")
    assert (cwnd(t), len(t.tcb.sent) > 0) == (2 * MSS, True)


# --- idle connections, RFC 5681 section 4.1 ---


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


# --- algorithms of one's own ---


class Cautious(Congestion):
    """One segment a window from the beginning on; a loss costs all but two."""

    __slots__ = ("credit",)

    def __init__(self, *given: Any) -> None:
        super().__init__(*given)
        self.credit = 0

    def acked(self, size: int, now: int) -> None:
        self.credit += size
        if self.credit >= self.cwnd:
            self.credit -= self.cwnd
            self.cwnd += self.mss

    def reduce(self, flight: int, now: int) -> None:
        self.ssthresh = 2 * self.mss


def test_an_algorithm_of_one_s_own(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("lastack.tcp.congestion.ALGORITHMS", dict(ALGORITHMS))
    register("cautious", Cautious)
    register("cautious", Cautious)  # again is not twice
    with pytest.raises(ValueError, match="cubic already"):
        register("cubic", Cautious)
    t = established(
        options=f"mss {MSS}", congestion="cautious", prr=False, limited_transmit=False, initial_window_segments=4
    )
    t.call.send(60 * MSS)
    t.sends(*full(0, 1, 2, 3))
    t.gets(f". 1:1(0) ack {1 + 4 * MSS}")
    t.sends(*full(4, 5, 6, 7, 8))
    for _ in range(3):
        t.gets(f". 1:1(0) ack {1 + 4 * MSS}")
    t.sends(*full(4))
    assert (cwnd(t), t.tcb.congestion.ssthresh) == (5 * MSS, 2 * MSS)  # fast recovery: three have left the network
    t.tcb.congestion.undo()  # and what undoes a loss knows nothing of the algorithm
    assert (cwnd(t), t.tcb.congestion.ssthresh) == (5 * MSS, INFINITE)


@NAMES
def test_another_algorithm_takes_over(name: str):
    old = avoiding(name, 40)
    for other in ALGORITHMS:
        new = switch(old, other, RFC9293)
        assert type(new) is ALGORITHMS[other]
        assert (new.cwnd, new.ssthresh, new.srtt, new.mss) == (old.cwnd, old.ssthresh, old.srtt, old.mss)
        a_round(new, 0)
        assert old.cwnd < new.cwnd <= old.cwnd + MSS


@pytest.mark.parametrize(("name", "other"), [("newreno", "cubic"), ("cubic", "newreno"), ("cubic", "cubic")])
def test_a_loss_before_another_algorithm_took_over_is_undone(name: str, other: str):  # RFC 4015 section 3.2
    old = avoiding(name, 40)
    before = (old.cwnd, old.ssthresh)
    old.timed_out(old.cwnd, 0, again=False)
    new = switch(old, other, RFC9293)
    new.undo()
    assert (type(new), new.cwnd, new.ssthresh) == (ALGORITHMS[other], *before)
    a_round(new, 0)


class Careless(Cautious):
    """Without `__slots__`, and with an attribute that begins later."""

    __slots__ = "later"  # type: ignore[assignment]

    def reduce(self, flight: int, now: int) -> None:
        super().reduce(flight, now)
        self.losses = getattr(self, "losses", 0) + 1


class Slotless(Careless):
    """Without any."""


@pytest.mark.parametrize("kind", [Cautious, Careless, Slotless])
def test_whatever_an_algorithm_keeps_is_copied_and_undone(kind: type[Cautious], monkeypatch: pytest.MonkeyPatch):
    if kind is Careless:
        monkeypatch.setattr(kind, "reduce", Cautious.reduce)
    control = kind(MSS, 10 * MSS, RFC9293)
    control.credit = 7
    control.lost(10 * MSS, 0)
    control.cwnd, control.credit = control.ssthresh, 0
    twin = control.copy()
    assert getattr(twin, "losses", 1) == 1
    control.undo()
    assert (control.cwnd, control.credit, twin.credit) == (10 * MSS, 7, 0)
    assert not getattr(control, "losses", 0)


@NAMES
def test_a_loss_that_was_none_is_undone(name: str):  # RFC 4015 section 3.2
    control = avoiding(name, 40)
    before = (control.cwnd, control.ssthresh)
    control.timed_out(control.cwnd, 0, again=False)
    control.timed_out(control.cwnd, 0, again=True)
    control.undo()
    assert (control.cwnd, control.ssthresh) == before
    control.undo()  # once
    assert (control.cwnd, control.ssthresh) == before


@NAMES
def test_what_is_undone_is_not_less_than_a_segment_of_today(name: str):  # RFC 4015 section 3.2, RFC 5681 section 3.1
    control = alone(name, 1)
    control.remember()
    control.timed_out(control.cwnd, 0, False)
    control.cwnd //= 2
    larger = control.mss + 26
    control.resized(larger)  # a probe has found that the path takes more
    control.cwnd = larger - 20
    control.undo()
    assert control.cwnd >= larger
