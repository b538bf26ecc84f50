"""What applications stand on: accepting, limits, errors, ends."""

from __future__ import annotations

import pytest

from lastack.apps.reactor import Connection
from lastack.apps.services import Discard, Echo
from tests.apps.pair import SECOND, SERVER, Client, Pair


def test_more_connections_than_the_limit_wait_for_their_turn():
    pair = Pair(limit=2)
    pair.serve(Echo)
    clients = [pair.talk(b"hello") for _ in range(4)]
    pair.run()
    assert [client.heard for client in clients] == [b"hello", b"hello", b"", b""]
    assert pair.server.counters["limit: connections"] > 0
    clients[0].close(pair.now)
    clients[1].close(pair.now)
    pair.run()
    assert [client.heard for client in clients] == [b"hello"] * 4


def test_a_port_is_listened_on_once():
    pair = Pair()
    pair.serve(Echo)
    with pytest.raises(OSError, match="already in use"):
        pair.serve(Discard)
    assert len(pair.server.listening) == 1


def test_a_host_listens_on_all_its_addresses():
    pair = Pair()
    host = pair.world.host("dual", ["10.0.0.3", "fd00::3"])
    reactor = type(pair.server)(host)
    port = reactor.listen(0, 0, Echo)
    assert {one.socket.getsockname() for one in reactor.listening} == {("10.0.0.3", port), ("fd00::3", port)}


def test_a_refused_connection_is_told_once():
    pair = Pair()
    client = pair.talk(b"hello")
    pair.run()
    assert isinstance(client.error, ConnectionRefusedError)
    assert not pair.client.connections


def test_a_peer_s_reset_ends_a_connection_and_no_other():
    pair = Pair()
    pair.serve(Echo)
    first, second = pair.talk(b"one"), pair.talk(b"two")
    pair.run()
    first.abort(pair.now)
    pair.run()
    assert pair.server.counters["connections ended by an error"] == 1
    assert len(pair.server.connections) == 1
    second.say = b"more"
    second.ready(pair.now)
    pair.run()
    assert second.heard == b"twomore"


class Idle(Connection):
    """Does nothing, and may do so for three seconds."""

    idle = 3 * SECOND

    def ready(self, now: int) -> None:
        pass


def test_an_idle_connection_is_ended_after_its_time():
    pair = Pair()
    assert pair.server.deadline() is None
    pair.serve(Idle)
    client = pair.talk()
    pair.run(seconds=2)
    pair.server.advance(pair.now)
    pair.run(seconds=1)
    assert len(pair.server.connections) == 1
    pair.server.advance(pair.now)
    pair.run()
    assert not pair.server.connections
    assert isinstance(client.error, ConnectionResetError)
    assert pair.server.deadline() is None


def test_stop_closes_listeners_and_connections():
    pair = Pair()
    pair.serve(Echo)
    client = pair.talk(b"hello")
    pair.run()
    pair.server.stop(pair.now)
    pair.run(seconds=1)
    assert client.ended
    client.close(pair.now)
    pair.run(seconds=1)
    assert not pair.server.connections and not pair.server.listening
    assert pair.states() == ([], ["TIME_WAIT"])  # who closes first waits
    pair.run(seconds=60)
    assert pair.states() == ([], [])


def test_a_vanished_peer_is_found_by_keepalive():
    # RFC 9293 section 3.8.4
    pair = Pair()
    pair.serve(Discard)
    pair.talk(b"x")
    pair.run()
    pair.world.power_off("client")
    pair.run(seconds=60 + 6 * 15 + 1)
    assert not pair.server.connections
    assert pair.server.counters["connections ended by an error"] == 1


def test_what_cannot_be_begun_leaves_nothing():
    pair = Pair()
    with pytest.raises(OSError, match="no IPv6 address"):
        pair.client.connect(0, ("fd00::1", 80), lambda reactor, socket: Client(reactor, socket, b"", False, True))
    with pytest.raises(OSError, match="port 0"):
        pair.client.connect(0, (SERVER, 0), lambda reactor, socket: Client(reactor, socket, b"", False, True))
    assert not pair.client.connections
