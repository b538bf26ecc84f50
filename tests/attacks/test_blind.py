"""Blind attacks: the names of a connection are known, its numbers are guessed (RFC 5961 section 1, RFC 4953)."""

from __future__ import annotations

import pytest

from lastack.tcp.config import DEFAULT
from lastack.tcp.states import State
from lastack.wire.segment import ACK, FIN, PSH, RST, SYN
from tests.attacks.arena import CLIENT, Arena, Forger, numbers, report

KINDS = {"RST": RST, "RST,ACK": RST | ACK, "SYN": SYN, "data": ACK | PSH, "FIN": ACK | FIN, "ACK": ACK}
PER_SECOND = 5_000
# The window and what RFC 5961 section 5 takes for an ACK, each of 2**32: few enough guesses land in both.
WINDOWS = 7 * 1024 * 1024


def attack(kind: str, guesses: int, timestamps: bool) -> None:
    config = DEFAULT.having(timestamps=timestamps)
    arena = Arena(config, client=config)
    mine, theirs = arena.pair(arena.listen())
    assert arena.lives(mine, theirs)
    tcb = theirs.tcb
    before, seconds = numbers(tcb), guesses // PER_SECOND
    forger = Forger(CLIENT, tcb.remote[1], 80, KINDS[kind], 8 if kind == "data" else 0)
    draw = arena.rng.getrandbits
    arena.carried = 0
    for _ in range(seconds):
        for _ in range(PER_SECOND):
            arena.strike(forger.guess(draw(32), draw(32)))
        arena.run(1)
    held = len(tcb.reassembly.blocks) if tcb.reassembly is not None else 0
    report(f"blind {kind}{', timestamps' if timestamps else ''}", guesses, held, f"{arena.carried} answers")
    assert (tcb.state, numbers(tcb)) == (State.ESTABLISHED, before)
    assert held <= 1 + 4 * guesses * WINDOWS**2 / 2**64
    # Challenge ACKs, and ACKs of what may be a retransmission.
    assert arena.carried <= (seconds + 1) * config.challenge_acks_per_second + 2 * guesses * WINDOWS / 2**32
    if not held:
        assert arena.lives(mine, theirs)


@pytest.mark.parametrize("timestamps", [True, False])
@pytest.mark.parametrize("kind", KINDS)
def test_guesses_are_in_vain(kind: str, timestamps: bool, pytestconfig: pytest.Config):
    # RFC 5961 sections 3, 4, 5 and 7; `make attacks` guesses two million times in all
    attack(kind, pytestconfig.getoption("--guesses"), timestamps)


@pytest.mark.parametrize(("kind", "setting"), [("RST", "rfc5961_rst"), ("SYN", "rfc5961_syn")])
def test_without_the_protection_a_window_is_hit_soon(kind: str, setting: str):  # RFC 5961 section 1.2: the counter-case
    config = DEFAULT.having(**{setting: False})
    arena = Arena(config)
    mine, theirs = arena.pair(arena.listen())
    assert arena.lives(mine, theirs)
    tcb = theirs.tcb
    window = tcb.rcv_adv - tcb.rcv_nxt & 0xFFFFFFFF
    forger = Forger(CLIENT, tcb.remote[1], 80, KINDS[kind])
    for seq in range(0, 2**32, window // 2):
        arena.strike(forger.guess(seq))
        if theirs.state is State.CLOSED:
            break
    report(f"blind {kind} without {setting}", seq // (window // 2) + 1, 1, f"a window of {window:,} bytes")
    assert theirs.state is State.CLOSED


def test_the_exact_number_is_one_in_four_thousand_million():
    """It ends the connection: that is what RST is for, and why numbers must not be guessed (RFC 6528)."""
    arena = Arena()
    _, theirs = arena.pair(arena.listen())
    forger = Forger(CLIENT, theirs.tcb.remote[1], 80, RST)
    for offset in (1, -1, 100, 65_000):
        arena.strike(forger.guess(theirs.tcb.rcv_nxt + offset & 0xFFFFFFFF))
        assert theirs.state is State.ESTABLISHED
    arena.strike(forger.guess(theirs.tcb.rcv_nxt))
    assert theirs.state is State.CLOSED
