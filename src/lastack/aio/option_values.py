"""The values of socket options: as Python's sockets take and give them, and as a host's do."""

from __future__ import annotations

import socket
from struct import Struct
from typing import Any

from lastack.host import options

_LINGER = Struct("ii")
_NUMBER = Struct("i")
_TCP_INFO = 11
# <linux/tcp.h>: struct tcp_info begins with eight octets and 24 numbers of 32 bits, in this order.
_INFO_OCTETS = ("state", "ca_state", "retransmits", "probes", "backoff", "options")
_INFO_NUMBERS = (
    *("rto", "ato", "snd_mss", "rcv_mss", "unacked", "sacked", "lost", "retrans", "fackets"),
    *("last_data_sent", "last_ack_sent", "last_data_recv", "last_ack_recv"),
    *("pmtu", "rcv_ssthresh", "rtt", "rttvar", "snd_ssthresh", "snd_cwnd", "advmss", "reordering"),
    *("rcv_rtt", "rcv_space", "total_retrans"),
)
_INFO = Struct("8B24I")

_LINGERS = (socket.SOL_SOCKET, socket.SO_LINGER)
_TEXTS = frozenset({(socket.IPPROTO_TCP, options.TCP_CONGESTION), (socket.IPPROTO_TCP, options.TCP_FASTOPEN_KEY)})


def given(level: int, option: int, value: Any) -> Any:
    """What a host's socket is given for a number, or for bytes as the kernel takes them."""
    if (level, option) == _LINGERS:
        return _LINGER.unpack(bytes(value))
    if not isinstance(value, int) and (level, option) not in _TEXTS and len(value) == _NUMBER.size:
        return _NUMBER.unpack(bytes(value))[0]
    return value


def shown(level: int, option: int, found: Any, length: int) -> Any:
    """What a program is given: a number, or with `length` bytes as the kernel gives them."""
    if (level, option) == _LINGERS:
        found = _LINGER.pack(*found)
    elif (level, option) == (socket.IPPROTO_TCP, _TCP_INFO):
        found = _packed(found)
    elif isinstance(found, str):
        found = found.encode().ljust(16, b"\0")
    if not length:
        return found
    return (found if isinstance(found, bytes) else _NUMBER.pack(found))[:length]


def _packed(info: dict[str, int]) -> bytes:
    """The beginning of struct tcp_info, which is as old as any program that reads it."""
    octets = [info.get(f"tcpi_{name}", 0) & 0xFF for name in _INFO_OCTETS]
    scales = info.get("tcpi_snd_wscale", 0) & 15 | (info.get("tcpi_rcv_wscale", 0) & 15) << 4
    numbers = [info.get(f"tcpi_{name}", 0) & 0xFFFF_FFFF for name in _INFO_NUMBERS]
    return _INFO.pack(*octets, scales, 0, *numbers)
