"""The same calls on sockets of this machine's kernel, over loopback, and on ours: what they return, or raise.

Nothing waits: loopback delivers before a call returns, and between hosts of ours packets are carried after each call.
"""

from __future__ import annotations

import array
import fcntl
import select
import socket
import struct
import termios
from collections.abc import Callable
from contextlib import closing
from errno import errorcode
from typing import Any

from lastack.host import options as o
from lastack.host.host import Host
from lastack.tcp.presets import LINUX
from lastack.wire.packet import Packet

PORT = 7
_EVENTS = {
    "IN": o.POLLIN,
    "PRI": o.POLLPRI,
    "OUT": o.POLLOUT,
    "ERR": o.POLLERR,
    "HUP": o.POLLHUP,
    "RDHUP": o.POLLRDHUP,
}
_SIOCATMARK = 0x8905
_SIOCOUTQNSD = 0x894B


def _outcome(call: Callable[..., Any], *given: Any) -> Any:
    try:
        return call(*given)
    except OSError as error:
        return errorcode[error.errno or 0]


def _names(events: int) -> str:
    return " ".join(name for name, bit in _EVENTS.items() if events & bit)


class KernelEnd:
    """A socket of the kernel that does not block."""

    def __init__(self, real: socket.socket) -> None:
        self.real = real
        real.setblocking(False)

    def send(self, data: bytes, flags: int = 0) -> Any:
        return _outcome(self.real.send, data, flags | socket.MSG_NOSIGNAL)

    def recv(self, size: int, flags: int = 0) -> Any:
        return _outcome(self.real.recv, size, flags)

    def shutdown(self, how: int) -> Any:
        return _outcome(self.real.shutdown, how)

    def close(self) -> Any:
        return _outcome(self.real.close)

    def set(self, level: int, option: int, value: Any) -> Any:
        raw = struct.pack("ii", *value) if isinstance(value, tuple) else value
        return _outcome(self.real.setsockopt, level, option, raw)

    def get(self, level: int, option: int) -> Any:
        if option == o.SO_LINGER and level == o.SOL_SOCKET:
            return struct.unpack("ii", self.real.getsockopt(level, option, 8))
        return _outcome(self.real.getsockopt, level, option)

    def poll(self) -> str:
        poller = select.poll()
        poller.register(self.real, sum(_EVENTS.values()))
        return _names(next((events for _, events in poller.poll(0)), 0))

    def listen(self) -> Any:
        return _outcome(self.real.listen, 5)

    def connect_again(self) -> Any:
        return _outcome(self.real.connect, self.real.getpeername())

    def connect(self, port: int) -> Any:
        return _outcome(self.real.connect, ("127.0.0.1", port))

    def accept(self) -> Any:
        return _outcome(self.real.accept)

    def peer(self) -> Any:
        return type(_outcome(self.real.getpeername)).__name__

    def _ioctl(self, request: int) -> int:
        value = array.array("i", [0])
        fcntl.ioctl(self.real, request, value)
        return value[0]

    def at_mark(self) -> Any:
        return bool(_outcome(self._ioctl, _SIOCATMARK))

    def unread(self) -> Any:
        return _outcome(self._ioctl, termios.FIONREAD)

    def queued(self) -> Any:
        return _outcome(self._ioctl, termios.TIOCOUTQ), _outcome(self._ioctl, _SIOCOUTQNSD)


