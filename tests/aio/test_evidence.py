"""What a recorded run leaves: ladders of those who talked, and what can be repeated from a file."""

from __future__ import annotations

from pathlib import Path

import pytest

from lastack.aio import World
from lastack.aio.evidence import LADDER_LINES, Evidence, read_faults, write_faults
from tests.aio.test_chaos import persistent, serve


def recorded(folder: Path, clients: int) -> Evidence:
    """Several clients of one server, with faults."""
    world = World(3)
    evidence = Evidence(world, folder)
    world.host("server", serve)
    for number in range(clients):
        world.client(f"client {number}", lambda: persistent(world, 10))
    world.chaos(loss=0.05, partition_every=2, crash_every=3, lasts=10)
    world.run()
    return evidence


def test_each_pair_has_the_ladder_that_it_has_among_all(tmp_path: Path):
    evidence = recorded(tmp_path, 3)
    assert sorted(evidence.pairs()) == [(f"client {number}", "server") for number in range(3)]
    files = {path.name: path for path in evidence.write()}
    for one, other in evidence.pairs():
        whole = evidence.world.ladder(evidence.timeline, one, other, last=LADDER_LINES)
        assert files[f"ladder-{one.replace(' ', '_')}-{other}.txt"].read_text() == whole
        assert "nothing passes" in whole
        assert "loses its power" in whole
    assert "LISTEN" in files["netstat.txt"].read_text()
    assert list(files)[-2:] == ["netstat.txt", "capture.pcapng"]
    assert evidence.tail(5).splitlines()[-1] in files[next(iter(files))].read_text()


def test_what_an_earlier_run_left_goes(tmp_path: Path):
    (tmp_path / "ladder-a-b.txt").write_text("old")
    recorded(tmp_path, 1).write()
    assert {path.name for path in tmp_path.glob("ladder*")} == {"ladder-client_0-server.txt"}


def test_faults_in_a_file(tmp_path: Path):
    path = tmp_path / "only.txt"
    write_faults(path, 17, ["loss a>b #3", "crash a #1"], "a test")
    assert read_faults(path) == (17, ["loss a>b #3", "crash a #1"])
    path.write_text(path.read_text().replace("crash", "# crash"))
    assert read_faults(path) == (17, ["loss a>b #3"])
    for wrong in ("", "loss a>b #3\n", "seed x\n"):
        path.write_text(wrong)
        with pytest.raises(ValueError, match="does not begin"):
            read_faults(path)
