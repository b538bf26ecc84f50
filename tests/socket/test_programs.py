"""The standard library's programs over these sockets, by our module in the place of theirs."""

from __future__ import annotations

import contextlib
import ftplib
import http.client
import http.server
import io
import smtplib
import socket as kernel
import socketserver
import threading
import urllib.error
import urllib.request
import xmlrpc.client
import xmlrpc.server
from collections.abc import Iterator
from typing import Any

import pytest

import lastack.socket
from tests.socket.places import SOON, Aside, Place

TEXT = bytes(range(256)) * 4000


class Handler(http.server.BaseHTTPRequestHandler):
    """Gives TEXT, or what it is sent."""

    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        self.answer(TEXT if self.path == "/" else b"")

    def do_POST(self) -> None:
        self.answer(self.rfile.read(int(self.headers["Content-Length"])))

    def answer(self, data: bytes) -> None:
        self.send_response(200 if self.path == "/" else 404)
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def log_message(self, *_: Any) -> None:
        pass


@contextlib.contextmanager
def serving(server: Any) -> Iterator[Any]:
    """The port of a `socketserver` that runs in a thread."""
    thread = threading.Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    try:
        yield server.server_address[1]
    finally:
        server.shutdown()
        thread.join(SOON)
        server.server_close()


@pytest.fixture
def patched(ours: Place) -> Iterator[Place]:
    """All that the standard module makes is ours."""
    with lastack.socket.patched():
        yield ours


@contextlib.contextmanager
def web(there: Place, kind: Any = http.server.ThreadingHTTPServer) -> Iterator[int]:
    """The port of a web server."""
    with there.server():
        server = kind((there.host, 0), Handler)
    with serving(server) as port:
        yield port


def test_modules_that_are_given_ours(monkeypatch: pytest.MonkeyPatch, ours: Place):
    monkeypatch.setattr(socketserver, "socket", lastack.socket)
    monkeypatch.setattr(http.server, "socket", lastack.socket)
    monkeypatch.setattr(http.client, "socket", lastack.socket)
    with web(ours) as port, ours.client():
        connection = http.client.HTTPConnection(ours.host, port, timeout=SOON)
        for body in (TEXT, b"x"):
            connection.request("POST", "/", body)
            assert isinstance(connection.sock, lastack.socket.socket)
            assert connection.getresponse().read() == body
        connection.close()


@pytest.mark.parametrize("kind", [http.server.HTTPServer, http.server.ThreadingHTTPServer])
def test_urllib(patched: Place, kind: Any):
    with web(patched, kind) as port, patched.client():
        url = f"http://{patched.host}:{port}"
        opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        with opener.open(url, timeout=SOON) as answer:
            assert answer.read() == TEXT
        with pytest.raises(urllib.error.HTTPError, match="404") as caught:
            opener.open(url + "/nothing", timeout=SOON)
        caught.value.close()
    with patched.client(), pytest.raises(urllib.error.URLError, match="refused"):
        opener.open(url, timeout=SOON)


def test_twenty_at_once(patched: Place):
    def fetch() -> bool:
        with patched.client():
            connection = http.client.HTTPConnection(patched.host, port, timeout=SOON)
            connection.request("GET", "/")
            same = connection.getresponse().read() == TEXT
            connection.close()
            return same

    with web(patched) as port:
        fetching = [Aside(fetch) for _ in range(20)]
        assert all(one.result() for one in fetching)


def test_xmlrpc(patched: Place):
    with patched.server():
        server = xmlrpc.server.SimpleXMLRPCServer((patched.host, 0), logRequests=False)
    server.register_function(lambda *numbers: sum(numbers), "sum")
    with (
        serving(server) as port,
        patched.client(),
        xmlrpc.client.ServerProxy(f"http://{patched.host}:{port}") as proxy,
    ):
        assert proxy.sum(1, 2, 3) == 6
        with pytest.raises(xmlrpc.client.Fault, match="not supported"):
            proxy.nothing()


class Mail(socketserver.StreamRequestHandler):
    """As much of a mail server as a client needs."""

    letters: list[bytes]

    def handle(self) -> None:
        self.wfile.write(b"220 here\r\n")
        for line in self.rfile:
            word = line[:4].upper()
            if word == b"DATA":
                self.wfile.write(b"354 go on\r\n")
                self.letters.append(b"".join(iter(self.rfile.readline, b".\r\n")))
            self.wfile.write(b"221 good bye\r\n" if word == b"QUIT" else b"250 yes\r\n")
            if word == b"QUIT":
                return


