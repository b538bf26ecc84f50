"""The four ordinary ways to a RST."""

from __future__ import annotations

from lastack.sim.scenarios.play import Play
from lastack.sim.scenarios.registry import scenario
from lastack.tcp.states import State


@scenario("reset", row="15", kernel=True, title="Four ways to a RST")
def reset(play: Play) -> None:
    """A RST says: here is no such connection, or no longer. A SYN to a port where nobody listens gets one
    (connection refused). An application aborts with SO_LINGER 0; it closes although it has not read everything, or
    data comes when it has closed (RFC 2525 2.17): what was sent is lost, and the sender is to know. No TIME-WAIT
    follows a RST.
    """
    _closed_port(play)
    _linger(play)
    _unread(play)
    _after_close(play)


def _closed_port(play: Play) -> None:
    s = play.act("connect to a closed port")
    s.connect(81)
    s.pause()
    resets = s.sent("RST", s.server)
    syn = s.sent("SYN", s.client)[0]
    s.claim(
        "the SYN is answered by a RST that acknowledges it", [r.ack for r in resets] == [(syn.seq + 1) & 0xFFFFFFFF]
    )
    s.claim_states("the client goes from SYN-SENT to CLOSED", s.client, "CLOSED SYN_SENT CLOSED")
    told = s.client.talk.error
    s.claim("the application is told: connection refused", isinstance(told, ConnectionRefusedError), told)


def _linger(play: Play) -> None:
    s = play.act("abort: close with SO_LINGER 0")
    s.open()
    s.client.abort()
    s.pause()
    resets = len(s.sent("RST", s.client)), len(s.sent("FIN", s.client))
    s.claim("a RST, and no FIN", resets == (1, 0), resets)
    s.claim("both ends are CLOSED", s.states() == (State.CLOSED, State.CLOSED), s.states())
    s.claim("without TIME-WAIT", not len(s.client.host.time_wait))
    told = s.server.error
    s.claim("the other application is told: connection reset", isinstance(told, ConnectionResetError), told)


def _unread(play: Play) -> None:
    s = play.act("close with unread data", reset_on_unread_data=True, reset_at_close=True)
    s.open()
    s.server.talk.reads = False
    s.client.send(b"nobody reads this")
    s.pause()
    s.claim("the data was acknowledged", not s.client.talk.tcb.sent)
    s.server.close()
    s.pause()
    s.claim("the close is a RST, and no FIN", len(s.sent("RST", s.server)) == 1 and not s.sent("FIN", s.server))
    told = s.client.error
    s.claim("the sender is told: connection reset", isinstance(told, ConnectionResetError), told)
    s.claim("both ends are CLOSED", s.states() == (State.CLOSED, State.CLOSED), s.states())


def _after_close(play: Play) -> None:
    s = play.act("data after the close", reset_on_unread_data=True, close_wait_reset_is_epipe=False)
    s.open()
    s.server.close()
    s.pause()
    s.claim("the close is a FIN: nothing was unread", len(s.sent("FIN", s.server)) == 1)
    s.claim(
        "the client has read EOF, and may still send: CLOSE-WAIT", s.client.end and s.client.state is State.CLOSE_WAIT
    )
    s.client.send(b"nobody will read this")
    s.pause()
    s.claim("the data is answered by a RST", len(s.sent("RST", s.server)) == 1)
    s.claim("both ends are CLOSED", s.states() == (State.CLOSED, State.CLOSED), s.states())
    told = s.client.talk.so_error()
    s.claim("the sender's socket holds the error", told == "ECONNRESET", told)
    s.client.send(b"more")
    told_now = s.client.error
    s.claim("and a further write fails: broken pipe", isinstance(told_now, BrokenPipeError), told_now)
