"""Local ports: who holds one, whether another may have it too, and which ephemeral one a connection gets.

Ephemeral ports by RFC 6056 section 3.3.4 (double-hash), the rules of SO_REUSEADDR by the preset, that of SO_REUSEPORT
as Linux has it.
"""

from __future__ import annotations

from collections.abc import Callable

from lastack.host import isn
from lastack.tcp.config import Config
from lastack.tcp.tcb import Endpoint

_TABLE = 256
WILDCARD = b""


V4 = 4
V6 = 16
BOTH = (V6, V4)


class Holder:
    """A bound socket. `sizes` are the lengths of the addresses whose ports it holds: each IP version has its own, and
    an IPv6 socket bound to any address holds both, unless it is IPV6_V6ONLY (RFC 3493 section 5.3). It `shares` its
    port with others that do (SO_REUSEPORT)."""

    __slots__ = ("address", "listening", "reuse", "shares", "sizes")

    def __init__(self, sizes: tuple[int, ...], address: bytes, reuse: bool, shares: bool = False) -> None:
        self.sizes = sizes
        self.address = address
        self.reuse = reuse
        self.shares = shares
        self.listening = False

    def meets(self, other: Holder) -> bool:
        """Whether a packet could be for either."""
        apart = other.address and self.address and other.address != self.address
        return not apart and any(size in other.sizes for size in self.sizes)


class Ports:
    """The local ports of one host. An address is bytes, WILDCARD for any."""

    __slots__ = ("_holders", "_leftovers", "_secret", "_table", "config")

    def __init__(self, config: Config, secret: bytes) -> None:
        self.config = config
        self._secret = secret
        self._holders: dict[int, list[Holder]] = {}
        # Connections and TIME-WAITs hold a port without a holder each: by port the counts by (address, reuse).
        self._leftovers: dict[int, dict[tuple[bytes, bool], int]] = {}
        self._table = [0] * _TABLE

    def bind(self, holder: Holder, port: int) -> bool:
        """Give `port` to a bound socket, unless who has it is in the way."""
        if not self.may_bind(holder, port):
            return False
        self._holders.setdefault(port, []).append(holder)
        return True

    def may_bind(self, holder: Holder, port: int) -> bool:
        """The rule of SO_REUSEADDR. Linux: the old one must have had it too. BSD: the new one is enough."""
        both = self.config.reuse_needs_both
        for other in self._holders.get(port, ()):
            if other is holder or not other.meets(holder) or (other.shares and holder.shares):
                continue
            if not holder.reuse or other.listening or (both and not other.reuse):
                return False
            if not both and other.address == holder.address:
                return False  # BSD: a second socket of the very same name, never
        for address, reuse in self._leftovers.get(port, ()):
            met = address == holder.address if holder.address else len(address) in holder.sizes
            if met and not ((holder.reuse or holder.shares) and (reuse or not both)):
                return False
        return True

    def may_listen(self, holder: Holder, port: int) -> bool:
        """Whether nobody whose packets these could be listens already, unless both share the port."""
        others = [other for other in self._holders.get(port, ()) if other.listening and other is not holder]
        return not any(other.meets(holder) and not (other.shares and holder.shares) for other in others)

    def release(self, holder: Holder, port: int) -> None:
        """A bound socket is closed."""
        holders = self._holders[port]
        holders.remove(holder)
        if not holders:
            del self._holders[port]

    def enter(self, local: Endpoint, reuse: bool) -> None:
        """A connection, or a TIME-WAIT, is on the port."""
        address, port = local
        left = self._leftovers.get(port)
        if left is None:
            left = self._leftovers[port] = {}
        name = (address, reuse)
        left[name] = left.get(name, 0) + 1

    def leave(self, local: Endpoint, reuse: bool, count: int = 1) -> None:
        """It is gone, or so many are."""
        address, port = local
        left, name = self._leftovers[port], (address, reuse)
        left[name] -= count
        if not left[name]:
            del left[name]
            if not left:
                del self._leftovers[port]

    def in_use(self) -> int:
        """How many holders there are, of either kind."""
        left = sum(sum(counts.values()) for counts in self._leftovers.values())
        return sum(map(len, self._holders.values())) + left

    def bound(self, port: int) -> bool:
        """Whether a socket was bound to the port by name."""
        return port in self._holders

    def ephemeral(self, local: bytes, remote: Endpoint, free: Callable[[int], bool]) -> int | None:
        """RFC 6056 Algorithm 4: the next port for which `free` is true, or None when there is none."""
        first = self.config.ephemeral_first
        count = self.config.ephemeral_last - first + 1
        offset = isn.port_offset(self._secret, b"port-f", local, remote)
        index = isn.port_offset(self._secret, b"port-g", local, remote) % _TABLE
        for _ in range(count):
            port = first + (offset + self._table[index]) % count
            self._table[index] += 1
            if free(port):
                return port
        return None
