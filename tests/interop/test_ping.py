"""ping of the kernel over the device: echo, whole and in fragments (RFC 1122 section 3.2.2.6, RFC 8200 section 4.5)."""

from __future__ import annotations

import pytest

from tests.interop.machine import machine

pytestmark = pytest.mark.interop("ping")


@pytest.mark.parametrize("offload", [True, False])
@pytest.mark.parametrize("version", [4, 6])
def test_ping_of_every_size(version: int, offload: bool) -> None:
    with machine(offload=offload) as there:
        there.run("sysctl", "-qw", "net.ipv4.ping_group_range=0 0")
        for size in (56, 3000, 60_000):
            ours = there.box.ours[version == 6]
            shown = there.run("ping", f"-{version}", "-n", "-c", "3", "-i", "0.01", "-W", "5", "-s", str(size), ours)
            assert b"3 received" in shown, shown.decode()
        assert there.host.counters["reassembled"] == 6
        assert len(there.host.fragments) == 0
