"""A world whose hosts take in together what arrives together, as a real loop reads a batch."""

from __future__ import annotations

from lastack.apps.reactor import Reactor
from lastack.apps.services import Discard, Echo
from lastack.bench.alone_sim import _Ask, _Source
from lastack.sim.world import World

SIZE = 1_000_000


def hosts(batch: int) -> tuple[World, Reactor, Reactor]:
    """Two of them, `a` and `b`, with their reactors."""
    world = World(7, batch=batch)
    reactors = [Reactor(world.host(name, address)) for name, address in (("a", "10.0.0.1"), ("b", "10.0.0.2"))]
    for name, reactor in zip("ab", reactors, strict=True):
        world.nodes[name].on_ready = reactor
    return world, *reactors


def bulk(batch: int) -> World:
    world, here, there = hosts(batch)
    there.listen(world.now, 7, Discard)
    here.connect(world.now, ("10.0.0.2", 7), _Source)
    world.run(lambda: there.counters["bytes in"] >= SIZE)
    return world


def dialogue(batch: int) -> World:
    """A connection, a request, its answer, and both ends close."""
    world, here, there = hosts(batch)
    there.listen(world.now, 7, Echo)
    one = here.connect(world.now, ("10.0.0.2", 7), _Ask)
    world.run(for_=1_000_000)
    assert isinstance(one, _Ask) and one.heard == 1_000
    return world


def test_a_batch_is_acknowledged_as_one():  # RFC 9293 3.8.6.3 MUST-58
    alone, together = ([bulk(batch)["b"].counters["packets out"] for _ in range(2)] for batch in (1, 32))
    assert alone[0] == alone[1] and together[0] == together[1]  # the same again
    assert together[0] < alone[0] / 4


def test_one_by_one_each_second_segment_is_acknowledged():  # RFC 9293 SHLD-19
    world = bulk(1)
    assert world["b"].counters["packets out"] >= SIZE // 1448 // 2


def test_an_acknowledgment_rides_on_the_answer_of_the_application():  # as the loop of a real host has it
    assert dialogue(32)["b"].counters["packets out"] < dialogue(1)["b"].counters["packets out"]
