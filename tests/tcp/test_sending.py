"""What leaves and when: Nagle, the silly window, PSH, super-segments, urgent data. RFC 9293 sections 3.7.4 and 3.8."""

from __future__ import annotations

import pytest

from lastack.tcp.presets import RFC9293
from lastack.tcp.states import State
from lastack.tcp.tcb import URGENT
from tests.tcp.harness import LONG, established, reach

FAR = 2**31 + 2**28  # so far behind that modulo 2**32 (RFC 9293 section 3.4) it would be ahead


def test_nagle_of_the_letter_holds_a_small_segment_while_anything_is_outstanding():  # section 3.7.4, SHLD-7; MAY-16
    t = established(RFC9293, options="mss 1000")
    t.call.send(1000)
    t.sends("P. 1:1001(1000) ack 1")
    t.call.send(10)
    t.silent()
    t.call.send(10)
    t.gets(". 1:1(0) ack 1001")
    t.sends("P. 1001:1021(20) ack 1")


def test_nagle_as_modified_holds_it_while_a_small_one_is_outstanding():  # Appendix A.3; MUST-60, MAY-16
    t = established(options="mss 1000")
    t.call.send(1000)
    t.sends("P. 1:1001(1000) ack 1")
    t.call.send(10)
    t.sends("P. 1001:1011(10) ack 1")
    t.call.send(10)
    t.silent()
    t.gets(". 1:1(0) ack 1001")
    t.silent()
    t.gets(". 1:1(0) ack 1011")
    t.sends("P. 1011:1021(10) ack 1")


def test_a_small_segment_of_long_ago_holds_nothing():  # Appendix A.3
    t = established(**LONG)
    t.call.send(10)
    t.sends("P. 1:11(10) ack 1")
    t.gets(". 1:1(0) ack 11")
    t.streams(FAR)
    at = 11 + FAR
    t.call.send(1024)
    t.sends(f"P. {at}:{at + 1024}(1024) ack 1")
    t.call.send(10)
    t.sends(f"P. {at + 1024}:{at + 1034}(10) ack 1")


def test_a_full_segment_never_waits():  # SHLD-28
    t = established(options="mss 1000")
    t.call.send(10)
    t.sends("P. 1:11(10) ack 1")
    t.call.send(990)
    t.silent()
    t.call.send(10)
    t.sends("P. 11:1011(1000) ack 1")
    t.call.send(1005)
    t.sends(". 1011:2011(1000) ack 1")


def test_without_nagle_nothing_waits():  # MUST-17: TCP_NODELAY
    t = established(options="mss 1000", nagle=False)
    for number in range(5):
        t.call.send(1)
        t.sends(f"P. {1 + number}:{2 + number}(1) ack 1")


def test_the_fin_lets_the_rest_go():
    t = established(options="mss 1000")
    t.call.send(10)
    t.sends("P. 1:11(10) ack 1")
    t.call.send(10)
    t.call.close()
    t.sends("FP. 11:21(10) ack 1")


def test_push_stands_on_the_last_segment_alone():  # MUST-61, SHLD-27
    t = established(options="mss 1000")
    t.call.send(2500)
    t.sends(". 1:1001(1000) ack 1", ". 1001:2001(1000) ack 1", "P. 2001:2501(500) ack 1")


# --- silly windows: section 3.8.6.2.1 ---


def test_a_part_that_the_window_cuts_waits_for_half_of_the_largest_window():  # condition (3), Fs = 1/2; MUST-38
    t = established(options="mss 1000", window=400)
    t.call.send(1000)
    t.sends(". 1:401(400) ack 1")
    t.gets(". 1:1(0) ack 401 win 150")
    t.silent()
    t.gets(". 1:1(0) ack 401 win 200")
    t.sends(". 401:601(200) ack 1")


def test_the_override_sends_what_fits_after_its_time():  # condition (4); MUST-38, MUST-60
    t = established(options="mss 1000", window=400)
    t.call.send(1000)
    t.sends(". 1:401(400) ack 1")
    t.gets(". 1:1(0) ack 401 win 150")
    t.after(200)
    t.sends(". 401:551(150) ack 1")


def test_all_that_is_queued_goes_into_a_small_window():  # condition (2)
    t = established(options="mss 1000", window=400)
    t.call.send(400)
    t.sends("P. 1:401(400) ack 1")
    t.gets(". 1:1(0) ack 401 win 50")
    t.call.send(30)
    t.sends("P. 401:431(30) ack 1")


def test_a_full_segment_goes_into_any_window_that_takes_it():  # condition (1)
    t = established(options="mss 100", window=1000)
    t.call.send(5000)
    assert len(t.pending) == 10
    t.pending.clear()
    t.gets(". 1:1(0) ack 1001 win 120")
    t.sends(". 1001:1101(100) ack 1")


# --- units ---


