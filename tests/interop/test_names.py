"""bind and listen by two sockets at one port: who is in whose way, held against the kernel's own sockets."""

from __future__ import annotations

import socket as kernel
from collections.abc import Callable, Iterator
from itertools import product
from typing import Any

import pytest

from lastack.device.namespace import Namespace
from lastack.device.netlink import configure
from lastack.host import options as o
from lastack.host.host import Host
from lastack.tcp.presets import LINUX

pytestmark = pytest.mark.interop

Name = tuple[int, str, int]  # version, address, IPV6_V6ONLY
NAMES: list[Name] = [
    (4, "0.0.0.0", 0),
    (4, "127.0.0.1", 0),
    (4, "127.0.0.2", 0),
    (6, "::", 0),
    (6, "::", 1),
    (6, "::1", 0),
    (6, "::ffff:127.0.0.1", 0),
    (6, "::ffff:127.0.0.1", 1),
    (6, "::ffff:0.0.0.0", 0),
]
Make = Callable[[Name, bool], Any]


@pytest.fixture(scope="module")
def of_kernel() -> Iterator[Make]:
    """The kernel's sockets, in a namespace where nothing but these has ever had a port."""
    with Namespace() as space:
        configure("lo", connection=space.netlink())

        def make(name: Name, reuse: bool) -> kernel.socket:
            made = space.socket(kernel.AF_INET if name[0] == 4 else kernel.AF_INET6)
            made.setsockopt(kernel.SOL_SOCKET, kernel.SO_REUSEADDR, reuse)
            if name[2]:
                made.setsockopt(kernel.IPPROTO_IPV6, kernel.IPV6_V6ONLY, 1)
            return made

        yield make


def of_ours(host: Host) -> Make:
    def make(name: Name, reuse: bool) -> Ours:
        return Ours(host, name, reuse)

    return make


class Ours:
    """Our socket with the kernel's calls."""

    def __init__(self, host: Host, name: Name, reuse: bool) -> None:
        self.socket = host.socket(name[0])
        self.socket.setsockopt(o.SOL_SOCKET, o.SO_REUSEADDR, int(reuse))
        if name[2]:
            self.socket.setsockopt(o.IPPROTO_IPV6, o.IPV6_V6ONLY, 1)
        self.bind, self.getsockname = self.socket.bind, self.socket.getsockname

    def listen(self) -> None:
        self.socket.listen(0)

    def close(self) -> None:
        self.socket.close(0)


def attempt(call: Callable[[], Any]) -> int:
    try:
        call()
    except OSError as error:
        return error.errno or -1
    return 0


def play(make: Make, names: tuple[Name, Name], reuse: tuple[bool, bool], listening: str) -> list[object]:
    """What each call gives. `listening`: "first" listens before the second binds, "both" when both are bound."""
    first, second = make(names[0], reuse[0]), make(names[1], reuse[1])
    try:
        said: list[object] = [attempt(lambda: first.bind((names[0][1], 0)))]
        port = first.getsockname()[1]
        if listening == "first":
            said.append(attempt(first.listen))
        said.append(attempt(lambda: second.bind((names[1][1], port))))
        said += [first.getsockname()[0], second.getsockname()[0] if port else ""]
        if listening == "both" and port and second.getsockname()[1] == port:
            said += [attempt(first.listen), attempt(second.listen)]
        return said
    finally:
        first.close()
        second.close()


@pytest.mark.parametrize("names", list(product(NAMES, NAMES)), ids=str)
def test_two_sockets_at_one_port(names: tuple[Name, Name], of_kernel: Make) -> None:
    host = Host(("127.0.0.1", "127.0.0.2", "::1"), LINUX, secret=b"a secret of tests")
    for first, second, listening in product((False, True), (False, True), ("", "first", "both")):
        expected = play(of_kernel, names, (first, second), listening)
        assert play(of_ours(host), names, (first, second), listening) == expected, (first, second, listening)
    assert host.ports.in_use() == 0
