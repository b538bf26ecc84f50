"""Our applications at one end of a sandbox, and programs over the kernel's TCP at the other."""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from random import Random
from tempfile import TemporaryFile
from typing import Any

from lastack.apps.http_client import Fetch, Url
from lastack.apps.reactor import Reactor
from lastack.device.driver import Driver
from lastack.device.sandbox import Sandbox
from lastack.host.host import Host
from lastack.link.faults import Faults
from lastack.tcp.config import DEFAULT, Config
from lastack.tcp.states import State
from lastack.wire.packet import Buffer

CLIENTS = str(Path(__file__).with_name("clients.py"))
# A TIME-WAIT of two seconds, so that a test can see it end.
CONFIG = DEFAULT.having(msl=1_000_000)
CURL = ["curl", "-sS", "-g", "--noproxy", "*", "--max-time", "100"]


class Machine:
    """A host of ours with its reactor and driver, in a sandbox. `url(version)` is where its port 80 is."""

    def __init__(self, box: Sandbox, faults: Faults | None = None, config: Config = CONFIG) -> None:
        self.box = box
        offload = box.tun.offload
        secret = b"a secret of tests"
        self.host = Host(box.ours, config, secret=secret, mtu=box.mtu, gso=box.tun.gso, checksum_offload=offload)
        self.reactor = Reactor(self.host)
        self.driver = Driver(self.host, box.tun, on_ready=self.reactor)
        if faults is not None:
            self.driver.incoming.pipeline = faults.pipeline(Random(1))
            self.driver.outgoing.pipeline = faults.pipeline(Random(2))

    def url(self, version: int, name: str = "") -> str:
        return f"http://{self.box.ours[0] if version == 4 else f'[{self.box.ours[1]}]'}/{name}"

    def listen(self, make: Any, port: int = 80) -> None:
        self.reactor.listen(self.driver.clock(), port, make)

    def run(self, *command: str, given: bytes = b"", seconds: float = 100) -> bytes:
        """What a program at the kernel's end prints; it must end well. Files, for a pipe that is full waits for us."""
        with TemporaryFile() as stdin, TemporaryFile() as stdout:
            stdin.write(given)
            stdin.seek(0)
            with self.box.popen(command, stdin=stdin, stdout=stdout) as process:
                code = self.driver.run_while(process, seconds)
            assert code == 0, f"{command}: exit code {code}; {self.what_is_left()}"
            stdout.seek(0)
            return stdout.read()

    def start(self, *command: str) -> subprocess.Popen[Any]:
        """A program at the kernel's end, whose output is for nobody."""
        return self.box.popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)

    def clients(self, what: str, port: int, count: int, how: str, size: int = 0, version: int = 4) -> float:
        """Connections of clients.py; all of them must get what they ask for. Seconds that the slowest took."""
        address = self.box.ours[version == 6]
        command = [sys.executable, CLIENTS, what, address, str(port), str(count), how, str(size)]
        said = json.loads(self.run(*command))
        slowest = float(said.pop("slowest"))
        assert said == {"right": count, "errors": []}, f"{said}; {self.what_is_left()}"
        return slowest

    def fetch(self, url: str, seconds: float = 100) -> tuple[str, str]:
        """(SHA-256 of what our client fetches, its error)."""
        digest = hashlib.sha256()

        def take(views: Sequence[Buffer]) -> int:
            for view in views:
                digest.update(view)
            return sum(map(len, views))

        parsed = Url.parse(url)
        fetch = Fetch(self.reactor, parsed, parsed.host, lambda size: take)
        fetch.start(self.driver.clock())
        assert self.driver.run(lambda: fetch.done, seconds), f"{fetch.received} bytes after {seconds} s"
        return digest.hexdigest(), fetch.error

    def wait_for(self, port: int, version: int = 4) -> None:
        """Until something of the kernel's listens at that port."""
        wanted = f":{port}"

        def listens() -> bool:
            return wanted in self.box.run(["ss", "-ltnH", f"-{version}", "sport", "=", wanted]).stdout

        for _ in range(200):
            if listens():
                return
            self.driver.run(timeout=0.05)
        raise AssertionError(f"nothing listens at port {port}")

    def nothing_is_left(self, listeners: int = 0) -> None:
        """Once TIME-WAIT is over there is no connection, record, timer or port left over."""
        host = self.host
        assert self.driver.run(lambda: not host.tcbs and not len(host.time_wait), 20), self.what_is_left()
        assert not self.reactor.connections
        assert len(host.timers) == 0
        assert host.ports.in_use() == listeners
        assert all(not listener.half_open and not listener.accepted for listener in host.listeners())

    def what_is_left(self) -> dict[str, Any]:
        """For the message of a failure."""
        states = dict(Counter(tcb.state.name for tcb in self.host.connections()))
        return {"states": states, "TIME-WAIT": len(self.host.time_wait), "counters": self.host.counters.snapshot()}

    def time_waits(self) -> int:
        held = sum(tcb.state is State.TIME_WAIT for tcb in self.host.connections())
        return held + len(self.host.time_wait)


@contextmanager
def machine(
    faults: Faults | None = None, *, offload: bool = True, queues: int = 1, config: Config = CONFIG
) -> Iterator[Machine]:
    """A machine in a sandbox of its own."""
    with Sandbox(offload=offload, queues=queues) as box:
        made = Machine(box, faults, config)
        with made.driver:
            yield made


def make_file(path: Path, size: int) -> str:
    """A file of random bytes; its SHA-256."""
    digest = hashlib.sha256()
    with path.open("wb") as file:
        left = size
        while left:
            piece = os.urandom(min(left, 1 << 20))
            digest.update(piece)
            file.write(piece)
            left -= len(piece)
    return digest.hexdigest()


def digest_of(path: Path) -> str:
    """The SHA-256 of a file."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
