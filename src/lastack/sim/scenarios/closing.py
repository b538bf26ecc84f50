"""How connections close: RFC 9293 section 3.6."""

from __future__ import annotations

from lastack.sim.scenarios.party import Party, Talk
from lastack.sim.scenarios.play import Play
from lastack.sim.scenarios.registry import scenario
from lastack.sim.scenarios.stage import Stage
from lastack.tcp.config import SECOND
from lastack.tcp.states import State

MSL = 30 * SECOND
CLIENT_OPEN = "CLOSED SYN_SENT ESTABLISHED"
SERVER_OPEN = "CLOSED LISTEN SYN_RCVD ESTABLISHED"
ACTIVE = "FIN_WAIT_1 FIN_WAIT_2 TIME_WAIT CLOSED"
PASSIVE = "CLOSE_WAIT LAST_ACK CLOSED"


@scenario("four-way-close", row="2", kernel=True, title="Four segments close a connection, two for each direction")
def four_way_close(play: Play) -> None:
    """Whoever closes first (it may be either side) sends a FIN: "no more data from me". It is acknowledged, and the
    other's application reads EOF once it has read all that was queued before. Only when it closes too does the
    second FIN go, and its acknowledgment. The passive side is CLOSED on that ACK, at once: it does not wait for old
    segments to die. The active side waits in TIME-WAIT for 2MSL. No process need end for any of this: a close will do.
    """
    s = play.act("the client closes first", msl=MSL)
    s.open()
    _close_in_turn(s, s.client, f"{CLIENT_OPEN} {ACTIVE}", f"{SERVER_OPEN} {PASSIVE}")
    s = play.act("the server closes first", msl=MSL)
    s.open()
    _close_in_turn(s, s.server, f"{SERVER_OPEN} {ACTIVE}", f"{CLIENT_OPEN} {PASSIVE}")


def _close_in_turn(s: Stage, first: Party, active: str, passive: str) -> None:
    second = s.other(first)
    second.talk.reads = False
    first.send(b"last words")
    s.pause()
    before = s.segments
    first.close()
    s.pause()
    s.claim(
        f"the {first.name}'s FIN acknowledged, it is in FIN-WAIT-2, the {second.name} in CLOSE-WAIT",
        (first.state, second.state) == (State.FIN_WAIT_2, State.CLOSE_WAIT),
        s.states(),
    )
    s.claim("while data is queued the reader sees no EOF", not second.end and second.received == b"")
    second.talk.read()
    s.claim("EOF is delivered behind the queued data", second.end and second.received == b"last words", second.received)
    second.close()
    s.run()
    s.claim("the close takes four segments", s.segments - before == 4, s.segments - before)
    s.claim_states(f"the {first.name} goes on by FIN-WAIT-1, FIN-WAIT-2, TIME-WAIT to CLOSED", first, active)
    s.claim_states(f"the {second.name} goes on by CLOSE-WAIT and LAST-ACK to CLOSED", second, passive)
    waited = _time_in_time_wait(first)
    s.claim(f"the {first.name} waits in TIME-WAIT for 2MSL, here 60 s", waited == 2 * MSL, waited)
    s.claim("the other has been CLOSED since the last ACK came", _closed_at(second) < s.now - MSL)


def _time_in_time_wait(party: Party) -> int:
    """Microseconds from the entry to the end."""
    walk = party.talk.walk
    entered = walk.entered(State.TIME_WAIT)
    return -1 if entered is None else _closed_at(party) - entered


def _closed_at(party: Party) -> int:
    at = party.talk.walk.entered(State.CLOSED)
    return -1 if at is None else at


