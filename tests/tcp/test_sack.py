"""Selective acknowledgment: RFC 2018 and RFC 2883, and the losses that are found by it, RFC 8985 and RFC 6937."""

from __future__ import annotations

from typing import Any

from lastack.tcp.config import NEVER
from tests.tcp.harness import Exchange, established

MSS = 1000
BOTH = f"mss {MSS},sackOK,nop,nop"


def sending(segments: int, **more: Any) -> Exchange:
    """Established with SACK and a round trip of 100 ms, `segments` full segments under way."""
    t = established(options=BOTH, rtt=100, **more)
    t.call.send(segments * MSS)
    t.sends(*full(*range(segments), last=segments - 1))
    t.after(100)
    return t


def full(*numbers: int, last: int = -1) -> list[str]:
    return [f"{'P' if n == last else ''}. {1 + n * MSS}:{1 + (n + 1) * MSS}({MSS}) ack 1" for n in numbers]


def held(t: Exchange, *blocks: str, ack: int = 1) -> None:
    """The peer acknowledges, and says what it holds."""
    t.gets(f". 1:1(0) ack {ack} <nop,nop,sack {' '.join(blocks)}>")


# --- what we say ---


def test_without_agreement_nothing_is_said():  # RFC 2018 section 2
    t = established(options=f"mss {MSS}")
    t.gets("P. 11:21(10) ack 1")
    t.sends(". 1:1(0) ack 1 <>")


def test_the_block_of_the_last_segment_comes_first():  # RFC 2018 section 4
    t = established(options=BOTH)
    t.gets("P. 11:21(10) ack 1")
    t.sends(". 1:1(0) ack 1 <nop,nop,sack 11:21>")
    t.gets("P. 31:41(10) ack 1")
    t.sends(". 1:1(0) ack 1 <nop,nop,sack 31:41 11:21>")
    t.gets("P. 21:26(5) ack 1")
    t.sends(". 1:1(0) ack 1 <nop,nop,sack 11:26 31:41>")
    t.gets("P. 1:11(10) ack 1")
    t.sends(". 1:1(0) ack 26 <nop,nop,sack 31:41>")
    t.gets("P. 26:31(5) ack 1")
    t.sends(". 1:1(0) ack 41 <>")


def test_three_blocks_fit_beside_a_timestamp():  # RFC 2018 section 3
    t = established(options=f"mss {MSS},sackOK,TS val 100 ecr 1000")
    for first in (11, 31, 51, 71):
        t.gets(f"P. {first}:{first + 10}(10) ack 1 <nop,nop,TS val 100 ecr 1000>")
        ((_, ack),) = t.pending
        t.pending.clear()
    assert len(ack.options) == 12 + 4 + 3 * 8


def test_what_came_twice_is_told():  # RFC 2883 section 4: below the acknowledgment, and within a block
    t = established(options=BOTH)
    t.gets("P. 1:11(10) ack 1")
    t.sends(". 1:1(0) ack 11")
    t.gets("P. 1:11(10) ack 1")
    t.sends(". 1:1(0) ack 11 <nop,nop,sack 1:11>")
    t.gets("P. 21:41(20) ack 1")
    t.sends(". 1:1(0) ack 11 <nop,nop,sack 21:41>")
    t.gets("P. 21:31(10) ack 1")
    t.sends(". 1:1(0) ack 11 <nop,nop,sack 21:31 21:41>")


# --- what the peer says ---


def test_only_what_is_missing_goes_again():
    t = sending(10)
    held(t, "1001:2001")
    held(t, "1001:3001")
    t.silent()
    held(t, "1001:4001")
    t.sends(*full(0))
    assert t.tcb.in_recovery
    t.gets(f". 1:1(0) ack {1 + 10 * MSS}")
    assert (t.tcb.in_recovery, t.tcb.pipe, t.tcb.sacked) == (False, 0, 0)
    assert t.tcb.congestion.cwnd == t.tcb.congestion.ssthresh == 7 * MSS  # RFC 9438 4.6


def test_blocks_that_cannot_be_say_nothing():
    t = sending(3)
    for block in ("9001:9901", "2001:1001", "3001:3001", "2001:4001"):
        held(t, block)
    assert t.tcb.sacked == 0
    t.silent()


