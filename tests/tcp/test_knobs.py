"""Settings of other systems: what FreeBSD and Linux let their operators choose, and a TCP can do either way."""

from __future__ import annotations

import pytest

from lastack.tcp.config import DEFAULT, MILLISECOND
from lastack.tcp.handshake import syn_ack_window
from lastack.tcp.states import State
from tests.tcp.harness import Exchange, established


def test_the_first_time_outs_of_a_syn_may_be_alike() -> None:  # Linux tcp_syn_linear_timeouts; RFC 6298 (5.5)
    t = Exchange(DEFAULT.having(syn_linear_timeouts=2, sack=False, timestamps=False, window_scaling=False))
    t.call.open()
    t.sends("S 0:0(0)")
    assert [round(at) for at, _ in t.log(9_500)] == [1000, 2000, 3000, 5000, 9000]
    assert t.state is State.SYN_SENT


def test_a_slop_comes_on_top_of_what_was_measured_and_is_not_doubled() -> None:  # FreeBSD rexmit_slop; RFC 6298 (2.3)
    t = established(rtt=10, rto_min=30 * MILLISECOND, rto_slop=200 * MILLISECOND, sack=False)
    t.call.send(100)
    t.sends("P. 1:101(100) ack 1")
    assert [round(at) for at, _ in t.log(600)] == [230, 490]  # 30 and 60 of the RTO, and 200


def test_the_least_rto_may_stand_above_the_round_trip() -> None:  # Linux tcp_rto_min; G of RFC 6298 (2.3)
    for rtt, plain, above in ((100, 300, 300), (50, 200, 250), (150, 450, 450)):
        for on, expected in ((False, plain), (True, above)):
            t = established(rtt=rtt, rto_min_above_srtt=on)
            assert t.tcb.rto == expected * MILLISECOND


def test_every_segment_is_acknowledged_at_once_without_delay() -> None:  # FreeBSD delayed_ack 0; RFC 9293 MUST-58
    t = established(delayed_ack=0, quick_acks=0)
    t.gets("P. 1:101(100) ack 1")
    t.sends(". 1:1(0) ack 101")


def test_the_scale_may_be_chosen_for_a_larger_buffer() -> None:  # RFC 7323 2.3
    t = Exchange(DEFAULT.having(receive_buffer=100_000, scaled_buffer=16 * 1024 * 1024))
    t.call.open()
    t.sends("S 0:0(0) <mss 1460,sackOK,TS val 1000 ecr 0,nop,wscale 9>")


def test_the_window_of_a_cookie_is_no_larger_than_the_buffer_begins_with() -> None:  # RFC 7323 2.2
    assert syn_ack_window(DEFAULT.having(receive_buffer_initial=4096)) == 4096
    assert syn_ack_window(DEFAULT.having(receive_buffer_initial=4096, autotuning=False)) == 65535


@pytest.mark.parametrize(("told", "expected"), [("", 1000), ("mss 1460", 1460)])
def test_another_default_mss(told: str, expected: int) -> None:  # FreeBSD mssdflt; RFC 9293 MUST-15
    assert established(options=told, default_mss=1000).tcb.send_mss == expected


def test_without_autotuning_of_the_receiver_its_buffer_stays() -> None:  # Linux tcp_moderate_rcvbuf 0
    for tuned in (True, False):
        t = established(autotuning=True, receive_buffer_initial=8000, receive_autotuning=tuned, rtt=10)
        for start in range(1, 40_000, 4000):
            t.gets(f". {start}:{start + 4000}(4000) ack 1")
            t.pending.clear()
            t.call.receive()
            t.pending.clear()
            t.log(2)
        assert (t.tcb.rcv_buf > 8000) is tuned


def test_without_autotuning_of_the_sender_its_buffer_stays() -> None:  # FreeBSD sendbuf_auto 0
    for tuned in (True, False):
        t = established(autotuning=True, send_buffer_initial=2000, send_autotuning=tuned)
        assert (t.call.send(10_000) > 2000) is tuned
        t.pending.clear()
