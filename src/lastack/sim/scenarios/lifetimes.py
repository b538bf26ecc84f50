"""How long a segment can live, and why TIME-WAIT lasts twice that."""

from __future__ import annotations

from typing import Any

from lastack.link.frame import Frame
from lastack.link.match import parse_choice
from lastack.link.targeted import Loop
from lastack.sim.scenarios.forced import force, refusal
from lastack.sim.scenarios.play import Play
from lastack.sim.scenarios.registry import scenario
from lastack.sim.scenarios.stage import Stage
from lastack.sim.taps import Tap
from lastack.tcp.config import MILLISECOND, SECOND
from lastack.tcp.states import State

PORT = 40_000
OLD = b"old text"
NEW = b"new text"
MORE = b" and more"
MSL = 30 * SECOND  # of the network: no segment is older when it arrives
ALMOST = MSL - MILLISECOND
LATENCY = MILLISECOND
CUT = 10 * MILLISECOND
LEFT = 3 * MILLISECOND


class Ages(Tap):
    """How long the oldest segment that arrived had been under way, in microseconds."""

    def __init__(self) -> None:
        self.oldest = 0

    def delivered(self, now: int, sender: str, receiver: str, frame: Frame) -> None:
        """See `Tap`."""
        self.oldest = max(self.oldest, now - frame.sent_at)


class Hops(Tap):
    """The lowest hop limit with which a segment arrived."""

    def __init__(self) -> None:
        self.least = 255

    def delivered(self, now: int, sender: str, receiver: str, frame: Frame) -> None:
        """See `Tap`."""
        self.least = min(self.least, frame.hop_limit)


@scenario("why-two-msl", row="18b", title="One MSL for the ACK, another for the FIN that it crosses")
def why_two_msl(play: Play) -> None:
    """The last ACK takes almost one MSL. As long as it is under way, the peer in LAST-ACK sends its FIN again, at
    the worst at the very end; that FIN may take another MSL. So it arrives almost 2MSL after TIME-WAIT began. Had
    the wait ended just before, the FIN would meet a new incarnation, end its stream and cut off the rest (here
    sequence numbers overlap and there are no timestamps). At 2MSL TIME-WAIT is still there: it answers, and nothing
    happens.
    """
    s, ages = _until_the_cut(play, "TIME-WAIT ends 10 ms too early", 2 * MSL - CUT)
    refused = refusal(lambda: s.connect(local=PORT))
    s.claim("TIME-WAIT is over: the same ports may be used", refused == "", refused)
    s.run(lambda: s.states() == (State.ESTABLISHED, State.ESTABLISHED))
    s.client.send(b"request")
    s.server.send(NEW)
    s.wait(CUT)
    s.claim("the application is told that the stream has ended", s.client.end)
    s.claim("the old FIN ends the new stream", s.client.state is State.CLOSE_WAIT, s.client.state)
    s.claim("no segment lived longer than the MSL", ages.oldest <= MSL, ages.oldest)
    s.server.send(MORE)
    s.pause()
    s.claim("but its server has closed nothing", s.server.state is State.ESTABLISHED, s.server.state)
    s.claim("the rest of what it sends is never read", s.client.received == NEW, s.client.received)

    s, ages = _until_the_cut(play, "TIME-WAIT lasts 2MSL", 2 * MSL)
    refused = refusal(lambda: s.connect(local=PORT))
    s.claim("TIME-WAIT is still there: the same ports are refused", refused == "EADDRNOTAVAIL", refused)
    before = len(s.sent("ACK", s.client))
    s.wait(CUT)
    s.claim("it answers the FIN by an ACK", len(s.sent("ACK", s.client)) == before + 1)
    s.claim("no segment lived longer than the MSL", ages.oldest <= MSL, ages.oldest)
    s.run()
    s.open(local=PORT)
    s.server.send(NEW + MORE)
    s.pause()
    s.claim("the new incarnation reads everything", s.client.received == NEW + MORE, s.client.received)
    s.claim("and no end that nobody made", not s.client.end)


