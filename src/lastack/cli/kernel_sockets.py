"""The kernel's own TCP sockets, by netlink (sock_diag(7)): what ss shows, those in TIME-WAIT and their timers too.

Spoken here without a library, as `lastack.device.netlink` is: so it can be asked about any namespace whose socket we
hold, a sandbox's among them, and at once.
"""

from __future__ import annotations

import errno
import os
import socket
from collections.abc import Iterator
from struct import Struct

from lastack.cli.socket_table import KEEPALIVE, ON, PERSIST, TIMEWAIT, Row, Timer
from lastack.device.errors import DeviceError
from lastack.trace.names import from_kernel

NETLINK_SOCK_DIAG = 4

_HEADER = Struct("=IHHII")  # length, type, flags, sequence, port
# <linux/inet_diag.h>: family, protocol, extensions, states; then the id of a socket, all zero: any.
_REQUEST = Struct("=BBBxI48x")
# family, state, timer, retransmits; ports, addresses; expires (ms), queues, user, inode
_MESSAGE = Struct("=BBBB2s2s16s16s12xIIIII")
_ATTRIBUTE = Struct("=HH")
_SOCK_DIAG_BY_FAMILY = 20
_REQUEST_DUMP = 0x001 | 0x300
_ERROR, _DONE = 2, 3
_INFO = 2  # INET_DIAG_INFO: struct tcp_info
_ALL_STATES = 0xFFF

_TIMERS = {1: ON, 2: KEEPALIVE, 3: TIMEWAIT, 4: PERSIST}

# <linux/tcp.h>, struct tcp_info up to tcpi_total_retrans: eight bytes, then 32-bit fields.
_INFO_BYTES = ("state", "ca_state", "retransmits", "probes", "backoff", "options")
_INFO_WORDS = (
    *("rto", "ato", "snd_mss", "rcv_mss", "unacked", "sacked", "lost", "retrans", "fackets"),
    *("last_data_sent", "last_ack_sent", "last_data_recv", "last_ack_recv"),
    *("pmtu", "rcv_ssthresh", "rtt", "rttvar", "snd_ssthresh", "snd_cwnd", "advmss", "reordering"),
    *("rcv_rtt", "rcv_space", "total_retrans"),
)
_INFO_STRUCT = Struct(f"=8B{len(_INFO_WORDS)}I")


def kernel_sockets(connection: socket.socket | None = None) -> list[Row]:
    """All TCP sockets of the kernel, IPv4 before IPv6. Raises DeviceError.

    `connection` is a socket of (AF_NETLINK, SOCK_RAW, NETLINK_SOCK_DIAG), owned from here on: it decides of which
    network namespace; by default that of this process.
    """
    try:
        with connection or socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, NETLINK_SOCK_DIAG) as netlink:
            return [row for family in (socket.AF_INET, socket.AF_INET6) for row in _dump(netlink, family)]
    except DeviceError:
        raise
    except OSError as error:
        raise DeviceError(f"the kernel does not tell its sockets: {error.strerror}", error.errno) from None


def _dump(netlink: socket.socket, family: int) -> Iterator[Row]:
    body = _REQUEST.pack(family, socket.IPPROTO_TCP, 1 << (_INFO - 1), _ALL_STATES)
    length = _HEADER.size + len(body)
    netlink.send(_HEADER.pack(length, _SOCK_DIAG_BY_FAMILY, _REQUEST_DUMP, family, 0) + body)
    while True:
        for kind, message in _messages(netlink.recv(1 << 17)):
            if kind == _DONE:
                return
            if kind == _ERROR:
                number = -int.from_bytes(message[:4], "little", signed=True)
                if family == socket.AF_INET6 and number in (errno.ENOENT, errno.EAFNOSUPPORT):  # a kernel without it
                    return
                raise DeviceError(f"the kernel does not tell its sockets: {os.strerror(number)}", number)
            yield _row(family, message)


def _messages(data: bytes) -> Iterator[tuple[int, bytes]]:
    """(type, body) of every netlink message in a datagram."""
    while len(data) >= _HEADER.size:
        length, kind, _, _, _ = _HEADER.unpack_from(data)
        if length < _HEADER.size:
            return
        yield kind, data[_HEADER.size : length]
        data = data[length + (-length % 4) :]


def _row(family: int, message: bytes) -> Row:
    _, number, kind, retransmits, *rest = _MESSAGE.unpack_from(message)
    source_port, destination_port, source, destination, expires, recv_q, send_q, _, inode = rest
    size = 4 if family == socket.AF_INET else 16
    name = _TIMERS.get(kind)
    state = from_kernel(number)
    return Row(
        state,
        (socket.inet_ntop(family, source[:size]), int.from_bytes(source_port, "big")),
        (socket.inet_ntop(family, destination[:size]), int.from_bytes(destination_port, "big")),
        recv_q,
        send_q,
        None if name is None else Timer(name, expires * 1000, retransmits),
        retransmits if name == ON else 0,
        inode == 0,
        _info(message[_MESSAGE.size :]),
    )


def _info(attributes: bytes) -> dict[str, int] | None:
    """TCP_INFO out of a message's attributes."""
    while len(attributes) >= _ATTRIBUTE.size:
        length, kind = _ATTRIBUTE.unpack_from(attributes)
        if length < _ATTRIBUTE.size:
            break
        if kind == _INFO and length >= _ATTRIBUTE.size + _INFO_STRUCT.size:
            values = _INFO_STRUCT.unpack_from(attributes, _ATTRIBUTE.size)
            fields = dict(zip(_INFO_BYTES, values, strict=False))
            fields["snd_wscale"], fields["rcv_wscale"] = values[6] & 0xF, values[6] >> 4
            fields.update(zip(_INFO_WORDS, values[8:], strict=True))
            return {f"tcpi_{name}": value for name, value in fields.items()}
        attributes = attributes[length + (-length % 4) :]
    return None
