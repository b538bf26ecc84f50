"""Every order of closing, with each of its segments lost in turn: RFC 9293 section 3.6."""

from __future__ import annotations

import pytest

from lastack.tcp.presets import RFC9293
from lastack.tcp.states import State
from lastack.tcp.tcb import Reason
from tests.tcp.harness import established, reach


def test_normal_close_active_side():  # Figure 12
    t = established()
    t.call.close()
    t.sends("F. 1:1(0) ack 1")
    t.gets(". 1:1(0) ack 2")
    assert t.state is State.FIN_WAIT_2
    t.gets("F. 1:1(0) ack 2")
    t.sends(". 2:2(0) ack 2")
    t.after(59_999)
    assert t.state is State.TIME_WAIT
    t.after(1)
    assert (t.state, t.tcb.reason) == (State.CLOSED, Reason.FINISHED)


def test_normal_close_passive_side():  # Figure 12
    t = established()
    t.gets("F. 1:1(0) ack 1")
    t.sends(". 1:1(0) ack 2")
    t.call.close()
    t.sends("F. 1:1(0) ack 2")
    t.gets(". 2:2(0) ack 2")
    assert (t.state, t.tcb.reason, t.connection.deadline()) == (State.CLOSED, Reason.FINISHED, None)


def test_simultaneous_close():  # Figure 13
    t = established()
    t.call.close()
    t.sends("F. 1:1(0) ack 1")
    t.gets("F. 1:1(0) ack 1")
    t.sends(". 2:2(0) ack 2")
    assert t.state is State.CLOSING
    t.gets(". 2:2(0) ack 2")
    assert t.state is State.TIME_WAIT


def test_three_segments_close():  # the second and the third in one
    t = established()
    t.call.send(10)
    t.sends("P. 1:11(10) ack 1")
    t.call.close()
    t.sends("F. 11:11(0) ack 1")
    t.gets("F. 1:1(0) ack 12")
    t.sends(". 12:12(0) ack 2")
    assert t.state is State.TIME_WAIT


def test_the_passive_side_closes_at_once():  # its ACK rides on its FIN, had it called within one batch
    t = established()
    t.connection.receive_segment(t.now, t.segment("F. 1:1(0) ack 1"))
    t.call.close()
    t.sends("F. 1:1(0) ack 2")
    assert t.state is State.LAST_ACK


def test_fin_rides_on_the_last_data():
    t = established(window=10)
    t.call.send(15)
    t.sends(". 1:11(10) ack 1")
    t.call.close()
    t.gets(". 1:1(0) ack 11 win 10")
    t.sends("FP. 11:16(5) ack 1")


def test_half_close_goes_on_receiving_and_acknowledging():  # RFC 9293 3.6: "half-closed"
    t = reach(State.FIN_WAIT_2)
    for number in range(5):
        t.gets(f"P. {1 + 10 * number}:{11 + 10 * number}(10) ack 2")
        t.sends(f". 2:2(0) ack {11 + 10 * number}")
    assert t.call.receive() == 50
    t.silent()


def test_the_other_half_goes_on_sending():
    t = reach(State.CLOSE_WAIT)
    t.call.send(10)
    t.sends("P. 1:11(10) ack 2")
    t.gets(". 2:2(0) ack 11")
    t.after(10 * 24 * 3_600_000)
    assert t.state is State.CLOSE_WAIT


def test_the_fin_needs_room_in_the_window():
    t = established(window=10)
    t.call.send(10)
    t.sends("P. 1:11(10) ack 1")
    t.call.close()
    t.silent()
    t.gets(". 1:1(0) ack 11 win 1")
    t.sends("F. 11:11(0) ack 1")


# --- each segment of the close lost ---


@pytest.mark.parametrize("state", [State.FIN_WAIT_1, State.LAST_ACK])
def test_a_lost_fin_goes_again(state: State):
    t = reach(state)
    ack = 2 if state is State.LAST_ACK else 1
    t.after(t.tcb.rto / 1000)
    t.sends(f"F. 1:1(0) ack {ack}")
    t.gets(f". {ack}:{ack}(0) ack 2")
    assert t.state is (State.CLOSED if state is State.LAST_ACK else State.FIN_WAIT_2)


