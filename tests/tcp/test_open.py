"""Opening: RFC 9293 sections 3.5, 3.7.1, 3.10.1, 3.10.7.2 and 3.10.7.3; RFC 7323 sections 2.2 and 3.2."""

from __future__ import annotations

from errno import ECONNREFUSED, ETIMEDOUT

import pytest

from lastack.tcp.config import DEFAULT, Config
from lastack.tcp.presets import BSD, LINUX, RFC9293
from lastack.tcp.states import State
from lastack.tcp.tcb import Reason
from tests.tcp.harness import Exchange, established, opening, reach

SYN_OPTIONS = "<mss 1460,sackOK,TS val 1000 ecr 0,nop,wscale 7>"


def syn_at(second: int) -> str:
    return f"S 0:0(0) win 65535 <mss 1460,sackOK,TS val {1000 + 1000 * second} ecr 0,nop,wscale 7>"


def test_an_active_open_sends_a_syn_with_its_options():  # RFC 9293 Figure 6, MUST-14; SHLD-5, MAY-3
    t = reach(State.CLOSED)
    t.call.open()
    t.sends(f"S 0:0(0) win 65535 {SYN_OPTIONS}")


def test_a_syn_without_optional_options():
    t = reach(State.CLOSED, timestamps=False, window_scaling=False, sack=False, mss=1000)
    t.call.open()
    t.sends("S 0:0(0) win 65535 <mss 1000>")


@pytest.mark.parametrize(("version", "mtu", "mss"), [(4, 1500, 1460), (6, 1500, 1440), (4, 576, 536), (6, 1280, 1220)])
def test_the_mss_option_is_the_mtu_less_the_fixed_headers(version: int, mtu: int, mss: int):  # RFC 6691, MUST-67
    # RFC 6691 section 2
    # SHLD-6
    t = reach(State.CLOSED, version=version, mtu=mtu, timestamps=False, window_scaling=False, sack=False)
    t.call.open()
    t.sends(f"S 0:0(0) <mss {mss}>")


@pytest.mark.parametrize(
    ("options", "answer"),
    [
        ("mss 1460", "<mss 1460>"),
        ("mss 1460,nop,wscale 2", "<mss 1460,nop,wscale 7>"),
        ("mss 1460,nop,nop,TS val 5 ecr 0", "<mss 1460,nop,nop,TS val 1000 ecr 5>"),
        ("mss 1460,nop,nop,TS val 5 ecr 0,nop,wscale 0", "<mss 1460,nop,nop,TS val 1000 ecr 5,nop,wscale 7>"),
        ("mss 1460,sackOK,nop,nop", "<mss 1460,nop,nop,sackOK>"),
        ("mss 1460,sackOK,TS val 5 ecr 0", "<mss 1460,sackOK,TS val 1000 ecr 5>"),
        ("unknown 0xfd 0102", "<mss 1460>"),
    ],
)
def test_a_syn_ack_has_what_the_syn_has_asked_for(options: str, answer: str):  # RFC 7323 2.2, 3.2; MUST-5, MUST-6
    # MUST-14
    t = opening(passive=True)
    t.gets(f"S 0:0(0) win 1000 <{options}>")
    t.sends(f"S. 0:0(0) ack 1 win 65535 {answer}")


@pytest.mark.parametrize(("version", "mss"), [(4, 536), (6, 1220)])
def test_without_an_mss_option_the_default_holds(version: int, mss: int):  # MUST-15
    t = established(options="", version=version)
    t.call.send(2 * mss)
    t.sends(f". 1:{mss + 1}({mss}) ack 1", f"P. {mss + 1}:{2 * mss + 1}({mss}) ack 1")


def test_the_effective_mss_leaves_room_for_the_timestamp():  # MUST-16: Eff.snd.MSS
    t = established(options="mss 1000,nop,nop,TS val 5 ecr 1000")
    t.call.send(988)
    t.sends("P. 1:989(988) ack 1")
    t.call.send(989)
    t.sends(". 989:1977(988) ack 1", "P. 1977:1978(1) ack 1")


def test_a_larger_mss_than_the_path_takes_is_not_used():  # MUST-16
    t = established(options="mss 9000", mtu=1000)
    t.call.send(2000)
    t.sends(". 1:961(960) ack 1", ". 961:1921(960) ack 1", "P. 1921:2001(80) ack 1")


