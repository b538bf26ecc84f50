"""The world alone, with hosts that know nothing of TCP: time, paths, power, taps, limits."""

from __future__ import annotations

from collections.abc import Sequence
from random import Random
from typing import Any

import pytest

from lastack.link.faults import Faults
from lastack.link.frame import Frame
from lastack.link.rules import Delay, Duplicate, Partition
from lastack.link.targeted import Hold, Mtu
from lastack.sim.clock import Clock
from lastack.sim.node import Node
from lastack.sim.taps import Tap, TraceHash
from lastack.sim.world import CheckFailed, World, WorldLimit
from tests.sim.fake import FakeHost

A, B = "10.0.0.1", "10.0.0.2"


def world(seed: int = 0, **options: Any) -> World:
    made = World(seed, factory=FakeHost, **options)
    made.host("a", A)
    made.host("b", B)
    return made


class Log(Tap):
    def __init__(self) -> None:
        self.lines: list[tuple[int, str]] = []

    def sent(self, now: int, sender: str, receiver: str, frame: Frame) -> None:
        self.lines.append((now, f"{sender}>{receiver} {frame.number} sent"))

    def delivered(self, now: int, sender: str, receiver: str, frame: Frame) -> None:
        self.lines.append((now, f"{sender}>{receiver} {frame.number} delivered"))

    def lost(self, now: int, sender: str, receiver: str, frame: Frame, why: str) -> None:
        self.lines.append((now, f"{sender}>{receiver} {frame.number} lost: {why}"))


def test_a_packet_there_and_its_answer_back() -> None:
    made, log = world(), Log()
    made.tap(log)
    for path in made.paths("a", "b"):
        path.add(Delay(100, Random(1)))
    made["a"].say(50, B, 2)
    assert made.run() is False  # nothing is left
    assert made["b"].heard == [(150, 2, b"")]
    assert made["a"].heard == [(250, 3, b"")]
    assert log.lines == [
        (50, "a>b 1 sent"),
        (150, "a>b 1 delivered"),
        (150, "b>a 2 sent"),
        (250, "b>a 2 delivered"),
    ]


def test_a_super_segment_is_cut_on_the_wire() -> None:
    made = world()
    made["a"].say(0, B, 1, bytes(2500), gso_size=1000)
    made.run()
    assert [len(text) for _, _, text in made["b"].heard] == [1000, 1000, 500]


def test_an_offloading_path_delivers_it_whole_and_taps_see_the_wire() -> None:
    made, log = world(), Log()
    made.tap(log)
    made.path("a", "b").offload = True
    made["a"].say(0, B, 1, bytes(2500), gso_size=1000)
    made.run()
    assert [len(text) for _, _, text in made["b"].heard] == [2500]
    assert len(log.lines) == 6


def test_run_until_and_for() -> None:
    made = world()
    made["a"].say(10, B, 1)
    made["a"].say(90, B, 3)
    assert made.run(lambda: bool(made["b"].heard)) is True
    assert made.now == 10
    assert made.run(for_=50) is True
    assert made.now == 60
    assert made.run(lambda: False, for_=100) is False
    assert made.now == 160
    assert made.next_time() is None


def test_applications_are_called_and_what_they_cause_is_sent() -> None:
    made = world()
    made.at(30, lambda: made["a"].say(30, B, 5))
    dropped = made.after(40, lambda: made["a"].say(0, B, 7))
    dropped.cancel()
    told: list[tuple[int, Sequence[Any]]] = []
    made.nodes["b"].on_ready = lambda now, sockets: told.append((now, sockets))
    made.run()
    assert [seq for _, seq, _ in made["b"].heard] == [5]
    assert told == [(30, ["heard 5"])]


def test_events_of_one_time_happen_in_the_order_of_their_planning() -> None:
    clock, order = Clock(), []
    for number in range(20):
        clock.plan(7 if number % 2 else 3, lambda number=number: order.append(number))  # type: ignore[misc]
    while (at := clock.next_time()) is not None:
        clock.advance(at)
        action, argument = clock.present.popleft()
        action(argument)
    assert order == [*range(0, 20, 2), *range(1, 20, 2)]
    assert clock.now == 7


