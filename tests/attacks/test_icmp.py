"""Forged ICMP errors about a connection whose names are known (RFC 5927)."""

from __future__ import annotations

import pytest

from lastack.tcp.states import State
from lastack.wire import icmp
from lastack.wire.address import parse_address
from lastack.wire.datagram import build_icmp, build_tcp
from lastack.wire.segment import ACK, Segment
from tests.attacks.arena import CLIENT, MASK, SERVER, Arena, numbers, report

SOURCE, TARGET = parse_address("11.0.0.1"), parse_address(SERVER)
GUESSES = 5_000


def quoted(port: int, seq: int) -> bytes:
    """A packet of the server's, as an error quotes it."""
    return build_tcp(TARGET, parse_address(CLIENT), Segment(80, port, seq, 0, ACK)).joined()


def forged(kind: str, port: int, seq: int) -> icmp.Message:
    data = quoted(port, seq)
    return icmp.too_big(4, 68, data) if kind == "too big" else icmp.unreachable(4, 2 if kind == "protocol" else 3, data)


@pytest.mark.parametrize("kind", ["port", "protocol", "too big"])
def test_guesses_are_in_vain(kind: str):  # RFC 5927 section 4.1: the quoted number must be under way
    arena = Arena()
    mine, theirs = arena.pair(arena.listen())
    theirs.send(arena.now, bytes(100_000))
    arena.settle()
    tcb = theirs.tcb
    before, mss, flight = numbers(tcb), tcb.snd_mss, tcb.snd_nxt - tcb.snd_una & MASK
    for _ in range(GUESSES):
        message = forged(kind, tcb.remote[1], arena.rng.getrandbits(32))
        arena.strike(build_icmp(SOURCE, TARGET, message))
    through = GUESSES - arena.server.counters["dropped: ICMP error for nothing under way"]
    report(f"forged ICMP, {kind}", GUESSES, through, f"{flight:,} bytes were under way")
    assert through <= 1 + 4 * GUESSES * flight / 2**32
    assert (tcb.state, numbers(tcb), tcb.snd_mss) == (State.ESTABLISHED, before, mss)
    arena.run(1)
    assert len(mine.recv(arena.now, 200_000)) == 100_000
    assert arena.lives(mine, theirs)


@pytest.mark.parametrize("kind", ["port", "protocol"])
def test_even_a_right_guess_ends_nothing(kind: str):  # RFC 5927 section 5.2: hard errors are soft ones by then
    arena = Arena()
    mine, theirs = arena.pair(arena.listen())
    arena.strike(build_icmp(SOURCE, TARGET, forged(kind, theirs.tcb.remote[1], theirs.tcb.snd_nxt)))
    assert theirs.tcb.soft_error
    assert arena.lives(mine, theirs)


def test_even_a_right_guess_leaves_segments_of_a_size():  # RFC 5927 section 7.2, RFC 1191 section 3
    arena = Arena()
    mine, theirs = arena.pair(arena.listen())
    arena.strike(build_icmp(SOURCE, TARGET, forged("too big", theirs.tcb.remote[1], theirs.tcb.snd_nxt)))
    assert theirs.tcb.snd_mss >= 512
    assert arena.lives(mine, theirs)
