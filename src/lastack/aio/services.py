"""The names of ports in a world: a few that everybody knows, the same on every machine.

They are IANA's (the Service Name and Transport Protocol Port Number Registry). What a machine has in its own list
besides, or in place of them, is none of a world's.
"""

from __future__ import annotations

from collections.abc import Iterable
from operator import index
from typing import Any

_TCP_AND_UDP = {
    "echo": 7,
    "discard": 9,
    "daytime": 13,
    "chargen": 19,
    "ftp-data": 20,
    "ftp": 21,
    "ssh": 22,
    "telnet": 23,
    "smtp": 25,
    "time": 37,
    "domain": 53,
    "finger": 79,
    "http": 80,
    "pop3": 110,
    "ntp": 123,
    "bgp": 179,
    "ldap": 389,
    "https": 443,
    "submission": 587,
    "ldaps": 636,
    "rsync": 873,
    "pop3s": 995,
    "mysql": 3306,
    "postgresql": 5432,
    "http-alt": 8080,
    "memcache": 11211,
}
_TCP = {
    "imap": 143,
    "submissions": 465,
    "imaps": 993,
    "mqtt": 1883,
    "amqps": 5671,
    "redis": 6379,
    "secure-mqtt": 8883,
}
_PORTS = {"tcp": _TCP_AND_UDP | _TCP, "udp": _TCP_AND_UDP}
_NAMES = {protocol: {port: name for name, port in ports.items()} for protocol, ports in _PORTS.items()}


def port_of(service: str, protocol: str) -> int | None:
    """The port of that name for "tcp" or "udp"; None where there is none."""
    return _PORTS.get(protocol, {}).get(service)


def name_of(port: int, protocol: str) -> str | None:
    """What a port is called by "tcp" or "udp"; None where it has no name."""
    return _NAMES.get(protocol, {}).get(port)


def _check_text(function: str, text: Any) -> None:
    if not isinstance(text, str):
        raise TypeError(f"{function}() takes a str, not {type(text).__name__}")
    if "\0" in text:
        raise ValueError("embedded null character")


def _protocols(function: str, name: str | None) -> Iterable[str]:
    """That of this name, and all of them where none is given."""
    if name is None:
        return _PORTS
    _check_text(function, name)
    return (name,)


def getservbyname(servicename: str, protocolname: str | None = None, /) -> int:
    """As socket.getservbyname. OSError where there is no such name."""
    _check_text("getservbyname", servicename)
    for protocol in _protocols("getservbyname", protocolname):
        if (port := port_of(servicename, protocol)) is not None:
            return port
    raise OSError("service/proto not found")


def getservbyport(port: int, protocolname: str | None = None, /) -> str:
    """As socket.getservbyport. OSError where the port has no name."""
    port = index(port)
    if not 0 <= port <= 0xFFFF:
        raise OverflowError("getservbyport: port must be 0-65535.")
    for protocol in _protocols("getservbyport", protocolname):
        if (name := name_of(port, protocol)) is not None:
            return name
    raise OSError("port/proto not found")
