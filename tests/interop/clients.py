"""Clients over the kernel's sockets, run as a script in a sandbox: one connection after another, or all at once.

Arguments: what (echo: send, shut down, read back, the client closes first; read: read to the end, the server closes
first), host, port, how many, "sequential" or "at-once", bytes to send. Prints one line of JSON.
"""

from __future__ import annotations

import json
import selectors
import socket
import sys
from random import Random
from time import monotonic


class Talk:
    """One connection that does not block; `step` is called whenever it is ready, and returns whether it is over."""

    def __init__(self, what: str, host: str, port: int, number: int, size: int) -> None:
        self.what = what
        self.data = Random(number).randbytes(size) if what == "echo" else b""
        self.left = memoryview(self.data)
        self.heard = bytearray()
        self.shut = False
        self.began = monotonic()
        self.socket = socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET)
        self.socket.setblocking(False)
        self.error = self.socket.connect_ex((host, port))

    @property
    def events(self) -> int:
        return selectors.EVENT_READ | (selectors.EVENT_WRITE if self.left or not self.shut else 0)

    def step(self, events: int) -> bool:
        if events & selectors.EVENT_WRITE:
            if self.left:
                self.left = self.left[self.socket.send(self.left) :]
            if not self.left and not self.shut:
                self.shut = True
                if self.what == "echo":
                    self.socket.shutdown(socket.SHUT_WR)
        if events & selectors.EVENT_READ:
            some = self.socket.recv(1 << 18)
            self.heard += some
            if not some:
                self.socket.close()
                return True
        return False

    @property
    def right(self) -> bool:
        return self.heard == self.data if self.what == "echo" else bool(self.heard)


def main(what: str, host: str, port: str, count: str, how: str, size: str) -> None:
    """Have the talks, and say how they went."""
    numbers = list(range(int(count)))
    right, errors, slowest = 0, [], 0.0
    places = len(numbers) if how == "at-once" else 1
    with selectors.DefaultSelector() as selector:
        while numbers or selector.get_map():
            while numbers and len(selector.get_map()) < places:
                talk = Talk(what, host, int(port), numbers.pop(), int(size))
                selector.register(talk.socket, talk.events, talk)
            for key, events in selector.select(60):
                talk, before = key.data, key.events
                try:
                    over = talk.step(events)
                except OSError as error:
                    errors.append(str(error))
                    over = True
                if over:
                    selector.unregister(key.fileobj)
                    talk.socket.close()
                    right += talk.right
                    slowest = max(slowest, monotonic() - talk.began)
                elif talk.events != before:
                    selector.modify(key.fileobj, talk.events, talk)
    print(json.dumps({"right": right, "errors": errors[:3], "slowest": round(slowest, 3)}))


if __name__ == "__main__":
    main(*sys.argv[1:])
