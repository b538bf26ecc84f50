"""A listener's child whose SYN bears text and a good cookie: RFC 7413 section 4.2.2, the server's side."""

from __future__ import annotations

from errno import ECONNRESET
from typing import Any

from lastack.tcp import calls
from lastack.tcp.config import DEFAULT, SECOND
from lastack.tcp.early import FastOpen
from lastack.tcp.presets import RFC9293
from lastack.tcp.states import Event, State
from lastack.wire import options as opt
from tests.tcp.harness import Exchange
from tests.tcp.test_fast_open import COOKIE, PLAIN, TEXT


def child(line: str = f"S 0:{TEXT}({TEXT}) win 10000 <mss 1000>", **settings: Any) -> Exchange:
    """A listener's child whose cookie was found good, by this SYN."""
    config = settings.pop("config", DEFAULT)
    t = Exchange(config.having(autotuning=False, **settings))
    t.call.open(passive=True)
    t.tcb.fast_open = FastOpen(opened=True)
    t.gets(line)
    return t


def received(**settings: Any) -> Exchange:
    t = child(**settings)
    t.sends(f"S. 0:0(0) ack {TEXT + 1}")
    assert t.call.receive() == TEXT
    t.silent()  # no update of the window before the handshake is over
    return t


def test_the_text_of_the_syn_is_read_and_answered_before_the_handshake_is_over():  # RFC 7413 4.2.2, server steps 4, 5
    t = received()
    assert t.state is State.SYN_RCVD
    t.call.send(100)
    t.sends("P. 1:101(100) ack 6")
    t.gets(". 6:6(0) ack 101")
    assert t.state is State.ESTABLISHED and not t.tcb.sent


def test_its_text_takes_nothing_of_the_first_window():  # RFC 9293 3.8.6
    t = Exchange(DEFAULT.having(receive_buffer_initial=10_000, **PLAIN))
    t.call.open(passive=True)
    t.tcb.fast_open = FastOpen(opened=True)
    t.gets("S 0:1000(1000) <mss 1000>")
    t.sends("S. 0:0(0) ack 1001 win 10000")
    assert t.tcb.rcv_buf == 11_000


def test_only_the_option_of_a_fresh_cookie_stands_on_the_first_syn_ack():  # RFC 7413 4.2.1, 4.2.2 step 5
    t = Exchange(DEFAULT.having(autotuning=False, **PLAIN))
    t.call.open(passive=True)
    t.tcb.fast_open = FastOpen(opt.FastOpen(COOKIE))
    t.gets("S 0:5(5) <mss 1460>")
    t.sends("S. 0:0(0) ack 1 <mss 1460,FO abcd1234,nop,nop>")
    t.after(1000)
    t.sends("S. 0:0(0) ack 1 <mss 1460>")


def test_a_syn_without_text_is_enough():  # RFC 7413 4.2.2
    t = child("S 0:0(0) <mss 1460>")
    t.sends("S. 0:0(0) ack 1")
    t.call.send(TEXT)
    t.sends("P. 1:6(5) ack 1")
    assert t.tcb.fast_open is not None and not t.tcb.fast_open.done


def test_the_whole_window_and_initial_window_are_for_text():  # RFC 7413 4.2.2, server step 6: RFC 5681
    t = received()
    t.call.send(20_000)
    t.sends(*(f". {at}:{at + 1000}(1000) ack 6" for at in range(1, 9001, 1000)), ". 9001:10001(1000) ack 6")
    t.gets(". 6:6(0) ack 10001 win 0")
    assert t.tcb.congestion.cwnd > 10_000  # acknowledged with the SYN, it opens the window as any other text
    t = received(config=RFC9293)
    t.call.send(20_000)
    assert sum(segment.length for _, segment in t.pending) == 4000
    t.pending.clear()


def test_plain_nagle_does_not_wait_for_the_ack_of_the_syn():  # RFC 9293 SHLD-7
    t = received(config=RFC9293)
    t.call.send(TEXT)
    t.sends("P. 1:6(5) ack 6")


def test_after_a_time_out_only_the_syn_ack_goes_again():  # RFC 7413 4.2.2: with neither data nor Fast Open options
    t = received()
    t.call.send(TEXT)
    t.sends("P. 1:6(5) ack 6")
    t.after(1000)
    t.sends("S. 0:0(0) ack 6")
    t.call.send(1000)
    t.gets(". 6:6(0) ack 1")
    t.sends("P. 1:6(5) ack 6")
    t.gets(". 6:6(0) ack 6")
    t.sends("P. 6:1006(1000) ack 6")


def test_a_repeated_syn_is_answered_by_the_same_syn_ack():  # RFC 9293 3.10.7.4
    t = received()
    t.gets("S 0:5(5) <mss 1000>")
    t.sends("S. 0:0(0) ack 6")
    t.call.close()
    t.sends("F. 1:1(0) ack 6")
    t.gets("S 0:5(5) <mss 1000>")
    t.sends("S. 0:0(0) ack 6")
    assert t.state is State.FIN_WAIT_1
    t.gets(". 6:6(0) ack 2")
    assert t.state is State.FIN_WAIT_2


def test_a_fin_with_the_syn_is_taken():  # RFC 9293 3.10.7.4, eighth step
    t = child("SF 0:5(5) <mss 1460>")
    t.sends("S. 0:0(0) ack 7")
    assert (t.state, t.call.receive()) == (State.CLOSE_WAIT, TEXT)
    t.after(1000)
    t.sends("S. 0:0(0) ack 7")
    t.call.close()
    t.sends("F. 1:1(0) ack 7")
    t.gets(". 7:7(0) ack 2")
    assert t.state is State.CLOSED


