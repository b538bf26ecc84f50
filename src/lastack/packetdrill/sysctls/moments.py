"""When a system looks at what a sysctl says: of this it depends whom a change reaches.

Most are looked at whenever they are used, so that what is open follows. Linux's moments are as its kernel was seen to
do it; FreeBSD's are those of its sources: much is copied when a control block is made, a client's by socket().
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import Enum
from typing import Any


class Moment(Enum):
    """When a setting is looked at."""

    USE = "whenever it is used"
    SOCKET = "when a socket is made; what a listener accepts has the listener's"
    BLOCK = "when a socket is made, but of what a listener accepts when its SYN comes"
    LISTEN = "when a socket begins to listen, or does so again"


MOMENTS: dict[str, Moment] = {
    "net.ipv4.tcp_rmem": Moment.SOCKET,
    "net.ipv4.tcp_wmem": Moment.SOCKET,
    "net.ipv4.tcp_rto_min_us": Moment.SOCKET,
    "net.ipv4.tcp_rto_max_ms": Moment.SOCKET,
    "net.ipv4.tcp_congestion_control": Moment.SOCKET,
    "net.ipv4.ip_no_pmtu_disc": Moment.SOCKET,
    "net.core.somaxconn": Moment.LISTEN,
    "net.inet.tcp.recvspace": Moment.SOCKET,
    "net.inet.tcp.sendspace": Moment.SOCKET,
    "net.inet.ip.ttl": Moment.SOCKET,
    "net.inet6.ip6.auto_flowlabel": Moment.SOCKET,
    "net.inet.tcp.rfc1323": Moment.BLOCK,
    "net.inet.tcp.sack.enable": Moment.BLOCK,
    "net.inet.tcp.rexmit_initial": Moment.BLOCK,
    "net.inet.tcp.rexmit_min": Moment.BLOCK,
    "net.inet.tcp.cc.algorithm": Moment.BLOCK,
    "kern.ipc.somaxconn": Moment.LISTEN,
    "kern.ipc.soacceptqueue": Moment.LISTEN,
}
# Of names that stand for several settings: how far a buffer grows is looked at when it grows.
_WHEN_USED = frozenset({"receive_buffer", "send_buffer"})


def moments(name: str, settings: Mapping[str, Any]) -> dict[Moment, dict[str, Any]]:
    """The settings that a sysctl stands for, by when they are looked at."""
    found: dict[Moment, dict[str, Any]] = {}
    for setting, value in settings.items():
        moment = Moment.USE if setting in _WHEN_USED else MOMENTS.get(name, Moment.USE)
        found.setdefault(moment, {})[setting] = value
    return found
