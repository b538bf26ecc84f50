"""Losses that were none: F-RTO (RFC 5682), Eifel detection (RFC 3522), D-SACK, and how they are undone (RFC 4015)."""

from __future__ import annotations

import pytest

from tests.tcp.harness import Exchange, established
from tests.tcp.test_sack import BOTH, MSS, full, held

STAMPS = f"mss {MSS},nop,nop,TS val 100 ecr 1000"
EACH = pytest.mark.parametrize("options", [f"mss {MSS}", BOTH], ids=["basic", "sack"])


def timed_out(options: str, segments: int = 4, **more: object) -> Exchange:
    """The timer has fired, and the first of four segments has gone again."""
    t = established(options=options, rtt=100, initial_window_segments=4, tail_loss_probes=False, **more)
    t.call.send(8 * MSS)
    t.sends(*full(*range(segments)))
    t.after(t.tcb.rto / 1000)
    t.sends(*full(0))
    return t


def window(t: Exchange) -> tuple[int, int]:
    return t.tcb.congestion.cwnd, t.tcb.congestion.ssthresh


@EACH
def test_a_spurious_time_out_is_recognised(options: str):  # RFC 5682 2.1 and 3.1 steps 2 (b) and 3 (b)
    t = timed_out(options)
    t.gets(f". 1:1(0) ack {1 + MSS}")
    t.sends(*full(4, 5))  # new data, not what seems lost
    t.gets(f". 1:1(0) ack {1 + 2 * MSS}")
    assert t.tcb.counts and t.tcb.counts["spurious time-outs"] == 1
    assert t.tcb.congestion.cwnd >= 4 * MSS and t.tcb.congestion.ssthresh > 1 << 20
    assert not any(sent.lost for sent in t.tcb.sent)
    assert t.tcb.pipe == 4 * MSS  # nothing that was marked lost goes again
    t.gets(f". 1:1(0) ack {1 + 6 * MSS}")
    t.sends(*full(6, 7, last=7))
    t.gets(f". 1:1(0) ack {1 + 8 * MSS}")
    assert t.tcb.total_retransmissions == 1


def test_a_duplicate_first_reverts():  # RFC 5682 2.1 step 2 (a)
    t = timed_out(f"mss {MSS}")
    t.gets(". 1:1(0) ack 1")
    t.gets(f". 1:1(0) ack {1 + MSS}")
    t.sends(*full(1, 2))


def test_sack_waits_through_duplicates():  # RFC 5682 3.1 step 2
    t = timed_out(BOTH)
    held(t, "2001:3001")
    t.silent()
    t.gets(f". 1:1(0) ack {1 + MSS} <nop,nop,sack 2001:3001>")
    t.sends(*full(4, 5))
    held(t, "2001:4001", ack=1 + MSS)  # news from below: sent before the time-out
    t.pending.clear()
    assert t.tcb.counts and t.tcb.counts["spurious time-outs"] == 1


@EACH
def test_an_ack_of_all_reverts(options: str):  # RFC 5682 2.1 and 3.1 step 2 (a)
    t = timed_out(options)
    t.gets(f". 1:1(0) ack {1 + 4 * MSS}")
    t.sends(*full(4, 5))
    assert not t.tcb.counts
    assert t.tcb.congestion.ssthresh <= 3 * MSS


def test_an_ack_of_a_part_reverts():  # RFC 5682 2.1 step 2 (a): not all that was sent again
    t = timed_out(f"mss {MSS}")
    t.gets(". 1:1(0) ack 501")
    t.sends(*full(1))  # the rest of the first is in flight


@EACH
def test_a_second_ack_that_is_a_duplicate_reverts(options: str):  # RFC 5682 2.1 and 3.1 step 3 (a)
    t = timed_out(options)
    t.gets(f". 1:1(0) ack {1 + MSS}")
    t.sends(*full(4, 5))
    if options == BOTH:
        held(t, f"{1 + 4 * MSS}:{1 + 5 * MSS}", ack=1 + MSS)
    else:
        t.gets(f". 1:1(0) ack {1 + MSS}")
    assert t.tcb.congestion.cwnd <= 3 * MSS
    assert t.pending and t.line(t.pending[0][1]).startswith(". 1001:2001")
    t.pending.clear()
    assert not t.tcb.counts


@EACH
def test_without_new_data_it_is_not_doubted(options: str):  # RFC 5682 2.1 step 2 (b), the recommended action
    t = established(options=options, rtt=100, initial_window_segments=4, tail_loss_probes=False)
    t.call.send(4 * MSS)
    t.sends(*full(0, 1, 2, 3, last=3))
    t.after(t.tcb.rto / 1000)
    t.sends(*full(0))
    t.gets(f". 1:1(0) ack {1 + MSS}")
    t.sends(*full(1, 2))