def test_a_window_scale_over_14_is_14():  # RFC 7323 2.3
    t = established(options="mss 1460,nop,wscale 200", window=0, initial_window_segments=20)
    t.call.send(20000)
    t.gets(". 1:1(0) ack 1 win 1")
    assert sum(segment.length for _, segment in t.pending) == 11 * 1460
    t.pending.clear()


def test_the_window_of_a_syn_is_not_scaled():  # RFC 7323 2.2
    t = opening()
    t.gets("S. 0:0(0) ack 1 win 10 <mss 1460,nop,wscale 7>")
    t.sends(". 1:1(0) ack 1")
    t.call.send(11)
    t.sends(". 1:11(10) ack 1")


def test_a_passive_open_waits_for_the_ack_of_its_syn():
    t = opening(passive=True)
    t.gets("S 0:0(0) <mss 1460>")
    t.sends("S. 0:0(0) ack 1")
    assert t.state is State.SYN_RCVD
    t.gets(". 1:1(0) ack 1")
    assert t.state is State.ESTABLISHED


def test_text_on_the_final_ack_is_taken():  # section 3.10.7.4, fifth step continues
    t = reach(State.SYN_RCVD)
    t.gets("P. 1:11(10) ack 1")
    t.sends(". 1:1(0) ack 11")
    assert t.call.receive() == 10


def test_text_on_a_syn_is_sent_again_and_taken_once():  # section 3.4: the SYN alone may be acknowledged
    t = opening(passive=True)
    t.gets("S 0:10(10) <mss 1460>")
    t.sends("S. 0:0(0) ack 1")
    t.gets("P. 1:11(10) ack 1")
    t.sends(". 1:1(0) ack 11")
    assert t.call.receive() == 10


def test_text_on_a_syn_ack_is_taken():  # section 3.10.7.3: it lies in the window that our SYN has offered
    t = opening()
    t.gets("S. 0:10(10) ack 1 <mss 1460>")
    t.sends(". 1:1(0) ack 11")
    assert t.call.receive() == 10


def test_a_fin_on_a_syn_ack_is_taken():  # section 3.10.7.3: "other controls"
    t = opening()
    t.gets("SF. 0:0(0) ack 1 <mss 1460>")
    t.sends(". 1:1(0) ack 2")
    assert t.state is State.CLOSE_WAIT


def test_simultaneous_open():  # Figure 7, MUST-10
    t = opening()
    t.gets("S 0:0(0) <mss 1460>")
    t.sends("S. 0:0(0) ack 1")
    assert t.state is State.SYN_RCVD
    t.gets(". 1:1(0) ack 1")
    assert t.state is State.ESTABLISHED


def test_the_crossing_syn_ack_of_a_simultaneous_open():  # Figure 8: SEQ=IRS, which Table 6 alone would refuse
    t = opening()
    t.gets("S 0:0(0) <mss 1460>")
    t.sends("S. 0:0(0) ack 1")
    t.gets("S. 0:0(0) ack 1 <mss 1460>")
    assert t.state is State.ESTABLISHED


def test_the_crossing_syn_ack_may_be_acknowledged_as_what_came_twice():  # RFC 9293 3.10.7.4, first; RFC 2883 section 4
    t = opening(acknowledge_crossing_syn_ack=True, timestamps=False)
    t.gets("S 0:0(0) <mss 1460,sackOK>")
    t.sends("S. 0:0(0) ack 1")
    t.gets("S. 0:0(0) ack 1 <mss 1460,sackOK>")
    t.sends(". 1:1(0) ack 1 <nop,nop,sack 0:1>")
    assert t.state is State.ESTABLISHED


@pytest.mark.parametrize("second", ["S. 0:0(0) ack 1 <mss 1460>", ". 1:1(0) ack 1"])
def test_a_simultaneous_open_in_one_batch_owes_its_ack(second: str):  # section 3.10.7.3, fourth step
    t = opening()
    t.gets("S 0:0(0) <mss 1460>", second)
    t.sends(". 1:1(0) ack 1")
    assert t.state is State.ESTABLISHED


def test_a_simultaneous_open_before_our_syn_has_left():
    t = reach(State.CLOSED)
    t.connection.open(t.now, t.iss)
    t.gets("S 0:0(0) <mss 1460>")
    t.sends("S. 0:0(0) ack 1")


