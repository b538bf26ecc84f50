"""A world that is told who was called: only those are asked what they have to send, and when they are due."""

from __future__ import annotations

from collections import Counter
from typing import Any

from lastack.sim.taps import Tap
from lastack.sim.world import World
from lastack.wire.datagram import build_tcp
from lastack.wire.segment import ACK, Segment
from tests.sim.fake import FakeHost

ASKED: Counter[str] = Counter()


class Counting(FakeHost):
    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self.name = options["name"]

    def transmit(self, now: int) -> list[Any]:
        ASKED[self.name] += 1
        return super().transmit(now)

    def deadline(self) -> int | None:
        ASKED[self.name] += 1
        return super().deadline()


def world() -> World:
    made = World(told=True, factory=Counting)
    for number in range(9):
        made.host(f"h{number}", f"10.0.0.{number + 1}")
    made.settle()
    made.next_time()
    ASKED.clear()
    return made


def say(made: World, name: str, at: int) -> None:
    made[name].say(at, "10.0.0.1", 1)
    made.stir(made.nodes[name])


def test_who_is_stirred_sends_and_nobody_else_is_asked() -> None:
    made = world()
    made["h4"].say(0, "10.0.0.8", 1)
    made.stir(made.nodes["h4"])
    made.run()
    assert made["h7"].heard
    assert set(ASKED) == {"h4", "h7"}


def test_who_is_not_stirred_is_not_known_to_have_been_called() -> None:
    made = world()
    made["h4"].say(0, "10.0.0.8", 1)
    made.run()
    assert not made["h7"].heard


def test_timers_come_in_the_order_of_their_times_and_then_of_hosts() -> None:
    made, order = world(), []
    for name, at in (("h5", 30), ("h2", 30), ("h8", 10), ("h1", 90), ("h3", 20)):
        say(made, name, at)
    made.power_off("h3")
    made.nodes["h0"].on_ready = lambda now, sockets: order.append(now)
    while made.step():
        pass
    assert order == [10, 30, 30, 90]
    assert [at for at, _, _ in made["h0"].heard] == [10, 30, 30, 90]


def test_a_timer_that_moves_back_and_forth_is_asked_when_it_is_due() -> None:
    """The heap keeps one entry of a host, which may come up too early."""
    made = world()
    say(made, "h1", 10)
    say(made, "h1", 500)
    say(made, "h2", 400)
    assert made.next_time() == 10
    made.run(for_=100)
    assert made.next_time() == 400
    say(made, "h1", 300)
    assert made.next_time() == 300
    made.run()
    assert [at for at, _, _ in made["h0"].heard] == [10, 300, 400, 500]


def test_who_was_switched_off_is_due_again_after_its_return() -> None:
    made = world()
    say(made, "h1", 10)
    assert made.next_time() == 10
    made.power_off("h1")
    made.run(for_=100)
    made.power_on("h1")
    say(made, "h1", 600)
    assert made.next_time() == 600


def test_those_that_are_called_send_in_the_order_of_hosts() -> None:
    made = world()
    for name in ("h5", "h2", "h8"):
        made[name].out.append(build_tcp(made[name].address, made["h0"].address, Segment(1, 2, 1, 0, ACK)))
        made.stir(made.nodes[name])
    senders: list[str] = []
    log = Tap()
    log.sent = lambda now, sender, receiver, frame: senders.append(sender)  # type: ignore[method-assign]
    made.tap(log)
    made.run()
    assert senders == ["h2", "h5", "h8"]
