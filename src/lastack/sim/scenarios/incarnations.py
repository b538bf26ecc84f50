"""Old segments and new incarnations: what TIME-WAIT keeps apart, and what happens where nothing does."""

from __future__ import annotations

from typing import Any

from lastack.sim.scenarios.forced import force, refusal
from lastack.sim.scenarios.play import Play
from lastack.sim.scenarios.registry import scenario
from lastack.sim.scenarios.stage import Stage
from lastack.tcp.config import MILLISECOND, SECOND
from lastack.tcp.sequence import lt
from lastack.tcp.states import State

PORT = 40_000
CLIENT_ISS = 5_000
SERVER_ISS = 1_000  # so that the server's text begins at 1001
REQUEST = b"balance?"
OLD = b"old: 1111"
NEW = b"new: 2222 and 33"
MSL = 30 * SECOND
MOMENT = 50  # microseconds, so that a whole connection fits into one tick of the timestamp clock

# All off that could keep an old segment out of a new incarnation, the ACK check of RFC 5961 included.
UNPROTECTED: dict[str, Any] = {
    "msl": 0,
    "timestamps": False,
    "rfc5961_ack": False,
    "rfc1337": True,
    "autotuning": False,
}


def ask(s: Stage) -> None:
    """The client sends its request; both sides know that it has come."""
    s.client.send(REQUEST)
    s.run(lambda: s.server.received == REQUEST and not s.client.talk.tcb.sent)


def close_in_turn(s: Stage) -> None:
    """The client closes, and then the server."""
    s.client.close()
    s.pause()
    s.server.close()
    s.pause()


def wander(s: Stage) -> Any:
    """The old incarnation: the server's answer is caught on its way, sent again, and the connection closed."""
    s.open(local=PORT)
    ask(s)
    wanderer = s.hold("1st data", s.server)
    s.server.send(OLD)
    s.run(lambda: s.client.received == OLD)
    close_in_turn(s)
    return wanderer


def answer_anew(s: Stage, wanderer: Any) -> bytes:
    """The new incarnation, and into it the wanderer if there is one; returns what the client has read.

    The server answers before it hears of the client's ACK for the old bytes, as in RFC 1337 Figure 2, step 7a: so the
    ACK covers numbers that it has just used, and nobody notices.
    """
    s.connect(local=PORT)
    s.run(lambda: s.states() == (State.ESTABLISHED, State.ESTABLISHED))
    ask(s)
    if wanderer is not None:
        s.note("the old segment arrives")
        s.release(wanderer)
        s.wait(15 * MILLISECOND)
    s.server.send(NEW)
    s.pause()
    return s.client.received


def compare(sent: bytes, read: bytes) -> list[int]:
    """The offsets at which what was read differs from what was sent."""
    return [at for at in range(max(len(sent), len(read))) if sent[at : at + 1] != read[at : at + 1]]


def reuse(play: Play, title: str, *, client: tuple[int, ...] = (), server: tuple[int, ...] = (), **on: Any) -> Stage:
    """An act with every protection off, but for those in `on`; `client` and `server` force their numbers."""
    s = play.act(title, **{**UNPROTECTED, **on})
    if client:
        force(s.client, *client)
    if server:
        force(s.server, *server)
    return s


@scenario("delayed-duplicate", row="9", title="TIME-WAIT outlives a wandering segment")
def delayed_duplicate(play: Play) -> None:
    """A segment of the server (sequence number 1001) goes astray; its retransmission arrives, and the connection
    ends. While the client is in TIME-WAIT nobody can open the same connection anew: bind refuses the port, connect
    the pair of endpoints. The segment comes, is acknowledged and thrown away, and after 2MSL none of its like can be
    alive.
    """
    s = play.act(msl=MSL, rfc1337=True)
    force(s.client, CLIENT_ISS, 9_000_000)
    force(s.server, SERVER_ISS, 7_000_000)
    wanderer = wander(s)
    s.claim("the wandering segment is number 1001", wanderer.held[0].segment.seq == 1001)
    s.claim("it was sent again, and all of it arrived", s.client.received == OLD, s.client.received)
    s.claim("the client, who closed first, is in TIME-WAIT", s.client.state is State.TIME_WAIT, s.client.state)
    refused = refusal(lambda: s.connect(local=PORT, reuse=False))
    s.claim("the local port is refused: EADDRINUSE", refused == "EADDRINUSE", refused)
    refused = refusal(lambda: s.connect(local=PORT, reuse=True))
    s.claim("with SO_REUSEADDR, the pair of endpoints is: EADDRNOTAVAIL", refused == "EADDRNOTAVAIL", refused)

    before = len(s.sent("ACK", s.client))
    s.note("the old segment, number 1001, arrives")
    s.release(wanderer)
    s.pause()
    s.claim("TIME-WAIT answers it by an ACK", len(s.sent("ACK", s.client)) == before + 1)
    s.claim("no application reads a byte of it", s.client.received == OLD, s.client.received)
    s.claim("TIME-WAIT goes on", s.client.state is State.TIME_WAIT, s.client.state)
    s.run(lambda: s.client.state is State.CLOSED)
    read = answer_anew(s, None)
    s.claim("after 2MSL the new incarnation reads what its server sent", read == NEW, read)