def test_close_before_the_handshake_is_over_sends_what_is_queued_and_the_fin():  # RFC 9293 3.10.4
    t = received()
    t.call.send(1500)
    t.sends(". 1:1001(1000) ack 6", "P. 1001:1501(500) ack 6")
    t.call.close()
    t.sends("F. 1501:1501(0) ack 6")
    assert (t.state, t.edges[-1]) == (State.FIN_WAIT_1, (State.SYN_RCVD, Event.CLOSE))


def test_a_rst_ends_it_and_leaves_the_text_to_be_read():  # RFC 9293 MUST-11; RFC 7413 4.2.2
    t = child()
    t.sends("S. 0:0(0) ack 6")
    t.gets("R 6:6(0)")
    assert (t.state, t.tcb.error, t.call.receive()) == (State.CLOSED, ECONNRESET, TEXT)


def test_a_syn_in_its_window_is_challenged():  # RFC 5961 section 4.2: its user has the connection already
    t = received()
    t.gets("S 50:50(0)")
    t.sends(". 1:1(0) ack 6")
    assert t.state is State.SYN_RCVD


def test_the_ack_of_the_syn_may_tell_of_a_loss():  # RFC 6675, RFC 8985
    t = child("S 0:5(5) win 65535 <mss 1000,nop,nop,sackOK>", **PLAIN)
    t.sends("S. 0:0(0) ack 6")
    t.call.send(5000)
    t.sends(*(f"{'P' if at == 4001 else ''}. {at}:{at + 1000}(1000) ack 6" for at in range(1, 5000, 1000)))
    t.after(10)
    t.gets(". 6:6(0) ack 1 <nop,nop,sack 2001:5001>")
    t.sends(". 1:1001(1000) ack 6", ". 1001:2001(1000) ack 6")
    assert t.tcb.in_recovery
    t.gets(". 6:6(0) ack 5001")
    assert not t.tcb.in_recovery


def test_no_tail_probe_leaves_before_the_handshake_is_over():  # RFC 8985 7.2
    t = child("S 0:5(5) <mss 1000,nop,nop,sackOK>", **PLAIN)
    t.sends("S. 0:0(0) ack 6")
    t.call.send(TEXT)
    t.sends("P. 1:6(5) ack 6")
    t.after(1000)
    t.sends("S. 0:0(0) ack 6")


def test_the_user_learns_of_silence_as_of_any_half_open_connection():  # RFC 9293 MUST-23
    t = child(syn_ack_retransmissions=2)
    t.sends("S. 0:0(0) ack 6")
    assert [line for _, line in t.log(20_000)] == ["S. 0:0(0) ack 6 win 65535 <mss 1460>"] * 2
    assert t.state is State.CLOSED


def test_the_syn_ack_acknowledges_the_text_and_no_other_does():  # RFC 9293 MUST-58
    t = child(quick_acks=0)
    t.sends("S. 0:0(0) ack 6")
    t.after(500)


def test_no_news_of_the_window_leaves_before_the_handshake_is_over():  # RFC 9293 3.8.6.2.2
    t = child("S 0:5(5) <mss 1000,nop,wscale 7>")
    t.sends("S. 0:0(0) ack 6")
    assert t.call.receive() == TEXT
    t.silent()


def test_the_text_of_the_syn_may_be_urgent():  # RFC 9293 MUST-32
    t = child("SU 0:5(5) urg 3 <mss 1000>")
    t.sends("S. 0:0(0) ack 6")
    assert calls.urgent_left(t.tcb) == 3


def test_keep_alive_begins_with_the_end_of_the_handshake():  # RFC 9293 3.8.4
    t = received(keepalive=True, keepalive_idle=5 * SECOND)
    t.gets(". 6:6(0) ack 1")
    t.after(5000)
    t.sends(". 0:0(0) ack 6")


def test_a_closed_window_waits_for_its_opening():  # RFC 9293 MUST-36
    t = child("S 0:5(5) win 0 <mss 1000>")
    t.sends("S. 0:0(0) ack 6")
    t.call.send(TEXT)
    t.after(1000)
    t.sends("S. 0:0(0) ack 6")
    t.gets(". 6:6(0) ack 1 win 1000")
    t.sends("P. 1:6(5) ack 6")


def test_the_window_of_the_syn_is_not_scaled_and_that_of_the_ack_is():  # RFC 7323 2.2
    t = child("S 0:5(5) win 3000 <mss 1000,nop,wscale 4>")
    t.sends("S. 0:0(0) ack 6")
    t.call.send(9000)
    t.sends(*(f". {at}:{at + 1000}(1000) ack 6" for at in (1, 1001, 2001)))
    t.gets(". 6:6(0) ack 1 win 1000")
    assert t.tcb.snd_wnd == 16_000
    assert sum(segment.length for _, segment in t.pending) == 6000
    t.pending.clear()


def test_a_window_that_the_text_has_closed_is_told_to_be_open_once_the_handshake_is_over():  # RFC 9293 3.8.6.2.2
    t = child("S 0:50(50) <mss 1000>", receive_buffer=50)
    t.sends("S. 0:0(0) ack 51 win 0")
    assert t.call.receive() == 50
    t.silent()
    t.gets(". 51:51(0) ack 1")
    t.sends(". 1:1(0) ack 51 win 50")
