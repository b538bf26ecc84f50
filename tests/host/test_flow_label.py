"""IPv6 flow labels: RFC 6437, RFC 8200 section 6."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from lastack.wire.datagram import parse_ip
from lastack.wire.ipv6 import Header
from tests.host.harness import Bench, Peer


def labels(h: Bench) -> Iterator[int]:
    """Those of what the host has just sent."""
    for packet, _ in h.pending:
        header = parse_ip(packet.joined())
        yield header.flow_label if isinstance(header, Header) else 0
    h.forget()


def opened(h: Bench, port: int = 4711) -> tuple[Peer, set[int]]:
    """A peer whose connection is established, and the labels so far."""
    peer = h.peer(port, remote="fd00::2", address="fd00::1")
    peer.gets("S 0:0(0) <mss 1440>")
    seen = set(labels(h))
    peer.gets(". 1:1(0) ack 1")
    return peer, seen


def test_one_label_for_all_of_a_connection():  # RFC 6437 section 3
    h = Bench()
    server = h.listen(80, version=6)
    peer, seen = opened(h)
    child, _ = h.do(server.accept)
    h.do(child.send, bytes(3000))
    seen |= set(labels(h))
    peer.gets(". 1:1(0) ack 3001")
    h.do(child.close)
    seen |= set(labels(h))
    peer.gets("F. 1:1(0) ack 3002")  # TIME-WAIT, a record from here on
    seen |= set(labels(h))
    peer.gets("F. 1:1(0) ack 3002")
    seen |= set(labels(h))
    assert len(seen) == 1 and 0 < seen.pop() < 1 << 20


def test_connections_and_secrets_have_labels_of_their_own():  # section 2: uniform; section 6.1: not to be guessed
    h = Bench()
    h.listen(80, 50, version=6)
    seen = [opened(h, port)[1].pop() for port in range(5000, 5020)]
    assert len(set(seen)) == 20


def test_a_reset_bears_one_too():
    h = Bench()
    peer = h.peer(remote="fd00::2", address="fd00::1")
    peer.gets("S 0:0(0)")
    (label,) = labels(h)
    assert label


@pytest.mark.parametrize("rethink", [False, True])
def test_after_a_time_out_it_may_change(rethink: bool):  # Linux's txrehash
    h = Bench(flow_label_rethink=rethink, tail_loss_probes=False)
    server = h.listen(80, version=6)
    _, (first, *_) = opened(h)
    child, _ = h.do(server.accept)
    h.do(child.send, b"x")
    assert set(labels(h)) == {first}
    h.after(2)
    seen = list(labels(h))
    assert seen and (set(seen) == {first}) is not rethink


def test_switched_off_it_is_zero():
    h = Bench(flow_labels=False)
    h.listen(80, version=6)
    assert opened(h)[1] == {0}
