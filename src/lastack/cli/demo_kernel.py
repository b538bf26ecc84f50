"""The second half of the demonstration: the machine's own curl fetches a file from lastack, over the kernel's TCP."""

from __future__ import annotations

import hashlib
import os
import shutil
import time
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from socket import AF_NETLINK, SOCK_DGRAM
from tempfile import TemporaryDirectory
from textwrap import indent

from lastack.apps.http_files import Folder
from lastack.apps.http_server import Site, http_server
from lastack.cli.demo_story import Piece
from lastack.cli.errors import CommandError
from lastack.cli.place import Place
from lastack.cli.progress import rate
from lastack.cli.running import Running, given
from lastack.cli.settings import Settings
from lastack.device.kernel_sockets import NETLINK_SOCK_DIAG, kernel_sockets
from lastack.device.sandbox import Sandbox
from lastack.device.socket_table import rows_of, table
from lastack.tcp.states import State

SIZE = 50_000_000
NAME = "file"
_PATIENCE = 20.0  # seconds for one fetch

TITLE = "The same TCP, with the Linux kernel as its peer"
INTRODUCTION = """
    Now in real time, in a network namespace of its own: on one end of a TUN device this machine's curl, over the
    kernel's TCP; on the other, in this process, lastack and a web server on it. Each tool shows its own end.
    """


class Demonstration:
    """A sandbox with a server of ours in it, and curl."""

    def __init__(self, stack: ExitStack) -> None:
        """Raises DeviceError where there may be no sandbox, CommandError where there is no curl."""
        if shutil.which("curl") is None:
            raise CommandError("there is no curl on this machine")
        self.box = stack.enter_context(Sandbox())
        self.folder = Path(stack.enter_context(TemporaryDirectory(prefix="lastack-demo-")))
        stack.enter_context(given(Place(self.box.tun, self.box.ours, self.box.mtu)))
        self.running = stack.enter_context(Running(Settings()))
        content = os.urandom(1 << 20) * (SIZE // (1 << 20) + 1)
        (self.folder / NAME).write_bytes(memoryview(content)[:SIZE])
        self.digest = hashlib.sha256(memoryview(content)[:SIZE]).digest()
        self.driver = self.running.driver
        self.running.reactor.listen(self.driver.clock(), 80, http_server(Site(Folder(str(self.folder)))))
        self.url = f"http://{self.box.ours[0]}/{NAME}"

    def pieces(self) -> Iterator[Piece]:
        """Two files fetched, and what both ends show."""
        yield Piece(TITLE, INTRODUCTION, chief=True)
        middle: list[str] = []
        told = self._fetch([], middle)
        yield Piece(
            f"curl -o copy {self.url}",
            f"About half of the {SIZE // 1_000_000} MB have gone. At this moment the connection is, at either end:",
            "\n".join(middle),
        )
        self._fetch(["-H", "Connection: close"], [])
        self._check()
        yield Piece(
            "Who closes first waits",
            f"""curl gets the file ({told}, SHA-256 equal), and closes first. Then it fetches the file once more, by a
            request with "Connection: close", so that lastack closes first. Each end is left with the one connection
            that it closed first, in TIME-WAIT for a minute; its peer has forgotten that one already.""",
            "\n".join(self._both()),
        )

    def _fetch(self, options: list[str], middle: list[str]) -> str:
        """Fetch the file; what both ends show when half of it has gone is put into `middle`. How it went, in words."""
        copy = self.folder / "copy"
        counters = self.running.reactor.counters
        half = counters["bytes out"] + SIZE // 2
        began = time.monotonic()
        process = self.box.popen(["curl", "-sS", *options, "-o", str(copy), self.url])
        looked = 0.0
        if self.driver.run(lambda: counters["bytes out"] >= half or process.poll() is not None, _PATIENCE):
            before = time.monotonic()
            middle += self._both()
            looked = time.monotonic() - before
        code = self.driver.run_while(process, _PATIENCE)
        seconds = time.monotonic() - began - looked
        if self.driver.signal is not None:
            raise KeyboardInterrupt
        if code != 0:
            raise CommandError(f"curl did not get the file: {'it is still at it' if code is None else f'exit {code}'}")
        with open(copy, "rb") as file:
            equal = hashlib.file_digest(file, "sha256").digest() == self.digest
        if not equal:
            raise CommandError("curl got a file with another checksum")
        self.driver.run(self._at_rest, 5)
        return f"{SIZE // 1_000_000} MB at {rate(SIZE, seconds)}"

    def _at_rest(self) -> bool:
        return not self.running.host.connections()

    def _both(self) -> list[str]:
        """The sockets of the kernel, by its own tool where there is one, and ours."""
        rows = rows_of(self.running.host, self.driver.clock())
        ours = table(row for row in rows if row.state is not State.LISTEN)
        if shutil.which("ss") is not None:
            command = "ss -tano"
            theirs = self.box.run(command.split()).stdout.splitlines()
        else:
            command = "lastack ss --kernel"
            theirs = table(kernel_sockets(self.box.socket(AF_NETLINK, SOCK_DGRAM, NETLINK_SOCK_DIAG)))
        lines = [f"the kernel's end: {command}", *_indented(theirs), "", "lastack's end: lastack ss", *_indented(ours)]
        return ["    " + line if line else "" for line in lines]

    def _check(self) -> None:
        """What the text says must be so."""
        host = self.running.host
        theirs = kernel_sockets(self.box.socket(AF_NETLINK, SOCK_DGRAM, NETLINK_SOCK_DIAG))
        waiting = len(host.time_wait), [row.state for row in theirs]
        if waiting != (1, [State.TIME_WAIT]):
            raise CommandError(f"TIME-WAIT is not where it should be: {waiting}")


def _indented(lines: list[str]) -> list[str]:
    return [indent(line.rstrip(), "    ") for line in lines]
