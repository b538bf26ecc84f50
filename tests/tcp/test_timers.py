"""Keep-alive, user timeout and soft errors: RFC 9293 sections 3.8.3, 3.8.4 and 3.10.8, RFC 5482."""

from __future__ import annotations

from errno import ETIMEDOUT

import pytest

from lastack.tcp.states import State
from lastack.tcp.tcb import Reason
from tests.tcp.harness import Exchange, established, opening, reach

HOUR = 3_600_000


def alive(**more: object) -> Exchange:
    return established(keepalive=True, **more)  # type: ignore[arg-type]


def test_keep_alive_is_off_unless_asked_for():  # MUST-25
    t = established()
    t.after(1000 * HOUR)
    assert t.connection.deadline() is None


def test_the_first_probe_comes_after_two_hours():  # MUST-28; MAY-5, SHLD-12
    t = alive()
    t.after(2 * HOUR)
    t.sends(". 0:0(0) ack 1")  # SEG.SEQ = SND.NXT-1, no text (SHLD-12)


def test_an_answer_begins_the_two_hours_anew():  # MUST-26
    t = alive()
    for _ in range(3):
        t.after(2 * HOUR)
        t.sends(". 0:0(0) ack 1")
        t.gets(". 1:1(0) ack 1")


def test_nine_unanswered_probes_end_the_connection_at_the_exact_time():  # MUST-29: one alone must not; MAY-5
    t = alive()
    times = [at for at, _ in t.log(2 * HOUR + 9 * 75_000 - 1)]
    assert times == [2.0 * HOUR + 75_000 * number for number in range(9)]
    assert t.state is State.ESTABLISHED
    t.after(1)
    t.sends("R. 1:1(0) ack 1")
    assert (t.state, t.tcb.reason, t.tcb.error) == (State.CLOSED, Reason.KEEPALIVE, ETIMEDOUT)


def test_settings_of_the_probes():  # MUST-27
    t = alive(keepalive_idle=10_000_000, keepalive_interval=3_000_000, keepalive_probes=2)
    assert [at for at, _ in t.log(16_000)] == [10_000.0, 13_000.0, 16_000.0]
    assert t.state is State.CLOSED


def test_what_is_received_puts_the_probe_off():
    t = alive()
    t.after(1 * HOUR)
    t.gets("P. 1:11(10) ack 1")
    t.sends(". 1:1(0) ack 11")
    t.after(2 * HOUR)
    t.sends(". 0:0(0) ack 11")


def test_no_probe_while_something_is_outstanding():  # MUST-26: R2 is in charge
    t = alive(keepalive_idle=1_000_000, rtt=900)
    t.call.send(1)
    t.sends("P. 1:2(1) ack 1")
    assert [line for _, line in t.log(30_000) if line.startswith(". 0:")] == []


@pytest.mark.parametrize("state", [State.FIN_WAIT_2, State.CLOSE_WAIT])
def test_a_half_closed_connection_is_probed_too(state: State):
    t = reach(state, keepalive=True)
    t.after(2 * HOUR)
    t.sends(". 1:1(0) ack 1" if state is State.FIN_WAIT_2 else ". 0:0(0) ack 2")


def test_time_wait_is_not_probed():
    t = reach(State.TIME_WAIT, keepalive=True, keepalive_idle=1_000_000)
    t.after(60_000)
    assert t.state is State.CLOSED


@pytest.mark.parametrize("number", [0, 1])
def test_a_probe_of_the_peer_is_answered(number: int):  # with and without its octet of garbage (RFC 9293 3.8.4)
    t = established()
    t.gets(f". 0:{number}({number}) ack 1")
    t.sends(". 1:1(0) ack 1")
    assert t.call.receive() == 0


# --- user timeout ---


