"""The three hazards of an assassinated TIME-WAIT (RFC 1337 section 2), and that with its protection none arises.

The server has closed first. An old duplicate draws its ACK, and that a RST from a peer that has forgotten all.
"""

from __future__ import annotations

import pytest

from lastack.tcp.states import State
from tests.host.harness import Bench, Peer, client

OLD = 200  # the new incarnation begins so far below the old one: its numbers run through the old ones again
# Nothing else protects: no timestamps, no RFC 5961 section 5, no ISN clock that has gone on.
BARE = {"timestamps": False, "rfc5961_ack": False}


def after_the_reset(protected: bool) -> tuple[Bench, Peer]:
    h = Bench(rfc1337=protected, **BARE)
    server = h.listen(80)
    peer = h.connected()
    child, _ = h.do(server.accept)
    h.do(child.close)
    peer.sends("F. 1:1(0) ack 1")
    peer.gets("F. 1:1(0) ack 2")
    peer.sends(". 2:2(0) ack 2")
    peer.gets("P. 4294967286:4294967292(6) ack 1")  # an old duplicate
    peer.sends(". 2:2(0) ack 2")
    peer.gets("R 2:2(0)")
    return h, peer


def reincarnated() -> tuple[Bench, Peer]:
    """A new connection of the same name, whose numbers begin below the old ones."""
    h, peer = after_the_reset(protected=False)
    assert peer.state is State.CLOSED
    peer.irs = peer.irs - OLD & 0xFFFFFFFF
    peer.gets("S 0:0(0) <mss 1460>")
    peer.sends("S. 0:0(0) ack 1")
    return h, peer


def test_with_the_protection_there_is_no_new_incarnation_to_be_harmed():  # RFC 1337 section 3, fix F1
    h, peer = after_the_reset(protected=True)
    assert peer.state is State.TIME_WAIT
    h.after(1)
    old = peer.irs
    peer.irs = peer.irs - OLD & 0xFFFFFFFF
    peer.gets("S 0:0(0) <mss 1460>")
    peer.irs = old
    peer.sends(". 2:2(0) ack 2")
    h.after(59)
    assert peer.state is State.CLOSED


def test_h1_old_text_is_taken_for_new():
    h, peer = reincarnated()
    peer.gets(". 1:1(0) ack 1")
    child, _ = h.do(h.host.listeners()[0].socket.accept)
    peer.gets("P. 191:197(6) ack 1")  # the old duplicate once more: ahead of what has come, within the window
    peer.sends(". 1:1(0) ack 1")
    peer.gets("P. 1:191(190) ack 1")
    peer.sends(". 1:1(0) ack 197")
    assert len(h.do(child.recv, 1000)) == 196  # six bytes of them are the old connection's


def test_h2_two_ends_that_disagree_do_not_answer_each_other_for_ever():
    """An old ACK of what the new connection has not sent is answered by an ACK, and so on; section 7 of RFC 5961 ends
    it (tests/attacks/test_storms.py counts both ends)."""
    h, peer = reincarnated()
    peer.gets(". 1:1(0) ack 1")
    answers = 0
    for _ in range(1_000):
        peer.gets(". 1:1(0) ack 5000")
        answers += h.forget()
    assert (answers, peer.state) == (h.host.config.challenge_acks_per_second, State.ESTABLISHED)


@pytest.mark.parametrize("rfc5961", [True, False])
def test_h3_an_old_ack_does_not_end_a_connection_that_is_being_opened(rfc5961: bool):
    """It draws a RST (RFC 9293 3.10.7.3), which is for the old connection: ours goes on."""
    h = Bench(rfc5961_rst=rfc5961, **BARE)
    socket, peer = client(h)
    peer.gets(". 700:700(0) ack 500")
    peer.sends("R 500:500(0)")
    assert socket.state is State.SYN_SENT
    peer.gets("S. 0:0(0) ack 1 <mss 1460>")
    peer.sends(". 1:1(0) ack 1")


def test_h3_the_reset_that_it_draws_ends_the_other_end_without_rfc_5961():
    """RFC 5961 section 3 takes a RST for its exact number alone; RFC 793 for any in the window."""
    for protected, state in ((True, State.ESTABLISHED), (False, State.CLOSED)):
        h = Bench(rfc5961_rst=protected, **BARE)
        h.listen(80)
        peer = h.connected()
        peer.gets("R 500:500(0)")
        h.forget()
        assert peer.state is state
