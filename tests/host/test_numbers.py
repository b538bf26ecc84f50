"""Initial sequence numbers and local ports: RFC 6528, RFC 6056, RFC 9293 section 3.4.1, RFC 7323 section 5.4."""

from __future__ import annotations

from itertools import pairwise

import pytest

from lastack.host import isn
from lastack.host.ports import Ports
from lastack.host.recent import RecentNumbers
from lastack.tcp.config import DEFAULT
from lastack.tcp.states import State
from tests.host.harness import SECRET, Bench, Peer, connect, stamp

HALF = 1 << 31
MASK = 0xFFFFFFFF
LOCAL = (b"\x0a\0\0\1", 80)
REMOTES = [(b"\x0a\0\0" + bytes([number]), 4711) for number in range(2, 202)]


def above(iss: int, old: int) -> bool:
    return 0 < (iss - old) & MASK < HALF


def streams(peer: Peer, size: int) -> None:
    """The connection has sent so much at once, and all of it is acknowledged."""
    tcb = peer.tcb
    assert not tcb.sent
    tcb.snd_una = tcb.snd_nxt = tcb.snd_wl2 = tcb.snd_sml = tcb.recover = (tcb.snd_nxt + size) & MASK


def closed_by_the_peer(h: Bench, sent: int) -> tuple[Peer, int, int]:
    """We called, sent fast, and the peer closed first: it is in TIME-WAIT. (peer, our port, our last number)"""
    socket, peer = connect(h)
    port = socket.getsockname()[1]
    streams(peer, sent)
    base = 1 + sent & MASK
    peer.gets(f"F. 1:1(0) ack {base}")
    peer.sends(f". {base}:{base}(0) ack 2")
    h.do(socket.close)
    peer.sends(f"F. {base}:{base}(0) ack 2")
    peer.gets(f". 2:2(0) ack {base + 1 & MASK}")
    assert peer.state is State.CLOSED
    return peer, port, (peer.iss + base + 1) & MASK


@pytest.mark.parametrize("sent", [10, 10**6, 10**8, HALF - 10, HALF + 10, 3 * 10**9, 2**32 - 10**6])
@pytest.mark.parametrize("pause", [0.001, 10, 200])
def test_a_fast_connection_is_never_followed_by_a_lower_number(sent: int, pause: float):  # RFC 9293 3.4.1 and 3.6.1
    """Over 250 kB/s SND.NXT overtakes the clock of RFC 6528; the peer may be in TIME-WAIT, for 4 minutes by the RFC."""
    h = Bench()
    _, port, last = closed_by_the_peer(h, sent)
    h.after(pause)
    socket = h.socket()
    socket.bind(("", port))
    assert h.do(socket.connect, ("10.0.0.2", 7)) == -115
    assert above(socket.tcb.iss, last)
    h.forget()


def test_a_connection_that_never_opened_is_followed_by_a_number_of_its_own():  # RFC 9293 3.4.1
    """Its SYN was ahead of the clock, as the connection before it was: the next SYN may not be the same."""
    h = Bench()
    _, port, last = closed_by_the_peer(h, 10**8)
    numbers = [last]
    for _ in range(3):
        socket = h.socket()
        socket.bind(("", port))
        assert h.do(socket.connect, ("10.0.0.2", 7)) == -115
        numbers.append(socket.tcb.iss)
        h.forget()
        h.do(socket.close)
    assert all(above(after, before) for before, after in pairwise(numbers))


def test_the_clock_alone_would_be_lower():  # the counter-case
    h = Bench(recent_numbers=0)
    _, port, last = closed_by_the_peer(h, 10**8)
    socket = h.socket()
    socket.bind(("", port))
    h.do(socket.connect, ("10.0.0.2", 7))
    assert not above(socket.tcb.iss, last)
    assert h.host.counters["limit: recent numbers"] == 1
    h.forget()


def test_the_number_of_a_child_too():
    h = Bench()
    server = h.listen(80)
    peer = h.connected()
    streams(peer, 10**8)
    child, _ = h.do(server.accept)
    child.linger = 0
    last = peer.tcb.snd_nxt
    h.do(child.close)
    h.forget()
    peer.gets("S 0:0(0)")
    h.forget()
    assert above(peer.iss, last)


@pytest.mark.parametrize("held", [True, False])
@pytest.mark.parametrize("sent", [10, 10**8, HALF + 10, 3 * 10**9])
def test_the_number_of_a_new_incarnation_is_above_that_in_time_wait(held: bool, sent: int):  # RFC 9293 3.6.1 (1)
    """Whether a record is left of the old connection, or its descriptor is still open."""
    h = Bench()
    server = h.listen(80)
    peer = h.connected()
    streams(peer, sent)
    base = 1 + sent & MASK
    child, _ = h.do(server.accept)
    h.do(child.shutdown, 1) if held else h.do(child.close)
    peer.sends(f"F. {base}:{base}(0) ack 1")
    peer.gets(f"F. 1:1(0) ack {base + 1 & MASK}")
    last = peer.iss + base + 1 & MASK
    h.forget()
    assert (peer.state, len(h.host.time_wait)) == (State.TIME_WAIT, not held)
    peer.gets("S 70000:70000(0) <mss 1460>")
    h.forget()
    assert peer.state is State.SYN_RCVD
    assert above(peer.iss, last)


