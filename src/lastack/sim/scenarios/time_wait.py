"""TIME-WAIT itself: how long it lasts, what ends it before its time, and who may reopen it."""

from __future__ import annotations

from typing import Any

from lastack.sim.scenarios.forced import force, refusal
from lastack.sim.scenarios.play import Play
from lastack.sim.scenarios.ports import close_in_turn, waits_until
from lastack.sim.scenarios.registry import scenario
from lastack.sim.scenarios.stage import Stage
from lastack.tcp.config import SECOND
from lastack.tcp.states import State

PORT = 40_000
MSL = 30 * SECOND


@scenario("time-wait-assassination", row="16", kernel=True, title="A RST in TIME-WAIT")
def time_wait_assassination(play: Play) -> None:
    """An old segment reaches TIME-WAIT and is answered by an ACK; the peer has forgotten the connection, and answers
    that by a RST with the very number that is expected. RFC 1337: the RST is ignored, and TIME-WAIT lasts its 2MSL.
    Without that rule, as in Linux's default, one stray segment ends TIME-WAIT, and its protection with it.
    """
    s = play.act("The RST is ignored (RFC 1337)", msl=MSL, rfc1337=True)
    _stray_segment(s)
    end = waits_until(s.client.talk, MSL)
    s.claim("TIME-WAIT goes on", s.client.state is State.TIME_WAIT, s.client.state)
    refused = refusal(lambda: s.connect(local=PORT))
    s.claim("the same ports are refused: EADDRNOTAVAIL", refused == "EADDRNOTAVAIL", refused)
    s.run()
    s.claim("it lasts exactly 2MSL", s.now == end, s.now)

    s = play.act("The RST is obeyed: assassination", msl=MSL, rfc1337=False)
    _stray_segment(s)
    end = waits_until(s.client.talk, MSL)
    s.claim("TIME-WAIT is over before its time", s.client.state is State.CLOSED and s.now < end, s.client.state)
    refused = refusal(lambda: s.connect(local=PORT))
    s.claim("the same ports may be used at once", refused == "", refused)
    s.pause()


def _stray_segment(s: Stage) -> None:
    """RFC 1337 Figure 1: a copy of the server's text turns up when the client is in TIME-WAIT."""
    s.open(local=PORT)
    stray = s.hold("1st data", s.server, copy=True)
    s.server.send(b"text")
    s.pause()
    close_in_turn(s, s.client, s.server)
    s.note("an old duplicate arrives")
    s.release(stray)
    s.pause()
    resets = s.sent("RST", s.server)
    s.claim("the server answers the ACK of TIME-WAIT by a RST", len(resets) == 1, len(resets))
    last = s.sent("ACK", s.client)[-1]
    s.claim("the RST bears the number that the ACK asked for", resets[0].seq == last.ack, (resets[0].seq, last.ack))


@scenario("new-incarnation", row="17", kernel=True, title="A SYN that reopens a connection in TIME-WAIT")
def new_incarnation(play: Play) -> None:
    """The server closed first and is in TIME-WAIT. A SYN for which somebody listens opens a new incarnation if its
    sequence number is above all old ones (RFC 1122 4.2.2.13), or its timestamp later (RFC 6191). An old duplicate
    SYN is neither: it gets an ACK, and TIME-WAIT goes on. One that looks new leads to SYN-RECEIVED, but nobody
    completes the handshake: the RST leads back to TIME-WAIT, which ends when it would have ended.
    """
    s = _server_waits(play, "A higher sequence number", (5_000, 50_000), timestamps=False)
    _reopened(s)
    s = _server_waits(play, "A lower sequence number, without timestamps", (50_000, 5_000), timestamps=False)
    s.connect(local=PORT)
    s.pause()
    s.claim("a SYN with a lower number opens nothing", s.server.state is State.TIME_WAIT, s.server.state)
    s = _server_waits(play, "A lower sequence number, and a later timestamp", (50_000, 5_000), timestamps=True)
    _reopened(s)

    s = _server_waits(play, "Nobody listens any more", (5_000, 50_000), timestamps=True)
    assert s.server.listener is not None
    s.server.listener.close(s.now)
    s.connect(local=PORT)
    s.pause()
    s.claim("a SYN for which nobody listens opens nothing", s.server.state is State.TIME_WAIT, s.server.state)
    _old_duplicate_syn(play)
    _looks_new(play)


