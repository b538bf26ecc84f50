"""Loss recovery where no other test shows the rule: RFC 2018, 2883, 3042, 5681, 5682, 6582, 6675, 6937, 8985."""

from __future__ import annotations

from tests.tcp.harness import Exchange, established
from tests.tcp.segments import MSS, cwnd, full, sending

ACK = ". 1:1(0) ack"


def holding(segments: int, **more: object) -> Exchange:
    """Full segments under way where SACK is agreed, after a round trip of 100 ms."""
    more = {"congestion": "newreno", "rtt": 100, **more}
    t = established(options=f"mss {MSS},sackOK,nop,nop", **more)  # type: ignore[arg-type]
    t.call.send(segments * MSS)
    t.sends(*full(*range(segments), last=segments - 1))
    return t


def held(t: Exchange, *numbers: int, ack: int = 0) -> None:
    """The peer acknowledges up to segment `ack`, and says that it holds the segments `numbers`, each a block."""
    blocks = " ".join(f"{1 + n * MSS}:{1 + (n + 1) * MSS}" for n in numbers)
    t.gets(f"{ACK} {1 + ack * MSS} <nop,nop,sack {blocks}>")


# --- without SACK ---


def test_each_step_of_fast_recovery():
    """RFC 5681 3.2 step 2, RFC 5681 3.2 step 3, RFC 5681 3.2 step 6, RFC 5681 equation (4), RFC 6582 3.2 step 2."""
    t = sending(8, tail_loss_probes=False)
    for _ in range(2):
        t.gets(f"{ACK} 1")
        t.silent()
    t.gets(f"{ACK} 1")
    t.sends(*full(0))
    assert (t.tcb.congestion.ssthresh, t.tcb.in_recovery) == (4 * MSS, True)
    t.gets(f"{ACK} {1 + 8 * MSS}")
    assert not t.tcb.in_recovery
    assert cwnd(t) <= 4 * MSS


def test_limited_transmit():  # RFC 3042 section 2, RFC 5681 3.2 step 1
    t = sending(10)
    t.call.send(5 * MSS)
    t.silent()
    t.gets(f"{ACK} 1")
    t.sends(*full(10))
    t.gets(f"{ACK} 1")
    t.sends(*full(11))
    t.gets(f"{ACK} 1")
    t.sends(*full(0))


def test_further_duplicates_let_new_data_out():  # RFC 5681 3.2 step 4, RFC 5681 3.2 step 5
    t = sending(10)
    t.call.send(20 * MSS)
    for _ in range(12):
        t.gets(f"{ACK} 1")
        t.pending.clear()
    assert t.tcb.snd_nxt - t.iss - 1 & 0xFFFFFFFF > 12 * MSS


def test_the_first_loss_of_all_is_a_loss():  # RFC 6582 3.2 step 1: `recover` is the initial sequence number
    t = sending(4)
    assert t.tcb.recover == t.iss
    for _ in range(3):
        t.gets(f"{ACK} 1")
    t.sends(*full(0))


def test_after_a_time_out_recover_is_the_highest_number_sent():  # RFC 6582 3.2 step 4
    t = sending(8, rtt=100, frto=False)
    t.after(t.tcb.rto / 1000)
    t.sends(*full(0))
    assert (t.tcb.recover - t.iss & 0xFFFFFFFF) - 8 * MSS in (0, 1)
    assert not t.tcb.in_recovery
    for _ in range(4):
        t.gets(f"{ACK} 1")
    t.silent()


def test_congestion_avoidance_is_a_segment_a_round_trip():  # RFC 5681 equation (3)
    t = established(options=f"mss {MSS}", congestion="newreno", initial_window_segments=10)
    t.tcb.congestion.ssthresh = t.tcb.congestion.cwnd = 10 * MSS
    t.call.send(200 * MSS)
    t.pending.clear()
    for turn in range(5):
        end = t.tcb.snd_nxt - t.iss & 0xFFFFFFFF
        t.gets(f"{ACK} {end}")
        t.pending.clear()
        assert cwnd(t) == (11 + turn) * MSS


