"""RACK and tail loss probes, RFC 8985."""

from __future__ import annotations

import pytest

from lastack.tcp.config import NEVER
from tests.tcp.harness import Exchange, established
from tests.tcp.test_ecn import asking
from tests.tcp.test_sack import BOTH, MSS, full, held, sending


def rack_of(t: Exchange):
    assert t.tcb.rack is not None
    return t.tcb.rack


def test_a_lost_retransmission_is_found_by_time():  # RFC 8985 section 9.1 (2)
    t = sending(8)
    held(t, "1001:2001 3001:5001")
    t.sends(*full(0, 2))
    t.after(100)
    held(t, "3001:8001", ack=1)  # sent before it: says nothing of the retransmissions
    t.sends()
    held(t, "1001:8001", ack=1)  # the second was delivered, the first was not
    t.sends(*full(0))


def test_what_went_again_at_the_moment_of_what_arrived_is_not_lost():  # RFC 8985 section 6.2 step 2: sent after it
    t = established(options="mss 1000,sackOK,nop,nop", window=65_535)
    t.call.send(10_000)
    t.sends(*full(*range(9)), "P. 9001:10001(1000) ack 1")
    held(t, "1001:4001")
    t.sends(*full(0))
    held(t, "1001:5001")  # a round trip of no time
    t.sends()
    t.after(1)
    held(t, "1001:10001")
    t.sends()


def test_of_one_moment_the_first_in_sequence_went_first():  # RFC 8985 section 6.2 step 2: RACK_sent_after
    t = sending(8)
    held(t, "1001:2001 3001:5001")
    t.sends(*full(0, 2))
    t.after(100)
    held(t, "2001:5001")
    t.sends(*full(0))


def test_new_text_that_leaves_with_a_retransmission_leaves_after_it():  # RFC 8985 section 6.2 step 5
    t = sending(10)
    t.call.send(1000)
    t.gets(". 1:1(0) ack 1 <nop,nop,sack 1001:9001>")
    t.sends(*full(0), "P. 10001:11001(1000) ack 1")
    t.after(100)
    held(t, "1001:9001 10001:11001")
    assert [one.lost for one in t.tcb.sent[:1]] == [False]
    t.sends(*full(0))


def test_a_lost_retransmission_reduces_the_window_again():  # RFC 5681 4.3: MUST be lowered twice
    t = sending(10)
    held(t, "1001:2001 3001:5001")
    t.sends(*full(0, 2))
    assert t.tcb.congestion.ssthresh == 7 * MSS
    t.after(100)
    held(t, "1001:10001")  # the second was delivered, the first was not
    t.sends(*full(0))
    assert t.tcb.congestion.ssthresh == 7 * 7 * MSS // 10
    t.gets(f". 1:1(0) ack {1 + 10 * MSS}")
    assert t.tcb.congestion.cwnd == 7 * 7 * MSS // 10


def test_a_lost_retransmission_may_leave_the_window_alone():  # Linux: once an episode
    t = sending(10, reduce_again=False)
    held(t, "1001:2001 3001:5001")
    t.sends(*full(0, 2))
    t.after(100)
    held(t, "1001:10001")
    t.sends(*full(0))
    t.gets(f". 1:1(0) ack {1 + 10 * MSS}")
    assert t.tcb.congestion.cwnd == t.tcb.congestion.ssthresh == 7 * MSS


def test_part_of_what_was_sent_at_once_tells_the_time():  # RFC 8985 section 6.2 steps 1 and 2: of each segment
    t = sending(10)
    t.gets(f". 1:1(0) ack {1 + 3 * MSS}")
    assert (rack_of(t).rtt, (rack_of(t).end - t.tcb.iss) & 0xFFFFFFFF) == (100_000, 1 + 3 * MSS)


@pytest.mark.parametrize(("on", "rtt"), [(False, 100), (True, 200)])
def test_of_several_the_last_in_sequence_may_tell_the_time(on: bool, rtt: int):  # RFC 8985 6.2 step 2; Linux
    t = sending(10, rack_in_sequence=on)
    held(t, "1001:4001")
    t.sends(*full(0))
    t.after(100)
    t.gets(f". 1:1(0) ack {1 + 10 * MSS}")
    assert rack_of(t).rtt == rtt * 1000


def test_each_reordering_is_counted_once():  # RFC 8985 section 6.2 step 3
    t = sending(10)
    held(t, "9001:10001")
    held(t, "3001:4001 9001:10001")
    t.gets(f". 1:1(0) ack {1 + 10 * MSS}")
    assert (rack_of(t).reorderings, rack_of(t).reordering) == (2, 10)


def test_a_lost_retransmission_is_a_new_instance_of_congestion():  # RFC 3168 section 6.1.2: where ECN is agreed too
    t = asking()
    t.after(100)
    t.gets(f"SE. 0:0(0) ack 1 win 65535 <{BOTH}>")
    t.sends(". 1:1(0) ack 1")
    t.call.send(10 * MSS)
    t.pending.clear()
    t.after(100)
    held(t, "1001:2001 3001:7001")
    assert len(t.pending) == 2
    t.pending.clear()
    t.after(100)
    held(t, "1001:10001")
    t.pending.clear()
    assert t.tcb.congestion.ssthresh == 5 * MSS // 2


