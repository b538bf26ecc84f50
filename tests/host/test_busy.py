"""TCP_INFO's counts of what was delivered, and of what held a sender back, as Linux defines them."""

from __future__ import annotations

from lastack.host import options as o
from lastack.host.info import tcp_info
from tests.host.harness import Bench, Peer, client, connect


def some(h: Bench, peer: Peer, *names: str) -> list[int]:
    found = tcp_info(peer.tcb, h.now)
    return [found[f"tcpi_{name}"] for name in names]


def test_a_syn_counts_as_delivered_and_each_segment_once():
    h = Bench()
    h.listen(80)
    passive = h.connected()
    assert some(h, passive, "delivered") == [1]
    socket, peer = connect(h)
    assert some(h, peer, "delivered") == [1]
    h.do(socket.send, bytes(3000))
    h.forget()
    peer.gets(". 1:1(0) ack 1461")
    assert some(h, peer, "delivered") == [2]
    peer.gets(". 1:1(0) ack 3001")
    assert some(h, peer, "delivered") == [4]


def test_a_super_segment_that_is_acknowledged_in_part_counts_as_what_is_gone():
    h = Bench(gso=65_000)
    socket, peer = connect(h)
    h.do(socket.send, bytes(14_600))
    h.forget()
    for ack, delivered in ((2921, 3), (3000, 3), (14_601, 11)):
        peer.gets(f". 1:1(0) ack {ack}")
        assert some(h, peer, "delivered") == [delivered]


def test_what_is_sacked_counts_at_once_and_not_again():  # RFC 2018
    h = Bench()
    socket, peer = client(h)
    peer.gets("S. 0:0(0) ack 1 <mss 1460,sackOK>")
    h.do(socket.send, bytes(14_600))
    h.forget()
    peer.gets(". 1:1(0) ack 1 <nop,nop,sack 1461:4381>")
    assert some(h, peer, "delivered", "reordering") == [3, 3]
    h.forget()
    peer.gets(". 1:1(0) ack 14601")
    h.forget()
    assert some(h, peer, "delivered") == [11]


def test_how_far_a_segment_was_overtaken():  # RFC 8985 6.2 step 3; Linux tcp_check_sack_reordering
    h = Bench(tail_loss_probes=False)
    socket, peer = client(h)
    peer.gets("S. 0:0(0) ack 1 <mss 1000,sackOK>")
    h.do(socket.send, bytes(10_000))
    h.forget()
    peer.gets(". 1:1(0) ack 1 <nop,nop,sack 7001:8001>")
    h.forget()
    peer.gets(". 1:1(0) ack 1 <nop,nop,sack 3001:4001 7001:8001>")
    h.forget()
    assert some(h, peer, "reordering", "reord_seen") == [5, 1]


def test_time_outs_and_runs_of_them():  # RFC 6298 (5.4)
    h = Bench(flow_label_rethink=True)
    socket, peer = connect(h)
    h.do(socket.send, bytes(100))
    h.after(2)
    h.forget()
    (total,) = some(h, peer, "total_rto")
    assert total > 1 and some(h, peer, "total_rto_recoveries", "rehash") == [1, total]


def test_a_sender_is_busy_until_all_is_acknowledged():
    h = Bench()
    socket, peer = connect(h)
    h.after(1)
    h.do(socket.send, bytes(100))
    h.forget()
    h.after(0.05)
    peer.gets(". 1:1(0) ack 101")
    h.after(1)
    assert some(h, peer, "busy_time", "rwnd_limited", "sndbuf_limited") == [50_000, 0, 0]


def test_a_window_that_does_not_take_the_next_segment_limits():  # RFC 9293 3.8.6
    h = Bench()
    socket, peer = connect(h)
    peer.gets(". 1:1(0) ack 1 win 0")
    h.do(socket.send, bytes(1000))
    h.after(0.1)
    assert some(h, peer, "busy_time", "rwnd_limited") == [100_000, 100_000]
    peer.gets(". 1:1(0) ack 1 win 2000")
    h.after(0.03)
    h.forget()
    assert some(h, peer, "busy_time", "rwnd_limited") == [130_000, 100_000]


def test_a_buffer_that_is_too_small_for_the_congestion_window_limits():
    h = Bench()
    socket, peer = connect(h)
    socket.setsockopt(o.SOL_SOCKET, o.SO_SNDBUF, 3000)
    assert h.do(socket.send, bytes(10_000)) == 3000
    h.forget()
    h.after(0.02)
    assert some(h, peer, "sndbuf_limited") == [20_000]
    peer.gets(". 1:1(0) ack 1461")  # half of it is free: its user is told
    h.after(0.01)
    h.forget()
    assert some(h, peer, "busy_time", "sndbuf_limited") == [30_000, 20_000]


def test_text_on_a_syn_is_delivered_with_it():  # RFC 7413 4.2.2
    h = Bench(fastopen_without_cookie=True)
    socket = h.socket()
    assert h.do(socket.sendto, bytes(1000), o.MSG_FASTOPEN, ("10.0.0.2", 7)) == 1000
    peer = h.peer(7, socket.getsockname()[1])
    peer.hears(h.pending[-1][1])
    peer.sends("S 0:1000(1000)")
    peer.gets("S. 0:0(0) ack 1001 <mss 300>")
    peer.sends(". 1001:1001(0) ack 1")
    assert some(h, peer, "delivered") == [1]


def test_no_slow_start_threshold_is_linuxs_infinity():  # RFC 5681 3.1
    h = Bench()
    _, peer = connect(h)
    assert some(h, peer, "snd_ssthresh") == [0x7FFFFFFF]


def test_the_time_without_text_counts_from_the_opening():
    h = Bench()
    _, peer = connect(h)
    h.after(1)
    assert some(h, peer, "last_data_recv", "last_ack_sent") == [1000, 0]
    peer.gets("P. 1:101(100) ack 1")
    h.forget()
    h.after(0.5)
    assert some(h, peer, "last_data_recv") == [500]


def test_a_low_water_mark_of_the_host_is_none_of_the_sockets():  # Linux tcp_notsent_lowat
    h = Bench(notsent_low_water_default=4000)
    socket, _ = connect(h)
    assert socket.getsockopt(o.IPPROTO_TCP, o.TCP_NOTSENT_LOWAT) == 0
    socket.setsockopt(o.IPPROTO_TCP, o.TCP_NOTSENT_LOWAT, 5000)
    assert socket.getsockopt(o.IPPROTO_TCP, o.TCP_NOTSENT_LOWAT) == 5000


def test_who_polled_in_vain_waits_for_room_too():
    h = Bench(send_units=True, autotuning=False, send_buffer=3000)
    socket, peer = connect(h)
    h.do(socket.send, bytes(2920))
    h.forget()
    assert some(h, peer, "sndbuf_limited") == [0] and not socket.poll() & o.POLLOUT
    h.host.touched(peer.tcb, h.now)
    h.settle()
    h.after(0.02)
    assert some(h, peer, "sndbuf_limited") == [20_000]
