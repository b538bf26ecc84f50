"""The file server in virtual time: what a client says, and what it hears (RFC 9110, RFC 9112)."""

from __future__ import annotations

import os
from errno import ECONNRESET
from pathlib import Path
from random import Random

import h11
import pytest

from lastack.apps.http_files import Folder
from lastack.apps.http_messages import Validators
from lastack.apps.http_server import Site, http_server
from lastack.host.options import SO_ERROR, SOL_SOCKET
from lastack.link.faults import Faults
from lastack.tcp.config import DEFAULT
from tests.apps.pair import Pair

DATE = "Fri, 20 Nov 2026 23:00:00 GMT"
DATA = Random(1).randbytes(700_000)
SMALL = DEFAULT.having(send_buffer=30_000, receive_buffer=30_000)


class Web(Pair):
    """A pair with a site: `a` holds "hello", `big` 700 kB, `empty` nothing."""

    def __init__(self, root: Path, config=DEFAULT) -> None:
        super().__init__(config)
        (root / "a").write_text("hello")
        (root / "big").write_bytes(DATA)
        (root / "empty").write_bytes(b"")
        (root / "sub").mkdir()
        self.root = root
        self.serve(http_server(Site(Folder(str(root)), lambda: DATE)))

    def ask(self, *requests: str, seconds: float = 20) -> list[tuple[int, dict[str, str], bytes]]:
        """Say it all at once, and take the responses apart: (status, fields, body)."""
        client = self.talk("".join(requests).encode("latin-1"))
        self.run(lambda: client.ended, seconds)
        self.last = client
        methods = [one.split(" ")[0] for one in requests]
        return take_apart(client.heard, methods)


def take_apart(heard: bytes, methods: list[str]) -> list[tuple[int, dict[str, str], bytes]]:
    found = []
    for method in methods:
        http = h11.Connection(h11.CLIENT)
        known = method if method in ("GET", "HEAD") else "GET"
        http.send(h11.Request(method=known, target="/", headers=[("host", "x")]))
        http.send(h11.EndOfMessage())
        http.receive_data(heard)
        response = http.next_event()
        if not isinstance(response, h11.Response):
            break
        body = b""
        while isinstance(event := http.next_event(), h11.Data):
            body += event.data
        assert isinstance(event, h11.EndOfMessage), event
        fields = {name.decode(): value.decode() for name, value in response.headers}
        found.append((response.status_code, fields, body))
        heard = http.trailing_data[0]
    assert heard == b"" or not found
    return found


def get(path: str, *fields: str, method: str = "GET", close: bool = True) -> str:
    lines = [f"{method} {path} HTTP/1.1", "Host: x", *fields, *(["Connection: close"] if close else [])]
    return "\r\n".join([*lines, "", ""])


@pytest.fixture
def web(tmp_path: Path) -> Web:
    return Web(tmp_path)


def test_what_is_no_http_is_shown_as_text(web: Web):
    ((status, _, body),) = web.ask("garbage\r\n\r\n")
    assert (status, body) == (400, b'illegal request line: "garbage"\n')


def test_a_file_is_served(web: Web):
    ((status, fields, body),) = web.ask(get("/a"))
    assert (status, body) == (200, b"hello")
    assert fields["content-length"] == "5"
    assert fields["date"] == DATE
    assert fields["accept-ranges"] == "bytes"
    info = os.stat(web.root / "a")
    assert fields["etag"] == Validators(5, info.st_mtime_ns).tag.decode()
    assert "last-modified" in fields
    web.last.close(web.now)
    web.run(seconds=1)
    assert web.states() == ([], ["TIME_WAIT"])  # asked to close, the server closes first


@pytest.mark.parametrize("config", [DEFAULT, SMALL])
def test_a_large_file_goes_through_small_buffers(tmp_path: Path, config):
    web = Web(tmp_path, config)
    ((status, _, body),) = web.ask(get("/big"), seconds=100)
    assert status == 200 and body == DATA


def test_no_more_of_a_file_is_read_than_the_client_takes(tmp_path: Path):
    web = Web(tmp_path, SMALL)
    web.talk(get("/big").encode(), read=False)
    web.run(seconds=20)
    (server,) = web.server.connections
    assert server.left > 300_000
    assert server.socket.tcb.send_buffer.length <= 30_000