# --- SACK ---


def test_a_block_has_the_edges_of_what_is_held():  # RFC 2018 section 3
    t = established(options="mss 1000,sackOK,nop,nop")
    t.gets("P. 11:21(10) ack 1", "P. 21:31(10) ack 1")
    assert "sack 11:31" in t.line(t.pending[-1][1])
    t.pending.clear()


def test_what_is_held_is_not_sent_again():  # RFC 2018 section 5, RFC 6675 section 4, RFC 8985 6.2 step 5
    t = holding(8)
    t.after(100)
    held(t, 1, 3, 5)
    sent = [segment.seq - t.iss - 1 & 0xFFFFFFFF for _, segment in t.pending]
    t.pending.clear()
    sent += [int(line.split(" ")[1].split(":")[0]) - 1 for _, line in t.log(90)]
    assert set(sent) == {0, 2 * MSS}
    assert (t.tcb.sacked, t.tcb.pipe) == (3 * MSS, 4 * MSS)  # 4 is lost and has not gone again yet


def test_a_time_out_forgets_what_was_held():  # RFC 2018 5.1, RFC 2018 section 8, RFC 6675 5.1
    t = holding(4)
    t.after(100)
    held(t, 1)
    t.pending.clear()
    t.log(20_000)
    assert t.tcb.sacked == 0
    assert not t.tcb.in_recovery
    t.gets(f"{ACK} {1 + 4 * MSS}")
    assert not t.tcb.sent


def test_in_recovery_what_is_sent_follows_what_is_delivered():  # RFC 6937 section 3
    t = holding(10, send_buffer=1 << 20)
    t.call.send(40 * MSS)
    t.after(100)
    sent = []
    for number in range(1, 10):
        t.gets(f"{ACK} 1 <nop,nop,sack 1001:{1001 + number * MSS}>")
        sent.append(len(t.pending))
        t.pending.clear()
    assert t.tcb.in_recovery
    assert t.tcb.congestion.ssthresh == 5 * MSS
    assert max(sent) <= 2 and 4 <= sum(sent) <= 7  # half of what was under way, and what limited transmit let out


# --- RACK and TLP ---


def test_what_was_sent_long_before_what_arrives_is_lost():  # RFC 8985 6.2 steps 1 and 2, RFC 8985 6.2 step 5
    t = holding(4)
    t.after(100)
    held(t, 3)
    assert t.tcb.rack is not None
    assert (t.tcb.rack.min_rtt, t.tcb.rack.rtt) == (100_000, 100_000)
    t.after(25)
    t.sends(*full(0))
    assert t.tcb.pipe == MSS  # 1 and 2 are lost too


def test_reordering_is_noticed():  # RFC 8985 6.2 step 3
    t = holding(4)
    t.after(100)
    held(t, 1)
    assert t.tcb.rack is not None and not t.tcb.rack.reorderings
    t.gets(f"{ACK} {1 + 2 * MSS}")
    assert t.tcb.rack.reorderings


def test_a_time_out_marks_the_first():  # RFC 8985 section 6.3
    t = holding(4, tail_loss_probes=False, frto=False)
    t.after(t.tcb.rto / 1000)
    t.sends(*full(0))
    t.gets(f"{ACK} {1 + MSS}")
    t.sends(*full(1, 2))


def test_the_probe_comes_after_two_round_trips_and_shows_what_is_lost():  # RFC 8985 sections 7.2, 7.3 and 7.4.1
    t = holding(4, rtt=50)
    t.after(100)
    t.sends(*full(3, last=3))
    t.after(50)
    held(t, 3)
    t.pending.clear()
    assert t.tcb.in_recovery


