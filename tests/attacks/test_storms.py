"""Traffic that feeds on itself, and what strangers can learn by counting it."""

from __future__ import annotations

import pytest

from lastack.host import limiter
from lastack.tcp.config import DEFAULT, Config
from lastack.tcp.states import State
from lastack.wire.segment import ACK, PSH, RST
from tests.attacks.arena import CLIENT, MASK, SECOND, SERVER, Arena, Forger, numbers, parse_address, report


def crossed(config: Config, seconds: int) -> Arena:
    """Two connections of one name, an end of each: their numbers have nothing in common, and both have text to send."""
    first, second = Arena(config, delay=500, client=config), Arena(config, delay=500, client=config)
    second.run(7)  # later: other initial sequence numbers
    pairs = [arena.pair(arena.listen()) for arena in (first, second)]
    first.now = max(first.now, second.now)
    first.hosts[parse_address(SERVER)] = first.server = second.server
    pairs[0][0].send(first.now, bytes(20_000))
    pairs[1][1].send(first.now, bytes(20_000))
    first.carried = 0
    first.run(seconds)
    return first


@pytest.mark.parametrize("timestamps", [True, False])
def test_two_ends_that_are_out_of_step_do_not_storm(timestamps: bool):
    """RFC 5961 section 7, RFC 9293 3.10.7.4: each answers what is not acceptable by what the other cannot accept."""
    config = DEFAULT.having(timestamps=timestamps, tail_loss_probes=False)
    arena = crossed(config, 60)
    report("two ends out of step", 60, 0, f"{arena.carried} segments in 60 s, the path takes 60,000 of each answer")
    assert arena.carried < 2 * 60 * (config.challenge_acks_per_second + 4)


def test_without_the_limit_they_would():  # the counter-case
    config = DEFAULT.having(timestamps=False, challenge_acks_per_second=10**9, host_challenge_acks_per_second=10**9)
    arena = crossed(config, 2)
    report("two ends out of step, no limit", 2, 0, f"{arena.carried} segments in 2 s")
    assert arena.carried > 2_000


@pytest.mark.parametrize("size", [0, 8])
@pytest.mark.parametrize("where", ["in the window", "beyond it", "anywhere"])
def test_nonsense_is_not_amplified(size: int, where: str):
    """Out-of-window segments, and such that acknowledge what was never sent: never more than a few answers."""
    arena = Arena(DEFAULT.having(timestamps=False), client=DEFAULT.having(timestamps=False))
    mine, theirs = arena.pair(arena.listen())
    assert arena.lives(mine, theirs)
    tcb, draw = theirs.tcb, arena.rng.randrange
    window = tcb.rcv_adv - tcb.rcv_nxt & MASK
    forger = Forger(CLIENT, tcb.remote[1], 80, ACK | PSH, size)
    arena.carried = 0
    before = numbers(tcb)
    for _ in range(3_000):
        offset = {"in the window": draw(window), "beyond it": window + draw(10**9)}.get(where, draw(2**32))
        arena.strike(forger.guess(tcb.rcv_nxt + offset & MASK, tcb.snd_nxt + 1 + draw(10**9) & MASK))
    arena.run(1)
    report(f"nonsense {where}, {size} bytes", 3_000, 0, f"{arena.carried} answers")
    assert numbers(tcb) == before
    assert arena.carried <= DEFAULT.challenge_acks_per_second + 3_000 * 2 * DEFAULT.receive_buffer / 2**32
    assert arena.lives(mine, theirs)


# --- optimistic ACKs ---


def test_what_was_not_sent_cannot_be_acknowledged():  # RFC 9293 3.10.7.4, RFC 5961 section 5
    arena = Arena(DEFAULT.having(timestamps=False))
    mine, theirs = arena.pair(arena.listen())
    theirs.send(arena.now, bytes(1_000_000))
    arena.settle()
    tcb = theirs.tcb
    before, window = numbers(tcb), tcb.congestion.cwnd
    forger = Forger(CLIENT, tcb.remote[1], 80, ACK)
    for ahead in range(1, 3_001):
        arena.strike(forger.guess(tcb.rcv_nxt, tcb.snd_nxt + ahead & MASK))
    assert (numbers(tcb), tcb.congestion.cwnd) == (before, window)
    arena.run(5)
    report("ACKs of what was not sent", 3_000, 0, f"the window stays {window:,} bytes")
    assert len(mine.recv(arena.now, 2_000_000)) == 1_000_000


def test_many_small_acks_open_the_window_no_faster_than_one():  # RFC 5681 section 3.1: ACK division
    windows = []
    for pieces in (1, 1460):
        arena = Arena(DEFAULT.having(timestamps=False, sack=False))
        _, theirs = arena.pair(arena.listen())
        theirs.send(arena.now, bytes(1_000_000))
        arena.settle()
        tcb = theirs.tcb
        start = tcb.snd_una
        forger = Forger(CLIENT, tcb.remote[1], 80, ACK)
        for piece in range(1, pieces + 1):
            arena.strike(forger.guess(tcb.rcv_nxt, start + piece * (1460 // pieces) & MASK))
        windows.append(tcb.congestion.cwnd)
    report("ACK division", 1460, 0, f"the window is {windows[1]:,} bytes after 1,460 ACKs, {windows[0]:,} after one")
    assert windows[1] <= windows[0]


# --- counting challenge ACKs: CVE-2016-5696 ---

SPIES = 16
ABOUT = 100


def spy(seconds: int) -> float:
    """How often a stranger is right who guesses, second by second, whether a forged RST for another's connection drew
    a challenge. He sends it or not by lot, spends all that the host has left on his own connections, and counts."""
    config = DEFAULT.having(host_challenge_acks_per_second=ABOUT, timestamps=False)
    arena = Arena(config, client=config)
    listener = arena.listen()
    victim = arena.pair(listener)[1].tcb
    own = [arena.pair(listener)[1].tcb for _ in range(SPIES)]
    forged = Forger(CLIENT, victim.remote[1], 80, RST)
    forgers = [(tcb, Forger(CLIENT, tcb.remote[1], 80, RST)) for tcb in own]
    truth, counts = [], []
    arena.run((SECOND - arena.now % SECOND) / SECOND)
    for _ in range(seconds):
        truth.append(arena.rng.random() < 0.5)
        if truth[-1]:
            arena.strike(forged.guess(victim.rcv_nxt + 1 & MASK))
        answers = 0
        for tcb, forger in forgers:
            for _ in range(config.challenge_acks_per_second):
                sent = arena.carried
                arena.strike(forger.guess(tcb.rcv_nxt + 1 & MASK))
                answers += arena.carried - sent
        counts.append(answers)
        arena.run(1)
    # The best that he can do with one threshold, known afterwards.
    right = [sum((count < limit) == said for count, said in zip(counts, truth, strict=True)) for limit in set(counts)]
    assert victim.state is State.ESTABLISHED
    return max(right) / seconds


def test_counting_challenge_acks_says_nothing_of_other_connections():  # RFC 5961 section 7
    right = spy(120)
    report("counting challenge ACKs", 120, 0, f"right in {right:.0%} of the seconds, by chance in half")
    assert right < 0.65


def test_with_a_fixed_number_it_would(monkeypatch: pytest.MonkeyPatch):  # the counter-case
    monkeypatch.setattr(limiter, "challenge_acks", lambda about, secret, second: about)
    right = spy(40)
    report("counting challenge ACKs, fixed", 40, 1, f"right in {right:.0%} of the seconds")
    assert right == 1
