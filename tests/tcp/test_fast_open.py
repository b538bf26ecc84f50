"""Text on the SYN of an active OPEN: RFC 7413 section 4.2.2. That of a listener's child: test_fast_open_child.py."""

from __future__ import annotations

from typing import Any

import pytest

from lastack.tcp import calls, pmtud
from lastack.tcp.config import DEFAULT
from lastack.tcp.early import NOT_ACKNOWLEDGED, SYN_AGAIN, FastOpen
from lastack.tcp.episode import repairing
from lastack.tcp.states import State
from lastack.wire import options as opt
from tests.tcp.harness import Exchange

COOKIE = bytes.fromhex("abcd1234")
SYN_OPTIONS = "mss 1460,nop,nop,sackOK,nop,wscale 7"
PLAIN = {"timestamps": False}
TEXT = 5


def waiting(most: int = 1420, cookie: bytes | None = COOKIE, **settings: Any) -> Exchange:
    """An active OPEN whose SYN waits for the first SEND."""
    t = Exchange(DEFAULT.having(autotuning=False, **{**PLAIN, **settings}))
    fast = FastOpen(None if cookie is None else opt.FastOpen(cookie), most=most)
    t.step(lambda c, now: calls.open_active(c.tcb, now, t.iss, fast))
    t.silent()
    return t


def sent(size: int = TEXT, **more: Any) -> Exchange:
    """The same, after a SEND of so much."""
    t = waiting(**more)
    t.call.send(size)
    t.sends(f"S 0:{size}({size})")
    return t


def test_the_syn_waits_for_the_first_send_and_bears_its_text():  # RFC 7413 section 4.2.2, client steps 1 and 2
    t = waiting()
    t.after(60_000)
    t.call.send(TEXT)
    t.sends(f"S 0:5(5) <{SYN_OPTIONS},FO abcd1234,nop,nop>")
    assert t.tcb.snd_nxt == (t.iss + 6) & 0xFFFFFFFF
    t.gets("S. 0:0(0) ack 6 <mss 1460>")
    t.sends(". 6:6(0) ack 1")
    assert t.tcb.fast_open is not None and t.tcb.fast_open.done


@pytest.mark.parametrize(
    ("option", "shown"),
    [
        (opt.FastOpen(COOKIE), "FO abcd1234,nop,nop"),
        (opt.FastOpen(bytes(6)), "FO 000000000000"),
        (opt.FastOpen(b""), "FO,nop,nop"),
        (opt.FastOpen(COOKIE, True), "FOEXP abcd1234"),
        (opt.FastOpen(b"", True), "FOEXP"),
    ],
)
def test_the_option_stands_behind_the_others_and_is_filled_up(option: opt.FastOpen, shown: str):  # RFC 7413 4.1.1
    t = Exchange(DEFAULT.having(autotuning=False))
    t.step(lambda c, now: calls.open_active(c.tcb, now, t.iss, FastOpen(option)))
    stamp = f"TS val {t.now // 1000} ecr 0"
    t.sends(f"S 0:0(0) <mss 1460,sackOK,{stamp},nop,wscale 7,{shown}>")


def test_a_cookie_that_finds_no_space_among_the_options_is_not_sent():  # RFC 7413 4.2.2, client step 1 a
    order = ("mss", "timestamps", "sack", "window_scale")
    t = waiting(cookie=bytes(16), timestamps=True, syn_options=order)
    t.call.send(TEXT)
    (syn,) = t.sends("S 0:0(0)")
    assert len(syn.options) == 24
    t.gets("S. 0:0(0) ack 1 <mss 1460>")
    t.sends("P. 1:6(5) ack 1")
    assert t.tcb.counts is not None and t.tcb.counts["limit: option space of a fast open"] == 1


def test_no_more_text_than_may_be_goes_with_the_syn():  # RFC 7413 4.1.3
    t = waiting(most=900)
    t.call.send(2000)
    t.sends("S 0:900(900)")
    t.gets("S. 0:0(0) ack 901 <mss 1460>")
    t.sends("P. 901:2001(1100) ack 1")


def test_text_that_was_not_acknowledged_goes_again_at_once():  # RFC 7413 4.2.2, client: receiving SYN-ACK
    t = sent()
    t.gets("S. 0:0(0) ack 1 <mss 1460>")
    t.sends("P. 1:6(5) ack 1")
    fast = t.tcb.fast_open
    assert fast is not None and (fast.done, fast.failure) == (False, NOT_ACKNOWLEDGED)
    assert t.tcb.congestion.cwnd == 10 * 1460  # it is no sign of congestion
    t.gets(". 1:1(0) ack 6")


def test_the_rest_of_text_that_was_acknowledged_in_part_goes_again():  # RFC 7413 4.2.2
    t = sent(1420)
    t.gets("S. 0:0(0) ack 101 <mss 1000,nop,nop,sackOK>")
    t.sends(". 101:1101(1000) ack 1", "P. 1101:1421(320) ack 1")
    assert t.tcb.fast_open is not None and not t.tcb.fast_open.done
    t.gets(". 1:1(0) ack 1421")
    assert t.tcb.episode is None


def test_a_syn_ack_of_more_than_was_sent_draws_a_rst():  # RFC 9293 3.10.7.3
    t = sent()
    t.gets("S. 0:0(0) ack 7 <mss 1460,FO 11112222,nop,nop>")
    t.sends("R 7:7(0)")
    assert t.state is State.SYN_SENT and t.tcb.fast_open is not None and not t.tcb.fast_open.answered


