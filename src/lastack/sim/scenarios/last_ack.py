"""Segments of the close are lost, and above all the last: why TIME-WAIT is there, and what LAST-ACK waits for."""

from __future__ import annotations

from lastack.sim.scenarios.play import Play
from lastack.sim.scenarios.registry import scenario
from lastack.sim.scenarios.stage import Stage
from lastack.tcp.config import MILLISECOND, SECOND
from lastack.tcp.sequence import MASK
from lastack.tcp.states import State

MSL = 30 * SECOND
PORT = 40000

LOSSES = (
    ("the FIN of the client is lost", "client", "1st FIN"),
    ("the ACK of that FIN is lost", "server", "1st ACK"),
    ("the FIN of the server is lost", "server", "1st FIN"),
    ("the last ACK is lost", "client", "1st ACK"),
)


@scenario("each-close-segment-lost", row="7", title="Each of the four closing segments is lost in turn")
def each_close_segment_lost(play: Play) -> None:
    """A FIN takes a sequence number, so it is acknowledged and retransmitted as data is; an ACK that is lost is called
    for by the FIN that comes again. Whichever of the four is lost, nobody needs a reset, both ends reach CLOSED, and
    both applications have read everything and EOF.
    """
    for title, who, what in LOSSES:
        _lose_one(play.act(title, msl=MSL, tail_loss_probes=False), who, what)


def _lose_one(s: Stage, who: str, what: str) -> None:
    s.open()
    s.client.send(b"question")
    s.pause()
    s.server.send(b"answer")
    s.pause()
    lost = s.drop(what, s.client if who == "client" else s.server)
    s.client.shutdown()
    s.wait(5 * SECOND)
    s.server.close()
    s.run(lambda: s.client.end)
    s.client.close()
    s.run()
    s.claim(f"{s.title}, once", lost.counters["lost"] == 1, lost.counters["lost"])
    s.claim("both ends reach CLOSED all the same", s.states() == (State.CLOSED, State.CLOSED), s.states())
    read = s.server.received == b"question" and s.client.received == b"answer"
    s.claim("no data is lost: both have read everything, and EOF", read and s.client.end and s.server.end)
    fins = len(s.sent("FIN", s.client)), len(s.sent("FIN", s.server))
    s.claim("one FIN is sent again", sum(fins) == 3, fins)
    s.claim("nobody sends a reset", not s.sent("RST", s.client) and not s.sent("RST", s.server))


def _until_last_ack(s: Stage, *, keep: bool = False) -> None:
    """The client closes, then the server (to `keep` its descriptor by a shutdown), and the last ACK is lost."""
    s.open(local=PORT)
    s.client.send(b"question")
    s.pause()
    s.client.close()
    s.pause()
    s.drop("1st ACK", s.client)
    if keep:
        s.server.shutdown()
    else:
        s.server.close()


@scenario("lost-final-ack", row="8", kernel=True, title="The last ACK is lost, and why TIME-WAIT is there")
def lost_final_ack(play: Play) -> None:
    """The server in LAST-ACK waits for one thing, the ACK of its FIN (not for old segments to die). That ACK is not
    acknowledged by anything, so its sender cannot know that it arrived: it stays in TIME-WAIT. When the FIN comes
    again it answers again, and 2MSL begins anew. The server is CLOSED on that ACK, not some 2MSL later.
    """
    s = play.act(msl=MSL)
    _until_last_ack(s)
    s.wait(100 * MILLISECOND)
    s.claim("the client is in TIME-WAIT, the server in LAST-ACK", s.states() == (State.TIME_WAIT, State.LAST_ACK))
    entered = s.client.talk.walk.entered(State.TIME_WAIT) or 0
    s.run(lambda: s.server.state is State.CLOSED)
    s.claim("the server has sent its FIN twice", len(s.sent("FIN", s.server)) == 2)
    acks = [segment for segment in s.sent("ACK", s.client) if segment.ack == s.sent("FIN", s.server)[0].seq + 1 & MASK]
    s.claim("TIME-WAIT has answered both", len(acks) == 2, len(acks))
    s.claim("the server is CLOSED on that ACK, the client still in TIME-WAIT", s.client.state is State.TIME_WAIT)
    answered = s.now - s.latency
    s.run()
    closed = s.client.talk.walk.entered(State.CLOSED) or 0
    s.claim("2MSL began anew: it ends 60 s after the second FIN came", closed == answered + 2 * MSL, closed)
    s.claim("and so later than 60 s after the first", closed > entered + 2 * MSL, closed)
    s.claim("both ends closed in order: nobody was reset", not s.sent("RST", s.client) and not s.sent("RST", s.server))


