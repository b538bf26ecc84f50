"""Blocking sockets over a TUN device, with the Linux kernel at the other end."""

from __future__ import annotations

import http.client
import http.server
import socketserver
import struct
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from random import Random

import pytest

import lastack.socket
from lastack.device.sandbox import Sandbox
from lastack.link.pipeline import Pipeline
from lastack.link.rules import Loss
from tests.socket.places import SOON, Aside
from tests.socket.test_programs import TEXT, Handler, serving

pytestmark = pytest.mark.interop("curl")

CURL = ["curl", "-sS", "-g", "--noproxy", "*", "--max-time", "60"]


@dataclass
class There:
    """A sandbox, and our stack in it."""

    box: Sandbox
    stack: lastack.socket.Stack


@pytest.fixture(params=[0.0, 0.02], ids=["sound", "lossy"])
def there(request: pytest.FixtureRequest) -> Iterator[There]:
    """Over a sound line, and a lossy one."""
    lines = [Pipeline([Loss(request.param, Random(way))] if request.param else ()) for way in (1, 2)]
    with Sandbox() as box:
        addresses = [f"{box.ours[0]}/24", f"{box.ours[1]}/64"]
        with (
            lastack.socket.open_device(box.tun, addresses, incoming=lines[0], outgoing=lines[1]) as stack,
            lastack.socket.use(stack),
        ):
            yield There(box, stack)


@pytest.mark.parametrize("version", [4, 6])
def test_curl_and_a_web_server(there: There, version: int, tmp_path: Path):
    class Server(http.server.ThreadingHTTPServer):
        address_family = lastack.socket.AF_INET if version == 4 else lastack.socket.AF_INET6

    ours = there.box.ours[version == 6]
    with lastack.socket.patched():
        server = Server((ours, 80), Handler)
    place = ours if version == 4 else f"[{ours}]"
    path = tmp_path / "body"
    path.write_bytes(TEXT)
    with serving(server):
        urls = [f"http://{place}/"] * 3
        assert curl(there, *urls) == TEXT * 3
        assert curl(there, "--data-binary", f"@{path}", urls[0]) == TEXT


def curl(there: There, *arguments: str) -> bytes:
    with there.box.popen([*CURL, *arguments], stdout=subprocess.PIPE) as process:
        out, _ = process.communicate(timeout=100)
        assert process.returncode == 0
    return bytes(out)


def test_a_client_and_the_kernels_server(there: There, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    (tmp_path / "file").write_bytes(TEXT)
    theirs = there.box.theirs[0]
    command = [sys.executable, "-m", "http.server", "--bind", theirs, "--directory", str(tmp_path), "8000"]
    monkeypatch.setattr(http.client, "socket", lastack.socket)
    with there.box.popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as process:
        end = time.monotonic() + SOON
        while True:
            connection = http.client.HTTPConnection(theirs, 8000, timeout=SOON)
            try:
                connection.request("GET", "/file")
                break
            except ConnectionRefusedError:
                assert time.monotonic() < end
                time.sleep(0.05)
        assert connection.getresponse().read() == TEXT
        connection.close()
        process.terminate()


def test_the_kernels_connection_ends_as_we_end_ours(there: There):
    with lastack.socket.create_server((there.box.ours[0], 7)) as listener:
        listener.settimeout(SOON)
        with there.box.socket() as client:
            client.settimeout(SOON)
            client.connect((there.box.ours[0], 7))
            server, _ = listener.accept()
            server.settimeout(SOON)
            client.sendall(b"hello")
            assert server.recv(10) == b"hello"
            reading = Aside(client.recv, 10)
            server.close()
            assert reading.result() == b""
        with there.box.socket() as client:
            client.settimeout(SOON)
            client.connect((there.box.ours[0], 7))
            server, _ = listener.accept()
            reading = Aside(client.recv, 10)
            server.setsockopt(lastack.socket.SOL_SOCKET, lastack.socket.SO_LINGER, struct.pack("ii", 1, 0))
            server.close()
            with pytest.raises(ConnectionResetError):
                reading.result()


def test_a_program_that_ends_closes_its_connections(there: There):
    listener = lastack.socket.create_server((there.box.ours[0], 7))
    listener.settimeout(SOON)
    with there.box.socket() as client:
        client.settimeout(SOON)
        client.connect((there.box.ours[0], 7))
        server, _ = listener.accept()
        server.sendall(b"last words")
        there.stack.close()
        assert client.recv(100) == b"last words"
        assert client.recv(100) == b""
    listener.close()
    server.close()


def test_a_device_that_goes_away_is_told_of():
    with Sandbox() as box, lastack.socket.open_device(box.tun, f"{box.ours[0]}/24") as stack, lastack.socket.use(stack):
        with lastack.socket.create_server((box.ours[0], 7)) as listener:
            waiting = Aside(listener.accept)
            time.sleep(0.05)
            box.run(["ip", "link", "delete", box.tun.name])
            with pytest.raises(OSError, match="the stack has failed"):
                waiting.result()
        with pytest.raises(OSError, match="the stack has failed"):
            lastack.socket.socket()


def test_socketserver_is_given_our_module(there: There, monkeypatch: pytest.MonkeyPatch):
    class Upper(socketserver.StreamRequestHandler):
        def handle(self) -> None:
            self.wfile.write(self.rfile.readline().upper())

    monkeypatch.setattr(socketserver, "socket", lastack.socket)
    with serving(socketserver.ThreadingTCPServer(("", 7), Upper)), there.box.socket() as client:
        client.settimeout(SOON)
        client.connect((there.box.ours[0], 7))
        client.sendall(b"hello\n")
        assert client.recv(100) == b"HELLO\n"
