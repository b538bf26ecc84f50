"""A machine for tests of commands: a host of ours that nobody talks to, sockets by hand, and a clock."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from lastack.host.host import Host
from lastack.packetdrill.machine import Address, SocketRow
from lastack.packetdrill.sysctls.moments import Moment
from lastack.packetdrill.virtual.commands import Commands
from lastack.tcp.config import Config
from lastack.tcp.presets import LINUX


class FakeStack:
    """What `commands.Stack` asks for."""

    def __init__(self, config: Config = LINUX) -> None:
        self.host = Host(["192.168.0.1"], config, secret=bytes(16))
        self.now = 0
        self.rows: list[SocketRow] = []
        self.dropped: list[tuple[Address, Address]] = []

    def run_until(self, time: int) -> None:
        self.now = max(self.now, time)

    def configure(self, _moment: Moment, **values: Any) -> None:
        self.host.configure(**values)

    def sockets(self) -> list[SocketRow]:
        return self.rows

    def drop(self, local: Address, remote: Address) -> bool:
        self.dropped.append((local, remote))
        return any((row.local, row.remote) == (local, remote) for row in self.rows)


def commands(folder: Path = Path("/nowhere"), config: Config = LINUX) -> tuple[FakeStack, Commands]:
    """A fresh machine and the commands of a script on it."""
    stack = FakeStack(config)
    return stack, Commands(stack, folder)