@EACH
def test_switched_off_it_goes_on_as_always(options: str):
    t = timed_out(options, frto=False)
    t.gets(f". 1:1(0) ack {1 + MSS}")
    t.sends(*full(1, 2))


def test_what_is_repaired_already_is_not_doubted():  # RFC 5682 2.1 step 1
    t = timed_out(f"mss {MSS}", frto=False)
    t.gets(f". 1:1(0) ack {1 + MSS}")
    t.sends(*full(1, 2))
    t.tcb.config = t.tcb.config.having(frto=True)
    assert len(t.log(2 * t.tcb.rto / 1000)) == 1
    t.gets(f". 1:1(0) ack {1 + 2 * MSS}")
    t.sends(*full(2, 3))  # nothing new


def stamped(t: Exchange, ack: int, ecr: int) -> None:
    """An ACK that echoes the timestamp `ecr`."""
    now = (t.now // 1000 + t.peer_clock) & 0xFFFFFFFF
    t.gets(f". 1:1(0) ack {ack} <nop,nop,TS val {now} ecr {ecr & 0xFFFFFFFF}>")


@pytest.mark.parametrize(("late", "spurious"), [(0, True), (1000, False)])
def test_the_echoed_timestamp_tells_the_transmission(late: int, spurious: bool):  # RFC 3522 section 3.2
    t = established(options=STAMPS, rtt=100, initial_window_segments=4, frto=False)
    t.call.send(8 * MSS)
    t.pending.clear()
    original = t.tcb.ts_offset + t.now // 1000
    assert len(t.log(t.tcb.rto / 1000)) == 1
    assert window(t)[0] == t.tcb.snd_mss
    stamped(t, 1 + t.tcb.snd_mss, original + late)
    assert bool(t.tcb.counts) == spurious
    assert (t.tcb.congestion.ssthresh > 1 << 20) == spurious  # RFC 4015 section 3.2
    t.pending.clear()


def test_a_spurious_fast_retransmission_is_undone_by_its_timestamp():  # RFC 3522 section 3.2, RFC 4015
    t = established(options=STAMPS, rtt=100, initial_window_segments=4)
    mss = t.tcb.snd_mss
    t.call.send(4 * mss)
    t.pending.clear()
    t.after(10)
    original = t.tcb.ts_offset + t.tcb.sent[0].sent_at // 1000
    for _ in range(3):
        stamped(t, 1, original)
    assert len(t.pending) == 1 and t.tcb.in_recovery
    t.pending.clear()
    stamped(t, 1 + 4 * mss, original)
    assert t.tcb.counts == {"spurious fast retransmissions": 1}
    assert window(t)[0] >= 4 * mss and window(t)[1] > 1 << 20


@pytest.mark.parametrize("undo", [True, False])
def test_a_dsack_of_all_that_went_again_undoes_it(undo: bool):  # RFC 2883 section 5, RFC 4015
    t = established(options=BOTH, rtt=100, initial_window_segments=6, undo=undo)
    t.call.send(6 * MSS)
    t.sends(*full(*range(6), last=5))
    t.after(100)
    held(t, "1001:4001")
    t.sends(*full(0))
    t.gets(f". 1:1(0) ack {1 + 6 * MSS}")
    assert window(t)[1] < 6 * MSS
    held(t, "1:1001", ack=1 + 6 * MSS)
    assert (t.tcb.counts == {"spurious fast retransmissions": 1}) == undo
    assert (window(t)[0] >= 6 * MSS) == undo


def test_a_dsack_of_a_part_undoes_nothing():  # RFC 2883 section 5
    t = established(options=BOTH, rtt=100, initial_window_segments=8)
    t.call.send(8 * MSS)
    t.pending.clear()
    t.after(100)
    held(t, "2001:6001")
    t.sends(*full(0, 1))
    t.gets(f". 1:1(0) ack {1 + 8 * MSS}")
    held(t, "1:1001", ack=1 + 8 * MSS)
    assert not t.tcb.counts
    held(t, "1001:2001", ack=1 + 8 * MSS)
    assert t.tcb.counts == {"spurious fast retransmissions": 1}


def test_after_a_spurious_time_out_the_timer_is_cautious():  # RFC 4015 section 3.3
    t = timed_out(BOTH)
    t.gets(f". 1:1(0) ack {1 + MSS}")
    t.sends(*full(4, 5))
    t.gets(f". 1:1(0) ack {1 + 2 * MSS}")
    t.gets(f". 1:1(0) ack {1 + 6 * MSS}")
    t.sends(*full(6, 7, last=7))
    t.gets(f". 1:1(0) ack {1 + 6 * MSS}")
    t.after(250)
    t.gets(f". 1:1(0) ack {1 + 8 * MSS}")
    assert t.tcb.srtt is not None and t.tcb.srtt >= 250_000 and t.tcb.rto >= 3 * t.tcb.srtt // 2
