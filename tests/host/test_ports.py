"""Local ports: SO_REUSEADDR, ephemeral ports (RFC 6056), and the numbers that go with them (RFC 6528)."""

from __future__ import annotations

from errno import EADDRINUSE, EADDRNOTAVAIL, EINPROGRESS, EINVAL

import pytest

from tests.host.harness import Bench, client, connect, errno_of, number, to_time_wait

PEER = ("10.0.0.2", 7)


def test_a_bound_port_is_taken():
    h = Bench()
    h.listen(80)
    assert errno_of(lambda: h.listen(80)) == EADDRINUSE


@pytest.mark.parametrize(
    ("both", "old", "new", "free"),
    [
        (True, False, False, False),
        (True, True, False, False),
        (True, False, True, False),  # Linux: the old one must have had it too
        (True, True, True, True),
        (False, False, False, False),
        (False, False, True, True),  # BSD: the new one alone
        (False, True, True, True),
    ],
)
def test_so_reuseaddr_against_time_wait(both: bool, old: bool, new: bool, free: bool):
    h = Bench(reuse_needs_both=both)
    server = h.listen(80, reuse=old)
    peer = h.connected()
    child, _ = h.do(server.accept)
    to_time_wait(h, peer, child)
    h.do(server.close)
    again = h.socket(reuse=new)
    assert (number(h, lambda now: again.bind(("", 80))) == 0) is free
    assert number(h, lambda now: again.bind(("", 80))) == (EINVAL if free else EADDRINUSE)
    h.after(60)
    assert number(h, lambda now: h.socket().bind(("", 80))) == (EADDRINUSE if free else 0)


@pytest.mark.parametrize("both", [True, False])
def test_so_reuseaddr_does_not_share_a_listening_port(both: bool):
    h = Bench(reuse_needs_both=both)
    h.listen(80, reuse=True)
    assert number(h, lambda now: h.socket(reuse=True).bind(("", 80))) == EADDRINUSE


def test_ephemeral_ports_run_out_and_come_back():  # RFC 6056 3.2
    h = Bench(ephemeral_first=40_000, ephemeral_last=40_003)
    made = [client(h)[0] for _ in range(4)]
    assert sorted(socket.getsockname()[1] for socket in made) == [40_000, 40_001, 40_002, 40_003]
    late = h.socket()
    assert number(h, late.connect, PEER) == EADDRNOTAVAIL
    assert number(h, late.connect, ("10.0.0.2", 8)) == EINPROGRESS  # to another destination they are free
    h.forget()
    h.do(made[0].close)
    assert number(h, h.socket().connect, PEER) == EINPROGRESS
    h.forget()


def test_a_time_wait_holds_its_ports_against_a_new_connect():
    h = Bench(ephemeral_first=40_000, ephemeral_last=40_000)
    socket, peer = connect(h)
    to_time_wait(h, peer, socket)
    assert number(h, h.socket().connect, PEER) == EADDRNOTAVAIL
    h.after(60)
    assert number(h, h.socket().connect, PEER) == EINPROGRESS
    h.forget()


def test_ports_differ_by_secret_and_follow_each_other_to_one_destination():  # RFC 6056 section 3.3.4; RFC 5927 4.2
    h = Bench()
    first, second = (client(h)[0].getsockname()[1] for _ in range(2))
    assert second == first + 1


def test_initial_sequence_numbers_climb_with_the_clock():  # RFC 6528 section 3, MUST-8, MUST-9
    h = Bench()
    one = h.host.initial_sequence_number((b"\x0a\0\0\1", 80), (b"\x0a\0\0\2", 7), 0)
    later = h.host.initial_sequence_number((b"\x0a\0\0\1", 80), (b"\x0a\0\0\2", 7), 4_000_000)
    other = h.host.initial_sequence_number((b"\x0a\0\0\1", 81), (b"\x0a\0\0\2", 7), 0)
    assert (later - one & 0xFFFFFFFF, one == other) == (1_000_000, False)


def test_every_port_is_given_back():
    h = Bench()
    server = h.listen(80)
    peer = h.connected()
    child, _ = h.do(server.accept)
    to_time_wait(h, peer, child)
    h.do(server.close)
    h.after(60)
    assert (h.host.ports.in_use(), len(h.host.time_wait), len(h.host.timers), h.host.deadline()) == (0, 0, 0, None)
