"""Waiting for the other side: FIN-WAIT-2, CLOSE-WAIT, LAST-ACK. What ends them, and what does not."""

from __future__ import annotations

from typing import Any

from lastack.sim.scenarios.play import Play
from lastack.sim.scenarios.registry import scenario
from lastack.sim.scenarios.stage import Stage
from lastack.tcp.config import HOUR, MILLISECOND, SECOND
from lastack.tcp.states import State

DAY = 24 * HOUR


def give_up_time(rto: int, rto_max: int, retransmissions: int) -> int:
    """How long after the first transmission R2 is reached: the RTO doubles up to its maximum (RFC 6298 5.5)."""
    return sum(min(rto << backoff, rto_max) for backoff in range(retransmissions + 1))


@scenario("fin-wait-2", row="13", kernel=True, title="FIN-WAIT-2: waiting for a FIN that may never come")
def fin_wait_2(play: Play) -> None:
    """Our FIN is acknowledged, the peer's has not come. Who has half-closed (shutdown) and still holds the
    descriptor may wait for ever, and go on reading. Where nobody holds it any more (close), no RFC sets a limit, but
    systems do: Linux 60 s after the state was entered, BSD after 10 min and 75 s in which nothing came (idle time: a
    segment starts it anew).
    """
    s = play.act(
        "Owned: a half-close lasts for ever", fin_wait_2_timeout=60 * SECOND, keepalive=False, always_keepalive=False
    )
    s.open()
    s.client.shutdown()
    s.pause()
    s.claim("no timer runs on either side", s.client.host.deadline() is None and s.server.host.deadline() is None)
    s.wait(30 * DAY)
    s.claim("after 30 days it is still FIN-WAIT-2", s.client.state is State.FIN_WAIT_2, s.client.state)
    s.server.send(b"at last")
    s.pause()
    s.claim("and what the server sends from CLOSE-WAIT is read", s.client.received == b"at last", s.client.received)

    s = _orphan(play, "Orphan: Linux's timer", 60, idle=False)
    _ends_after(s, 60 * SECOND)
    s = _orphan(play, "Orphan: BSD's timer, nothing comes", 675, idle=True)
    _ends_after(s, 675 * SECOND)

    s = _orphan(play, "Orphan: BSD's timer, a segment comes after 300 s", 675, idle=True, segment_at=300)
    _ends_after(s, 300 * SECOND + 675 * SECOND)
    s = _orphan(play, "Orphan: Linux's timer, a segment comes after 30 s", 60, idle=False, segment_at=30)
    _ends_after(s, 60 * SECOND)

    s = _orphan(play, "Orphan: the RFC's letter, no timer", 0, idle=False)
    s.wait(30 * DAY)
    s.claim("after 30 days it is still FIN-WAIT-2", s.client.state is State.FIN_WAIT_2, s.client.state)


def _orphan(play: Play, title: str, timeout: int, *, idle: bool, segment_at: int = 0) -> Stage:
    """The client has closed, the server never will; `segment_at` seconds after FIN-WAIT-2 began an old ACK comes."""
    s = play.act(
        title, fin_wait_2_timeout=timeout * SECOND, fin_wait_2_counts_idle=idle, keepalive=False, always_keepalive=False
    )
    s.open()
    ack = s.hold("1st ACK", s.server, copy=True)
    s.client.close()
    s.run(lambda: s.client.state is State.FIN_WAIT_2)
    if segment_at:
        s.wait(segment_at * SECOND - s.latency)
        s.release(ack)
        s.wait(s.latency)
    return s


def _ends_after(s: Stage, time: int) -> None:
    entered = s.client.talk.walk.entered(State.FIN_WAIT_2)
    assert entered is not None
    s.wait(entered + time - 1 - s.now)
    s.claim("a microsecond before it is FIN-WAIT-2", s.client.state is State.FIN_WAIT_2, s.client.state)
    s.wait(1)
    s.claim(f"{time // SECOND} s after it began it is CLOSED", s.client.state is State.CLOSED, s.client.state)
    s.claim("the reason: the timer", s.client.talk.reason == "FIN-WAIT-2 timer", s.client.talk.reason)
    s.claim("there is no TIME-WAIT", State.TIME_WAIT not in s.client.states, s.client.states)
    s.claim("the server is told nothing: CLOSE-WAIT", s.server.state is State.CLOSE_WAIT, s.server.state)


