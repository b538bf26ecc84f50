"""The client of every measurement, the same for both servers: a program on the kernel's sockets.

Run as a script with nothing but the standard library: client.py WORK ADDRESS PORT SECONDS. It prints a JSON object:
`amount`, what was done (bytes, round trips or connections), in `seconds`.
"""

from __future__ import annotations

import json
import select
import sys
from collections.abc import Callable
from socket import AF_INET, IPPROTO_TCP, SHUT_WR, SOCK_STREAM, TCP_NODELAY, create_connection, socket
from time import perf_counter

Address = tuple[str, int]
Done = tuple[int, float]

BLOCK = 256 * 1024
CONNECTIONS = 64  # of the parallel ping-pongs
MESSAGE = 64  # bytes of theirs


def send(address: Address, seconds: float) -> Done:
    """Bulk to the server, until it has closed behind the last byte."""
    block = bytes(BLOCK)
    with create_connection(address) as connection:
        amount, begun = 0, perf_counter()
        while perf_counter() - begun < seconds:
            amount += connection.send(block)
        connection.shutdown(SHUT_WR)
        while connection.recv(BLOCK):
            pass
        return amount, perf_counter() - begun


def receive(address: Address, seconds: float) -> Done:
    """Bulk from the server."""
    room = bytearray(BLOCK)
    with create_connection(address) as connection:
        amount, begun = 0, perf_counter()
        while (passed := perf_counter() - begun) < seconds:
            amount += connection.recv_into(room)
        return amount, passed


def ping_pong(address: Address, seconds: float) -> Done:
    """One byte there, one byte back."""
    with create_connection(address) as connection:
        connection.setsockopt(IPPROTO_TCP, TCP_NODELAY, 1)
        amount, begun = 0, perf_counter()
        while (passed := perf_counter() - begun) < seconds:
            connection.send(b"x")
            connection.recv(1)
            amount += 1
        return amount, passed


def parallel(address: Address, seconds: float) -> Done:
    """Messages there and back on many connections at once."""
    message = bytes(MESSAGE)
    connections = {}
    poll = select.epoll()
    for _ in range(CONNECTIONS):
        connection = create_connection(address)
        connection.setsockopt(IPPROTO_TCP, TCP_NODELAY, 1)
        connections[connection.fileno()] = connection
        poll.register(connection.fileno(), select.EPOLLIN)
    amount, begun = 0, perf_counter()
    for connection in connections.values():
        connection.send(message)
    while (passed := perf_counter() - begun) < seconds:
        for fd, _ in poll.poll():
            connection = connections[fd]
            got = len(connection.recv(MESSAGE))
            while got < MESSAGE:
                got += len(connection.recv(MESSAGE - got))
            amount += 1
            connection.send(message)
    return amount, passed


def connect(address: Address, seconds: float) -> Done:
    """Open, one byte there and back, close: we close first."""
    amount, begun = 0, perf_counter()
    while (passed := perf_counter() - begun) < seconds:
        with socket(AF_INET, SOCK_STREAM) as connection:
            connection.connect(address)
            connection.send(b"x")
            connection.recv(1)
        amount += 1
    return amount, passed


def connect_closed(address: Address, seconds: float) -> Done:
    """Open, one byte there and back, close: the server closes first."""
    amount, begun = 0, perf_counter()
    while (passed := perf_counter() - begun) < seconds:
        with socket(AF_INET, SOCK_STREAM) as connection:
            connection.connect(address)
            connection.send(b"x")
            while connection.recv(2):
                pass
        amount += 1
    return amount, passed


WORKS: dict[str, Callable[[Address, float], Done]] = {
    function.__name__: function for function in (send, receive, ping_pong, parallel, connect, connect_closed)
}


def main(arguments: list[str]) -> None:
    """The arguments are in the text above."""
    work, address, port, seconds = arguments
    amount, passed = WORKS[work]((address, int(port)), float(seconds))
    print(json.dumps({"amount": amount, "seconds": passed}))


if __name__ == "__main__":
    main(sys.argv[1:])
