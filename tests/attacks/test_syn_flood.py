"""SYN floods (RFC 4987 section 2): forged sources, while an honest client goes on."""

from __future__ import annotations

import tracemalloc
from time import perf_counter

from lastack.tcp.config import DEFAULT
from lastack.tcp.states import State
from lastack.wire.segment import ACK, SYN
from tests.attacks.arena import Arena, Forger, report

RATE, SECONDS = 200, 12
LIMIT = 64


def flood(cookies: str) -> tuple[Arena, list[float], int]:
    """One honest connection a second under the flood: (the arena, seconds until each was open, the most half-open)."""
    arena = Arena(DEFAULT.having(syn_cookies=cookies, half_open_limit=LIMIT))
    listener = arena.listen()
    forger = Forger("0.0.0.0", 1, 80, SYN)
    draw, waiting, times, most = arena.rng.getrandbits, {}, [], 0
    for slice_ in range(SECONDS * 10 + 300):
        if slice_ < SECONDS * 10:
            for _ in range(RATE // 10):
                arena.strike(forger.from_(0x0B00_0000 | draw(20), 1024 + draw(15)))
            if slice_ >= 10 and slice_ % 10 == 5:
                waiting[arena.connect()] = arena.now
        arena.run(0.1)
        most = max(most, len(arena.server.tcbs))
        served = [one for one in waiting if one.state is State.ESTABLISHED]
        times += [(arena.now - waiting.pop(one)) / 1e6 for one in served]
    assert len(times) + len(waiting) == SECONDS - 1
    while listener.readable():
        child, _ = listener.accept(arena.now)
        assert child.state is State.ESTABLISHED
    return arena, times, most


def test_with_cookies_the_honest_are_served():
    arena, times, most = flood("when_full")
    counters = arena.server.counters
    report("SYN flood, cookies", RATE * SECONDS, 0, f"{len(times)} served, slowest {max(times)} s, {most} TCBs")
    assert (len(times), max(times)) == (SECONDS - 1, 0.1)
    assert most <= LIMIT + len(times)
    assert counters["SYN cookie received"] == len(times)
    assert counters["SYN cookie sent"] >= RATE * SECONDS - LIMIT
    assert len(arena.server.timers) <= most and arena.server.timers.entries <= 2 * most + 64


def test_without_they_suffer():  # the counter-case
    arena, times, most = flood("off")
    served = [one for one in times if one < 1]
    report("SYN flood, no cookies", RATE * SECONDS, 0, f"{len(served)} of {SECONDS - 1} served at once, {most} TCBs")
    assert len(served) < SECONDS / 4
    assert most <= LIMIT + len(times)
    assert arena.server.counters["limit: half-open, SYN dropped"] > RATE * SECONDS / 2


def test_a_cookie_keeps_nothing():
    arena = Arena(DEFAULT.having(syn_cookies="always"))
    arena.listen()
    forger = Forger("0.0.0.0", 1, 80, SYN)
    for number in range(500):
        arena.strike(forger.from_(0x0B00_0000 | number, 1))
    tracemalloc.start()
    before = tracemalloc.get_traced_memory()[0]
    for number in range(3_000):
        arena.strike(forger.from_(0x0B00_0000 | number, 1024 + number))
    grown = tracemalloc.get_traced_memory()[0] - before
    tracemalloc.stop()
    report("SYN cookies", 3_000, 0, f"{grown:,} bytes kept")
    assert not arena.server.tcbs and grown < 3_000


def test_guessed_cookies():
    """The ACKs of a flood that has seen no SYN,ACK: each is right once in 2**28 (8 MSS, 2 steps)."""
    arena = Arena(DEFAULT.having(syn_cookies="always", rst_per_second=10))
    arena.listen()
    arena.strike(Forger("11.0.0.1", 1, 80, SYN).guess(0))
    forger, draw = Forger("11.0.0.1", 1, 80, ACK), arena.rng.getrandbits
    for _ in range(5_000):
        arena.strike(forger.guess(draw(32), draw(32)))
    counters = arena.server.counters
    report("guessed cookies", 5_000, len(arena.server.tcbs), f"{arena.lost} answers")
    assert not arena.server.tcbs
    assert (counters["SYN cookie failed"], counters["RST sent for nothing"]) == (5_000, 10)


def cost(half_open: int) -> float:
    """Microseconds for one SYN with so many half-open connections, the best of some runs."""
    arena = Arena(DEFAULT.having(half_open_limit=10**6, host_half_open_limit=10**6))
    arena.listen()
    forger = Forger("0.0.0.0", 1, 80, SYN)
    for number in range(half_open):
        arena.strike(forger.from_(0x0B00_0000 | number, 1))
    best = []
    for run in range(5):
        start = perf_counter()
        for number in range(200):
            arena.strike(forger.from_(0x0C00_0000 | run << 16 | number, 1))
        best.append((perf_counter() - start) / 200 * 1e6)
    return min(best)


def test_what_a_syn_costs_does_not_grow():
    """The second figure would be thousands of times the first if anything walked over them all."""
    costs = {count: cost(count) for count in (1, 10_000)}
    for count, time in costs.items():
        report("a SYN", count, count, f"{time:.0f} us")
    assert costs[10_000] < 5 * costs[1]


def test_what_a_half_open_connection_takes():
    arena = Arena()
    arena.listen()
    forger = Forger("0.0.0.0", 1, 80, SYN)
    tracemalloc.start()
    for number in range(500):
        arena.strike(forger.from_(0x0B00_0000 | number, 1))
    size = tracemalloc.get_traced_memory()[0] / 500
    tracemalloc.stop()
    report("half-open connections", 500, 500, f"{size:,.0f} bytes each, at most {DEFAULT.half_open_limit}")
    assert size < 5_000
