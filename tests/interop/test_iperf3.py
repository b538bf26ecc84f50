"""iperf3's own client against our server of its protocol: both directions, several streams, refusals."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterator
from typing import Any

import pytest

from lastack.apps.iperf3 import IPERF3_PORT, Iperf3
from tests.interop.machine import Machine, machine

pytestmark = [pytest.mark.interop("iperf3"), pytest.mark.slow]  # a test of iperf3 takes a second at least

COMMAND = ["iperf3", "--json", "--port", str(IPERF3_PORT)]


@pytest.fixture
def there() -> Iterator[Machine]:
    with machine() as made:
        made.listen(Iperf3(), IPERF3_PORT)
        yield made


def run(there: Machine, *options: str, version: int = 4) -> dict[str, Any]:
    """What the client reports at the end."""
    told = json.loads(there.run(*COMMAND, "--client", there.box.ours[version == 6], *options))
    assert "error" not in told
    return told["end"]


@pytest.mark.parametrize("version", [4, 6])
@pytest.mark.parametrize("direction", [[], ["--reverse"]])
def test_one_stream(there: Machine, direction: list[str], version: int) -> None:
    end = run(there, "--time", "1", *direction, version=version)
    assert end["sum_received"]["bytes"] > 10_000_000
    assert end["sum_sent"]["bytes"] >= end["sum_received"]["bytes"] * 0.9
    there.nothing_is_left(2)


def test_what_the_client_counts_by_itself_is_what_we_have_counted(there: Machine) -> None:
    end = run(there, "--bytes", "100M")
    assert end["sum_sent"]["bytes"] >= 100 * 1024 * 1024
    assert end["sum_received"]["bytes"] <= end["sum_sent"]["bytes"]
    assert end["sum_received"]["bytes"] > end["sum_sent"]["bytes"] * 0.5  # the rest was still on its way


@pytest.mark.parametrize("direction", [[], ["--reverse"], ["--bidir"]])
def test_several_streams(there: Machine, direction: list[str]) -> None:
    end = run(there, "--time", "1", "--parallel", "4", *direction)
    assert len(end["streams"]) == (8 if direction == ["--bidir"] else 4)
    assert all(one["receiver"]["bytes"] > 100_000 and one["sender"]["bytes"] > 100_000 for one in end["streams"])
    there.nothing_is_left(2)


def test_options_and_one_test_after_another(there: Machine) -> None:
    for _ in range(2):
        run(there, "--time", "1", "--omit", "1", "--no-delay", "--reverse")
    there.nothing_is_left(2)


def refusal(there: Machine, *options: str) -> str:
    """What the client says that is turned away."""
    command = ["iperf3", "--port", str(IPERF3_PORT), "--client", there.box.ours[0], *options]
    with there.box.popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True) as process:
        assert there.driver.run_while(process, 10) == 1
        return process.communicate()[0]


def test_a_second_client_is_refused_while_a_test_is_under_way(there: Machine) -> None:
    first = there.start(*COMMAND, "--client", there.box.ours[0], "--time", "2")
    assert there.driver.run(lambda: len(there.reactor.connections) == 2, 10)
    assert "busy" in refusal(there)
    assert there.driver.run_while(first, 20) == 0
    there.nothing_is_left(2)


def test_a_client_that_is_ended_leaves_room_for_the_next(there: Machine) -> None:
    first = there.start(*COMMAND, "--client", there.box.ours[0], "--time", "30")
    assert there.driver.run(lambda: len(there.reactor.connections) == 2, 10)
    first.kill()
    assert there.driver.run(lambda: not there.reactor.connections, 10)
    run(there, "--time", "1")


def test_udp_is_refused_with_an_explanation(there: Machine) -> None:
    assert "not implemented" in refusal(there, "--udp")
