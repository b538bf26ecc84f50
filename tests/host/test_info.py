"""TCP_INFO: Linux's names and units (include/uapi/linux/tcp.h), and values that are true."""

from __future__ import annotations

from lastack.host import options as o
from lastack.host.info import tcp_info
from tests.host.harness import Bench, connect
from tests.tcp.test_sack import held, sending


def info(socket) -> dict[str, int]:
    return socket.getsockopt(o.IPPROTO_TCP, o.TCP_INFO)


def some(socket, *names: str) -> list[int]:
    found = info(socket)
    return [found[f"tcpi_{name}"] for name in names]


def test_bytes_and_segments_are_counted_each_way():
    h = Bench(mtu=1500)
    socket, peer = connect(h)
    h.do(socket.send, bytes(3000))
    h.forget()
    peer.gets(". 1:1(0) ack 1461", "P. 1:101(100) ack 1461")
    h.forget()
    assert some(socket, "bytes_acked", "bytes_sent", "bytes_retrans", "bytes_received") == [1460, 3000, 0, 100]
    # Out: SYN, ACK, two full segments, the rest, an ACK. In: SYN,ACK, the ACK, the text.
    assert some(socket, "data_segs_out", "data_segs_in", "segs_in") == [3, 1, 3]
    assert some(socket, "unacked", "notsent_bytes") == [2, 0]


def test_a_super_segment_counts_as_its_segments():
    h = Bench(gso=65_000)
    socket, _ = connect(h)
    before = info(socket)["tcpi_segs_out"]
    h.do(socket.send, bytes(14_600))
    assert h.forget() == 1
    assert some(socket, "data_segs_out", "segs_out") == [10, before + 10]


def test_what_is_sent_again_is_told():
    h = Bench()
    socket, _ = connect(h)
    h.do(socket.send, bytes(1000))
    h.after(3)
    h.forget()
    found = info(socket)
    assert found["tcpi_total_retrans"] == found["tcpi_bytes_retrans"] // 1000 >= 1
    assert found["tcpi_bytes_sent"] == 1000 + found["tcpi_bytes_retrans"]
    assert found["tcpi_ca_state"] == 4 and found["tcpi_backoff"] >= 1


def test_text_ahead_of_a_hole_is_counted():
    h = Bench()
    socket, peer = connect(h)
    peer.gets("P. 101:201(100) ack 1")
    h.forget()
    assert some(socket, "rcv_ooopack", "bytes_received") == [1, 0]


def test_ages_are_in_milliseconds():
    h = Bench()
    socket, peer = connect(h)
    h.do(socket.send, b"x")
    h.forget()
    h.after(0.01)
    peer.gets("P. 1:2(1) ack 2")
    h.after(0.09)
    h.forget()
    found = tcp_info(socket.tcb, h.now)
    names = ("data_sent", "data_recv", "ack_recv")
    assert [found[f"tcpi_last_{name}"] for name in names] == [100, 90, 90]


def test_counts_outlive_a_reset():
    h = Bench()
    socket, peer = connect(h)
    h.do(socket.send, bytes(100))
    h.forget()
    peer.gets("R. 1:1(0) ack 1")
    assert some(socket, "bytes_acked", "notsent_bytes") == [0, 0]


def test_ssthresh_before_the_first_loss_is_linux_s_infinity():  # TCP_INFINITE_SSTHRESH
    socket, _ = connect(Bench())
    assert some(socket, "snd_ssthresh", "reord_seen") == [0x7FFFFFFF, 0]


def test_what_is_lost_counts_until_it_is_acknowledged():  # as Linux: also once it has gone again
    t = sending(10)
    held(t, "2001:5001")
    found = tcp_info(t.tcb)
    assert [found[f"tcpi_{name}"] for name in ("lost", "retrans", "sacked", "ca_state")] == [2, 2, 3, 3]
    t.pending.clear()