def test_a_lost_ack_of_the_fin_is_sent_for_the_peers_fin_of_again():  # CLOSE-WAIT
    t = reach(State.CLOSE_WAIT)
    t.gets("F. 1:1(0) ack 1")
    t.sends(". 1:1(0) ack 2")


def test_both_fins_cross_and_the_ack_is_lost():
    t = reach(State.CLOSING)
    t.after(t.tcb.rto / 1000)
    t.sends("F. 1:1(0) ack 2")
    t.gets("F. 1:1(0) ack 2")
    t.sends(". 2:2(0) ack 2")
    assert t.state is State.CLOSING
    t.gets(". 2:2(0) ack 2")
    assert t.state is State.TIME_WAIT


def test_the_crossing_fin_comes_again_with_the_ack_of_ours():
    """The retransmitted FIN bears the ACK of our FIN, yet it is not acceptable by Table 6: the bare ACK must come."""
    t = reach(State.CLOSING)
    t.gets("F. 1:1(0) ack 2")
    t.sends(". 2:2(0) ack 2")
    assert t.state is State.CLOSING


def test_a_lost_last_ack_is_sent_again_and_2msl_begins_anew():
    t = reach(State.TIME_WAIT)
    t.after(59_000)
    t.gets("F. 1:1(0) ack 2")
    t.sends(". 2:2(0) ack 2")
    t.after(59_999)
    assert t.state is State.TIME_WAIT
    t.after(1)
    assert t.state is State.CLOSED


def test_lost_text_before_the_fin_goes_again_with_it():
    t = established()
    t.call.send(10)
    t.sends("P. 1:11(10) ack 1")
    t.call.close()
    t.sends("F. 11:11(0) ack 1")
    t.after(t.tcb.rto / 1000)
    t.sends("P. 1:11(10) ack 1")
    t.gets(". 1:1(0) ack 11")
    t.sends("F. 11:11(0) ack 1")
    assert t.state is State.FIN_WAIT_1


@pytest.mark.parametrize(
    ("state", "orphan", "count"),
    [
        (State.FIN_WAIT_1, False, 15),
        (State.FIN_WAIT_1, True, 8),
        (State.LAST_ACK, True, 8),
        (State.CLOSING, True, 8),
    ],
)
def test_a_vanished_peer_is_given_up_at_r2(state: State, orphan: bool, count: int):  # section 3.8.3, MUST-20
    t = reach(state)
    if orphan:
        t.call.leave()
    sent = t.log(10_000_000)
    assert len(sent) == count
    assert all(line.startswith("F. 1:1(0)") for _, line in sent)
    assert (t.state, t.tcb.reason) == (State.CLOSED, Reason.TIMED_OUT)


def test_close_wait_lasts_until_the_user_closes():
    t = reach(State.CLOSE_WAIT)
    t.after(365 * 24 * 3_600_000)
    assert (t.state, t.connection.deadline()) == (State.CLOSE_WAIT, None)


# --- FIN-WAIT-2 ---


def test_fin_wait_2_lasts_while_somebody_holds_it():
    t = reach(State.FIN_WAIT_2)
    t.after(365 * 24 * 3_600_000)
    assert t.state is State.FIN_WAIT_2


@pytest.mark.parametrize("order", ["leave first", "leave later"])
def test_an_orphan_in_fin_wait_2_ends_after_60_s(order: str):  # tcp_fin_timeout
    t = reach(State.FIN_WAIT_1)
    if order == "leave first":
        t.call.leave()
    t.gets(". 1:1(0) ack 2")
    if order == "leave later":
        t.after(5000)
        t.call.leave()
    t.after(59_999)
    assert t.state is State.FIN_WAIT_2
    t.after(1)
    assert (t.state, t.tcb.reason) == (State.CLOSED, Reason.FIN_WAIT_2)