@pytest.mark.parametrize("ack", [0, 2, 100_000, 2**31])
def test_an_unacceptable_ack_in_syn_sent_is_reset(ack: int):  # section 3.10.7.3, first step
    t = opening()
    t.gets(f"S. 0:0(0) ack {ack} <mss 1460>")
    t.sends(f"R {ack}:{ack}(0)")
    t.gets(f". 0:0(0) ack {ack}")
    t.sends(f"R {ack}:{ack}(0)")
    assert t.state is State.SYN_SENT


def test_a_reset_with_our_ack_refuses_the_connection():  # section 3.10.7.3, second step
    t = opening()
    t.gets("R. 0:0(0) ack 1")
    assert (t.state, t.tcb.error, t.tcb.reason) == (State.CLOSED, ECONNREFUSED, Reason.REFUSED)


@pytest.mark.parametrize(
    "line", ["R 0:0(0)", "R. 0:0(0) ack 0", "R. 0:0(0) ack 2", ". 0:0(0) ack 1", "- 0:0(0)", "F 0:0(0)"]
)
def test_what_says_nothing_in_syn_sent_is_dropped(line: str):  # section 3.10.7.3: second and fifth step
    t = opening()
    t.gets(line)
    t.silent()
    assert t.state is State.SYN_SENT


def test_a_reset_in_listen_is_ignored_and_an_ack_is_reset():  # section 3.10.7.2
    t = opening(passive=True)
    t.gets("R 0:0(0)")
    t.silent()
    t.gets(". 0:0(0) ack 77")
    t.sends("R 77:77(0)")
    t.gets("S. 0:0(0) ack 77")
    t.sends("R 77:77(0)")
    t.gets("F 0:0(0)")
    assert t.state is State.LISTEN


def test_a_syn_that_comes_twice_is_answered_again():
    t = reach(State.SYN_RCVD)
    t.gets("S 0:0(0) <mss 1460>")
    t.sends("S. 0:0(0) ack 1")


def test_a_syn_with_text_that_comes_twice_is_answered_again():  # section 3.10.7.4: the SYN lies outside the window
    t = opening(passive=True)
    for _ in range(2):
        t.gets("S 0:10(10) <mss 1460>")
        t.sends("S. 0:0(0) ack 1")
    assert t.state is State.SYN_RCVD


def test_a_syn_that_comes_twice_at_once_is_answered_once():
    t = opening(passive=True)
    t.gets("S 0:0(0) <mss 1460>", "S 0:0(0) <mss 1460>")
    t.sends("S. 0:0(0) ack 1")


def test_back_in_listen_the_next_syn_is_answered():  # section 3.10.7.4, second step; MUST-11
    t = reach(State.SYN_RCVD)
    t.gets("R 1:1(0)")
    assert t.state is State.LISTEN
    t.gets("S 0:0(0) <mss 1460>")
    t.sends("S. 0:0(0) ack 1")


@pytest.mark.parametrize("ack", [0, 2, 2**31])
def test_a_wrong_ack_in_syn_received_is_reset(ack: int):  # section 3.10.7.4, fifth step
    t = reach(State.SYN_RCVD)
    t.gets(f". 1:1(0) ack {ack}")
    t.sends(f"R {ack}:{ack}(0)")
    assert t.state is State.SYN_RCVD


def test_old_duplicate_syn():  # Figure 9: the acknowledgment of what was never sent is reset, and the real one goes on
    t = opening()
    t.gets("S. 0:0(0) ack 900 <mss 1460>")
    t.sends("R 900:900(0)")
    t.gets("S. 0:0(0) ack 1 <mss 1460>")
    t.sends(". 1:1(0) ack 1")


def test_a_half_open_connection_is_found_by_its_peer():  # Figure 10
    t = opening()
    t.gets(". 0:0(0) ack 300")
    t.sends("R 300:300(0)")
    t.after(1000)
    t.sends("S 0:0(0)")


@pytest.mark.parametrize(
    ("config", "at", "end"),
    [
        (LINUX, [1, 3, 7, 15, 31, 63], 127),
        (RFC9293, [1, 3, 7, 15, 31, 63, 123], 183),
    ],
)
def test_a_syn_goes_again_and_is_given_up_at_the_exact_time(config, at: list[int], end: int):  # MUST-23; MUST-22
    # RFC 6298 (2.1)
    t = opening(config)
    assert t.log(1000 * end - 1) == [(1000.0 * one, syn_at(one)) for one in at]
    assert t.state is State.SYN_SENT
    assert t.log(1) == []
    assert (t.state, t.tcb.error, t.tcb.reason) == (State.CLOSED, ETIMEDOUT, Reason.TIMED_OUT)


