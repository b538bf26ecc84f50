"""ECN with the Linux kernel, in either role and over a path that marks: what `ss` and `nstat` of its side tell."""

from __future__ import annotations

from pathlib import Path

import pytest

from lastack.apps.http_client import Fetch, Url
from lastack.link.faults import Faults
from tests.interop.machine import CONFIG, CURL, Machine, digest_of, machine, make_file
from tests.interop.test_http import python_server, serve

pytestmark = pytest.mark.interop("curl", "ss", "nstat")

MARKS = Faults(ecn_mark=0.05)
SIZE = 20_000_000
FAR = 3_000_000  # bytes under way when the kernel is asked


def words(there: Machine, port: int) -> list[str]:
    """What the kernel's socket tells of the connection with this port at one of its ends."""
    found = there.box.run(["ss", "-tinoH", "state", "established", f"( sport = :{port} or dport = :{port} )"])
    return str(found.stdout).split()


def counter(there: Machine, name: str) -> int:
    """A counter of the kernel in the sandbox."""
    lines = [line.split() for line in str(there.box.run(["nstat", "-asz", name]).stdout).splitlines()]
    return next(int(line[1]) for line in lines if line and line[0] == name)


def sent_by_us(there: Machine) -> int:
    """Bytes that the peer has acknowledged, of the connections that there are."""
    return sum((tcb.snd_una - tcb.iss) & 0xFFFFFFFF for tcb in there.host.connections())


@pytest.mark.parametrize("asks", [1, 2])
def test_the_kernel_asks_us(tmp_path: Path, asks: int) -> None:  # RFC 3168 section 6.1.1; tcp_ecn 1 asks, 2 does not
    digest = make_file(tmp_path / "file", SIZE)
    with machine(MARKS) as there:
        there.box.sysctl("net.ipv4.tcp_ecn", asks)
        serve(there, tmp_path)
        with there.box.popen([*CURL, "-o", str(tmp_path / "copy"), there.url(4, "file")]) as process:
            assert there.driver.run(lambda: sent_by_us(there) > FAR, 60)
            seen = words(there, 80)
            assert there.driver.run_while(process, 60) == 0
        assert digest_of(tmp_path / "copy") == digest
        assert ("ecn" in seen, "ecnseen" in seen) == (asks == 1, asks == 1)
        assert (counter(there, "IpExtInECT0Pkts") > 0, counter(there, "IpExtInCEPkts") > 0) == (asks == 1, asks == 1)


@pytest.mark.parametrize("offload", [True, False])
def test_we_ask_the_kernel(tmp_path: Path, offload: bool) -> None:  # RFC 3168 sections 6.1.2 and 6.1.3
    make_file(tmp_path / "file", SIZE)
    with (
        machine(MARKS, offload=offload, config=CONFIG.having(ecn="on")) as there,
        python_server(there, tmp_path, 4) as server,
    ):
        there.box.sysctl("net.ipv4.tcp_ecn", 2)  # the kernel's default: when asked
        url = Url.parse(f"http://{there.box.theirs[0]}:8000/file")
        fetch = Fetch(there.reactor, url, url.host, lambda size: lambda views: sum(map(len, views)))
        fetch.start(there.driver.clock())
        there.driver.run(lambda: fetch.received > FAR, 60)
        seen = words(there, 8000)
        there.driver.run(lambda: fetch.done, 60)
        server.terminate()
        assert (fetch.error, fetch.received) == ("", SIZE)
        assert "ecn" in seen
        assert counter(there, "TcpExtTCPDeliveredCE") > 0  # our echo of the marks has reached it
        assert there.driver.incoming.pipeline["ecn_mark"].counters["marked"] > 0


def test_a_kernel_that_will_not(tmp_path: Path) -> None:  # tcp_ecn 0
    make_file(tmp_path / "file", 1_000_000)
    with machine(MARKS, config=CONFIG.having(ecn="on")) as there:
        there.box.sysctl("net.ipv4.tcp_ecn", 0)
        with python_server(there, tmp_path, 4) as server:
            digest, error = there.fetch(f"http://{there.box.theirs[0]}:8000/file")
            server.terminate()
            assert (digest, error) == (digest_of(tmp_path / "file"), "")
            assert there.driver.incoming.pipeline["ecn_mark"].counters["marked"] == 0
            assert there.driver.outgoing.pipeline["ecn_mark"].counters["marked"] == 0
