"""The kernel's own TCP sockets, by netlink (sock_diag(7)): what ss shows, those in TIME-WAIT and their timers too; and
ending them from outside, as `ss -K` does.

pyroute2 speaks it, by its plain NetlinkSocket: its DiagSocket takes no socket made elsewhere, such as a sandbox's, and
does not tell errors. It is imported when first needed, and not to be used from within a coroutine (see
`lastack.device.netlink`).
"""

from __future__ import annotations

import errno
import os
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from struct import unpack
from typing import Any

from lastack.device.errors import DeviceError
from lastack.device.socket_rows import KEEPALIVE, ON, PERSIST, TIMEWAIT, Address, Row, Timer
from lastack.trace.names import from_kernel
from lastack.wire.address import parse_address

NETLINK_SOCK_DIAG = 4

_SOCK_DESTROY = 21
_ANY_COOKIE = (1 << 64) - 1  # INET_DIAG_NOCOOKIE
_INFO = 2  # INET_DIAG_INFO: struct tcp_info
_TIMERS = {1: ON, 2: KEEPALIVE, 3: TIMEWAIT, 4: PERSIST}
_SCALES_AT = 4 + 6  # the octet of both window scales, from the start of the attribute


def kernel_sockets(connection: socket.socket | None = None) -> list[Row]:
    """All TCP sockets of the kernel, IPv4 before IPv6. Raises DeviceError.

    `connection` is a socket of (AF_NETLINK, SOCK_DGRAM, NETLINK_SOCK_DIAG), owned from here on: it decides of which
    network namespace; by default that of this process.
    """
    with _conversation(connection) as netlink:
        return [row for family in (socket.AF_INET, socket.AF_INET6) for row in _dump(netlink, family)]


def destroy(local: Address, remote: Address, connection: socket.socket | None = None) -> bool:
    """End a TCP connection of the kernel by a RST, or a listener (`remote` is ("0.0.0.0", 0) or ("::", 0)); whether
    there was such a one. `connection` as above. Raises DeviceError; a kernel may be built without this (EOPNOTSUPP)."""
    from pyroute2 import NetlinkError
    from pyroute2.netlink import NLM_F_ACK, NLM_F_REQUEST
    from pyroute2.netlink.diag import SS_ALL, inet_diag_req

    family = socket.AF_INET6 if ":" in local[0] else socket.AF_INET
    request = inet_diag_req()
    request["sdiag_family"] = family
    request["sdiag_protocol"] = socket.IPPROTO_TCP
    request["idiag_states"] = SS_ALL
    request["idiag_src"], request["idiag_sport"] = _words(local[0]), local[1]
    request["idiag_dst"], request["idiag_dport"] = _words(remote[0]), remote[1]
    request["idiag_cookie"] = _ANY_COOKIE
    with _conversation(connection) as netlink:
        # The kernel looks for it as for a packet, and would end the listener where there is no such connection.
        if not any((row.local, row.remote) == (local, remote) for row in _dump(netlink, family)):
            return False
        try:
            list(netlink.nlm_request(request, _SOCK_DESTROY, NLM_F_REQUEST | NLM_F_ACK))
        except NetlinkError as error:
            if error.code == errno.ENOENT:
                return False
            raise DeviceError(f"the kernel ends no sockets: {os.strerror(error.code)}", error.code) from None
    return True


def _words(address: str) -> tuple[int, ...]:
    return unpack(">4I", parse_address(address).ljust(16, b"\0"))


@contextmanager
def _conversation(connection: socket.socket | None) -> Iterator[Any]:
    from pyroute2.netlink import NLMSG_DONE, nlmsg
    from pyroute2.netlink.diag import inet_diag_msg
    from pyroute2.netlink.nlsocket import NetlinkSocket

    try:
        with NetlinkSocket(NETLINK_SOCK_DIAG, use_socket=connection) as netlink:
            # Not by its type: that is the request's too, which comes back within an error and is of another shape.
            netlink.marshal.default_message_class = inet_diag_msg
            netlink.register_policy(NLMSG_DONE, nlmsg)
            yield netlink
    except DeviceError:
        raise
    except OSError as error:
        raise DeviceError(f"the kernel does not tell its sockets: {error.strerror}", error.errno) from None


def _dump(netlink: Any, family: int) -> Iterator[Row]:
    from pyroute2 import NetlinkError
    from pyroute2.netlink.diag import SOCK_DIAG_BY_FAMILY, SS_ALL, inet_diag_req

    request = inet_diag_req()
    request["sdiag_family"] = family
    request["sdiag_protocol"] = socket.IPPROTO_TCP
    request["idiag_ext"] = 1 << (_INFO - 1)
    request["idiag_states"] = SS_ALL
    try:
        yield from map(_row, netlink.nlm_request(request, SOCK_DIAG_BY_FAMILY))
    except NetlinkError as error:
        if family == socket.AF_INET6 and error.code in (errno.ENOENT, errno.EAFNOSUPPORT):  # a kernel without it
            return
        raise DeviceError(f"the kernel does not tell its sockets: {os.strerror(error.code)}", error.code) from None


def _row(message: Any) -> Row:
    name = _TIMERS.get(message["idiag_timer"])
    retransmits = message["idiag_retrans"]
    return Row(
        from_kernel(message["idiag_state"]),
        (message["idiag_src"], message["idiag_sport"]),
        (message["idiag_dst"], message["idiag_dport"]),
        message["idiag_rqueue"],
        message["idiag_wqueue"],
        None if name is None else Timer(name, message["idiag_expires"] * 1000, retransmits),
        retransmits if name == ON else 0,
        message["idiag_inode"] == 0,
        _info(message.get_attr("INET_DIAG_INFO")),
    )


def _info(info: Any) -> dict[str, int] | None:
    """TCP_INFO as plain names and numbers; of its two window scales pyroute2 gives the sender's for both.

    A kernel before 5.4 has fewer fields than pyroute2 knows, which then leaves them all as octets: None.
    """
    if info is None or isinstance(info, bytes):
        return None
    return {**info, "tcpi_rcv_wscale": info.data[info.offset + _SCALES_AT] >> 4}
