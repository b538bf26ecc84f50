"""SEGMENT ARRIVES in a synchronized state, step by step: RFC 9293 section 3.10.7.4 with RFC 5961 and RFC 7323."""

from __future__ import annotations

from errno import ECONNRESET

import pytest

from lastack.tcp.states import State
from lastack.tcp.tcb import Reason
from tests.tcp.harness import Exchange, established, opening, reach

SYNCHRONIZED = [State.ESTABLISHED, State.FIN_WAIT_1, State.FIN_WAIT_2, State.CLOSE_WAIT, State.CLOSING, State.LAST_ACK]
SND_NXT = {State.ESTABLISHED: 1, State.CLOSE_WAIT: 1}
SND_UNA = {State.FIN_WAIT_2: 2}
RCV_NXT = {State.CLOSE_WAIT: 2, State.CLOSING: 2, State.LAST_ACK: 2}
WINDOW = 65535


def nxt(state: State) -> tuple[int, int, str]:
    """RCV.NXT, SND.UNA and the acknowledgment that says nothing but where we are."""
    snd, rcv = SND_NXT.get(state, 2), RCV_NXT.get(state, 1)
    return rcv, SND_UNA.get(state, 1), f". {snd}:{snd}(0) ack {rcv}"


# --- first, check sequence number (Table 6) ---


@pytest.mark.parametrize("state", SYNCHRONIZED)
@pytest.mark.parametrize("offset", [-1, WINDOW, WINDOW + 1, 2**31 - 2])
def test_an_empty_segment_outside_the_window_is_acknowledged(state: State, offset: int):
    t = reach(state)
    at, una, ack = nxt(state)
    at = (at + offset) & 0xFFFFFFFF
    t.gets(f". {at}:{at}(0) ack {una}")
    t.sends(ack)
    assert t.state is state


@pytest.mark.parametrize("offset", [-10, WINDOW, WINDOW + 1, 2**31 - 12])
def test_text_outside_the_window_is_acknowledged_and_dropped(offset: int):  # RFC 7323 5.3 R2
    t = established()
    at = (1 + offset) & 0xFFFFFFFF
    t.gets(f"P. {at}:{at + 10 & 0xFFFFFFFF}(10) ack 1")
    t.sends(". 1:1(0) ack 1")
    assert t.call.receive() == 0


@pytest.mark.parametrize(("offset", "new"), [(-9, 1), (-1, 9)])
def test_text_that_straddles_the_left_edge_is_taken_from_there(offset: int, new: int):
    t = established()
    at = (1 + offset) & 0xFFFFFFFF
    t.gets(f"P. {at}:{at + 10 & 0xFFFFFFFF}(10) ack 1")
    t.sends(f". 1:1(0) ack {1 + new}")
    assert t.tcb.receive_buffer.length == new


def test_text_that_straddles_the_right_edge_is_cut_there_and_loses_its_fin():
    t = established(receive_buffer=1000)
    t.gets("FP. 1:1101(1100) ack 1")
    t.sends(". 1:1(0) ack 1001 win 0")
    assert t.state is State.ESTABLISHED


def test_the_last_octet_of_the_window_is_taken():
    t = established(receive_buffer=1000)
    t.gets("P. 1000:1001(1) ack 1")
    t.sends(". 1:1(0) ack 1")
    assert t.tcb.reassembly is not None and t.tcb.reassembly.length == 1


def full() -> Exchange:
    t = established(receive_buffer=1000)
    t.gets("P. 1:1001(1000) ack 1")
    t.sends(". 1:1(0) ack 1001 win 0")
    return t


@pytest.mark.parametrize("line", ["P. 1001:1011(10) ack 1", "F. 1001:1001(0) ack 1", "FP. 1001:1011(10) ack 1"])
def test_a_closed_window_takes_no_text_and_no_fin(line: str):  # MUST-66 asks for ACK and RST alone
    t = full()
    t.gets(line)
    t.sends(". 1:1(0) ack 1001 win 0")
    assert t.state is State.ESTABLISHED


def test_a_closed_window_takes_acks_and_resets():  # MUST-66
    t = full()
    t.call.send(10)
    t.sends("P. 1:11(10) ack 1001")
    t.gets(". 1001:1001(0) ack 11")
    assert not t.tcb.sent
    t.gets("R 1001:1001(0)")
    assert t.state is State.CLOSED


def test_a_closed_window_takes_the_ack_of_a_segment_with_text():  # MUST-66
    t = full()
    t.call.send(10)
    t.sends("P. 1:11(10) ack 1001")
    t.gets("P. 1001:1011(10) ack 11")
    t.sends(". 11:11(0) ack 1001 win 0")
    assert not t.tcb.sent


