"""Calls of a script against a host of the tests: each line is a call with its result, as a script has it.

s = Scripted()
s.does("socket(..., SOCK_STREAM, IPPROTO_TCP) = 3")
waiting = s.begins("accept(3, ..., ...) = 4")
...
assert waiting.ended
"""

from __future__ import annotations

from typing import Any

from lastack.host.host import Host
from lastack.packetdrill.calls.performing import Calls
from lastack.packetdrill.errors import Failed
from lastack.packetdrill.language.parser import parse
from lastack.packetdrill.language.syntax import Call
from lastack.packetdrill.machine import Address, Doing, File
from lastack.packetdrill.settings import Settings
from lastack.packetdrill.virtual.configuring import SystemWide
from lastack.packetdrill.virtual.system import VirtualSystem
from tests.host.harness import Bench, Peer

SETTINGS = Settings(local_ip="10.0.0.1", remote_ip="10.0.0.2")


class Watch:
    """What the calls tell of connections."""

    def __init__(self) -> None:
        self.told: list[tuple[Any, ...]] = []

    def created(self, fd: int, file: File) -> None:
        self.told.append(("created", fd))

    def listening(self, file: File, local: Address) -> None:
        self.told.append(("listening", local))

    def connecting(self, file: File, remote: Address) -> None:
        self.told.append(("connecting", remote))

    def accepted(self, fd: int, file: File, remote: Address) -> None:
        self.told.append(("accepted", fd))


class Waiting:
    """A call under way: it is asked again by `goes_on`."""

    def __init__(self, doing: Doing) -> None:
        self._doing = doing
        self.ended = False
        self.wake: int | None = None

    def goes_on(self) -> None:
        if not self.ended:
            try:
                self.wake = next(self._doing)
            except StopIteration:
                self.ended = True


class Scripted:
    """The calls of a script on the host of a bench."""

    def __init__(self, settings: Settings = SETTINGS, **config: Any) -> None:
        self.bench = Bench(**config)
        self.watch = Watch()
        self.calls = Calls(VirtualSystem(self, SystemWide(self.host)), settings, self.watch)
        self._line = 0

    @property
    def host(self) -> Host:
        return self.bench.host

    def host_now(self) -> int:
        return self.bench.now

    def touched(self) -> None:
        self.bench.settle()

    def begins(self, line: str) -> Waiting:
        """A call that may block."""
        (event,) = parse(f"+0 {line}").events
        assert isinstance(event.action, Call)
        waiting = Waiting(self.calls.doing(event.action, event.line))
        waiting.goes_on()
        self.bench.settle()
        return waiting

    def does(self, *lines: str) -> None:
        """Calls that end at once, as the script wants them to."""
        for line in lines:
            assert self.begins(line).ended, f"{line} blocks"

    def fails(self, line: str) -> Failed:
        """A call that comes to something else."""
        try:
            self.begins(line)
        except Failed as failed:
            return failed
        raise AssertionError(f"{line} has come to what was wanted")

    def listens(self) -> Peer:
        """A listener 3, and the peer of it."""
        self.does("socket(..., SOCK_STREAM, IPPROTO_TCP) = 3", "bind(3, ..., ...) = 0", "listen(3, 1) = 0")
        return self.bench.peer(local=8080)

    def accepts(self) -> Peer:
        """A connection 4 that the listener 3 has accepted, and its peer."""
        peer = self.listens()
        peer.opens()
        self.does("accept(3, ..., ...) = 4")
        return peer
