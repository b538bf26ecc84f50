"""Addresses, routes and links by rtnetlink (RFC 3549; rtnetlink(7)), which pyroute2 speaks.

It runs an asyncio loop of its own meanwhile: from within a coroutine, call what is here by `asyncio.to_thread`. It is
imported with the first conversation, as its import takes longer than most commands that need none.
"""

from __future__ import annotations

import errno
import ipaddress
import os
import socket
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from types import TracebackType
from typing import Any

from lastack.device.errors import DeviceError

_NO_DAD = 0x02  # IPv6: no duplicate address detection, the address is usable at once
_SCOPE_LINK = 253
_UP = 0x1  # IFF_UP
_LOCAL = 2  # RTN_LOCAL: a route to the machine itself
_PATIENCE = 5.0  # seconds in which an address is in use: the kernel looks at new links once a second, if busy

Interface = ipaddress.IPv4Interface | ipaddress.IPv6Interface


class Netlink:
    """A conversation with the kernel about one network namespace: that in which its socket was made."""

    def __init__(self, connection: socket.socket | None = None) -> None:
        """`connection` is a socket of (AF_NETLINK, SOCK_DGRAM, NETLINK_ROUTE), owned from here on."""
        try:
            from pyroute2 import IPRoute
        except ModuleNotFoundError:
            missing = "to configure a network takes pyroute2; install it with: pip install 'lastack[cli]'"
            raise DeviceError(missing) from None
        self._route = IPRoute(use_socket=connection)

    def index(self, name: str) -> int:
        """The number of the link `name`. Raises DeviceError."""
        return int(self._link(name)["index"])

    def mtu(self, name: str) -> int:
        """The MTU of the link `name` in bytes. Raises DeviceError."""
        return int(self._link(name).get("mtu"))

    def up(self, name: str) -> bool:
        """Whether somebody has brought the link `name` up. Raises DeviceError."""
        return bool(self._link(name)["flags"] & _UP)

    def addresses(self, name: str) -> list[Interface]:
        """The kernel's addresses on the link `name`, or its peers' where it is point-to-point. Raises DeviceError."""
        index = self.index(name)
        with _told(f"tell the addresses of {name}"):
            found = [(one.get("address"), one["prefixlen"]) for one in self._route.get_addr(index=index)]
        return [ipaddress.ip_interface(f"{address}/{length}") for address, length in found]

    def routes_to(self, address: str, name: str) -> bool:
        """Whether the kernel sends what is for `address` over the link `name`. Raises DeviceError."""
        index = self.index(name)
        return any(route.get("oif") == index for route in self._routes(address))

    def set_link(self, name: str, *, up: bool = True, mtu: int | None = None, queue: int | None = None) -> None:
        """Bring a link up or down; `mtu` in bytes, `queue` the length of its transmit queue in packets."""
        given = {key: value for key, value in (("mtu", mtu), ("txqlen", queue)) if value is not None}
        index = self.index(name)
        with _told(f"set the link {name}"):
            self._route.link("set", index=index, state="up" if up else "down", **given)

    def add_veth(self, name: str, peer: str, namespace: int) -> None:
        """Make a pair of links, veth(4): `name` here, `peer` in the network namespace behind the descriptor."""
        with _told(f"make the links {name} and {peer}"):
            self._route.link("add", ifname=name, kind="veth", peer={"ifname": peer, "net_ns_fd": namespace})

    def add_address(self, name: str, address: str, peer: str | None = None) -> None:
        """Give the link an address such as "10.9.0.1/24" or "fd00::1/64"; `peer` makes it point to point."""
        wanted = self._address(name, address, peer)
        with _told(f"give {name} the address {address}"):
            self._route.addr("replace", **wanted)

    def await_address(self, address: str) -> None:
        """Return when the kernel takes in what is sent to the address. Raises DeviceError where it never does.

        It gives an IPv6 address its route by a work queue, after it has said yes to it: a packet that comes sooner is
        lost (Ip6InAddrErrors), and a SYN that is lost costs a second.
        """
        wanted = str(ipaddress.ip_interface(address).ip)
        limit = time.monotonic() + _PATIENCE
        while not any(route["type"] == _LOCAL for route in self._routes(wanted)):
            if time.monotonic() > limit:
                raise DeviceError(f"the address {address} has not come into use in {_PATIENCE:g} s", errno.ETIMEDOUT)
            time.sleep(0.001)

    def remove_address(self, name: str, address: str) -> None:
        """Take an address away again."""
        wanted = self._address(name, address, None)
        with _told(f"take the address {address} from {name}"):
            self._route.addr("del", **wanted)

    def add_route(self, to: str, name: str, via: str | None = None) -> None:
        """Route a network such as "10.8.0.0/16", "::/0" or "default" over the link, by the gateway `via`."""
        if to == "default":
            to = "::/0" if via is not None and ":" in via else "0.0.0.0/0"
        network = _network(to)
        wanted: dict[str, Any] = {"dst": str(network), "oif": self.index(name)}
        if via is not None:
            wanted["gateway"] = str(ipaddress.ip_address(via))
        elif network.version == 4:
            wanted["scope"] = _SCOPE_LINK
        with _told(f"route {to} over {name}"):
            self._route.route("replace", **wanted)

    def close(self) -> None:
        """End the conversation."""
        self._route.close()

    def __enter__(self) -> Netlink:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, where: TracebackType | None
    ) -> None:
        self.close()

    def _routes(self, address: str) -> Sequence[Any]:
        try:
            with _told(f"tell the route to {address}"):
                return tuple(self._route.route("get", dst=address))
        except DeviceError as error:
            if error.errno in (errno.ENETUNREACH, errno.EHOSTUNREACH):
                return ()
            raise

    def _link(self, name: str) -> Any:
        with _told(f"find the link {name}"):
            return self._route.link("get", ifname=name)[0]

    def _address(self, name: str, address: str, peer: str | None) -> dict[str, Any]:
        try:
            interface = ipaddress.ip_interface(address)
            far = interface.ip if peer is None else ipaddress.ip_address(peer)
        except ValueError as error:
            raise DeviceError(f"{address!r} is no address with a prefix length: {error}", errno.EINVAL) from None
        wanted = {
            "index": self.index(name),
            "prefixlen": interface.network.prefixlen,
            "local": str(interface.ip),
            "address": str(far),
        }
        return wanted if interface.version == 4 else {**wanted, "flags": _NO_DAD}


