"""What can befall the network of a world: times, losses, rates, partitions, and rules about chosen segments."""

from __future__ import annotations

import asyncio
import errno

import pytest

from lastack.link.rules import Rate
from lastack.link.targeted import Loop
from tests.aio.programs import ask, give, sink, world


def test_latency_and_jitter():
    async def main() -> None:
        assert await ask() == pytest.approx(0.1, abs=0.001)
        w.latency("localhost", "server", 0.2)
        assert await ask() == pytest.approx(0.4, abs=0.001)
        w.link("localhost", "server").latency(0.3)
        assert await ask() == pytest.approx(0.5, abs=0.001)
        w.latency("localhost", "server", 0.1, jitter=0.05)
        trips = [await ask() for _ in range(20)]
        assert all(0.2 <= trip <= 0.301 for trip in trips)
        assert max(trips) - min(trips) > 0.02
        with pytest.raises(ValueError, match="not negative"):
            w.latency("localhost", "server", -1)

    w = world(latency=0.05)
    w.run(main())


def test_loss_slows_down_and_breaks_nothing():
    async def main() -> None:
        calm = await give(300_000)
        w.loss("localhost", "server", 0.05)
        assert await give(300_000) > calm
        assert w.sim.network.counters["lost: loss"] > 5
        w.loss("localhost", "server", 0)
        assert await give(300_000) == pytest.approx(calm, rel=0.5)
        with pytest.raises(ValueError, match="from 0 to 1"):
            w.loss("localhost", "server", 1.5)

    w = world(sink, seed=3)
    w.run(main())


@pytest.mark.parametrize("bits", [1_000_000, 8_000_000])
def test_bandwidth(bits: int):
    async def main() -> None:
        w.bandwidth("localhost", "server", bits)
        took = await give(500_000)
        wire = 500_000 * 8 * (1 + 52 / 1448) / bits  # headers and all
        assert wire <= took <= 1.15 * wire
        w.bandwidth("localhost", "server", None)
        assert await give(500_000) < took / 3

    w = world(sink, latency=0.005)
    w.run(main())


def test_a_partition_and_its_end():
    async def main() -> None:
        reader, writer = await asyncio.open_connection("server", 80)
        w.partition("localhost", "server")
        writer.write(b"hello")
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(reader.read(5), 10)
        w.repair("localhost", "server")
        began = w.now
        assert await reader.readexactly(5) == b"hello"
        assert 0 < w.now - began < 15  # the next time-out
        writer.close()

    w = world()
    w.run(main())


def test_a_partition_of_one_way():
    async def main() -> None:
        await ask()
        w.partition("server", "localhost", one_way=True)
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(ask(), 5)
        assert "SYN-RECV" in w.netstat("server")  # it has heard, and is not heard
        assert "SYN-SENT" not in w.netstat("localhost")
        w.repair("localhost", "server")
        await ask()

    w = world()
    w.run(main())


@pytest.mark.parametrize(("begin", "end"), [("partition", "repair"), ("hold", "release")])
def test_one_way_of_two(begin: str, end: str):
    async def main() -> None:
        await ask()
        getattr(w, begin)("localhost", "server")
        getattr(w, end)("server", "localhost", one_way=True)  # which leaves that from localhost to the server
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(ask(), 5)
        assert "SYN-RECV" not in w.netstat("server")
        getattr(w, end)("localhost", "server", one_way=True)
        await ask()
        getattr(w, begin)("server", "localhost", one_way=True)
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(ask(), 5)
        assert "SYN-RECV" in w.netstat("server")  # it has heard, and is not heard
        getattr(w, end)("server", "localhost", one_way=True)
        await ask()

    w = world()
    w.run(main())


@pytest.mark.parametrize("side", ["localhost", "server"])
def test_both_ways_are_let_go_at_once(side: str):
    async def talks() -> None:
        async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            await asyncio.sleep(1 - w.now)
            writer.write(b"from there")
            got.append((await reader.readexactly(9), w.now))
            writer.close()

        async with await asyncio.start_server(handle, port=80) as server:
            await server.serve_forever()

    async def main() -> None:
        reader, writer = await asyncio.open_connection("server", 80)
        await asyncio.sleep(0.9 - w.now)
        w.hold(side, "server" if side == "localhost" else "localhost")
        await asyncio.sleep(0.1)
        writer.write(b"from here")
        await asyncio.sleep(0.05)
        w.release("localhost", "server")
        got.append((await reader.readexactly(10), w.now))
        await asyncio.sleep(1)
        writer.close()
        assert sorted(got) == [
            (b"from here", pytest.approx(1.05, abs=0.01)),
            (b"from there", pytest.approx(1.05, abs=0.01)),
        ]

    got: list[tuple[bytes, float]] = []
    w = world(talks)
    w.run(main())


