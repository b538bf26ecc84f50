"""A TCP socket as `ss -tano` shows it: one shape for those of our hosts and those of the kernel."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from lastack.tcp.states import State
from lastack.trace import names

# The kernel's names of the timers, as ss prints them.
ON = "on"  # retransmission
KEEPALIVE = "keepalive"
TIMEWAIT = "timewait"
PERSIST = "persist"

Address = tuple[str, int]


@dataclass(frozen=True, slots=True)
class Timer:
    """The timer that runs out next of those that the tools show. `left` is in microseconds; `count` its retries."""

    name: str
    left: int
    count: int = 0

    def __str__(self) -> str:
        return f"timer:({self.name},{format_left(self.left)},{self.count})"


@dataclass(frozen=True, slots=True)
class Row:
    """One socket. `recv_q` and `send_q` are in bytes (a listener: connections that wait, and how many may).

    `info` is TCP_INFO where there is one; `state` is None for a number of the kernel that no state stands behind.
    """

    state: State | None
    local: Address
    remote: Address
    recv_q: int = 0
    send_q: int = 0
    timer: Timer | None = None
    retransmits: int = 0
    orphan: bool = False
    info: dict[str, int] | None = None

    def as_dict(self, style: str = names.RFC) -> dict[str, Any]:
        """For JSON: times in seconds, addresses as [text, port]."""
        timer = self.timer
        return {
            "state": names.name(self.state, style),
            "local": list(self.local),
            "remote": list(self.remote),
            "recv_q": self.recv_q,
            "send_q": self.send_q,
            "timer": timer and {"name": timer.name, "seconds_left": timer.left / 1_000_000, "count": timer.count},
            "retransmits": self.retransmits,
            "orphan": self.orphan,
            "tcp_info": self.info,
        }

    @classmethod
    def from_dict(cls, known: dict[str, Any]) -> Row:
        """What `as_dict` made, in the RFC's names. KeyError, TypeError or ValueError for anything else."""
        timer = known["timer"]
        return cls(
            None if known["state"] == names.UNKNOWN else State(known["state"]),
            (str(known["local"][0]), int(known["local"][1])),
            (str(known["remote"][0]), int(known["remote"][1])),
            int(known["recv_q"]),
            int(known["send_q"]),
            timer and Timer(str(timer["name"]), round(timer["seconds_left"] * 1_000_000), int(timer["count"])),
            int(known["retransmits"]),
            bool(known["orphan"]),
            known["tcp_info"],
        )


def format_left(microseconds: int) -> str:
    """A time that is left, as short as ss has it: 200ms, 1.200sec, 52sec, 2min4sec, 119min."""
    milliseconds = microseconds // 1000
    seconds = milliseconds // 1000
    if seconds >= 600:
        return f"{seconds // 60}min"
    if seconds >= 60:
        return f"{seconds // 60}min{seconds % 60}sec" if seconds % 60 else f"{seconds // 60}min"
    if seconds >= 10:
        return f"{seconds}sec"
    return f"{milliseconds / 1000:.3f}sec" if seconds else f"{milliseconds}ms"