@scenario("delayed-duplicate-delivered", row="9b", title="Without protection the old bytes are delivered")
def delayed_duplicate_delivered(play: Play) -> None:
    """The counter-case. TIME-WAIT is cut to nothing and the same ports are used at once. That alone does no harm: as
    RFC 1337 says (hazard H1), the sequence numbers must overlap as well, in both directions. So they are forced, and
    timestamps and the ACK check of RFC 5961 are off: the client reads what was meant for its predecessor, and nobody
    notices. Then each protection alone stops it: 2MSL, the ISN clock of RFC 6528, PAWS, the ACK check.
    """
    same = {"client": (CLIENT_ISS,), "server": (SERVER_ISS,)}
    s = reuse(play, "Nothing protects: TIME-WAIT cut, numbers overlap, no timestamps, no ACK check", **same)
    _accident(s)
    _two_msl_stops_it(reuse(play, "2MSL alone: the connection is refused until the segment is dead", msl=MSL, **same))
    _clock_stops_it(reuse(play, "The ISN clock alone (RFC 6528): the numbers do not overlap"))

    s = reuse(play, "PAWS alone (RFC 7323): the old timestamp gives it away", timestamps=True, **same)
    read = answer_anew(s, wander(s))
    s.claim("PAWS alone: the new stream is what was sent", read == NEW, read)

    far = {"client": (CLIENT_ISS, CLIENT_ISS + (1 << 30)), "server": (SERVER_ISS,)}
    s = reuse(play, "The old acknowledgment is out of range, and nobody checks it", **far)
    _accident(s)
    s = reuse(
        play, "The ACK check alone (RFC 5961 section 5): the old acknowledgment gives it away", rfc5961_ack=True, **far
    )
    read = answer_anew(s, wander(s))
    s.claim("the ACK check alone: the new stream is what was sent", read == NEW, read)


def _accident(s: Stage) -> None:
    wanderer = wander(s)
    read = answer_anew(s, wanderer)
    wrong = compare(NEW, read)
    for at in wrong:
        s.note(f"byte {at} of the new stream: sent {chr(NEW[at])!r}, delivered {chr(read[at])!r}", s.client)
    s.claim("the client reads the old bytes, and behind them the rest of the new", read == OLD + NEW[len(OLD) :], read)
    s.claim("every byte that differs is the old one's", wrong and all(read[at] == OLD[at] for at in wrong), wrong)
    s.claim("neither side has noticed anything", s.states() == (State.ESTABLISHED, State.ESTABLISHED), s.states())
    s.claim("the server believes all of it acknowledged", not s.server.talk.tcb.sent)


def _two_msl_stops_it(s: Stage) -> None:
    wanderer = wander(s)
    refused = refusal(lambda: s.connect(local=PORT))
    s.claim("2MSL alone: the same ports are refused", refused == "EADDRNOTAVAIL", refused)
    s.note("the old segment arrives")
    s.release(wanderer)
    s.run(lambda: s.client.state is State.CLOSED)
    read = answer_anew(s, None)
    s.claim("2MSL alone: the new stream is what was sent", read == NEW, read)


def _clock_stops_it(s: Stage) -> None:
    wanderer = wander(s)
    old = s.server.talk.tcb
    read = answer_anew(s, wanderer)
    ahead = (s.server.talk.tcb.iss - old.snd_nxt) & 0xFFFFFFFF
    s.claim("the new numbers of the server begin above all old ones", 0 < ahead < 1 << 31, ahead)
    s.claim("the ISN clock alone: the new stream is what was sent", read == NEW, read)