def test_the_syn_goes_again_without_text_and_option():  # RFC 7413 4.2.2: the client SHOULD retransmit a plain SYN
    t = sent()
    t.after(1000)
    t.sends(f"S 0:0(0) <{SYN_OPTIONS}>")
    t.after(2000)
    t.sends(f"S 0:0(0) <{SYN_OPTIONS}>")
    t.gets("S. 0:0(0) ack 1 <mss 1460>")
    t.sends("P. 1:6(5) ack 1")
    assert t.tcb.fast_open is not None and t.tcb.fast_open.failure == SYN_AGAIN
    assert t.tcb.episode is None and not repairing(t.tcb)  # what went again was no loss of text
    t.gets(". 1:1(0) ack 6")


def test_an_answer_to_the_first_syn_that_comes_late_acknowledges_the_text():  # RFC 7413 4.2.1: a spurious time-out
    t = sent()
    t.after(1000)
    t.sends("S 0:0(0)")
    t.gets("S. 0:0(0) ack 6 <mss 1460,FO 11112222,nop,nop>")
    t.sends(". 6:6(0) ack 1")
    fast = t.tcb.fast_open
    assert fast is not None and (fast.done, fast.late, fast.answer) == (True, True, opt.FastOpen(b"\x11\x11\x22\x22"))


@pytest.mark.parametrize("ack", [6, 4, 1])
def test_the_round_trip_is_measured_from_a_syn_with_text(ack: int):  # RFC 6298 (2.2)
    t = sent()
    t.after(30)
    t.gets(f"S. 0:0(0) ack {ack} <mss 1460>")
    t.sends(*([] if ack < 6 else [". 6:6(0) ack 1"]), *([f"P. {ack}:6({6 - ack}) ack 1"] if ack < 6 else []))
    assert t.tcb.srtt == 30_000


def test_a_syn_with_text_may_cross_another():  # RFC 7413 4.2.2: simultaneous open
    t = sent()
    t.gets("S 0:7(7) <mss 1460,FO 11112222,nop,nop>")
    t.sends("S. 0:0(0) ack 1")
    t.gets("S. 0:0(0) ack 6 <mss 1460>")
    assert t.state is State.ESTABLISHED and t.tcb.fast_open is not None and t.tcb.fast_open.done


def test_a_crossing_syn_may_leave_the_text_to_be_sent_again():  # RFC 7413 4.2.2
    t = sent()
    t.gets("S 0:0(0) <mss 1460>")
    t.sends("S. 0:0(0) ack 1")
    t.gets(". 1:1(0) ack 1 <FO 11112222,nop,nop>")  # no cookie: it has no SYN (RFC 7413 4.1.1)
    t.sends("P. 1:6(5) ack 1")
    assert t.tcb.fast_open is not None and t.tcb.fast_open.answer is None


def test_text_and_a_fin_may_come_with_the_syn_ack():  # RFC 7413 4.2.2, server step 5
    t = sent()
    t.gets("SF. 0:3(3) ack 6 <mss 1460>")
    t.sends(". 6:6(0) ack 5")
    assert (t.state, t.call.receive()) == (State.CLOSE_WAIT, 3)


def test_an_open_without_a_cookie_bears_no_text():  # RFC 7413 4.2.1
    t = Exchange(DEFAULT.having(autotuning=False, **PLAIN))
    t.step(lambda c, now: calls.open_active(c.tcb, now, t.iss, FastOpen(opt.FastOpen(b""))))
    t.sends(f"S 0:0(0) <{SYN_OPTIONS},FO,nop,nop>")
    t.call.send(TEXT)
    t.after(1000)
    t.sends(f"S 0:0(0) <{SYN_OPTIONS}>")  # RECOMMENDED: without the option
    t.gets("S. 0:0(0) ack 1 <mss 1460>")
    t.sends("P. 1:6(5) ack 1")


@pytest.mark.parametrize(("follows", "told"), [(True, 1360), (False, 1460)])
def test_the_syn_that_goes_again_may_tell_what_the_path_takes(follows: bool, told: int):  # RFC 9293 3.7.1; RFC 6691
    t = sent(1420, mss_follows_path=follows)
    t.step(lambda c, now: pmtud.too_big(c.tcb, t.iss, 1400, now))
    t.sends(f"S 0:0(0) <mss {told},nop,nop,sackOK,nop,wscale 7>")


def test_a_syn_that_waits_and_is_closed_never_leaves():
    t = waiting()
    t.call.close()
    t.after(10_000)
    assert t.state is State.CLOSED


@pytest.mark.parametrize(("claimed", "believed"), [(1400, True), (1465, False), (60, False)])
def test_a_syn_too_large_with_its_text_goes_again_without(claimed: int, believed: bool):  # RFC 7413 4.1.3, RFC 1191
    t = sent(1420)
    t.step(lambda c, now: pmtud.too_big(c.tcb, t.iss, claimed, now))
    if believed:
        t.sends("S 0:0(0)")
        t.gets("S. 0:0(0) ack 1 <mss 1460>")
        t.sends(". 1:1361(1360) ack 1", "P. 1361:1421(60) ack 1")
