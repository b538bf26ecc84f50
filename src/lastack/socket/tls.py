"""TLS over our sockets, which have no file descriptor that OpenSSL could use: it is handed the bytes instead.

`context.sslsocket_class = SSLSocket` lets `context.wrap_socket` give one of these; within `patched` every context does.
"""

from __future__ import annotations

import ssl
from collections.abc import Callable
from threading import Lock
from typing import Any

from lastack.aio.sockets import Address
from lastack.host.sockets import Socket
from lastack.socket.sockets import socket

# A record has at most so many bytes of text.
_RECORD = 16_384


class SSLSocket(socket):
    """As ssl.SSLSocket: over a connection, or over a listener, whose connections are then wrapped as well."""

    context: ssl.SSLContext
    server_side: bool
    server_hostname: str | None
    _how: dict[str, Any]  # the arguments of wrap_socket
    _tls: ssl.SSLObject | None
    _reading: ssl.MemoryBIO
    _writing: ssl.MemoryBIO
    _calling: Any  # one lock for OpenSSL, and one for what is sent
    _sending: Any
    _unsent: bytes  # what OpenSSL has said, and there was no room for

    @classmethod
    def _create(cls, sock: Any, **how: Any) -> Any:
        """What SSLContext.wrap_socket calls: this takes the place of `sock`, which is closed to its holder."""
        if not isinstance(sock, socket):
            return ssl.SSLSocket._create(sock, **how)  # type: ignore[attr-defined]
        made = cls.__new__(cls)
        for name in ("_stack", "_family", "_timeout", "_inner", "_number", "ear"):
            setattr(made, name, getattr(sock, name))
        made._io_refs, made._closed = 0, False
        sock._number, sock._closed = -1, True
        made._how, made.context, made.server_side = how, how["context"], how["server_side"]
        made.server_hostname = how["server_hostname"]
        made._reading, made._writing, made._unsent = ssl.MemoryBIO(), ssl.MemoryBIO(), b""
        made._calling, made._sending = Lock(), Lock()
        made._tls = None
        if made._inner.tcb is not None:
            try:
                made._begin_tls()
            except BaseException:
                made.close()
                raise
        return made

    def _begin_tls(self) -> None:
        self._tls = self.context.wrap_bio(
            self._reading, self._writing, self.server_side, self.server_hostname, self._how["session"]
        )
        if self._how["do_handshake_on_connect"]:
            if self._timeout == 0:
                raise ValueError("do_handshake_on_connect should not be specified for non-blocking sockets")
            self.do_handshake()

    # --- opening ---

    def accept(self) -> tuple[Any, Address]:
        """As ssl.SSLSocket.accept."""
        made, peer = super().accept()
        return type(self)._create(made, **self._how), peer

    def _face(self, inner: Socket) -> socket:
        return socket.of(self._stack, self._family, inner)

    def connect(self, address: Any) -> None:
        """As ssl.SSLSocket.connect."""
        super().connect(address)
        self._begin_tls()

    def do_handshake(self, block: bool = False) -> None:
        """As ssl.SSLSocket.do_handshake."""
        self._until(self._object().do_handshake)

    # --- data ---

    def read(self, size: int = 1024, buffer: Any = None) -> Any:
        """As ssl.SSLSocket.read."""
        tls = self._object()
        try:
            return self._until(tls.read, size) if buffer is None else self._until(tls.read, size, buffer)
        except ssl.SSLEOFError:
            if not self._how["suppress_ragged_eofs"]:
                raise
        except ssl.SSLZeroReturnError:
            pass
        return b"" if buffer is None else 0

    def write(self, data: Any) -> int:
        """As ssl.SSLSocket.write: a record at most."""
        self._flush()
        sent: int = self._until(self._object().write, memoryview(data).cast("B")[:_RECORD])
        return sent

    def recv(self, size: int, flags: int = 0, /) -> bytes:
        """As ssl.SSLSocket.recv."""
        if self._tls is None:
            return super().recv(size, flags)
        _no_flags(flags)
        found: bytes = self.read(size) if size else b""
        return found

    def recv_into(self, buffer: Any, size: int = 0, flags: int = 0) -> int:
        """As ssl.SSLSocket.recv_into."""
        if self._tls is None:
            return super().recv_into(buffer, size, flags)
        _no_flags(flags)
        view = memoryview(buffer).cast("B")
        count: int = self.read(size or len(view), view) if len(view) else 0
        return count

    def send(self, data: Any, flags: int = 0, /) -> int:
        """As ssl.SSLSocket.send."""
        if self._tls is None:
            return super().send(data, flags)
        _no_flags(flags)
        return self.write(data) if len(data) else 0

    def sendall(self, data: Any, flags: int = 0, /) -> None:
        """As ssl.SSLSocket.sendall."""
        if self._tls is None:
            super().sendall(data, flags)
            return
        _no_flags(flags)
        view = memoryview(data).cast("B")
        while view:
            view = view[self.write(view) :]

    # --- the end ---

    def unwrap(self) -> socket:
        """As ssl.SSLSocket.unwrap: the connection goes on without TLS."""
        self._until(self._object().unwrap)
        self._tls = None
        return self

    def shutdown(self, how: int, /) -> None:
        """As ssl.SSLSocket.shutdown."""
        self._tls = None
        super().shutdown(how)

    # --- what is known ---

    def __getattr__(self, name: str) -> Any:
        """What only TLS knows: getpeercert, cipher, version, selected_alpn_protocol, session ..."""
        if name.startswith("_") or not hasattr(ssl.SSLObject, name):
            raise AttributeError(name)
        return getattr(self._object(), name)

    # --- inside ---

    def _object(self) -> ssl.SSLObject:
        if self._tls is None:
            raise ValueError("No SSL wrapper around " + str(self))
        return self._tls

    def _until(self, call: Callable[..., Any], *arguments: Any) -> Any:
        """Call OpenSSL until it needs nothing more; what it says is sent."""
        while True:
            try:
                with self._calling:
                    result = call(*arguments)
            except ssl.SSLWantReadError:
                self._flush()
                self._feed()
            except ssl.SSLError:
                self._flush()  # an alert, for the peer
                raise
            else:
                self._flush(patient=self._timeout != 0)
                return result

    def _feed(self) -> None:
        try:
            data = super().recv(65_536)
        except BlockingIOError:
            raise ssl.SSLWantReadError(ssl.SSL_ERROR_WANT_READ, "The operation did not complete (read)") from None
        self._reading.write(data) if data else self._reading.write_eof()

    def _flush(self, *, patient: bool = True) -> None:
        """Send what OpenSSL has to say. SSLWantWriteError, or if not `patient` nothing, where there is no room."""
        if not self._unsent and not self._writing.pending:
            return
        with self._sending:
            data = self._unsent + self._writing.read()
            self._unsent = b""
            try:
                while data:
                    data = data[super().send(data) :]
            except BlockingIOError:
                self._unsent = data
                if patient:
                    raise ssl.SSLWantWriteError(
                        ssl.SSL_ERROR_WANT_WRITE, "The operation did not complete (write)"
                    ) from None


def _no_flags(flags: int) -> None:
    if flags:
        raise ValueError(f"non-zero flags not allowed over TLS: {flags}")
