"""A world's hosts: programs that run, end without being asked, and begin anew."""

from __future__ import annotations

import asyncio
import random
import socket
import time
import uuid

import pytest

from lastack.aio import SimulatedLoop, World, WorldStuck
from lastack.sim.world import WorldLimit


async def upper() -> None:
    """Serves lines on port 80, in capitals."""

    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while line := await reader.readline():
            writer.write(line.upper())
        writer.close()

    async with await asyncio.start_server(handle, port=80) as server:
        await server.serve_forever()


async def ask(text: bytes, host: str = "server") -> bytes:
    """What the server makes of a line."""
    reader, writer = await asyncio.open_connection(host, 80)
    writer.write(text)
    answer = await reader.readline()
    writer.close()
    await writer.wait_closed()
    return answer


def test_hosts_talk_by_name():
    world = World()
    world.host("server", upper)
    assert world.run(ask(b"hello\n")) == b"HELLO\n"
    assert world.now == pytest.approx(0.002, abs=0.0005)  # two round trips of a millisecond


def test_an_hour_takes_no_time():
    began = time.perf_counter()
    world = World()
    world.run(asyncio.sleep(3600))
    assert world.now == 3600
    assert time.perf_counter() - began < 60  # it takes milliseconds, on a machine that has nothing else to do


def test_one_seed_is_one_run():
    async def main() -> list[object]:
        await ask(b"hello\n")
        own = random.Random().random()  # whose seed C would ask the machine for
        random.seed()
        return [random.random(), own, uuid.uuid4(), time.time(), time.monotonic_ns()]

    def run(seed: int) -> tuple[object, str]:
        world = World(seed)
        world.host("server", upper)
        world.loss("localhost", "server", 0.3)
        trace = world.trace_hash()
        return world.run(main()), trace.hexdigest()

    assert run(1) == run(1)
    assert run(1)[0] != run(2)[0]
    assert run(1)[1] != run(2)[1]


def test_a_run_leaves_time_and_chance_as_they_were():
    random.seed(1)
    first = random.random()
    random.seed(1)
    World().run(asyncio.sleep(100))
    assert random.random() == first
    assert abs(time.time() - time.clock_gettime(time.CLOCK_REALTIME)) < 1


def test_the_loop_alone_is_a_host():
    async def main() -> bytes:
        task = asyncio.create_task(upper())
        await asyncio.sleep(1)
        try:
            return await ask(b"to myself\n", "localhost")
        finally:
            task.cancel()
            await asyncio.sleep(0)

    with asyncio.Runner(loop_factory=SimulatedLoop) as runner:
        assert runner.run(main()) == b"TO MYSELF\n"


def test_who_waits_for_ever_is_told_of():
    async def main() -> None:
        await asyncio.Event().wait()

    with pytest.raises(WorldStuck, match=r"test_world\.py"):
        World().run(main())


def test_after_a_crash_the_peer_does_not_know_until_it_asks():
    async def main() -> None:
        reader, writer = await asyncio.open_connection("server", 80)
        world.crash("server")
        world.bounce("server")
        assert "ESTAB" in world.netstat("localhost")
        assert "ESTAB" not in world.netstat("server")
        writer.write(b"hello\n")
        with pytest.raises(ConnectionResetError):
            await reader.readline()
        writer.close()

    world = World()
    world.host("server", upper)
    world.run(main())


def test_a_killed_program_runs_no_further():
    done = []

    async def work() -> None:
        try:
            await asyncio.sleep(10)
        finally:
            done.append(world.now)

    async def main() -> None:
        await asyncio.sleep(5)
        world.kill("worker")
        await asyncio.sleep(10)
        assert not done

    world = World()
    world.host("worker", work)
    world.run(main())


@pytest.mark.parametrize("waits", [False, True])
def test_what_a_client_raises_ends_the_run_though_nobody_is_waited_for_any_more(waits: bool):
    async def fail() -> None:
        if waits:
            await asyncio.sleep(5)
        raise ValueError("no")

    async def end() -> None:
        await asyncio.sleep(5 if waits else 0)

    world = World()
    for name, main in (("first", end), ("failing", fail), ("last", end)):
        world.client(name, main)
    with pytest.raises(ValueError, match="no"):
        world.run()


def test_what_a_host_raises_ends_the_run():
    async def fail() -> None:
        await asyncio.sleep(5)
        raise ValueError("no")

    world = World(seed=7)
    world.host("server", fail)
    with pytest.raises(ValueError, match="no") as caught:
        world.run(asyncio.sleep(100))
    assert caught.value.__notes__ == ["in the world of seed 7, server, at 5.000000 s"]


def test_what_is_noted_stands_in_the_ladder_and_of_a_long_one_the_end():
    async def main() -> None:
        await ask(b"hello\n")
        world.note("said hello", "localhost")
        assert (await ask(b"again\n")) == b""

    world = World()
    world.host("server", upper)
    timeline = world.timeline()
    seen: list[float] = []
    world.when_over(lambda: seen.append(world.now))
    with pytest.raises(AssertionError):
        world.run(main())
    whole = world.ladder(timeline, "localhost", "server")
    assert "said hello" in whole
    assert "localhost fails: AssertionError" in whole
    ends = world.ladder(timeline, "localhost", "server", last=3).splitlines()
    assert "lines before this are left out" in "".join(ends)
    assert "localhost fails" in ends[-1]
    assert "S 0:0(0)" in whole
    assert "S 0:0(0)" not in "".join(ends)
    assert len(ends) < 10
    assert seen == [pytest.approx(0.004, abs=0.0005)]


def test_a_client_that_fails_at_once_ends_the_run():
    async def suicide() -> None:
        world.crash("client")

    world = World()
    world.client("client", suicide)
    with pytest.raises(RuntimeError, match="cannot end itself"):
        world.run()


@pytest.mark.parametrize("limits", [{"max_time": 100.0}, {"max_events": 50}, {}])
def test_what_goes_round_in_circles_is_ended_in_good_order(limits: dict[str, float], monkeypatch: pytest.MonkeyPatch):
    ended = []

    async def main() -> None:
        try:
            while True:
                await asyncio.sleep(1 if limits else 0)
                if "max_events" in limits:
                    await ask(b"hello\n")
        finally:
            await asyncio.sleep(0)
            ended.append(world.now)

    monkeypatch.setattr("lastack.aio.waiting.TURNS_LIMIT", 1000)
    world = World(**limits)
    world.host("server", upper)
    with pytest.raises(WorldLimit):
        world.run(main())
    assert ended == [world.now]


def test_what_a_host_raises_ends_the_run_though_somebody_waits_for_another():
    async def fail() -> None:
        await asyncio.sleep(5)
        raise ValueError("no")

    async def main() -> None:
        await world["worker"].run(asyncio.sleep(1000))

    world = World()
    world.host("server", fail)
    world.host("worker")
    with pytest.raises(ValueError, match="no"):
        world.run(main())
    assert world.now == 5


def test_a_write_leaves_within_the_call():
    """Two small writes without TCP_NODELAY: the first leaves, the second waits for its ACK (Nagle, RFC 9293 3.7.4)."""

    async def main() -> None:
        _, writer = await asyncio.open_connection("server", 80)
        writer.get_extra_info("socket").setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 0)
        writer.write(b"hel")
        writer.write(b"lo\n")
        await asyncio.sleep(1)
        writer.close()

    world = World()
    world.host("server", upper)
    timeline = world.timeline()
    world.run(main())
    drawn = world.ladder(timeline, "localhost", "server")
    assert "P. 1:4(3)" in drawn
    assert "P. 4:7(3)" in drawn