@scenario("delayed-duplicate-with-timestamps", row="9c", title="Reuse under RFC 6191, and PAWS behind it")
def delayed_duplicate_with_timestamps(play: Play) -> None:
    """The server closed first. In its TIME-WAIT a SYN whose timestamp is later than any of the old connection may
    open a new one at once (RFC 6191), even with lower sequence numbers: PAWS will know the old segments by their
    timestamps. The clock must have ticked in between. An equal timestamp passes PAWS, so such a SYN must not open
    anything unless its sequence number is higher; where TIME-WAIT is cut short within one tick, the old bytes get
    through.
    """
    stamped: dict[str, Any] = {"timestamps": True, "rfc6191": True, "quick_acks": 16}
    _ticked(play.act("A second later", msl=MSL, rfc1337=True, rfc5961_ack=False, **stamped))
    _same_tick(play.act("Within one tick", latency=5, msl=MSL, rfc1337=True, rto_initial=SECOND, **stamped))
    _same_tick_cut(play.act("Within one tick, TIME-WAIT cut", latency=5, msl=0, rfc5961_ack=False, **stamped))


def _request_wanders(s: Stage, moment: int = SECOND) -> Any:
    """The old incarnation: a copy of what the client sent wanders; the server closes first."""
    force(s.client, CLIENT_ISS)
    force(s.server, SERVER_ISS)
    s.open(local=PORT)
    wanderer = s.hold("1st data", s.client, copy=True)
    s.client.send(OLD)
    s.run(lambda: s.server.received == OLD and not s.client.talk.tcb.sent)
    s.server.close()
    s.wait(moment)
    s.client.close()
    s.wait(moment)
    return wanderer


def _ticked(s: Stage) -> None:
    wanderer = _request_wanders(s)
    s.wait(SECOND)
    s.claim("the server is in TIME-WAIT", s.server.state is State.TIME_WAIT, s.server.state)
    s.connect(local=PORT)
    s.pause()
    s.claim_states("the SYN reopens the connection from TIME-WAIT", s.server, "TIME_WAIT SYN_RCVD ESTABLISHED")
    tcb = s.server.talk.tcb
    held = wanderer.held[0].segment
    s.claim("the old segment is the very one that is expected, by its number", held.seq == tcb.rcv_nxt, held.seq)
    s.claim("and older by its timestamp", lt(held.ts_val, tcb.ts_recent), (held.ts_val, tcb.ts_recent))
    before = len(s.sent("ACK", s.server))
    s.note("the old segment arrives")
    s.release(wanderer)
    s.pause()
    s.claim("PAWS rejects it: an ACK, and nothing is delivered", s.server.received == b"", s.server.received)
    s.claim("it is answered by one ACK", len(s.sent("ACK", s.server)) == before + 1)
    s.client.send(NEW)
    s.pause()
    s.claim("the server reads what its client sent", s.server.received == NEW, s.server.received)


def _same_tick(s: Stage) -> None:
    _request_wanders(s, MOMENT)
    s.connect(local=PORT)
    s.wait(MOMENT)
    s.claim("the clock of 1 ms has not ticked", s.now < MILLISECOND, s.now)
    first, second = s.sent("SYN", s.client)
    assert first.ts_val is not None
    s.claim("the two SYNs bear one timestamp and one number", first.ts_val == second.ts_val and first.seq == second.seq)
    s.claim("the second opens nothing", s.server.state is State.TIME_WAIT, s.server.state)
    s.run(lambda: s.client.state is State.ESTABLISHED)
    third = s.sent("SYN", s.client)[2].ts_val
    s.claim("sent again later it does: the clock has ticked", third is not None and lt(first.ts_val, third), third)
    s.run(lambda: s.server.state is State.ESTABLISHED)
    s.claim_states("from TIME-WAIT", s.server, "TIME_WAIT SYN_RCVD ESTABLISHED")


def _same_tick_cut(s: Stage) -> None:
    wanderer = _request_wanders(s, MOMENT)
    s.connect(local=PORT)
    s.run(lambda: s.states() == (State.ESTABLISHED, State.ESTABLISHED))
    held = wanderer.held[0].segment
    s.claim("the old timestamp equals the newest", held.ts_val == s.server.talk.tcb.ts_recent, held.ts_val)
    s.note("the old segment arrives")
    s.release(wanderer)
    s.wait(7)
    s.client.send(NEW)
    s.pause()
    read = s.server.received
    s.claim("PAWS lets it pass, and the old bytes are delivered", read == OLD + NEW[len(OLD) :], read)
