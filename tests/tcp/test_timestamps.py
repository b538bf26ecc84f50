"""Timestamps and PAWS: RFC 7323 sections 3 to 5."""

from __future__ import annotations

import pytest

from lastack.tcp.states import State
from tests.tcp.harness import Exchange, established, opening

PAWS_IDLE = 24 * 24 * 3600 * 1000
RECENT = 1000


def stamped(**more: object) -> Exchange:
    """TS.Recent is 1000, and so is our clock."""
    return established(options=f"mss 1460,nop,nop,TS val {RECENT} ecr 1000", quick_acks=0, **more)  # type: ignore[arg-type]


def ts(val: int, ecr: int = 1000) -> str:
    return f"<nop,nop,TS val {val & 0xFFFFFFFF} ecr {ecr}>"


def test_every_segment_bears_the_clock_and_echoes():  # RFC 7323 3.2
    t = stamped()
    t.after(7)
    t.call.send(1)
    t.sends(f"P. 1:2(1) ack 1 {ts(1007, RECENT)}")


@pytest.mark.parametrize("options", ["mss 1460", "mss 1460,nop,wscale 3"])
def test_both_or_none(options: str):  # RFC 7323 3.2
    t = established(options=options)
    t.call.send(1)
    t.sends("P. 1:2(1) ack 1 <>")


@pytest.mark.parametrize(("echo", "ours"), [(999, False), (1000, True), (1020, True), (1021, False), (0, True)])
def test_the_answer_to_our_syn_may_have_to_echo_what_we_sent(echo: int, ours: bool):  # RFC 7323 3.2; Linux
    t = opening(check_echo_of_syn=True)
    t.after(20)
    t.gets(f"S. 0:0(0) ack 1 <mss 1000,nop,nop,TS val 100 ecr {echo}>")
    t.sends(". 1:1(0) ack 1" if ours else "R 1:1(0)")
    assert t.state is (State.ESTABLISHED if ours else State.SYN_SENT)


def test_a_reset_that_echoes_nothing_of_ours_refuses_nothing():  # RFC 9293 3.10.7.3, first: answered by nothing
    t = opening(check_echo_of_syn=True)
    t.gets("R. 0:0(0) ack 1 <nop,nop,TS val 100 ecr 5>")
    t.silent()
    assert t.state is State.SYN_SENT


def test_a_passive_open_takes_them_up_only_when_asked():
    t = opening(passive=True, timestamps=False)
    t.gets("S 0:0(0) <mss 1460,nop,nop,TS val 1 ecr 0>")
    t.sends("S. 0:0(0) ack 1 <mss 1460,nop,wscale 7>" if t.tcb.ws_on else "S. 0:0(0) ack 1 <mss 1460>")


def test_an_older_timestamp_is_answered_and_dropped():  # RFC 7323 5.3 R1
    t = stamped()
    t.gets(f"P. 1:11(10) ack 1 {ts(RECENT - 1)}")
    t.sends(f". 1:1(0) ack 1 {ts(1000, RECENT)}")
    assert t.call.receive() == 0


def test_the_same_timestamp_is_taken():  # RFC 7323 5.3 R4
    t = stamped()
    t.gets(f"P. 1:11(10) ack 1 {ts(RECENT)}")
    t.silent()
    t.after(40)
    t.sends(". 1:1(0) ack 11")


@pytest.mark.parametrize("ahead", [1, 2**31 - 1])
def test_later_timestamps_are_taken_also_across_the_wrap(ahead: int):  # 5.2: signed comparison
    t = stamped()
    t.gets(f"P. 1:11(10) ack 1 {ts(RECENT + ahead)}")
    t.after(40)
    t.sends(f". 1:1(0) ack 11 {ts(1040, RECENT + ahead)}")


def test_the_clock_of_the_peer_wraps():  # 5.2
    t = established(options=f"mss 1460,nop,nop,TS val {2**32 - 5} ecr 1000", quick_acks=0)
    t.gets(f"P. 1:11(10) ack 1 {ts(5)}")
    t.after(40)
    t.sends(f". 1:1(0) ack 11 {ts(1040, 5)}")
    t.gets(f"P. 11:21(10) ack 1 {ts(-1)}")
    t.sends(f". 1:1(0) ack 11 {ts(1040, 5)}")


