"""A socket's names: what it is bound to, which local address and port it connects from, whom it is connected to."""

from __future__ import annotations

import errno

from lastack.host import opening
from lastack.host.errors import error
from lastack.host.keys import key_of
from lastack.host.ports import BOTH, V4, V6, WILDCARD, Holder
from lastack.host.settings import Settings
from lastack.host.tables import Tables
from lastack.tcp.tcb import Endpoint
from lastack.wire.address import MAPPED, format_address, is_link_local, is_unspecified, mapped_text, parse_address

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
        # MUST-43
        self._open()
        if self.holder is not None or self.tcb is not None:
            raise error(errno.EINVAL, "the socket is already bound")
        local, port = self._address(address[0]), address[1]
        if not 0 <= port <= 0xFFFF:
            raise OverflowError("bind(): port must be 0-65535.")
        if self.version == 6 and len(local) == V4 and self.v6only:
            raise error(errno.EINVAL, f"{address[0]} is IPv4, and the socket is for IPv6 only")
        sizes: tuple[int, ...] = (len(local),)
        if is_unspecified(local):
            sizes = BOTH if sizes == (V6,) and not self.v6only else sizes
            local = WILDCARD
        elif local not in self.host.addresses:
            number = errno.EINVAL if is_link_local(local) else errno.EADDRNOTAVAIL
            raise error(number, f"{address[0]} is not an address of this host")
        holder = Holder(sizes, local, self.reuse_address, self.reuse_port)
        if port == 0:
            found = self.host.ports.ephemeral(local, (b"", 0), lambda port: self._unused(holder, port))
            if found is None:
                raise error(errno.EADDRINUSE, "no free port is left")
            port = found
        if not self.host.ports.bind(holder, port):
            raise error(errno.EADDRINUSE, f"address already in use: port {port}")
        self.holder = holder
        self.local = (local, port)
        if len(local) == V6:
            self.v6only = True  # as on Linux: no IPv4 packet is ever for that address

    def _unused(self, holder: Holder, port: int) -> bool:
        plain = Holder(holder.sizes, holder.address, False)
        return self.host.ports.may_bind(plain, port)

    def _address(self, text: str) -> bytes:
        """The address that a caller means: one of IPv4 mapped into IPv6 is one of IPv4 from here on."""
        size = V4 if self.version == 4 else V6
        try:
            address = bytes(size) if text == "" else parse_address(text)
        except ValueError as wrong:
            raise error(errno.EINVAL, str(wrong)) from None
        if len(address) != size:
            raise error(errno.EAFNOSUPPORT, f"{text} is not an IPv{self.version} address")
        return address[12:] if size == V6 and address.startswith(MAPPED) else address

    def _destination(self, text: str) -> bytes:
        """The address that a connect() means. OSError as `opening.destination`; as Linux, ENETUNREACH for IPv4 where
        the socket is for IPv6 only, EAFNOSUPPORT for IPv6 where it is bound to IPv4, EINVAL where a zone is missing."""
        address, bound = self._address(text), self.holder.sizes if self.holder is not None else BOTH
        if is_link_local(address) and address not in self.host.addresses:
            raise error(errno.EINVAL, f"{text} needs a zone, and a host here has none (RFC 4007)")
        if self.version == 6 and len(address) == V4 and self.v6only:
            raise error(errno.ENETUNREACH, f"{text} is IPv4, and the socket is for IPv6 only")
        if len(address) not in bound:
            if not is_unspecified(address):
                raise error(errno.EAFNOSUPPORT, f"{text} is IPv6, and the socket is bound to IPv4")
            address = bytes(V4)
        return opening.destination(self.host, address, self.local[0])

    def _shown(self, endpoint: Endpoint, size: int) -> Address:
        """An endpoint in the family of the socket; `size` is the length of the address that WILDCARD stands for."""
        address = endpoint[0] or bytes(size)
        text = mapped_text(address) if self.version == 6 and len(address) == V4 else format_address(address)
        return (text, endpoint[1])

    def getsockname(self) -> Address:
        """The local address and port; IPv4 mapped into IPv6 where the socket is of that version."""
        local = self.tcb.local if self.tcb is not None else self.local
        size = self.holder.sizes[0] if self.holder is not None else V4 if self.version == 4 else V6
        return self._shown(local, size)

    def getpeername(self) -> Address:
        """The remote address and port. OSError ENOTCONN."""
        if self.tcb is None:
            raise error(errno.ENOTCONN, "not connected")
        return self._shown(self.tcb.remote, 0)

    def _choose_local(self, remote: Endpoint) -> Endpoint:  # MUST-45
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
        return key not in self.host.table and key not in self.host.time_wait

    def _open(self) -> None:
        if self.closed:
            raise error(errno.EBADF, "the socket is closed")
