"""What FreeBSD does otherwise than the RFC's letter and Linux: the settings of the preset `bsd`."""

from __future__ import annotations

import pytest

from lastack.tcp.presets import BSD
from lastack.tcp.states import State
from tests.tcp.harness import Exchange, established, opening


def open_bsd(*, options: str = "mss 1460", window: int = 65535, **more: object) -> Exchange:
    return established(BSD.having(**more), options=options, window=window, autotuning=True)


def test_a_syn_in_the_window_is_reset_for_the_peer_of_the_connection():  # insecure_syn: tcp_drop()
    t = open_bsd(rfc5961_syn=False)
    t.gets("S 1:1(0) win 65535")
    t.sends("R. 1:1(0) ack 1 win 0")
    assert t.state is State.CLOSED


def test_or_for_who_has_sent_it():  # RFC 793
    t = open_bsd(rfc5961_syn=False, abort_at_syn=False)
    t.gets("S 1:1(0) win 65535")
    t.sends(f"R. {t.zero}:{t.zero}(0) ack 2")


@pytest.mark.parametrize(
    ("off", "line"),
    [
        ((), "<mss 1460,nop,wscale 6,sackOK,TS val 1000 ecr 0>"),
        (("timestamps",), "<mss 1460,nop,wscale 6,sackOK,eol,eol>"),
        (("timestamps", "window_scaling"), "<mss 1460,sackOK,eol,eol>"),
        (("window_scaling",), "<mss 1460,sackOK,TS val 1000 ecr 0>"),
        (("sack", "timestamps"), "<mss 1460,nop,wscale 6>"),
    ],
)
def test_the_options_of_a_syn_are_packed(off: tuple[str, ...], line: str):  # tcp_addoptions()
    t = Exchange(BSD.having(**dict.fromkeys(off, False)))
    t.call.open()
    t.sends(f"S 0:0(0) win 65535 {line}")


def test_buffers_are_whole_segments_and_the_window_follows_what_is_taken():  # tcp_mss(), tcp_output()
    t = open_bsd()
    assert (t.tcb.snd_buf, t.tcb.rcv_buf) == (33580, 65700)
    t.gets(". 1:501(500) ack 1", "P. 501:1001(500) ack 1")
    t.sends(". 1:1(0) ack 1001 win 64700")
    t.gets("F. 1001:1001(0) ack 1")
    t.sends(". 1:1(0) ack 1002 win 64700")
    t.call.receive(1000)
    t.call.close()
    t.sends("F. 1:1(0) ack 1002 win 65535")


def test_a_scaled_window_is_rounded_up():  # roundup2() of tcp_output()
    t = open_bsd(options="mss 1460,nop,wscale 6")
    t.gets("P. 1:11(10) ack 1")
    t.after(40)
    t.sends(". 1:1(0) ack 11 win 1027")


def test_a_window_of_less_than_a_quarter_and_a_segment_is_silly():  # RFC 9293 3.8.6.2.2 MUST-39
    t = open_bsd(receive_buffer_initial=4000, receive_buffer=4000)
    t.gets(". 1:1461(1460) ack 1", ". 1461:2921(1460) ack 1")
    t.sends(". 1:1(0) ack 2921 win 1460")
    t.gets("P. 2921:4381(1460) ack 1")
    t.after(40)
    t.sends(". 1:1(0) ack 4381 win 0")
    t.call.receive(1000)
    t.silent()
    t.call.receive(1460)
    t.sends(". 1:1(0) ack 4381 win 2460")


def test_every_second_segment_is_acknowledged_however_small():  # DELAY_ACK()
    t = open_bsd()
    t.gets("P. 1:11(10) ack 1", "P. 11:21(10) ack 1")
    t.sends(". 1:1(0) ack 21")
    t.gets("P. 21:31(10) ack 1")
    t.after(40)
    t.sends(". 1:1(0) ack 31")


def test_a_peer_that_tells_a_tiny_mss_gets_segments_of_minmss():  # tcp_mss_update()
    t = open_bsd(options="mss 100")
    t.call.send(216)
    t.sends("P. 1:217(216) ack 1")


def test_a_closed_window_is_probed_after_five_seconds_up_to_a_minute():  # persmin, persmax: tcp_setpersist()
    t = established(BSD, options="mss 1460", window=0, rtt=50)
    t.call.send(10)
    gaps = []
    for _ in range(10):
        before = t.now
        t.after(t.connection.deadline() / 1000 - t.now / 1000)  # type: ignore[operator]
        gaps.append((t.now - before) / 1_000_000)
        t.sends(". 1:2(1) ack 1")
        t.gets(". 1:1(0) ack 1 win 0")
    assert gaps == [5, 5, 5, 5, 6.4, 12.8, 25.6, 51.2, 60, 60]


def test_close_with_unread_data_is_a_fin_and_what_comes_later_is_reset():  # tcp_disconnect(); RFC 2525 2.17
    t = open_bsd()
    t.gets("P. 1:11(10) ack 1")
    t.call.leave()
    t.sends("F. 1:1(0) ack 11 win 65535")
    t.gets("P. 11:21(10) ack 2")
    t.sends("R 2:2(0)")


def test_who_gives_up_tells_the_peer():  # tcp_drop()
    t = open_bsd(r2_retransmissions=1)
    t.call.send(10)
    t.sends("P. 1:11(10) ack 1")
    t.after(t.connection.deadline() / 1000 - t.now / 1000)  # type: ignore[operator]
    t.sends("P. 1:11(10) ack 1")
    t.after(t.connection.deadline() / 1000 - t.now / 1000)  # type: ignore[operator]
    t.sends("R. 11:11(0) ack 1 win 0")


def test_an_opening_that_is_given_up_is_given_up_in_silence():
    t = opening(BSD.having(syn_retransmissions=0))
    t.after(t.connection.deadline() / 1000 - t.now / 1000)  # type: ignore[operator]
    assert t.state is State.CLOSED


def test_idle_connections_are_probed_whatever_the_program_says():  # always_keepalive, against MUST-25
    t = open_bsd(keepalive=False, keepalive_idle=10_000_000)
    t.after(10_000)
    t.sends(". 0:0(0) ack 1")


def test_a_syn_offers_no_more_than_the_buffer_though_the_scale_could_tell_no_less():  # RFC 7323 2.2: it is not scaled
    t = Exchange(BSD.having(receive_buffer=50, receive_buffer_initial=50))
    t.call.open()
    t.sends("S 0:0(0) win 50 <mss 1460,nop,wscale 6,sackOK,TS val 1000 ecr 0>")