def configure(
    name: str,
    addresses: Sequence[str] = (),
    *,
    mtu: int | None = None,
    queue: int | None = None,
    routes: Sequence[tuple[str, str | None]] = (),
    connection: socket.socket | None = None,
) -> None:
    """Give a link its addresses, bring it up and route over it: (network, gateway or None); `connection` as for
    Netlink. All of it is in use on return. Raises DeviceError."""
    with Netlink(connection) as netlink:
        netlink.set_link(name, mtu=mtu, queue=queue)
        for address in addresses:
            netlink.add_address(name, address)
        for network, gateway in routes:
            netlink.add_route(network, name, gateway)
        for address in addresses:
            netlink.await_address(address)


@contextmanager
def _told(what: str) -> Iterator[None]:
    """Tell that the kernel refuses `what`."""
    from pyroute2 import NetlinkError

    try:
        yield
    except NetlinkError as error:
        raise DeviceError(f"cannot {what}: {_meaning(error.code)}", error.code) from None


def _meaning(number: int) -> str:
    if number == errno.EPERM:
        return "only root may (or an owner of the network namespace)"
    if number == errno.ENODEV:
        return "there is no such link"
    return os.strerror(number).lower()


def _network(text: str) -> ipaddress.IPv4Network | ipaddress.IPv6Network:
    try:
        return ipaddress.ip_network(text)
    except ValueError as error:
        raise DeviceError(f"{text!r} is no network to route: {error}", errno.EINVAL) from None
