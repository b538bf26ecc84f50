"""The names of a world: what its hosts' addresses are called, in place of DNS."""

from __future__ import annotations

import ipaddress
import re
import socket
from collections.abc import Iterable
from contextlib import suppress
from typing import Any

from lastack.aio import services
from lastack.aio.gate import open_gate

_real_getaddrinfo = socket.getaddrinfo
_real_getservbyport = socket.getservbyport
# A port as a text, that is a number and no name.
_NUMBER = re.compile(r"(\s*[+-]?[0-9]+)?")
_PROTOCOLS = {socket.SOCK_STREAM: "tcp", socket.SOCK_DGRAM: "udp"}
_LOCAL = ("localhost", "localhost.localdomain")


class Names:
    """Each host under its own name and its aliases; `localhost` is the host of who asks. Ports have the names that the
    machine knows, or with `well_known` those of `lastack.aio.services` alone."""

    def __init__(self, *, well_known: bool = False) -> None:
        self._hosts: dict[str, tuple[str, ...]] = {}
        self._well_known = well_known

    def add(self, name: str, addresses: str | Iterable[str]) -> None:
        """Let a name stand for these addresses (text), in that order; an alias, or a host of several machines.
        ValueError for what is no name, or no address."""
        check_name(name)
        given = (addresses,) if isinstance(addresses, str) else tuple(addresses)
        for address in given:
            ipaddress.ip_address(address)
        self._hosts[key_of(name)] = given

    def remove(self, name: str) -> None:
        """Let it stand for nothing any more. KeyError where it does not."""
        del self._hosts[key_of(name)]

    def addresses(self, name: str) -> tuple[str, ...]:
        """The addresses of a name, itself where it is one; () where nobody has it."""
        if key_of(name) in _LOCAL:
            return ("127.0.0.1", "::1")
        try:
            return (str(ipaddress.ip_address(name.partition("%")[0])),)
        except ValueError:
            return self._hosts.get(key_of(name)) or _in_short(name)

    def address(self, name: str, family: int) -> str:
        """The first address of a name in that family. Raises socket.gaierror."""
        for address in self.addresses(name):
            if family_of(address) == family or not family:
                return address
        raise _unknown()

    def look_up(
        self, host: Any, port: Any, family: int = 0, type: int = 0, proto: int = 0, flags: int = 0
    ) -> list[Any]:
        """As socket.getaddrinfo. Raises socket.gaierror."""
        if self._well_known and (service := _service(port)) is not None:
            return self._look_up_service(service, host, family, type, proto, flags)
        name = host.decode("idna") if isinstance(host, bytes) else host
        if name is None:
            passive = flags & socket.AI_PASSIVE
            addresses: tuple[str, ...] = ("0.0.0.0", "::") if passive else ("127.0.0.1", "::1")
        else:
            addresses = self.addresses(name)
        found = [
            entry
            for address in addresses
            if family in (0, family_of(address))
            for entry in _real_getaddrinfo(
                address,
                port,
                family_of(address),
                type,
                proto,
                (flags | socket.AI_NUMERICHOST) & ~socket.AI_ADDRCONFIG,  # asks nobody, nor what the machine has
            )
        ]
        if not found:
            raise _unknown()
        if flags & socket.AI_CANONNAME and name:
            found[0] = (*found[0][:3], str(name), found[0][4])
        return found

    def _look_up_service(self, service: str, host: Any, family: int, type: int, proto: int, flags: int) -> list[Any]:
        if flags & socket.AI_NUMERICSERV:
            raise _unknown()
        found = []
        for one in self.look_up(host, None, family, type, proto, flags):
            port = services.port_of(service, _PROTOCOLS.get(one[1], ""))
            if port is not None:
                address, _, *more = one[4]
                found.append((*one[:4], (address, port, *more)))
        if not found:
            raise socket.gaierror(socket.EAI_SERVICE, "Servname not supported for ai_socktype")
        return found

    def look_back(self, sockaddr: Any, flags: int = 0) -> tuple[str, str]:
        """As socket.getnameinfo. Raises socket.gaierror where a name is required and there is none."""
        address, port = sockaddr[:2]
        service = str(port)
        if not flags & socket.NI_NUMERICSERV:
            with suppress(OSError):
                name_of_port = services.getservbyport if self._well_known else _real_getservbyport
                service = name_of_port(port, "udp" if flags & socket.NI_DGRAM else "tcp")
        found = None if flags & socket.NI_NUMERICHOST else self.name_of(address)
        if found is None and flags & socket.NI_NAMEREQD:
            raise _unknown()
        return found or str(address), service

    def name_of(self, address: str) -> str | None:
        """What an address is called; None where nobody has it."""
        for name, addresses in self._hosts.items():
            if address in addresses:
                return name
        return _LOCAL[0] if ipaddress.ip_address(address.partition("%")[0]).is_loopback else None

    def getaddrinfo(
        self, host: Any, port: Any, family: int = 0, type: int = 0, proto: int = 0, flags: int = 0
    ) -> list[Any]:
        """In the place of socket.getaddrinfo."""
        with open_gate():
            return self.look_up(host, port, family, type, proto, flags)

    def gethostbyname(self, name: str) -> str:
        """In the place of socket.gethostbyname."""
        return self.address(name, socket.AF_INET)

    def gethostbyname_ex(self, name: str) -> tuple[str, list[str], list[str]]:
        """In the place of socket.gethostbyname_ex."""
        self.address(name, socket.AF_INET)
        return name, [], [one for one in self.addresses(name) if family_of(one) == socket.AF_INET]

    def gethostbyaddr(self, name: str) -> tuple[str, list[str], list[str]]:
        """In the place of socket.gethostbyaddr. Raises socket.herror for an address that nobody has."""
        address = self.address(name, 0)
        found = self.name_of(address)
        if found is None:
            raise socket.herror(1, "Unknown host")
        return found, [], [address]


def check_name(name: str) -> None:
    """ValueError for what can be nobody's name."""
    if not isinstance(name, str) or not key_of(name):
        raise ValueError(f"a host has a name, not {name!r}")
    if _is_address(name):
        raise ValueError(f"{name} is an address, which needs no name: it goes to addresses=")


def _service(port: Any) -> str | None:
    """The name of a port, where it is one."""
    if isinstance(port, bytes):
        port = port.decode("latin-1")
    return port if isinstance(port, str) and not _NUMBER.fullmatch(port) else None


def _is_address(text: str) -> bool:
    try:
        ipaddress.ip_address(text)
    except ValueError:
        return False
    return True


def _in_short(text: str) -> tuple[str, ...]:
    """An IPv4 address with fewer numbers, or in another base, as C libraries take it: "127.1"; () for what is none."""
    if not re.fullmatch(r"[0-9][0-9a-fA-FxX.]*", text):
        return ()
    try:
        return (socket.inet_ntoa(socket.inet_aton(text)),)
    except OSError:
        return ()


def family_of(address: str) -> int:
    """AF_INET or AF_INET6."""
    return socket.AF_INET6 if ":" in address else socket.AF_INET


def key_of(name: str) -> str:
    """Names are the same but for their case, and a dot at the end."""
    return name.lower().rstrip(".")


def _unknown() -> socket.gaierror:
    return socket.gaierror(socket.EAI_NONAME, "Name or service not known")