def test_what_goes_round_both_ways_goes_on_as_it_came():
    async def talks() -> None:
        async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            await asyncio.sleep(1 - w.now)
            writer.write(b"from there")
            assert await reader.readexactly(9) == b"from here"
            writer.close()

        async with await asyncio.start_server(handle, port=80) as server:
            await server.serve_forever()

    async def main() -> None:
        reader, writer = await asyncio.open_connection("server", 80)
        await asyncio.sleep(0.9 - w.now)
        loop = Loop(cycle=1_000_000, hops=2)
        assert w.links("localhost", "server").rule(loop) is loop
        await asyncio.sleep(0.1)
        writer.write(b"from here")
        await asyncio.sleep(0.05)
        assert loop.alive(round(w.now * 1e6)) == 2
        w.release("localhost", "server")
        assert await reader.readexactly(10) == b"from there"
        assert w.now < 1.1
        assert await reader.read() == b""
        assert w.now < 1.2
        writer.close()

    w = world(talks)
    w.run(main())


def test_a_wire_both_ways_is_two_wires():
    async def main() -> None:
        w.links("other", "server").rule(Rate(1_000_000))
        async with asyncio.TaskGroup() as group:
            serves = group.create_task(w["other"].run(sink()))
            assert await w["other"].run(give(100_000)) == pytest.approx(0.83, abs=0.02)
            both = await asyncio.gather(w["other"].run(give(100_000)), w["server"].run(give(100_000, "other")))
            assert both == [pytest.approx(0.87, abs=0.05)] * 2  # and the acknowledgments of the other
            serves.cancel()

    w = world(sink)
    w.host("other")
    w.run(main())


def test_a_clock_that_makes_no_sense():
    w = world()
    for seconds, drift in (("x", 0), (float("nan"), 0), (1, "x")):
        with pytest.raises(ValueError, match="of a clock is a number"):
            w.skew("server", seconds, drift)  # type: ignore[arg-type]


def test_who_is_cut_off_gives_up_in_the_end():
    async def main() -> None:
        reader, writer = await asyncio.open_connection("server", 80)
        w.partition("localhost", "server")
        writer.write(b"hello")
        began = w.now
        with pytest.raises(TimeoutError) as caught:
            await reader.read(5)
        assert caught.value.errno == errno.ETIMEDOUT
        assert 900 < w.now - began < 1000  # tcp_retries2 of 15
        began = w.now
        with pytest.raises(TimeoutError) as caught:
            await asyncio.open_connection("server", 80)
        assert caught.value.errno == errno.ETIMEDOUT
        assert w.now - began == pytest.approx(127, abs=1)  # tcp_syn_retries of 6
        writer.close()

    w = world(config="linux")
    w.run(main())


def test_an_address_that_nobody_has():
    async def main() -> None:
        began = w.now
        with pytest.raises(TimeoutError):
            await asyncio.open_connection("10.77.77.77", 80)
        assert w.now - began == pytest.approx(247, abs=1)  # three minutes at least, says MUST-23

    w = world()
    w.run(main())


def test_hold_and_release():
    async def main() -> None:
        reader, writer = await asyncio.open_connection("server", 80)
        w.hold("localhost", "server")
        writer.write(b"hello")
        asked = asyncio.create_task(reader.readexactly(5))
        await asyncio.sleep(0.1)
        assert not asked.done()
        w.release("localhost", "server")
        began = w.now
        assert await asked == b"hello"
        assert w.now - began < 0.01
        writer.close()

    w = world()
    w.run(main())


def test_the_third_syn_is_lost():
    async def main() -> None:
        rule = w.link("localhost", "server").drop("3rd SYN")
        times = []
        for _ in range(4):
            began = w.now
            await ask()
            times.append(round(w.now - began))
        assert times == [0, 0, 1, 0]  # the first time-out of a SYN is one second
        assert rule.counters["lost"] == 1
        rule.on = False
        with pytest.raises(ValueError, match="unknown kind"):
            w.link("localhost", "server").drop("3rd BANG")

    w = world()
    w.run(main())


def test_a_rule_that_looks_at_the_segment():
    async def main() -> None:
        w.links("localhost", "server").drop(lambda frame: frame.segment is not None and b"secret" in frame.data)
        await ask(b"public")
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(ask(b"secret"), 30)

    w = world()
    w.run(main())


def test_a_fin_that_comes_70_s_late():
    async def main() -> None:
        reader, writer = await asyncio.open_connection("server", 80)
        w.link("localhost", "server").delay("every FIN", 70)
        writer.write_eof()
        began = w.now
        assert await reader.read() == b""
        assert w.now - began == pytest.approx(70, abs=0.1)
        writer.close()
        assert "TIME-WAIT" in w.netstat("localhost")

    w = world()
    w.run(main())


@pytest.mark.parametrize("fault", ["delay", "hold", "drop"])
def test_once_lets_the_retransmission_pass(fault: str):
    async def main() -> None:
        reader, writer = await asyncio.open_connection("server", 80)
        link = w.link("localhost", "server")
        rule = link.delay("every FIN once", 70) if fault == "delay" else getattr(link, fault)("every FIN once")
        writer.write_eof()
        began = w.now
        assert await reader.read() == b""
        assert 0.1 < w.now - began < 5
        assert sum(rule.counters.values()) == 1
        writer.close()

    w = world()
    w.run(main())


def test_links_that_make_no_sense():
    w = world()
    for bits in (0, -5):
        with pytest.raises(ValueError, match="at least one bit"):
            w.bandwidth("localhost", "server", bits)
    with pytest.raises(ValueError, match="name two hosts"):
        w.partition("server", "server")
    with pytest.raises(ValueError, match=r"at least 0\.001 s"):
        w.chaos(partition_every=1e-9)
