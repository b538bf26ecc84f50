"""The hosts of a world: how they end and begin anew, their clocks, settings and names, and what can be seen of them."""

from __future__ import annotations

import asyncio
import errno
import socket
import time
from dataclasses import replace
from pathlib import Path

import pytest

from lastack.aio import World
from lastack.sim.world import WorldLimit
from lastack.tcp.config import DEFAULT
from lastack.trace import pcapng
from lastack.wire.segment import FIN, SYN, Segment, parse
from tests.aio.ends import Recorder
from tests.aio.programs import ask, echo, world


def test_a_killed_program_s_kernel_ends_its_connections():
    async def main() -> None:
        reader, writer = await asyncio.open_connection("server", 80)
        await asyncio.sleep(0.01)
        w.kill("server")
        assert await reader.read() == b""  # a FIN: it had read all
        with pytest.raises(ConnectionRefusedError):
            await asyncio.open_connection("server", 80)
        writer.close()
        w.bounce("server")
        await ask()

    w = world()
    w.run(main())


def test_a_killed_program_that_had_not_read_all_resets():
    async def deaf() -> None:
        server = await asyncio.start_server(lambda reader, writer: writer.transport.pause_reading(), port=80)
        await server.serve_forever()

    async def main() -> None:
        reader, writer = await asyncio.open_connection("server", 80)
        await asyncio.sleep(1)
        writer.write(b"unread")
        await asyncio.sleep(1)
        w.kill("server")
        with pytest.raises(ConnectionResetError):
            await reader.read()
        writer.close()

    w = world(deaf)
    w.run(main())


@pytest.mark.parametrize("keep", [True, False], ids=["kernel kept", "power cut"])
def test_a_bounce_with_and_without_what_the_kernel_knew(keep: bool):
    """A server that ends first has TIME-WAIT on its port, and a new one without SO_REUSEADDR minds."""
    found: list[object] = []

    async def serve() -> None:
        async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            writer.close()

        try:
            server = await asyncio.start_server(handle, "0.0.0.0", 80, reuse_address=False)
        except OSError as error:
            found.append(error.errno)
        else:
            found.append("serves")
            await server.serve_forever()

    async def main() -> None:
        reader, writer = await asyncio.open_connection("server", 80)
        assert await reader.read() == b""
        writer.close()
        await asyncio.sleep(1)
        assert "TIME-WAIT" in w.netstat("server")
        w.bounce("server", keep_kernel=keep)
        await asyncio.sleep(1)

    w = world(serve)
    w.run(main())
    assert found == ["serves", errno.EADDRINUSE if keep else "serves"]


def test_a_host_whose_power_is_cut_says_nothing():
    async def main() -> None:
        reader, writer = await asyncio.open_connection("server", 80)
        w.crash("server")
        assert w.netstat("server").splitlines()[1:] == []
        assert "off" in repr(w["server"])
        writer.write(b"hello")
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(reader.read(5), 60)
        w.bounce("server")
        with pytest.raises(ConnectionResetError):  # it knows nothing of the connection
            await reader.read(5)
        writer.close()
        await ask()

    w = world()
    w.run(main())


@pytest.mark.parametrize(
    ("options", "after"),
    [
        ([(socket.SO_KEEPALIVE, 1), (socket.TCP_KEEPIDLE, 30), (socket.TCP_KEEPINTVL, 5), (socket.TCP_KEEPCNT, 3)], 45),
        ([(socket.SO_KEEPALIVE, 1), (socket.TCP_KEEPIDLE, 30), (socket.TCP_USER_TIMEOUT, 40_000)], None),
    ],
    ids=["keep-alive", "user timeout"],
)
def test_who_asks_whether_the_peer_is_there_hears_that_it_is_not(options: list[tuple[int, int]], after: int | None):
    async def main() -> None:
        loop = asyncio.get_running_loop()
        _, protocol = await loop.create_connection(Recorder, "server", 80)
        sock = protocol.transport.get_extra_info("socket")
        for number, value in options:
            level = socket.SOL_SOCKET if number == socket.SO_KEEPALIVE else socket.IPPROTO_TCP
            sock.setsockopt(level, number, value)
        w.crash("server")
        error = await protocol.lost
        assert isinstance(error, TimeoutError) and error.errno == errno.ETIMEDOUT
        assert protocol.calls == ["made", "lost"]
        assert w.now == pytest.approx(after, abs=1) if after else 40 <= w.now < 120

    w = world()
    w.run(main())


