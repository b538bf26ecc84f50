"""The law of the short cut for small messages: it can be deleted without any observable change."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Callable, Sequence
from contextlib import suppress

import pytest

from lastack.host import fast_in, options
from lastack.host.host import Host
from lastack.host.tables import Tables
from lastack.host.timers import Timers
from lastack.tcp import clean, predict, quiet, straight
from lastack.tcp.config import NEVER
from lastack.tcp.sequence import MASK
from lastack.tcp.tcb import MORE_FOLLOWS, NOTHING_SAID, Tcb
from lastack.wire.packet import Packet
from tests.host.test_fast_in import WAYS, Pair
from tests.tcp.test_prediction import variables

# What an application may do between two messages, each of which is no matter for the short cut, or ends it.
ODD: list[Callable[[Pair, int], object]] = [
    lambda pair, who: pair.sockets[who].send(pair.now, b"more", options.MSG_MORE),
    lambda pair, who: pair.sockets[who].send(pair.now, b"urgent", options.MSG_OOB),
    lambda pair, who: pair.sockets[who].send(pair.now, b"record", options.MSG_EOR),
    lambda pair, who: pair.sockets[who].send(pair.now, bytes(pair.rng.choice((1447, 1448, 1449, 30_000)))),
    lambda pair, who: pair.sockets[1 - who].recv(pair.now, 3),
    lambda pair, who: pair.option(who, options.IPPROTO_TCP, options.TCP_NODELAY, 1),
    lambda pair, who: pair.option(who, options.IPPROTO_TCP, options.TCP_CORK, pair.rng.randrange(2)),
    lambda pair, who: pair.option(who, options.IPPROTO_TCP, options.TCP_QUICKACK, pair.rng.randrange(2)),
    lambda pair, who: pair.option(who, options.IPPROTO_TCP, options.TCP_WINDOW_CLAMP, 30_000),
    lambda pair, who: pair.option(who, options.IPPROTO_TCP, options.TCP_USER_TIMEOUT, 60_000),
    lambda pair, who: pair.option(who, options.IPPROTO_TCP, options.TCP_NOTSENT_LOWAT, 3_000),
    lambda pair, who: pair.option(who, options.SOL_SOCKET, options.SO_RCVLOWAT, pair.rng.randrange(1, 3)),
    lambda pair, who: pair.option(who, options.SOL_SOCKET, options.SO_RCVBUF, pair.rng.choice((5_000, 900_000))),
    lambda pair, who: pair.option(who, options.SOL_SOCKET, options.SO_SNDBUF, 5_000),
    lambda pair, who: pair.option(who, options.SOL_SOCKET, options.SO_KEEPALIVE, 1),
    lambda pair, who: pair.option(who, options.IPPROTO_TCP, options.TCP_MAXSEG, 900),
    lambda pair, who: pair.option(who, options.IPPROTO_TCP, options.TCP_CONGESTION, "newreno"),
    lambda pair, who: pair.seen.append(pair.sockets[who].getsockopt(options.IPPROTO_TCP, options.TCP_INFO)),
    lambda pair, who: pair.seen.append(pair.sockets[who].poll()),
    lambda pair, who: pair.hosts[who].route(pair.sockets[who].getpeername()[0], mtu=pair.rng.choice((1300, 1400))),
    lambda pair, who: pair.sockets[who].shutdown(pair.now, options.SHUT_RD),
    lambda pair, who: setattr(pair, "now", pair.now + 2_000_000),  # longer than the RTO
    lambda pair, who: setattr(pair, "now", pair.now + 60_000_000),
]


class Talk(Pair):
    """One asks, the other answers; now and then something else happens."""

    def settings(self, seed: int) -> list[dict[str, object]]:
        return [{"ecn": "on" if seed == 3 else "off", "timestamps": seed != 4, "pingpong": seed == 5}] * 2

    def option(self, who: int, level: int, option: int, value: int | str) -> None:
        self.sockets[who].setsockopt(level, option, value)

    def turn(self, faults: bool = True, calm: bool = True) -> None:
        super().turn(faults=faults, calm=calm)
        self.seen.append([host.deadline() for host in self.hosts])
        self.hold_true()

    def hold_true(self) -> None:
        """What was found out once holds."""
        for host in self.hosts:
            for tcb in host.tcbs.values():
                if tcb.quiet is tcb.config and tcb.path is None:
                    assert quiet.found(tcb)
                    ends = [(one.first, one.end, one.transmissions) for one in tcb.sent]
                    assert ends == ([(tcb.snd_una, tcb.snd_nxt, 1)] if tcb.sent else [])
                    assert tcb.pipe == (tcb.snd_nxt - tcb.snd_una) & MASK
                    assert not tcb.sent or tcb.last_ack_sent == tcb.rcv_nxt

    def say(self, who: int) -> None:
        with suppress(OSError):
            socket = self.sockets[who]
            for _ in range(1 if self.rng.random() < 0.9 else 3):
                self.seen.append(socket.send(self.now, bytes(self.rng.choice((1, 1, 10, self.rng.randrange(1448))))))

    def step(self, calm: bool) -> None:
        rng = self.rng
        if rng.random() < (0.03 if calm else 0.25):
            with suppress(OSError):
                rng.choice(ODD)(self, rng.randrange(2))
            self.hold_true()
        for who in (0, 1):
            self.say(who)
            self.hold_true()
            if rng.random() < 0.03:
                self.say(1 - who)  # both at once
            for _ in range(2 if rng.random() < 0.9 else 1):  # it leaves, and comes
                self.turn(faults=not calm or rng.random() < 0.1)
            if rng.random() < 0.2:  # no answer for so long that it is acknowledged alone
                self.now += 45_000
                for _ in range(2):
                    self.turn(faults=not calm)
            self.seen += [one.tcb and variables(one.tcb) for one in self.sockets]
            with suppress(OSError):
                self.seen.append(self.sockets[1 - who].take_views(self.now, 10_000 if rng.random() < 0.95 else 1))


def talk(seed: int, version: int, gso: int, calm: bool) -> list[object]:
    pair = Talk(seed, version, gso)
    for _ in range(80):
        pair.step(calm)
    return [*pair.seen, *(dict(host.counters) for host in pair.hosts)]


# The parts of the short cut, and what they say where they do nothing.
PARTS = {"arrived": False, "acknowledged": False, "rests": False, "leaving": None}


@pytest.mark.parametrize(("version", "gso"), WAYS)
@pytest.mark.parametrize("calm", [False, True])
@pytest.mark.parametrize("seed", range(8))
def test_it_changes_nothing(seed: int, version: int, gso: int, calm: bool, monkeypatch: pytest.MonkeyPatch):
    took = Counter[str]()

    def counting(name: str) -> Callable[..., object]:
        plain = getattr(quiet, name)

        def asked(*given: object) -> object:
            done = plain(*given)
            took[name] += bool(done)
            return done

        return asked

    for name in PARTS:
        monkeypatch.setattr(quiet, name, counting(name))
    with_it = talk(seed, version, gso, calm)
    for name, nothing in PARTS.items():
        monkeypatch.setattr(quiet, name, lambda *given, nothing=nothing: nothing)
    if seed % 2:  # nor do all of them
        monkeypatch.setattr(fast_in, "taken", lambda *given: None)
        for module, name in ((predict, "predicted"), (clean, "acknowledged"), (straight, "send")):
            monkeypatch.setattr(module, name, lambda *given: False)
        monkeypatch.setattr(Tables, "_template", lambda *given: None)
    for number, (one, other) in enumerate(zip(with_it, talk(seed, version, gso, calm), strict=True)):
        assert one == other, f"step {number}"
    if calm and seed not in (3, 4, 5):
        assert all(took[name] >= least for name, least in zip(PARTS, (4, 4, 8, 51), strict=True)), took


@pytest.mark.parametrize("size", [1, 100, 1400])
def test_messages_of_all_sizes_go_by_it(size: int, monkeypatch: pytest.MonkeyPatch):
    arrived, took = quiet.arrived, []
    monkeypatch.setattr(quiet, "arrived", lambda *given: took.append(arrived(*given)) or took[-1])
    pair = Talk(1, 4, 65_000)
    for number in range(100):
        who = number % 2
        pair.sockets[who].send(pair.now, bytes(size))
        for _ in range(2):
            pair.turn(faults=False)
        assert pair.sockets[1 - who].recv(pair.now, 2000) == bytes(size)
    assert all(took[-60:])  # at first each segment is acknowledged at once


class Prompt(random.Random):
    """Chance where nobody is slow."""

    def choice(self, some: Sequence[int]) -> int:  # type: ignore[override]
        return min(some)


def talked() -> Talk:
    """Two who have asked and answered for a while, so that all goes by the short cut."""
    pair = Talk(1, 4, 0)
    pair.rng = Prompt()
    for _ in range(20):
        exchanged(pair)
    return pair


def exchanged(pair: Talk) -> None:
    for one, other in (pair.sockets, pair.sockets[::-1]):
        one.send(pair.now, b"x")
        for _ in range(2):
            pair.turn(faults=False)
        assert other.recv(pair.now, 9) == b"x"


def test_a_larger_window_is_heard_by_it(monkeypatch: pytest.MonkeyPatch):
    pair = talked()
    tcb = pair.sockets[0].tcb
    known = tcb.max_snd_wnd
    # Less than twice as much: it is not told at once.
    pair.option(1, options.SOL_SOCKET, options.SO_RCVBUF, known * 3 // 2)
    arrived, took = quiet.arrived, []
    monkeypatch.setattr(quiet, "arrived", lambda *given: arrived(*given) and not took.append(given[0]))
    exchanged(pair)
    assert took == [tcb]
    assert tcb.max_snd_wnd == tcb.snd_wnd > known


def small_message() -> tuple[Pair, Host]:
    """Somebody whose message has just been handed out, by the short cut."""
    pair = talked()
    host = pair.hosts[0]
    pair.sockets[0].send(pair.now, b"x")
    assert len(host.transmit(pair.now)) == 1
    assert pair.sockets[0].tcb.retransmission_at == NEVER  # so it went by the short cut
    return pair, host


def test_its_timers_run_once_it_has_left():
    pair, host = small_message()
    assert not host.transmit(pair.now)
    assert pair.sockets[0].tcb.retransmission_at > pair.now


@pytest.mark.parametrize("verb", ["advance", "deadline", "ready", "receive"])
def test_its_timers_run_also_where_nobody_asks_for_more_to_send(verb: str):
    pair, host = small_message()
    tcb = pair.sockets[0].tcb
    before = tcb.statistics.segments_out
    if verb == "deadline":
        deadline = host.deadline()
        assert deadline is not None and pair.now < deadline <= tcb.retransmission_at
    elif verb == "advance":
        host.advance(pair.now)
    elif verb == "ready":  # the application's turn comes, which may ask for TCP_INFO
        host.ready()
    else:
        host.receive(pair.now, Packet(bytes(60)))
    assert tcb.retransmission_at > pair.now
    assert tcb.statistics.segments_out == before + 1


def test_what_is_answered_before_anything_else_is_asked_opens_the_window_as_ever(monkeypatch: pytest.MonkeyPatch):
    def answered_at_once() -> dict[str, object]:
        """The answer comes in the batch in which the message left."""
        pair = talked()
        (host, peer), (client, server) = pair.hosts, pair.sockets
        assert client.tcb is not None
        client.tcb.congestion.cwnd = client.tcb.congestion.mss + 500  # of which hardly anything was used
        pair.now += 1000
        client.send(pair.now, bytes(1000))
        (message,) = host.transmit(pair.now)
        peer.receive(pair.now, Packet(message.joined()))
        server.send(pair.now, b"x")
        (answer,) = peer.transmit(pair.now)
        host.receive(pair.now, Packet(answer.joined()))
        assert not host.transmit(pair.now)
        return variables(client.tcb)

    with_it = answered_at_once()
    monkeypatch.setattr(quiet, "arrived", lambda *given: False)
    monkeypatch.setattr(quiet, "leaving", lambda *given: None)
    assert answered_at_once() == with_it


def test_timers_of_one_moment_are_armed_in_the_order_of_what_left(monkeypatch: pytest.MonkeyPatch):
    pair = talked()
    for _ in range(3):
        pair.turn(faults=False)
    host = pair.hosts[0]
    another = host.socket(4)
    with suppress(BlockingIOError):
        another.connect(pair.now, pair.sockets[0].getpeername())
    for _ in range(4):
        pair.turn(faults=False)
    armed: list[Tcb] = []
    schedule = Timers.schedule
    monkeypatch.setattr(Timers, "schedule", lambda self, tcb: armed.append(tcb) or schedule(self, tcb))
    pair.sockets[0].send(pair.now, b"x")
    another.send(pair.now, b"x" * 2000)
    assert len(host.transmit(pair.now)) == 3
    assert armed == [pair.sockets[0].tcb, another.tcb]


def test_what_is_answered_before_it_is_asked_again_needs_no_timer():
    pair, host = small_message()
    tcb = pair.sockets[0].tcb
    tcb.sent.clear()
    assert not host.transmit(pair.now)
    assert tcb.retransmission_at == NEVER


class Heard:
    """An observer that writes down what it was told."""

    def __init__(self) -> None:
        self.of: list[str] = []

    def __getattr__(self, name: str) -> Callable[..., None]:
        return lambda *given: self.of.append(name)


def test_who_begins_to_watch_hears_of_all_from_then_on():
    pair, heard = talked(), Heard()
    pair.sockets[0].send(pair.now, b"x")
    pair.turn(faults=False)
    pair.hosts[0].observe(heard)  # type: ignore[arg-type]
    pair.sockets[0].send(pair.now, b"y")
    pair.turn(faults=False)
    assert heard.of == ["call_made"]  # Nagle holds it back
    pair.turn(faults=False)
    pair.sockets[1].send(pair.now, b"x")
    for _ in range(2):
        pair.turn(faults=False)
    assert heard.of == ["call_made", "segment_in", "segment_out"]


def test_a_user_who_said_that_more_follows_is_heard_also_where_there_was_no_room():
    pair = talked()
    socket = pair.sockets[0]
    pair.option(0, options.SOL_SOCKET, options.SO_SNDBUF, 5_000)
    exchanged(pair)
    socket.send(pair.now, b"x")
    assert len(pair.hosts[0].transmit(pair.now)) == 1
    tcb = socket.tcb
    assert tcb is not None
    socket.send(pair.now, bytes(tcb.snd_buf - tcb.send_buffer.length))  # it is full, to the byte
    assert tcb.quiet is not None
    with pytest.raises(BlockingIOError):
        socket.send(pair.now, b"more", options.MSG_MORE)
    assert tcb.hold == MORE_FOLLOWS
    socket.send(pair.now, b"")
    assert tcb.hold == NOTHING_SAID
