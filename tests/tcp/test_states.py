"""All eleven states are reached by calls and segments, and every edge of the table by a driver of its own.

The edges that only a host can fire have theirs in tests/host: those by an ICMP hard error in test_icmp.py, that by a
SYN cookie in test_cookies.py.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from functools import partial

import pytest

from lastack.tcp.early import FastOpen
from lastack.tcp.states import COMPOSITES, TRANSITIONS, Event, State
from tests.tcp import harness
from tests.tcp.harness import Exchange
from tests.tcp.situations import from_simultaneous_open, reopened

SYNCHRONIZED = (
    State.ESTABLISHED,
    State.FIN_WAIT_1,
    State.FIN_WAIT_2,
    State.CLOSE_WAIT,
    State.CLOSING,
    State.LAST_ACK,
)
# SND.NXT and RCV.NXT in the states that `reach` leads to, where they are not 2 and 1.
SND_NXT = {State.SYN_RCVD: 1, State.ESTABLISHED: 1, State.CLOSE_WAIT: 1}
RCV_NXT = {State.CLOSE_WAIT: 2, State.CLOSING: 2, State.LAST_ACK: 2, State.TIME_WAIT: 2}
RESETS = (State.SYN_RCVD, State.ESTABLISHED, State.FIN_WAIT_1, State.FIN_WAIT_2, State.CLOSE_WAIT)
ACK_OF_SYN = (State.SYN_RCVD, Event.RCV_ACK_OF_SYN)
HOST_EDGES = {
    (State.SYN_SENT, Event.HARD_ERROR),
    (State.SYN_RCVD, Event.HARD_ERROR),
    (State.LISTEN, Event.RCV_ACK_OF_COOKIE),
}


# Which OPEN the connections of the synchronized states begin with.
passive = False


def reach(state: State, **settings: bool | int) -> Exchange:
    """`harness.reach`, by the OPEN of the moment where a state can be reached by both."""
    both = state in SYNCHRONIZED or state is State.TIME_WAIT
    return harness.reach(state, **({"passive": passive} if both else {}), **settings)


def calls(state: State, call: str) -> Exchange:
    t = reach(state)
    getattr(t.call, call)()
    return t


def opens(passive: bool) -> Exchange:
    t = reach(State.CLOSED)
    t.call.open(passive=passive)
    if not passive:
        t.sends("S 0:0(0)")
    return t


def listener_becomes_active(call: str) -> Exchange:
    t = reach(State.LISTEN)
    t.call.send(1) if call == "send" else t.call.open()
    t.sends("S 0:0(0)")
    return t


def closes(state: State) -> Exchange:
    t = reach(state)
    t.call.close()
    if state not in (State.LISTEN, State.SYN_SENT):
        t.sends(f"F. 1:1(0) ack {RCV_NXT.get(state, 1)}")
    return t


def aborts(state: State) -> Exchange:
    t = reach(state)
    t.call.abort()
    if state in RESETS:
        nxt = SND_NXT.get(state, 2)
        t.sends(f"R. {nxt}:{nxt}(0) ack {RCV_NXT.get(state, 1)}")
    return t


def gets(state: State, line: str, *answers: str, **settings: bool) -> Exchange:
    t = reach(state, **settings)
    t.gets(line)
    t.sends(*answers)
    return t


def is_reset(state: State, **settings: bool) -> Exchange:
    at = RCV_NXT.get(state, 1)
    return gets(state, f"R {at}:{at}(0)", **settings)


def is_refused() -> Exchange:
    """SYN-RECEIVED by a simultaneous open, which began with an active OPEN."""
    t = from_simultaneous_open()
    t.gets("R 1:1(0)")
    return t


def gets_syn_in_window(state: State) -> Exchange:
    t = reach(state, rfc5961_syn=False)
    at = RCV_NXT.get(state, 1)
    t.gets(f"S {at}:{at}(0)")
    t.sends(f"R. {t.zero}:{t.zero}(0) ack {at + 1}")
    return t


def user_times_out(state: State) -> Exchange:
    t = reach(state, user_timeout=30_000_000)
    if state in (State.ESTABLISHED, State.CLOSE_WAIT):
        t.call.send(10)
        t.sends(f"P. 1:11(10) ack {RCV_NXT.get(state, 1)}")
    t.log(29_999)
    assert t.state is state
    t.log(1)
    return t


def keepalive_times_out() -> Exchange:
    """Nothing of ours is outstanding in FIN-WAIT-2: only keep-alive finds that the peer is gone."""
    t = reach(State.FIN_WAIT_2, keepalive=True)
    t.log(2 * 3_600_000 + 9 * 75_000)
    return t


def fin_wait_2_times_out() -> Exchange:
    t = reach(State.ESTABLISHED)
    t.call.leave()
    t.sends("F. 1:1(0) ack 1")
    t.gets(". 1:1(0) ack 2")
    t.after(60_000)
    return t


def is_reopened() -> Exchange:
    return reopened(reach(State.TIME_WAIT))


def is_not_reopened() -> Exchange:
    """The SYN was an old duplicate: its sender has no such connection and says so."""
    t = is_reopened()
    t.gets("R 1:1(0)")
    return t


def is_opened_and_closed_by_one_segment() -> Exchange:
    """A fast open (RFC 7413): the SYN bears a FIN, too."""
    t = reach(State.LISTEN)
    t.tcb.fast_open = FastOpen(opened=True)
    t.gets("SF 0:0(0)")
    t.sends("S. 0:0(0) ack 2")
    return t


def waits_out() -> Exchange:
    t = reach(State.TIME_WAIT)
    t.after(60_000)
    return t


DRIVERS: dict[tuple[State, Event], Callable[[], Exchange]] = {
    (State.CLOSED, Event.PASSIVE_OPEN): partial(opens, True),
    (State.CLOSED, Event.ACTIVE_OPEN): partial(opens, False),
    (State.LISTEN, Event.RCV_SYN): partial(gets, State.LISTEN, "S 0:0(0)", "S. 0:0(0) ack 1"),
    (State.LISTEN, Event.SEND): partial(listener_becomes_active, "send"),
    (State.LISTEN, Event.ACTIVE_OPEN): partial(listener_becomes_active, "open"),
    (State.SYN_SENT, Event.RCV_SYN): partial(gets, State.SYN_SENT, "S 0:0(0)", "S. 0:0(0) ack 1"),
    (State.SYN_SENT, Event.RCV_SYN_ACK): partial(gets, State.SYN_SENT, "S. 0:0(0) ack 1", ". 1:1(0) ack 1"),
    (State.SYN_SENT, Event.RCV_RST): partial(gets, State.SYN_SENT, "R. 0:0(0) ack 1"),
    (State.SYN_RCVD, Event.RCV_ACK_OF_SYN): partial(gets, State.SYN_RCVD, ". 1:1(0) ack 1"),
    (State.SYN_RCVD, Event.RCV_RST_PASSIVE): partial(is_reset, State.SYN_RCVD),
    (State.SYN_RCVD, Event.RCV_RST): is_refused,
    (State.SYN_RCVD, Event.RCV_SYN): partial(gets, State.SYN_RCVD, "S 1:1(0)"),
    (State.SYN_RCVD, Event.RCV_RST_OLD_DUPLICATE): is_not_reopened,
    (State.SYN_RCVD, Event.RCV_FIN): is_opened_and_closed_by_one_segment,
    (State.ESTABLISHED, Event.RCV_FIN): partial(gets, State.ESTABLISHED, "F. 1:1(0) ack 1", ". 1:1(0) ack 2"),
    (State.FIN_WAIT_1, Event.RCV_ACK_OF_FIN): partial(gets, State.FIN_WAIT_1, ". 1:1(0) ack 2"),
    (State.FIN_WAIT_1, Event.RCV_FIN): partial(gets, State.FIN_WAIT_1, "F. 1:1(0) ack 1", ". 2:2(0) ack 2"),
    (State.FIN_WAIT_2, Event.RCV_FIN): partial(gets, State.FIN_WAIT_2, "F. 1:1(0) ack 2", ". 2:2(0) ack 2"),
    (State.FIN_WAIT_2, Event.FIN_WAIT_2_TIMEOUT): fin_wait_2_times_out,
    (State.FIN_WAIT_2, Event.USER_TIMEOUT): keepalive_times_out,
    (State.CLOSING, Event.RCV_ACK_OF_FIN): partial(gets, State.CLOSING, ". 2:2(0) ack 2"),
    (State.LAST_ACK, Event.RCV_ACK_OF_FIN): partial(gets, State.LAST_ACK, ". 2:2(0) ack 2"),
    (State.TIME_WAIT, Event.TIME_WAIT_TIMEOUT): waits_out,
    (State.TIME_WAIT, Event.RCV_SYN): is_reopened,
    (State.TIME_WAIT, Event.RCV_RST): partial(is_reset, State.TIME_WAIT, rfc1337=False),
    **{(state, Event.CLOSE): partial(closes, state) for state in TRANSITIONS if Event.CLOSE in TRANSITIONS[state]},
    **{(state, Event.ABORT): partial(aborts, state) for state in TRANSITIONS if Event.ABORT in TRANSITIONS[state]},
    **{(state, Event.RCV_RST): partial(is_reset, state) for state in SYNCHRONIZED},
    **{(state, Event.RCV_SYN_IN_WINDOW): partial(gets_syn_in_window, state) for state in SYNCHRONIZED},
    **{
        (state, Event.USER_TIMEOUT): partial(user_times_out, state)
        for state in (State.SYN_SENT, State.SYN_RCVD, *SYNCHRONIZED)
        if state is not State.FIN_WAIT_2
    },
}
EDGES = [(state, event) for state, edges in TRANSITIONS.items() for event in edges if (state, event) not in HOST_EDGES]


@pytest.mark.parametrize("edge", EDGES, ids=lambda edge: f"{edge[0].name}-{edge[1].name}")
def test_every_edge_of_the_table_is_fired(edge: tuple[State, Event]):
    t = DRIVERS[edge]()
    assert t.edges[-1] == edge
    assert t.state is TRANSITIONS[edge[0]][edge[1]]


@pytest.mark.parametrize(
    "edge",
    [edge for edge in EDGES if edge[0] in SYNCHRONIZED or edge[0] is State.TIME_WAIT],
    ids=lambda edge: f"{edge[0].name}-{edge[1].name}",
)
def test_a_passive_open_comes_by_every_edge_too(edge: tuple[State, Event], monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(sys.modules[__name__], "passive", True)
    t = DRIVERS[edge]()
    assert t.edges[:3] == [(State.CLOSED, Event.PASSIVE_OPEN), (State.LISTEN, Event.RCV_SYN), ACK_OF_SYN]
    assert t.edges[-1] == edge
    assert t.state is TRANSITIONS[edge[0]][edge[1]]


def test_no_driver_stands_for_an_edge_that_the_table_lacks():
    assert set(DRIVERS) == set(EDGES)


@pytest.mark.parametrize("state", State)
def test_every_state_is_reached(state: State):
    assert reach(state).state is state


def fin_and_its_ack_at_once() -> Exchange:
    return gets(State.FIN_WAIT_1, "F. 1:1(0) ack 2", ". 2:2(0) ack 2")


def fin_on_the_ack_of_syn() -> Exchange:
    return gets(State.SYN_RCVD, "F. 1:1(0) ack 1", ". 1:1(0) ack 2")


ONE_SEGMENT = list(zip((fin_and_its_ack_at_once, fin_on_the_ack_of_syn), COMPOSITES, strict=True))


@pytest.mark.parametrize(("driver", "composite"), ONE_SEGMENT)
def test_a_composite_edge_is_two_moves_by_one_segment(
    driver: Callable[[], Exchange], composite: tuple
):  # figure, note 2
    t = driver()
    first, _, last = composite
    assert t.edges[-2][0] is first
    assert t.edges[-1] == (TRANSITIONS[first][t.edges[-2][1]], Event.RCV_FIN)
    assert t.state is last


def test_all_edges_of_the_figure_are_in_the_table():  # RFC 9293 Figure 5 and its notes
    figure = """CLOSED LISTEN, CLOSED SYN_SENT, LISTEN SYN_RCVD, LISTEN SYN_SENT, LISTEN CLOSED, SYN_SENT SYN_RCVD,
        SYN_SENT ESTABLISHED, SYN_SENT CLOSED, SYN_RCVD ESTABLISHED, SYN_RCVD FIN_WAIT_1, SYN_RCVD LISTEN,
        ESTABLISHED FIN_WAIT_1, ESTABLISHED CLOSE_WAIT, FIN_WAIT_1 FIN_WAIT_2, FIN_WAIT_1 CLOSING,
        FIN_WAIT_2 TIME_WAIT, CLOSING TIME_WAIT, CLOSE_WAIT LAST_ACK, LAST_ACK CLOSED, TIME_WAIT CLOSED"""
    table = {(old.name, new.name) for old, edges in TRANSITIONS.items() for new in edges.values()}
    assert {tuple(edge.split()) for edge in figure.split(",")} <= table
