"""The small services against programs over the kernel's TCP: bytes, who closes first, and what is left."""

from __future__ import annotations

import gc
from collections.abc import Iterator

import pytest

from lastack.apps.services import Chargen, Discard, Echo, chargen_ring, daytime
from tests.interop.machine import Machine, machine

pytestmark = pytest.mark.interop("nc", "head")

ECHO, DISCARD, CHARGEN, DAYTIME = 7, 9, 19, 13
LISTENERS = 8  # of four services, for two versions of IP


@pytest.fixture
def there() -> Iterator[Machine]:
    """A machine with all services."""
    with machine() as made:
        for port, make in ((ECHO, Echo), (DISCARD, Discard), (CHARGEN, Chargen), (DAYTIME, daytime(lambda: "now"))):
            made.listen(make, port)
        yield made


@pytest.mark.parametrize("version", [4, 6])
def test_netcat_and_every_service(there: Machine, version: int) -> None:
    ours = there.box.ours[version == 6]
    text = b"hello\n" * 100_000
    assert there.run("nc", "-N", ours, str(ECHO), given=text) == text
    assert there.run("nc", "-N", ours, str(DISCARD), given=text) == b""
    assert there.run("nc", "-d", ours, str(DAYTIME)) == b"now\r\n"
    assert there.driver.run(lambda: there.time_waits() == 1, 20)  # the daytime's server closed first
    shown = there.run("sh", "-c", f"nc -d {ours} {CHARGEN} | head -c 1000000")
    assert shown == (chargen_ring() * 143)[:1_000_000]
    assert there.reactor.counters["bytes in"] == 2 * len(text)
    there.nothing_is_left(LISTENERS)


@pytest.mark.parametrize(("what", "port", "waits"), [("echo", ECHO, 0), ("read", DAYTIME, 200)])
def test_two_hundred_at_once_closed_from_either_side(there: Machine, what: str, port: int, waits: int) -> None:
    there.clients(what, port, 200, "at-once", 50_000)
    assert there.driver.run(lambda: not there.reactor.connections, 20)
    assert there.time_waits() == waits
    there.nothing_is_left(LISTENERS)


@pytest.mark.parametrize(("what", "port"), [("echo", ECHO), ("read", DAYTIME)])
def test_two_thousand_one_after_another_closed_from_either_side(there: Machine, what: str, port: int) -> None:
    there.clients(what, port, 200, "sequential", 2_000)
    there.nothing_is_left(LISTENERS)
    gc.collect()
    before = len(gc.get_objects())
    there.clients(what, port, 2_000, "sequential", 2_000)
    there.nothing_is_left(LISTENERS)
    gc.collect()
    assert len(gc.get_objects()) - before < 200  # memory is flat
    assert there.reactor.counters["connections accepted"] == 2_200
    assert there.reactor.counters["connections ended by an error"] == 0
