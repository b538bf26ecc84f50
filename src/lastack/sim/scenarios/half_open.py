"""Half-open connections: one side believes in a connection of which the other knows nothing, or is not there."""

from __future__ import annotations

from typing import Any

from lastack.host import options as o
from lastack.sim.scenarios.play import Play
from lastack.sim.scenarios.registry import scenario
from lastack.sim.scenarios.stage import Stage
from lastack.sim.scenarios.waiting import DAY, give_up_time
from lastack.tcp.config import HOUR, MILLISECOND, SECOND
from lastack.tcp.states import State

RTO: dict[str, Any] = {
    "rto_slop": 0,
    "rto_min_above_srtt": False,
    "rto_min": 200 * MILLISECOND,
    "delayed_ack": 40 * MILLISECOND,  # well below the RTO
    "rto_max": 120 * SECOND,
    "tail_loss_probes": False,  # one would be sent in the place of the first retransmission
    "r2_retransmissions": 15,
    "user_timeout": 0,
    "reset_when_given_up": False,
}
R2 = give_up_time(200 * MILLISECOND, 120 * SECOND, 15)  # 924.6 s
KEEPALIVE: dict[str, Any] = {
    "keepalive": False,
    "always_keepalive": False,
    "keepalive_idle": 2 * HOUR,
    "keepalive_interval": 75 * SECOND,
    "keepalive_probes": 9,
}


@scenario("half-open-power-loss", row="14", title="The peer loses its power")
def half_open_power_loss(play: Play) -> None:
    """A peer that vanishes sends nothing, and TCP sends nothing to an idle peer: the connection stays ESTABLISHED
    for ever. Keep-alive (off by default, RFC 9293 MUST-25) asks after 2 h of idleness, nine times, every 75 s; all
    three can be set. Where data is outstanding, R2 or a user timeout (RFC 5482) ends it. An application's own
    heartbeat finds it as soon as the application likes, and finds a peer that hangs, too.
    """
    s = _power_loss(play, "Nobody asks")
    s.wait(30 * DAY)
    s.claim("after 30 days it is still ESTABLISHED", s.client.state is State.ESTABLISHED, s.client.state)
    s.claim("no timer runs, and no segment was sent", s.client.host.deadline() is None and s.segments == 3, s.segments)

    s = _power_loss(play, "Keep-alive with its defaults")
    _set(s, o.SOL_SOCKET, o.SO_KEEPALIVE, 1)
    _found_by_keepalive(s, 2 * HOUR, 75 * SECOND, 9)
    s = _power_loss(play, "Keep-alive: 10 s, every 5 s, three times")
    for option, value in ((o.TCP_KEEPIDLE, 10), (o.TCP_KEEPINTVL, 5), (o.TCP_KEEPCNT, 3)):
        _set(s, o.IPPROTO_TCP, option, value)
    _set(s, o.SOL_SOCKET, o.SO_KEEPALIVE, 1)
    _found_by_keepalive(s, 10 * SECOND, 5 * SECOND, 3)

    s = _power_loss(play, "Data is outstanding: R2")
    s.client.send(b"is anybody there?")
    _times_out(s, R2, "the peer did not answer (R2 reached)")
    s = _power_loss(play, "Data is outstanding: a user timeout of 30 s")
    _set(s, o.IPPROTO_TCP, o.TCP_USER_TIMEOUT, 30_000)
    s.client.send(b"is anybody there?")
    _times_out(s, 30 * SECOND, "user timeout")
    _heartbeat(play.act("The application's own heartbeat, every 10 s", **RTO, **KEEPALIVE))


def _set(s: Stage, level: int, option: int, value: int) -> None:
    s.client.talk.socket.setsockopt(level, option, value)


def _power_loss(play: Play, title: str) -> Stage:
    s = play.act(title, **RTO, **KEEPALIVE)
    s.open()
    s.server.power_off()
    return s


def _found_by_keepalive(s: Stage, idle: int, interval: int, probes: int) -> None:
    heard = s.client.talk.tcb.received_at
    before = len(s.sent("ACK", s.client))
    _times_out(s, heard + idle + probes * interval - s.now, "keep-alive probes unanswered")
    asked = len(s.sent("ACK", s.client)) - before
    s.claim(f"it was asked {probes} times", asked == probes, asked)


def _times_out(s: Stage, after: int, reason: str) -> None:
    end = s.now + after
    s.wait(after - 1)
    s.claim("a microsecond before the end it is ESTABLISHED", s.client.state is State.ESTABLISHED, s.client.state)
    s.wait(1)
    s.claim(f"it ends at {end / SECOND:.10g} s, to the microsecond", s.client.state is State.CLOSED, s.client.state)
    s.claim(f"the reason: {reason}", s.client.talk.reason == reason, s.client.talk.reason)
    s.claim("the application is told: timed out", isinstance(s.client.error, TimeoutError), s.client.error)


