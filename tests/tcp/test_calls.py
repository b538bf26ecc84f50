"""The user's calls in every state: RFC 9293 sections 3.10.1 to 3.10.6."""

from __future__ import annotations

from errno import EINVAL, EISCONN, ENOTCONN, EPIPE

import pytest

from lastack.tcp.states import SEND_CLOSED, State
from lastack.tcp.tcb import Reason
from tests.tcp.harness import Exchange, established, opening, reach

OPENED = [state for state in State if state not in (State.CLOSED, State.LISTEN)]
RCV_NXT = {State.CLOSE_WAIT: 2}


@pytest.mark.parametrize("state", OPENED)
def test_open_of_an_open_connection_is_refused(state: State):  # 3.10.1: "connection already exists"
    t = reach(state)
    assert t.refuses(OSError, t.call.open) == EISCONN
    assert t.state is state


def test_a_second_passive_open_is_refused():
    t = reach(State.LISTEN)
    assert t.refuses(OSError, lambda: t.call.open(passive=True)) == EISCONN


def test_a_connection_is_used_once():
    t = reach(State.SYN_SENT)
    t.call.close()
    assert t.refuses(OSError, t.call.open) == EISCONN


def test_an_active_open_without_a_remote_socket_is_refused():  # 3.10.1: "remote socket unspecified"
    t = reach(State.CLOSED)
    t.tcb.remote = (bytes(4), 0)
    assert t.refuses(OSError, t.call.open) == EINVAL
    assert t.state is State.CLOSED


@pytest.mark.parametrize("state", [state for state in State if state in SEND_CLOSED])
def test_send_after_the_close_is_refused(state: State):  # 3.10.2: "connection closing", "does not exist"
    t = reach(state)
    if state is State.CLOSED:
        assert t.refuses(OSError, lambda: t.call.send(1)) == ENOTCONN
    else:
        assert t.refuses(BrokenPipeError, lambda: t.call.send(1)) == EPIPE


def test_send_in_listen_without_iss_is_refused():
    t = reach(State.LISTEN)
    assert t.refuses(OSError, lambda: t.step(lambda c, now: c.send(now, b"x"))) == ENOTCONN


@pytest.mark.parametrize("state", [State.ESTABLISHED, State.CLOSE_WAIT])
def test_send_sends(state: State):
    t = reach(state)
    assert t.call.send(10) == 10
    t.sends(f"P. 1:11(10) ack {RCV_NXT.get(state, 1)}")


def test_send_takes_what_there_is_room_for():
    t = established(window=0, send_buffer=100)
    assert t.call.send(70) == 70
    assert t.call.send(70) == 30
    assert t.call.send(70) == 0


def test_send_of_nothing_sends_nothing():
    t = established()
    assert t.call.send(0) == 0
    t.silent()


@pytest.mark.parametrize("state", [State.ESTABLISHED, State.FIN_WAIT_1, State.FIN_WAIT_2])
def test_receive_gives_what_came_in_order(state: State):  # 3.10.3
    t = reach(state)
    nxt = t.tcb.snd_nxt - t.iss & 0xFFFFFFFF
    acked = 1 if state is State.FIN_WAIT_1 else nxt
    t.gets(f"P. 1:11(10) ack {acked}")
    t.sends(f". {nxt}:{nxt}(0) ack 11")
    assert [t.call.receive(4), t.call.receive(100), t.call.receive(1)] == [4, 6, 0]


@pytest.mark.parametrize("state", [State.CLOSED, State.LISTEN, State.SYN_SENT, State.SYN_RCVD, State.TIME_WAIT])
def test_receive_where_nothing_can_be_gives_nothing(state: State):
    assert reach(state).call.receive() == 0


@pytest.mark.parametrize("state", [State.FIN_WAIT_1, State.FIN_WAIT_2, State.CLOSING, State.LAST_ACK, State.TIME_WAIT])
def test_a_second_close_does_nothing(state: State):  # 3.10.4: "connection closing"
    t = reach(state)
    t.call.close()
    t.silent()
    assert t.state is state


def test_close_before_the_syn_is_answered_ends_it():  # 3.10.4, SYN-SENT
    t = reach(State.SYN_SENT)
    t.call.send(10)
    t.call.close()
    assert (t.state, t.tcb.reason, t.tcb.send_buffer.length) == (State.CLOSED, Reason.CLOSED_BEFORE_OPEN, 0)
    t.gets("S. 0:0(0) ack 1")
    t.sends("R 1:1(0)")


def test_close_sends_the_fin_behind_the_queued_data():  # 3.10.4, ESTABLISHED
    t = established(options="mss 1000", window=2000)
    t.call.send(3000)
    t.sends(". 1:1001(1000) ack 1", ". 1001:2001(1000) ack 1")
    t.call.close()
    assert t.state is State.FIN_WAIT_1
    t.silent()
    t.gets(". 1:1(0) ack 2001")
    t.sends("FP. 2001:3001(1000) ack 1")