def test_a_closed_window_takes_urg():  # MUST-66
    t = full()
    t.gets("U. 1001:1001(0) ack 1 urg 5")
    assert t.tcb.rcv_up is not None


# --- second, check the RST bit ---


@pytest.mark.parametrize("state", SYNCHRONIZED)
def test_a_reset_at_rcv_nxt_ends_the_connection(state: State):  # RFC 5961 3.2, second check
    t = reach(state)
    at, _, _ = nxt(state)
    t.gets(f"R {at}:{at}(0)")
    assert (t.state, t.tcb.reason, t.tcb.error) == (State.CLOSED, Reason.RESET, ECONNRESET)


@pytest.mark.parametrize("state", SYNCHRONIZED)
@pytest.mark.parametrize("offset", [1, WINDOW - 2])
def test_a_reset_elsewhere_in_the_window_is_challenged(state: State, offset: int):  # RFC 5961 3.2, third check
    # RFC 4953 3.1.2
    t = reach(state)
    at, _, ack = nxt(state)
    t.gets(f"R {at + offset}:{at + offset}(0)")
    t.sends(ack)
    assert t.state is state


@pytest.mark.parametrize("state", [State.SYN_RCVD, *SYNCHRONIZED])
@pytest.mark.parametrize("offset", [-1, WINDOW, 2**31])
def test_a_reset_outside_the_window_is_dropped(state: State, offset: int):  # RFC 5961 3.2, first check
    t = reach(state)
    at = (nxt(state)[0] + offset) & 0xFFFFFFFF
    t.gets(f"R {at}:{at}(0)")
    t.silent()
    assert t.state is state


@pytest.mark.parametrize("state", SYNCHRONIZED)
def test_without_rfc_5961_a_reset_in_the_window_ends_it(state: State):  # RFC 793
    t = reach(state, rfc5961_rst=False)
    t.gets("R 65000:65000(0)")
    assert t.state is State.CLOSED


def test_the_answer_to_a_challenge_ends_a_connection_that_the_peer_has_lost():  # RFC 5961 3.2
    t = established()
    t.gets("R 100:100(0)")
    t.sends(". 1:1(0) ack 1")
    t.gets("R 1:1(0)")
    assert t.state is State.CLOSED


# --- fourth, check the SYN bit ---


@pytest.mark.parametrize("state", SYNCHRONIZED)
@pytest.mark.parametrize("seq", [0, 2, 65000, 100_000, 2**31])
@pytest.mark.parametrize("flags", ["S", "S."])
def test_a_syn_gets_a_challenge_ack_whatever_its_number(state: State, seq: int, flags: str):  # RFC 5961 4.2
    t = reach(state)
    t.gets(f"{flags} {seq}:{seq}(0)" + (" ack 1" if flags == "S." else ""))
    t.sends(nxt(state)[2])
    assert t.state is state


def test_without_rfc_5961_a_syn_outside_the_window_is_acknowledged():  # RFC 793
    t = established(rfc5961_syn=False)
    t.gets("S 100000:100000(0)")
    t.sends(". 1:1(0) ack 1")
    assert t.state is State.ESTABLISHED


def test_a_syn_in_syn_received_of_an_active_open_is_challenged():  # "handle per the synchronized states"
    t = reach(State.SYN_SENT)
    t.gets("S 0:0(0)")
    t.sends("S. 0:0(0) ack 1")
    t.gets("S 1:1(0)")
    t.sends(". 1:1(0) ack 1")
    assert t.state is State.SYN_RCVD


# --- fifth, check the ACK field ---


@pytest.mark.parametrize("state", [State.SYN_RCVD, *SYNCHRONIZED])
@pytest.mark.parametrize("flags", ["-", "P", "F"])
def test_a_segment_without_ack_is_dropped(state: State, flags: str):
    t = reach(state)
    at, size = nxt(state)[0], 10 if flags == "P" else 0
    t.gets(f"{flags} {at}:{at + size}({size})")
    t.silent()
    assert t.state is state


@pytest.mark.parametrize("state", SYNCHRONIZED)
def test_an_ack_of_what_was_never_sent_is_answered_and_dropped(state: State):
    t = reach(state)
    at, _, ack = nxt(state)
    t.gets(f"P. {at}:{at + 10}(10) ack 3")
    t.sends(ack)
    assert t.tcb.receive_buffer.length == 0


def test_an_old_ack_within_the_largest_window_is_ignored_and_its_text_taken():  # RFC 5961 5.2, MAY-12
    t = established(window=1000)
    t.call.send(1000)
    t.sends("P. 1:1001(1000) ack 1")
    t.gets(". 1:1(0) ack 1001")
    t.gets("P. 1:11(10) ack 1")
    t.sends(". 1001:1001(0) ack 11")
    assert t.call.receive() == 10


