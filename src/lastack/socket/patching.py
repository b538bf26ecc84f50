"""Our sockets in the place of the standard module's, for programs and libraries that import that."""

from __future__ import annotations

import socket as kernel
import ssl
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from typing import Any

from lastack.aio.gate import gate_of
from lastack.socket import names
from lastack.socket.sockets import socket
from lastack.socket.stack import Stack, use
from lastack.socket.tls import SSLSocket

_NAMES = ("getaddrinfo", "gethostbyname", "gethostbyname_ex", "gethostbyaddr", "getnameinfo")
_OURS = (kernel.AF_INET, kernel.AF_INET6)


@contextmanager
def patched(stack: Stack | None = None) -> Iterator[None]:
    """Meanwhile TCP sockets that the standard module makes, in any thread, are of the stack in use (of `stack`, where
    it is given), so are the names that it looks up, and TLS goes over them. Other sockets, and those of file
    descriptors, are the kernel's.

    What a module has imported by `from socket import socket` before stays as it is.
    """
    with ExitStack() as then:
        if stack is not None:
            then.enter_context(use(stack))
        places: list[tuple[Any, str, Any]] = [(kernel, name, getattr(names, name)) for name in _NAMES]
        places.append((kernel, "socket", gate_of(kernel.socket, _make)))
        places.append((ssl.SSLContext, "sslsocket_class", SSLSocket))
        for place, name, ours in places:
            then.callback(setattr, place, name, getattr(place, name))
            setattr(place, name, ours)
        yield


def _make(real: Any, family: int, type: int, proto: int, fileno: int | None) -> Any:
    kind = type & 0xF if type != -1 else kernel.SOCK_STREAM
    ours = fileno is None and family in (-1, *_OURS) and kind == kernel.SOCK_STREAM
    return socket(family, type, proto) if ours else None
