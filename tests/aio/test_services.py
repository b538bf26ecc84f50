"""Names in a world, of ports above all, are the same on every machine."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Callable
from functools import partial
from socket import getservbyname as early_getservbyname
from typing import Any

import pytest

from lastack.aio import Escaped
from lastack.aio import services as table
from tests.aio.programs import world

TCP, UDP = socket.SOCK_STREAM, socket.SOCK_DGRAM
# That machines have, more or less, and worlds have not.
STRANGE = ("gopher", "kerberos", "www", "nfs", "x11", "zabbix-agent")


def in_a_world(call: Callable[[], Any]) -> Any:
    async def main() -> Any:
        return call()

    return world(main=None).run(main())


@pytest.mark.parametrize(
    ("name", "port"),
    [("echo", 7), ("ssh", 22), ("domain", 53), ("http", 80), ("https", 443), ("postgresql", 5432), ("redis", 6379)],
)
def test_what_everybody_knows(name: str, port: int):
    assert (
        in_a_world(lambda: socket.getservbyname(name)) == in_a_world(lambda: early_getservbyname(name, "tcp")) == port
    )
    assert (
        in_a_world(lambda: socket.getservbyport(port)) == in_a_world(lambda: socket.getservbyport(port, "tcp")) == name
    )
    assert in_a_world(lambda: socket.getnameinfo(("10.0.0.2", port), 0)) == ("server", name)
    found = in_a_world(lambda: socket.getaddrinfo("server", name, type=TCP))
    assert found == [(socket.AF_INET, TCP, socket.IPPROTO_TCP, "", ("10.0.0.2", port))]
    found = in_a_world(lambda: socket.getaddrinfo("::1", name.encode()))
    assert {one[4] for one in found} == {("::1", port, 0, 0)}
    assert {one[1] for one in found} == ({TCP} if name == "redis" else {TCP, UDP})


@pytest.mark.parametrize("name", ["server", "10.0.0.2", "::1"])
def test_what_addresses_the_machine_has(name: str):
    """It may have none but those of its loopback, for which AI_ADDRCONFIG would find nothing."""
    found = in_a_world(lambda: socket.getaddrinfo(name, 80, type=TCP, flags=socket.AI_ADDRCONFIG))
    assert found == in_a_world(lambda: socket.getaddrinfo(name, 80, type=TCP))


def test_the_table_is_of_ports():
    for protocol in ("tcp", "udp"):
        for name, port in table._PORTS[protocol].items():
            assert table.getservbyport(port, protocol) == name
            assert table.getservbyname(name, protocol) == port


@pytest.mark.parametrize("name", STRANGE)
def test_what_the_machine_alone_knows_is_unknown(name: str):
    with pytest.raises(OSError, match="service/proto not found"):
        in_a_world(lambda: socket.getservbyname(name))
    with pytest.raises(socket.gaierror) as caught:
        in_a_world(lambda: socket.getaddrinfo("server", name))
    assert caught.value.errno == socket.EAI_SERVICE


def test_what_has_no_name():
    for what in ((70,), (6379, "udp")):
        with pytest.raises(OSError, match="port/proto not found"):
            in_a_world(lambda what=what: socket.getservbyport(*what))
    with pytest.raises(OSError, match="service/proto not found"):
        in_a_world(lambda: socket.getservbyname("redis", "udp"))
    with pytest.raises(OverflowError):
        in_a_world(lambda: socket.getservbyport(65_536))
    assert in_a_world(lambda: socket.getnameinfo(("10.0.0.2", 70), 0)) == ("server", "70")
    assert in_a_world(lambda: socket.getnameinfo(("10.0.0.2", 6379), socket.NI_DGRAM)) == ("server", "6379")


def test_a_name_where_a_number_belongs():
    for name, kind, flags, error in (
        ("redis", UDP, 0, socket.EAI_SERVICE),
        ("http", socket.SOCK_RAW, 0, socket.EAI_SERVICE),
        ("http", TCP, socket.AI_NUMERICSERV, socket.EAI_NONAME),
    ):
        with pytest.raises(socket.gaierror) as caught:
            in_a_world(partial(_look_up, name, kind, flags))
        assert caught.value.errno == error
    for number in (80, "80", b"80", " 80", None, ""):
        port = 80 if number else 0
        assert in_a_world(partial(_look_up, number, TCP, 0))[0][4] == ("10.0.0.2", port)


def _look_up(port: Any, kind: int, flags: int) -> Any:
    return socket.getaddrinfo("server", port, type=kind, flags=flags)


def test_a_server_and_a_client_by_name():
    async def serve() -> None:
        async with await asyncio.start_server(lambda _, writer: writer.close(), port="redis") as server:
            await server.serve_forever()

    async def main() -> bytes:
        reader, writer = await asyncio.open_connection("server", "redis")
        assert writer.get_extra_info("peername") == ("10.0.0.2", 6379)
        try:
            return await reader.read()
        finally:
            writer.close()

    assert world(serve).run(main()) == b""


def test_what_was_kept_of_the_machine_is_not_asked():
    class Kept:
        ask = staticmethod(early_getservbyname)

    with pytest.raises(Escaped, match="asking the machine for a port"):
        in_a_world(lambda: Kept.ask("http"))


@pytest.mark.parametrize(
    "call",
    [
        lambda: socket.getservbyname(80),  # type: ignore[arg-type]
        lambda: socket.getservbyname("http", 6),  # type: ignore[arg-type]
        lambda: socket.getservbyname("http\0"),
        lambda: socket.getservbyport("80"),  # type: ignore[arg-type]
        lambda: socket.getservbyport(80.0),  # type: ignore[arg-type]
        lambda: socket.getservbyport(80, 6),  # type: ignore[arg-type]
        lambda: socket.getservbyport(1 << 16),
    ],
)
def test_what_is_no_name_and_no_port_fails_as_with_the_machine(call: Callable[[], Any]):
    with pytest.raises((TypeError, ValueError, OverflowError)) as real:
        call()
    with pytest.raises(real.type):
        in_a_world(call)
