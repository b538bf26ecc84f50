"""How connections close, with the kernel: RFC 9293 section 3.6."""

from __future__ import annotations

import socket as kernel_socket

from lastack.cli.kernel_scenarios.catalogue import KernelPlay, against_kernel
from lastack.cli.kernel_scenarios.opening import CLIENT_OPEN, SERVER_OPEN
from lastack.cli.kernel_scenarios.stage import KernelStage
from lastack.sim.scenarios.party import Party, Talk
from lastack.tcp.config import MILLISECOND, SECOND
from lastack.tcp.states import State

MSL = 50 * MILLISECOND  # of our end, so that TIME-WAIT can be seen to end
KERNEL_2MSL = 60 * SECOND
TO_TIME_WAIT = "FIN_WAIT_1 FIN_WAIT_2 TIME_WAIT"
PASSIVE = "CLOSE_WAIT LAST_ACK CLOSED"
KERNEL_DELAYED_ACK = 40 * MILLISECOND  # at least (TCP_DELACK_MIN in the kernel)
ATTEMPTS = 20
WAITED_OUT = "the kernel's TIME-WAIT lasts 60 s"


@against_kernel("four-way-close")
def four_way_close(play: KernelPlay) -> None:
    """Client and server, the kernel and we: each closes first once. The side that closes first goes by FIN-WAIT-1 and
    FIN-WAIT-2 to TIME-WAIT, the other by CLOSE-WAIT and LAST-ACK to CLOSED, and its application reads EOF behind what
    was queued. Our TIME-WAIT is set to 100 ms here; the kernel's lasts 60 s, and cannot be set.
    """
    for kernel in ("server", "client"):
        for first in ("client", "server"):
            who = "the kernel" if first == kernel else "lastack"
            s = play.stage(f"the {first}, {who}, closes first", kernel=kernel, msl=MSL)
            _close_in_turn(s, s.client if first == "client" else s.server)
    if play.has_time(WAITED_OUT):
        s = play.stage("the kernel's TIME-WAIT, waited out", kernel="client")
        _close_in_turn(s, s.client)
        _wait_out(s, KERNEL_2MSL)


def _close_in_turn(s: KernelStage, first: Party) -> None:
    s.open()
    second = s.other(first)
    second.talk.reads = False
    first.send(b"last words")
    s.until_acknowledged(first)
    before = s.segments
    first.close()
    s.until("the FIN is acknowledged", lambda: (first.state, second.state) == (State.FIN_WAIT_2, State.CLOSE_WAIT))
    s.claim(f"its FIN acknowledged, the {first.name} is in FIN-WAIT-2, the {second.name} in CLOSE-WAIT", True)
    s.claim("while data is queued the reader sees no EOF", not second.end and second.received == b"")
    second.talk.read()
    s.until_end(second)
    s.claim("EOF is delivered behind the queued data", second.received == b"last words", second.received)
    second.close()
    s.until_state(second, State.CLOSED)
    s.settle()
    s.claim("the close takes four segments", s.segments - before == 4, s.segments - before)
    opened = {"client": CLIENT_OPEN, "server": SERVER_OPEN}
    s.claim_states(
        f"the {second.name} goes on by CLOSE-WAIT and LAST-ACK to CLOSED", second, f"{opened[second.name]} {PASSIVE}"
    )
    if first is s.ours:
        _wait_out(s, 2 * MSL)
    else:
        s.claim_states(
            f"the {first.name} goes on by FIN-WAIT-1 and FIN-WAIT-2 to TIME-WAIT",
            first,
            f"{opened[first.name]} {TO_TIME_WAIT}",
        )


def _wait_out(s: KernelStage, time: int) -> None:
    """Wait until who is in TIME-WAIT is CLOSED; it is never too early, and late only as a busy machine is late."""
    first = next(party for party in (s.client, s.server) if State.TIME_WAIT in party.states)
    entered = first.talk.walk.entered(State.TIME_WAIT) or 0
    s.until("TIME-WAIT is over", lambda: first.state is State.CLOSED, time / SECOND + 30)
    waited = (first.talk.walk.entered(State.CLOSED) or 0) - entered
    # The kernel's timer counts in ticks of 1 to 10 ms, and may slack by an eighth.
    least = time if first is s.ours else time - 20 * MILLISECOND
    s.claim(f"the {first.name} waits in TIME-WAIT for 2MSL, here {time / SECOND:g} s", waited >= least, waited)