def test_a_program_cannot_end_itself():
    async def suicidal() -> None:
        with pytest.raises(RuntimeError, match="let another host do it"):
            w.crash("server")

    w = world(suicidal)
    w.run(asyncio.sleep(1))


def test_the_test_s_own_host_cannot_be_ended():
    w = world()
    for end in (w.crash, w.kill, w.bounce):
        with pytest.raises(ValueError, match="where the test itself runs"):
            end("localhost")


def test_a_signal():
    heard: list[object] = []

    async def serve() -> None:
        stop = asyncio.Event()
        loop = asyncio.get_running_loop()
        loop.add_signal_handler(15, stop.set)
        loop.add_signal_handler(1, heard.append, "hup")
        await stop.wait()
        heard.append(("stopped", socket.gethostname()))
        assert loop.remove_signal_handler(15)
        assert not loop.remove_signal_handler(15)

    async def main() -> None:
        await asyncio.sleep(1)
        assert w.signal("server", 1)
        assert not w.signal("server", 2)  # nobody listens
        await asyncio.sleep(1)
        assert w.signal("server", 15)
        await asyncio.sleep(1)
        assert not w.signal("server", 15)

    w = world(serve)
    w.run(main())
    assert heard == ["hup", ("stopped", "server")]


def test_clocks_that_differ():
    async def server() -> None:
        await asyncio.sleep(10)
        seen["server"] = time.time(), time.monotonic(), time.time_ns() // 1_000_000_000

    async def main() -> None:
        w.skew("server", -3600, drift=0.5)
        await asyncio.sleep(10)
        seen["here"] = time.time(), time.monotonic(), time.time_ns() // 1_000_000_000
        await asyncio.sleep(1)

    seen: dict[str, tuple[float, ...]] = {}
    w = world(server)
    w.run(main())
    assert seen["here"][0] - seen["server"][0] == pytest.approx(3600 - 5)
    assert seen["here"][2] - seen["server"][2] == 3600 - 5
    assert seen["here"][1] == seen["server"][1] == 10


def test_presets_and_settings():
    with pytest.raises(ValueError, match="there is no preset 'windows'"):
        World(config="windows")
    w = World(config="bsd")
    assert w["localhost"].kernel.config.socket_calls == "bsd"
    few = replace(DEFAULT, ephemeral_first=50_000, ephemeral_last=50_004)
    assert w.host("small", config=few).kernel.config is few
    assert w.host("linux", config="linux").kernel.config.push_bursts


def test_a_range_of_ports_that_is_used_up():
    """Five ports: who ends first has them in TIME-WAIT for a minute."""

    async def main() -> None:
        for number in range(5):
            await ask()
            await asyncio.sleep(0.01)
            assert w.netstat("localhost").count("TIME-WAIT") == number + 1
        with pytest.raises(OSError, match="port") as caught:
            await ask()
        assert caught.value.errno == errno.EADDRNOTAVAIL
        await asyncio.sleep(60)
        await ask()

    few = replace(DEFAULT, ephemeral_first=50_000, ephemeral_last=50_004)
    w = World(config=few)
    w.host("server", echo, config="default")
    w.run(main())


# --- names ---


def test_names_and_aliases():
    async def main() -> None:
        loop = asyncio.get_running_loop()
        w.names.add("www.example.com", w["server"].addresses)
        await ask(host="www.example.com")
        await ask(host="WWW.Example.Com.")
        assert socket.gethostbyname("server") == w["server"].addresses[0]
        assert await loop.getnameinfo((w["server"].addresses[0], 80)) == ("server", "http")
        assert await loop.getnameinfo((w["server"].addresses[0], 80), socket.NI_NUMERICSERV) == ("server", "80")
        w.names.remove("www.example.com")
        with pytest.raises(socket.gaierror):
            await ask(host="www.example.com")
        with pytest.raises(KeyError):
            w.names.remove("www.example.com")
        with pytest.raises(ConnectionRefusedError):
            await ask(host="127.0.0.1")  # the host of who asks

    w = world()
    w.run(main())


