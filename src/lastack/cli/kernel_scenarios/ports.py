"""Who waits in TIME-WAIT, and what that holds: the kernel's ports and ours."""

from __future__ import annotations

from lastack.cli.kernel_scenarios.catalogue import KernelPlay, against_kernel
from lastack.cli.kernel_scenarios.stage import KernelStage
from lastack.sim.scenarios.forced import refusal
from lastack.sim.scenarios.party import Party
from lastack.tcp.states import State

WAITED_OUT = "the kernel's TIME-WAIT lasts 60 s"


def close_in_turn(s: KernelStage, first: Party) -> None:
    """One side closes, and when that is acknowledged, the other."""
    second = s.other(first)
    first.close()
    s.until("the FIN is acknowledged", lambda: (first.state, second.state) == (State.FIN_WAIT_2, State.CLOSE_WAIT))
    s.until_end(second)
    second.close()
    s.until_state(second, State.CLOSED)
    s.settle()


@against_kernel("time-wait-is-the-active-closers")
def time_wait_is_the_active_closers(play: KernelPlay) -> None:
    """Four connections: the kernel is server or client, and closes first or second. Whoever closes first, and nobody
    else, is in TIME-WAIT afterwards; the other is CLOSED on the last ACK.
    """
    for kernel in ("server", "client"):
        for first in ("client", "server"):
            who = "the kernel" if first == kernel else "lastack"
            s = play.stage(f"the {first}, {who}, closes first", kernel=kernel)
            s.open()
            active = s.client if first == "client" else s.server
            passive = s.other(active)
            close_in_turn(s, active)
            s.claim(f"the {first} is in TIME-WAIT", active.state is State.TIME_WAIT, active.state)
            s.claim("the other is CLOSED already", passive.state is State.CLOSED, passive.state)
            s.claim("and never was in TIME-WAIT", State.TIME_WAIT not in passive.states, passive.states)
            kernels = list(s.watch.states.values()).count(State.TIME_WAIT)
            records = kernels, len(s.ours.host.time_wait)
            s.claim("one record at one end", records == ((1, 0) if active is s.kernel else (0, 1)), records)


@against_kernel("restart-server")
def restart_server(play: KernelPlay) -> None:
    """A server of the kernel closed first and is restarted while its connection is in TIME-WAIT. bind fails with
    EADDRINUSE; SO_REUSEADDR lets it, if the old socket had it too (BSD asks that of the new one alone). A client's
    next connection comes from another port and is served.
    """
    for old, new, may in ((False, False, False), (False, True, False), (True, False, False), (True, True, True)):
        has = {False: "without", True: "with"}
        s = play.stage(f"the old socket {has[old]} SO_REUSEADDR, the new one {has[new]}", kernel="server")
        s.listen(reuse=old)
        s.open()
        close_in_turn(s, s.server)
        s.kernel.stop_listening()
        s.note("the process ends; a new one starts", s.server)
        s.claim("its connection is in TIME-WAIT", s.server.state is State.TIME_WAIT, s.server.state)
        refused = refusal(lambda s=s, new=new: s.kernel.listen(reuse=new))  # type: ignore[misc]
        if may:
            s.claim("the new socket may bind", refused == "", refused)
        else:
            s.claim("bind is refused: EADDRINUSE", refused == "EADDRINUSE", refused)
    before = s.client.talk.tcb.local[1]
    s.open()
    s.claim("the client comes from another ephemeral port", s.client.talk.tcb.local[1] != before, before)
    waiting = list(s.watch.states.values()).count(State.TIME_WAIT)
    s.claim("and is served while the old connection is in TIME-WAIT", waiting == 1, waiting)
    if play.has_time(WAITED_OUT):
        _wait_for_the_port(play)


def _wait_for_the_port(play: KernelPlay) -> None:
    s = play.stage("without SO_REUSEADDR, waited out", kernel="server")
    s.listen(reuse=False)
    s.open()
    close_in_turn(s, s.server)
    s.kernel.stop_listening()
    s.until("TIME-WAIT is over", lambda: s.server.state is State.CLOSED, 90)
    refused = refusal(lambda: s.kernel.listen(reuse=False))
    s.claim("after 60 s the port is free", refused == "", refused)
