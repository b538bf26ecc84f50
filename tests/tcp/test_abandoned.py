"""Nobody holds the connection any more: it ends in bounded time, whatever its peer does and whatever its state.

The bounds, of the preset `default`: eight retransmissions or probes in a row (`orphan_retransmissions`), which is at
most nine times `rto_max`, 18 minutes; `fin_wait_2_timeout` in FIN-WAIT-2; 2MSL in TIME-WAIT.
"""

from __future__ import annotations

from collections.abc import Callable

import pytest

from lastack.tcp.config import DEFAULT, SECOND, Config
from lastack.tcp.presets import BSD, LINUX
from lastack.tcp.sequence import MASK
from lastack.tcp.states import State
from lastack.wire.segment import RST
from tests.tcp.harness import Exchange, reach

SENDERS = (State.ESTABLISHED, State.CLOSE_WAIT)
BOUND = 9 * 120 + 60 + 60


def silent(t: Exchange) -> str:
    return ""


def zero_window(t: Exchange) -> str:
    """It has room for nothing."""
    una, nxt = (t.tcb.snd_una - t.iss) & MASK, (t.tcb.rcv_nxt - t.irs) & MASK
    return f". {nxt}:{nxt}(0) ack {una} win 0"


def no_fin(t: Exchange) -> str:
    """It takes everything and never closes."""
    end, nxt = (t.tcb.snd_nxt - t.iss) & MASK, (t.tcb.rcv_nxt - t.irs) & MASK
    return f". {nxt}:{nxt}(0) ack {end} win 60000"


def lasts(t: Exchange, answer: Callable[[Exchange], str], most: int) -> int:
    """Seconds until the connection is over."""
    for second in range(most + 1):
        if t.state in (State.CLOSED, State.LISTEN):
            t.pending.clear()
            return second
        if any(not segment.flags & RST for _, segment in t.pending) and (line := answer(t)):
            t.pending.clear()
            t.gets(line)
        t.pending.clear()
        at = t.now + SECOND
        while (due := t.connection.deadline()) is not None and due <= at and t.state is not State.CLOSED:
            t.log((due - t.now) / 1000)
            t.gets(answer(t)) if answer is not silent and t.state is not State.CLOSED else None
            t.pending.clear()
        t.log((at - t.now) / 1000)
    raise AssertionError(f"{t.state.value} after {most} s")


@pytest.mark.parametrize("peer", [silent, zero_window, no_fin])
@pytest.mark.parametrize("queued", [0, 5000])
@pytest.mark.parametrize("state", State)
@pytest.mark.parametrize("config", [DEFAULT, LINUX])
def test_an_abandoned_connection_ends(state: State, queued: int, peer: Callable[[Exchange], str], config: Config):
    t = reach(state, config)
    if queued and state in SENDERS:
        t.gets(zero_window(t)) if peer is zero_window else None
        t.call.send(queued)
        t.pending.clear()
    t.step(lambda c, now: None)
    t.call.leave()
    assert lasts(t, peer, BOUND) <= BOUND


@pytest.mark.parametrize(("peer", "least", "most"), [(silent, 102, 104), (zero_window, 204, 206), (no_fin, 60, 62)])
def test_how_long_that_is_after_a_short_round_trip(peer: Callable[[Exchange], str], least: int, most: int):
    """RTO is 200 ms: 0.2 + 0.4 + ... + 51.2 s, with probes 102.4 s more; and the FIN-WAIT-2 timer."""
    t = reach(State.ESTABLISHED)
    if peer is zero_window:
        t.gets(zero_window(t))
    t.call.send(100)
    t.pending.clear()
    t.call.leave()
    t.pending.clear()
    assert least <= lasts(t, peer, most) <= most


def test_bsd_counts_idle_time_in_fin_wait_2():
    t = reach(State.FIN_WAIT_2, BSD)
    t.call.leave()
    assert 674 <= lasts(t, silent, 700) <= 676


def test_a_closed_window_lasts_while_the_application_holds_the_connection():  # MUST-37, the counter-case
    t = reach(State.ESTABLISHED)
    t.gets(zero_window(t))
    t.call.send(100)
    t.pending.clear()
    with pytest.raises(AssertionError, match="after 600 s"):
        lasts(t, zero_window, 600)
    t.pending.clear()
