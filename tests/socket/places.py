"""Where the same program runs: over the kernel's loopback, a host of ours, and two of ours with a link between them."""

from __future__ import annotations

import socket as kernel
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from threading import Thread
from typing import Any

import lastack.socket

# The longest that anything may take that ought to happen at once, in seconds.
SOON = 20.0


@dataclass
class Place:
    """`socket` is the module, `host` the server's name; `client` and `server` choose whose sockets are made."""

    name: str
    socket: Any
    host: str
    client: Callable[[], Any]
    server: Callable[[], Any]

    def listener(self, backlog: int = 5) -> Any:
        """A listener on a port of its own."""
        with self.server():
            made = self.socket.socket(self.socket.AF_INET, self.socket.SOCK_STREAM)
            made.settimeout(SOON)
            made.bind((self.host, 0))
            made.listen(backlog)
            return made

    def connect(self, listener: Any) -> Any:
        """A client's socket, connected."""
        with self.client():
            return self.socket.create_connection((self.host, listener.getsockname()[1]), timeout=SOON)

    @contextmanager
    def connected(self) -> Iterator[tuple[Any, Any]]:
        """A client's socket, and the server's."""
        with ExitStack() as then:
            listener = then.enter_context(self.listener())
            client = then.enter_context(self.connect(listener))
            server, _ = listener.accept()
            server.settimeout(SOON)
            yield client, then.enter_context(server)


@contextmanager
def _anywhere() -> Iterator[None]:
    yield


@contextmanager
def place(name: str) -> Iterator[Place]:
    """The place of that name."""
    if name == "kernel":
        yield Place(name, kernel, "127.0.0.1", _anywhere, _anywhere)
    elif name == "host":
        with lastack.socket.open_host() as stack, lastack.socket.use(stack):
            yield Place(name, lastack.socket, "127.0.0.1", _anywhere, _anywhere)
    else:
        with lastack.socket.open_pair() as pair:
            use = lastack.socket.use
            yield Place(name, lastack.socket, "10.0.0.2", lambda: use(pair.client), lambda: use(pair.server))


class Aside(Thread):
    """A call in another thread; `result` waits for what it gives, or raises what it raised."""

    def __init__(self, call: Callable[..., Any], *arguments: Any) -> None:
        super().__init__(daemon=True)
        self._call = call
        self._arguments = arguments
        self._value: Any = None
        self._error: BaseException | None = None
        self.start()

    def run(self) -> None:
        try:
            self._value = self._call(*self._arguments)
        except BaseException as error:
            self._error = error

    def result(self) -> Any:
        """What the call gave."""
        self.join(SOON)
        assert not self.is_alive(), "the call does not return"
        if self._error is not None:
            raise self._error
        return self._value


def outcome(call: Callable[..., Any], *arguments: Any) -> Any:
    """What a call gives, or the class and number of its error."""
    try:
        return call(*arguments)
    except (OSError, ValueError, TypeError, OverflowError) as error:
        return type(error), getattr(error, "errno", None)