def test_an_answer_to_an_earlier_transmission_moves_nothing():  # RFC 8985 section 6.2 step 2
    t = sending(4)
    t.after(100)
    t.sends(*full(3, last=3))  # a probe
    xmit = rack_of(t).xmit
    t.after(1)  # sooner than any round trip: the original
    held(t, "3001:4001")
    assert rack_of(t).xmit == xmit


def test_reordering_that_was_seen_is_waited_for_whatever_is_sacked():  # RFC 8985 section 6.2 step 4
    t = sending(4)
    held(t, "1001:2001")
    t.gets(f". 1:1(0) ack {1 + 2 * MSS}")  # the first came late
    assert rack_of(t).reorderings
    t.gets(f". 1:1(0) ack {1 + 4 * MSS}")
    t.call.send(5 * MSS)
    t.sends(*full(4, 5, 6, 7, 8, last=8))
    t.after(100)
    held(t, f"{1 + 5 * MSS}:{1 + 9 * MSS}", ack=1 + 4 * MSS)
    t.silent()  # though four are sacked
    t.after(25)
    t.sends(*full(4))


def test_each_round_with_a_dsack_widens_the_window():  # RFC 8985 section 6.2 step 4
    t = sending(4)
    for _ in range(3):
        held(t, "1:1001", ack=1001)
    assert rack_of(t).reo_mult == 2  # once a round
    t.gets(f". 1:1(0) ack {1 + 4 * MSS}")
    t.call.send(MSS)
    t.sends(*full(4, last=4))
    held(t, "1001:2001", ack=1 + 5 * MSS)
    assert rack_of(t).reo_mult == 3


def test_a_widened_window_is_narrow_again_after_16_recoveries():  # RFC 8985 section 6.2 step 4
    t = sending(4)
    held(t, "1:1001", ack=1001)
    t.gets(f". 1:1(0) ack {1 + 4 * MSS}")
    for number in range(4, 4 + 16 * 2, 2):
        assert rack_of(t).reo_mult == 2
        t.call.send(2 * MSS)
        t.sends(*full(number, number + 1, last=number + 1))
        t.after(100)
        held(t, f"{1 + (number + 1) * MSS}:{1 + (number + 2) * MSS}", ack=1 + number * MSS)
        assert len(t.log(60)) == 1  # after the reordering window
        t.gets(f". 1:1(0) ack {1 + (number + 2) * MSS}")
    assert rack_of(t).reo_mult == 1


def test_after_a_time_out_the_young_are_not_lost():  # RFC 8985 section 6.3
    t = established(options=BOTH, rtt=100, tail_loss_probes=False)
    t.call.send(MSS)
    t.sends(*full(0, last=0))
    t.after(t.tcb.rto / 1000 - 10)
    t.call.send(2 * MSS)
    t.sends(*full(1, 2, last=2))
    t.after(10)
    t.sends(*full(0, last=0))
    assert [sent.lost for sent in t.tcb.sent] == [False, False]
    assert t.tcb.pipe == 3 * MSS


# --- tail loss probes ---


def test_a_probe_is_new_data_where_the_window_takes_it():  # RFC 8985 section 7.3
    t = established(options=BOTH, rtt=100, initial_window_segments=2)
    t.call.send(3 * MSS)
    t.sends(*full(0, 1))
    t.after(200)
    t.sends(*full(2, last=2))
    assert (rack_of(t).tlp_end, rack_of(t).tlp_is_retransmission) == (t.tcb.snd_nxt, False)
    t.gets(f". 1:1(0) ack {1 + 3 * MSS}")
    assert rack_of(t).tlp_end is None and t.tcb.congestion.ssthresh > 1 << 20


def test_the_last_goes_again_where_the_window_is_full():  # RFC 8985 section 7.3
    t = established(options=BOTH, rtt=100, window=2 * MSS)
    t.call.send(3 * MSS)
    t.sends(*full(0, 1))
    t.after(200)
    t.sends(*full(1))


def test_one_segment_waits_for_a_delayed_ack_too():  # RFC 8985 section 7.2
    t = established(options=BOTH, rtt=100, rto_min=1_000_000)
    t.call.send(MSS)
    t.sends(*full(0, last=0))
    t.after(200 + 200)
    t.sends(*full(0, last=0))


def test_a_probe_goes_no_later_than_the_rto():  # RFC 8985 section 7.2
    t = established(options=BOTH, rtt=20, max_ack_delay=10_000_000)
    t.call.send(MSS)
    t.sends(*full(0, last=0))
    t.after(200)
    t.sends(*full(0, last=0))
    assert (t.tcb.backoff, t.tcb.congestion.cwnd) == (0, 10 * MSS)
    t.after(200)  # the RTO begins anew behind the probe
    t.sends(*full(0, last=0))
    assert t.tcb.backoff == 1