@scenario(
    "lost-final-ack-without-time-wait", row="8b", kernel=True, title="Without TIME-WAIT an orderly close is reset"
)
def lost_final_ack_without_time_wait(play: Play) -> None:
    """The client's TIME-WAIT is cut to nothing. The server's FIN comes again and meets CLOSED, which answers RST: the
    server is told that a connection which ended in order was reset. It sees so where it kept its descriptor: SO_ERROR
    (and poll) say "connection reset". A read still returns EOF, and RFC 9293 lets the RST pass in silence in LAST-ACK.
    """
    s = play.act("the client's 2MSL is 0", client={"msl": 0}, socket_calls="linux")
    _until_last_ack(s, keep=True)
    s.wait(100 * MILLISECOND)
    s.claim("the client is CLOSED at once, the server in LAST-ACK", s.states() == (State.CLOSED, State.LAST_ACK))
    s.run(lambda: s.server.state is State.CLOSED)
    s.claim("the server's second FIN is answered by RST", len(s.sent("RST", s.client)) == 1)
    s.claim("the server is CLOSED by the RST", s.server.state is State.CLOSED)
    s.claim("its close reason says so", "reset" in s.server.talk.reason, s.server.talk.reason)
    socket = s.server.talk.socket
    s.claim("a read still returns EOF", s.server.received == b"question" and socket.recv(s.now, 1) == b"")
    s.claim("poll says that there is something to see", socket.readable() and socket.writable())
    number = s.server.talk.so_error()
    s.claim("and SO_ERROR is ECONNRESET", number == "ECONNRESET", number)


@scenario("late-syn-meets-last-ack", row="8c", kernel=True, title="A new SYN meets the old connection in LAST-ACK")
def late_syn_meets_last_ack(play: Play) -> None:
    """Without TIME-WAIT the client may connect again from the same port while the server still waits in LAST-ACK. It is
    often said that this fails; it need not. By RFC 793 a SYN outside the window is ACKed; the opener answers RST, which
    clears the old connection, and its next SYN succeeds. Only a SYN inside the window resets the old connection and
    makes the new one fail. By RFC 5961 either is answered by a challenge ACK, and the new connection succeeds.
    """
    rfc793 = {"rfc5961_syn": False, "rfc5961_rst": False, "rfc5961_ack": False}
    for title, rules in (("RFC 793", rfc793), ("RFC 5961", dict.fromkeys(rfc793, True))):
        for where, window in (("outside", 4096), ("inside", 1 << 20)):
            s = play.act(
                f"by {title}, a SYN {where} the window",
                client={"msl": 0},
                server={**rules, "receive_buffer": window, "abort_at_syn": False},
                timestamps=False,
                window_scaling=True,
                autotuning=False,
                rto_slop=0,
                rto_min_above_srtt=False,
                rto_min=200 * MILLISECOND,
                delayed_ack=40 * MILLISECOND,
            )
            _meet(s, where == "inside")
            if title == "RFC 793" and where == "inside":
                _claim_failure(s)
            else:
                _claim_success(s)


def _meet(s: Stage, inside: bool) -> None:
    """The new SYN, with the number that the clock gives it (RFC 6528), comes before the FIN is sent again."""
    _until_last_ack(s)
    s.wait(50 * MILLISECOND)
    s.claim("the server is in LAST-ACK", s.server.state is State.LAST_ACK, s.server.state)
    expected = s.server.talk.tcb.rcv_nxt
    window = s.sent("FIN", s.server)[0].window << s.server.talk.tcb.rcv_wscale
    s.connect(local=PORT)
    s.wait(s.latency)
    distance = (s.client.talk.tcb.iss - expected) & MASK
    where = "inside" if inside else "outside"
    s.claim(f"the SYN is {where} the window", (distance < window) is inside, f"{distance} of {window}")


def _claim_success(s: Stage) -> None:
    old = s.server.talk
    s.run(lambda: s.client.state is State.ESTABLISHED)
    first = len(s.sent("RST", s.client)) == len(s.sent("FIN", s.server)) == 1
    s.claim("the SYN is answered by an ACK, the ACK by a RST, before any FIN is sent again", first)
    s.claim("the RST clears the old connection", old.state is State.CLOSED, old.state)
    s.pause()
    s.claim("the SYN is sent again", len(s.sent("SYN", s.client)) == 3, len(s.sent("SYN", s.client)))
    s.claim("and the new connection is open", s.states() == (State.ESTABLISHED, State.ESTABLISHED), s.states())


def _claim_failure(s: Stage) -> None:
    old = s.server.talk
    s.run()
    s.claim("the server answers the SYN by RST", len(s.sent("RST", s.server)) == 1)
    s.claim("the old connection is reset", old.state is State.CLOSED and "reset" in old.reason, old.reason)
    s.claim("the new one fails", s.client.state is State.CLOSED, s.client.state)
    s.claim("with ECONNREFUSED", isinstance(s.client.error, ConnectionRefusedError), repr(s.client.error))