def test_a_probe_that_repaired_the_loss_slows_down_all_the_same():  # RFC 8985 section 7.4.2
    t = holding(4, rtt=50)
    before = cwnd(t)
    t.after(100)
    t.sends(*full(3, last=3))
    t.after(50)
    t.gets(f"{ACK} {1 + 4 * MSS}")
    t.call.send(MSS)
    t.pending.clear()
    t.gets(f"{ACK} {1 + 5 * MSS}")
    assert t.tcb.congestion.ssthresh < before


# --- was it a loss at all? ---


def doubting() -> Exchange:
    """The timer has fired with ten segments under way, more waits, and the first segment has gone again."""
    t = sending(10, rtt=100, send_buffer=1 << 20)
    t.call.send(20 * MSS)
    t.after(t.tcb.rto / 1000)
    t.sends(*full(0))  # RFC 5682 2.1 step 1: nothing else yet
    return t


def test_a_time_out_without_a_loss_is_found_out():  # RFC 5682 2.1 steps 1 to 3
    t = doubting()
    t.gets(f"{ACK} {1 + 2 * MSS}")
    t.sends(*full(10, 11))
    t.gets(f"{ACK} {1 + 3 * MSS}")
    assert not any(segment.seq - t.iss - 1 & 0xFFFFFFFF < 10 * MSS for _, segment in t.pending)
    t.pending.clear()
    assert t.tcb.counts is not None and t.tcb.counts["spurious time-outs"] == 1


def test_a_time_out_with_a_loss_is_repaired():  # RFC 5682 2.1 step 2
    t = doubting()
    t.gets(f"{ACK} 1")
    t.pending.clear()
    t.gets(f"{ACK} {1 + MSS}")
    assert t.line(t.pending[0][1]).startswith(full(1)[0])  # slow start over what was lost
    t.pending.clear()


def test_a_duplicate_behind_the_new_data_says_that_it_was_a_loss():  # RFC 5682 2.1 step 3
    t = doubting()
    t.gets(f"{ACK} {1 + 2 * MSS}")
    t.sends(*full(10, 11))
    t.gets(f"{ACK} {1 + 2 * MSS}")
    assert t.line(t.pending[0][1]).startswith(full(2)[0])
    assert cwnd(t) <= 3 * MSS
    t.pending.clear()


def test_what_came_twice_shows_that_nothing_was_lost():  # RFC 2883 section 5
    t = holding(10)
    before = cwnd(t)
    t.after(100)
    held(t, 1, 2, 3)
    t.sends(*full(0))
    t.gets(f"{ACK} {1 + 4 * MSS}")
    t.pending.clear()
    assert cwnd(t) < before
    t.after(50)
    t.gets(f"{ACK} {1 + 4 * MSS} <nop,nop,sack 1:1001>")
    t.pending.clear()
    assert not t.tcb.in_recovery
    assert cwnd(t) >= before


def test_the_echo_of_the_original_shows_that_nothing_was_lost():  # RFC 3522 section 3.2, RFC 4015 sections 3.2 and 3.3
    t = established(options="mss 1000,nop,nop,TS val 100 ecr 1000", rtt=100, frto=False, congestion="newreno")
    t.call.send(5 * 988)
    t.pending.clear()
    before, sent_at = cwnd(t), t.now // 1000
    assert next(line for _, line in t.log(t.tcb.rto / 1000)).startswith(". 1:989(988)")
    assert cwnd(t) < before
    t.after(50)
    t.gets(f"{ACK} {1 + 5 * 988} <nop,nop,TS val 600 ecr {sent_at}>")
    assert t.tcb.counts is not None and t.tcb.counts["spurious time-outs"] == 1
    assert cwnd(t) >= before
    t.call.send(988)
    t.pending.clear()
    t.after(200)
    t.gets(f"{ACK} {1 + 6 * 988} <nop,nop,TS val 900 ecr {sent_at + 350}>")
    assert t.tcb.srtt == 200_000 and t.tcb.rttvar > 50_000  # of what was before and of this sample the larger
