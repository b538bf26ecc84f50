"""Fetching one file by HTTP/1.1: redirects to the same server, lengths known and unknown, chunked bodies.

h11 reads the heads and the chunks; the bytes of a body with a length, or up to the connection's end, go past it.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from errno import errorcode
from http import HTTPStatus
from urllib.parse import quote, urljoin, urlsplit

import h11

from lastack import __version__
from lastack.apps.http_messages import explain_malformed
from lastack.apps.reactor import SECOND, Connection, Reactor
from lastack.host.options import SO_ERROR, SOL_SOCKET
from lastack.host.sockets import Socket
from lastack.tcp.reassembly import trim_back, trim_front
from lastack.tcp.states import State
from lastack.wire.packet import Buffer

REDIRECTS = 10
TIMEOUT = 60 * SECOND
_CHUNK = 1 << 20
_REDIRECTING = {301, 302, 303, 307, 308}
_UNCLEAN = re.compile(r"[\x00-\x20\x7f]")
_ERRORS = {
    "ECONNREFUSED": "the server refuses the connection: nothing listens on that port",
    "ECONNRESET": "the server reset the connection",
    "ETIMEDOUT": "the server does not answer",
    "EHOSTUNREACH": "there is no way to the server: no route to the host",
    "ENETUNREACH": "there is no way to the server: its network is unreachable",
    "EADDRNOTAVAIL": "no local port to this server is free",
}

# Takes some bytes, in pieces as for writev, and says how many: fewer than all means that it has no room, until
# `Fetch.resume`.
Sink = Callable[[Sequence[Buffer]], int]


class UrlError(ValueError):
    """A URL that cannot be fetched, and why."""


@dataclass(frozen=True)
class Url:
    """A URL of http in its parts: `host` without brackets, `target` as it stands in the request."""

    host: str
    port: int
    target: str

    @classmethod
    def parse(cls, text: str) -> Url:
        """Raises UrlError."""
        try:
            parts = urlsplit(text.strip())
            port = parts.port
        except ValueError as error:
            raise UrlError(f"{text!r} is no URL: {error}") from None
        if parts.scheme == "https":
            raise UrlError("https is not supported, for there is no TLS here: use an http:// URL")
        if parts.scheme != "http" or not parts.netloc:
            raise UrlError(f"{text!r} is no URL of http: write it as http://10.9.0.1:8000/file")
        if not parts.hostname or _UNCLEAN.search(parts.hostname):
            raise UrlError(f"{text!r} names no host")
        if parts.username is not None or parts.password is not None:
            raise UrlError("a user name or password in a URL is not supported")
        if port == 0:
            raise UrlError(f"{text!r}: port 0 is none")
        path = quote(parts.path or "/", safe="/%:@!$&'()*+,;=~-._")
        query = quote(parts.query, safe="/%:@!$&'()*+,;=~-._?")
        return cls(parts.hostname, port or 80, path + (f"?{query}" if query else ""))

    @property
    def netloc(self) -> str:
        """Host and port as they stand in a URL; a port of 80 is left out."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return host if self.port == 80 else f"{host}:{self.port}"

    def __str__(self) -> str:
        return f"http://{self.netloc}{self.target}"

    def follow(self, location: str) -> Url:
        """Where a redirect leads. Raises UrlError, also for another server."""
        there = Url.parse(urljoin(str(self), location))
        if (there.host, there.port) != (self.host, self.port):
            raise UrlError(f"the server sends us to another one, {there}: ask that one, if it is to be trusted")
        return there


class Fetch:
    """One file on its way.

    `address` is the server's IP address. The body goes to `sink`, which `begin(size)` gives once the response has
    proved good (size in bytes, None where the server does not say). Then `done` is true, and `error` tells what went
    wrong, or is "". Nothing happening for `timeout` microseconds is wrong too.
    """

    def __init__(
        self,
        reactor: Reactor,
        url: Url,
        address: str,
        begin: Callable[[int | None], Sink],
        *,
        timeout: int = TIMEOUT,
        redirects: int = REDIRECTS,
    ) -> None:
        self.reactor = reactor
        self.url = url
        self.address = address
        self.begin = begin
        self.timeout = timeout
        self.redirects = redirects
        self.connected = False
        self.size: int | None = None
        self.received = 0  # bytes of the body that the sink has taken
        self.done = False
        self.error = ""
        self.connection: Connection | None = None

    def start(self, now: int) -> None:
        """Connect and ask."""
        try:
            self.connection = self.reactor.connect(now, (self.address, self.url.port), self._connection)
        except OSError as error:
            self.fail(explain(error))

    def _connection(self, reactor: Reactor, socket: Socket) -> HttpClient:
        return HttpClient(reactor, socket, self)

    def resume(self, now: int) -> None:
        """The sink has room again."""
        if self.connection is not None and not self.connection.socket.closed:
            self.reactor.host.announce(self.connection.socket)

    def fail(self, why: str) -> None:
        """It is over; the first reason counts."""
        if not self.done:
            self.done = True
            self.error = why

    def succeed(self) -> None:
        """All of it has come."""
        self.done = True

    def redirect(self, now: int, location: str | None) -> None:
        """Ask again elsewhere."""
        if location is None:
            return self.fail("the server redirects us, and does not say where to")
        if not self.redirects:
            return self.fail(f"the server redirects us again and again, last to {location}")
        self.redirects -= 1
        try:
            self.url = self.url.follow(location)
        except UrlError as error:
            return self.fail(str(error))
        return self.start(now)


