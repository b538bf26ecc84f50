"""Sandboxes: apart from the machine's network, gone without a trace, and open to users where the machine lets them."""

from __future__ import annotations

import os
import select
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pyroute2
import pytest

from lastack.device.errors import DeviceError
from lastack.device.netlink import Netlink, configure
from lastack.device.sandbox import Sandbox
from lastack.wire import datagram, icmp
from lastack.wire.address import parse_address

pytestmark = pytest.mark.interop

# Not until a program has been started are the rights gone: so one is started between.
NOBODY = ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups", "sh", "-c", 'exec "$@"', "sh"]
SOURCE = Path(__file__).parents[2] / "src"
SOURCES = os.pathsep.join([str(SOURCE), str(Path(pyroute2.__file__).parents[1])])

IN_A_SANDBOX = """
from lastack.device.errors import DeviceError
from lastack.device.sandbox import Sandbox
try:
    with Sandbox() as box:
        s = box.socket(2, 2)
        s.sendto(b"hello", (box.ours[0], 9))
        packet = box.tun.read()
        print(box.user, bytes(packet.data[-5:]), box.sysctl("net.ipv4.tcp_fin_timeout", 7), end=" ")
        print(box.run(["cat", "/proc/self/uid_map"]).stdout.split(), end=" ")
        print(box.run(["cat", "/proc/net/dev"]).stdout.count(":"))
except DeviceError as error:
    print(error)
"""


def as_nobody(*before: str) -> str:
    """What the script above says to a user without rights."""
    python = next((one for one in (sys.executable, "/usr/bin/python3") if runs_as_nobody(one)), None)
    if python is None:
        pytest.skip("no Python that an unprivileged user may run with this source")
    command = [*before, *NOBODY, python, "-c", IN_A_SANDBOX]
    environment = {"PYTHONPATH": SOURCES, "PATH": os.environ["PATH"], "PYTHONDONTWRITEBYTECODE": "1"}
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False, timeout=60)
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def runs_as_nobody(python: str) -> bool:
    """Whether that Python, of 3.11 or newer, can read the package when an unprivileged user runs it."""
    environment = {"PYTHONPATH": SOURCES, "PYTHONDONTWRITEBYTECODE": "1"}
    script = "import sys, pyroute2, lastack.device.sandbox; sys.exit(sys.version_info < (3, 11))"
    command = [*NOBODY, python, "-c", script]
    return subprocess.run(command, env=environment, capture_output=True, check=False, cwd="/").returncode == 0


def links() -> list[str]:
    return sorted(name for _, name in socket.if_nameindex())


def test_the_machine_s_network_is_left_alone() -> None:
    before = links(), Path("/proc/sys/net/ipv4/tcp_fin_timeout").read_text()
    with Sandbox(name="apart0") as box:
        assert links() == before[0]
        assert box.sysctl("net.ipv4.tcp_fin_timeout", 5) == "5"
        assert box.sysctl("net.ipv4.tcp_fin_timeout") == "5"
        assert Path("/proc/sys/net/ipv4/tcp_fin_timeout").read_text() == before[1]


@pytest.mark.parametrize("as_user", [False, True])
def test_programs_run_inside(as_user: bool) -> None:
    with Sandbox(name="inner0", mtu=1400, as_user=as_user) as box:
        assert box.user is as_user
        listed = box.run(["cat", "/proc/self/net/dev", "/proc/sys/net/ipv6/conf/inner0/mtu"]).stdout
        assert "inner0:" in listed
        assert "eth0:" not in listed
        assert listed.endswith("\n1400\n")
        assert box.run(["cat"], input="text").stdout == "text"
        with pytest.raises(FileNotFoundError):
            box.popen(["no-such-program"])
        with pytest.raises(subprocess.TimeoutExpired):
            box.run(["sleep", "100"], timeout=0.01)


