"""How many connections a host keeps that their users have closed, and how many challenge ACKs it sends."""

from __future__ import annotations

import pytest

from lastack.host.limiter import ChallengeBudget, challenge_acks
from lastack.tcp.states import State
from tests.host.harness import SECRET, Bench, Peer, connect


def orphan(h: Bench, port: int) -> Peer:
    """A connection whose FIN the peer does not answer."""
    socket, peer = connect(h, port)
    h.do(socket.close)
    return peer


def test_one_orphan_too_many_is_reset_and_the_old_ones_live():  # Linux tcp_max_orphans
    h = Bench(orphan_limit=2)
    for port in (1000, 1001):
        orphan(h, port).sends("F. 1:1(0) ack 1")
    third = orphan(h, 1002)
    third.sends("R. 1:1(0) ack 1")
    assert (len(h.host.orphans), h.host.counters["limit: orphans"], len(h.host.tcbs)) == (2, 1, 2)


def test_in_last_ack_too():
    h = Bench(orphan_limit=0)
    socket, peer = connect(h)
    peer.gets("F. 1:1(0) ack 1")
    peer.sends(". 1:1(0) ack 2")
    h.do(socket.close)
    peer.sends("R. 1:1(0) ack 2")
    assert peer.state is State.CLOSED


@pytest.mark.parametrize("line", ["F. 1:1(0) ack 2", "R 1:1(0)", ". 1:1(0) ack 2"])
def test_an_orphan_that_is_over_makes_room(line: str):  # by TIME-WAIT, by a RST, by the FIN-WAIT-2 timer
    h = Bench(orphan_limit=1)
    peer = orphan(h, 1000)
    h.forget()
    peer.gets(line)
    h.forget()
    h.after(60 if line.startswith(".") else 0)
    assert len(h.host.orphans) == 0
    orphan(h, 1001).sends("F. 1:1(0) ack 1")


def test_who_is_held_is_no_orphan():
    h = Bench(orphan_limit=0)
    socket, peer = connect(h)
    h.do(socket.shutdown, 1)
    peer.sends("F. 1:1(0) ack 1")
    assert (peer.state, h.host.counters["limit: orphans"]) == (State.FIN_WAIT_1, 0)


def test_challenge_acks_of_a_host_are_limited():  # RFC 5961 section 7
    h = Bench(host_challenge_acks_per_second=6)
    h.listen(80, 20)
    peers = [h.connected(1000 + number) for number in range(5)]
    drawn = challenge_acks(6, SECRET, h.now // 1_000_000)
    sent = 0
    for peer in peers * 2:
        peer.gets("R 9:9(0)")
        sent += h.forget()
    assert sent == drawn
    assert h.host.counters["limit: challenge ACKs of the host"] == 10 - drawn
    h.after(1)
    peers[0].gets("R 9:9(0)")
    peers[0].sends(". 1:1(0) ack 1")


def test_their_number_is_drawn_for_each_second():  # Linux after CVE-2016-5696: half to one and a half
    drawn = [challenge_acks(1000, SECRET, second) for second in range(500)]
    assert (min(drawn) >= 500, max(drawn) < 1500, len(set(drawn)) > 350) == (True, True, True)
    budget = ChallengeBudget(1000, SECRET)
    assert [sum(budget.allows(second * 1_000_000 + i) for i in range(2000)) for second in range(5)] == drawn[:5]
