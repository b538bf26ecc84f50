"""TLS over blocking sockets."""

from __future__ import annotations

import errno
import gc
import http.client
import http.server
import os
import select
import socket as constants
import ssl
import warnings
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any

import pytest
import trustme

import lastack.socket
from tests.socket.places import SOON, Aside, Place, outcome
from tests.socket.test_programs import TEXT, Handler, serving

AUTHORITY = trustme.CA()
THEIRS = ssl.SSLContext.sslsocket_class  # type: ignore[attr-defined]


def contexts(there: Place) -> tuple[ssl.SSLContext, ssl.SSLContext]:
    """The client's, and that of a server called "server"."""
    client, server = ssl.create_default_context(), ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    AUTHORITY.configure_trust(client)
    AUTHORITY.issue_cert("server").configure_cert(server)
    if there.name != "kernel":
        client.sslsocket_class = server.sslsocket_class = lastack.socket.SSLSocket  # type: ignore[assignment]
    return client, server


@contextmanager
def connected(there: Place) -> Iterator[tuple[Any, Any]]:
    """Both ends of a connection."""
    mine, theirs = contexts(there)
    with there.connected() as (client, server):
        wrapping = Aside(lambda: theirs.wrap_socket(server, server_side=True))
        with mine.wrap_socket(client, server_hostname="server") as one, wrapping.result() as other:
            yield one, other


def test_both_ways(there: Place):
    with connected(there) as (client, server):
        assert client.version() == "TLSv1.3" and client.cipher() == server.cipher()
        assert ("DNS", "server") in client.getpeercert()["subjectAltName"]
        sending = Aside(client.sendall, TEXT)
        with server.makefile("rb") as file:
            assert file.read(len(TEXT)) == TEXT
        sending.result()
        assert server.send(b"hello") == 5
        buffer = bytearray(10)
        assert client.recv(2) == b"he" and client.pending() == 3
        assert client.recv_into(buffer) == 3 and buffer[:3] == b"llo"
        client.settimeout(0.05)
        assert outcome(client.recv, 1) == (TimeoutError, None)
        client.setblocking(False)
        assert outcome(client.recv, 1) == (ssl.SSLWantReadError, ssl.SSL_ERROR_WANT_READ)
        assert outcome(client.recv, 1, constants.MSG_PEEK)[0] is ValueError
        server.close()
        client.settimeout(SOON)
        assert client.recv(1) == b""


def test_without_waiting_for_room(there: Place):
    with connected(there) as (client, server):
        client.setblocking(False)
        sent = 0

        def fill() -> None:
            nonlocal sent
            while True:
                sent += client.send(TEXT[:16_384])

        with pytest.raises(ssl.SSLWantWriteError):
            fill()
        got = 0
        while got < sent:
            got += len(server.recv(1 << 16))
            with suppress(ssl.SSLWantReadError):
                client.recv(1)  # what was held back goes on
        assert got == sent


def test_going_on_without(there: Place):
    with connected(there) as (client, server):
        unwrapping = Aside(server.unwrap)
        with client.unwrap() as plain, unwrapping.result() as other:
            plain.sendall(b"plain")
            assert other.recv(10) == b"plain"


def test_a_certificate_that_nobody_trusts(there: Place):
    mine, theirs = contexts(there)
    with there.connected() as (client, server):
        wrapping = Aside(lambda: theirs.wrap_socket(server, server_side=True))
        with pytest.raises(ssl.SSLCertVerificationError):
            mine.wrap_socket(client, server_hostname="another")
        with pytest.raises(ssl.SSLError, match=r"(?i)alert"):
            wrapping.result()


def test_a_context_that_knows_nothing_of_ours(ours: Place):
    with ours.connected() as (client, server):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ResourceWarning)  # of what ssl has begun
            told = outcome(ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER).wrap_socket, client, True)
            gc.collect()
        assert told == (OSError, errno.EOPNOTSUPP)
        number = client.fileno()
        with pytest.raises(OSError, match="sslsocket_class"):
            client.detach()
        os.close(number)  # it is theirs who asked for it: ssl closes it
        # It can be used all the same: it has another number than that which ssl has closed.
        server.sendall(b"x")
        assert select.select([client], [], [], SOON)[0] == [client]


def test_https(ours: Place):
    mine, theirs = contexts(ours)
    with lastack.socket.patched(), ours.server():
        server = http.server.ThreadingHTTPServer((ours.host, 0), Handler)
        server.socket = theirs.wrap_socket(server.socket, server_side=True)
    mine.check_hostname = False
    with lastack.socket.patched(), serving(server) as port, ours.client():
        connection = http.client.HTTPSConnection(ours.host, port, timeout=SOON, context=mine)
        for _ in range(2):
            connection.request("GET", "/")
            assert connection.getresponse().read() == TEXT
        connection.close()
    assert ssl.SSLContext.sslsocket_class is THEIRS  # type: ignore[attr-defined]