class HttpClient(Connection):
    """One request on a connection of its own."""

    def __init__(self, reactor: Reactor, socket: Socket, fetch: Fetch) -> None:
        super().__init__(reactor, socket)
        self.fetch = fetch
        self.idle = fetch.timeout
        self.http = h11.Connection(h11.CLIENT)
        self.out = b""
        self.sink: Sink | None = None
        self.left: int | None = None  # bytes of the body still to come; None: not known
        self.past_h11 = False
        self.pending: tuple[Buffer, ...] = ()  # of the body, what the sink had no room for

    def ready(self, now: int) -> None:
        if self.socket.state is State.SYN_SENT or self.socket.state is State.SYN_RCVD:
            return
        if self.http.our_state is h11.IDLE:
            self._connected()
        if self.out:
            self.out = self.out[self.send(now, self.out) :]
        while self._step(now) and not self.socket.closed:
            pass

    def _connected(self) -> None:
        number = self.socket.getsockopt(SOL_SOCKET, SO_ERROR)
        assert isinstance(number, int)
        if number:
            raise OSError(number, "while opening")
        if self.socket.state is State.CLOSED:
            raise ConnectionAbortedError("closed before it was open")
        self.fetch.connected = True
        url = self.fetch.url
        fields = [
            ("Host", url.netloc),
            ("User-Agent", f"lastack/{__version__}"),
            ("Accept", "*/*"),
            ("Accept-Encoding", "identity"),
            ("Connection", "close"),
        ]
        request = h11.Request(method="GET", target=url.target, headers=fields)
        self.out = self.http.send(request) + self.http.send(h11.EndOfMessage())

    def _step(self, now: int) -> bool:
        """Take what is there; False where something has to come first, or it is over."""
        if self.pending:
            self._sink(now, ())
            if self.pending:
                return False
        if self.past_h11:
            return self._body(now)
        try:
            event = self.http.next_event()
        except h11.RemoteProtocolError as error:
            return self._over(now, f"the server's answer is broken: {explain_malformed(error)}")
        if event is h11.NEED_DATA:
            data = self.receive(now, _CHUNK)
            if data is None:
                return False
            if not data and self.http.their_state is h11.SEND_RESPONSE:
                return self._over(now, "the server closed the connection without an answer")
            self.http.receive_data(data)
        elif isinstance(event, h11.Response):
            return self._response(now, event)
        elif isinstance(event, h11.Data):
            self._sink(now, (bytes(event.data),))
        elif isinstance(event, h11.EndOfMessage):
            return self._over(now)
        return True

    def _response(self, now: int, response: h11.Response) -> bool:
        fields = dict(response.headers)
        status = response.status_code
        if status in _REDIRECTING:
            self.close(now)
            location = fields.get(b"location")
            self.fetch.redirect(now, None if location is None else location.decode("latin-1"))
            return False
        if not 200 <= status < 300:
            reason = response.reason.decode("latin-1") or _phrase(status)
            return self._over(now, f"the server answers {status} {reason}".rstrip())
        if status == HTTPStatus.PARTIAL_CONTENT:  # RFC 9110 section 15.3.7
            part = "a part of the file, and it was asked for the whole"
            return self._over(now, f"the server answers 206 Partial Content: {part}")
        if b"transfer-encoding" not in fields:
            self.past_h11 = True
            if b"content-length" in fields:
                self.left = int(fields[b"content-length"])
            elif status == HTTPStatus.NO_CONTENT:
                self.left = 0
        self.fetch.size = self.left
        try:
            self.sink = self.fetch.begin(self.left)
        except OSError as error:
            return self._over(now, _cannot_write(error))
        if self.past_h11:
            self._take(now, (self.http.trailing_data[0],))
        return True

    def _body(self, now: int) -> bool:
        """The body, as far as it is there."""
        if self.left == 0:
            return self._over(now)
        views = self.receive_views(now, _CHUNK)
        if views is None:
            return False
        if not views:
            missing = f"{self.left} bytes are missing" if self.left is not None else ""
            return self._over(now, missing and f"the server closed the connection too early: {missing}")
        self._take(now, tuple(views))
        return True

    def _take(self, now: int, views: tuple[Buffer, ...]) -> None:
        if self.left is not None:
            views = trim_back(views, self.left)
            self.left -= sum(map(len, views))
        self._sink(now, views)

    def _sink(self, now: int, views: tuple[Buffer, ...]) -> None:
        assert self.sink is not None
        views = self.pending + views
        try:
            taken = self.sink(views) if views else 0
        except OSError as error:
            self._over(now, _cannot_write(error))
            return
        self.fetch.received += taken
        self.pending = trim_front(views, taken)

    def _over(self, now: int, why: str = "") -> bool:
        if why:
            self.fetch.fail(why)
        else:
            self.fetch.succeed()
        self.close(now)
        return False

    def stop(self, now: int) -> None:
        self.fetch.fail("interrupted")
        self.abort(now)

    def timed_out(self, now: int) -> None:
        seconds = self.fetch.timeout / SECOND
        if self.pending:
            self.active_at = now  # it is we who wait, not the server
            return
        what = "says nothing" if self.fetch.connected else "does not answer"
        self.fetch.fail(f"the server {what} for {seconds:g} s")
        self.abort(now)

    def failed(self, now: int, error: OSError) -> None:
        self.fetch.fail(explain(error))
        self.close(now)


def explain(error: OSError) -> str:
    """What an error of a connection means."""
    return _ERRORS.get(errorcode.get(error.errno or 0, ""), f"the connection failed: {error.strerror or error}")


def _cannot_write(error: OSError) -> str:
    where = f" {error.filename}" if error.filename else ""
    return f"cannot write{where}: {error.strerror or error}"


def _phrase(status: int) -> str:
    try:
        return HTTPStatus(status).phrase
    except ValueError:
        return ""
