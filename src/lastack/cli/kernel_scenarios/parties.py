"""Who plays: our host and the kernel, each with applications on it that are told the same words."""

from __future__ import annotations

import errno
import socket as kernel
import struct
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from lastack.host.host import Host
from lastack.sim.scenarios.forced import ForcedHost
from lastack.sim.scenarios.party import READ, Party, Talk
from lastack.tcp.config import Config
from lastack.trace.entries import Endpoint
from lastack.wire.address import parse_address
from lastack.wire.packet import Packet

if TYPE_CHECKING:
    from lastack.cli.kernel_scenarios.stage import KernelStage

SECRET = b"what our end of a scenario keeps"


class OurParty(Party):
    """Our host, with the applications on it."""

    def __init__(self, stage: KernelStage, name: str, address: str, config: Config) -> None:
        self._begin(stage, name, address)
        self._host = Host([address], config, secret=SECRET, name=name, observer=stage.timeline.observer(name))

    def begin_anew(self) -> None:
        """The host forgets all that it knew."""
        old = self._host
        self.listener = None
        self._host = Host([self.address], old.config, secret=SECRET, name=self.name, observer=old.observer)

    def force(self, *numbers: int) -> None:
        """Let the connections to come have these initial sequence numbers, as `lastack.sim.scenarios.forced` does."""
        old = self._host
        new = ForcedHost([self.address], old.config, secret=SECRET, name=self.name, observer=old.observer)
        new.numbers = list(numbers)
        self._host = new

    def _begin(self, stage: KernelStage, name: str, address: str) -> None:
        self.stage = stage
        self.name = name
        self.address = address
        self.listener = None
        self.talks = []
        self.accepts = self.reads = True
        self.prompt = False
        self.on_end = None

    @property
    def host(self) -> Host:
        """The `Host`."""
        return self._host


class Prompted:
    """Our host as the driver sees it: a prompt application acts on what has come before its host has answered."""

    def __init__(self, party: OurParty) -> None:
        self.party = party

    def receive(self, now: int, packet: Packet) -> None:
        """A packet came in."""
        self.party.host.receive(now, packet)
        if self.party.prompt:
            self.party.ready(now, self.party.host.ready())

    def advance(self, now: int) -> None:
        """Time has passed."""
        self.party.host.advance(now)

    def transmit(self, now: int) -> list[Packet]:
        """What to send, until there is nothing."""
        return self.party.host.transmit(now)

    def deadline(self) -> int | None:
        """When `advance` is next needed."""
        return self.party.host.deadline()

    def ready(self) -> Sequence[Any]:
        """The sockets whose readiness changed."""
        return self.party.host.ready()


class KernelTalk(Talk):
    """An application's side of a connection over a socket of the kernel: `kernel`."""

    def __init__(self, party: KernelParty, socket: kernel.socket) -> None:
        self.party: KernelParty = party
        self.kernel = socket
        self.reads = party.reads
        self.received = b""
        self.end = False
        self.error = None
        self.local = _endpoint(socket.getsockname())
        self.remote = party.goal if party.goal is not None else _endpoint(socket.getpeername())
        party.look()
        self._incarnation = len(self._walks())

    def send(self, data: bytes, *, more: bool = False) -> None:
        """Write; `more`: wait for what comes next, so that a FIN rides on it."""
        try:
            taken = self.kernel.send(data, kernel.MSG_MORE if more else 0)
            assert taken == len(data), "a scenario writes no more than the send buffer takes"
        except OSError as error:
            self.error = error
        self.party.look()

    def shutdown(self) -> None:
        """Close the sending half: `shutdown(SHUT_WR)`."""
        self.kernel.shutdown(kernel.SHUT_WR)
        self.party.look()

    def close(self) -> None:
        """Give the descriptor up: `close()`."""
        self.kernel.close()
        self.party.look()

    def abort(self) -> None:
        """Close with SO_LINGER 0: a RST."""
        self.kernel.setsockopt(kernel.SOL_SOCKET, kernel.SO_LINGER, struct.pack("ii", 1, 0))
        self.close()

    def pump(self) -> None:
        """Read what is there, if it reads."""
        while self.reads and not self.end and self.error is None and self.kernel.fileno() >= 0:
            try:
                data = self.kernel.recv(READ)
            except BlockingIOError:
                return
            except OSError as error:
                self.error = error
                return
            self.received += data
            if not data:
                self.end = True
                if self.party.on_end is not None:
                    self.party.on_end(self)

    def so_error(self) -> str:
        """SO_ERROR by its name ("ECONNRESET"), "" for none; asking clears it."""
        number = self.kernel.getsockopt(kernel.SOL_SOCKET, kernel.SO_ERROR)
        return errno.errorcode[number] if number else ""

    def _walks(self) -> list[Any]:
        ends = self.local, self.remote
        return [walk for walk in self.party.walks() if (walk.local, walk.remote) == ends]