class OurEnd:
    """The same of a host of ours."""

    def __init__(self, stage: OurStage, ours: Any) -> None:
        self.stage = stage
        self.ours = ours

    def _do(self, call: Callable[..., Any], *given: Any) -> Any:
        try:
            return _outcome(call, *given)
        finally:
            self.stage.carry()

    def send(self, data: bytes, flags: int = 0) -> Any:
        return self._do(self.ours.send, self.stage.now, data, flags)

    def recv(self, size: int, flags: int = 0) -> Any:
        return self._do(self.ours.recv, self.stage.now, size, flags)

    def shutdown(self, how: int) -> Any:
        return self._do(self.ours.shutdown, self.stage.now, how)

    def close(self) -> Any:
        return self._do(self.ours.close, self.stage.now)

    def set(self, level: int, option: int, value: Any) -> Any:
        return self._do(self.ours.setsockopt, level, option, value)

    def get(self, level: int, option: int) -> Any:
        return _outcome(self.ours.getsockopt, level, option)

    def poll(self) -> str:
        return _names(self.ours.poll())

    def listen(self) -> Any:
        return self._do(self.ours.listen, self.stage.now, 5)

    def connect_again(self) -> Any:
        return self._do(self.ours.connect, self.stage.now, self.ours.getpeername())

    def connect(self, port: int) -> Any:
        return self._do(self.ours.connect, self.stage.now, ("10.0.0.2", port))

    def accept(self) -> Any:
        return self._do(self.ours.accept, self.stage.now)

    def peer(self) -> Any:
        return type(_outcome(self.ours.getpeername)).__name__

    def at_mark(self) -> Any:
        return self.ours.at_mark()

    def unread(self) -> Any:
        return _outcome(self.ours.unread)

    def queued(self) -> Any:
        return _outcome(self.ours.unacknowledged), _outcome(self.ours.unsent)


class KernelStage:
    """Where ends of the kernel come from; `close` ends them all."""

    def __init__(self) -> None:
        self.made: list[KernelEnd] = []

    def close(self) -> None:
        for end in self.made:
            end.close()

    def _end(self, real: socket.socket) -> KernelEnd:
        self.made.append(KernelEnd(real))
        return self.made[-1]

    def socket(self) -> KernelEnd:
        return self._end(socket.socket())

    def listener(self) -> KernelEnd:
        real = socket.socket()
        real.bind(("127.0.0.1", 0))
        real.listen(5)
        return self._end(real)

    def pair(self) -> tuple[KernelEnd, KernelEnd]:
        with socket.socket() as server:
            server.bind(("127.0.0.1", 0))
            server.listen(5)
            client = socket.create_connection(server.getsockname())
            return self._end(client), self._end(server.accept()[0])

    def unused(self) -> int:
        with socket.socket() as one:
            one.bind(("127.0.0.1", 0))
            return int(one.getsockname()[1])


class OurStage:
    """Two hosts of ours with a wire between them, of Linux's preset."""

    def __init__(self) -> None:
        self.now = 1_000_000
        self.hosts = [Host((f"10.0.0.{number}",), LINUX, secret=bytes([number] * 16)) for number in (1, 2)]

    def carry(self) -> None:
        moved = True
        while moved:
            moved = False
            for at, host in enumerate(self.hosts):
                for packet in host.transmit(self.now):
                    other = self.hosts[1 - at]
                    other.receive(self.now, Packet(packet.joined(), (), packet.checksum, packet.gso_size))
                    moved = True

    def socket(self) -> OurEnd:
        return OurEnd(self, self.hosts[0].socket())

    def listener(self) -> OurEnd:
        server = self.hosts[0].socket()
        server.bind(("", PORT))
        server.listen(self.now, 5)
        return OurEnd(self, server)

    def pair(self) -> tuple[OurEnd, OurEnd]:
        server = self.hosts[1].socket()
        server.bind(("", PORT))
        server.listen(self.now, 5)
        client = self.hosts[0].socket()
        assert _outcome(client.connect, self.now, ("10.0.0.2", PORT)) == "EINPROGRESS"
        self.carry()
        client.connect(self.now, ("10.0.0.2", PORT))
        accepted, _ = server.accept(self.now)
        server.close(self.now)
        return OurEnd(self, client), OurEnd(self, accepted)

    def unused(self) -> int:
        return 9


def alike(script: Callable[[Any], list[Any]]) -> None:
    """What a script sees is the same on both stages."""
    with closing(KernelStage()) as stage:
        kernel = script(stage)
    assert script(OurStage()) == kernel