def test_each_new_segment_puts_the_probe_off():  # RFC 8985 section 7.2
    t = established(options=BOTH, rtt=100)
    t.call.send(2 * MSS)
    t.sends(*full(0, 1, last=1))
    t.after(150)
    t.call.send(MSS)
    t.sends(*full(2, last=2))
    t.after(150)  # the RTO of the first: the probe is no later
    t.sends(*full(2, last=2))


def test_only_one_probe_is_outstanding():  # RFC 8985 section 7.3, condition 1
    t = sending(2)
    t.after(100)
    t.sends(*full(1, last=1))
    t.gets(f". 1:1(0) ack {1 + MSS}")
    assert rack_of(t).sampled
    t.call.send(MSS)
    t.sends(*full(2, last=2))
    assert rack_of(t).probe_at == NEVER


def test_without_a_measurement_since_the_last_there_is_no_probe():  # RFC 8985 section 7.3, condition 2
    t = sending(2)
    t.after(100)
    t.sends(*full(1, last=1))
    t.gets(f". 1:1(0) ack {1 + 2 * MSS}")  # Karn: no measurement
    t.gets(f". 1:1(0) ack {1 + 2 * MSS}")
    t.call.send(MSS)
    t.sends(*full(2, last=2))
    assert rack_of(t).probe_at == NEVER
    t.after(100)
    t.gets(f". 1:1(0) ack {1 + 3 * MSS}")
    t.call.send(MSS)
    t.sends(*full(3, last=3))
    assert rack_of(t).probe_at != NEVER


@pytest.mark.parametrize("ack", [1, 1 + MSS])
def test_a_closed_window_has_no_tail_probe(ack: int):  # RFC 9293 SHLD-16: nothing beyond its edge but one octet
    t = sending(3)
    t.gets(f". 1:1(0) ack {ack} win 0")
    assert rack_of(t).probe_at == NEVER
    t.after(300 if ack == 1 else 250)  # a second measurement has made the RTO shorter
    t.sends(f". {ack}:{ack + 1}(1) ack 1")


def test_a_tail_probe_leaves_the_peer_two_milliseconds():  # a round trip of nothing would send it at once
    t = established(rtt=0, options="mss 1000,sackOK")
    t.call.send(2 * MSS)
    t.sends(". 1:1001(1000) ack 1", "P. 1001:2001(1000) ack 1")
    t.after(2)
    t.sends("P. 1001:2001(1000) ack 1")


def test_an_echo_with_a_window_of_one_segment_has_no_tail_probe():  # RFC 3168 6.1.2: only the timer lets one out
    t = asking(initial_window_segments=1)
    t.after(100)
    t.gets(f"SE. 0:0(0) ack 1 win 65535 <{BOTH}>")
    t.sends(". 1:1(0) ack 1")
    t.call.send(3 * MSS)
    t.sends(*full(0))
    t.after(100)
    t.gets("E. 1:1(0) ack 1")
    assert t.tcb.ecn is not None and t.tcb.ecn.hold
    t.after(t.tcb.rto / 1000)
    t.sends(*full(0))


def test_a_syn_is_never_probed():  # RFC 8985 section 7.3: a data segment
    t = established(options=BOTH, passive=True)
    assert rack_of(t).probe_at == NEVER


def probed() -> Exchange:
    """The last of two segments has gone again, and all is acknowledged."""
    t = sending(2)
    t.after(100)
    t.sends(*full(1, last=1))
    t.gets(f". 1:1(0) ack {1 + 2 * MSS}")
    assert rack_of(t).tlp_end == t.tcb.snd_nxt
    return t


def test_a_dsack_of_the_probe_is_no_loss():  # RFC 8985 section 7.4.2, case 1
    t = probed()
    held(t, f"{1 + MSS}:{1 + 2 * MSS}", ack=1 + 2 * MSS)
    assert rack_of(t).tlp_end is None and not t.tcb.in_recovery
    assert t.tcb.congestion.ssthresh > 1 << 20


def test_a_duplicate_without_sack_is_no_loss():  # RFC 8985 section 7.4.2, case 2
    t = probed()
    t.gets(f". 1:1(0) ack {1 + 2 * MSS}")
    assert rack_of(t).tlp_end is None
    assert t.tcb.congestion.ssthresh > 1 << 20


def test_a_loss_that_the_probe_repaired_slows_down():  # RFC 8985 section 7.4.2
    t = probed()
    t.call.send(MSS)
    t.sends(*full(2, last=2))
    t.gets(f". 1:1(0) ack {1 + 3 * MSS}")
    assert rack_of(t).tlp_end is None
    assert t.tcb.congestion.cwnd <= t.tcb.congestion.ssthresh < 1 << 20


def test_detection_looks_at_what_was_sent_before_alone():  # RFC 8985 section 6.2 step 5: the cost of an ACK
    t = established(options=BOTH, rtt=100, initial_window_segments=60, window=65535)
    t.call.send(60 * MSS)
    t.pending.clear()
    held(t, *[f"{1 + n * MSS}:{1 + (n + 1) * MSS}" for n in (1, 2, 3, 4)])
    t.pending.clear()
    assert len(t.tcb.sent) < 8  # what is sacked side by side is one range
    assert t.tcb.sacked == 4 * MSS
