"""A congestion control alone, with a path around it that loses nothing: for the tests of its arithmetic."""

from __future__ import annotations

from typing import Any

from lastack.tcp.config import DEFAULT
from lastack.tcp.congestion import Congestion, create

MSS = 1000
RTT = 100_000


def alone(name: str, window: int = 10, **settings: Any) -> Congestion:
    """An algorithm with a window of so many segments; without HyStart++ unless `settings` say so."""
    made = create(DEFAULT.having(**{"congestion": name, "hystart": False, **settings}), MSS)
    made.cwnd = window * MSS
    return made


def avoiding(name: str, window: int = 10, **settings: Any) -> Congestion:
    """The same in congestion avoidance, after a loss with a full window that was so large."""
    made = alone(name, window, **settings)
    made.measured(RTT, RTT)
    made.lost(made.cwnd, 0)
    made.cwnd = made.ssthresh
    made.recovered()
    return made


def a_round(
    control: Congestion, now: int, *, share: float = 1.0, rtt: int = RTT, each: int = 1, last: bool = False
) -> int:
    """The window (or a `share` of it) is sent and acknowledged, `each` so many segments with one ACK. The time after.

    The ACKs arrive evenly spread over the round trip; each lets out what it frees, unless this is the `last` round.
    """
    flight = max(round(control.cwnd * share), MSS)
    control.used = max(control.used, flight)
    count = max(-(-flight // (each * MSS)), 1)
    left = flight
    for number in range(count):
        size = min(each * MSS, left)
        left -= size
        at = now + rtt * (number + 1) // count
        control.measured(rtt, rtt)
        control.acknowledged(size, left if last else flight - size, at)
        if not last:
            control.used = max(control.used, round(control.cwnd * share))
    return now + rtt
