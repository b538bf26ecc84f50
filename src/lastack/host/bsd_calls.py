"""What a call on a socket returns on FreeBSD where that is not what Linux returns (`Config.socket_calls`).

Sources: sys/kern/uipc_socket.c (sosend_generic, soreceive_generic, soshutdown, sosetopt, sogetopt), uipc_syscalls.c
(kern_connectat), uipc_sockbuf.c (sbreserve_locked), netinet/tcp_usrreq.c.
"""

from __future__ import annotations

import errno

from lastack.host import options as o
from lastack.host.errors import error
from lastack.tcp.tcb import Tcb

# What getsockopt tells of an option that is on: its bit in `so_options` or `t_flags`.
BITS: dict[tuple[int, int], int] = {
    (o.SOL_SOCKET, o.SO_ACCEPTCONN): 0x2,
    (o.SOL_SOCKET, o.SO_REUSEADDR): 0x4,
    (o.SOL_SOCKET, o.SO_KEEPALIVE): 0x8,
    (o.SOL_SOCKET, o.SO_OOBINLINE): 0x100,
    (o.SOL_SOCKET, o.SO_REUSEPORT): 0x200,
    (o.IPPROTO_TCP, o.TCP_NODELAY): 0x4,  # TF_NODELAY
    (o.IPPROTO_TCP, o.TCP_CORK): 0x1000,  # TCP_NOPUSH: TF_NOPUSH
}
_LINGERS = 0x80


def told(name: tuple[int, int], value: object) -> object:
    """What getsockopt tells of a value."""
    if name == (o.SOL_SOCKET, o.SO_LINGER) and isinstance(value, tuple):
        return (_LINGERS if value[0] else 0, value[1])
    return BITS[name] if value and name in BITS else value


def send_error(tcb: Tcb | None) -> int:
    """Why nothing can be sent: not connected (yet), or no more; why that is, SO_ERROR tells."""
    return errno.ENOTCONN if tcb is None else errno.EPIPE


def buffer_size(value: int, most: int) -> int:
    """What SO_SNDBUF or SO_RCVBUF sets: exactly that. OSError EINVAL, ENOBUFS."""
    if value < 1:
        raise error(errno.EINVAL, "a buffer has a byte at least")
    if value > most:
        raise error(errno.ENOBUFS, f"a buffer has {most} bytes at most")
    return value
