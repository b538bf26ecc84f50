"""Who waits, and what the waiting holds: local ports, of a server that restarts and of a client in a hurry."""

from __future__ import annotations

from lastack.sim.scenarios.forced import refusal
from lastack.sim.scenarios.party import Party, Talk
from lastack.sim.scenarios.play import Play
from lastack.sim.scenarios.registry import scenario
from lastack.sim.scenarios.stage import Stage
from lastack.tcp.config import MILLISECOND, SECOND, Config
from lastack.tcp.presets import PRESETS
from lastack.tcp.states import State

MSL = 30 * SECOND


def close_in_turn(s: Stage, first: Party, second: Party) -> None:
    """One side closes; when all is quiet, the other."""
    first.close()
    s.pause()
    second.close()
    s.pause()


def waits_until(talk: Talk, msl: int) -> int:
    """When the TIME-WAIT of a connection is over, in microseconds."""
    entered = talk.walk.entered(State.TIME_WAIT)
    assert entered is not None, f"{talk} was never in TIME-WAIT"
    return entered + 2 * msl


@scenario("time-wait-is-the-active-closers", row="10", kernel=True, title="Who closes first, waits")
def time_wait_is_the_active_closers(play: Play) -> None:
    """Where one side closes after the other, only the one that closes first enters TIME-WAIT, be it the client or
    the server: it sends the last ACK, and must be there to send it again. The other is CLOSED as soon as that ACK
    comes, not at some time within 2MSL. (Where both close at the same time, both wait.)
    """
    for first in ("client", "server"):
        s = play.act(f"The {first} closes first", msl=MSL)
        s.open()
        active, passive = (s.client, s.server) if first == "client" else (s.server, s.client)
        close_in_turn(s, active, passive)
        s.claim(f"the {first} is in TIME-WAIT", active.state is State.TIME_WAIT, active.state)
        walk = passive.talk.walk
        s.claim("the other is CLOSED already", walk.state is State.CLOSED, walk.state)
        took = walk.moves[-1].now - walk.moves[-2].now
        s.claim("from LAST-ACK it took one round trip, not 2MSL", took == 2 * s.latency, took)
        s.claim("the other never was in TIME-WAIT", State.TIME_WAIT not in passive.states, passive.states)
        s.claim("one record on one host", (len(active.host.time_wait), len(passive.host.time_wait)) == (1, 0))
        s.run()
        s.claim("after 2MSL it is CLOSED too", active.state is State.CLOSED, active.state)


@scenario("restart-server", row="11", kernel=True, title="A server that is restarted cannot bind its port")
def restart_server(play: Play) -> None:
    """The server closed first, so its connection is in TIME-WAIT on the server's port; then its process is
    restarted. bind fails with EADDRINUSE until 2MSL are over. SO_REUSEADDR lets it bind at once: by BSD's rule it
    must be set on the new socket, by Linux's on the old one as well. A client takes a new ephemeral port and notices
    nothing.
    """
    s = _stopped_server(play, "Without SO_REUSEADDR", both=False, old=False)
    refused = refusal(lambda: s.listen(reuse=False))
    s.claim("bind is refused: EADDRINUSE", refused == "EADDRINUSE", refused)
    end = waits_until(s.server.talk, MSL)
    s.wait(end - s.now - 1)
    refused = refusal(lambda: s.listen(reuse=False))
    s.claim("it is still refused 1 us before 2MSL are over", refused == "EADDRINUSE", refused)
    s.wait(1)
    refused = refusal(lambda: s.listen(reuse=False))
    s.claim("after 2MSL the port is free", refused == "", refused)

    for both, old, may in ((False, False, True), (True, False, False), (True, True, True)):
        rule = "Linux" if both else "BSD"
        s = _stopped_server(play, f"{rule}: the old socket {'with' if old else 'without'} SO_REUSEADDR", both, old)
        refused = refusal(lambda s=s: s.listen(reuse=True))  # type: ignore[misc]
        if may:
            s.claim(f"by {rule}'s rule the new socket may bind", refused == "", refused)
        else:
            s.claim(f"by {rule}'s rule it may not: EADDRINUSE", refused == "EADDRINUSE", refused)
    old_port = s.client.talk.tcb.local[1]
    s.open()
    s.claim("the client comes from another ephemeral port", s.client.talk.tcb.local[1] != old_port, old_port)
    s.claim("and is served while the old connection is in TIME-WAIT", len(s.server.host.time_wait) == 1)