def test_an_older_ack_is_answered_and_its_text_dropped():  # RFC 5961 5.2: SND.UNA - MAX.SND.WND
    t = established(window=1000)
    t.call.send(1000)
    t.sends("P. 1:1001(1000) ack 1")
    t.gets(". 1:1(0) ack 1001")
    t.gets("P. 1:11(10) ack 0")
    t.sends(". 1001:1001(0) ack 1")
    assert t.call.receive() == 0


def test_without_rfc_5961_any_old_ack_is_a_duplicate():  # RFC 793
    t = established(rfc5961_ack=False)
    t.gets("P. 1:11(10) ack 2147483700")
    t.sends(". 1:1(0) ack 11")


def test_an_older_segment_does_not_set_the_window():  # SND.WL1
    t = established()
    t.gets("P. 11:21(10) ack 1 win 500")
    t.sends(". 1:1(0) ack 1")
    t.gets("P. 1:11(10) ack 1 win 9000")
    t.sends(". 1:1(0) ack 21")
    assert t.tcb.snd_wnd == 500


def test_an_older_ack_does_not_set_the_window():  # SND.WL2
    t = established()
    t.call.send(10)
    t.sends("P. 1:11(10) ack 1")
    t.gets(". 1:1(0) ack 11 win 500")
    t.gets(". 1:1(0) ack 1 win 9000")
    assert t.tcb.snd_wnd == 500


# --- sixth to eighth ---


@pytest.mark.parametrize("state", [State.CLOSE_WAIT, State.CLOSING, State.LAST_ACK])
def test_text_and_urg_behind_the_fin_are_ignored(state: State):
    t = reach(state)
    t.gets("PU. 2:12(10) ack 1 urg 3")
    t.silent()
    assert t.tcb.receive_buffer.length == 0 and t.tcb.rcv_up is None


@pytest.mark.parametrize("state", [State.CLOSE_WAIT, State.CLOSING, State.LAST_ACK])
def test_a_fin_that_comes_again_is_acknowledged_and_changes_nothing(state: State):
    t = reach(state)
    t.gets("F. 1:1(0) ack 1")
    t.sends(nxt(state)[2])
    assert t.state is state


def test_the_fin_waits_for_the_text_before_it():  # section 3.10.7.4: segments are processed in SEG.SEQ order
    t = established()
    t.gets("F. 11:11(0) ack 1")
    t.sends(". 1:1(0) ack 1")
    t.gets("P. 1:11(10) ack 1")
    t.sends(". 1:1(0) ack 12")
    assert (t.state, t.call.receive()) == (State.CLOSE_WAIT, 10)


def test_the_fin_waits_for_all_of_the_text_before_it():
    t = established()
    t.gets("F. 21:21(0) ack 1")
    t.sends(". 1:1(0) ack 1")
    t.gets("P. 1:11(10) ack 1")
    t.sends(". 1:1(0) ack 11")
    assert t.state is State.ESTABLISHED
    t.gets("P. 11:21(10) ack 1")
    t.sends(". 1:1(0) ack 22")
    assert t.state is State.CLOSE_WAIT


def test_a_fin_with_text_ahead_of_a_hole():
    t = established()
    t.gets("FP. 11:21(10) ack 1")
    t.sends(". 1:1(0) ack 1")
    t.gets("P. 1:11(10) ack 1")
    t.sends(". 1:1(0) ack 22")
    assert (t.state, t.call.receive()) == (State.CLOSE_WAIT, 20)


def test_text_behind_the_fin_of_the_same_stream_is_not_delivered():
    t = established()
    t.gets("FP. 1:11(10) ack 1")
    t.sends(". 1:1(0) ack 12")
    t.gets("P. 12:22(10) ack 1")
    assert t.call.receive() == 10


def test_a_reset_whose_text_alone_reaches_into_the_window_is_dropped():  # RFC 5961 section 3.2: SEG.SEQ decides
    t = established()
    t.gets("R 4294967293:7(10)")
    t.silent()
    assert t.state is State.ESTABLISHED


def test_a_syn_whose_text_alone_reaches_into_the_window_does_not_end_a_handshake():  # RFC 9293 3.10.7.4, first step
    t = reach(State.SYN_RCVD)
    t.gets("S 4294967293:7(10)")
    t.sends(". 1:1(0) ack 1")
    assert t.state is State.SYN_RCVD


def test_a_reset_with_syn_is_not_moved_into_the_window():  # RFC 5961 section 3.2, in a simultaneous open
    t = opening()
    t.gets("S 0:0(0) <mss 1460>")
    t.sends("S. 0:0(0) ack 1")
    t.gets("SR. 0:0(0) ack 1")
    assert t.state is State.SYN_RCVD
