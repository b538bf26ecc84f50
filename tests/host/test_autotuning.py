"""Buffers that grow with their traffic: dynamic right-sizing, the congestion window, and the limits of both."""

from __future__ import annotations

import pytest

from lastack.host import options as o
from lastack.tcp.config import DEFAULT, Config
from tests.host.harness import Bench, connect

KIB = 1024
STEP = 1400


def tuned(config: Config = DEFAULT, **more):
    h = Bench(config, autotuning=True, **more)
    socket, peer = connect(h)
    return h, socket, peer


def rounds(h: Bench, socket, peer, sizes: list[int]) -> list[int]:
    """So many bytes come in each round trip of 10 ms, in segments, and are read at once; the buffer after each."""
    at, found = 1, []
    for size in sizes:
        for _ in range(size // STEP):
            peer.gets(f"P. {at}:{at + STEP}({STEP}) ack 1")
            h.do(socket.recv, 1 << 20)
            h.forget()
            at += STEP
        h.after(0.01)
        h.forget()
        found.append(socket.tcb.rcv_buf)
    return found


def test_the_receive_buffer_grows_with_what_is_read_in_a_round_trip():
    h, socket, peer = tuned()
    assert socket.tcb.rcv_buf == 64 * KIB == socket.getsockopt(o.SOL_SOCKET, o.SO_RCVBUF) // 2
    found = rounds(h, socket, peer, [14_000, 28_000, 56_000, 56_000, 56_000])
    assert found == sorted(found) and 2 * 56_000 <= found[-1] <= 6 * 56_000


def test_a_steady_trickle_leaves_it_as_it_is():
    h, socket, peer = tuned()
    assert set(rounds(h, socket, peer, [STEP] * 20)) == {64 * KIB}


def test_it_ends_at_its_maximum():
    h, socket, peer = tuned(receive_buffer=100 * KIB)
    assert rounds(h, socket, peer, [14_000, 28_000, 56_000, 56_000, 56_000])[-1] == 100 * KIB


def test_the_window_scale_is_that_of_the_maximum():  # RFC 7323 section 2.3
    _, socket, _ = tuned()
    assert socket.tcb.config.receive_buffer >> 7 <= 0xFFFF


@pytest.mark.parametrize("when", ["before", "after"])
def test_a_buffer_that_was_set_does_not_grow(when: str):
    h = Bench(autotuning=True)
    config = h.host.config
    if when == "before":
        h.host.config = config.having(receive_buffer=50_000, receive_buffer_initial=50_000)
    socket, peer = connect(h)
    if when == "after":
        socket.setsockopt(o.SOL_SOCKET, o.SO_RCVBUF, 50_000)
    assert set(rounds(h, socket, peer, [14_000, 28_000, 42_000, 42_000])) == {50_000}
    assert socket.getsockopt(o.SOL_SOCKET, o.SO_RCVBUF) == 100_000


def test_the_send_buffer_follows_the_congestion_window():
    h, socket, _ = tuned()
    assert h.do(socket.send, bytes(1 << 20)) == 64 * KIB
    socket.tcb.congestion.cwnd = 500_000
    assert h.do(socket.send, bytes(1 << 20)) == 1_000_000 - 64 * KIB
    h.forget()


def test_no_buffer_grows_beyond_the_memory_of_the_host():
    h, socket, peer = tuned(buffer_memory=10_000)
    rounds(h, socket, peer, [14_000, 28_000, 56_000, 56_000])
    assert h.host.counters["limit: buffer memory"] > 0
    assert h.host.memory.granted <= 10_000


def test_memory_is_given_back_at_the_end():
    h, socket, peer = tuned()
    rounds(h, socket, peer, [14_000, 28_000, 56_000, 56_000])
    assert h.host.memory.granted == socket.tcb.rcv_buf - 64 * KIB > 0
    socket.setsockopt(o.SOL_SOCKET, o.SO_LINGER, (1, 0))
    h.do(socket.close)
    h.forget()
    assert h.host.memory.granted == 0


def test_without_tuning_buffers_are_whole_from_the_start():
    socket, _ = connect(Bench(autotuning=False))
    assert (socket.tcb.rcv_buf, socket.tcb.snd_buf) == (DEFAULT.receive_buffer, DEFAULT.send_buffer)


def test_memory_is_given_back_when_a_size_is_set():
    h, socket, peer = tuned()
    rounds(h, socket, peer, [14_000, 28_000, 56_000, 56_000])
    socket.tcb.congestion.cwnd = 500_000
    h.do(socket.send, bytes(1 << 20))
    h.do(socket.send, bytes(1 << 20))
    received, sent = socket.tcb.rcv_buf - 64 * KIB, socket.tcb.snd_buf - 64 * KIB
    assert h.host.memory.granted == received + sent and received > 0 and sent > 0
    socket.setsockopt(o.SOL_SOCKET, o.SO_RCVBUF, 50_000)
    assert h.host.memory.granted == sent
    socket.setsockopt(o.SOL_SOCKET, o.SO_SNDBUF, 50_000)
    assert h.host.memory.granted == 0
    h.forget()


def test_what_is_read_after_the_end_lets_nothing_grow():
    h, socket, peer = tuned()
    rounds(h, socket, peer, [14_000])
    h.do(socket.shutdown, o.SHUT_WR)
    h.forget()
    for number in range(40):
        at = 14_001 + number * STEP
        peer.gets(f"P. {at}:{at + STEP}({STEP}) ack 1")
        h.forget()
    peer.gets("R. 70001:70001(0) ack 1")
    assert h.host.connections() == []
    h.after(1)
    assert len(h.do(socket.recv, 50_000)) == 50_000
    h.after(1)
    h.do(socket.recv, 1 << 20)
    assert h.host.memory.granted == 0