def test_linux_counts_from_the_entry_of_fin_wait_2():
    t = reach(State.FIN_WAIT_2)
    t.call.leave()
    t.after(30_000)
    t.gets(". 1:1(0) ack 2")
    t.after(30_000)
    assert t.state is State.CLOSED


def test_bsd_counts_idle_time_in_fin_wait_2():
    t = reach(State.FIN_WAIT_2, fin_wait_2_timeout=675_000_000, fin_wait_2_counts_idle=True)
    t.call.leave()
    t.after(300_000)
    t.gets(". 1:1(0) ack 2")
    t.after(674_999)
    assert t.state is State.FIN_WAIT_2
    t.after(1)
    assert t.state is State.CLOSED


def test_by_the_letter_fin_wait_2_has_no_timer():
    t = reach(State.FIN_WAIT_2, RFC9293)
    t.call.leave()
    t.after(365 * 24 * 3_600_000)
    assert t.state is State.FIN_WAIT_2


def test_the_fin_of_the_peer_ends_the_fin_wait_2_timer():
    t = reach(State.FIN_WAIT_2)
    t.call.leave()
    t.after(59_999)
    t.gets("F. 1:1(0) ack 2")
    t.sends(". 2:2(0) ack 2")
    t.after(59_999)
    assert t.state is State.TIME_WAIT


# --- data that nobody will read: SHLD-3, RFC 2525 section 2.17 ---


def test_a_close_with_unread_data_is_a_reset():  # MAY-1
    t = established()
    t.gets("P. 1:11(10) ack 1")
    t.sends(". 1:1(0) ack 11")
    t.call.leave()
    t.sends("R. 1:1(0) ack 11")
    assert (t.state, t.tcb.reason) == (State.CLOSED, Reason.DATA_LOST)


@pytest.mark.parametrize("state", [State.FIN_WAIT_1, State.FIN_WAIT_2])
def test_data_that_comes_after_the_close_is_reset(state: State):
    t = reach(state)
    t.call.leave()
    expected = 1 if state is State.FIN_WAIT_1 else 2  # our FIN may not have come: the peer must take the RST as exact
    t.gets(f"P. 1:11(10) ack {expected}")
    t.sends(f"R {expected}:{expected}(0)")
    assert t.state is State.CLOSED


def test_data_that_was_read_and_comes_again_does_not_reset():
    t = established()
    t.gets("P. 1:11(10) ack 1")
    t.sends(". 1:1(0) ack 11")
    t.call.receive()
    t.call.leave()
    t.sends("F. 1:1(0) ack 11")
    t.gets("P. 1:11(10) ack 1")
    t.sends(". 2:2(0) ack 11")
    assert t.state is State.FIN_WAIT_1


@pytest.mark.parametrize("state", [State.CLOSING, State.LAST_ACK])
def test_unread_data_resets_a_peer_that_would_wait_for_our_fin(state: State):  # RFC 2525 section 2.17
    t = established()
    if state is State.CLOSING:
        t.call.close()
        t.sends("F. 1:1(0) ack 1")
    t.gets("FP. 1:11(10) ack 1")
    t.sends(f". {t.tcb.snd_nxt - t.iss & 0xFFFFFFFF}:{t.tcb.snd_nxt - t.iss & 0xFFFFFFFF}(0) ack 12")
    if state is State.LAST_ACK:
        t.call.close()
        t.sends("F. 1:1(0) ack 12")
    assert t.state is state
    t.call.leave()
    t.sends("R. 2:2(0) ack 12")
    assert t.state is State.CLOSED


def test_time_wait_goes_on_when_data_is_left_unread():
    t = established()
    t.call.close()
    t.sends("F. 1:1(0) ack 1")
    t.gets("FP. 1:11(10) ack 2")
    t.sends(". 2:2(0) ack 12")
    t.call.leave()
    assert t.state is State.TIME_WAIT