def test_close_in_syn_received_sends_the_fin_at_once():  # 3.10.4
    t = reach(State.SYN_RCVD)
    t.call.close()
    t.sends("F. 1:1(0) ack 1")
    t.gets(". 1:1(0) ack 1")
    assert t.state is State.FIN_WAIT_1
    t.gets(". 1:1(0) ack 2")
    assert t.state is State.FIN_WAIT_2


def test_close_in_syn_received_with_data_waits_for_established():  # 3.10.4
    t = reach(State.SYN_RCVD)
    t.call.send(10)
    t.call.close()
    assert t.state is State.SYN_RCVD
    assert t.refuses(BrokenPipeError, lambda: t.call.send(1)) == EPIPE
    t.gets(". 1:1(0) ack 1")
    t.sends("FP. 1:11(10) ack 1")
    assert t.state is State.FIN_WAIT_1


def test_close_in_syn_received_and_the_syn_ack_is_lost():  # the SYN goes again, and the FIN behind it
    t = reach(State.SYN_RCVD)
    t.call.close()
    t.sends("F. 1:1(0) ack 1")
    t.after(1000)
    t.sends("S. 0:0(0) ack 1")
    t.gets(". 1:1(0) ack 1")
    t.sends("F. 1:1(0) ack 1")


@pytest.mark.parametrize("state", State)
def test_abort_ends_every_state(state: State):  # 3.10.5
    t = reach(state)
    t.call.abort()
    sent = [segment.flags for _, segment in t.pending]
    t.pending.clear()
    assert t.state is State.CLOSED
    assert bool(sent) == (state.name in ("SYN_RCVD", "ESTABLISHED", "FIN_WAIT_1", "FIN_WAIT_2", "CLOSE_WAIT"))
    t.gets("R 1:1(0)")
    t.after(10_000_000)


def test_abort_flushes_what_waits():  # 3.10.5: "all queued SENDs ... flushed"
    t = established(window=5)
    t.call.send(10)
    t.sends(". 1:6(5) ack 1")
    t.call.abort()
    t.sends("R. 6:6(0) ack 1")
    assert t.tcb.send_buffer.length == 0


@pytest.mark.parametrize("state", State)
def test_status_in_every_state(state: State):  # 3.10.6
    status = reach(state).connection.status()
    assert status["state"] == state.value
    assert status["unread"] == status["unsent"] == 0


def test_status_counts_what_waits():
    t = established(window=5)
    t.call.send(12)
    t.sends(". 1:6(5) ack 1")
    t.gets("P. 1:4(3) ack 1 win 5")
    t.sends(". 6:6(0) ack 4")
    status = t.connection.status()
    assert [status[name] for name in ("unacknowledged", "unsent", "unread", "SND.WND")] == [5, 7, 3, 5]


@pytest.mark.parametrize("line", ["S 0:0(0)", "F 5:5(0)", "- 5:15(10)"])
def test_in_closed_everything_is_reset(line: str):  # 3.10.7.1: no ACK: <SEQ=0><ACK=SEG.SEQ+SEG.LEN>
    t = reach(State.CLOSED)
    t.gets(line)
    ack = {"S": 1, "F": 6, "-": 15}[line[0]]
    t.sends(f"R. {t.zero}:{t.zero}(0) ack {ack}")


def test_in_closed_an_ack_gives_its_number_to_the_reset_and_a_reset_is_dropped():  # 3.10.7.1
    t = reach(State.CLOSED)
    t.gets("SF. 0:10(10) ack 777")
    t.sends("R 777:777(0)")
    t.gets("R 0:0(0)")
    t.gets("R. 0:0(0) ack 1")
    t.silent()


def closed_by_reset() -> Exchange:
    t = established()
    t.gets("P. 1:11(10) ack 1")
    t.sends(". 1:1(0) ack 11")
    t.gets("R 11:11(0)")
    return t


def test_what_came_before_the_end_stays_readable():
    t = closed_by_reset()
    assert (t.state, t.tcb.reason) == (State.CLOSED, Reason.RESET)
    assert t.call.receive() == 10


def test_observer_hears_of_calls_and_timers():
    t = opening()
    t.gets("S. 0:0(0) ack 1 <mss 1460>")
    t.sends(". 1:1(0) ack 1")
    t.call.send(1)
    t.sends("P. 1:2(1) ack 1")
    t.call.close()
    t.sends("F. 2:2(0) ack 1")
    t.log(1000)
    assert t.watch.calls == ["OPEN", "SEND", "CLOSE"]
    assert "retransmission" in t.watch.timers