@scenario("close-wait-for-ever", row="13b", kernel=True, title="CLOSE-WAIT: the application has not closed")
def close_wait_for_ever(play: Play) -> None:
    """The peer has closed, the application has read EOF, and does not close. Nothing in TCP ends CLOSE-WAIT: no
    timer runs, and the peer has nothing more to say. An application that leaks descriptors so collects one more with
    every connection. The cure is in the program: close what has ended. It then goes to LAST-ACK at once.
    """
    s = play.act(fin_wait_2_timeout=60 * SECOND, keepalive=False, always_keepalive=False)
    for _ in range(3):
        s.open()
        s.client.close()
        s.pause()
    s.claim("the application has read EOF", all(talk.end for talk in s.server.talks))
    s.wait(30 * DAY)
    states = [tcb.state for tcb in s.server.host.connections()]
    s.claim("after 30 days the leak is three in CLOSE-WAIT", states == [State.CLOSE_WAIT] * 3, states)
    s.claim("no timer runs", s.server.host.deadline() is None, s.server.host.deadline())
    s.claim("the clients are long gone", s.client.state is State.CLOSED and not s.client.host.connections())
    for talk in s.server.talks:
        talk.close()
    s.pause()
    walks = {tuple(talk.states[-3:]) for talk in s.server.talks}
    expected = {(State.CLOSE_WAIT, State.LAST_ACK, State.CLOSED)}
    s.claim("each goes to LAST-ACK when it is closed, and then CLOSED", walks == expected)
    s.claim("no socket is left", not s.server.host.connections())


@scenario("last-ack-ends", row="13c", title="LAST-ACK with a peer that has vanished")
def last_ack_ends(play: Play) -> None:
    """LAST-ACK waits for one thing, the ACK of our FIN: not for old segments to die, that is TIME-WAIT's. If the
    peer has vanished, the FIN is sent again, each time after twice as long, and given up at R2 (RFC 9293 3.8.3). As
    nobody holds the descriptor any more, Linux makes do with 8 retransmissions; who still holds it gets the 15 of
    data.
    """
    rto: dict[str, Any] = {
        "rto_slop": 0,
        "rto_min_above_srtt": False,
        "rto_min": 200 * MILLISECOND,
        "rto_max": 120 * SECOND,
        "user_timeout": 0,
        "reset_when_given_up": False,
        "tail_loss_probes": False,  # one would be sent in the place of the first retransmission
    }
    s = play.act("Orphan: 8 retransmissions", orphan_retransmissions=8, r2_retransmissions=15, **rto)
    _client_vanishes(s)
    s.server.close()
    _given_up(s, 8)
    s = play.act("Owned: 15 retransmissions", orphan_retransmissions=8, r2_retransmissions=15, **rto)
    _client_vanishes(s)
    s.server.shutdown()
    _given_up(s, 15)
    told = s.server.talk.so_error()
    s.claim("the application is told: ETIMEDOUT", told == "ETIMEDOUT", told)


def _client_vanishes(s: Stage) -> None:
    s.open()
    s.client.shutdown()
    s.pause()
    s.client.power_off()


def _given_up(s: Stage, retransmissions: int) -> None:
    start = s.now
    after = give_up_time(200 * MILLISECOND, 120 * SECOND, retransmissions)
    s.wait(after - 1)
    s.claim("a microsecond before the end it is LAST-ACK", s.server.state is State.LAST_ACK, s.server.state)
    s.run()
    fins = len(s.sent("FIN", s.server))
    s.claim(f"the FIN is sent once, and {retransmissions} times again", fins == 1 + retransmissions, fins)
    s.claim(f"it is CLOSED after {after / SECOND:g} s", s.now == start + after, s.now - start)
    s.claim_states("by way of CLOSE-WAIT and LAST-ACK", s.server, _WAY)
    reason = s.server.talk.reason
    s.claim("the reason: R2", reason == "the peer did not answer (R2 reached)", reason)


_WAY = "CLOSED LISTEN SYN_RCVD ESTABLISHED CLOSE_WAIT LAST_ACK CLOSED"