def _server_waits(play: Play, title: str, numbers: tuple[int, ...], **on: Any) -> Stage:
    """The server has closed first; the client, whose sequence numbers are given, has its ports free again."""
    s = play.act(title, msl=MSL, rfc1337=True, rfc6191=True, reopen_by_sequence=True, rto_initial=SECOND, **on)
    force(s.client, *numbers)
    s.open(local=PORT)
    close_in_turn(s, s.server, s.client)
    assert s.states() == (State.CLOSED, State.TIME_WAIT), s.states()
    return s


def _reopened(s: Stage) -> None:
    old = s.server.talk.tcb
    s.connect(local=PORT)
    s.pause()
    s.claim_states("the SYN reopens the connection", s.server, "TIME_WAIT SYN_RCVD ESTABLISHED")
    ahead = (s.server.talk.tcb.iss - old.snd_nxt) & 0xFFFFFFFF
    s.claim("the server's new numbers begin above all old ones", 0 < ahead < 1 << 31, ahead)
    s.claim("TIME-WAIT is over", len(s.server.host.time_wait) == 0)
    s.client.send(b"hello again")
    s.pause()
    s.claim("the new connection works", s.server.received == b"hello again", s.server.received)


def _old_duplicate_syn(play: Play) -> None:
    s = play.act("An old duplicate SYN", msl=MSL, rfc1337=True, rfc6191=True, reopen_by_sequence=True)
    s.listen()
    stray = s.hold("1st SYN", s.client, copy=True)
    s.open(local=PORT)
    close_in_turn(s, s.server, s.client)
    end = waits_until(s.server.talk, MSL)
    s.note("the SYN of the old connection arrives once more")
    s.release(stray)
    s.pause()
    s.claim("it opens nothing", s.server.states == s.server.talk.states, s.server.states)
    s.claim("no SYN,ACK answers it", len(s.sent("SYN,ACK", s.server)) == 1)
    s.run()
    s.claim("TIME-WAIT goes on, and ends when it would have ended", s.now == end, s.now)


def _looks_new(play: Play) -> None:
    s = _server_waits(play, "An old duplicate SYN that looks new", (5_000, 50_000), timestamps=True)
    end = waits_until(s.server.talk, MSL)
    stray = s.hold("1st SYN", s.client)
    s.connect(local=PORT)
    s.wait(SECOND // 2)  # less than the time after which the SYN would be sent again
    s.client.close()
    s.note("the SYN of an attempt that was given up arrives")
    s.release(stray)
    s.run(lambda: s.server.state is State.SYN_RCVD)
    s.run(lambda: s.server.state is not State.SYN_RCVD)
    s.claim_states("SYN-RECEIVED, and by the RST back to TIME-WAIT", s.server, "TIME_WAIT SYN_RCVD TIME_WAIT")
    s.claim("the RST is the client's, who knows of no connection", len(s.sent("RST", s.client)) == 1)
    s.claim("the record of TIME-WAIT is still there", len(s.server.host.time_wait) == 1)
    s.run()
    s.claim("TIME-WAIT ends when it would have ended", s.now == end, (s.now, end))
    s.claim("the server is CLOSED then", s.server.state is State.CLOSED and not s.server.host.connections())


@scenario("msl-presets", row="18", title="2MSL of 240, 120, 60 and 30 seconds")
def msl_presets(play: Play) -> None:
    """The MSL is an assumption, not a measurement: RFC 9293 takes 2 minutes, and says that this is an engineering
    choice; systems have taken 60, 30 and 15 seconds. TIME-WAIT lasts exactly twice that, from the moment at which
    the state is entered: a microsecond before, the ports are still held; at 2MSL they are free.
    """
    for msl in (120, 60, 30, 15):
        s = play.act(f"MSL {msl} s: TIME-WAIT of {2 * msl} s", msl=msl * SECOND)
        s.open(local=PORT)
        close_in_turn(s, s.client, s.server)
        entered = s.client.talk.walk.entered(State.TIME_WAIT)
        assert entered is not None
        s.wait(entered + 2 * msl * SECOND - 1 - s.now)
        refused = refusal(lambda s=s: s.connect(local=PORT))  # type: ignore[misc]
        s.claim("1 us before 2MSL it is in TIME-WAIT", s.client.state is State.TIME_WAIT, s.client.state)
        s.claim("and the same ports are refused", refused == "EADDRNOTAVAIL", refused)
        s.wait(1)
        left = s.client.talk.walk.moves[-1].now
        s.claim("it is CLOSED at 2MSL, to the microsecond", left - entered == 2 * msl * SECOND, left - entered)
        refused = refusal(lambda s=s: s.connect(local=PORT))  # type: ignore[misc]
        s.claim("and the same ports are free", refused == "", refused)
        s.pause()
