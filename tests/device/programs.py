"""Applications on sockets of our host, for the tests and measurements against the kernel."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from lastack.host.host import Host

CHUNK = 1 << 20


class Server:
    """Listens on `port`, and gives each connection to `serve`; `finished` counts those that were closed by it."""

    def __init__(self, host: Host, version: int, port: int = 80) -> None:
        self.listener = host.socket(version)
        self.listener.bind(("0.0.0.0" if version == 4 else "::", port))
        self.listener.listen(16)
        self.finished = 0

    def __call__(self, now: int, sockets: Sequence[Any]) -> None:
        for socket in sockets:
            if socket is self.listener:
                self.accept(now)
            elif not socket.closed:  # it may have been, since the list was made
                self.serve(now, socket)

    def accept(self, now: int) -> None:
        while True:
            try:
                socket, _ = self.listener.accept(now)
            except BlockingIOError:
                return
            self.serve(now, socket)

    def serve(self, now: int, socket: Any) -> None:
        raise NotImplementedError

    def finish(self, now: int, socket: Any) -> None:
        socket.close(now)
        self.finished += 1


class Echo(Server):
    """Sends back what it gets, and closes behind the other side."""

    def __init__(self, host: Host, version: int, port: int = 80) -> None:
        super().__init__(host, version, port)
        self.pending: dict[Any, bytes] = {}

    def serve(self, now: int, socket: Any) -> None:
        while True:
            data = self.pending.pop(socket, b"")
            try:
                data = data or socket.recv(now, CHUNK)
                if not data:
                    self.finish(now, socket)
                    return
                sent = socket.send(now, data)
            except BlockingIOError:
                if data:
                    self.pending[socket] = data
                return
            if sent < len(data):
                self.pending[socket] = data[sent:]


class Sink(Server):
    """Takes all there is; closes behind the other side."""

    received = 0

    def serve(self, now: int, socket: Any) -> None:
        while True:
            try:
                data = socket.recv(now, CHUNK)
            except BlockingIOError:
                return
            if not data:
                self.finish(now, socket)
                return
            self.received += len(data)


class Source(Server):
    """Sends `size` bytes to whoever connects, and closes first."""

    def __init__(self, host: Host, version: int, size: int, port: int = 80) -> None:
        super().__init__(host, version, port)
        self.size = size
        self.sent: dict[Any, int] = {}
        self.block = bytes(CHUNK // 4)  # whole `bytes` are sent without a copy

    def serve(self, now: int, socket: Any) -> None:
        sent = self.sent.get(socket, 0)
        while sent < self.size:
            try:
                left = self.size - sent
                sent += socket.send(now, self.block if left >= len(self.block) else self.block[:left])
            except BlockingIOError:
                self.sent[socket] = sent
                return
        if self.sent.get(socket, 0) <= self.size:
            self.sent[socket] = self.size + 1
            self.finish(now, socket)