def test_a_slow_client_does_not_fill_a_large_send_buffer(tmp_path: Path):
    web = Web(tmp_path, DEFAULT.having(receive_buffer=30_000))
    (tmp_path / "long").write_bytes(bytes(5_000_000))
    client = web.talk(get("/long").encode(), read=False)
    web.run(seconds=20)
    (server,) = web.server.connections
    assert server.socket.tcb.send_buffer.length < 1_500_000
    client.read = True
    client.ready(web.now)
    assert web.run(lambda: client.ended, seconds=500)
    assert len(take_apart(client.heard, ["GET"])[0][2]) == 5_000_000


def test_one_connection_for_many_requests(web: Web):
    web.ask(get("/a", close=False), get("/empty", close=False), get("/nothing", close=False), get("/big"))
    assert web.server.counters["connections accepted"] == 1
    answers = take_apart(web.last.heard, ["GET"] * 4)
    assert [(status, len(body)) for status, _, body in answers] == [(200, 5), (200, 0), (404, 42), (200, 700_000)]


def test_a_client_that_closes_behind_its_request_is_answered(web: Web):
    client = web.talk(get("/big", close=False).encode(), half_close=True)
    assert web.run(lambda: client.ended, seconds=20)
    assert take_apart(client.heard, ["GET"])[0][2] == DATA
    client.close(web.now)
    web.run(seconds=1)
    assert web.states() == (["TIME_WAIT"], [])  # the client was first


def test_head_has_the_fields_of_get_and_no_body(web: Web):
    ((get_status, get_fields, _),) = web.ask(get("/big"))
    ((status, fields, body),) = web.ask(get("/big", method="HEAD"))
    assert (status, body) == (get_status, b"")
    assert fields == get_fields
    ((status, _, body),) = web.ask(get("/nothing", method="HEAD"))
    assert (status, body) == (404, b"")


@pytest.mark.parametrize(
    ("wanted", "status", "shown", "body"),
    [
        ("bytes=1-2", 206, "bytes 1-2/5", b"el"),
        ("bytes=-2", 206, "bytes 3-4/5", b"lo"),
        ("bytes=2-", 206, "bytes 2-4/5", b"llo"),
        ("bytes=0-0,2-3", 200, None, b"hello"),  # several: the whole file
        ("bytes=5-", 416, "bytes */5", None),
    ],
)
def test_ranges(web: Web, wanted: str, status: int, shown: str | None, body: bytes | None):
    ((got, fields, text),) = web.ask(get("/a", f"Range: {wanted}"))
    assert (got, fields.get("content-range")) == (status, shown)
    assert body is None or text == body


def test_a_range_of_a_large_file(web: Web):
    ((status, _, body),) = web.ask(get("/big", "Range: bytes=1000-600999"))
    assert status == 206 and body == DATA[1000:601_000]


def test_head_pays_no_heed_to_a_range(web: Web):
    # RFC 9110 section 14.2
    ((status, fields, _),) = web.ask(get("/a", "Range: bytes=1-2", method="HEAD"))
    assert (status, fields["content-length"]) == (200, "5")


def test_what_the_client_has_is_not_sent_again(web: Web):
    ((_, fields, _),) = web.ask(get("/a"))
    for condition in (f"If-None-Match: {fields['etag']}", f"If-Modified-Since: {fields['last-modified']}"):
        ((status, again, body),) = web.ask(get("/a", condition))
        assert (status, again["etag"], body) == (304, fields["etag"], b"")
    ((status, _, _),) = web.ask(get("/a", 'If-Match: "other"'))
    assert status == 412


def test_a_folder_moves_to_its_slash(web: Web):
    ((status, fields, _),) = web.ask(get("/sub"))
    assert (status, fields["location"]) == (301, "/sub/")


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "OPTIONS", "BREW"])
def test_other_methods_are_refused(web: Web, method: str):
    ((status, fields, _),) = web.ask(get("/a", method=method))
    assert (status, fields["allow"]) == (405, "GET, HEAD")


def test_a_body_that_nobody_wants_does_not_hurt_the_answer(web: Web):
    # RFC 9112 section 9.6: a reset must not overtake the response.
    request = get("/a", "Content-Length: 300000", method="POST", close=False) + "x" * 300_000
    ((status, fields, _),) = web.ask(request)
    assert (status, fields["connection"]) == (405, "close")
    web.run(seconds=1)
    assert web.server.counters["bytes in"] == len(request)  # read to the end
    web.last.close(web.now)
    web.run(seconds=1)
    assert not web.server.connections