@pytest.mark.parametrize("timeout", [5, 30, 1000])
def test_the_user_timeout_ends_at_its_exact_time(timeout: int):  # RFC 5482 section 3, RFC 9293 3.10.8
    t = established(user_timeout=timeout * 1_000_000)
    t.after(777)
    t.call.send(1)
    t.sends("P. 1:2(1) ack 1")
    t.log(timeout * 1000 - 1)
    assert t.state is State.ESTABLISHED
    t.log(1)
    assert (t.state, t.tcb.reason, t.tcb.error) == (State.CLOSED, Reason.USER_TIMEOUT, ETIMEDOUT)


def test_each_acknowledgment_begins_it_anew():  # RFC 5482 section 3
    t = established(user_timeout=10_000_000)
    t.call.send(2)
    t.sends("P. 1:3(2) ack 1")
    t.log(9_999)
    t.gets(". 1:1(0) ack 2")
    t.log(9_999)
    assert t.state is State.ESTABLISHED
    t.log(1)
    assert t.state is State.CLOSED


def test_it_does_not_run_while_nothing_waits():
    t = established(user_timeout=10_000_000)
    t.call.send(1)
    t.sends("P. 1:2(1) ack 1")
    t.gets(". 1:1(0) ack 2")
    t.after(1_000_000)
    assert t.state is State.ESTABLISHED


def test_it_bounds_the_opening_too():
    t = opening(user_timeout=5_000_000)
    t.log(4_999)
    assert t.state is State.SYN_SENT
    t.log(1)
    assert (t.state, t.tcb.reason) == (State.CLOSED, Reason.USER_TIMEOUT)


def test_it_runs_while_a_closed_window_is_not_answered():
    t = established(window=0, user_timeout=5_000_000)
    t.call.send(1)
    t.log(5_000)
    assert t.state is State.CLOSED


def answers_each_probe(**settings: object) -> Exchange:
    """A closed window, data that waits, and a user timeout of 5 s; time stands a moment before it."""
    t = established(window=0, user_timeout=5_000_000, **settings)
    t.call.send(1)
    for _ in range(5):
        t.log(999.9)
        t.gets(". 1:1(0) ack 1 win 0")
    assert t.state is State.ESTABLISHED
    return t


def test_it_ends_a_closed_window_also_where_that_is_answered():  # Linux; RFC 6429: as the application wants it
    t = answers_each_probe()
    t.log(0.5)
    assert (t.state, t.tcb.reason) == (State.CLOSED, Reason.USER_TIMEOUT)


def test_by_the_letter_it_does_not():  # RFC 9293 3.8.6.1 MUST-37
    t = answers_each_probe(user_timeout_in_persist=False)
    for _ in range(20):
        t.log(3_000)
        t.gets(". 1:1(0) ack 1 win 0")
    assert t.state is State.ESTABLISHED


def test_without_it_a_closed_window_may_last():  # RFC 9293 3.8.6.1 MUST-37
    t = established(window=0)
    t.call.send(1)
    for _ in range(100):
        t.log(100_000)
        t.gets(". 1:1(0) ack 1 win 0")
    assert t.state is State.ESTABLISHED


@pytest.mark.parametrize(("timeout", "ends"), [(10, 12), (11.5, 12), (25, 27), (31, 33)])
def test_with_keepalive_it_takes_the_place_of_the_number_of_probes(timeout: float, ends: float):
    """As Linux: what is counted is the time since the peer was heard, looked at when a probe is due (RFC 5482)."""
    t = alive(
        keepalive_idle=9_000_000,
        keepalive_interval=3_000_000,
        keepalive_probes=2,
        user_timeout=round(timeout * 1_000_000),
    )
    t.log(ends * 1000 - 0.001)
    assert t.state is State.ESTABLISHED
    t.log(0.001)
    assert (t.state, t.tcb.reason) == (State.CLOSED, Reason.KEEPALIVE)
    t.pending.clear()


def test_a_longer_user_timeout_outlasts_r2():  # section 3.8.3 (a): R2 is then a time
    t = established(user_timeout=3_000_000_000, r2_retransmissions=3)
    t.call.send(1)
    t.sends("P. 1:2(1) ack 1")
    t.log(2_999_999)
    assert t.state is State.ESTABLISHED
