"""Windows, zero-window probes and window scaling: RFC 9293 section 3.8.6, RFC 7323 section 2."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lastack.tcp.config import DEFAULT, Config
from lastack.tcp.presets import BSD, RFC9293
from lastack.tcp.states import State
from lastack.tcp.tcb import Reason
from tests.tcp.harness import Exchange, established

SCALED = "mss 1460,nop,wscale 7"


def blocked(**more: object) -> Exchange:
    """The window is closed and ten bytes wait."""
    t = established(window=0, rtt=100, **more)  # type: ignore[arg-type]
    t.call.send(10)
    return t


def test_the_first_probe_comes_after_one_rto():  # SHLD-29, MUST-36: with one octet of new data; MUST-35
    t = blocked()
    t.after(300)
    t.sends(". 1:2(1) ack 1")


def test_a_probe_may_be_without_text():  # Linux tcp_write_wakeup(), in place of MUST-36; SHLD-29, SHLD-30
    t = blocked(probe_without_text=True)
    for wait in (300, 600, 1200):
        t.after(wait)
        t.sends(". 0:0(0) ack 1")
        t.gets(". 1:1(0) ack 1 win 0")
    t.gets(". 1:1(0) ack 1 win 1000")
    t.sends("P. 1:11(10) ack 1")


def test_the_restart_window_waits_for_something_to_be_sent():  # RFC 5681 section 4.1
    t = established(options="mss 1000", rtt=100, hystart=False, probe_without_text=True)
    t.call.send(10_000)
    t.pending.clear()
    t.gets(". 1:1(0) ack 10001 win 0")
    t.call.send(3000)
    t.log(2000)
    assert t.tcb.congestion.cwnd == 18_000
    t.gets(". 1:1(0) ack 10001 win 9000")
    t.pending.clear()
    assert t.tcb.congestion.cwnd == 10_000


@pytest.mark.parametrize("answered", [True, False])
def test_probes_back_off_whether_answered_or_not(answered: bool):  # SHLD-30
    t = blocked()
    for number in range(8):
        t.after(300 * 2**number)
        t.sends(". 1:2(1) ack 1")
        if answered:
            t.gets(". 1:1(0) ack 1 win 0")


def test_answered_probes_keep_the_connection_for_ever():  # MUST-37
    t = blocked(r2_retransmissions=3)
    for _ in range(40):
        t.log((t.connection.deadline() or 0) / 1000 - t.now / 1000)
        t.gets(". 1:1(0) ack 1 win 0")
    assert t.state is State.ESTABLISHED


def test_unanswered_probes_are_given_up():  # section 3.8.3
    t = blocked(r2_retransmissions=3)
    sent = t.log(1_000_000)
    assert all(line.startswith(". 1:2(1) ack 1") for _, line in sent)
    assert len(sent) in (3, 4)
    assert (t.state, t.tcb.reason) == (State.CLOSED, Reason.TIMED_OUT)


def test_the_probe_octet_may_be_taken():
    t = blocked()
    t.after(300)
    t.sends(". 1:2(1) ack 1")
    t.gets(". 1:1(0) ack 2 win 0")
    t.after(t.connection.deadline() / 1000 - t.now / 1000)  # type: ignore[operator]
    t.sends(". 2:3(1) ack 1")


@pytest.mark.parametrize("config", [DEFAULT, BSD, RFC9293], ids=lambda config: config.name)
def test_when_the_window_opens_the_probed_octet_goes_again_and_the_rest_with_it(config: Config):  # in one segment
    t = established(config, window=0, rtt=100)
    t.call.send(10)
    t.after(t.connection.deadline() / 1000 - t.now / 1000)  # type: ignore[operator]
    t.sends(". 1:2(1) ack 1")
    t.gets(". 1:1(0) ack 1 win 1000")
    t.sends("P. 1:11(10) ack 1")
    t.gets(". 1:1(0) ack 11 win 1000")
    t.after(10_000)


def test_that_segment_is_no_larger_than_a_full_one_and_than_the_window():
    t = established(options="mss 1000", window=0, rtt=100)
    t.call.send(1500)
    t.after(300)
    t.sends(". 1:2(1) ack 1")
    t.gets(". 1:1(0) ack 1 win 600")
    t.sends(". 1:601(600) ack 1")
    t.gets(". 1:1(0) ack 601 win 0")
    t.after(300)
    t.sends(". 601:602(1) ack 1")
    t.gets(". 1:1(0) ack 601 win 60000")
    t.sends("P. 601:1501(900) ack 1")


def test_and_the_fin_goes_with_it():
    t = blocked()
    t.call.close()
    t.after(300)
    t.sends(". 1:2(1) ack 1")
    t.gets(". 1:1(0) ack 1 win 1000")
    t.sends("FP. 1:11(10) ack 1")
    t.gets(". 1:1(0) ack 12 win 1000")
    assert t.state is State.FIN_WAIT_2


def test_a_lost_window_update_does_not_stop_the_connection():  # the reason for probes; MUST-35
    t = blocked()
    t.after(300)
    t.sends(". 1:2(1) ack 1")
    t.gets(". 1:1(0) ack 2 win 65535")
    t.sends("P. 2:11(9) ack 1")


def test_a_fin_behind_a_closed_window_is_probed():
    t = established(window=0, rtt=100)
    t.call.close()
    t.silent()
    t.after(300)
    t.sends("F. 1:1(0) ack 1")
    t.gets(". 1:1(0) ack 2 win 0")
    assert t.state is State.FIN_WAIT_2


def test_an_ack_during_a_probe_bears_the_number_that_the_peer_takes():  # Appendix A.2: simultaneous window probes
    t = blocked()
    t.after(300)
    t.sends(". 1:2(1) ack 1")
    t.gets("P. 1:11(10) ack 1 win 0")
    t.sends(". 1:1(0) ack 11")


def test_a_window_that_shrinks_holds_new_data_back():  # MUST-34; SHLD-15
    t = established(options="mss 1000", window=4000, rtt=100)
    t.call.send(10_000)
    assert len(t.pending) == 4
    t.pending.clear()
    t.gets(". 1:1(0) ack 1001 win 500")
    t.silent()


def test_what_lies_beyond_a_shrunken_window_is_not_sent_again_at_first():  # SHLD-16
    t = established(options="mss 1000", window=4000, rtt=100)
    t.call.send(4000)
    t.pending.clear()
    t.gets(". 1:1(0) ack 1001 win 1000")
    t.after(t.tcb.rto / 1000)
    t.sends(". 1001:2001(1000) ack 1")


def test_a_window_shrunk_to_nothing_is_probed():  # SHLD-17, MUST-36
    t = established(options="mss 1000", window=4000, rtt=100)
    t.call.send(4000)
    t.pending.clear()
    t.gets(". 1:1(0) ack 1001 win 0")
    t.after(t.connection.deadline() / 1000 - t.now / 1000)  # type: ignore[operator]
    t.sends(". 1001:1002(1) ack 1")
    t.gets(". 1:1(0) ack 1001 win 4000")
    assert sum(segment.length for _, segment in t.pending) >= 1000
    t.pending.clear()


def test_an_ack_beyond_a_shrunken_window_is_taken():  # section 3.8.6: data sent before the shrinking may be taken
    t = established(options="mss 1000", window=4000)
    t.call.send(4000)
    t.pending.clear()
    t.gets(". 1:1(0) ack 1001 win 0")
    t.gets(". 1:1(0) ack 4001 win 4000")
    assert not t.tcb.sent


# --- the window that we offer ---


def test_the_window_closes_as_data_waits_to_be_read():
    t = established(receive_buffer=1000)
    t.gets("P. 1:601(600) ack 1")
    t.sends(". 1:1(0) ack 601 win 400")
    t.gets("P. 601:1001(400) ack 1")
    t.sends(". 1:1(0) ack 1001 win 0")


def test_reading_little_opens_nothing():  # section 3.8.6.2.2: the receiver's silly-window avoidance, MUST-39
    t = established(receive_buffer=1000)
    t.gets("P. 1:1001(1000) ack 1")
    t.sends(". 1:1(0) ack 1001 win 0")
    t.call.receive(499)
    t.silent()
    t.gets("P. 1001:1002(1) ack 1")
    t.sends(". 1:1(0) ack 1001 win 0")


def test_reading_half_of_the_buffer_is_told_at_once():  # min(Fr * RCV.BUFF, Eff.snd.MSS), Fr = 1/2
    t = established(receive_buffer=1000)
    t.gets("P. 1:1001(1000) ack 1")
    t.sends(". 1:1(0) ack 1001 win 0")
    t.call.receive(500)
    t.sends(". 1:1(0) ack 1001 win 500")


def test_reading_one_segment_of_a_large_buffer_is_told():
    t = established(options="mss 1000", receive_buffer=10_000)
    for number in range(10):
        t.gets(f"P. {1 + 1000 * number}:{1001 + 1000 * number}(1000) ack 1")
        t.sends(f". 1:1(0) ack {1001 + 1000 * number}")
    t.call.receive(999)
    t.silent()
    t.call.receive(1)
    t.sends(". 1:1(0) ack 10001 win 1000")


def test_reading_with_an_open_window_tells_nothing():
    t = established()
    for number in range(3):
        t.gets(f"P. {1 + 10 * number}:{11 + 10 * number}(10) ack 1")
        t.sends(f". 1:1(0) ack {11 + 10 * number}")
        t.call.receive()
        t.silent()


@pytest.mark.parametrize(("buffer", "shift"), [(65535, 0), (65536, 1), (131_070, 1), (6 << 20, 7), (1 << 30, 14)])
def test_the_shift_is_the_smallest_that_can_tell_the_buffer(buffer: int, shift: int):  # RFC 7323 2.2
    t = established(options=SCALED, receive_buffer=buffer)
    assert t.tcb.rcv_wscale == shift
    told = t.tcb.rcv_adv - t.tcb.rcv_nxt & 0xFFFFFFFF
    assert told == min(buffer >> shift, 0xFFFF) << shift


def test_room_that_the_scale_cannot_tell_is_not_told():  # RFC 7323 2.3: the field is shifted right, here by 14
    t = established(options=SCALED, receive_buffer=1 << 30, autotuning=True)
    for at in (1, 32769):
        t.gets(f"P. {at}:{at + 32768}(32768) ack 1")
        t.sends(f". 1:1(0) ack {at + 32768}")
    t.call.receive(1460)  # room for a segment; to say so would be to say 0 again, which is a duplicate ACK
    t.silent()
    t.call.receive(16384 - 1460)
    t.sends(". 1:1(0) ack 65537 win 1")


@pytest.mark.parametrize("buffer", [65535, 1 << 30])
def test_a_clamp_below_a_segment_closes_no_window(buffer: int):  # section 3.8.6.2.2, of the RCV.BUFF that is offered
    t = established(options=SCALED, receive_buffer=buffer, window_clamp=1000)
    shift = t.tcb.rcv_wscale
    size, at = max(1000, 1 << shift), 1  # less than one unit cannot be offered
    for _ in range(5):
        t.gets(f"P. {at}:{at + size}({size}) ack 1")
        at += size
        t.sends(f". 1:1(0) ack {at} win {size >> shift}")


def test_rounding_by_the_scale_never_moves_the_edge_back():  # RFC 7323 2.4 (the harness holds every edge)
    t = established(options=SCALED, receive_buffer=1 << 23)
    at = 1
    for size in (1, 126, 127, 128, 129, 1460, 1, 1, 1, 1000):
        t.gets(f"P. {at}:{at + size}({size}) ack 1")
        at += size
        t.sends(f". 1:1(0) ack {at}")


@given(
    st.lists(st.tuples(st.integers(1, 3000), st.integers(0, 5000)), max_size=40),
    st.sampled_from([300, 70_000, 1 << 20]),
)
def test_the_edge_never_moves_back_whatever_comes_and_is_read(steps: list[tuple[int, int]], buffer: int):  # SHLD-14
    t = established(options=SCALED, receive_buffer=buffer)
    at = 1
    for size, read in steps:
        room = t.tcb.rcv_adv - t.tcb.rcv_nxt & 0xFFFFFFFF
        t.gets(f"P. {at}:{at + size}({size}) ack 1")
        t.pending.clear()
        at += min(size, room)
        assert t.tcb.rcv_nxt - t.irs & 0xFFFFFFFF == at
        t.call.receive(read)
        t.pending.clear()
    t.log(100)


def test_a_window_update_of_a_retransmission_counts():  # section 3.8.6: a higher ACK is newer whatever its number
    t = established(window=1000)
    t.call.send(500)
    t.sends("P. 1:501(500) ack 1")
    t.gets("P. 11:21(10) ack 1 win 1000")
    t.sends(". 501:501(0) ack 1")
    t.gets("P. 1:11(10) ack 501 win 2000")
    t.sends(". 501:501(0) ack 21")
    assert t.tcb.snd_wnd == 2000
