"""ACKs that wait for an answer, as on Linux: `lastack.tcp.pingpong`, within RFC 9293 section 3.8.6.3."""

from __future__ import annotations

from typing import Any

import pytest

from tests.tcp.harness import Exchange, established, opening


def conversing(**more: Any) -> Exchange:
    """The user has answered the peer's first text at once."""
    t = established(options="mss 1000", window=60_000, pingpong=True, **more)
    t.gets("P. 1:11(10) ack 1")
    t.sends(". 1:1(0) ack 11")
    t.call.send(5)
    t.sends("P. 1:6(5) ack 11")
    return t


def test_after_an_answer_the_ack_rides_on_the_next():  # MUST-40, SHLD-18
    t = conversing()
    t.gets("P. 11:21(10) ack 6")
    t.silent()
    t.after(30)
    t.call.send(5)
    t.sends("P. 6:11(5) ack 21")
    t.gets(". 21:21(0) ack 11")
    t.after(400)
    t.silent()


def test_without_the_setting_it_is_a_quick_one():
    t = established(options="mss 1000", window=60_000)
    t.gets("P. 1:11(10) ack 1")
    t.sends(". 1:1(0) ack 11")
    t.call.send(5)
    t.sends("P. 1:6(5) ack 11")
    t.gets("P. 11:21(10) ack 6")
    t.sends(". 6:6(0) ack 21")


def test_who_does_not_answer_gets_quick_acks_again():  # MUST-40
    t = conversing()
    t.gets("P. 11:21(10) ack 6")
    t.after(40)
    t.sends(". 6:6(0) ack 21")
    t.gets("P. 21:31(10) ack 6")
    t.sends(". 6:6(0) ack 31")


def test_text_that_comes_again_gets_quick_acks():
    t = conversing()
    t.gets("P. 1:11(10) ack 6")
    t.sends(". 6:6(0) ack 11")
    t.gets("P. 11:21(10) ack 6")
    t.sends(". 6:6(0) ack 21")


def test_what_is_sent_long_after_text_is_no_answer():
    t = established(options="mss 1000", window=60_000, pingpong=True)
    t.gets("P. 1:11(10) ack 1")
    t.sends(". 1:1(0) ack 11")
    t.after(41)
    t.call.send(5)
    t.sends("P. 1:6(5) ack 11")
    t.gets("P. 11:21(10) ack 6")
    t.sends(". 6:6(0) ack 21")


def test_every_second_full_segment_is_acknowledged_at_once_all_the_same():  # SHLD-19
    t = conversing()
    t.gets(". 11:1011(1000) ack 6")
    t.silent()
    t.gets(". 1011:2011(1000) ack 6")
    t.sends(". 6:6(0) ack 2011")


def test_text_that_waited_for_the_handshake_is_an_answer_to_it():
    t = opening(pingpong=True)
    t.call.send(5)
    t.gets("S. 0:0(0) ack 1 win 60000 <mss 1000>")
    t.sends("P. 1:6(5) ack 1")
    t.gets("P. 1:11(10) ack 6")
    t.after(40)
    t.sends(". 6:6(0) ack 11")


def test_there_are_no_more_quick_acks_than_fill_half_the_window():
    t = established(options="mss 1000", window=60_000, pingpong=True, receive_buffer=4_000, autotuning=False)
    for number in range(2):
        t.gets(f". {1 + 600 * number}:{601 + 600 * number}(600) ack 1")
        t.sends(f". 1:1(0) ack {601 + 600 * number}")
    t.gets(". 1201:1801(600) ack 1")
    t.silent()
    t.after(40)
    t.sends(". 1:1(0) ack 1801")


def test_a_steady_pace_is_followed():
    t = conversing(quick_acks=1)  # spent
    for number in range(4):  # a segment every 39 ms, each answered 38 ms later
        t.after(1)
        t.gets(f"P. {11 + 10 * number}:{21 + 10 * number}(10) ack {6 + 5 * number}")
        t.after(38)
        t.call.send(5)
        t.sends(f"P. {6 + 5 * number}:{11 + 5 * number}(5) ack {21 + 10 * number}")
    assert t.tcb.pingpong is not None and t.tcb.pingpong.ato > 60_000


def test_acks_that_nobody_answers_wait_longer_but_no_round_trip():
    t = established(options="mss 1000", window=60_000, pingpong=True, quick_acks=0, rtt=100)
    t.gets("P. 1:11(10) ack 1")
    t.after(40)
    t.sends(". 1:1(0) ack 11")
    t.after(30)
    t.gets("P. 11:21(10) ack 1")
    t.after(100)
    t.sends(". 1:1(0) ack 21")


def test_after_a_long_silence_acks_are_quick_again():  # the peer begins anew with a small window
    t = established(options="mss 1000", window=60_000, pingpong=True)
    for number in range(16):
        t.gets(f"P. {1 + 10 * number}:{11 + 10 * number}(10) ack 1")
        t.sends(f". 1:1(0) ack {11 + 10 * number}")
    t.gets("P. 161:171(10) ack 1")
    t.after(40)
    t.sends(". 1:1(0) ack 171")
    t.after(5000)
    t.gets("P. 171:181(10) ack 1")
    t.sends(". 1:1(0) ack 181")


@pytest.mark.parametrize("text", [100, 0])
def test_the_ack_of_the_peers_end_waits_for_an_answer_too(text: int):  # Linux tcp_fin()
    t = established(options="mss 1000", window=60_000, pingpong=True)
    t.gets("P. 1:11(10) ack 1")
    t.sends(". 1:1(0) ack 11")
    t.gets(f"FP. 11:{11 + text}({text}) ack 1")
    t.after(39)
    t.silent()
    t.after(1)
    t.sends(f". 1:1(0) ack {12 + text}")


@pytest.mark.parametrize("text", [1000, 0])
def test_but_not_where_a_full_segment_waits_or_no_text_ever_came(text: int):
    t = established(options="mss 1000", window=60_000, pingpong=True)
    t.gets(f"FP. 1:{1 + text}({text}) ack 1")
    t.sends(f". 1:1(0) ack {2 + text}")


def test_the_ack_of_an_end_that_was_awaited_goes_at_once():  # FIN-WAIT-2
    t = established(options="mss 1000", window=60_000, pingpong=True)
    t.gets("P. 1:11(10) ack 1")
    t.sends(". 1:1(0) ack 11")
    t.call.close()
    t.sends("F. 1:1(0) ack 11")
    t.gets("F. 11:11(0) ack 2")
    t.sends(". 2:2(0) ack 12")
