"""The kernel's TIME-WAIT and ours: what ends it before its time, and who may reopen it."""

from __future__ import annotations

from lastack.cli.kernel_scenarios.catalogue import KernelPlay, against_kernel
from lastack.cli.kernel_scenarios.ports import close_in_turn
from lastack.cli.kernel_scenarios.stage import KernelStage
from lastack.sim.scenarios.forced import refusal
from lastack.tcp.config import MILLISECOND, SECOND
from lastack.tcp.sequence import MASK
from lastack.tcp.states import State
from lastack.wire.segment import SYN, Segment

PORT = 40_000
SYN_OF_THE_LOST_ATTEMPT = 1 << 20  # above the numbers of the old connection


@against_kernel("time-wait-assassination")
def time_wait_assassination(play: KernelPlay) -> None:
    """An old segment reaches TIME-WAIT, is answered by an ACK, and that by a RST, for the peer is CLOSED. Linux out of
    the box (tcp_rfc1337=0) ends TIME-WAIT by that RST; with tcp_rfc1337=1 it ignores it. The same the other way round:
    the kernel sends the RST, and our setting decides. Timestamps are off here: where they were on, Linux lets a
    program that binds the port leave TIME-WAIT by itself, and connect at once.
    """
    for kernel in ("client", "server"):
        for ignored in (True, False):
            what = "ignored (RFC 1337)" if ignored else "obeyed: assassination"
            who = "the kernel" if kernel == "client" else "lastack"
            s = play.stage(
                f"{who} is in TIME-WAIT; the RST is {what}",
                kernel=kernel,
                sysctl={"tcp_rfc1337": int(ignored), "tcp_timestamps": 0},
                rfc1337=ignored,
            )
            _stray_segment(s)
            if ignored:
                s.claim("TIME-WAIT goes on", s.client.state is State.TIME_WAIT, s.client.state)
                refused = refusal(lambda s=s: s.connect(local=PORT))  # type: ignore[misc]
                s.claim("the same ports are refused: EADDRNOTAVAIL", refused == "EADDRNOTAVAIL", refused)
            else:
                s.claim("TIME-WAIT is over before its time", s.client.state is State.CLOSED, s.client.state)
                s.connect(local=PORT)
                s.until_states(State.ESTABLISHED, State.ESTABLISHED)
                s.claim("the same ports may be used at once", True)
    _left_by_itself(play)


def _left_by_itself(play: KernelPlay) -> None:
    s = play.stage("with timestamps the kernel connects out of its own TIME-WAIT", kernel="client")
    s.open(local=PORT)
    close_in_turn(s, s.client)
    s.until_state(s.client, State.TIME_WAIT)
    fin = s.sent("FIN", s.client)[-1]
    refused = refusal(lambda: s.connect(local=PORT))
    s.claim("connect from the same port is not refused", refused == "", refused)
    s.until_states(State.ESTABLISHED, State.ESTABLISHED)
    ahead = (s.sent("SYN", s.client)[-1].seq - fin.seq) & MASK
    s.claim("its new numbers begin above all old ones", 0 < ahead < 1 << 31, ahead)


def _stray_segment(s: KernelStage) -> None:
    """RFC 1337 Figure 1: a copy of the server's text turns up when the client is in TIME-WAIT."""
    s.open(local=PORT)
    stray = s.hold("1st data", s.server, copy=True)
    s.server.send(b"text")
    s.until_received(s.client, b"text")
    s.until_acknowledged(s.server)
    close_in_turn(s, s.client)
    s.until_states(State.TIME_WAIT, State.CLOSED)
    s.wait(SECOND)  # who has just sent an ACK from TIME-WAIT sends no other at once
    s.note("an old duplicate arrives")
    s.release(stray)
    s.until("the server has sent a RST", lambda: len(s.sent("RST", s.server)) > 0)
    s.settle()
    resets, last = s.sent("RST", s.server), s.sent("ACK", s.client)[-1]
    s.claim("the server answers the ACK of TIME-WAIT by a RST", len(resets) == 1, len(resets))
    s.claim("the RST bears the number that the ACK asked for", resets[0].seq == last.ack, (resets[0].seq, last.ack))


