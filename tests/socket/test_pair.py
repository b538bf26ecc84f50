"""Two hosts in this process, and what befalls the segments between them, in real time."""

from __future__ import annotations

import threading
import time

import pytest

import lastack.socket
from lastack.link.frame import Frame
from lastack.socket import Pair
from tests.socket.places import SOON, Aside


def connected(pair: Pair) -> tuple[lastack.socket.socket, lastack.socket.socket]:
    """The client's socket, and the server's."""
    with lastack.socket.use(pair.server), lastack.socket.create_server(("server", 80)) as listener:
        with lastack.socket.use(pair.client):
            client = lastack.socket.create_connection(("server", 80), SOON)
        server, _ = listener.accept()
        server.settimeout(SOON)
        return client, server


def test_latency_takes_its_time():
    began = time.monotonic()
    with lastack.socket.open_pair(latency=0.05) as pair:
        client, server = connected(pair)
        with client, server:
            client.sendall(b"x")
            assert server.recv(1) == b"x"
            assert time.monotonic() - began >= 0.15
            pair.both.latency(0)
            for _ in range(10):
                client.sendall(b"x")
                server.recv(1)
    assert time.monotonic() - began < 5


def test_losses_are_repaired():
    data = bytes(range(256)) * 4000
    with lastack.socket.open_pair(latency=0.001, loss=0.05) as pair:
        client, server = connected(pair)
        with client, server:
            sending = Aside(client.sendall, data)
            with server.makefile("rb") as file:
                assert file.read(len(data)) == data
            sending.result()
        assert pair.there.paths[0].pipeline.counters()["loss"]["lost"] > 10


def test_a_rule_about_one_segment():
    with lastack.socket.open_pair() as pair:
        seen: list[int] = []

        def first_syn(frame: Frame) -> bool:
            seen.append(frame.number)
            return len(seen) == 1

        rule = pair.there.drop(first_syn)
        began = time.monotonic()
        client, server = connected(pair)
        client.close()
        server.close()
        assert rule.counters["lost"] == 1
        assert 1 <= time.monotonic() - began < 5  # the first RTO


def test_a_partition_and_what_is_held():
    with lastack.socket.open_pair() as pair:
        client, server = connected(pair)
        with client, server:
            pair.both.partition()
            client.sendall(b"late")
            server.settimeout(0.05)
            with pytest.raises(TimeoutError):
                server.recv(10)
            pair.both.repair()
            server.settimeout(SOON)
            assert server.recv(10) == b"late"
            pair.back.hold()
            server.sendall(b"held")
            client.settimeout(0.05)
            with pytest.raises(TimeoutError):
                client.recv(10)
            pair.back.release()
            client.settimeout(SOON)
            assert client.recv(10) == b"held"


@pytest.mark.parametrize("what", [{"latency": -1}, {"loss": 3}, {"bandwidth": -5}, {"bandwidth": 0}])
def test_what_makes_no_sense_leaves_no_thread(what: dict[str, float]):
    threads = threading.active_count()
    with pytest.raises(ValueError, match=r"from 0 to 1|negative"):
        lastack.socket.open_pair(**what)  # type: ignore[arg-type]
    assert threading.active_count() == threads


def test_what_is_no_stack_is_not_used():
    with lastack.socket.open_pair() as pair:
        for enter in (lastack.socket.use, lastack.socket.patched):
            with pytest.raises(TypeError, match=r"a pair has two, pair\.client and pair\.server"), enter(pair):  # type: ignore[arg-type]
                pass
            with pytest.raises(TypeError, match="a stack is used, not 'x'"), enter("x"):  # type: ignore[arg-type]
                pass