def test_a_body_without_end_is_cut_off(tmp_path: Path):
    web = Web(tmp_path, DEFAULT.having(autotuning=False))  # all of it is sent before the server has looked
    request = get("/a", "Transfer-Encoding: chunked", method="POST", close=False) + "ffffff\r\n" + "x" * 3_000_000
    web.ask(request)
    web.run(seconds=5)
    assert not web.server.connections
    assert web.last.socket.getsockopt(SOL_SOCKET, SO_ERROR) == ECONNRESET


@pytest.mark.parametrize(
    ("text", "status"),
    [
        ("nonsense\r\n\r\n", 400),
        ("GET /a HTTP/1.1\r\n\r\n", 400),  # no Host, RFC 9112 section 3.2
        ("GET /a HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n", 400),
        ("GET /a HTTP/1.1\r\nHost: x\r\nX: " + "y" * 100_000, 431),
        ("GET /%zz HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n", 400),
        ("\x16\x03\x01\x02\r\n\r\n", 400),  # TLS
    ],
)
def test_what_is_no_request(web: Web, text: str, status: int):
    ((got, fields, _),) = web.ask(text)
    assert (got, fields["connection"]) == (status, "close")
    web.last.close(web.now)
    web.run(seconds=1)
    assert not web.server.connections


def test_half_a_request_and_then_the_end(web: Web):
    client = web.talk(b"GET /a HTT", half_close=True)
    web.run(lambda: client.ended)
    client.close(web.now)
    web.run(seconds=1)
    assert not web.server.connections


def test_an_old_client_is_answered_and_left(web: Web):
    ((status, _, body),) = web.ask("GET /a HTTP/1.0\r\n\r\n")
    assert (status, body) == (200, b"hello")
    assert web.last.ended


def test_a_file_that_shrinks_while_it_is_sent_ends_in_a_reset(tmp_path: Path):
    web = Web(tmp_path, SMALL)
    client = web.talk(get("/big").encode(), read=False)
    web.run(seconds=2)
    (tmp_path / "big").write_bytes(b"")
    client.read = True
    client.ready(web.now)
    web.run(seconds=20)
    assert isinstance(client.error, ConnectionResetError)
    assert web.server.counters["files that shrank while they were sent"] == 1


def test_a_client_that_goes_leaves_no_file_open(web: Web):
    before = len(os.listdir("/proc/self/fd"))
    clients = [web.talk(get("/big").encode(), read=False) for _ in range(5)]
    web.run(lambda: all(client.socket.readable() for client in clients))
    for client in clients:
        client.abort(web.now)
    web.run(seconds=1)
    assert not web.server.connections
    assert len(os.listdir("/proc/self/fd")) == before


def test_an_idle_connection_is_closed_in_good_order(web: Web):
    client = web.talk(get("/a", close=False).encode())
    web.run(seconds=61)
    web.server.advance(web.now)
    web.run(seconds=1)
    assert client.ended and client.error is None


def test_stop_lets_a_response_finish(tmp_path: Path):
    web = Web(tmp_path, SMALL)
    busy, idle = web.talk(get("/big", close=False).encode()), web.talk(get("/a", close=False).encode())
    web.run(lambda: len(busy.heard) > 50_000 and len(idle.heard) > 0)
    web.server.stop(web.now)
    assert web.run(lambda: busy.ended and idle.ended, seconds=50)
    assert take_apart(busy.heard, ["GET"])[0][2] == DATA
    assert not web.server.connections


def test_stop_answers_a_request_that_has_begun(web: Web):
    client = web.talk(b"GET /a HT")
    web.run(seconds=1)
    web.server.stop(web.now)
    client.say = b"TP/1.1\r\nHost: x\r\n\r\n"
    client.ready(web.now)
    assert web.run(lambda: client.ended)
    ((status, fields, body),) = take_apart(client.heard, ["GET"])
    assert (status, fields["connection"], body) == (200, "close", b"hello")


def test_a_bad_path_loses_nothing(web: Web):
    web.world.faults("client", "server", Faults(loss=0.02, duplicate=0.01, reorder=0.02, corrupt=0.005, delay=5_000))
    clients = [web.talk(get("/big").encode()) for _ in range(3)]
    assert web.run(lambda: all(client.ended for client in clients), seconds=500)
    assert all(take_apart(client.heard, ["GET"])[0][2] == DATA for client in clients)
