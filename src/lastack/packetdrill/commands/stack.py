"""What the commands of scripts work on: a machine with a host of ours."""

from __future__ import annotations

from typing import Any, Protocol

from lastack.host.host import Host
from lastack.packetdrill.machine import Address, SocketRow
from lastack.packetdrill.sysctls.moments import Moment

Done = tuple[int, str]  # what a program gives: exit status, output


class Stack(Protocol):
    """What commands work on: a machine with a host of ours."""

    host: Host

    @property
    def now(self) -> int: ...
    def run_until(self, time: int) -> None: ...
    def configure(self, moment: Moment, **values: Any) -> None: ...
    def sockets(self) -> list[SocketRow]: ...
    def drop(self, local: Address, remote: Address) -> bool: ...
