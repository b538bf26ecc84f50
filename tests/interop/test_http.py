"""curl against our server, and our client against Python's, over a TUN device."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from lastack.apps.http_files import Folder
from lastack.apps.http_server import Site, http_server
from tests.interop.machine import CURL, Machine, digest_of, machine, make_file

pytestmark = pytest.mark.interop("curl", "ss")

VERSIONS = pytest.mark.parametrize("version", [4, 6])


@pytest.fixture(params=[True, False], ids=["offload", "plain"])
def there(request: pytest.FixtureRequest) -> Iterator[Machine]:
    """A machine in either mode of the device."""
    with machine(offload=request.param) as made:
        yield made


@pytest.fixture
def site(tmp_path: Path) -> Path:
    """A folder with a file of 3 MB, and small ones."""
    folder = tmp_path / "site"
    folder.mkdir()
    make_file(folder / "file", 3_000_000)
    for number in range(10):
        (folder / f"small{number}").write_text(f"number {number}\n" * 100)
    return folder


def serve(there: Machine, folder: Path) -> None:
    there.listen(http_server(Site(Folder(str(folder)))))


def python_server(there: Machine, folder: Path, version: int) -> subprocess.Popen[bytes]:
    address = there.box.theirs[version == 6]
    command = [sys.executable, "-m", "http.server", "8000", "--bind", address, "-d", str(folder)]
    process = there.start(*command)
    there.wait_for(8000, version)
    return process


@VERSIONS
def test_curl_fetches_a_file(there: Machine, site: Path, tmp_path: Path, version: int) -> None:
    serve(there, site)
    there.run(*CURL, "-o", str(tmp_path / "copy"), there.url(version, "file"))
    assert digest_of(tmp_path / "copy") == digest_of(site / "file")
    there.nothing_is_left(listeners=2)


@VERSIONS
def test_curl_fetches_many_files_over_one_connection(there: Machine, site: Path, tmp_path: Path, version: int) -> None:
    serve(there, site)
    urls = [word for n in range(10) for word in ("-o", str(tmp_path / f"{n}"), there.url(version, f"small{n}"))]
    told = there.run(*CURL, "-w", "%{num_connects} %{http_code}\n", *urls)
    assert told.decode().splitlines() == ["1 200"] + ["0 200"] * 9
    assert all((tmp_path / f"{n}").read_bytes() == (site / f"small{n}").read_bytes() for n in range(10))


def test_curl_asks_for_a_head_a_range_and_what_it_has(there: Machine, site: Path, tmp_path: Path) -> None:
    serve(there, site)
    url = there.url(4, "file")
    assert b"content-length: 3000000\r\n" in there.run(*CURL, "-I", url).lower()
    part = there.run(*CURL, "-r", "1000-1999", url)
    assert part == (site / "file").read_bytes()[1000:2000]
    copy, tag = str(tmp_path / "copy"), str(tmp_path / "tag")
    there.run(*CURL, "--etag-save", tag, "-o", copy, url)
    assert there.run(*CURL, "--etag-compare", tag, "-w", "%{http_code}", url) == b"304"
    # A download that was cut off is taken up again.
    (tmp_path / "copy").write_bytes((site / "file").read_bytes()[:2_000_000])
    there.run(*CURL, "-C", "-", "-o", copy, url)
    assert digest_of(tmp_path / "copy") == digest_of(site / "file")
    statuses = ["/nothing", "/..%2f..%2fetc%2fpasswd", "/"]
    told = [there.run(*CURL, "-o", "/dev/null", "-w", "%{http_code}", there.url(4) + path[1:]) for path in statuses]
    assert told == [b"404", b"400", b"200"]


@VERSIONS
def test_our_client_fetches_from_python_s_server(there: Machine, site: Path, version: int) -> None:
    with python_server(there, site, version) as server:
        host = there.box.theirs[0] if version == 4 else f"[{there.box.theirs[1]}]"
        assert there.fetch(f"http://{host}:8000/file") == (digest_of(site / "file"), "")
        assert there.fetch(f"http://{host}:8000/nothing")[1] == "the server answers 404 File not found"
        server.terminate()
        server.wait()
    there.nothing_is_left()


def test_our_client_asks_where_nobody_listens(there: Machine) -> None:
    assert "refuses" in there.fetch(f"http://{there.box.theirs[0]}:81/")[1]


def test_two_hundred_downloads_at_once(site: Path) -> None:
    with machine() as there:
        serve(there, site)
        globbing = [word for word in CURL if word != "-g"]
        command = [*globbing, "--parallel", "--parallel-immediate", "--parallel-max", "200", "-o", "/dev/null"]
        told = there.run(*command, "-w", "%{http_code} %{size_download}\n", f"{there.url(4, 'file')}?[1-200]")
        assert told.decode().split("\n")[:-1] == ["200 3000000"] * 200
        there.nothing_is_left(listeners=2)