def test_edges_within_a_segment_are_taken_as_they_are():
    t = sending(3)
    held(t, "1501:2501")
    assert (t.tcb.sacked, t.tcb.pipe) == (1000, 2000)


def test_only_whole_segments_may_count():  # RFC 2018 section 5: "wholly contained within that block"
    for block, held_of_it in (("1501:2501", 0), ("1501:3201", 1), ("2001:3000", 0), ("1002:4001", 2), ("1001:3001", 2)):
        t = sending(4, sack_whole_segments=True)
        held(t, block)
        assert t.tcb.sacked == held_of_it * MSS, block
        t.pending.clear()
    t = sending(4, sack_whole_segments=True, tail_loss_probes=False)
    held(t, "4000:4001")
    t.silent()


def test_the_text_before_a_fin_may_be_held_without_it():  # its receiver's window may end there
    t = sending(1, sack_whole_segments=True, nagle_modified=False)
    t.call.send(47)
    t.call.close()
    t.sends("FP. 1001:1048(47) ack 1")
    held(t, "1001:1048")
    assert t.tcb.sacked == 47
    t.pending.clear()


def test_reordering_within_a_quarter_of_the_round_trip_is_no_loss():  # RFC 8985 section 6.2 step 4
    t = sending(4)
    held(t, "1001:2001")
    assert t.tcb.rack is not None and t.tcb.rack.reo_at != NEVER
    t.after(20)
    t.gets(f". 1:1(0) ack {1 + 2 * MSS}")
    assert t.tcb.rack.reorderings
    assert not t.tcb.in_recovery
    t.silent()


def test_after_the_reordering_window_it_is_lost():  # RFC 8985 6.2 step 5
    t = sending(4)
    held(t, "1001:2001")
    t.silent()
    t.after(25)
    t.sends(*full(0))


def test_a_lost_tail_is_probed():  # RFC 8985 section 7.3: after two round trips, before the RTO
    t = sending(4)
    t.after(100)
    t.sends(*full(3, last=3))
    t.after(100)
    held(t, "3001:4001")
    t.sends(*full(0))


def test_after_a_time_out_nothing_that_is_held_is_relied_on():  # RFC 2018 section 8
    t = sending(4)
    held(t, "1001:2001")
    sent = [line for _, line in t.log(20_000)]
    assert sent[1:] == [sent[0]] * (len(sent) - 1)
    assert (t.tcb.sacked, t.tcb.sent[0].sacked) == (0, False)
    t.gets(f". 1:1(0) ack {1 + 4 * MSS}")
    assert t.tcb.pipe == 0


# --- on data segments, and what several ACKs that leave together tell ---


def test_data_bears_the_blocks_too_within_the_mss():  # RFC 2018 section 4; RFC 9293 3.7.1 MUST-16: options counted
    t = established(options=BOTH, rtt=100)
    t.gets("P. 11:21(10) ack 1")
    t.sends(". 1:1(0) ack 1 <nop,nop,sack 11:21>")
    t.call.send(2 * MSS)
    found = t.sends(". 1:989(988) ack 1", ". 989:1977(988) ack 1", "P. 1977:2001(24) ack 1")
    assert all(segment.length + len(segment.options) <= MSS for segment in found)
    assert all(len(segment.options) == 12 for segment in found)


def test_full_segments_are_smaller_beside_the_blocks():  # RFC 9293 3.7.1 MUST-16: no small rest behind each unit
    t = established(options=BOTH, rtt=100, initial_window_segments=10)
    t.gets("P. 11:21(10) ack 1")
    t.sends(". 1:1(0) ack 1 <nop,nop,sack 11:21>")
    t.call.send(20 * MSS)
    assert {segment.length for _, segment in t.pending} == {MSS - 12}
    t.pending.clear()


def test_a_dsack_rides_on_the_first_segment_alone():  # RFC 2883 section 4: reported once
    t = established(options=BOTH, rtt=100)
    t.gets("P. 1:11(10) ack 1")
    t.sends(". 1:1(0) ack 11")
    t.connection.receive_segment(t.now, t.segment("P. 1:11(10) ack 1"))
    t.call.send(2 * MSS)
    first, *rest = [segment for _, segment in t.pending]
    t.pending.clear()
    assert len(first.options) == 12 and not any(len(segment.options) for segment in rest)


