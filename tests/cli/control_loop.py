"""What the tests of the control socket stand on: a loop, and a socket that nobody listens at any more."""

from __future__ import annotations

import socket
from collections.abc import Callable
from pathlib import Path
from threading import Thread
from typing import Any

from lastack.device.poll import IN, Callback, Poller


class Loop:
    """What a driver is for a control socket; time stands still unless it is set."""

    def __init__(self) -> None:
        self.poller = Poller()
        self.now = 0

    def clock(self) -> int:
        return self.now

    def watch(self, fd: int, callback: Callback, events: int = IN) -> None:
        self.poller.watch(fd, callback, events)

    def unwatch(self, fd: int) -> None:
        self.poller.unwatch(fd)

    def turn_beside(self, work: Callable[[], Any]) -> Any:
        """Turn while `work`, which waits for the answer, runs in a thread; what it returned or raised."""
        done: list[Any] = []

        def run() -> None:
            try:
                done.append(work())
            except Exception as error:
                done.append(error)

        thread = Thread(target=run)
        thread.start()
        while not done:
            self.poller.wait(0.01)
        thread.join()
        if isinstance(done[0], Exception):
            raise done[0]
        return done[0]


def left_behind(path: Path) -> None:
    """A socket at `path` whose process has ended without removing it."""
    path.parent.mkdir(mode=0o700, exist_ok=True)
    with socket.socket(socket.AF_UNIX) as gone:
        gone.bind(str(path))
        gone.listen()