def test_a_reset_that_ends_time_wait_leaves_its_number_behind():  # where RFC 1337's protection is off
    h = Bench(rfc1337=False)
    server = h.listen(80)
    peer = h.connected()
    streams(peer, 10**8)
    child, _ = h.do(server.accept)
    h.do(child.close)
    h.forget()
    peer.gets("F. 1:1(0) ack 100000002")
    h.forget()
    last = h.host.time_wait.get(peer.key).snd_nxt
    peer.gets("R 2:2(0)")
    assert peer.state is State.CLOSED
    peer.gets("S 0:0(0)")
    h.forget()
    assert above(peer.iss, last)


def test_a_slow_connection_needs_no_memory():
    h = Bench()
    server = h.listen(80)
    peer = h.connected()
    child, _ = h.do(server.accept)
    h.do(child.send, bytes(1000))
    h.forget()
    h.after(0.1)
    peer.gets("R 1:1(0)")
    h.forget()
    assert len(h.host.recent) == 0


def test_the_memory_is_short_and_small():
    numbers = RecentNumbers(limit=3, lifetime=1000)
    assert [numbers.note(bytes([n]), None, 500, 0, now=n) for n in range(4)] == [True, True, True, False]
    assert [numbers.last(bytes([n]), now=4) for n in range(4)] == [None, 500, 500, 500]
    assert numbers.last(bytes([3]), now=1003) is None
    assert len(numbers) == 0


def test_numbers_grow_every_four_microseconds():  # RFC 6528 section 3, RFC 9293 MUST-8
    at = [isn.initial_sequence_number(SECRET, LOCAL, REMOTES[0], now) for now in (0, 3, 4, 4_000_000)]
    assert [(one - at[0]) & MASK for one in at] == [0, 0, 1, 1_000_000]


def test_the_numbers_of_other_names_and_other_secrets_say_nothing():  # RFC 6528 section 3: F must not be computable
    offsets = {isn.initial_sequence_number(SECRET, LOCAL, remote, 0) for remote in REMOTES}
    assert len({offset >> 20 for offset in offsets}) > 150  # all over the space
    assert not offsets & {isn.initial_sequence_number(SECRET[::-1], LOCAL, remote, 0) for remote in REMOTES}


# --- RFC 6056 ---


def ports_to(ports: Ports, remote: tuple[bytes, int], count: int, taken: set[int]) -> list[int]:
    def free(port: int) -> bool:
        return port not in taken

    found = []
    for _ in range(count):
        port = ports.ephemeral(LOCAL[0], remote, free)
        assert port is not None and free(port)
        found.append(port)
        taken.add(port)
    return found


def test_ports_to_one_destination_do_not_repeat_while_any_is_free():  # RFC 6056 section 3.3.4, no early collision
    config = DEFAULT.having(ephemeral_first=40_000, ephemeral_last=40_999)
    assert sorted(ports_to(Ports(config, SECRET), REMOTES[0], 1000, set())) == list(range(40_000, 41_000))
    taken: set[int] = set(range(40_000, 40_999))
    assert ports_to(Ports(config, SECRET), REMOTES[1], 1, taken) == [40_999]
    assert Ports(config, SECRET).ephemeral(LOCAL[0], REMOTES[1], lambda port: False) is None


def test_the_ports_to_one_destination_say_nothing_of_those_to_another():  # RFC 6056 section 3.1: hard to predict
    ports = Ports(DEFAULT, SECRET)
    first = [ports_to(ports, remote, 1, set())[0] for remote in REMOTES]
    steps = {(b - a) % 28_232 for a, b in pairwise(first)}
    assert len(set(first)) > 190 and len(steps) > 190
    other = Ports(DEFAULT, SECRET[::-1])
    assert sum(a == ports_to(other, remote, 1, set())[0] for a, remote in zip(first, REMOTES, strict=True)) < 3


def test_a_port_is_not_used_again_soon():  # RFC 6056 section 2.2: fewer meetings with TIME-WAIT
    found = ports_to(Ports(DEFAULT, SECRET), REMOTES[0], 1, set())
    ports = Ports(DEFAULT, SECRET)
    again = [ports_to(ports, REMOTES[0], 1, set())[0] for _ in range(1000)]
    assert again[0] == found[0] and len(set(again)) == 1000


# --- RFC 7323 section 5.4 ---


def test_timestamps_go_on_from_one_connection_to_the_next_and_differ_by_host():
    h = Bench()
    vals = []
    for remote in ("10.0.0.2", "10.0.0.2", "10.0.0.9"):
        socket = h.socket()
        h.do(socket.connect, (remote, 7))
        ((_, syn),) = h.pending
        vals.append(stamp(syn)[0])
        h.forget()
        h.after(0.010)
        h.do(socket.close)
    assert (vals[1] - vals[0]) & MASK == 10
    assert (vals[2] - vals[1]) & MASK > 1_000_000 < (vals[1] - vals[2]) & MASK
