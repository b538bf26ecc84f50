"""Every mode of the device carries the same: with super-segments and without, over one queue and over several."""

from __future__ import annotations

import hashlib
from pathlib import Path
from random import Random

import pytest

from lastack.apps.services import Echo, daytime
from tests.interop.machine import CURL, digest_of, machine, make_file
from tests.interop.test_http import python_server, serve

pytestmark = pytest.mark.interop("curl", "nc", "ss")

ECHO, DAYTIME, LISTENERS = 7, 13, 6


@pytest.mark.parametrize("version", [4, 6])
@pytest.mark.parametrize("queues", [1, 3])
@pytest.mark.parametrize("offload", [True, False], ids=["offload", "plain"])
def test_files_both_ways_and_connections(tmp_path: Path, offload: bool, queues: int, version: int) -> None:
    digest = make_file(tmp_path / "file", 2_000_000)
    text = Random(1).randbytes(500_000)
    with machine(offload=offload, queues=queues) as there:
        serve(there, tmp_path)
        there.listen(Echo, ECHO)
        there.listen(daytime(lambda: "now"), DAYTIME)
        there.run(*CURL, "-o", str(tmp_path / "copy"), there.url(version, "file"))
        assert digest_of(tmp_path / "copy") == digest
        back = there.run("nc", "-N", there.box.ours[version == 6], str(ECHO), given=text)
        assert hashlib.sha256(back).digest() == hashlib.sha256(text).digest()
        there.clients("echo", ECHO, 20, "at-once", 20_000, version)
        there.clients("read", DAYTIME, 20, "at-once", 0, version)
        with python_server(there, tmp_path, version) as server:
            host = there.box.theirs[0] if version == 4 else f"[{there.box.theirs[1]}]"
            assert there.fetch(f"http://{host}:8000/file") == (digest, "")
            server.terminate()
        there.nothing_is_left(LISTENERS)
