"""What both loops are: asyncio's own selector loop, over host sockets.

Transports, servers, streams, TLS and `sendfile` are asyncio's: they call the methods of a socket and wait in a
selector, and both are ours. So whatever a library expects of them, it gets.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from lastack.aio import polling
from lastack.aio.selector import HostSelector
from lastack.aio.sockets import FIRST_NUMBER, HostSocket


class HostLoop(asyncio.SelectorEventLoop):
    """An event loop over a `HostSelector`."""

    _closed = True  # until it is made: what was not need not be closed

    def __init__(self, selector: HostSelector) -> None:
        super().__init__(selector)

    def run_forever(self) -> None:
        """As asyncio's; meanwhile `socket.socket` makes our sockets for who is called by this loop, and `select.poll`
        knows them."""
        with polling.replaced(), self._inside():
            super().run_forever()

    @contextmanager
    def _inside(self) -> Iterator[None]:
        """What must be in place while the loop runs."""
        raise NotImplementedError

    async def _sock_sendfile_native(self, sock: Any, file: Any, offset: int, count: int | None) -> Any:
        # os.sendfile needs a file descriptor, and there is none.
        if isinstance(sock, HostSocket) and sock.fileno() >= FIRST_NUMBER:
            raise asyncio.SendfileNotAvailableError("a socket of a host has no file descriptor")
        return await super()._sock_sendfile_native(sock, file, offset, count)  # type: ignore[misc]
