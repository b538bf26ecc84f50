"""Our sockets in the place of the standard module's, for programs and libraries that import that."""

from __future__ import annotations

import socket as kernel
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from typing import Any

from lastack.aio.gate import gate_of
from lastack.socket import names
from lastack.socket.sockets import socket
from lastack.socket.stack import Stack, use

_NAMES = ("getaddrinfo", "gethostbyname", "gethostbyname_ex", "gethostbyaddr", "getnameinfo")
_OURS = (kernel.AF_INET, kernel.AF_INET6)


@contextmanager
def patched(stack: Stack | None = None) -> Iterator[None]:
    """Meanwhile TCP sockets that the standard module makes, in any thread, are of the stack in use (of `stack`, where
    it is given), and so are the names that it looks up. Other sockets, and those of file descriptors, are the kernel's.

    What a module has imported by `from socket import socket` before stays as it is.
    """
    with ExitStack() as then:
        if stack is not None:
            then.enter_context(use(stack))
        places = {"socket": gate_of(kernel.socket, _make)} | {name: getattr(names, name) for name in _NAMES}
        for name, ours in places.items():
            then.callback(setattr, kernel, name, getattr(kernel, name))
            setattr(kernel, name, ours)
        yield


def _make(real: Any, family: int, type: int, proto: int, fileno: int | None) -> Any:
    kind = type & 0xF if type != -1 else kernel.SOCK_STREAM
    ours = fileno is None and family in (-1, *_OURS) and kind == kernel.SOCK_STREAM
    return socket(family, type, proto) if ours else None