def test_addresses_are_usable_at_once() -> None:
    with Sandbox(address="192.0.2.1/30", ours="192.0.2.2", address6="2001:db8::1/126", ours6="2001:db8::2") as box:
        assert (box.theirs, box.ours) == (["192.0.2.1", "2001:db8::1"], ["192.0.2.2", "2001:db8::2"])
        for family, address in zip((socket.AF_INET, socket.AF_INET6), box.theirs, strict=True):
            with box.socket(family) as bound:
                bound.bind((address, 80))
        with box.socket(kind=socket.SOCK_DGRAM) as sender:
            sender.sendto(b"x", ("127.0.0.1", 9))
        # The kernel has nothing to say to us before we speak: no router solicitation, no duplicate address detection.
        assert box.tun.read() is None
    with Sandbox(address6=None) as box:
        assert (box.theirs, box.ours) == (["10.9.0.1"], ["10.9.0.7"])


def test_the_helper_and_the_descriptors_are_this_process_s_alone() -> None:
    with Sandbox() as box:
        # An interrupt from the keyboard goes to a whole session: the helper has its own.
        assert os.getsid(box._helper.pid) == box._helper.pid
        assert not any(map(os.get_inheritable, (box.tun.fileno(), *(fd for fd, _ in box._namespaces))))


def test_closing_ends_what_was_started_and_nothing_stays() -> None:
    descriptors = len(os.listdir("/proc/self/fd"))
    box = Sandbox()
    obedient = box.popen(["sleep", "100"])
    stubborn = box.popen(["sh", "-c", "trap '' TERM; echo; while :; do sleep 0.01; done"], stdout=subprocess.PIPE)
    assert stubborn.stdout is not None
    stubborn.stdout.readline()
    helper = box._helper
    box.close()
    box.close()
    stubborn.stdout.close()
    assert (obedient.returncode, stubborn.returncode, helper.returncode) == (-15, -9, 0)
    assert len(os.listdir("/proc/self/fd")) == descriptors
    with pytest.raises(DeviceError, match="the sandbox is closed"):
        box.socket()


def test_what_was_started_ends_with_its_starter() -> None:
    script = """
import os, signal
from lastack.device.sandbox import Sandbox
from lastack.wire import datagram, icmp
from lastack.wire.address import parse_address
box = Sandbox()
process = box.popen(["sleep", "1000"], stdin=-3, stdout=-3)
print(process.pid, flush=True)
os.kill(os.getpid(), signal.SIGKILL)
"""
    environment = {**os.environ, "PYTHONPATH": str(SOURCE)}
    starter = subprocess.Popen([sys.executable, "-c", script], env=environment, stdout=subprocess.PIPE, text=True)
    assert starter.stdout is not None
    pid = int(starter.stdout.readline())
    try:
        started = os.pidfd_open(pid)
    except ProcessLookupError:  # ended already
        started = None
    assert starter.wait(20) == -9
    starter.stdout.close()
    if started is not None:
        assert select.select([started], [], [], 20)[0] == [started]
        os.close(started)


def test_sysctls_that_are_none_are_told_of() -> None:
    with Sandbox() as box:
        with pytest.raises(DeviceError, match=r"no sysctl net\.ipv4\.no_such"):
            box.sysctl("net.ipv4.no_such")
        with pytest.raises(DeviceError, match="refuses 'many' for the sysctl"):
            box.sysctl("net.ipv4.tcp_fin_timeout", "many")


@pytest.mark.interop("setpriv")
@pytest.mark.skipif(os.path.exists("/dev/net/tun") and os.stat("/dev/net/tun").st_mode & 2 != 0, reason="open to all")
def test_a_user_who_may_not_open_the_device_is_told() -> None:
    assert as_nobody() == (
        "/dev/net/tun may not be opened by this user; run as root, or ask an administrator for: chmod 0666 /dev/net/tun"
    )


@pytest.mark.interop("setpriv", "unshare", "mknod")
def test_a_user_may_where_the_device_is_open_to_all() -> None:
    # As most distributions have it: mode 0666. Here in a mount namespace of its own.
    make = 'mount -t tmpfs tmpfs /dev/net && mknod -m 0666 /dev/net/tun c 10 200 && exec "$@"'
    said = as_nobody("unshare", "--mount", "sh", "-c", make, "sh")
    assert said == "True b'hello' 7 ['0', '65534', '1'] 2"