def test_acks_of_one_batch_tell_each_of_its_own_segment():  # RFC 2018 section 4 (1)
    t = established(options=BOTH)
    t.gets(*[f"P. {n}:{n + 10}(10) ack 1" for n in (11, 31, 51, 71, 91, 111)])
    found = t.sends(*[". 1:1(0) ack 1"] * 6)
    firsts = [int.from_bytes(bytes(segment.options)[4:8], "big") - t.irs & 0xFFFFFFFF for segment in found]
    assert firsts == [11, 31, 51, 71, 91, 111]


# --- the defence against many tiny blocks; reneging; measurements ---


def test_tiny_blocks_cost_what_the_limit_allows():  # no RFC: `sent_ranges`, against a bomb of SACK blocks
    t = established(options=BOTH, rtt=100, sent_ranges=50, initial_window_segments=10)
    t.call.send(10 * MSS)
    t.pending.clear()
    for first in range(2, 5000, 4):
        t.gets(f". 1:1(0) ack 1 <nop,nop,sack {first}:{first + 1}>")
        t.pending.clear()
        assert len(t.tcb.sent) <= 52
    assert t.tcb.counts and t.tcb.counts["limit: sent ranges"]


def test_blocks_side_by_side_are_one_range():  # memory is bounded by the holes
    t = sending(10)
    for number in range(1, 10):
        held(t, f"{1 + number * MSS}:{1 + (number + 1) * MSS}")
        t.pending.clear()
    assert [sent.sacked for sent in t.tcb.sent] == [False, True]
    assert t.tcb.sacked == 9 * MSS


def test_a_reneged_left_edge_is_noticed():  # RFC 2018 section 8
    t = sending(6)
    held(t, "1001:4001")
    t.sends(*full(0))
    t.gets(f". 1:1(0) ack {1 + MSS}")  # and not 4001: what it held is gone
    assert t.tcb.sacked == 0
    assert t.tcb.counts == {"reneged: what was sacked is gone": 1}
    assert t.line(t.pending[0][1]).startswith(". 1001:2001")
    t.pending.clear()


def test_what_was_sacked_is_not_measured():  # RFC 6298 section 3, RFC 7323 section 4.1: Karn
    t = sending(4)
    held(t, "1001:2001")
    t.after(25)
    t.sends(*full(0))
    srtt = t.tcb.srtt
    t.after(250)  # the timer began anew with the retransmission (RFC 6675 section 6)
    t.gets(f". 1:1(0) ack {1 + 2 * MSS}")
    assert t.tcb.srtt == srtt
    t.pending.clear()


def test_the_last_that_was_not_sacked_is_measured():  # RFC 6298 section 3: what was sacked arrived long ago
    t = established(options=BOTH, rtt=100)
    t.call.send(MSS)
    t.sends(*full(0, last=0))
    t.after(5)
    t.call.send(MSS)
    t.sends(*full(1, last=1))
    t.after(100)
    held(t, "1001:2001")
    t.after(10)
    t.gets(f". 1:1(0) ack {1 + 2 * MSS}")
    assert t.tcb.srtt == 100_000 + 15_000 // 8


def test_an_old_incarnation_s_text_is_no_duplicate():  # RFC 2883 section 4: what this connection never received
    t = established(options=BOTH)
    t.gets("P. 4294966297:4294966307(10) ack 1")
    t.sends(". 1:1(0) ack 1 <>")


def test_the_blocks_of_one_ack_are_no_reordering():  # RFC 8985 section 6.2 step 3: in ascending order of sequence
    t = sending(4)
    held(t, "3001:4001 1001:2001")  # the latest stands first (RFC 2018 section 4)
    assert t.tcb.rack is not None and not t.tcb.rack.reorderings
    t.after(25)
    t.sends(*full(0))


def test_a_closed_window_is_probed_though_the_peer_says_it_holds_the_first():  # RFC 2018 section 8
    t = sending(4)
    t.gets(". 1:1(0) ack 1 win 0 <nop,nop,sack 1:1001>")  # nonsense, or it has thrown away what came before
    t.after(300)
    t.sends(". 1:2(1) ack 1")
    t.gets(f". 1:1(0) ack {1 + 4 * MSS}")
    assert (t.tcb.pipe, t.tcb.sacked) == (0, 0)
