"""The HTTP client in virtual time, against a server that says what a test tells it, and against our own."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from random import Random

import pytest

from lastack.apps.http_client import Fetch, Url, UrlError
from lastack.apps.http_files import Folder
from lastack.apps.http_server import Site, http_server
from lastack.apps.reactor import Connection, Reactor
from lastack.host import options
from lastack.host.sockets import Socket
from lastack.wire.packet import Buffer
from tests.apps.pair import SECOND, SERVER, Pair

DATA = Random(3).randbytes(300_000)


class Script(Connection):
    """Answers each request with the next of `answers`; then closes where `close` says so."""

    def __init__(self, reactor: Reactor, socket: Socket, answers: list[bytes], close: bool) -> None:
        super().__init__(reactor, socket)
        self.answers = answers
        self.close_behind = close
        self.asked = b""
        self.out = b""

    def ready(self, now: int) -> None:
        while data := self.receive(now):
            self.asked += data
            if self.asked.endswith(b"\r\n\r\n") and self.answers:
                self.out += self.answers.pop(0)
        self.out = self.out[self.send(now, self.out) :]
        if data == b"":
            self.close(now)
        elif not self.out and self.asked and self.close_behind:
            self.socket.shutdown(now, options.SHUT_WR)


class Getting:
    """A pair in which the client fetches `path`; `got` is what came."""

    def __init__(self, *answers: bytes, close: bool = True, path: str = "/f", timeout: int = 60 * SECOND) -> None:
        self.pair = Pair()
        self.got: list[bytes] = []
        self.size: list[int | None] = []
        self.room = 1 << 30
        self.scripts: list[Script] = []
        left = list(answers)

        def make(reactor: Reactor, socket: Socket) -> Script:
            self.scripts.append(Script(reactor, socket, left, close))
            return self.scripts[-1]

        if answers:
            self.pair.serve(make)
        self.fetch = Fetch(self.pair.client, Url.parse(f"http://x{path}"), SERVER, self.begin, timeout=timeout)

    def begin(self, size: int | None):
        self.size.append(size)

        def sink(views: Sequence[Buffer]) -> int:
            data = b"".join(views)
            taken = min(len(data), self.room)
            self.room -= taken
            self.got.append(data[:taken])
            return taken

        return sink

    def run(self, seconds: float = 20) -> Getting:
        self.fetch.start(self.pair.now)
        self.pair.run(lambda: self.fetch.done, seconds)
        return self

    @property
    def body(self) -> bytes:
        return b"".join(self.got)


OK = b"HTTP/1.1 200 OK\r\n"


@pytest.mark.parametrize(
    "answer",
    [
        OK + b"Content-Length: 300000\r\n\r\n" + DATA,
        OK + b"\r\n" + DATA,  # up to the end of the connection
        OK
        + b"Transfer-Encoding: chunked\r\n\r\n2af80;x=y\r\n"
        + DATA[:0x2AF80]
        + b"\r\n%x\r\n" % (300_000 - 0x2AF80)
        + DATA[0x2AF80:]
        + b"\r\n0\r\nTrailer: x\r\n\r\n",
        b"HTTP/1.0 200 OK\r\nContent-Length: 300000\r\n\r\n" + DATA + b"too much",
        b"HTTP/1.1 103 Early Hints\r\n\r\n" + OK + b"Content-Length: 300000\r\n\r\n" + DATA,
    ],
)
def test_bodies_of_every_kind(answer: bytes):
    getting = Getting(answer).run()
    assert getting.fetch.error == ""
    assert getting.body == DATA and getting.fetch.received == 300_000
    getting.pair.run(seconds=1)
    assert not getting.pair.client.connections


def test_what_is_asked():
    getting = Getting(OK + b"Content-Length: 0\r\n\r\n", path="/a b?c=d&e=\u00e9").run()
    assert getting.fetch.error == "" and getting.size == [0]
    lines = getting.scripts[0].asked.decode().split("\r\n")
    assert lines[0] == "GET /a%20b?c=d&e=%C3%A9 HTTP/1.1"
    assert {"Host: x", "Connection: close", "Accept-Encoding: identity"} <= set(lines)


def test_an_answer_with_its_length_needs_no_end():
    getting = Getting(OK + b"Content-Length: 5\r\n\r\nhello", close=False).run()
    assert (getting.body, getting.fetch.error) == (b"hello", "")


@pytest.mark.parametrize(
    ("answer", "error"),
    [
        (OK + b"Content-Length: 10\r\n\r\nhello", "the server closed the connection too early: 5 bytes are missing"),
        (OK + b"Transfer-Encoding: chunked\r\n\r\nff\r\nhello", "the server's answer is broken: "),
        (b"", "the server closed the connection without an answer"),
        (b"SSH-2.0-OpenSSH\r\n\r\n", "the server's answer is broken: "),
        (
            OK + b"Transfer-Encoding: chunked\r\n\r\nz\x1bz\r\nhello",
            'the server\'s answer is broken: illegal chunk header: "z?z"',
        ),
        (
            b"HTTP/1.1 206 Partial Content\r\nContent-Range: bytes 0-4/9\r\nContent-Length: 5\r\n\r\nhello",
            "the server answers 206 Partial Content: a part of the file, and it was asked for the whole",
        ),
        (b"HTTP/1.1 404 Not Found\r\nContent-Length: 2\r\n\r\nno", "the server answers 404 Not Found"),
        (b"HTTP/1.1 500\r\nContent-Length: 0\r\n\r\n", "the server answers 500 Internal Server Error"),
        (b"HTTP/1.1 301 x\r\nContent-Length: 0\r\n\r\n", "the server redirects us, and does not say where to"),
        (b"HTTP/1.1 302 x\r\nLocation: http://y/f\r\n\r\n", "the server sends us to another one, http://y/f: ask"),
        (b"HTTP/1.1 302 x\r\nLocation: https://x/f\r\n\r\n", "https is not supported"),
    ],
)
def test_what_goes_wrong_is_said(answer: bytes, error: str):
    getting = Getting(answer).run()
    assert getting.fetch.error.startswith(error)
    assert not getting.pair.client.connections


def test_redirects_are_followed_to_the_same_server():
    moved = b"HTTP/1.1 301 Moved\r\nLocation: %s\r\nContent-Length: 0\r\n\r\n"
    getting = Getting(
        moved % b"/g?x", moved % b"http://x/sub/h", moved % b"i", OK + b"Content-Length: 2\r\n\r\nok"
    ).run()
    assert (getting.body, getting.fetch.error) == (b"ok", "")
    targets = [script.asked.split()[1] for script in getting.scripts]
    assert targets == [b"/f", b"/g?x", b"/sub/h", b"/sub/i"]


def test_redirects_have_a_limit():
    getting = Getting(*[b"HTTP/1.1 302 x\r\nLocation: /f\r\nContent-Length: 0\r\n\r\n"] * 20).run()
    assert "again and again" in getting.fetch.error
    assert len(getting.scripts) == 11


def test_a_closed_port():
    getting = Getting().run()
    assert getting.fetch.error == "the server refuses the connection: nothing listens on that port"


def test_a_server_that_does_not_answer():
    getting = Getting(timeout=5 * SECOND)
    getting.pair.world.partition("client", "server")
    getting.run(6)
    getting.pair.client.advance(getting.pair.now)
    assert getting.fetch.error == "the server does not answer for 5 s"


def test_a_server_that_falls_silent():
    getting = Getting(OK + b"Content-Length: 10\r\n\r\nhello", close=False, timeout=5 * SECOND).run(6)
    getting.pair.client.advance(getting.pair.now)
    assert getting.fetch.error == "the server says nothing for 5 s"
    assert getting.body == b"hello"


def test_a_sink_without_room_holds_the_server_back():
    getting = Getting(OK + b"Content-Length: 11000000\r\n\r\n" + bytes(11_000_000), timeout=5 * SECOND)
    getting.room = 1000
    getting.run(10)
    getting.pair.client.advance(getting.pair.now)
    assert not getting.fetch.done  # it is we who wait
    assert getting.fetch.received == 1000
    assert getting.scripts[0].out
    getting.room = 1 << 30
    getting.fetch.resume(getting.pair.now)
    assert getting.pair.run(lambda: getting.fetch.done, seconds=50)
    assert (getting.fetch.error, getting.fetch.received) == ("", 11_000_000)


def test_a_full_disk_is_said():
    getting = Getting(OK + b"Content-Length: 5\r\n\r\nhello")

    def begin(size: int | None):
        def sink(views: Sequence[Buffer]) -> int:
            raise OSError(28, "No space left on device", "copy")

        return sink

    getting.fetch.begin = begin
    getting.run()
    assert getting.fetch.error == "cannot write copy: No space left on device"
    assert not getting.pair.client.connections


def test_our_client_and_our_server(tmp_path: Path):
    (tmp_path / "f").write_bytes(DATA)
    getting = Getting()
    getting.pair.serve(http_server(Site(Folder(str(tmp_path)))))
    getting.run()
    assert (getting.body, getting.size, getting.fetch.error) == (DATA, [300_000], "")


@pytest.mark.parametrize(
    ("text", "url"),
    [
        ("http://10.9.0.1/f", Url("10.9.0.1", 80, "/f")),
        ("http://10.9.0.1:8000", Url("10.9.0.1", 8000, "/")),
        ("http://[fd09::1]:8000/a/../b?c", Url("fd09::1", 8000, "/a/../b?c")),
        ("HTTP://Example.org/%41#part", Url("example.org", 80, "/%41")),
    ],
)
def test_urls(text: str, url: Url):
    assert Url.parse(text) == url
    assert Url.parse(str(url)) == url


@pytest.mark.parametrize(
    "text",
    [
        *("", "10.9.0.1/f", "http://", "http:///f", "ftp://x/f", "https://x/f", "http://x:0/", "http://x:99999/"),
        *("http://x:y/", "http://[fd09::1/", "http://user:word@x/", "http://a b/", "file:///f"),
    ],
)
def test_what_is_no_url(text: str):
    with pytest.raises(UrlError):
        Url.parse(text)