@pytest.mark.interop("setpriv", "unshare")
def test_a_user_who_may_not_make_namespaces_is_told() -> None:
    # In a user namespace that allows no more of them.
    make = 'echo 0 > /proc/sys/user/max_user_namespaces && exec "$@"'
    command = ["unshare", "--user", "--map-root-user", "sh", "-c", make, "sh", "setpriv", "--bounding-set=-all"]
    script = IN_A_SANDBOX.replace("Sandbox()", "Sandbox(as_user=True)")
    environment = {**os.environ, "PYTHONPATH": str(SOURCE)}
    done = subprocess.run([*command, sys.executable, "-c", script], env=environment, capture_output=True, text=True)
    assert done.stdout.startswith("this user may not make a network namespace; run as root, or ask"), done.stderr


def test_links_are_configured() -> None:
    with Sandbox() as box:
        with Netlink(box.netlink()) as netlink:
            netlink.set_link(box.tun.name, mtu=9000)
            assert netlink.mtu(box.tun.name) == 9000
            netlink.add_address(box.tun.name, "198.51.100.1/32", peer="198.51.100.2")
            with box.socket(kind=socket.SOCK_DGRAM) as sender:
                sender.sendto(b"x", ("198.51.100.2", 9))
            assert box.tun.read() is not None
            netlink.remove_address(box.tun.name, "10.9.0.1/24")
            with pytest.raises(DeviceError, match="cannot find the link nowhere: there is no such link"):
                netlink.index("nowhere")
            with pytest.raises(DeviceError, match="is no address with a prefix length"):
                netlink.add_address(box.tun.name, "10.9.0.300/24")
        routes = [("203.0.113.0/24", None), ("2001:db8:1::/48", None), ("default", None), ("::/0", None)]
        configure(box.tun.name, routes=routes, connection=box.netlink())
        for family, target in ((2, "203.0.113.9"), (10, "2001:db8:1::9"), (2, "8.8.8.8"), (10, "2001:db8:2::1")):
            with box.socket(family, socket.SOCK_DGRAM) as sender:
                sender.sendto(b"x", (target, 9))
            packet = box.tun.read()
            assert packet is not None
            assert packet.data[0] >> 4 == (4 if family == 2 else 6)


def test_what_it_takes_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pyroute2", None)
    with pytest.raises(DeviceError, match="takes pyroute2; install it with: pip install"):
        configure("lo")


@pytest.mark.interop("setpriv")
def test_a_user_may_not_configure_the_machine() -> None:
    script = "from lastack.device.netlink import configure\ntry: configure('lo')\nexcept OSError as e: print(e)"
    done = subprocess.run(
        ["unshare", "--net", "setpriv", "--bounding-set=-net_admin", "--inh-caps=-all", sys.executable, "-c", script],
        env={**os.environ, "PYTHONPATH": str(SOURCE)},
        capture_output=True,
        text=True,
    )
    assert done.stdout == "cannot set the link lo: only root may (or an owner of the network namespace)\n"


def test_addresses_are_in_use_at_once():
    """The kernel's IPv6 answers the first packet: without a wait 2 of 100 sandboxes lost it."""
    kernel, ours = parse_address("fd09::1"), parse_address("fd09::7")
    request = datagram.build_icmp(ours, kernel, icmp.echo_request(6, 1, 1, b"ping"))
    for _ in range(25):
        with Sandbox() as box:
            box.tun.write(request)
            assert any(packet[40] == 129 for packet in packets_of(box, 5))  # an echo reply


def packets_of(box: Sandbox, seconds: float) -> Iterator[bytes]:
    """What the kernel sends, until there is nothing for so long."""
    while select.select([box.tun.fileno()], [], [], seconds)[0]:
        packet = box.tun.read()
        if packet is not None:
            yield packet.joined()
