"""The checks that look inside: each must see the error that it is there for."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import pytest

from lastack.sim.checkers import Moves, TcbCheck
from lastack.sim.streams import Streams
from lastack.sim.world import CheckFailed, World
from lastack.tcp.config import DEFAULT, NEVER
from lastack.tcp.scoreboard import SentRange
from lastack.tcp.states import Event, State
from lastack.tcp.tcb import Tcb
from lastack.tcp.window import limit
from tests.sim.fake import FakeHost

LOCAL, REMOTE = (b"\x0a\0\0\1", 1), (b"\x0a\0\0\2", 2)


class Holding(FakeHost):
    """Holds one connection that a test has made up."""

    tcb: Tcb
    wake = None

    def connections(self) -> list[Tcb]:
        return [self.tcb]

    def deadline(self) -> int | None:
        return self.wake


def established(**changes: Any) -> Tcb:
    """A connection with 100 bytes outstanding, all as it should be."""
    tcb = Tcb(DEFAULT.having(receive_buffer=1000, send_buffer=1000), LOCAL, REMOTE, 1500)
    tcb.state = State.ESTABLISHED
    tcb.snd_una, tcb.snd_nxt = 0xFFFFFFF0, 84
    tcb.sent = [SentRange(0xFFFFFFF0, 84, 0)]
    tcb.pipe = 100
    tcb.send_buffer.append(bytes(100))
    tcb.retransmission_at = 500
    tcb.rcv_nxt = tcb.last_ack_sent = 7
    tcb.rcv_adv = 1007
    for name, value in changes.items():
        setattr(tcb, name, value)
    return tcb


def look(tcb: Tcb, wake: int | None = 500, now: int = 100) -> None:
    world = World(start=now, factory=Holding)
    host = world.host("a", "10.0.0.1")
    host.tcb, host.wake = tcb, wake
    TcbCheck().check(world, tuple(world.nodes.values()))


def test_a_connection_as_it_should_be_passes() -> None:
    look(established())


def lost(first: int, end: int) -> list[SentRange]:
    sent = SentRange(first, end, 0)
    sent.lost = True
    return [sent]


def change(**changes: Any) -> Callable[[], Tcb]:
    return lambda: established(**changes)


def overfull(name: str) -> Callable[[], Tcb]:
    def make() -> Tcb:
        tcb = established()
        if name == "send_buffer":
            tcb.send_buffer.append(bytes(1001))
        else:
            tcb.receive_buffer.append((bytes(limit(tcb.config.receive_buffer) + 1),))
        return tcb

    return make


IDLE = {"sent": [], "pipe": 0, "snd_una": 84, "retransmission_at": NEVER}

# Everything is said, the peer's window and ours are closed, and there is room again.
DEAF = {"rcv_nxt": 1007, "last_ack_sent": 1007}

WRONG: dict[str, Callable[[], Tcb]] = {
    "is beyond SND.NXT": change(snd_una=85),
    "have a gap or an overlap": change(sent=[SentRange(0xFFFFFFF0, 50, 0), SentRange(51, 84, 0)]),
    "the ranges sent end at 83": change(sent=[SentRange(0xFFFFFFF0, 83, 0)]),
    "83 bytes are in flight, and 100 are counted": change(
        sent=[SentRange(0xFFFFFFF0, 0xFFFFFFF1, 0), *lost(0xFFFFFFF1, 2), SentRange(2, 84, 0)]
    ),
    "less than a segment .RFC 5681": change(snd_mss=1 << 20),
    "delayed until 600101": change(rcv_nxt=8, rcv_mss=50, delayed_ack_at=600_101),
    "100 bytes are unacknowledged, two segments of 50": change(rcv_nxt=107, rcv_mss=50, delayed_ack_at=600),
    "is beyond the right edge": change(rcv_nxt=1008, last_ack_sent=1008),
    "closed, with timers": change(state=State.CLOSED),
    "a timer is due at 99 us": change(retransmission_at=99),
    "the host wants to wake at 500: .*delayed_ack_at 499": change(delayed_ack_at=499),
    "no timer would send it again": change(retransmission_at=NEVER),
    "nothing is outstanding .RFC 6298": change(sent=[], pipe=0, snd_una=84),
    "the 2MSL timer runs, or not": change(time_wait_at=600),
    "the FIN-WAIT-2 timer runs in another state": change(fin_wait_2_at=600),
    "no timer would end it": change(**{**IDLE, "state": State.FIN_WAIT_2, "orphan": True}),
    "runs uncalled for": change(keepalive_at=600),
    "something waits to be sent, nothing": change(**IDLE),
    "and no timer runs .MUST-40": change(rcv_nxt=8, rcv_mss=50),
    "the window is closed, 1000 bytes have room": change(**DEAF),
    "1101 bytes wait to be sent, 1000 may": overfull("send_buffer"),
    "1063 bytes were received, 1062 may": overfull("receive_buffer"),
}


@pytest.mark.parametrize("what", WRONG)
def test_what_is_wrong_with_a_connection_is_seen(what: str) -> None:
    with pytest.raises(CheckFailed, match=what):
        look(WRONG[what]())


def test_room_that_the_scale_cannot_tell_is_not_told() -> None:  # RFC 7323 2.3: 96 bytes, in units of 128
    tcb = established(**DEAF, rcv_wscale=7)
    tcb.receive_buffer.append((bytes(904),))
    look(tcb)


def test_a_host_that_would_sleep_through_a_timer_is_seen() -> None:
    with pytest.raises(CheckFailed, match="wants to wake at None"):
        look(established(), wake=None)


def test_a_move_that_is_no_edge_is_seen() -> None:
    world = World()
    moves = Moves(world, "a", Counter())
    here = SimpleNamespace(state=State.TIME_WAIT, local=LOCAL, remote=REMOTE)
    moves.moved(0, here, State.FIN_WAIT_2, Event.RCV_FIN, State.TIME_WAIT)
    with pytest.raises(CheckFailed, match="FIN-WAIT-1 went to TIME-WAIT by rcv FIN: no edge does"):
        moves.moved(0, here, State.FIN_WAIT_1, Event.RCV_FIN, State.TIME_WAIT)
    with pytest.raises(CheckFailed, match="moved to CLOSING, and is in TIME-WAIT"):
        moves.moved(0, here, State.FIN_WAIT_1, Event.RCV_FIN, State.CLOSING)


def test_a_time_wait_that_is_too_short_is_seen() -> None:  # RFC 9293 section 3.6.1
    world = World(factory=FakeHost)
    world.host("a", "10.0.0.1")
    moves = Moves(world, "a", Counter())
    here = SimpleNamespace(state=State.TIME_WAIT, local=LOCAL, remote=REMOTE)
    moves.moved(0, here, State.FIN_WAIT_2, Event.RCV_FIN, State.TIME_WAIT)
    world.run(for_=2 * DEFAULT.msl - 1)
    here.state = State.CLOSED
    with pytest.raises(CheckFailed, match="TIME-WAIT lasted 59999999 us"):
        moves.moved(world.now, here, State.TIME_WAIT, Event.TIME_WAIT_TIMEOUT, State.CLOSED)


def two_streams() -> tuple[Streams, Any, Any]:
    streams = Streams(World(seed=1))
    first = streams.open("a", LOCAL, REMOTE, 100, "the old one", 50)
    second = streams.open("a", LOCAL, REMOTE, 200, "the new one", 50)
    return streams, first, second


def test_streams_that_arrive_as_sent_pass() -> None:
    streams, _, new = two_streams()
    streams.sent(new, 50)
    new.ended = True
    streams.received("b", streams.find("b", REMOTE, LOCAL, 200), new.data[:20])
    streams.received("b", new, new.data[20:])
    streams.finished("b", new)


def test_text_of_an_old_incarnation_in_a_new_one_is_seen() -> None:
    streams, old, new = two_streams()
    streams.sent(new, 50)
    with pytest.raises(CheckFailed, match="the new one: byte 20 is not what was sent there"):
        streams.received("b", new, new.data[:20] + old.data[20:30])


def test_text_that_nobody_sent_yet_is_seen() -> None:
    streams, _, new = two_streams()
    streams.sent(new, 10)
    with pytest.raises(CheckFailed, match="11 bytes received, and only 10 were sent"):
        streams.received("b", new, new.data[:11])


def test_an_end_too_early_or_not_made_is_seen() -> None:
    streams, old, new = two_streams()
    streams.sent(old, 10)
    with pytest.raises(CheckFailed, match="an end that the sender did not make"):
        streams.finished("b", old)
    streams.sent(new, 10)
    new.ended = True
    with pytest.raises(CheckFailed, match="the end after 0 bytes, and 10 were sent"):
        streams.finished("b", new)


def test_a_connection_that_nobody_opened_is_seen() -> None:
    streams, _, _ = two_streams()
    with pytest.raises(CheckFailed, match="a connection that nobody opened: IRS 300"):
        streams.find("b", REMOTE, LOCAL, 300)


def test_an_initial_sequence_number_used_twice_is_seen() -> None:
    streams, _, _ = two_streams()
    with pytest.raises(CheckFailed, match="has the initial sequence number 100 of the old one"):
        streams.open("a", LOCAL, REMOTE, 100, "another", 1)
