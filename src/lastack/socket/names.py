"""The functions of the standard module, over the sockets and names of the stack that is in use."""

from __future__ import annotations

import errno
import socket as kernel
from collections.abc import Callable
from types import FunctionType
from typing import Any, NoReturn, TypeVar, cast

from lastack.socket.sockets import socket
from lastack.socket.stack import current

_C = TypeVar("_C", bound=Callable[..., Any])

_gethostbyaddr = kernel.gethostbyaddr
_getnameinfo = kernel.getnameinfo


def getaddrinfo(host: Any, port: Any, family: int = 0, type: int = 0, proto: int = 0, flags: int = 0) -> list[Any]:
    """As socket.getaddrinfo: the stack's own names, else those that the machine knows."""
    return current().getaddrinfo(host, port, family, type, proto, flags)


def gethostbyname(hostname: str) -> str:
    """As socket.gethostbyname."""
    return current().resolve(hostname, kernel.AF_INET)


def gethostbyname_ex(hostname: str) -> tuple[str, list[str], list[str]]:
    """As socket.gethostbyname_ex."""
    found = getaddrinfo(hostname, None, kernel.AF_INET, kernel.SOCK_STREAM)
    return hostname, [], [entry[4][0] for entry in found]


def gethostbyaddr(ip_address: str) -> tuple[str, list[str], list[str]]:
    """As socket.gethostbyaddr: of what is the stack's own the machine is not asked."""
    address = current().resolve(ip_address, 0)
    name = current().name_of(address)
    return _gethostbyaddr(ip_address) if name is None else (name, [], [address])


def getnameinfo(sockaddr: Any, flags: int, /) -> tuple[str, str]:
    """As socket.getnameinfo."""
    name = None if flags & kernel.NI_NUMERICHOST else current().name_of(sockaddr[0])
    found, service = _getnameinfo(sockaddr, flags if name is None else flags | kernel.NI_NUMERICHOST)
    return (found if name is None else name), service


def socketpair(family: int | None = None, type: int = kernel.SOCK_STREAM, proto: int = 0) -> tuple[socket, socket]:
    """Two connected sockets of the stack's own host, over IPv4 unless `family` is AF_INET6."""
    chosen = kernel.AF_INET if family is None else family
    with socket(chosen, type, proto) as listener:
        listener.bind(("127.0.0.1" if chosen == kernel.AF_INET else "::1", 0))
        listener.listen(1)
        first = socket(chosen, type, proto)
        try:
            first.connect(listener.getsockname())
            second, _ = listener.accept()
        except BaseException:
            first.close()
            raise
    return first, cast(socket, second)


def fromfd(fd: int, family: int, type: int, proto: int = 0) -> NoReturn:
    """OSError EOPNOTSUPP: a file descriptor is the kernel's."""
    raise OSError(errno.EOPNOTSUPP, f"file descriptor {fd} is the kernel's: use the standard module's fromfd")


def _over_ours(function: _C) -> _C:
    """A function of the standard module, to which our names are the module's."""
    own = cast(FunctionType, function)
    names = {**vars(kernel), "socket": socket, "getaddrinfo": getaddrinfo, "gethostbyaddr": gethostbyaddr, **_made}
    made = FunctionType(own.__code__, names, own.__name__, own.__defaults__, own.__closure__)
    made.__kwdefaults__, made.__doc__ = own.__kwdefaults__, own.__doc__
    _made[own.__name__] = made
    return cast(_C, made)


_made: dict[str, Any] = {}
has_dualstack_ipv6 = _over_ours(kernel.has_dualstack_ipv6)
create_connection = _over_ours(kernel.create_connection)
create_server = _over_ours(kernel.create_server)
getfqdn = _over_ours(kernel.getfqdn)
