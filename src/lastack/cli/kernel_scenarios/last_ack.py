"""The last ACK is lost: what the kernel does in TIME-WAIT, in LAST-ACK, and with nothing but CLOSED."""

from __future__ import annotations

import select

from lastack.cli.kernel_scenarios.catalogue import KernelPlay, against_kernel
from lastack.cli.kernel_scenarios.stage import KernelStage
from lastack.device.kernel_sockets import kernel_sockets
from lastack.link.rules import Rule
from lastack.tcp.config import MILLISECOND, SECOND
from lastack.tcp.sequence import MASK
from lastack.tcp.states import State
from lastack.wire.segment import SYN

PORT = 40000
MSL = 500 * MILLISECOND
KERNEL_2MSL = 60 * SECOND
WAITED_OUT = "the kernel's TIME-WAIT lasts 60 s from the second FIN on"


def until_last_ack(s: KernelStage, *, lose: str = "1st ACK", half: bool = False, keep: bool = False) -> Rule:
    """The client closes (by a shutdown, if `half`), then the server (to `keep` its descriptor by a shutdown); the last
    ACK is lost, or whatever more of the client's is to be (`lose`). Returns the rule that loses it."""
    s.open(local=PORT)
    s.client.send(b"question")
    s.until_received(s.server, b"question")
    s.until_acknowledged(s.client)
    if half:
        s.client.shutdown()
    else:
        s.client.close()
    s.until_states(State.FIN_WAIT_2, State.CLOSE_WAIT)
    s.settle()
    lost = s.drop(lose, s.client)
    if keep:
        s.server.shutdown()
    else:
        s.server.close()
    s.until("the last ACK is lost", lambda: lost.counters["lost"] > 0)
    return lost


@against_kernel("lost-final-ack")
def lost_final_ack(play: KernelPlay) -> None:
    """The last ACK is lost. First the kernel is in LAST-ACK, and sends its FIN again after 200 ms and more; lastack
    answers from TIME-WAIT, and begins its 2MSL anew. Then lastack is in LAST-ACK and the kernel in TIME-WAIT: it
    answers too, and its timer, which sock_diag shows, begins anew.
    """
    s = play.stage("the kernel is in LAST-ACK, lastack in TIME-WAIT", kernel="server", impatient=True, msl=MSL)
    until_last_ack(s)
    s.claim("the client is in TIME-WAIT, the server in LAST-ACK", s.states() == (State.TIME_WAIT, State.LAST_ACK))
    s.until_state(s.server, State.CLOSED)
    _answered_twice(s)
    answered = s.server.talk.walk.entered(State.CLOSED) or 0
    s.until_state(s.client, State.CLOSED)
    waited = (s.client.talk.walk.entered(State.CLOSED) or 0) - answered
    # The kernel was looked at a moment after our answer had left.
    s.claim("2MSL began anew with the second FIN, here 1 s", waited > 2 * MSL - 100 * MILLISECOND, waited)

    s = play.stage(
        "lastack is in LAST-ACK, the kernel in TIME-WAIT", kernel="client", impatient=True, rto_min=500 * MILLISECOND
    )
    until_last_ack(s)
    s.until_states(State.TIME_WAIT, State.LAST_ACK)
    ends = _time_wait_ends(s)
    s.until_state(s.server, State.CLOSED)
    _answered_twice(s)
    later = _time_wait_ends(s) - ends
    s.claim("the kernel's 60 s began anew with the second FIN", later > 100 * MILLISECOND, later)
    if play.has_time(WAITED_OUT):
        answered = s.server.talk.walk.entered(State.CLOSED) or 0
        s.until("TIME-WAIT is over", lambda: s.client.state is State.CLOSED, 90)
        waited = (s.client.talk.walk.entered(State.CLOSED) or 0) - answered
        s.claim("it ends 60 s after the second FIN came", waited > KERNEL_2MSL - 100 * MILLISECOND, waited)


def _answered_twice(s: KernelStage) -> None:
    fins = s.sent("FIN", s.server)
    s.claim("the server has sent its FIN again", len(fins) >= 2, len(fins))
    acks = [one for one in s.sent("ACK", s.client) if one.ack == fins[0].seq + 1 & MASK]
    s.claim("TIME-WAIT has answered each", len(acks) >= 2, len(acks))
    s.claim("the server is CLOSED on that ACK, the client still in TIME-WAIT", s.client.state is State.TIME_WAIT)
    s.claim("nobody was reset", not s.sent("RST", s.client) and not s.sent("RST", s.server))


def _time_wait_ends(s: KernelStage) -> int:
    """When the kernel's TIME-WAIT will be over, as it says itself: microseconds of the act."""
    rows = kernel_sockets(s.watch.netlink.dup())
    (timer,) = [row.timer for row in rows if row.state is State.TIME_WAIT and row.timer is not None]
    return s.now + timer.left


