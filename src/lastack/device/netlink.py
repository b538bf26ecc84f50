"""Addresses, routes and links by rtnetlink (RFC 3549; rtnetlink(7)).

Spoken here without a library: a handful of messages, where importing one takes longer than a whole sandbox does.
"""

from __future__ import annotations

import errno
import ipaddress
import os
import socket
from collections.abc import Iterable, Sequence
from struct import Struct
from types import TracebackType

from lastack.device.errors import DeviceError

_HEADER = Struct("=IHHII")  # length, type, flags, sequence, port
_LINK = Struct("=BxHiII")  # family, type, index, flags, change
_ADDRESS = Struct("=BBBBi")  # family, prefix length, flags, scope, index
_ROUTE = Struct("=BBBBBBBBI")  # family, lengths of destination and source, tos, table, protocol, scope, type, flags
_ATTRIBUTE = Struct("=HH")
_NUMBER = Struct("=I")
_SIGNED = Struct("=i")

_ERROR = 2
_NEW_LINK, _GET_LINK = 16, 18
_NEW_ADDRESS, _DELETE_ADDRESS = 20, 21
_NEW_ROUTE = 24
_REQUEST, _ACKNOWLEDGE, _REPLACE, _CREATE = 0x001, 0x004, 0x100, 0x400
_UP = 1

_LINK_NAME, _LINK_MTU, _LINK_QUEUE = 3, 4, 13
_ADDRESS_FAR, _ADDRESS_LOCAL, _ADDRESS_FLAGS = 1, 2, 8
_NO_DAD = 0x02  # IPv6: no duplicate address detection, the address is usable at once
_ROUTE_TO, _ROUTE_DEVICE, _ROUTE_VIA = 1, 4, 5
_TABLE_MAIN, _BY_ADMINISTRATOR, _SCOPE_LINK, _UNICAST = 254, 4, 253, 1

Attribute = tuple[int, bytes]