def _heartbeat(s: Stage) -> None:
    s.open()
    for option, value in ((o.TCP_KEEPIDLE, 1), (o.TCP_KEEPINTVL, 1)):
        _set(s, o.IPPROTO_TCP, option, value)
    beats = [_beat(s, answered=True) for _ in range(3)]
    s.claim("three questions are answered", all(beats), beats)
    s.server.power_off()
    s.claim("the fourth is not: found within 10 s", not _beat(s, answered=False))
    s.claim("TCP is still trying: ESTABLISHED", s.client.state is State.ESTABLISHED, s.client.state)
    s.client.abort()
    s.server.power_on()
    s.open()
    _set(s, o.SOL_SOCKET, o.SO_KEEPALIVE, 1)
    for option in (o.TCP_KEEPIDLE, o.TCP_KEEPINTVL, o.TCP_KEEPCNT):
        _set(s, o.IPPROTO_TCP, option, 1)
    s.note("the application hangs", s.server)
    s.claim("a peer that hangs is found as well", not _beat(s, answered=False))
    s.claim("its TCP lives, so keep-alive finds nothing", s.client.state is State.ESTABLISHED, s.client.state)


def _beat(s: Stage, *, answered: bool) -> bool:
    """One question of the application; whether the answer has come when it would ask again, ten seconds later."""
    before = s.client.received
    s.client.send(b"ping")
    s.pause()
    if answered:
        s.server.send(b"pong")
    s.wait(9 * SECOND)
    return s.client.received == before + b"pong"


@scenario("half-open-reboot", row="14b", kernel=True, title="The peer reboots, and answers with a RST")
def half_open_reboot(play: Play) -> None:
    """The server loses its power and starts again: it knows nothing of its connections, and the client nothing of
    that. The next segment of the client, be it data or a keep-alive probe, finds no connection and gets a RST (RFC
    9293 3.5.1). A client that has nothing to say and does not ask never learns of it.
    """
    s = _rebooted(play, "The client sends data")
    s.client.send(b"do you remember me?")
    s.pause()
    _reset_by_peer(s)
    s = _rebooted(play, "Keep-alive asks")
    _set(s, o.SOL_SOCKET, o.SO_KEEPALIVE, 1)
    s.run(lambda: s.client.state is State.CLOSED)
    s.claim("it was found by the first probe", 2 * HOUR < s.now < 2 * HOUR + SECOND, s.now)
    _reset_by_peer(s)
    s = _rebooted(play, "The client is silent")
    s.wait(30 * DAY)
    s.claim("after 30 days it is still ESTABLISHED", s.client.state is State.ESTABLISHED, s.client.state)
    s.claim("the server has no such connection", not s.server.host.connections())


def _rebooted(play: Play, title: str) -> Stage:
    s = _power_loss(play, title)
    s.wait(10 * SECOND)
    s.server.power_on()
    s.listen()
    return s


def _reset_by_peer(s: Stage) -> None:
    s.claim("the server answers with a RST", len(s.sent("RST", s.server)) == 1, len(s.sent("RST", s.server)))
    s.claim("the client goes from ESTABLISHED to CLOSED", s.client.states[-2:] == [State.ESTABLISHED, State.CLOSED])
    told = s.client.error
    s.claim("the application is told: connection reset", isinstance(told, ConnectionResetError), told)
    s.open()
    s.claim("a new connection is open", s.states() == (State.ESTABLISHED, State.ESTABLISHED), s.states())


@scenario("half-open-network-break", row="14c", title="The path breaks, and comes back")
def half_open_network_break(play: Play) -> None:
    """A connection is what its two ends remember; the path between them may go and come. An idle one does not
    notice. Data is sent again until the path is back, and nothing is lost. Only when the sender has given up (R2)
    before the path is back, is the connection half-open: the other end believes in it until it sends something, and
    gets a RST.
    """
    s = _broken(play, "Nothing is sent: a day passes")
    s.wait(DAY)
    s.heal()
    s.client.send(b"good morning")
    s.pause()
    s.claim("it goes on as if nothing had happened", s.server.received == b"good morning", s.server.received)

    s = _broken(play, "The path is back before the sender gives up")
    s.client.send(b"are you there?")
    s.wait(600 * SECOND)
    s.claim("after 10 min the client is still trying", s.client.state is State.ESTABLISHED, s.client.state)
    s.heal()
    healed = s.now
    s.run(lambda: bool(s.server.received) and not s.client.talk.tcb.sent)
    s.claim("all is delivered, nothing twice", s.server.received == b"are you there?", s.server.received)
    s.claim("with the next retransmission, at most 120 s later", s.now - healed <= 121 * SECOND, s.now - healed)

    s = _broken(play, "The path is back after the sender has given up")
    s.client.send(b"are you there?")
    _times_out(s, R2, "the peer did not answer (R2 reached)")
    s.heal()
    s.claim("the server still believes: ESTABLISHED", s.server.state is State.ESTABLISHED, s.server.state)
    s.server.send(b"here I am")
    s.pause()
    s.claim("its first segment gets a RST", len(s.sent("RST", s.client)) == 1)
    s.claim("the server is CLOSED too", s.server.state is State.CLOSED, s.server.state)
    told = s.server.error
    s.claim("and its application is told: connection reset", isinstance(told, ConnectionResetError), told)


def _broken(play: Play, title: str) -> Stage:
    s = play.act(title, **RTO, **KEEPALIVE)
    s.open()
    s.pause()
    s.partition()
    s.note("the path breaks")
    return s