def _stopped_server(play: Play, title: str, both: bool, old: bool) -> Stage:
    s = play.act(title, msl=MSL, reuse_needs_both=both)
    s.listen(reuse=old)
    s.open()
    close_in_turn(s, s.server, s.client)
    assert s.server.listener is not None
    s.server.listener.close(s.now)
    s.note("the process ends; a new one starts", s.server)
    return s


@scenario("port-exhaustion", row="12", title="A client that closes first runs out of ports")
def port_exhaustion(play: Play) -> None:
    """Each connection that a client closes first keeps its ephemeral port from this destination for 2MSL. So ports /
    2MSL is all it can open in a second: Linux 28232 / 60 s = 470, BSD 55536 / 60 s = 925, the RFC's figures 16384 /
    240 s = 68. Beyond it connect fails with EADDRNOTAVAIL. What helps: keep connections, let the server close first,
    use more destinations (address or port) or more ports. Here there are four of them, and 2MSL is a minute.
    """
    arithmetic = {name: _each_second(PRESETS[name]) for name in ("linux", "bsd", "rfc9293")}
    s = _four_ports(play, "Four connections in a row")
    s.claim("the arithmetic", arithmetic == {"linux": 470, "bsd": 925, "rfc9293": 68}, arithmetic)
    for _ in range(4):
        s.open()
        close_in_turn(s, s.client, s.server)
    s.claim("four ports are in TIME-WAIT", len(s.client.host.time_wait) == 4, len(s.client.host.time_wait))
    refused = refusal(s.connect)
    s.claim("the fifth connect is refused: EADDRNOTAVAIL", refused == "EADDRNOTAVAIL", refused)
    s.claim("the host counts it", s.client.host.counters["limit: ephemeral ports"] == 1)
    s.listen(8080)
    refused = refusal(lambda: s.connect(8080))
    s.claim("another destination helps: the same four ports are free for it", refused == "", refused)
    s.pause()
    s.client.abort()
    s.wait(waits_until(s.client.talks[0], MSL) - s.now - 1)
    s.claim("1 us before the first TIME-WAIT ends it is refused", refusal(s.connect) == "EADDRNOTAVAIL")
    s.wait(1)
    refused = refusal(s.connect)
    s.claim("with its end a port is free", refused == "", refused)
    s.pause()

    _rates(play)
    s = _four_ports(play, "The server closes first")
    for _ in range(9):
        s.open()
        close_in_turn(s, s.server, s.client)
    reopened = [talk for talk in s.server.talks if talk.states[0] is State.TIME_WAIT]
    s.claim("nine connections from four ports: five SYNs reopen what is in TIME-WAIT", len(reopened) == 5, reopened)
    s.claim("the client waits for none of them", len(s.client.host.time_wait) == 0, len(s.client.host.time_wait))
    s.claim("TIME-WAIT has moved to the server", len(s.server.host.time_wait) == 4, len(s.server.host.time_wait))


def _four_ports(play: Play, title: str) -> Stage:
    ports = {"ephemeral_first": 50_000, "ephemeral_last": 50_003}
    return play.act(
        title, msl=MSL, client=ports, server={"rfc6191": True, "timestamps": True, "reopen_by_sequence": True}
    )


def _rates(play: Play) -> None:
    """Four ports for 60 s each, and the moment that a connection lives: one every 15 s is just too many."""
    s = _four_ports(play, "One connection every 16 s")
    refused = [_connect_every(s, 16 * SECOND) for _ in range(9)]
    s.claim("it goes on for ever", not any(refused), refused)
    s = _four_ports(play, "One connection every 14 s")
    refused = [_connect_every(s, 14 * SECOND) for _ in range(5)]
    s.claim("the fifth finds no port", refused == ["", "", "", "", "EADDRNOTAVAIL"], refused)


def _connect_every(s: Stage, interval: int) -> str:
    start = s.now
    refused = refusal(s.open)
    if not refused:
        s.client.close()
        s.wait(100 * MILLISECOND)
        s.server.close()
    s.wait(start + interval - s.now)
    return refused


def _each_second(preset: Config) -> int:
    return (preset.ephemeral_last - preset.ephemeral_first + 1) * SECOND // (2 * preset.msl)