def test_a_host_that_comes_while_the_world_runs():
    async def main() -> None:
        with pytest.raises(socket.gaierror):
            await ask(host="late")
        w.host("late", echo)
        await asyncio.sleep(0)
        await ask(host="late")
        with pytest.raises(ValueError, match="there is a host late already"):
            w.host("late")
        with pytest.raises(KeyError, match="there is no host"):
            w.computer("nobody")

    w = World()
    w.run(main())


# --- what can be seen ---


def seen_by(host: str, capture: Path) -> list[tuple[int, Segment]]:
    """The segments that passed a host, and when."""
    return [(at, parse(data, 20, len(data))) for at, name, data in pcapng.read(capture) if name == host]


def test_netstat():
    async def main() -> None:
        await asyncio.sleep(0.001)
        assert "LISTEN" in w.netstat("server")
        reader, writer = await asyncio.open_connection("server", 80)
        w.partition("localhost", "server")
        writer.write(b"hello")
        await asyncio.sleep(0.01)
        (line,) = w.netstat("localhost").splitlines()[1:]
        assert line.split()[:5] == ["ESTAB", "0", "5", _here(writer), f"{w['server'].addresses[0]}:80"]
        assert "timer:(on" in line
        assert "ESTABLISHED" in w.netstat("localhost", "netstat")
        w.repair("localhost", "server")
        await reader.readexactly(5)
        writer.close()

    w = world()
    w.run(main())


def _here(writer: asyncio.StreamWriter) -> str:
    host, port = writer.get_extra_info("sockname")
    return f"{host}:{port}"


def test_capture_timeline_and_ladder(tmp_path: Path):
    async def main() -> None:
        await ask(b"to be seen")
        await asyncio.sleep(1)

    w = world()
    w.capture(tmp_path / "all.pcapng")
    timeline = w.timeline()
    w.run(main())
    for host in ("localhost", "server"):
        segments = seen_by(host, tmp_path / "all.pcapng")
        assert [one.flags & SYN for _, one in segments[:3]] == [SYN, SYN, 0]
        assert sum(bool(one.flags & FIN) for _, one in segments) == 2
        assert sum(b"".join(one.payload) == b"to be seen" for _, one in segments) == 2  # there and back
        assert [at for at, _ in segments] == sorted(at for at, _ in segments)
    drawn = w.ladder(timeline, "localhost", "server")
    for word in ("localhost", "server", "SYN-SENT", "ESTABLISHED", "FIN-WAIT-1", "CLOSE-WAIT", "LAST-ACK", "TIME-WAIT"):
        assert word in drawn


def test_a_timeline_that_began_too_late_says_so():
    async def main() -> None:
        await ask()
        await asyncio.sleep(200)
        late = w.timeline()
        drawn.append(w.ladder(late, "localhost", "server"))
        w.note("a note")
        drawn.append(w.ladder(late, "localhost", "server"))

    drawn: list[str] = []
    w = world()
    w.run(main())
    assert drawn[0].splitlines()[-1] == (
        "nothing of these two was recorded: a timeline has what happens after `timeline()` is called"
    )
    assert "a note" in drawn[1]
    assert "nothing" not in drawn[1]


def test_what_runs_away_is_stopped(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("lastack.aio.waiting.TURNS_LIMIT", 1000)

    async def spin() -> None:
        while True:
            await asyncio.sleep(0)

    with pytest.raises(WorldLimit, match="does not come to rest"):
        World().run(spin())
    with pytest.raises(WorldLimit, match="max_time"):
        World(max_time=100).run(asyncio.sleep(1000))
    world = World()
    world.run(asyncio.sleep(0))
    with pytest.raises(RuntimeError, match="a world runs once"):
        world.run(asyncio.sleep(0))
