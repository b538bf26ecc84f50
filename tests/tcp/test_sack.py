"""Selective acknowledgment: RFC 2018 and RFC 2883, and the losses that are found by it, RFC 8985 and RFC 6937."""

from __future__ import annotations

from lastack.tcp.config import NEVER
from tests.tcp.harness import Exchange, established

MSS = 1000
BOTH = f"mss {MSS},sackOK,nop,nop"


def sending(segments: int) -> Exchange:
    """Established with SACK and a round trip of 100 ms, `segments` full segments under way."""
    t = established(options=BOTH, rtt=100)
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


def test_three_blocks_fit_beside_a_timestamp():
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


def test_reordering_within_a_quarter_of_the_round_trip_is_no_loss():  # RFC 8985 section 6.2 step 4
    t = sending(4)
    held(t, "1001:2001")
    assert t.tcb.rack is not None and t.tcb.rack.reo_at != NEVER
    t.after(20)
    t.gets(f". 1:1(0) ack {1 + 2 * MSS}")
    assert t.tcb.rack.reordered
    assert not t.tcb.in_recovery
    t.silent()


def test_after_the_reordering_window_it_is_lost():  # RFC 8985 section 6.3
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
    t.sends(*full(0, 1))


def test_after_a_time_out_nothing_that_is_held_is_relied_on():  # RFC 2018 section 8
    t = sending(4)
    held(t, "1001:2001")
    sent = [line for _, line in t.log(20_000)]
    assert sent[1:] == [sent[0]] * (len(sent) - 1)
    assert (t.tcb.sacked, t.tcb.sent[0].sacked) == (0, False)
    t.gets(f". 1:1(0) ack {1 + 4 * MSS}")
    assert t.tcb.pipe == 0
