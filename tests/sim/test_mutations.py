"""Planted bugs: a checker that has caught nothing proves nothing. Each bug must be seen, and for what it is."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import replace
from random import Random
from typing import Any

import pytest

from lastack.host import host, options
from lastack.link.faults import Faults
from lastack.link.match import IS_DATA
from lastack.link.rules import Delay
from lastack.link.targeted import Hold
from lastack.sim.checkers import watch
from lastack.sim.plan import Plan
from lastack.sim.simulation import run_simulation
from lastack.sim.world import CheckFailed, World
from lastack.tcp import (
    arrives,
    buffers,
    calls,
    episode,
    greeting,
    handshake,
    output,
    parting,
    predict,
    ranges,
    sack,
    states,
    text,
    timeouts,
    window,
)
from lastack.tcp.config import DEFAULT, NEVER
from lastack.tcp.reassembly import Reassembly
from lastack.tcp.sequence import MASK
from lastack.tcp.states import Event, State
from lastack.tcp.tcb import Tcb
from lastack.wire import datagram
from tests.sim.plans import READS, SECOND, SENDS, plan

SMALL = DEFAULT.having(receive_buffer=3_000)
TO_SMALL = {"a": DEFAULT, "b": SMALL}
NO_PROBES = {name: DEFAULT.having(tail_loss_probes=False) for name in "ab"}
ONE_SELECTIVE = {"a": DEFAULT, "b": DEFAULT.having(sack=False)}
SLEEPY = replace(READS, read_late=SECOND)
LOSSY = {"a": Faults(delay=10_000, loss=0.2), "b": Faults(delay=10_000, loss=0.2)}
HURT = {"a": Faults(delay=10_000, corrupt=0.3), "b": Faults(delay=10_000)}

# Its FIN crosses that of a peer which closes as soon as it is there.
SLOW = replace(SENDS, size=2, write=1, write_pause=12_000)

Patch = pytest.MonkeyPatch


def wrap(patch: Patch, module: Any, name: str, change: Callable[..., Any]) -> None:
    """Replace `module.name` by `change(original, *arguments)`."""
    original = getattr(module, name)
    patch.setattr(module, name, lambda *args, **named: change(original, *args, **named))


def general_path_only(patch: Patch) -> None:
    """Header prediction is a short cut in front of where most bugs are planted, and others stand beside it."""
    for module, name in ((predict, "predicted"), (greeting, "completed"), (parting, "heard"), (parting, "send")):
        patch.setattr(module, name, lambda *given: False)


# --- the bugs ---


def window_one_too_large(patch: Patch) -> None:
    def set_window(original: Any, tcb: Tcb, *rest: Any) -> None:
        original(tcb, *rest)
        tcb.snd_wnd += 1

    general_path_only(patch)
    wrap(patch, arrives, "set_window", set_window)


def fin_sent_once(patch: Patch) -> None:
    wrap(patch, ranges, "mark_lost", lambda original, tcb, sent: None if sent.fin else original(tcb, sent))


def no_window_update(patch: Patch) -> None:
    patch.setattr(calls, "update_due", lambda tcb: False)


def hole_acknowledged(patch: Patch) -> None:
    def ahead(original: Any, tcb: Tcb, first: int, payload: Any, size: int) -> None:
        original(tcb, first, payload, size)
        tcb.rcv_nxt = first

    wrap(patch, text, "_ahead", ahead)


def hole_skipped(patch: Patch) -> None:
    def ahead(original: Any, tcb: Tcb, first: int, payload: Any, size: int) -> None:
        tcb.receive_buffer.append(payload)
        tcb.signals |= 1

    wrap(patch, text, "_ahead", ahead)


def window_shrinks(patch: Patch) -> None:
    def advertise(tcb: Tcb) -> int:
        return max(window.space(tcb) - tcb.receive_buffer.length, 0) >> tcb.rcv_wscale

    patch.setattr(window, "advertise", advertise)


def no_delayed_ack_timer(patch: Patch) -> None:
    for module in (text, predict):
        patch.setattr(module, "acknowledge_text", lambda tcb, size, now: None)


def no_retransmission_timer(patch: Patch) -> None:
    def arm(original: Any, tcb: Tcb, now: int) -> None:
        original(tcb, now)
        tcb.retransmission_at = NEVER

    wrap(patch, output, "arm_timers", arm)


def timer_slept_through(patch: Patch) -> None:
    wrap(patch, timeouts, "deadline", lambda original, tcb: original(tcb) + 1)


def persist_timer_missing(patch: Patch) -> None:
    def arm(original: Any, tcb: Tcb, now: int) -> None:
        original(tcb, now)
        tcb.persist_at = NEVER

    wrap(patch, output, "arm_timers", arm)


def checksum_believed(patch: Patch) -> None:
    patch.setattr(datagram, "verify_transport", lambda *parts: True)


def end_before_the_text(patch: Patch) -> None:
    patch.setattr(calls, "at_end", lambda tcb: True)


def buffer_without_bound(patch: Patch) -> None:
    def advertise(tcb: Tcb) -> int:
        field = min(100_000 >> tcb.rcv_wscale, 0xFFFF)
        tcb.rcv_adv = (tcb.rcv_nxt + (field << tcb.rcv_wscale)) & MASK
        return field

    patch.setattr(window, "space", lambda tcb: 100_000)
    patch.setattr(window, "advertise", advertise)


def move_without_an_edge(patch: Patch) -> None:
    edges = {**states.TRANSITIONS[State.FIN_WAIT_1], Event.RCV_FIN: State.TIME_WAIT}
    table = {**states.TRANSITIONS, State.FIN_WAIT_1: edges}
    patch.setitem(states.move.__globals__, "TRANSITIONS", table)


def time_wait_forgotten(patch: Patch) -> None:
    patch.setattr(host.Host, "advance", lambda self, now: None)


def two_bytes_swapped(patch: Patch) -> None:
    def view(original: Any, buffer: Any, position: int, size: int) -> Any:
        data = bytearray(b"".join(original(buffer, position, size)))
        if size > 1:
            data[0], data[-1] = data[-1], data[0]
        return (memoryview(bytes(data)),)

    wrap(patch, buffers.SendBuffer, "view", view)


def block_one_too_long(patch: Patch) -> None:
    def latest(original: Any, *given: Any) -> list[tuple[int, int]]:
        return [(first, (end + 1) & 0xFFFFFFFF) for first, end in original(*given)]

    wrap(patch, Reassembly, "latest", latest)


def oldest_block_first(patch: Patch) -> None:
    wrap(patch, Reassembly, "latest", lambda original, *given: original(*given)[::-1])


def duplicates_invented(patch: Patch) -> None:
    def in_order(original: Any, tcb: Tcb, payload: Any, size: int, now: int) -> None:
        sack.duplicate(tcb, tcb.rcv_nxt, (tcb.rcv_nxt + size) & 0xFFFFFFFF)
        original(tcb, payload, size, now)

    general_path_only(patch)
    wrap(patch, text, "_in_order", in_order)


def sacked_sent_again(patch: Patch) -> None:
    def begin(original: Any, tcb: Tcb, now: int) -> None:
        ranges.forget_sacked(tcb)
        original(tcb, now)

    wrap(patch, episode, "begin", begin)


def nothing_agreed(patch: Patch) -> None:
    def accept(original: Any, tcb: Tcb, *given: Any) -> None:
        original(tcb, *given)
        tcb.sack_on = tcb.opened_from is State.CLOSED

    wrap(patch, handshake, "accept_syn", accept)


CAUGHT: list[tuple[Callable[[Patch], None], Plan, str]] = [
    (window_one_too_large, plan(SENDS, SLEEPY, configs=TO_SMALL), "beyond the window's edge"),
    (
        fin_sent_once,
        plan(configs=NO_PROBES, faults=LOSSY, heal_at=SECOND),
        "does not finish|should have lost nothing|are left",
    ),
    (no_window_update, plan(SENDS, SLEEPY, configs=TO_SMALL), "the peer was not told"),
    (hole_acknowledged, plan(faults=LOSSY), "acknowledges offset|have a gap"),
    (hole_skipped, plan(faults=LOSSY), "is not what was sent there|bytes received, and only"),
    (window_shrinks, plan(SENDS, SLEEPY), "moves the window's right edge back"),
    (no_delayed_ack_timer, plan(), "and no timer runs .MUST-40"),
    (no_retransmission_timer, plan(), "no timer would send it again"),
    (timer_slept_through, plan(), "the host wants to wake at"),
    (persist_timer_missing, plan(SENDS, SLEEPY, configs=TO_SMALL), "no timer"),
    (checksum_believed, plan(faults=HURT), "is not what was sent there|acknowledges|a connection that nobody opened"),
    (end_before_the_text, plan(), "nobody opened|an end that the sender did not make|the end after"),
    (buffer_without_bound, plan(SENDS, SLEEPY, configs=TO_SMALL), "may be held"),
    (move_without_an_edge, plan(SLOW, replace(SENDS, size=0)), "no edge does"),
    (time_wait_forgotten, plan(), "deadline of host|a timer is due"),
    (block_one_too_long, plan(faults=LOSSY), "which never arrived"),
    (oldest_block_first, plan(faults=LOSSY), "tells first of"),
    (duplicates_invented, plan(), "came twice, and it did not"),
    (sacked_sent_again, plan(READS, SENDS, faults=LOSSY), "which the peer said that it holds"),
    (nothing_agreed, plan(READS, SENDS, configs=ONE_SELECTIVE, faults=LOSSY), "not agreed"),
    (two_bytes_swapped, plan(), "byte 0 is not what was sent there"),
]


@pytest.mark.parametrize(("plant", "where", "what"), CAUGHT, ids=lambda value: getattr(value, "__name__", ""))
def test_a_planted_bug_is_caught(plant: Callable[[Patch], None], where: Plan, what: str, monkeypatch: Patch) -> None:
    seeds = range(12)
    assert all(run_simulation(seed, plan=where).ok for seed in seeds), "the plan fails without the bug"
    plant(monkeypatch)
    problems = [run_simulation(seed, plan=where).problem for seed in seeds]
    first = next((problem for problem in problems if problem), "nothing was seen")
    assert re.search(what, first), first


# --- TIME-WAIT cut to nothing, the same ports, overlapping sequence numbers (RFC 1337) ---


def delayed_duplicate(**settings: Any) -> None:
    """A segment of an old incarnation wanders, and comes to a new one on the same ports."""
    config = DEFAULT.having(timestamps=False, rfc5961_ack=False, **settings)
    world = World(seed=1)
    checks = watch(world)
    hosts = {name: world.host(name, address, config) for name, address in (("a", "10.0.0.1"), ("b", "10.0.0.2"))}
    for path in world.paths("a", "b"):
        path.add(Delay(1_000, Random(1)))
    wanderer = world.path("a", "b").pipeline.insert(Hold(IS_DATA, {2}, copy=True))
    listener = hosts["b"].socket()
    listener.bind(("10.0.0.2", 80))
    listener.listen(world.now)
    for label in ("the old one", "the new one"):
        client = hosts["a"].socket()
        client.bind(("10.0.0.1", 40_000))
        with pytest.raises(BlockingIOError):
            client.connect(world.now, ("10.0.0.2", 80))
        tcb = client.tcb
        stream = checks.streams.open("a", tcb.local, tcb.remote, tcb.iss, label, 3_000)
        world.run(for_=10_000)
        server, _ = listener.accept(world.now)
        for start in (0, 1_000, 2_000):
            if label == "the new one" and start:
                world.release(wanderer)
                world.run(for_=10_000)
            checks.streams.sent(stream, client.send(world.now, stream.data[start : start + 1_000]))
            world.run(for_=10_000)
            checks.streams.received("b", stream, server.recv(world.now, 5_000))
        client.shutdown(world.now, options.SHUT_WR)
        world.run(for_=10_000)
        server.close(world.now)
        world.run(for_=10_000)
        client.close(world.now)
        world.run(for_=10_000)


def test_time_wait_keeps_the_ports() -> None:
    with pytest.raises(OSError, match="in use"):
        delayed_duplicate()


def test_without_time_wait_the_initial_sequence_numbers_still_protect() -> None:  # RFC 6528
    delayed_duplicate(msl=0)


def test_an_old_duplicate_delivered_is_caught(monkeypatch: Patch) -> None:  # RFC 1337
    numbers = iter((1_000, 5_000, 1_500, 5_000))
    monkeypatch.setattr(host.Host, "initial_sequence_number", lambda self, local, remote, now: next(numbers))
    with pytest.raises(CheckFailed, match=r"byte 1000 is not what was sent there|came twice, and it did not"):
        delayed_duplicate(msl=0)
