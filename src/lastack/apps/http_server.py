"""A static file server: HTTP/1.1 (RFC 9110, RFC 9112) with ranges, conditions and keep-alive.

The heads of messages are h11's; the bytes of a file go straight from the file into the socket, a chunk at a time and
only as fast as the client takes them.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from http import HTTPStatus
from typing import Any, cast

import h11

from lastack.apps.http_files import Folder, Moved, Opened, Page
from lastack.apps.http_messages import Fields, HttpError, Validators, check_conditions, explain_malformed, wanted_range
from lastack.apps.reactor import CHUNK, SECOND, Connection, Make, Reactor
from lastack.host.options import SHUT_WR
from lastack.host.sockets import Socket
from lastack.wire.packet import Buffer

SERVER = b"lastack"
# What a client may still send on a connection that is to be closed, before it is reset.
_LINGER = 1 << 20
_READ = 65_536
# Bytes that wait in the socket before no more of a file is read, unless the congestion window is large: two hundred
# slow clients must not hold two hundred full send buffers.
_AHEAD = 1 << 20


class _Length:
    """Stands for a body of that many bytes: h11 counts it, and it is sent past h11."""

    def __init__(self, length: int) -> None:
        self.length = length

    def __len__(self) -> int:
        return self.length


class Site:
    """What is served, to all connections: a folder, and the date of the responses.

    `date` gives the Date field's text; without it there is none, as for a server without a clock (RFC 9110 6.6.1).
    """

    def __init__(self, folder: Folder, date: Callable[[], str] | None = None) -> None:
        self.folder = folder
        self.date = date


class HttpServer(Connection):
    """One connection of a client: one request after another."""

    idle = 60 * SECOND

    def __init__(self, reactor: Reactor, socket: Socket, site: Site) -> None:
        super().__init__(reactor, socket)
        self.site = site
        self.http = h11.Connection(h11.SERVER)
        self.out: list[Buffer] = []  # what is to be sent before the rest of the file
        self.fd = -1
        self.offset = 0
        self.left = 0  # bytes of the file still to be taken from it
        self.stopping = False
        self.lingered: int | None = None  # bytes thrown away since our half was closed

    def ready(self, now: int) -> None:
        while self.lingered is None:
            if not self._flush(now):
                return
            if self.http.our_state is h11.MUST_CLOSE or (self.stopping and self._between()):
                self._end(now)
            elif self.http.our_state is h11.DONE and self.http.their_state is h11.DONE:
                self.http.start_next_cycle()
            elif not self._next(now):
                return
        self._linger(now)

    def stop(self, now: int) -> None:
        self.stopping = True
        self.ready(now)

    def timed_out(self, now: int) -> None:
        if self._between() and not self.out:
            self.close(now)
        else:
            super().timed_out(now)

    def closed(self) -> None:
        self._close_file()

    # --- in ---

    def _between(self) -> bool:
        """Whether no request is under way."""
        return self.http.our_state is h11.IDLE and not self.http.trailing_data[0]

    def _next(self, now: int) -> bool:
        """Take the next event of the client's; False where it has to come first, or the connection is over."""
        try:
            event = self.http.next_event()
        except h11.RemoteProtocolError as error:
            self._refuse(now, error)
            return True
        if event is h11.NEED_DATA:
            data = self.receive(now, _READ)
            if data is None:
                return False
            self.http.receive_data(data)
        elif isinstance(event, h11.Request):
            self._answer(event)
        elif isinstance(event, h11.ConnectionClosed):
            self.close(now)
            return False
        return True

    def _refuse(self, now: int, error: h11.RemoteProtocolError) -> None:
        """What came is no HTTP."""
        self.reactor.counters["requests malformed"] += 1
        if self.http.our_state in (h11.IDLE, h11.SEND_RESPONSE):
            status = HTTPStatus(error.error_status_hint)
            self._respond(
                None, status, {b"connection": b"close"}, Page(f"{explain_malformed(error)}\n".encode(), "text/plain")
            )
        else:
            self._end(now)

    # --- answering ---

    def _answer(self, request: h11.Request) -> None:
        fields: Fields = {}
        for name, value in request.headers:  # of a field that is a list, the lines belong together (RFC 9110 5.3)
            fields[name] = fields[name] + b", " + value if name in fields else value
        extra: Fields = {}
        if b"transfer-encoding" in fields or fields.get(b"content-length", b"0") != b"0":
            extra[b"connection"] = b"close"  # a body, which nobody asked for: what comes of it is thrown away
        else:
            self.http.next_event()  # the end of the message
        self.reactor.counters["requests"] += 1
        try:
            if request.method not in (b"GET", b"HEAD"):
                allowed = {b"allow": b"GET, HEAD"}
                raise HttpError(HTTPStatus.METHOD_NOT_ALLOWED, "only GET and HEAD are served", allowed)
            found = self.site.folder.find(request.target)
            if isinstance(found, Opened):
                self._send_file(request, fields, found, extra)
            elif isinstance(found, Moved):
                self._respond(
                    request, HTTPStatus.MOVED_PERMANENTLY, {**extra, b"location": found.location}, Page(b"", "")
                )
            else:
                self._respond(request, HTTPStatus.OK, extra, found)
        except HttpError as error:
            page = Page(f"{error.status.value} {error.status.phrase}: {error.text}\n".encode(), "text/plain")
            self._respond(request, error.status, {**extra, **error.fields}, page)

    def _send_file(self, request: h11.Request, fields: Fields, found: Opened, extra: Fields) -> None:
        self.fd, self.offset, self.left = found.fd, 0, 0
        try:
            validators = Validators(found.size, found.modified_ns)
            status = check_conditions(validators, fields)
            if status is HTTPStatus.PRECONDITION_FAILED:
                raise HttpError(status, "the file is another version")
            told = {**extra, **validators.fields(), b"accept-ranges": b"bytes"}
            length = found.size
            if status is HTTPStatus.OK:
                told[b"content-type"] = found.kind.encode()
                part = wanted_range(validators, found.size, fields) if request.method == b"GET" else None
                if part is not None:
                    status = HTTPStatus.PARTIAL_CONTENT
                    self.offset, length = part
                    last = self.offset + length - 1
                    told[b"content-range"] = b"bytes %d-%d/%d" % (self.offset, last, found.size)
                told[b"content-length"] = b"%d" % length
            self._head(status, told)
            if status is not HTTPStatus.NOT_MODIFIED and request.method == b"GET":
                self.left = length
                self._pass(h11.Data(data=cast(bytes, _Length(length))))
            self._pass(h11.EndOfMessage())
        finally:
            if not self.left:
                self._close_file()

    def _respond(self, request: h11.Request | None, status: HTTPStatus, fields: Fields, page: Page) -> None:
        told = {**fields, b"content-length": b"%d" % len(page.body)}
        if page.body:
            told[b"content-type"] = page.kind.encode()
        self._head(status, told)
        if request is None or request.method != b"HEAD":
            if page.body:
                self.out.append(page.body)
            self._pass(h11.Data(data=cast(bytes, _Length(len(page.body)))))
        self._pass(h11.EndOfMessage())

    def _head(self, status: HTTPStatus, fields: Fields) -> None:
        self.reactor.counters[f"responses {status.value}"] += 1
        told: list[tuple[bytes, bytes]] = [(b"server", SERVER)]
        if self.site.date is not None:
            told.append((b"date", self.site.date().encode()))
        if self.stopping and b"connection" not in fields:
            told.append((b"connection", b"close"))
        told += fields.items()
        head = h11.Response(status_code=status.value, headers=told, reason=status.phrase.encode())
        self.out.append(self.http.send(head) or b"")

    def _pass(self, event: h11.Data | h11.EndOfMessage) -> None:
        """Let h11 know what goes past it."""
        self.http.send_with_data_passthrough(cast(Any, event))

    # --- out ---

    def _flush(self, now: int) -> bool:
        """Send what is to be sent, first `out` and then the file; whether all of it was taken."""
        while self.send_pieces(now, self.out):
            if not self.left:
                self._close_file()
                return True
            if self._ahead():
                break
            chunk = os.pread(self.fd, min(CHUNK, self.left), self.offset)
            if not chunk:
                # The file has shrunk: the length that was promised cannot be kept, and nothing else tells the client.
                self.reactor.counters["files that shrank while they were sent"] += 1
                self.left = 0
                self.abort(now)
                break
            self.offset += len(chunk)
            self.left -= len(chunk)
            self.out.append(chunk)
        return False

    def _ahead(self) -> bool:
        """Enough waits in the socket; the next acknowledgment will ask again."""
        tcb = self.socket.tcb
        return tcb is not None and tcb.send_buffer.length > max(_AHEAD, 2 * tcb.congestion.cwnd)

    def _close_file(self) -> None:
        if self.fd >= 0:
            fd, self.fd = self.fd, -1
            os.close(fd)

    # --- closing ---

    def _end(self, now: int) -> None:
        """The last response is sent. Where the client may still be sending, a close would turn into a reset, which
        may overtake the response (RFC 9112 9.6): close our half, and read on for a while."""
        unread = self.http.their_state not in (h11.DONE, h11.MUST_CLOSE, h11.CLOSED, h11.IDLE)
        if not unread and not self.http.trailing_data[0] and not self.socket.readable():
            self.lingered = 0
            self.close(now)
            return
        self.socket.shutdown(now, SHUT_WR)
        self.lingered = 0

    def _linger(self, now: int) -> None:
        if self.socket.closed:
            return
        assert self.lingered is not None
        thrown = self.drain(now, _LINGER)
        if thrown is None:
            self.close(now)
            return
        self.lingered += thrown
        if self.lingered > _LINGER:
            self.abort(now)


def http_server(site: Site) -> Make:
    """What makes an HttpServer for each connection."""
    return lambda reactor, socket: HttpServer(reactor, socket, site)
