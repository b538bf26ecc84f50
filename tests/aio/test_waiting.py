"""When a timer fires, by the clocks that its program reads."""

from __future__ import annotations

import asyncio
import time
from random import Random

import pytest

from lastack.aio import World


def test_no_callback_runs_before_its_time():
    """Deadlines are sums of floats: a good tenth of these lies by a rounding error after a whole microsecond."""

    async def main() -> None:
        loop, random = asyncio.get_running_loop(), Random(1)
        for _ in range(500):
            await asyncio.sleep(round(random.random() * 20, 2))
            then = loop.time() + round(random.random() * 20, 1)
            told = loop.create_future()
            loop.call_at(then, lambda then=then, told=told: told.set_result(loop.time() - then))
            assert 0 <= await told < 0.000_001

    World().run(main())


@pytest.mark.parametrize("name", ["monotonic", "time", "perf_counter"])
def test_who_sleeps_until_a_clock_says_so_comes_to_an_end(name: str):
    """As anyio's deadlines do: they look at the clock, and wait for the rest."""

    async def main() -> int:
        clock, turns = getattr(time, name), 0
        for tenths in range(1, 500):
            end = clock() + tenths / 10
            while (rest := end - clock()) > 0:
                await asyncio.sleep(rest)
                turns += 1
        return turns

    assert World().run(main()) <= 2 * 499


def test_time_does_not_drift():
    async def main() -> None:
        for _ in range(10_000):
            await asyncio.sleep(0.1)
        assert asyncio.get_running_loop().time() == pytest.approx(1000, abs=1e-6)

    World().run(main())