def test_smtplib(patched: Place):
    letters: list[bytes] = []
    handler = type("Handler", (Mail,), {"letters": letters})
    with patched.server():
        server = socketserver.TCPServer((patched.host, 0), handler)
    with (
        serving(server) as port,
        patched.client(),
        smtplib.SMTP(patched.host, port, local_hostname="me", timeout=SOON) as client,
    ):
        client.sendmail("a@b", ["c@d"], "Subject: x\n\n.dot\n")
    assert letters == [b"Subject: x\r\n\r\n..dot\r\n"]


class Files(socketserver.StreamRequestHandler):
    """As much of a file server as a client needs: it gives one file, in passive mode."""

    timeout = SOON

    def handle(self) -> None:
        self.say("220 here")
        for line in self.rfile:
            word = line.split()[0]
            if word == b"EPSV" or word == b"PASV":
                with self.server.there.server():  # type: ignore[attr-defined]
                    self.data = kernel.create_server((self.server.server_address[0], 0))
                port = self.data.getsockname()[1]
                place = self.server.server_address[0].replace(".", ",")
                self.say(f"227 in ({place},{port >> 8},{port & 255})")
            elif word == b"RETR":
                self.say("150 now")
                connection, _ = self.data.accept()
                with connection, self.data:
                    connection.sendall(TEXT)
                self.say("226 done")
            else:
                self.say("200 yes")
            if word == b"QUIT":
                return

    def say(self, text: str) -> None:
        self.wfile.write(text.encode() + b"\r\n")


def test_ftplib(patched: Place):
    with patched.server():
        server = socketserver.ThreadingTCPServer((patched.host, 0), Files)
    server.there = patched  # type: ignore[attr-defined]
    with serving(server) as port, patched.client(), ftplib.FTP(timeout=SOON) as client:
        client.connect(patched.host, port)
        client.sendcmd("USER me")
        file = io.BytesIO()
        client.retrbinary("RETR file", file.write)
    assert file.getvalue() == TEXT


def test_the_standard_module_is_put_back():
    before = dict(vars(kernel))
    with lastack.socket.patched():
        with kernel.socket() as ours, kernel.socket(kernel.AF_INET, kernel.SOCK_DGRAM) as theirs:
            assert isinstance(ours, lastack.socket.socket)
            assert not isinstance(theirs, lastack.socket.socket)
        one, other = kernel.socketpair()
        with one, other:
            one.send(b"x")
            assert other.recv(1) == b"x"
    assert dict(vars(kernel)) == before


def test_names():
    with lastack.socket.open_pair() as pair, lastack.socket.use(pair.client):
        s = lastack.socket
        assert s.gethostbyname("server") == "10.0.0.2"
        assert s.gethostbyname_ex("server") == ("server", [], ["10.0.0.2"])
        assert [one[4][:2] for one in s.getaddrinfo("server", 80, type=s.SOCK_STREAM)] == [
            ("10.0.0.2", 80),
            ("fd00::2", 80),
        ]
        assert s.gethostbyaddr("10.0.0.2") == ("server", [], ["10.0.0.2"])
        assert s.getfqdn("10.0.0.1") == "client"
        assert s.getnameinfo(("fd00::2", 80), 0) == ("server", "http")
        assert s.getnameinfo(("127.0.0.1", 80), s.NI_NUMERICHOST | s.NI_NUMERICSERV) == ("127.0.0.1", "80")
        with pytest.raises(s.gaierror):
            s.getaddrinfo("nobody.invalid", 80)
        with pytest.raises(s.gaierror):
            s.create_connection(("nobody.invalid", 80))
        assert s.has_dualstack_ipv6()
        assert set(kernel.__all__) <= set(dir(s)) | set(s.__all__)
        assert s.AF_INET is kernel.AF_INET and s.timeout is TimeoutError and s.error is OSError


def test_both_versions_at_one_listener(ours: Place):
    with ours.server(), lastack.socket.create_server(("", 80), family=kernel.AF_INET6, dualstack_ipv6=True) as listener:
        listener.settimeout(SOON)
        six = "::1" if ours.name == "host" else "fd00::2"
        for address, seen in ((six, six.replace("::2", "::1")), (ours.host, "::ffff:")):
            with ours.client(), lastack.socket.create_connection((address, 80), SOON):
                server, peer = listener.accept()
                server.close()
                assert peer[0].startswith(seen) and len(peer) == 4
