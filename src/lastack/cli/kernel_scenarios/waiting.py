"""Waiting for the other side: the kernel's FIN-WAIT-2 and CLOSE-WAIT, and a peer that has rebooted."""

from __future__ import annotations

import socket as kernel_socket

from lastack.cli.kernel_scenarios.catalogue import KernelPlay, against_kernel
from lastack.cli.kernel_scenarios.stage import KernelStage
from lastack.device.kernel_sockets import kernel_sockets
from lastack.host import options as o
from lastack.tcp.config import MILLISECOND, SECOND
from lastack.tcp.states import State

# The kernel's timers count in ticks of up to 10 ms.
_TICKS = 20 * MILLISECOND


@against_kernel("fin-wait-2")
def fin_wait_2(play: KernelPlay) -> None:
    """The client has closed and waits for a FIN that does not come. An owned half-close has no timer, in the kernel as
    with us; an orphan has one, tcp_fin_timeout (60 s, here 1 s). It ends without TIME-WAIT, and tells nobody.
    """
    for kernel in ("client", "server"):
        who = "the kernel" if kernel == "client" else "lastack"
        sysctl = {"tcp_fin_timeout": 1}
        s = play.stage(
            f"owned: {who} has half-closed", kernel=kernel, sysctl=sysctl, impatient=True, fin_wait_2_timeout=SECOND
        )
        s.open()
        s.client.shutdown()
        s.until_states(State.FIN_WAIT_2, State.CLOSE_WAIT)
        s.wait(2 * SECOND)
        s.claim("after 2 s it is still FIN-WAIT-2", s.client.state is State.FIN_WAIT_2, s.client.state)
        s.server.send(b"at last")
        s.until_received(s.client, b"at last")
        s.claim("and what the server sends from CLOSE-WAIT is read", True)

        s = play.stage(
            f"orphan: {who} has closed", kernel=kernel, sysctl=sysctl, impatient=True, fin_wait_2_timeout=SECOND
        )
        s.open()
        s.client.close()
        s.until_states(State.FIN_WAIT_2, State.CLOSE_WAIT)
        s.until_state(s.client, State.CLOSED)
        walk = s.client.talk.walk
        lasted = (walk.entered(State.CLOSED) or 0) - (walk.entered(State.FIN_WAIT_2) or 0)
        s.claim("it is CLOSED 1 s later, not before", lasted >= SECOND - _TICKS, lasted)
        s.claim("there is no TIME-WAIT", State.TIME_WAIT not in s.client.states, s.client.states)
        s.claim("the server is told nothing: CLOSE-WAIT", s.server.state is State.CLOSE_WAIT, s.server.state)


@against_kernel("close-wait-for-ever")
def close_wait_for_ever(play: KernelPlay) -> None:
    """A program with the kernel's sockets reads EOF and does not close. The kernel keeps them in CLOSE-WAIT, and
    sock_diag shows no timer that could end it. When the program closes at last, each goes to LAST-ACK.
    """
    s = play.stage(kernel="server", fin_wait_2_timeout=SECOND, keepalive=False)
    for _ in range(3):
        s.open()
        s.client.close()
        s.until_states(State.FIN_WAIT_2, State.CLOSE_WAIT)
        s.until_end(s.server)
    s.claim("the application has read EOF", all(talk.end for talk in s.server.talks))
    s.until("the clients are gone", lambda: not s.client.host.connections())
    left = [row for row in kernel_sockets(s.watch.netlink.dup()) if row.state is State.CLOSE_WAIT]
    s.claim("when the clients are long gone, the leak is three in CLOSE-WAIT", len(left) == 3, len(left))
    s.claim("no timer runs", all(row.timer is None for row in left), [row.timer for row in left])
    for talk in s.server.talks:
        talk.close()
    s.until("they are gone", lambda: set(s.watch.states.values()) == {State.LISTEN})
    ways = {tuple(talk.states[-3:]) for talk in s.server.talks}
    expected = {(State.CLOSE_WAIT, State.LAST_ACK, State.CLOSED)}
    s.claim("each goes to LAST-ACK when it is closed, and then CLOSED", ways == expected, sorted(map(str, ways)))


@against_kernel("half-open-reboot")
def half_open_reboot(play: KernelPlay) -> None:
    """One end loses its power and starts again, the kernel's as a fresh namespace: it knows nothing of the connection.
    What comes from the other, data or a keep-alive probe, is answered by a RST.
    """
    for kernel in ("server", "client"):
        who = "the kernel" if kernel == "server" else "lastack"
        s = _rebooted(play, f"{who} reboots, the client sends data", kernel)
        s.client.send(b"do you remember me?")
        _reset_by_peer(s)
        s = _rebooted(play, f"{who} reboots, keep-alive asks", kernel)
        settings = ((o.TCP_KEEPIDLE, 1), (o.TCP_KEEPINTVL, 1))
        if kernel == "server":
            for option, value in settings:
                s.client.talk.socket.setsockopt(o.IPPROTO_TCP, option, value)
            s.client.talk.socket.setsockopt(o.SOL_SOCKET, o.SO_KEEPALIVE, 1)
        else:
            sock = s.kernel.kernel_talk.kernel
            for option, value in settings:
                sock.setsockopt(kernel_socket.IPPROTO_TCP, option, value)
            sock.setsockopt(kernel_socket.SOL_SOCKET, kernel_socket.SO_KEEPALIVE, 1)
        _reset_by_peer(s)


def _rebooted(play: KernelPlay, title: str, kernel: str) -> KernelStage:
    s = play.stage(title, kernel=kernel)
    s.open()
    if kernel == "server":
        s.reboot()
    else:
        s.reboot_ours()
    s.listen()
    return s


def _reset_by_peer(s: KernelStage) -> None:
    s.until_state(s.client, State.CLOSED)
    s.until("the application is told", lambda: s.client.error is not None)
    s.claim("the server answers with a RST", len(s.sent("RST", s.server)) == 1, len(s.sent("RST", s.server)))
    s.claim("the client goes from ESTABLISHED to CLOSED", s.client.states[-2:] == [State.ESTABLISHED, State.CLOSED])
    told = s.client.error
    s.claim("the application is told: connection reset", isinstance(told, ConnectionResetError), told)