@scenario("three-segment-close", row="3", kernel=True, title="Three segments close a connection")
def three_segment_close(play: Play) -> None:
    """Four is the most that a close needs. A FIN may ride on the last data; and where the other side closes before its
    ACK has left, the second and the third segment are one, a FIN that acknowledges. Then FIN-WAIT-1 turns into
    TIME-WAIT on one segment. Whether the two become one is a matter of time alone: here are both.
    """
    for prompt, count in ((True, 3), (False, 4)):
        title = "the server closes at once" if prompt else "the server's ACK has left when it closes"
        s = play.act(title, msl=MSL, pingpong=False)  # by which an ACK might wait for the close
        s.server.prompt = prompt
        s.server.on_end = Talk.close
        s.open()
        before = s.segments
        s.client.send(b"last words")
        s.client.close()
        s.run()
        fin = s.sent("FIN", s.client)[0]
        s.claim("the client's FIN rides on its data", fin.length == len(b"last words"), fin.length)
        s.claim(f"{count} segments carry the data and close", s.segments - before == count, s.segments - before)
        walk = s.client.talk.walk
        passed = walk.entered(State.FIN_WAIT_2) == walk.entered(State.TIME_WAIT)
        s.claim("the server has read the data, and EOF", s.server.received == b"last words" and s.server.end)
        if prompt:
            s.claim("the client passes from FIN-WAIT-1 to TIME-WAIT on one segment", passed)
        s.claim("both are CLOSED in the end", s.states() == (State.CLOSED, State.CLOSED), s.states())


@scenario("half-close", row="4", kernel=True, title="One side has finished sending, the other has not")
def half_close(play: Play) -> None:
    """shutdown(SHUT_WR) sends the FIN and keeps the descriptor: the client says that it has no more data, and goes on
    receiving. The server, in CLOSE-WAIT, may send for as long as it likes. (What close() says is more: that nobody
    will read any more. A half-closed connection that somebody owns has no timer in FIN-WAIT-2.)
    """
    s = play.act(msl=MSL, fin_wait_2_timeout=60 * SECOND, keepalive=False, always_keepalive=False)
    s.open()
    s.client.send(b"question")
    s.client.shutdown()
    s.pause()
    halves = s.states() == (State.FIN_WAIT_2, State.CLOSE_WAIT)
    s.claim("the client is in FIN-WAIT-2, the server in CLOSE-WAIT", halves, s.states())
    s.claim("the server has read the question, and EOF behind it", s.server.received == b"question" and s.server.end)
    s.client.send(b"more")
    s.claim("the client may send no more (EPIPE)", isinstance(s.client.error, BrokenPipeError), s.client.error)
    s.client.talk.error = None
    s.server.send(b"the first half, ")
    s.wait(100 * SECOND)
    s.server.send(b"and the second")
    s.pause()
    answer = b"the first half, and the second"
    s.claim("100 s later the server still sends from CLOSE-WAIT, and the client receives", s.client.received == answer)
    s.claim("the states have not changed in all that time", s.states() == (State.FIN_WAIT_2, State.CLOSE_WAIT))
    s.server.close()
    s.pause()
    s.claim("the client reads EOF behind it", s.client.end)
    s.client.close()
    s.run()
    s.claim_states("the client ends by TIME-WAIT", s.client, f"{CLIENT_OPEN} {ACTIVE}")
    s.claim_states("the server ends by LAST-ACK", s.server, f"{SERVER_OPEN} {PASSIVE}")


@scenario("simultaneous-close", row="6", kernel=True, title="Both sides close at once, and both wait")
def simultaneous_close(play: Play) -> None:
    """The FINs cross (RFC 9293 Figure 13): each side, waiting for the ACK of its own FIN, gets the other's FIN instead
    and is in CLOSING until the ACK comes. Both have closed actively, and each has sent an ACK that may be lost: so
    both go through TIME-WAIT.
    """
    s = play.act(msl=MSL)
    s.open()
    s.pause()
    before = s.segments
    s.close(s.client, s.server)
    s.pause()
    s.claim("both are in TIME-WAIT", s.states() == (State.TIME_WAIT, State.TIME_WAIT), s.states())
    s.run()
    way = "FIN_WAIT_1 CLOSING TIME_WAIT CLOSED"
    s.claim_states("the client goes by FIN-WAIT-1 and CLOSING to TIME-WAIT", s.client, f"{CLIENT_OPEN} {way}")
    s.claim_states("so does the server", s.server, f"{SERVER_OPEN} {way}")
    s.claim("four segments: two FINs, two ACKs", s.segments - before == 4, s.segments - before)
    waited = [_time_in_time_wait(s.client), _time_in_time_wait(s.server)]
    s.claim("each waits for 2MSL, here 60 s", waited == [2 * MSL] * 2, waited)
