"""ACKs in answer to what cannot be right, and how many (RFC 5961 section 7); what is never answered by a RST."""

from __future__ import annotations

import pytest

from lastack.tcp.states import State
from lastack.wire.segment import RST
from tests.tcp.harness import established, reach


def test_challenges_are_limited_and_the_limit_is_for_one_second():  # RFC 5961 section 7
    t = established(challenge_acks_per_second=3)
    for _ in range(3):
        t.gets("S 1:1(0)")
        t.sends(". 1:1(0) ack 1")
    t.gets("S 1:1(0)", "R 5:5(0)", ". 1:1(0) ack 9999", ". 0:0(0) ack 1")
    t.silent()
    t.after(1000)
    t.gets("S 1:1(0)")
    t.sends(". 1:1(0) ack 1")


def test_text_that_comes_again_is_answered_each_time():  # the peer may have lost every ACK but the last (RFC 5681)
    t = established(challenge_acks_per_second=1)
    for _ in range(20):
        t.gets("P. 4294967287:1(10) ack 1")
        t.sends(". 1:1(0) ack 1")


@pytest.mark.parametrize("seq", [70_000_000, 2_147_483_649, 4_200_000_000])
@pytest.mark.parametrize("flags", ["P.", "F.", "SP.", "S."])
def test_text_from_nowhere_is_answered_as_a_challenge(flags: str, seq: int):  # RFC 5961 section 7
    line = f"{flags} {seq}:{seq + 9}(9) ack 1"
    t = established(challenge_acks_per_second=2)
    for _ in range(2):
        t.gets(line)
        t.sends(". 1:1(0) ack 1")
    t.gets(line)
    t.silent()


@pytest.mark.parametrize("flags", ["S", "S."])
def test_a_syn_is_never_taken_for_text_that_comes_again(flags: str):  # RFC 5961 section 4.2, whatever its number
    t = established(challenge_acks_per_second=2)
    line = f"{flags} 0:0(0)" + (" ack 1" if "." in flags else "")
    for _ in range(2):
        t.gets(line)
        t.sends(". 1:1(0) ack 1")
    t.gets(line)
    t.silent()


def test_the_connections_of_a_host_share_a_limit():
    class Spent:
        def allows(self, now: int) -> bool:
            return False

    t = established()
    t.tcb.challenges = Spent()
    t.gets("S 1:1(0)")
    assert t.tcb.counts == {"limit: challenge ACKs of the host": 1}


@pytest.mark.parametrize("state", State)
@pytest.mark.parametrize("seq", [0, 1, 2, 3, 5000, 70_000_000, 3_000_000_000])
def test_no_reset_is_ever_answered_by_a_reset(state: State, seq: int):  # RFC 9293 3.10.7.1, whatever else it bears
    at = f"{seq}:{seq}(0)"
    for flags in ("R", "RF", "RSP"):
        for line in (f"{flags} {at}", f"{flags}. {at} ack 1", f"{flags}. {at} ack 77"):
            t = reach(state)
            t.gets(line)
            assert not any(segment.flags & RST for _, segment in t.pending)
            t.pending.clear()


@pytest.mark.parametrize("state", State)
@pytest.mark.parametrize("more", ["E", "W", "EW", "A", "EWA"])
def test_flags_of_later_rfcs_draw_no_reset(state: State, more: str):  # RFC 3360 section 2.1
    plain, marked = reach(state), reach(state)
    line = "S 0:0(0) win 100" if state in (State.LISTEN, State.SYN_SENT) else ". 1:1(0) ack 1 win 100"
    flags, rest = line.split(" ", 1)
    plain.gets(line)
    marked.gets(f"{flags}{more} {rest}")
    resets = [[one.flags & RST for _, one in t.pending] for t in (plain, marked)]
    assert (plain.state, resets[0]) == (marked.state, resets[1])
    plain.pending.clear()
    marked.pending.clear()
