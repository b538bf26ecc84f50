"""A world written down: each arrival and each loss belongs to its departure."""

from __future__ import annotations

from io import BytesIO
from random import Random
from typing import Any

from lastack.link.rules import Corrupt, Duplicate
from lastack.link.targeted import Drop
from lastack.sim.recording import capture, record
from lastack.sim.taps import Silent
from lastack.sim.world import World
from lastack.tcp.config import DEFAULT
from lastack.tcp.states import Event, State
from lastack.trace.entries import Arrival, Departure, Loss
from lastack.trace.pcapng import read_stream
from tests.sim.bulk import Bulk
from tests.sim.fake import FakeHost


def world() -> World:
    made = World(factory=FakeHost)
    made.host("a", "10.0.0.1")
    made.host("b", "10.0.0.2")
    return made


def test_arrivals_and_losses_belong_to_their_departures() -> None:
    made = world()
    timeline = record(made)
    made.path("a", "b").add(Drop(numbers={2}))
    made.path("a", "b").add(Duplicate(1.0, Random(1)))
    made.path("a", "b").add(Corrupt(1.0, Random(1)))
    for at in (10, 20, 30):
        made["a"].say(at, "10.0.0.2", 1)
    made.nodes["b"].host = None  # what is hurt is for nobody
    made.run()
    departures = [entry.number for entry in timeline.entries if isinstance(entry, Departure)]
    assert len(set(departures)) == 3
    losses = [(entry.number, entry.why) for entry in timeline.entries if isinstance(entry, Loss)]
    first, second, third = departures
    down = "host is down"
    assert losses == [(first, down), (first, down), (second, "drop"), (third, down), (third, down)]


def test_a_packet_that_arrives_twice_is_told_twice() -> None:
    made = world()
    timeline = record(made)
    made.path("a", "b").add(Duplicate(1.0, Random(1)))
    made["a"].say(10, "10.0.0.2", 1)
    made.run()
    arrivals = [entry for entry in timeline.entries if isinstance(entry, Arrival)]
    assert [(entry.host, entry.again) for entry in arrivals] == [("b", False), ("b", True)]


def test_a_capture_shows_both_ends() -> None:
    made = world()
    stream = BytesIO()
    capture(made, stream)
    made["a"].say(10, "10.0.0.2", 2)
    made.run()
    stream.seek(0)
    assert len(list(read_stream(stream))) == 4


def test_who_begins_to_watch_in_the_middle_sees_what_is_under_way() -> None:
    made = world()
    for at in (10, 20):
        made["a"].say(at, "10.0.0.2", 1)
    made.run(lambda: made.network.under_way == 1 and made.now == 20)
    timeline = record(made)
    made.run()
    assert [entry.host for entry in timeline.entries if isinstance(entry, Arrival)] == ["b"]


def test_who_begins_to_observe_in_the_middle_is_told_by_the_connections_that_there_are() -> None:
    told: list[tuple[str, str]] = []

    class Told(Silent):
        def __init__(self, host: str) -> None:
            self.host = host

        def moved(self, now: int, connection: Any, old: State, event: Event, new: State) -> None:
            told.append((self.host, new.name))

        def call_made(self, now: int, connection: Any, call: str, detail: str) -> None:
            told.append((self.host, call))

    bulk = Bulk(1, DEFAULT, DEFAULT)
    client = bulk.flow()
    bulk.world.run(lambda: bulk.got.total() > 10_000)
    bulk.world.observe(Told)
    client.close(bulk.world.now)
    bulk.world.run(lambda: ("a", "FIN_WAIT_2") in told)
    assert {("a", "CLOSE"), ("b", "RECEIVE"), ("b", "CLOSE_WAIT")} <= set(told)