def streams(unit: int) -> tuple[bytes, int]:
    """All bytes that leave of one transfer, with a time-out in the middle, and the number of segments they take."""
    t = established(options="mss 1000", unit=unit, rtt=100)
    sent, count, acked = bytearray(100_001), 0, 1
    t.call.send(100_000)
    for turn in range(100):
        for _, segment in t.pending:
            first, payload = segment.seq - t.iss & 0xFFFFFFFF, b"".join(segment.payload)
            assert segment.length <= max(unit, 1000)
            assert segment.gso_size == (1000 if segment.length > 1000 else 0)
            sent[first : first + len(payload)] = payload
            count += bool(payload)
        end = t.tcb.snd_nxt - t.iss & 0xFFFFFFFF
        t.pending.clear()
        if acked == 100_001:
            return bytes(sent[1:]), count
        if turn == 4:
            t.log(t.tcb.rto / 1000)
        acked = min(end, acked + 7_321)
        t.gets(f". 1:1(0) ack {acked}")
    raise AssertionError("never ends")


def test_super_segments_carry_the_same_bytes_as_cut_ones():
    whole, few = streams(65_000)
    cut, many = streams(0)
    assert whole == cut
    assert few < many


def test_a_super_segment_is_a_whole_number_of_segments_but_the_last():
    t = established(options="mss 1000", unit=4500)
    t.call.send(9_500)
    sizes = [(segment.length, segment.gso_size) for _, segment in t.pending]
    t.pending.clear()
    assert sizes == [(4000, 1000), (4000, 1000), (1500, 1000)]


# --- urgent data: section 3.8.5 ---


def test_urgent_data_is_pointed_behind():  # MUST-62
    t = established()
    t.call.send(5, urgent=True)
    t.sends("PU. 1:6(5) ack 1 urg 5")


def test_the_pointer_goes_with_every_segment_before_its_end():
    t = established(options="mss 10")
    t.tcb.snd_mss = t.tcb.congestion.mss = 10
    t.call.send(25, urgent=True)
    t.sends("U. 1:11(10) ack 1 urg 25", "U. 11:21(10) ack 1 urg 15", "PU. 21:26(5) ack 1 urg 5")
    t.gets(". 1:1(0) ack 26")
    t.call.send(1)
    t.sends("P. 26:27(1) ack 1")


def test_urgent_data_of_long_ago_is_not_pointed_at():  # section 3.8.5
    t = established(**LONG)
    t.call.send(5, urgent=True)
    t.sends("PU. 1:6(5) ack 1 urg 5")
    t.gets(". 1:1(0) ack 6")
    t.streams(FAR)
    t.call.send(5)
    t.sends(f"P. {6 + FAR}:{11 + FAR}(5) ack 1")


def test_a_number_that_was_iss_once_is_no_syn():  # 2**32 - 1 octets on, SND.NXT is ISS again
    t = established(**LONG)
    t.streams((1 << 32) - 1)
    assert t.tcb.snd_nxt == t.tcb.iss
    t.call.send(5, urgent=True)
    t.sends("PU. 0:5(5) ack 1 urg 5")


def test_normal_data_before_urgent_data():
    t = established(window=0)
    t.call.send(10)
    t.call.send(5, urgent=True)
    t.gets(". 1:1(0) ack 1 win 1000")
    t.sends("PU. 1:16(15) ack 1 urg 15")


def test_urgent_data_is_told_to_the_user_and_read_in_line():  # MUST-31, MUST-32, MUST-33
    t = established()
    t.gets("PU. 1:11(10) ack 1 urg 5")
    t.sends(". 1:1(0) ack 11")
    assert t.connection.status()["urgent"] == 5
    assert t.call.receive(3) == 3
    assert t.connection.status()["urgent"] == 2
    assert t.call.receive() == 7
    assert t.connection.status()["urgent"] == 0


def test_a_pointer_into_text_that_waits_to_be_read_is_told():  # section 3.10.7.4: "in advance of the data consumed"
    t = established()
    t.gets("P. 1:11(10) ack 1")
    t.sends(". 1:1(0) ack 11")
    t.tcb.signals = 0
    t.gets("PU. 1:21(20) ack 1 urg 5")
    t.sends(". 1:1(0) ack 21")
    assert t.tcb.signals & URGENT
    assert t.connection.status()["urgent"] == 5


def test_the_urgent_pointer_may_run_ahead_of_the_text():  # section 3.8.5
    t = established()
    t.gets("U. 1:1(0) ack 1 urg 50")
    assert t.connection.status()["urgent"] == 50


def test_an_older_pointer_does_not_pull_back():  # RCV.UP <- max(RCV.UP, SEG.UP)
    t = established()
    t.gets("U. 1:1(0) ack 1 urg 50")
    t.gets("U. 1:1(0) ack 1 urg 20")
    assert t.connection.status()["urgent"] == 50


# --- acknowledgments ride ---


def test_an_acknowledgment_rides_on_data():  # section 3.10.7.4: "piggybacked"
    t = established(quick_acks=0)
    t.gets("P. 1:11(10) ack 1")
    t.call.send(5)
    t.sends("P. 1:6(5) ack 11")
    t.after(40)


@pytest.mark.parametrize("state", [State.ESTABLISHED, State.CLOSE_WAIT])
def test_asking_again_sends_nothing(state: State):
    t = reach(state)
    assert t.connection.transmit(t.now) == []
