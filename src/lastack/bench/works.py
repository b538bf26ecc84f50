"""What is measured beside the kernel: one line for each row of the table."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Work:
    """A client's work against a service. The figure is `amount / seconds * scale` in `unit`; more is better.

    `must` and `aim` are ratios to the kernel's figure; `pairs` how many measurements at least.
    """

    name: str
    title: str
    service: str
    client: str
    unit: str
    must: float
    aim: float
    scale: float = 1.0
    pairs: int = 5


_GIGABITS = 8e-9
_OPENED = "connections/s"

WORKS = {
    work.name: work
    for work in (
        Work("bulk-in", "bulk in, one stream", "discard", "send", "Gbit/s", 0.6, 1.0, _GIGABITS, 9),
        Work("bulk-out", "bulk out, one stream", "chargen", "receive", "Gbit/s", 0.6, 1.0, _GIGABITS, 9),
        Work("ping-pong", "one-byte ping-pong", "echo", "ping_pong", "round trips/s", 0.7, 1.0),
        Work("parallel", "64 parallel ping-pongs of 64 bytes", "echo", "parallel", "round trips/s", 0.35, 0.6),
        Work("connect", "connect, byte, closed by the client", "echo", "connect", _OPENED, 0.7, 1.0),
        Work(
            "connect-closed", "connect, byte, closed by the server", "once", "connect_closed", "connections/s", 0.7, 1.0
        ),
        Work("http", "HTTP requests, h11 on both", "http", "wrk", "requests/s", 0.6, 1.0),
    )
}
