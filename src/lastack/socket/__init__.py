"""The standard module's names over a TCP of ours, which runs in a thread: `import lastack.socket as socket`.

Which stack sockets stand on is chosen by `use`; where none is, they are of a host in this process, which has nobody to
talk to but itself. `patched` lets programs that import the standard module use it, too.
"""

from __future__ import annotations

import socket as _kernel
from socket import *  # noqa: F403
from typing import Any

from lastack.socket.names import (  # type: ignore[assignment]
    create_connection,
    create_server,
    fromfd,
    getaddrinfo,
    getfqdn,
    gethostbyaddr,
    gethostbyname,
    gethostbyname_ex,
    getnameinfo,
    has_dualstack_ipv6,
    socketpair,
)
from lastack.socket.pair import Pair, open_pair
from lastack.socket.patching import patched
from lastack.socket.sockets import socket
from lastack.socket.stack import Stack, current, open_device, open_host, use
from lastack.socket.tls import SSLSocket

SocketType = socket  # type: ignore

__all__ = [
    "Pair",
    "SSLSocket",
    "Stack",
    "create_connection",
    "create_server",
    "current",
    "fromfd",
    "getaddrinfo",
    "getfqdn",
    "gethostbyaddr",
    "gethostbyname",
    "gethostbyname_ex",
    "getnameinfo",
    "has_dualstack_ipv6",
    "open_device",
    "open_host",
    "open_pair",
    "patched",
    "socket",
    "socketpair",
    "use",
]
__all__ += _kernel.__all__


def __getattr__(name: str) -> Any:  # what is not told to everybody, and is used all the same
    return getattr(_kernel, name)
