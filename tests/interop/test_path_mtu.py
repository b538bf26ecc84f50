"""The kernel as a router whose next link takes less than ours: what it tells us by ICMP, and what we make of it."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from lastack.link.pipeline import Pipeline
from lastack.link.targeted import Drop
from tests.interop.machine import CURL, Machine, digest_of, machine, make_file
from tests.interop.test_http import serve
from tests.tcp.harness import Watch

pytestmark = [pytest.mark.interop("curl", "ip", "nsenter", "unshare"), pytest.mark.slow]

MTU = 1300


@contextmanager
def behind_a_router(there: Machine) -> Iterator[list[str]]:
    """A second namespace, behind a link of `MTU` bytes in its direction; the words that run a program there."""
    box = there.box
    with box.popen(["unshare", "--net", "sleep", "1000"]) as far:
        inside = ["nsenter", f"--net=/proc/{far.pid}/ns/net"]
        _until_its_own(box, far)
        for command in (
            f"ip link add near mtu {MTU} type veth peer name far mtu 1500 netns {far.pid}",
            "ip addr add 10.10.0.1/24 dev near",
            "ip addr add fd10::1/64 dev near nodad",
            "ip link set near up",
        ):
            _run(box, command.split())
        for command in (
            "ip addr add 10.10.0.2/24 dev far",
            "ip addr add fd10::2/64 dev far nodad",
            "ip link set lo up",
            "ip link set far up",
            "ip route add default via 10.10.0.1",
            "ip -6 route add default via fd10::1",
        ):
            _run(box, [*inside, *command.split()])
        box.sysctl("net.ipv4.ip_forward", 1)
        box.sysctl("net.ipv6.conf.all.forwarding", 1)
        try:
            yield inside
        finally:
            far.kill()


def _until_its_own(box: Any, far: subprocess.Popen[Any]) -> None:
    """The program has moved to its namespace."""
    ours = _run(box, ["readlink", "/proc/self/ns/net"])
    for _ in range(500):
        if _run(box, ["readlink", f"/proc/{far.pid}/ns/net"]) != ours:
            return
    raise AssertionError("unshare made no namespace")


def _run(box: Any, command: list[str]) -> str:
    done = box.run(command)
    assert done.returncode == 0, f"{command}: {done.stderr}"
    return str(done.stdout)


@pytest.mark.parametrize("version", [4, 6])
@pytest.mark.parametrize("offload", [True, False])
def test_the_kernels_router_tells_and_no_time_out_is_needed(tmp_path: Path, version: int, offload: bool) -> None:
    # RFC 1191 section 6.4, RFC 8201 section 5.4
    digest = make_file(tmp_path / "file", 5_000_000)
    with machine(offload=offload) as there:
        watch = Watch()
        there.host.observer = watch
        serve(there, tmp_path)
        with behind_a_router(there) as inside:
            there.run(*inside, *CURL, "-o", str(tmp_path / "copy"), there.url(version, "file"))
            assert digest_of(tmp_path / "copy") == digest
            known = there.host.paths.known(bytes((10, 10, 0, 2)) if version == 4 else _SIX, there.driver.clock())
            assert known is not None
            assert known.mtu == MTU
            assert there.host.counters["path MTU reduced by ICMP"] == 1
            assert "retransmission" not in watch.timers
            # The next connection begins with it: no message any more.
            there.run(*inside, *CURL, "-o", str(tmp_path / "copy"), there.url(version, "file"))
            assert there.host.counters["path MTU reduced by ICMP"] == 1


@pytest.mark.parametrize("version", [4, 6])
def test_where_the_message_is_swallowed_probes_find_the_path(tmp_path: Path, version: int) -> None:
    # RFC 4821 section 7.7, RFC 8899
    digest = make_file(tmp_path / "file", 5_000_000)
    with machine() as there:
        watch = Watch()
        there.host.observer = watch
        there.driver.incoming.pipeline = Pipeline([Drop(lambda frame: frame.segment is None)])
        serve(there, tmp_path)
        with behind_a_router(there) as inside:
            there.run(*inside, *CURL, "-o", str(tmp_path / "copy"), there.url(version, "file"))
            assert digest_of(tmp_path / "copy") == digest
            assert there.host.counters["path MTU reduced after time-outs"] == 1
            assert watch.timers.count("retransmission") == 3


_SIX = bytes.fromhex("fd10" + "00" * 13 + "02")