class Netlink:
    """A conversation with the kernel about one network namespace: that in which its socket was made."""

    def __init__(self, connection: socket.socket | None = None) -> None:
        """`connection` is a socket of (AF_NETLINK, SOCK_RAW, NETLINK_ROUTE), owned from here on."""
        self._socket = connection or socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, socket.NETLINK_ROUTE)
        self._sequence = 0

    def index(self, name: str) -> int:
        """The number of the link `name`. Raises DeviceError."""
        return self._link(name)[0]

    def mtu(self, name: str) -> int:
        """The MTU of the link `name` in bytes. Raises DeviceError."""
        return self._link(name)[1]

    def set_link(self, name: str, *, up: bool = True, mtu: int | None = None, queue: int | None = None) -> None:
        """Bring a link up or down; `mtu` in bytes, `queue` the length of its transmit queue in packets."""
        attributes = []
        if mtu is not None:
            attributes.append((_LINK_MTU, _NUMBER.pack(mtu)))
        if queue is not None:
            attributes.append((_LINK_QUEUE, _NUMBER.pack(queue)))
        body = _LINK.pack(0, 0, self.index(name), _UP if up else 0, _UP)
        self._ask(f"set the link {name}", _NEW_LINK, 0, body, attributes)

    def add_address(self, name: str, address: str, peer: str | None = None) -> None:
        """Give the link an address such as "10.9.0.1/24" or "fd00::1/64"; `peer` makes it point to point."""
        body, attributes = self._address(name, address, peer)
        self._ask(f"give {name} the address {address}", _NEW_ADDRESS, _CREATE | _REPLACE, body, attributes)

    def remove_address(self, name: str, address: str) -> None:
        """Take an address away again."""
        body, attributes = self._address(name, address, None)
        self._ask(f"take the address {address} from {name}", _DELETE_ADDRESS, 0, body, attributes)

    def add_route(self, to: str, name: str, via: str | None = None) -> None:
        """Route a network such as "10.8.0.0/16", "::/0" or "default" over the link, by the gateway `via`."""
        if to == "default":
            to = "::/0" if via is not None and ":" in via else "0.0.0.0/0"
        network = _network(to)
        scope = _SCOPE_LINK if via is None and network.version == 4 else 0
        body = _ROUTE.pack(
            _family(network.version), network.prefixlen, 0, 0, _TABLE_MAIN, _BY_ADMINISTRATOR, scope, _UNICAST, 0
        )
        attributes = [(_ROUTE_TO, network.network_address.packed), (_ROUTE_DEVICE, _NUMBER.pack(self.index(name)))]
        if via is not None:
            attributes.append((_ROUTE_VIA, ipaddress.ip_address(via).packed))
        self._ask(f"route {to} over {name}", _NEW_ROUTE, _CREATE | _REPLACE, body, attributes)

    def close(self) -> None:
        """End the conversation."""
        self._socket.close()

    def __enter__(self) -> Netlink:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, where: TracebackType | None
    ) -> None:
        self.close()

    def _link(self, name: str) -> tuple[int, int]:
        attributes = [(_LINK_NAME, name.encode() + b"\0")]
        answer = self._ask(f"find the link {name}", _GET_LINK, 0, _LINK.pack(0, 0, 0, 0, 0), attributes)
        index = int(_LINK.unpack_from(answer)[2])
        found = dict(_attributes(answer[_LINK.size :]))
        return index, int(_NUMBER.unpack(found[_LINK_MTU])[0])

    def _address(self, name: str, address: str, peer: str | None) -> tuple[bytes, list[Attribute]]:
        try:
            interface = ipaddress.ip_interface(address)
            far = interface.ip if peer is None else ipaddress.ip_address(peer)
        except ValueError as error:
            raise DeviceError(f"{address!r} is no address with a prefix length: {error}", errno.EINVAL) from None
        length = interface.network.prefixlen
        body = _ADDRESS.pack(_family(interface.version), length, 0, 0, self.index(name))
        attributes = [(_ADDRESS_LOCAL, interface.ip.packed), (_ADDRESS_FAR, far.packed)]
        if interface.version == 6:
            attributes.append((_ADDRESS_FLAGS, _NUMBER.pack(_NO_DAD)))
        return body, attributes

    def _ask(self, what: str, kind: int, flags: int, body: bytes, attributes: Iterable[Attribute]) -> bytes:
        """Send one message and take its answer: the body for a question, b"" for an order. Raises DeviceError."""
        self._sequence += 1
        message = body + b"".join(map(_attribute, attributes))
        flags |= _REQUEST if kind == _GET_LINK else _REQUEST | _ACKNOWLEDGE
        length = _HEADER.size + len(message)
        self._socket.send(_HEADER.pack(length, kind, flags, self._sequence, 0) + message)
        while True:
            answer = self._socket.recv(1 << 16)
            length, kind, _, sequence, _ = _HEADER.unpack_from(answer)
            if sequence == self._sequence:
                break
        answer = answer[_HEADER.size : length]
        if kind != _ERROR:
            return answer
        number = -_SIGNED.unpack_from(answer)[0]
        if number:
            raise DeviceError(f"cannot {what}: {_meaning(number)}", number)
        return b""


def configure(
    name: str,
    addresses: Sequence[str] = (),
    *,
    mtu: int | None = None,
    queue: int | None = None,
    routes: Sequence[str] = (),
    connection: socket.socket | None = None,
) -> None:
    """Give a link its addresses, bring it up and route over it; `connection` as for Netlink. Raises DeviceError."""
    with Netlink(connection) as netlink:
        netlink.set_link(name, mtu=mtu, queue=queue)
        for address in addresses:
            netlink.add_address(name, address)
        for route in routes:
            netlink.add_route(route, name)


def _meaning(number: int) -> str:
    if number == errno.EPERM:
        return "only root may (or an owner of the network namespace)"
    if number == errno.ENODEV:
        return "there is no such link"
    return os.strerror(number).lower()


def _family(version: int) -> int:
    return socket.AF_INET if version == 4 else socket.AF_INET6


def _network(text: str) -> ipaddress.IPv4Network | ipaddress.IPv6Network:
    try:
        return ipaddress.ip_network(text)
    except ValueError as error:
        raise DeviceError(f"{text!r} is no network to route: {error}", errno.EINVAL) from None


def _attribute(attribute: Attribute) -> bytes:
    kind, value = attribute
    return _ATTRIBUTE.pack(_ATTRIBUTE.size + len(value), kind) + value + bytes(-len(value) % 4)


def _attributes(data: bytes) -> Iterable[Attribute]:
    while len(data) >= _ATTRIBUTE.size:
        length, kind = _ATTRIBUTE.unpack_from(data)
        if length < _ATTRIBUTE.size:
            return
        yield kind, data[_ATTRIBUTE.size : length]
        data = data[length + (-length % 4) :]
