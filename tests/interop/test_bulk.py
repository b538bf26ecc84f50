"""Large files each way, over a good path and over a bad one."""

from __future__ import annotations

from pathlib import Path

import pytest

from lastack.link.faults import Faults
from tests.interop.machine import CURL, digest_of, machine, make_file
from tests.interop.test_http import python_server, serve

pytestmark = [pytest.mark.interop("curl", "ss"), pytest.mark.slow]

BAD = Faults(loss=0.02, reorder=0.02, duplicate=0.01, corrupt=0.005)
VERSIONS = pytest.mark.parametrize("version", [4, 6])


def test_curl_fetches_200_megabytes(tmp_path: Path) -> None:
    digest = make_file(tmp_path / "file", 200_000_000)
    with machine() as there:
        serve(there, tmp_path)
        there.run(*CURL, "-o", str(tmp_path / "copy"), there.url(4, "file"))
        assert digest_of(tmp_path / "copy") == digest


def test_our_client_fetches_200_megabytes(tmp_path: Path) -> None:
    digest = make_file(tmp_path / "file", 200_000_000)
    with machine() as there, python_server(there, tmp_path, 4) as server:
        assert there.fetch(f"http://{there.box.theirs[0]}:8000/file") == (digest, "")
        server.terminate()


@VERSIONS
def test_curl_over_a_bad_path(tmp_path: Path, version: int) -> None:
    digest = make_file(tmp_path / "file", 20_000_000)
    with machine(BAD) as there:
        serve(there, tmp_path)
        there.run(*CURL, "-o", str(tmp_path / "copy"), there.url(version, "file"))
        assert digest_of(tmp_path / "copy") == digest
        assert there.driver.outgoing.pipeline["corrupt"].counters["corrupted"] > 0
        there.nothing_is_left(listeners=2)


@VERSIONS
def test_our_client_over_a_bad_path(tmp_path: Path, version: int) -> None:
    digest = make_file(tmp_path / "file", 20_000_000)
    with machine(BAD) as there, python_server(there, tmp_path, version) as server:
        host = there.box.theirs[0] if version == 4 else f"[{there.box.theirs[1]}]"
        assert there.fetch(f"http://{host}:8000/file") == (digest, "")
        server.terminate()
        there.nothing_is_left()
