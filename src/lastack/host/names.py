"""A socket's names: what it is bound to, which local address and port it connects from, whom it is connected to."""

from __future__ import annotations

import errno

from lastack.host import opening
from lastack.host.errors import error
from lastack.host.keys import key_of
from lastack.host.ports import WILDCARD, Holder
from lastack.host.settings import Settings
from lastack.host.tables import Tables
from lastack.tcp.tcb import Endpoint
from lastack.wire.address import format_address, is_unspecified, parse_address

Address = tuple[str, int]


class Names(Settings):
    """The addresses and ports of a socket for IPv4 or IPv6 (`version`); `local` is (address or WILDCARD, port)."""

    __slots__ = ("closed", "local", "version")

    def __init__(self, host: Tables, version: int) -> None:
        if version not in (4, 6):
            raise error(errno.EAFNOSUPPORT, f"IP version {version}: 4 or 6")
        super().__init__(host)
        self.version = version
        self.local: Endpoint = (WILDCARD, 0)
        self.closed = False

    def bind(self, address: Address) -> None:
        """Take a local address and port; port 0 is any free one. OSError EADDRINUSE, EADDRNOTAVAIL, EINVAL."""
        self._open()
        if self.holder is not None or self.tcb is not None:
            raise error(errno.EINVAL, "the socket is already bound")
        local, port = self._address(address[0]), address[1]
        if not 0 <= port <= 0xFFFF:
            raise OverflowError("bind(): port must be 0-65535.")
        if is_unspecified(local):
            local = WILDCARD
        elif local not in self.host.addresses:
            raise error(errno.EADDRNOTAVAIL, f"{address[0]} is not an address of this host")
        holder = Holder(4 if self.version == 4 else 16, local, self.reuse_address)
        if port == 0:
            found = self.host.ports.ephemeral(local, (b"", 0), lambda port: self._unused(holder, port))
            if found is None:
                raise error(errno.EADDRINUSE, "no free port is left")
            port = found
        if not self.host.ports.bind(holder, port):
            raise error(errno.EADDRINUSE, f"address already in use: port {port}")
        self.holder = holder
        self.local = (local, port)

    def _unused(self, holder: Holder, port: int) -> bool:
        plain = Holder(holder.size, holder.address, False)
        return self.host.ports.may_bind(plain, port)

    def _address(self, text: str) -> bytes:
        size = 4 if self.version == 4 else 16
        try:
            address = bytes(size) if text == "" else parse_address(text)
        except ValueError:
            raise error(errno.EINVAL, f"{text!r} is not an IP address") from None
        if len(address) != size:
            raise error(errno.EAFNOSUPPORT, f"{text} is not an IPv{self.version} address")
        return address

    def getsockname(self) -> Address:
        """The local address and port."""
        local = self.tcb.local if self.tcb is not None else self.local
        return (format_address(local[0] or bytes(4 if self.version == 4 else 16)), local[1])

    def getpeername(self) -> Address:
        """The remote address and port. OSError ENOTCONN."""
        if self.tcb is None:
            raise error(errno.ENOTCONN, "not connected")
        return (format_address(self.tcb.remote[0]), self.tcb.remote[1])

    def _choose_local(self, remote: Endpoint) -> Endpoint:
        host = self.host
        address = opening.source(host, self.local[0], remote[0])
        if self.local[1]:
            local = (address, self.local[1])
            if not self._free(local, remote):
                raise error(errno.EADDRNOTAVAIL, "a connection between these ports exists, or is in TIME-WAIT")
            return local
        port = host.ports.ephemeral(
            address, remote, lambda port: not host.ports.bound(port) and self._free((address, port), remote)
        )
        if port is None:
            host.counters["limit: ephemeral ports"] += 1
            raise error(errno.EADDRNOTAVAIL, "no ephemeral port to this destination is left")
        return (address, port)

    def _free(self, local: Endpoint, remote: Endpoint) -> bool:
        key = key_of(local, remote)
        return key not in self.host.tcbs and key not in self.host.time_wait

    def _open(self) -> None:
        if self.closed:
            raise error(errno.EBADF, "the socket is closed")
