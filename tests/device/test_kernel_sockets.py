"""The kernel's sockets, ended from outside; and programs that may change nothing but a sandbox's network."""

from __future__ import annotations

import os
from pathlib import Path
from socket import AF_INET, AF_INET6, AF_NETLINK, SOCK_DGRAM
from socket import socket as Socket

import pytest

from lastack.device.kernel_sockets import NETLINK_SOCK_DIAG, destroy, kernel_sockets
from lastack.device.sandbox import Sandbox
from lastack.tcp.states import State

pytestmark = pytest.mark.interop


def diagnosis(box: Sandbox) -> Socket:
    return box.socket(AF_NETLINK, SOCK_DGRAM, NETLINK_SOCK_DIAG)


@pytest.mark.parametrize(("family", "at"), [(AF_INET, 0), (AF_INET6, 1)])
def test_the_connection_that_is_named_ends_and_no_other(family: int, at: int):
    with Sandbox() as box, box.socket(family) as listener, box.socket(family) as one, box.socket(family) as other:
        end = box.theirs[at], 8080
        listener.bind(end)
        listener.listen()
        one.connect(end)
        other.connect(end)
        nobody = box.theirs[at], 9
        assert not destroy(end, nobody, diagnosis(box))  # the listener, which such a packet would be for, stays
        assert destroy(one.getsockname()[:2], end, diagnosis(box))
        with pytest.raises(ConnectionAbortedError):
            one.recv(1)
        states = [row.state for row in kernel_sockets(diagnosis(box))]
        assert states.count(State.LISTEN) == 1
        assert (other.getsockname()[:2], end) in [(row.local, row.remote) for row in kernel_sockets(diagnosis(box))]


def test_a_secluded_program_writes_nothing_but_settings_of_the_network_and_temporary_files(tmp_path: Path):
    outside = Path("/var/tmp", f"lastack-planted-{os.getpid()}")
    with Sandbox() as box:
        for command, fine in (
            (f"touch {outside}", False),
            ("echo 3 > /sys/module/tcp_cubic/parameters/hystart_detect", False),
            ("echo 60 > /proc/sys/vm/swappiness", False),
            (f"touch {tmp_path}/made", str(tmp_path).startswith("/tmp/")),
            ("echo 0 > /proc/sys/net/ipv4/tcp_sack", True),
        ):
            done = box.run(["sh", "-c", command], secluded=True)
            assert (done.returncode == 0) is fine, (command, done.stderr)
        assert box.sysctl("net.ipv4.tcp_sack") == "0"
    assert not outside.exists()