@against_kernel("lost-final-ack-without-time-wait")
def lost_final_ack_without_time_wait(play: KernelPlay) -> None:
    """TIME-WAIT is cut to nothing: by our 2MSL of 0, then by the kernel's tcp_max_tw_buckets=0. The FIN comes again
    and meets CLOSED, which answers RST. Who waits in LAST-ACK, its descriptor kept, is told "connection reset", but a
    read still returns EOF. (With that setting the kernel also drops an orphan that should wait in FIN-WAIT-2, so there
    the client closes by a shutdown.)
    """
    s = play.stage("our 2MSL is 0, the kernel is in LAST-ACK", kernel="server", impatient=True, msl=0)
    until_last_ack(s, lose="every ACK", keep=True)
    _reset_in_last_ack(s)
    sock = s.kernel.kernel_talk.kernel
    s.claim("a read still returns EOF", sock.recv(1) == b"")
    poll = select.poll()
    poll.register(sock, select.POLLIN | select.POLLOUT)
    ((_, events),) = poll.poll(0)
    s.claim("poll says error and end", events & select.POLLERR and events & select.POLLHUP, events)
    number = s.server.talk.so_error()
    s.claim("and SO_ERROR is ECONNRESET", number == "ECONNRESET", number)

    s = play.stage(
        "the kernel's tcp_max_tw_buckets is 0, lastack is in LAST-ACK",
        kernel="client",
        sysctl={"tcp_max_tw_buckets": 0},
        impatient=True,
        rto_min=500 * MILLISECOND,
    )
    until_last_ack(s, lose="every ACK", half=True, keep=True)
    _reset_in_last_ack(s)
    ours = s.server.talk
    s.claim("its close reason says so", "reset" in ours.reason, ours.reason)
    s.claim("a read still returns EOF", ours.socket.recv(s.now, 1) == b"")
    s.claim("poll says that there is something to see", ours.socket.readable() and ours.socket.writable())
    number = ours.so_error()
    s.claim("and SO_ERROR is ECONNRESET", number == "ECONNRESET", number)


def _reset_in_last_ack(s: KernelStage) -> None:
    s.until_state(s.client, State.CLOSED)
    waited = State.LAST_ACK in s.server.states
    s.claim("the client is CLOSED, in no TIME-WAIT; the server waits in LAST-ACK", waited, s.server.states)
    s.until_state(s.server, State.CLOSED)
    s.claim("the server's second FIN is answered by RST", len(s.sent("RST", s.client)) == 1)
    s.claim("the server is CLOSED by the RST", len(s.sent("FIN", s.server)) >= 2)


@against_kernel("late-syn-meets-last-ack")
def late_syn_meets_last_ack(play: KernelPlay) -> None:
    """Without TIME-WAIT the client connects again from the same port while the server still is in LAST-ACK. The kernel
    follows RFC 5961: whatever the SYN's number, a challenge ACK; the opener answers RST, which clears the old
    connection, and its next SYN succeeds. As the opener, Linux does not wait a second for that next SYN: having sent
    the RST it sends the SYN again after two ticks.
    """
    s = play.stage("the kernel is in LAST-ACK", kernel="server", impatient=True, msl=0)
    _meet(s, until_last_ack(s))
    s = play.stage(
        "the kernel is the opener",
        kernel="client",
        sysctl={"tcp_max_tw_buckets": 0},
        impatient=True,
        rto_min=500 * MILLISECOND,
    )
    lost = until_last_ack(s, half=True)
    s.client.close()
    _meet(s, lost)
    syns = [at for at, one in s.departures(s.client) if one.flags & SYN][-2:]
    s.claim("the kernel's SYN comes again long before a second is over", syns[1] - syns[0] < SECOND, syns[1] - syns[0])


def _meet(s: KernelStage, lost: Rule) -> None:
    s.drop("every FIN", s.server)  # so that the FIN which comes again is not there before the SYN
    s.until_state(s.client, State.CLOSED)
    lost.on = False
    s.claim("the server is in LAST-ACK", s.server.state is State.LAST_ACK, s.server.state)
    old = s.server.talk
    s.connect(local=PORT)
    s.until_state(s.client, State.ESTABLISHED)
    s.until_state(s.server, State.ESTABLISHED)
    s.claim("the server answers the SYN by an ACK, and that is answered by RST", len(s.sent("RST", s.client)) >= 1)
    s.claim("which clears the old connection", old.state is State.CLOSED, old.state)
    s.claim("nobody resets the new one", not s.sent("RST", s.server))
    s.claim("the SYN was sent again", len(s.sent("SYN", s.client)) >= 3, len(s.sent("SYN", s.client)))
    s.client.send(b"hello")
    s.until_received(s.server, b"hello")
    s.claim("and the new connection is open", True)
