"""The server on the kernel's side: sockets, one thread, epoll. Run as: python -m ...kernel_server SERVICE PORT.

It says "ready" on its standard output once it listens, and serves until it is ended.
"""

from __future__ import annotations

import select
import sys
from collections.abc import Callable
from socket import IPPROTO_TCP, SO_REUSEADDR, SOL_SOCKET, TCP_NODELAY, create_server, socket

from lastack.bench.client import BLOCK
from lastack.bench.hello import Hello

# Whether to go on with a connection that is ready.
Serve = Callable[[], bool]


def discard(connection: socket) -> Serve:
    """Throw away what comes."""
    room = bytearray(BLOCK)
    return lambda: bool(connection.recv_into(room))


def chargen(connection: socket) -> Serve:
    """Send as long as there is room."""
    block = bytes(BLOCK)

    def serve() -> bool:
        connection.send(block)
        return True

    return serve


def echo(connection: socket) -> Serve:
    """Send back what comes: messages that fit into the send buffer."""
    connection.setsockopt(IPPROTO_TCP, TCP_NODELAY, 1)

    def serve() -> bool:
        data = connection.recv(BLOCK)
        connection.send(data)
        return bool(data)

    return serve


def once(connection: socket) -> Serve:
    """Send back what comes first, and close."""

    def serve() -> bool:
        connection.send(connection.recv(BLOCK))
        return False

    return serve


def http(connection: socket) -> Serve:
    """Answer requests."""
    connection.setsockopt(IPPROTO_TCP, TCP_NODELAY, 1)
    hello = Hello()

    def serve() -> bool:
        data = connection.recv(BLOCK)
        connection.send(hello.answer(data))
        return bool(data)

    return serve


SERVICES: dict[str, Callable[[socket], Serve]] = {
    function.__name__: function for function in (discard, chargen, echo, once, http)
}


def main(arguments: list[str]) -> None:
    """The arguments are in the text above."""
    make = SERVICES[arguments[0]]
    listener = create_server(("", int(arguments[1])), backlog=1024)
    listener.setsockopt(SOL_SOCKET, SO_REUSEADDR, 1)
    listener.setblocking(False)
    poll = select.epoll()
    poll.register(listener, select.EPOLLIN)
    connections: dict[int, tuple[socket, Serve]] = {}
    print("ready", flush=True)
    while True:
        for fd, _ in poll.poll():
            if fd == listener.fileno():
                connection, _ = listener.accept()
                connection.setblocking(False)
                connections[connection.fileno()] = connection, make(connection)
                poll.register(connection, select.EPOLLOUT if make is chargen else select.EPOLLIN)
                continue
            connection, serve = connections[fd]
            try:
                goes_on = serve()
            except BlockingIOError:
                continue
            except OSError:
                goes_on = False
            if not goes_on:
                del connections[fd]
                connection.close()


if __name__ == "__main__":
    main(sys.argv[1:])