def _until_the_cut(play: Play, title: str, time_wait: int) -> tuple[Stage, Ages]:
    """Until 10 ms before 2MSL: the last ACK came late, and the FIN that left just before will come 3 ms before 2MSL."""
    # The third retransmission, seven times the RTO after the first FIN, leaves a millisecond before the ACK arrives.
    rto = (ALMOST - MILLISECOND + LATENCY) // 7
    unprotected: dict[str, Any] = {"timestamps": False, "rfc5961_ack": False, "rfc1337": True}
    unprotected["tail_loss_probes"] = False  # the retransmission timer alone is to send the FIN again
    timers: dict[str, Any] = {
        "rto_min": rto,
        "rto_slop": 0,
        "rto_min_above_srtt": False,
        "rto_initial": rto,
        "rto_max": 60 * SECOND,
        "orphan_retransmissions": 8,
    }
    s = play.act(title, client={"msl": time_wait // 2}, latency=LATENCY, **unprotected, **timers)
    ages = s.world.tap(Ages())
    force(s.client, 5_000)
    force(s.server, 1_000)
    s.open(local=PORT)
    s.server.send(OLD)
    s.pause()
    s.client.close()
    s.pause()
    late_ack = s.hold("1st ACK", s.client)
    s.drop("2-3 FIN", s.server)
    late_fin = s.hold("4th FIN", s.server)
    s.server.close()
    s.run(lambda: s.client.state is State.TIME_WAIT)
    start = s.now
    s.wait(ALMOST - LATENCY)
    s.claim("the FIN is sent again just before the ACK comes", late_fin.held and s.server.state is State.LAST_ACK)
    s.release(late_ack)
    s.wait(LATENCY)
    s.claim("the ACK has taken almost one MSL", s.server.state is State.CLOSED, s.server.state)
    s.world.at(start + 2 * MSL - LEFT - LATENCY, lambda: s.release(late_fin))
    s.wait(start + 2 * MSL - CUT - s.now)
    return s, ages


@scenario("wanderer", row="18c", title="MSL against TTL: a segment in a routing loop")
def wanderer(play: Play) -> None:
    """Two routers send a segment to each other until the route is repaired. Each takes one from the hop limit (TTL),
    and no router counts seconds: so what bounds a segment's life is hops, and the MSL is a guess at their time. A
    quick loop kills in time; a slow one frees its segment late, into TIME-WAIT, or, past 2MSL, into what has come in
    its place. Then only the sequence numbers and PAWS are left.
    """
    s, loop = _caught(play, "It dies by its hop count", cycle=SECOND)
    s.wait(32 * SECOND - (s.now - loop.caught[0][0]) - 1)
    s.claim("a microsecond before 32 s it still goes round", loop.alive(s.now) == 1)
    s.wait(1)
    s.claim("at 32 s, after 64 routers, it is dead", loop.alive(s.now) == 0 and loop.counters["died"] == 1)
    s.release(loop)
    s.claim("the repair frees nothing", not loop.counters["released"])

    s, loop = _caught(play, "It arrives late, in TIME-WAIT", cycle=SECOND)
    s.wait(20 * SECOND - (s.now - loop.caught[0][0]))
    before = len(s.sent("ACK", s.client))
    hops = _freed(s, loop)
    s.claim("40 of its 64 hops are used up", hops == 24, hops)
    s.claim("TIME-WAIT answers it by an ACK", len(s.sent("ACK", s.client)) == before + 1)
    s.claim("and goes on", s.client.state is State.TIME_WAIT, s.client.state)

    s, loop = _caught(play, "A slow loop: it outlives 2MSL", cycle=10 * SECOND)
    s.run(lambda: s.client.state is State.CLOSED)
    s.claim("TIME-WAIT is over, and the segment still goes round", loop.alive(s.now) == 1)
    s.open(local=PORT)
    age = s.now - loop.caught[0][0]
    s.claim("it is older than 2MSL", age > 2 * MSL, age)
    _freed(s, loop)
    s.claim("the new incarnation does not take it: other numbers, an older timestamp", not s.client.received)
    s.server.send(NEW)
    s.pause()
    s.claim("and reads what its server sent", s.client.received == NEW, s.client.received)


def _freed(s: Stage, loop: Loop) -> int:
    """The route is repaired; returns the hop limit with which the segment arrives."""
    hops = Hops()
    s.world.tap(hops)
    s.note("the route is repaired")
    s.release(loop)
    s.pause()
    return hops.least


def _caught(play: Play, title: str, cycle: int) -> tuple[Stage, Loop]:
    """The server's text goes into the loop, its retransmission arrives, and both sides close, the client first."""
    s = play.act(title, msl=MSL, hop_limit=64, rfc1337=True, timestamps=True)
    s.open(local=PORT)
    loop = Loop(*parse_choice("1st data")[:2], cycle=cycle, hops=2)
    s.world.path("server", "client").pipeline.insert(loop)
    s.note("a routing loop", s.server)
    s.server.send(OLD)
    s.run(lambda: s.client.received == OLD)
    s.client.close()
    s.wait(100 * MILLISECOND)
    s.server.close()
    s.wait(100 * MILLISECOND)
    assert s.client.state is State.TIME_WAIT
    return s, loop