def test_a_syn_is_tried_for_three_minutes_at_least():  # MUST-23
    t = opening()
    t.log(180_000)
    assert t.state is State.SYN_SENT


@pytest.mark.parametrize(("config", "end"), [(DEFAULT, 247), (RFC9293, 183), (LINUX, 63), (BSD, 15)])
def test_a_syn_ack_goes_again_and_is_given_up(config: Config, end: int):  # MUST-23; tcp_synack_retries, rexmtlimit
    # RFC 4987 3.3
    t = reach(State.SYN_RCVD, config)
    times = [at for at, line in t.log(end * 1000 - 1) if line.startswith("S. 0:0(0) ack 1")]
    assert times[:3] == [1000.0, 3000.0, 7000.0]
    t.log(1)
    assert t.state is State.CLOSED


def test_crossing_syns_too_are_tried_for_three_minutes():  # MUST-23
    t = opening()
    t.log(40_000)
    t.gets("S 0:0(0) <mss 1460>")
    t.sends("S. 0:0(0) ack 1")
    assert t.log(140_000)
    assert t.state is State.SYN_RCVD


def test_after_a_lost_syn_the_first_window_is_one_segment():  # RFC 5681 3.1
    t = opening()
    t.after(1000)
    t.sends("S 0:0(0)")
    t.gets("S. 0:0(0) ack 1 <mss 1000>")
    t.sends(". 1:1(0) ack 1")
    t.call.send(5000)
    t.sends(". 1:1001(1000) ack 1")


def test_after_a_lost_syn_ack_the_first_window_is_one_segment():  # RFC 5681 3.1
    t = opening(passive=True)
    t.gets("S 0:0(0) <mss 1000>")
    t.sends("S. 0:0(0) ack 1")
    t.after(1000)
    t.sends("S. 0:0(0) ack 1")
    t.gets(". 1:1(0) ack 1")
    t.call.send(5000)
    t.sends(". 1:1001(1000) ack 1")


def rto_is(t: Exchange, ms: float) -> None:
    """One byte that is never acknowledged goes again after this time."""
    t.call.send(1)
    t.sends("P. 1:2(1) ack 1")
    t.after(ms)
    t.sends("P. 1:2(1) ack 1")


def test_after_a_lost_syn_the_rto_is_three_seconds():  # RFC 6298 (5.7), although 300 ms were measured
    t = opening()
    t.after(1000)
    t.sends("S 0:0(0)")
    t.after(100)
    t.gets("S. 0:0(0) ack 1 <mss 1460,nop,nop,TS val 100 ecr 2000>")
    t.sends(". 1:1(0) ack 1")
    rto_is(t, 3000)


@pytest.mark.parametrize("lost", [1, 2, 3])
def test_without_timestamps_too_however_many_syns_were_lost(lost: int):  # RFC 6298 (5.7): 3 seconds, not backed off
    t = opening()
    for doublings in range(lost):
        t.after(1000 << doublings)
        t.sends("S 0:0(0)")
    t.gets("S. 0:0(0) ack 1 <mss 1460>")
    t.sends(". 1:1(0) ack 1")
    rto_is(t, 3000)


def test_after_a_simultaneous_open_the_rto_is_as_measured():  # RFC 6298 (5.7) asks for a timer that has expired
    t = opening()
    t.gets("S 0:0(0) <mss 1460>")
    t.sends("S. 0:0(0) ack 1")
    t.after(100)
    t.gets(". 1:1(0) ack 1")
    rto_is(t, 300)


def test_after_a_syn_that_came_twice_the_rto_is_the_initial_one():  # RFC 6298 (5.7), and (3): nothing to measure
    t = reach(State.SYN_RCVD)
    t.gets("S 0:0(0) <mss 1460>")
    t.sends("S. 0:0(0) ack 1")
    t.after(100)
    t.gets(". 1:1(0) ack 1")
    rto_is(t, 1000)


@pytest.mark.parametrize("way", ["active", "passive"])
def test_what_was_sent_before_the_handshake_follows_it(way: str):  # section 3.10.2: SYN-SENT, SYN-RECEIVED: queue
    t = reach(State.SYN_SENT if way == "active" else State.SYN_RCVD)
    t.call.send(10)
    t.silent()
    if way == "active":
        t.gets("S. 0:0(0) ack 1 <mss 1460>")
        t.sends("P. 1:11(10) ack 1")
    else:
        t.gets(". 1:1(0) ack 1")
        t.sends("P. 1:11(10) ack 1")