@against_kernel("new-incarnation")
def new_incarnation(play: KernelPlay) -> None:
    """The server closed first and is in TIME-WAIT. The kernel reopens it by a SYN with a higher number, or with a later
    timestamp; not by a lower number alone, and not where nobody listens. One thing it does not do: RFC 9293 3.6.1 wants
    TIME-WAIT back where the SYN turns out to be an old duplicate. Linux has given TIME-WAIT up when it sends the
    SYN,ACK, and the RST leaves nothing. We go back to it.
    """
    s = _server_waits(play, "a higher sequence number", (5_000, 50_000), timestamps=False)
    _reopened(s)
    s = _server_waits(play, "a lower sequence number, without timestamps", (50_000, 5_000), timestamps=False)
    _opens_nothing(s)
    s = _server_waits(play, "a lower sequence number, and a later timestamp", (50_000, 5_000), timestamps=True)
    s.wait(5 * MILLISECOND)  # the clock of the timestamps ticks
    _reopened(s)
    s = _server_waits(play, "nobody listens any more", (5_000, 50_000), timestamps=True)
    s.kernel.stop_listening()
    _opens_nothing(s)
    s = _server_waits(play, "an old duplicate SYN that looks new meets the kernel", (5_000,), timestamps=False)
    _looks_new(s)
    s.claim("Linux has no TIME-WAIT any more", s.server.state is State.CLOSED, s.server.state)

    s = play.stage("lastack is in TIME-WAIT, the kernel connects anew", kernel="client")
    s.open(local=PORT)
    close_in_turn(s, s.server)
    _reopened(s)
    s = play.stage("an old duplicate SYN that looks new meets lastack", kernel="client")
    s.open(local=PORT)
    close_in_turn(s, s.server)
    _looks_new(s)
    s.claim("lastack is in TIME-WAIT again", s.server.state is State.TIME_WAIT, s.server.state)


def _server_waits(play: KernelPlay, title: str, numbers: tuple[int, ...], *, timestamps: bool) -> KernelStage:
    """The kernel has closed first; the client, whose sequence numbers are given, has its ports free again."""
    s = play.stage(title, kernel="server", sysctl={"tcp_rfc1337": 1}, timestamps=timestamps, rto_initial=SECOND)
    s.ours.force(*numbers)
    s.open(local=PORT)
    close_in_turn(s, s.server)
    assert s.states() == (State.CLOSED, State.TIME_WAIT), s.states()
    return s


def _reopened(s: KernelStage) -> None:
    fin = s.sent("FIN", s.server)[-1]
    s.connect(local=PORT)
    s.until_states(State.ESTABLISHED, State.ESTABLISHED)
    s.claim_states("the SYN reopens the connection", s.server, "TIME_WAIT SYN_RCVD ESTABLISHED")
    ahead = (s.sent("SYN,ACK", s.server)[-1].seq - fin.seq) & MASK
    s.claim("the server's new numbers begin above all old ones", 0 < ahead < 1 << 31, ahead)
    s.client.send(b"hello again")
    s.until("it has come", lambda: s.server.received == b"hello again")
    s.claim("the new connection works", True)


def _opens_nothing(s: KernelStage) -> None:
    before = len(s.sent("ACK", s.server))
    s.connect(local=PORT)
    s.until("the server has answered", lambda: len(s.sent("ACK", s.server)) > before)
    s.settle()
    s.claim("such a SYN is answered by an ACK and opens nothing", len(s.sent("SYN,ACK", s.server)) == 1)
    s.claim("TIME-WAIT goes on", s.server.state is State.TIME_WAIT, s.server.state)


def _looks_new(s: KernelStage) -> None:
    """The SYN of an attempt that was given up long ago comes: its sender knows nothing of it."""
    fin = s.sent("FIN", s.client)[-1]
    stray = Segment(PORT, 80, (fin.seq + SYN_OF_THE_LOST_ATTEMPT) & MASK, 0, SYN, 65_535)
    s.note("the SYN of an attempt that was given up arrives")
    s.forge(s.client, stray)
    s.until("the client has sent a RST", lambda: len(s.sent("RST", s.client)) > 0)
    s.settle()
    answered = len(s.sent("SYN,ACK", s.server)) == 2 and len(s.sent("RST", s.client)) == 1
    s.claim("the server answers it by SYN,ACK, and the client that by RST", answered)