def test_a_segment_without_a_timestamp_is_dropped_in_silence():  # RFC 7323 3.2: but for a RST
    t = stamped()
    t.gets("P. 1:11(10) ack 1 <>")
    t.silent()
    assert t.call.receive() == 0


def test_a_reset_needs_no_timestamp_and_no_late_one():  # 5.2; RFC 7323 5.3 R1
    t = stamped()
    t.gets("R 1:1(0) <>")
    assert t.state is State.CLOSED
    t = stamped()
    t.gets(f"R 1:1(0) {ts(1)}")
    assert t.state is State.CLOSED


def test_after_24_days_an_older_timestamp_proves_nothing():  # RFC 7323 5.5
    t = stamped()
    t.after(PAWS_IDLE - 1)
    t.gets(f"P. 1:11(10) ack 1 {ts(RECENT - 1)}")
    t.sends(". 1:1(0) ack 1")
    t.after(1)
    t.gets(f"P. 1:11(10) ack 1 {ts(RECENT - 1)}")
    t.after(40)
    t.sends(". 1:1(0) ack 11")


def test_ts_recent_is_of_the_earliest_segment_not_acknowledged():  # (A): delayed ACKs; RFC 7323 4.3 (2)
    t = stamped()
    t.gets(f"P. 1:11(10) ack 1 {ts(1010)}", f"P. 11:21(10) ack 1 {ts(1020)}")
    t.after(40)
    t.sends(f". 1:1(0) ack 21 {ts(1040, 1010)}")


def test_ts_recent_is_not_of_what_lies_ahead_of_a_hole():  # (B); RFC 7323 5.3 R3, RFC 7323 4.3 (2)
    t = stamped()
    t.gets(f"P. 11:21(10) ack 1 {ts(1010)}")
    t.sends(f". 1:1(0) ack 1 {ts(1000, RECENT)}")


def test_ts_recent_is_of_what_fills_the_hole():  # (C); RFC 7323 5.3 R3, RFC 7323 5.3 R5, RFC 7323 4.3 (2)
    t = stamped()
    t.gets(f"P. 11:21(10) ack 1 {ts(1010)}")
    t.sends(". 1:1(0) ack 1")
    t.gets(f"P. 1:11(10) ack 1 {ts(1020)}")
    t.sends(f". 1:1(0) ack 21 {ts(1000, 1020)}")


@pytest.mark.parametrize(
    "line", ["R. 0:10(10) ack 1", "R. 5:5(0) ack 1", "S 1:1(0)", "P. 1:11(10) ack 100000", "P 1:11(10)"]
)
def test_a_blind_segment_does_not_set_ts_recent(line: str):  # 5.3: R3 stands behind the checks (CVE-2005-0356)
    t = stamped()
    t.gets(f"{line} {ts(2**30)}")
    t.pending.clear()
    t.gets(f"P. 1:11(10) ack 1 {ts(RECENT + 1)}")
    t.after(40)
    t.sends(f". 1:1(0) ack 11 {ts(1040, RECENT + 1)}")


def test_a_keep_alive_of_the_peer_keeps_ts_recent_fresh():
    t = stamped()
    t.gets(f". 0:0(0) ack 1 {ts(RECENT + 500)}")
    t.sends(". 1:1(0) ack 1")
    t.gets(f"P. 1:11(10) ack 1 {ts(RECENT + 600)}")
    t.after(40)
    t.sends(f". 1:1(0) ack 11 {ts(1040, RECENT + 600)}")


def test_a_reset_bears_one_too():  # RFC 7323 section 3.2: SHOULD
    t = stamped()
    t.after(50)
    t.call.abort()
    t.sends(f"R. 1:1(0) ack 1 <nop,nop,TS val 1050 ecr {RECENT}>")
