"""The two sides: a server of ours behind a TUN device, and the kernel's behind a veth; the same client for both."""

from __future__ import annotations

import gc
import json
import os
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import Any, Protocol, Self

from lastack.apps.reactor import Reactor
from lastack.bench.services import make
from lastack.bench.works import Done, Work
from lastack.device.driver import Driver
from lastack.device.namespace import Namespace
from lastack.device.netlink import Netlink, configure
from lastack.device.sandbox import Sandbox
from lastack.host.host import Host
from lastack.tcp.config import DEFAULT, Config

PORT = 7000
_SOURCE = Path(__file__).parents[2]
_CLIENT = Path(__file__).with_name("client.py")
_PATIENCE = 30.0  # seconds beyond those of the measurement
_SERVER, _NEAR = "10.8.0.2", "10.8.0.1"

# New namespaces inherit the machine's congestion control. A client that opens thousands of connections a second takes
# the ports of those that are over a second in TIME-WAIT (RFC 6191), or would run out of them.
SETTINGS = {
    "net.ipv4.tcp_congestion_control": "reno",
    "net.ipv4.tcp_tw_reuse": "1",
    "net.ipv4.ip_local_port_range": "1024 65000",
}

Around = Callable[[Callable[[], Any]], Any]


class BenchError(Exception):
    """A measurement that came to nothing, and why."""


class Side(Protocol):
    """One of both."""

    name: str

    def run(self, work: Work, seconds: float) -> Done:
        """Let a client work for a time. Raises BenchError."""

    def close(self) -> None:
        """Nothing is left of it."""


def python(*arguments: str) -> tuple[list[str], dict[str, str]]:
    """The command that runs a module of this package in a fresh Python, and its environment."""
    path = os.pathsep.join(filter(None, [str(_SOURCE), os.environ.get("PYTHONPATH")]))
    return [sys.executable, "-m", *arguments], {**os.environ, "PYTHONPATH": path}


class _Closed:
    """Closed at the end of its context."""

    def close(self) -> None:
        raise NotImplementedError

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, where: TracebackType | None
    ) -> None:
        self.close()


class KernelSide(_Closed):
    """Two namespaces joined by a veth: the client in the one, a Python program in the other."""

    name = "kernel"
    device = "veth0"  # in both

    def __init__(self) -> None:
        self.client, self._server = Namespace(), Namespace()
        with Netlink(self.client.netlink()) as netlink:
            netlink.add_veth(self.device, self.device, self._server.fileno())
        for space, address in ((self.client, _NEAR), (self._server, _SERVER)):
            _set(space)
            configure(self.device, [f"{address}/24"], connection=space.netlink())

    def run(self, work: Work, seconds: float) -> Done:
        """See `Side`."""
        if work.service == "iperf3":
            command, environment = ["iperf3", "-s", "-1", "-p", str(PORT), "--forceflush"], dict(os.environ)
        else:
            command, environment = python("lastack.bench.kernel_server", work.service, str(PORT))
        # In a session of its own: an interrupt from the keyboard is for us to answer.
        server = self._server.popen(command, stdout=subprocess.PIPE, text=True, env=environment, start_new_session=True)
        assert server.stdout is not None
        try:
            if not any("ready" in line or "listening" in line for line in server.stdout):
                raise BenchError(f"the kernel's server for {work.name} did not start")
            client = _start(self.client, work, _SERVER, seconds)
            try:
                status = client.wait(seconds + _PATIENCE)
            except subprocess.TimeoutExpired:
                status = None
            return _done(work, client, status)
        finally:
            server.terminate()
            server.wait()
            server.stdout.close()

    def close(self) -> None:
        """Both namespaces end."""
        self.client.close()
        self._server.close()


class OwnSide(_Closed):
    """Our host on a TUN device in a sandbox, driven by this process; the client in the sandbox.

    `around` is called with what drives the host, and is to call it (a profiler, say).
    """

    name = "lastack"

    def __init__(self, config: Config = DEFAULT, around: Around = lambda run: run(), spin: int = 0) -> None:
        self._config = config
        self.spin = spin
        self._around = around
        self.space = Sandbox()
        _set(self.space)

    def run(self, work: Work, seconds: float) -> Done:
        """See `Side`."""
        tun = self.space.tun
        addresses = self.space.ours
        host = Host(addresses, self._config, secret=os.urandom(16), gso=tun.gso, checksum_offload=tun.offload)
        reactor = Reactor(host)
        with Driver(host, tun, on_ready=reactor, spin=self.spin) as driver:
            reactor.listen(driver.clock(), PORT, make(work.service))
            gc.collect()
            gc.freeze()
            client = _start(self.space, work, addresses[0], seconds)
            try:
                self._around(lambda: driver.run_while(client, seconds + _PATIENCE))
                return _done(work, client, client.poll())
            finally:
                reactor.abort(driver.clock())
                driver.turn(0)
                gc.unfreeze()

    def close(self) -> None:
        """The sandbox ends."""
        self.space.close()


def _set(space: Namespace) -> None:
    for name, value in SETTINGS.items():
        space.sysctl(name, value)


def _start(space: Namespace, work: Work, address: str, seconds: float) -> subprocess.Popen[str]:
    whole = str(max(round(seconds), 1))
    if work.program == "wrk":
        command = ["wrk", "-t1", "-c64", f"-d{whole}s", f"http://{address}:{PORT}/"]
    elif work.program == "iperf3":
        command = [*work.client.split(), "-c", address, "-p", str(PORT), "-t", whole, "--json"]
    else:
        command = [sys.executable, "-I", "-S", str(_CLIENT), work.client, address, str(PORT), str(seconds)]
    streams: dict[str, Any] = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
    try:
        return space.popen(command, start_new_session=True, **streams)
    except FileNotFoundError:
        raise BenchError(f"there is no program {command[0]}: install it (apt install {command[0]})") from None


def _done(work: Work, client: subprocess.Popen[str], status: int | None) -> Done:
    if status is None:
        client.kill()
    out, err = client.communicate()
    if status is None:
        raise BenchError(f"the client of {work.name} did not end in time")
    if status:
        why = (err.strip() or out.strip()).splitlines()[-1:] or [f"exit code {status}"]
        raise BenchError(f"the client of {work.name} failed: {why[0].strip()}")
    if work.program == "wrk":
        # "  12345 requests in 1.10s, 1.23MB read"
        match = re.search(r"(\d+) requests in ([\d.]+)(ms|s|m),", out)
        if match is None:
            raise BenchError(f"wrk gave no figure: {out.strip()}")
        return Done(int(match[1]), float(match[2]) * {"ms": 0.001, "s": 1, "m": 60}[match[3]])
    told = json.loads(out)
    if work.program == "iperf3":
        total = told["end"]["sum_received"]
        return Done(int(total["bytes"]), float(total["seconds"]))
    return Done(int(told["amount"]), float(told["seconds"]))