class KernelParty(OurParty):
    """The kernel, with our applications on its sockets."""

    def __init__(self, stage: KernelStage, name: str, address: str) -> None:
        self._begin(stage, name, address)
        self.kernel_stage = stage
        self.listeners: list[kernel.socket] = []
        self.goal: Endpoint | None = None
        stage.timeline.observer(name)  # its states are told, by looking

    def look(self) -> None:
        """Our own call may have moved something."""
        self.kernel_stage.look_after_call()

    def walks(self) -> list[Any]:
        """The incarnations that the kernel has been seen to have."""
        return self.kernel_stage.walks(self.name)

    @property
    def kernel_talk(self) -> KernelTalk:
        """The latest connection, as what it is."""
        talk = self.talk
        assert isinstance(talk, KernelTalk)
        return talk

    def raw_socket(self, port: int = 0, *, reuse: bool = False, address: str = "") -> kernel.socket:
        """A new socket of the kernel, bound where a port is named. OSError EADDRINUSE."""
        made = self.kernel_stage.box.socket(kernel.AF_INET if self.stage.version == 4 else kernel.AF_INET6)
        made.setblocking(False)
        made.setsockopt(kernel.SOL_SOCKET, kernel.SO_REUSEADDR, int(reuse))
        if port:
            try:
                made.bind((address or self.address, port))
            except OSError:
                made.close()
                raise
        return made

    def listen(self, port: int = 80, *, backlog: int = 128, reuse: bool = True) -> Any:
        """Passive OPEN. OSError as `bind` raises it."""
        made = self.raw_socket(port, reuse=reuse)
        made.listen(backlog)
        self.listeners.append(made)
        self.look()
        return made

    def connect(self, to: Party, port: int = 80, *, local: int = 0, reuse: bool = True) -> Talk:
        """Active OPEN, from an ephemeral port or from `local`. OSError as `connect` raises it, but for EINPROGRESS."""
        made = self.raw_socket(local, reuse=reuse)
        try:
            made.connect((to.address, port))
        except BlockingIOError:
            pass  # it has begun
        except OSError:
            made.close()
            raise
        self.goal = (parse_address(to.address), port)
        self.talks.append(KernelTalk(self, made))
        self.goal = None
        return self.talk

    def pump(self) -> None:
        """Take what waits, read what is there."""
        for listener in self.listeners:
            while self.accepts:
                try:
                    child, _ = listener.accept()
                except BlockingIOError:
                    break
                child.setblocking(False)
                self.talks.append(KernelTalk(self, child))
        for talk in self.talks:
            talk.pump()

    def stop_listening(self) -> None:
        """The program that listens ends."""
        for listener in self.listeners:
            listener.close()
        self.listeners.clear()
        self.look()

    def drop_all(self) -> None:
        """Every descriptor is given up, whatever that sends."""
        self.stop_listening()
        for talk in self.talks:
            if isinstance(talk, KernelTalk):
                talk.kernel.close()


def _endpoint(name: Any) -> Endpoint:
    return parse_address(name[0]), name[1]