@against_kernel("three-segment-close")
def three_segment_close(play: KernelPlay) -> None:
    """The kernel's FIN rides on its data where the program says that more will come (MSG_MORE, TCP_CORK) and then
    closes; our server closes before its ACK has left, so that the second and third segment are one. The other way
    round the kernel, too, answers by one segment if its program closes while the ACK is delayed (TCP_QUICKACK off).
    """
    s = play.stage("lastack, the server, closes at once", kernel="client", msl=MSL)
    at_once(s)
    s.open()
    before = s.segments
    s.kernel.kernel_talk.send(b"last words", more=True)
    s.kernel.close()
    s.until_states(State.TIME_WAIT, State.CLOSED)
    _three(s, before)
    walk = s.client.talk.walk
    s.claim(
        "the kernel passes from FIN-WAIT-1 to TIME-WAIT on one segment",
        walk.entered(State.FIN_WAIT_2) == walk.entered(State.TIME_WAIT),
    )

    s = play.stage("the kernel, the server, closes while its ACK is delayed", kernel="server", msl=MSL)
    for _ in range(ATTEMPTS):  # the first in which the kernel's program came in time counts, whatever it shows
        s.open()
        s.kernel.kernel_talk.kernel.setsockopt(kernel_socket.IPPROTO_TCP, kernel_socket.TCP_QUICKACK, 0)
        s.kernel.on_end = _close
        before = s.segments
        s.client.send(b"last words")
        s.client.close()
        s.until_state(s.server, State.CLOSED)
        s.settle()
        if _time_to_close(s.client) < KERNEL_DELAYED_ACK:
            break
    _three(s, before)

    s = play.stage("the kernel's ACK has left when it closes", kernel="server", msl=MSL)
    s.open()
    before = s.segments
    s.client.send(b"last words")
    s.client.close()
    s.until_states(State.FIN_WAIT_2, State.CLOSE_WAIT)
    s.server.close()
    s.until_state(s.server, State.CLOSED)
    s.settle()
    s.claim("four segments carry the data and close", s.segments - before == 4, s.segments - before)


def _time_to_close(party: Party) -> int:
    """From a party's FIN to that of its peer, in microseconds."""
    walk = party.talk.walk
    return (walk.entered(State.TIME_WAIT) or 0) - (walk.entered(State.FIN_WAIT_1) or 0)


def at_once(s: KernelStage) -> None:
    """Let our application close as soon as it has read EOF, before its host has answered."""
    s.ours.prompt, s.ours.on_end = True, _close


def _close(talk: Talk) -> None:
    talk.close()


def _three(s: KernelStage, before: int) -> None:
    fin = s.sent("FIN", s.client)[-1]
    s.claim("the client's FIN rides on its data", fin.length == len(b"last words"), fin.length)
    s.claim("three segments carry the data and close", s.segments - before == 3, s.segments - before)
    s.claim("the server has read the data, and EOF", s.server.received == b"last words" and s.server.end)


@against_kernel("half-close")
def half_close(play: KernelPlay) -> None:
    """shutdown(SHUT_WR) on either side: it says that no more comes from there, and goes on receiving; the other sends
    from CLOSE-WAIT for as long as it likes. The kernel's timer of FIN-WAIT-2 is set to one second, and does not touch
    a connection that somebody owns.
    """
    for kernel in ("server", "client"):
        s = play.stage(
            f"the kernel is the {kernel}",
            kernel=kernel,
            sysctl={"tcp_fin_timeout": 1},
            msl=MSL,
            fin_wait_2_timeout=SECOND,
            keepalive=False,
        )
        s.open()
        s.client.send(b"question")
        s.client.shutdown()
        s.until_states(State.FIN_WAIT_2, State.CLOSE_WAIT)
        s.until_end(s.server)
        s.claim("the server has read the question, and EOF behind it", s.server.received == b"question")
        s.client.send(b"more")
        s.claim("the client may send no more (EPIPE)", isinstance(s.client.error, BrokenPipeError), s.client.error)
        s.client.talk.error = None
        s.server.send(b"the first half, ")
        s.until_received(s.client, b"the first half, ")
        s.wait(2 * SECOND)
        held = s.states() == (State.FIN_WAIT_2, State.CLOSE_WAIT)
        s.claim("after 2 s, twice what an orphan gets here, the states are the same", held, s.states())
        s.server.send(b"and the second")
        s.until_received(s.client, b"the first half, and the second")
        s.claim("the server still sends from CLOSE-WAIT, and the client receives", True)
        s.server.close()
        s.until_end(s.client)
        s.client.close()
        s.until_state(s.server, State.CLOSED)
        waited = State.TIME_WAIT in s.client.states
        s.claim("the client ends by TIME-WAIT", waited, s.client.states)
        s.claim_states("the server ends by LAST-ACK", s.server, f"{SERVER_OPEN} {PASSIVE}")


@against_kernel("simultaneous-close")
def simultaneous_close(play: KernelPlay) -> None:
    """The FINs cross: each side gets the other's FIN instead of the ACK of its own, and is in CLOSING until that comes.
    Both have closed actively, and both go through TIME-WAIT, the kernel for 60 s.
    """
    for kernel in ("server", "client"):
        s = play.stage(f"the kernel is the {kernel}", kernel=kernel, msl=MSL)
        s.open()
        before = s.segments
        s.kernel.close()  # its FIN waits in the device
        s.ours.close()
        s.until_state(s.kernel, State.TIME_WAIT)
        s.settle()
        opened = {"client": CLIENT_OPEN, "server": SERVER_OPEN}
        way = "FIN_WAIT_1 CLOSING TIME_WAIT"
        s.claim_states("the kernel goes by FIN-WAIT-1 and CLOSING to TIME-WAIT", s.kernel, f"{opened[kernel]} {way}")
        s.claim("four segments: two FINs, two ACKs", s.segments - before == 4, s.segments - before)
        s.until_state(s.ours, State.CLOSED)
        mine = f"{opened[s.ours.name]} {way} CLOSED"
        s.claim_states("lastack does so too, and is CLOSED after its 2MSL", s.ours, mine)
    if play.has_time(WAITED_OUT):
        s.until("TIME-WAIT is over", lambda: s.kernel.state is State.CLOSED, 90)
        s.claim("60 s later the kernel is CLOSED", True)
