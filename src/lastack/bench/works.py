"""What is measured beside the kernel: one line for each row of the table."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Done:
    """What a client has done: `amount` bytes, round trips, connections or requests, in `seconds`."""

    amount: int
    seconds: float


@dataclass(frozen=True, slots=True)
class Work:
    """A client's work against a service. The figure is in `unit`, `scale` of them for each of the amount a second; more
    is better.

    `client` is a function of client.py, or a program of its own. `must` and `aim` are ratios to the kernel's figure,
    None where there is none to be met; `pairs` how many measurements at least. A profile counts by pieces of `piece`,
    which are `size` of the amount.
    """

    name: str
    title: str
    service: str
    client: str
    unit: str
    must: float | None
    aim: float | None
    scale: float = 1.0
    pairs: int = 5
    piece: str = ""
    size: int = 1

    def figure(self, done: Done) -> float:
        """In `unit`."""
        return done.amount / done.seconds * self.scale

    @property
    def program(self) -> str | None:
        """The program that must be installed for it."""
        word = self.client.split()[0]
        return word if word in ("wrk", "iperf3") else None


_GBIT = 8e-9
_PIECE = 65_536


def _bulk(name: str, title: str, service: str, client: str, must: float | None, aim: float | None) -> Work:
    return Work(name, title, service, client, "Gbit/s", must, aim, _GBIT, 9, "64 KiB", _PIECE)


def _count(
    name: str, title: str, service: str, client: str, piece: str, must: float, aim: float, pairs: int = 5
) -> Work:
    return Work(name, title, service, client, f"{piece}s/s", must, aim, pairs=pairs, piece=piece)


_ALL = (
    _bulk("bulk-in", "bulk in, one stream", "discard", "send", 0.6, 1.0),
    _bulk("bulk-out", "bulk out, one stream", "chargen", "receive", 0.6, 1.0),
    _count("ping-pong", "one-byte ping-pong", "echo", "ping_pong", "round trip", 0.7, 1.0),
    _count("parallel", "64 parallel ping-pongs of 64 bytes", "echo", "parallel", "round trip", 0.35, 0.6),
    _count("connect", "connect, byte, closed by the client", "echo", "connect", "connection", 0.7, 1.0, pairs=9),
    _count(
        "connect-closed",
        "connect, byte, closed by the server",
        "once",
        "connect_closed",
        "connection",
        0.7,
        1.0,
        pairs=9,
    ),
    _count("http", "HTTP requests, h11 on both", "http", "wrk", "request", 0.6, 1.0),
    # The kernel's side of these is iperf3 itself, a program in C: no ratio is asked for.
    _bulk("iperf3-in", "iperf3, one stream in", "iperf3", "iperf3", None, None),
    _bulk("iperf3-out", "iperf3, one stream out", "iperf3", "iperf3 --reverse", None, None),
)
WORKS = {work.name: work for work in _ALL}