def test_what_is_held_arrives_after_healing_and_no_fault_stands() -> None:
    made = world()
    forth = made.path("a", "b")
    forth.add(Hold())
    forth.add(Partition())
    made["a"].say(0, B, 1)
    made.run(for_=100)
    assert made["b"].heard == []
    made.heal()
    made["a"].say(100, B, 3)
    made.run()
    assert sorted(seq for _, seq, _ in made["b"].heard) == [1, 3]
    assert forth.pipeline.rules == []


def test_one_rule_is_released_where_it_stands() -> None:
    made = world()
    hold = made.path("a", "b").add(Hold())
    made["a"].say(0, B, 1)
    made.run()
    made.release(hold)
    made.run()
    assert len(made["b"].heard) == 1


def test_a_host_without_power_hears_nothing_and_keeps_nothing() -> None:
    made, log = world(), Log()
    made.tap(log)
    before = made["b"]
    made.power_off("b")
    made["a"].say(0, B, 1)
    made.run()
    assert before.heard == []
    assert log.lines[-1] == (0, "a>b 1 lost: host is down")
    after = made.power_on("b")
    assert after is not before
    assert after.options["secret"] == before.options["secret"]  # RFC 9293 section 3.4.3: its ISN clock goes on
    assert after.options["secret"] != made["a"].options["secret"]
    assert made.nodes["b"].boots == 2


def test_too_big_comes_back_to_the_sender() -> None:  # RFC 1191
    made = world()
    made.path("a", "b").add(Mtu(576))
    made["a"].say(0, B, 1, bytes(1000))
    made.run()
    assert made["b"].heard == []
    ((_, seq, data),) = made["a"].heard
    assert seq == -1
    assert data[20:22] == b"\x03\x04"


def test_no_route() -> None:
    made = world()
    made["a"].say(0, "10.9.9.9", 1)
    made.run()
    assert made.network.counters["lost: no route"] == 1


def test_names_and_addresses_are_taken_once() -> None:
    made = world()
    with pytest.raises(ValueError, match="there is a host a already"):
        made.host("a", "10.0.0.3")
    with pytest.raises(ValueError, match="hosts a and c cannot both"):
        made.host("c", A)


def trace(seed: int) -> str:
    made = world(seed)
    seen = made.tap(TraceHash())
    made.faults("a", "b", Faults(loss=0.2, delay=1000, jitter=900, reorder=0.2, duplicate=0.2))
    for number in range(200):
        made["a"].say(number * 100, B, number * 2, b"%d" % number)
    made.run()
    assert isinstance(seen, TraceHash)
    return seen.hexdigest()


def test_the_same_seed_is_the_same_trace_to_the_byte() -> None:
    assert trace(1) == trace(1)
    assert trace(1) != trace(2)


def test_what_never_ends_is_stopped_and_says_at_which_limit() -> None:
    made = world(max_events=50)
    made.path("a", "b").add(Duplicate(1.0, Random(1)))
    made.path("b", "a").add(Delay(10, Random(1)))

    def again() -> None:
        made.after(10, again)

    again()
    with pytest.raises(WorldLimit, match="max_events=50"):
        made.run()
    slow = world(max_time=1000)
    slow["a"].say(1001, B, 1)
    with pytest.raises(WorldLimit, match="max_time=1000"):
        slow.run()
    assert slow.now == 1000


def test_a_deadline_that_does_not_move_is_a_fault_of_the_host() -> None:
    made = world()
    made["a"].say(5, B, 1)
    made["a"].stuck = True
    with pytest.raises(WorldLimit, match="deadline of host a stays at 5 us"):
        made.run()


def test_a_failed_check_says_where_when_what_and_how_to_see_it_again() -> None:
    class Never:
        def check(self, world: World, touched: Sequence[Node]) -> None:
            if any(node.name == "b" for node in touched) and world["b"].heard:
                raise world.fail("b", "it heard something")

    made = world(replay="lastack simulate --seed 7")
    made.checkers.append(Never())
    made["a"].say(1_500_000, B, 1)
    with pytest.raises(CheckFailed) as failure:
        made.run()
    assert str(failure.value) == "it heard something (host b, at 1.500000 s)\nreplay: lastack simulate --seed 7"
