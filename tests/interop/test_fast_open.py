"""Fast opens (RFC 7413) with the Linux kernel, in either role: whose cookies are good, and what its counters tell."""

from __future__ import annotations

import socket
from contextlib import closing

import pytest

from lastack.host import options as o
from lastack.host.fast_opens import parse_keys
from lastack.host.sockets import Socket
from tests.interop.machine import CONFIG, Machine, machine
from tests.interop.test_ecn import counter

pytestmark = pytest.mark.interop("nstat")

KEY = "00112233-44556677-8899aabb-ccddeeff"
PORT = 80
SYN_DATA = 32
TEXT = b"a request"


def accepted(there: Machine, server: Socket) -> Socket:
    there.driver.run(lambda: bool(server.readable()), 10)
    return server.accept(there.driver.clock())[0]


@pytest.mark.parametrize("version", [4, 6])
def test_the_kernel_opens_to_us(version: int) -> None:
    with machine(config=CONFIG.having(fastopen_server=True)) as there:
        there.box.sysctl("net.ipv4.tcp_fastopen", 1)
        server = there.host.socket(version)
        server.bind(("", PORT))
        server.setsockopt(o.IPPROTO_TCP, o.TCP_FASTOPEN, 5)
        server.listen(there.driver.clock())
        family = socket.AF_INET if version == 4 else socket.AF_INET6
        for fast in (False, True):
            with closing(there.box.socket(family)) as client:
                client.setblocking(False)
                try:
                    client.sendto(TEXT, socket.MSG_FASTOPEN, (there.box.ours[version == 6], PORT))
                except BlockingIOError:
                    assert not fast
                child = accepted(there, server)
                there.driver.run(lambda child=child, fast=fast: bool(child.unread()) or not fast, 10)
                assert child.recv(there.driver.clock(), 99) == TEXT if fast else not child.unread()
                child.send(there.driver.clock(), b"an answer")
                there.driver.run(timeout=0.2)
                assert client.recv(99) == b"an answer"
                child.close(there.driver.clock())
            there.driver.run(timeout=0.2)
        counters = there.host.counters
        assert (counters["fast open: cookie given"], counters["fast open: opened with its SYN"]) == (1, 1)
        assert counter(there, "TcpExtTCPFastOpenActive") == 1


@pytest.mark.parametrize("version", [4, 6])
def test_we_open_to_the_kernel(version: int) -> None:
    with machine() as there:
        there.box.sysctl("net.ipv4.tcp_fastopen", 2)
        there.box.sysctl("net.ipv4.tcp_fastopen_key", KEY)
        family = socket.AF_INET if version == 4 else socket.AF_INET6
        theirs, ours = there.box.theirs[version == 6], there.box.ours[version == 6]
        with closing(there.box.socket(family)) as server:
            server.bind((theirs, PORT))
            server.setsockopt(socket.IPPROTO_TCP, o.TCP_FASTOPEN, 5)
            server.listen()
            server.setblocking(False)
            for fast in (False, True):
                mine = there.host.socket(version)
                if fast:
                    assert mine.sendto(there.driver.clock(), TEXT, o.MSG_FASTOPEN, (theirs, PORT)) == len(TEXT)
                else:
                    with pytest.raises(BlockingIOError):
                        mine.sendto(there.driver.clock(), TEXT, o.MSG_FASTOPEN, (theirs, PORT))
                assert there.driver.run(mine.writable, 10)
                child, _ = server.accept()
                if fast:
                    assert child.recv(99) == TEXT
                info = mine.getsockopt(o.IPPROTO_TCP, o.TCP_INFO)
                assert isinstance(info, dict)
                assert bool(info["tcpi_options"] & SYN_DATA) == fast
                child.close()
                mine.close(there.driver.clock())
                there.driver.run(timeout=0.2)
        assert counter(there, "TcpExtTCPFastOpenPassive") == 1
        # What the kernel gave us is what we would have given for the same key.
        config = CONFIG.having(fastopen_key=parse_keys(KEY))
        packed = [socket.inet_pton(family, one) for one in (theirs, ours)]
        (known,) = there.host.fast_opens.servers()
        assert known.cookie == there.host.fast_opens.cookies(config, *packed, 0)[0]
