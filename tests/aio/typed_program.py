"""A typed program of somebody who uses the public names as the documents do."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator

import pytest

import lastack.socket
from lastack.aio import DeviceLoop, Escaped, EscapedWarning, HostDown, SimulatedLoop, World, WorldStuck


async def serve() -> None:
    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while line := await reader.readline():
            writer.write(line.upper())
        writer.close()

    async with await asyncio.start_server(handle, port=80) as server:
        await server.serve_forever()


async def ask(text: bytes) -> bytes:
    reader, writer = await asyncio.open_connection("server", 80)
    writer.write(text)
    answer = await reader.readline()
    writer.close()
    return answer


async def work() -> None:
    assert await ask(b"hello\n") == b"HELLO\n"


def plain() -> None:
    world = World(seed=7, latency=0.01, config="linux", max_time=1000)
    server = world.host("server", serve, addresses="10.1.0.1")
    world.client("client", work, config="linux")
    world.run()

    async def main() -> int:
        one = asyncio.create_task(server.run(ask(b"one\n")))
        two = world["client"].run(ask(b"two\n"))
        async with asyncio.TaskGroup() as group:
            three = group.create_task(server.run(ask(b"three\n")))
        both: tuple[bytes, bytes] = await asyncio.gather(one, two)
        four: bytes = await server.run(ask(b"four\n"))
        five: bytes = await asyncio.wait_for(server.run(ask(b"five\n")), 5)
        done, pending = await asyncio.wait([one, two], return_when=asyncio.FIRST_COMPLETED)
        six = asyncio.ensure_future(server.run(ask(b"six\n")))
        six.cancel()
        loop = asyncio.get_running_loop()
        loop.create_task(server.run(work()), name="seven").add_done_callback(print)
        result: bytes = three.result()
        server.run(work()).cancel()
        return len(result) + len(both) + len(four) + len(five) + len(done) + len(pending)

    number: int = World().run(main())
    assert number == 7


async def controls(world: World) -> None:
    timeline = world.timeline()
    trace = world.trace_hash()
    world.crash("server")
    world.kill(world["server"])
    world.bounce("server", keep_kernel=True)
    world.partition("client", "server", one_way=True)
    world.repair("client", "server")
    world.hold("client", "server")
    world.release("client", "server")
    world.latency("client", "server", 0.1, jitter=0.01)
    world.loss("client", "server", 0.1)
    world.bandwidth("client", "server", 1e6)
    rule = world.link("client", "server").drop("3rd SYN")
    rule.on = False
    world.links("client", "server").delay("1st FIN", 70)
    world.links("client", "server").drop(lambda frame: frame.segment is not None and frame.segment.seq == 7)
    world.names.add("db", ["10.1.0.1"])
    world.skew("server", 3600, drift=1e-4)
    world.chaos(loss=0.01, partition_every=60, hosts=["server"], between=[("client", world["server"])])
    world.note("now")
    print(world.netstat("client"), world.ladder(timeline, "client", "server", last=10), trace.hexdigest(), world.now)
    print(list(world.escapes), world.decisions.happens("timeout db #3", 0.1), world.random.random())
    heard: bool = world.signal("server", 15)
    assert heard
    try:
        await world["server"].run(work())
    except (HostDown, Escaped, WorldStuck, EscapedWarning) as error:
        print(error)


@pytest.mark.lastack(seed=17, runs=3, latency=0.1)
async def test_it(world: World) -> None:
    world.host("server", serve)
    assert await ask(b"hello\n") == b"HELLO\n"


def test_plain(world: World) -> None:
    world.host("server", serve)
    assert world.run(ask(b"hello\n")) == b"HELLO\n"


@pytest.fixture
def served(world: World) -> Iterator[World]:
    yield world
    print(world.trace_hash().hexdigest())


def loops() -> None:
    with asyncio.Runner(loop_factory=SimulatedLoop) as runner:
        runner.run(work())
    with asyncio.Runner(loop_factory=lambda: SimulatedLoop(seed=7)) as runner:
        runner.run(work())
    with asyncio.Runner(loop_factory=lambda: DeviceLoop("lastack0", "10.9.0.7/24")) as runner:
        runner.run(work())


def blocking() -> None:
    with lastack.socket.open_device("lastack0", "10.9.0.7/24") as stack, lastack.socket.use(stack):
        with lastack.socket.create_connection(("10.9.0.1", 80), timeout=5) as connection:
            connection.sendall(b"GET / HTTP/1.0\r\n\r\n")
            data: bytes = connection.recv(1000)
        with lastack.socket.patched(stack):
            print(data)
    with lastack.socket.open_pair(latency=0.01) as pair, lastack.socket.use(pair.server):
        listener = lastack.socket.socket(lastack.socket.AF_INET, lastack.socket.SOCK_STREAM)
        listener.setsockopt(lastack.socket.SOL_SOCKET, lastack.socket.SO_REUSEADDR, 1)
        listener.bind(("server", 80))
        listener.listen()
        made, address = listener.accept()
        pair.there.drop("3rd SYN")
        print(made.recv(10), address, lastack.socket.getaddrinfo("server", 80))


async def wrong(world: World) -> None:
    """What makes no sense is told: an unused `type: ignore` is an error."""
    number: int = await world["server"].run(ask(b""))  # type: ignore[arg-type]
    await world["server"].run(ask)  # type: ignore[arg-type]
    world.run(work()).bit_length()  # type: ignore[attr-defined]
    world.host("other", work())  # type: ignore[arg-type]
    world.crash(number)  # type: ignore[arg-type]
    world.latency("client", "server", "0.1")  # type: ignore[arg-type]
