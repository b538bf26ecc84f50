"""What hosts run for others, and who hears of its end."""

from __future__ import annotations

import asyncio

import pytest

from lastack.aio import HostDown, World
from tests.aio.programs import world


@pytest.mark.parametrize("how", ["bounced", "added"])
def test_a_host_s_failure_is_heard_where_who_began_it_is_no_more(how: str):
    async def fails() -> None:
        await asyncio.sleep(5)
        raise LookupError("heard")

    async def operator() -> None:
        await asyncio.sleep(1)
        if how == "bounced":
            w.bounce("worker")
        else:
            w.host("other", fails)
        await asyncio.sleep(100)

    async def main() -> None:
        await asyncio.sleep(2)
        w.kill("operator")
        await asyncio.sleep(20)

    w = World()
    w.host("operator", operator)
    w.host("worker", fails if how == "bounced" else None)
    with pytest.raises(LookupError, match="heard"):
        w.run(main())
    assert w.now == 6


@pytest.mark.parametrize("end", ["crash", "kill", "bounce"])
def test_who_waits_for_a_host_hears_that_it_was_ended(end: str):
    ran: list[str] = []

    async def long() -> None:
        try:
            await asyncio.sleep(50)
        finally:
            ran.append("finally")

    async def main() -> None:
        waits = w["server"].run(long())
        unheard = w["server"].run(long())
        await asyncio.sleep(1)
        getattr(w, end)("server")
        with pytest.raises(HostDown, match="server"):
            async with asyncio.timeout(10):
                await waits
        assert w.now == 1 and unheard.done() and not waits.cancel()
        if end != "bounce":
            with pytest.raises(HostDown, match="bounce"):
                w["server"].run(long())
        assert ran == []

    w = world()
    w.run(main())


def test_what_a_host_runs_for_others_is_cancelled_with_its_outcome():
    ended: list[float] = []

    async def slow_to_end() -> None:
        try:
            await asyncio.sleep(50)
        finally:
            await asyncio.sleep(1)
            ended.append(w.now)

    async def main() -> None:
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(asyncio.gather(*(w["server"].run(slow_to_end()) for _ in range(2))), 10)
        assert ended == [11, 11]
        outcomes = [w["server"].run(asyncio.sleep(1, number)) for number in range(9)]
        assert sorted(one.result() for one in (await asyncio.wait(outcomes))[0]) == list(range(9))

    w = world()
    with pytest.raises(RuntimeError, match="the world does not run"):
        w["server"].run(slow_to_end())
    w.run(main())


def test_a_task_of_what_a_host_runs():
    ended: list[str] = []

    async def job(seconds: float) -> str:
        try:
            await asyncio.sleep(seconds)
            return asyncio.get_running_loop().process.name  # type: ignore[attr-defined]
        finally:
            ended.append(f"{seconds}")

    async def main() -> None:
        task = asyncio.create_task(w["server"].run(job(1)), name="one")  # type: ignore[arg-type]
        assert await task == "server" and task.get_name() == "one"
        asyncio.get_running_loop().call_later(1, w.crash, "server")
        with pytest.raises(ExceptionGroup) as caught:
            async with asyncio.TaskGroup() as group:
                group.create_task(w["server"].run(job(50)))  # type: ignore[arg-type]
        assert isinstance(caught.value.exceptions[0], HostDown)
        w.bounce("server")
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(2), asyncio.TaskGroup() as group:
                group.create_task(w["server"].run(job(60)))  # type: ignore[arg-type]
        assert ended == ["1", "60"]  # cancelled is what the host runs, too

    w = world()
    w.run(main())
