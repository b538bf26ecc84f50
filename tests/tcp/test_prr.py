"""How much leaves in fast recovery: proportional rate reduction, RFC 6937, with SACK and without."""

from __future__ import annotations

from itertools import pairwise

import pytest

from tests.tcp.harness import Exchange, established
from tests.tcp.test_sack import BOTH, MSS, full, held

FLIGHT = 20
SCHEMES = {"sack": (BOTH, True), "no sack": (f"mss {MSS}", False)}


def losing_the_first(scheme: str, **more: object) -> tuple[Exchange, list[int]]:
    """The example of RFC 6937 section 3.1: of twenty segments the first is lost. How many segments each ACK let out."""
    options, sack = SCHEMES[scheme]
    t = established(
        options=options, rtt=100, initial_window_segments=FLIGHT, congestion="newreno", window_validation=False, **more
    )
    t.call.send(45 * MSS)
    flight = len(t.pending)
    t.pending.clear()
    t.after(100)
    counts = []
    for number in range(1, flight):
        if sack:
            held(t, f"{1 + MSS}:{1 + (number + 1) * MSS}")
        else:
            t.gets(". 1:1(0) ack 1")
        counts.append(len(t.pending))
        t.pending.clear()
    return t, counts


@pytest.mark.parametrize("scheme", SCHEMES)
def test_half_of_what_is_delivered_leaves(scheme: str):  # RFC 6937 section 3.1, the first figure
    _, counts = losing_the_first(scheme)
    assert counts[:3] == [1, 1, 1]  # limited transmit twice, then the retransmission
    assert max(counts) == 1
    rest = counts[3:]
    assert len(rest) // 2 - 2 <= sum(rest) <= len(rest) // 2 + 2
    assert all(one + other <= 1 for one, other in pairwise(rest[:-2]))  # spread over the round trip


@pytest.mark.parametrize("scheme", SCHEMES)
def test_at_its_end_the_window_is_ssthresh(scheme: str):  # RFC 6937 section 3
    t, _ = losing_the_first(scheme)
    t.gets(f". 1:1(0) ack {(t.tcb.recover - t.iss) & 0xFFFFFFFF}")
    t.pending.clear()
    assert not t.tcb.in_recovery
    assert t.tcb.congestion.cwnd == t.tcb.congestion.ssthresh


def test_without_it_there_is_half_a_window_of_silence():  # RFC 6675 section 5, as RFC 6937 section 3.1 shows it
    _, counts = losing_the_first("sack", prr=False)
    silence = "".join(map(str, counts))
    assert "00000" in silence


def test_after_many_losses_it_grows_as_slow_start_does():  # RFC 6937 section 3: PRR-SSRB
    t = established(options=BOTH, rtt=100, initial_window_segments=FLIGHT)
    t.call.send(14 * MSS)
    sent = len(t.pending)
    t.pending.clear()
    t.after(100)
    held(t, f"{1 + (sent - 3) * MSS}:{1 + sent * MSS}")
    assert len(t.pending) in (1, 2, 3, 4)  # DeliveredData + 1 SMSS at most
    assert t.tcb.in_recovery
    t.pending.clear()


def test_it_grows_only_while_all_goes_well():  # PRR-CRB and PRR-SSRB of RFC 6937 section 3, as Linux chooses
    t = established(options=BOTH, rtt=10, initial_window_segments=10)
    t.call.send(20 * MSS)
    t.pending.clear()
    t.after(10)
    counts = []
    for end in (5, 6, 7, 8, 9, 10):
        held(t, f"{1 + 4 * MSS}:{1 + end * MSS}")
        counts.append(len(t.pending))
        t.pending.clear()
    t.after(10)
    held(t, f"{1 + 4 * MSS}:{1 + 10 * MSS}", ack=1 + MSS)  # SND.UNA moves
    assert (counts, len(t.pending)) == ([1, 1, 1, 1, 1, 1], 2)
    t.pending.clear()


def test_limited_transmit_sends_two():  # RFC 3042 section 2
    for on, expected in ((True, [1, 1]), (False, [0, 0])):
        t = established(options=f"mss {MSS}", initial_window_segments=4, limited_transmit=on)
        t.call.send(8 * MSS)
        t.sends(*full(0, 1, 2, 3))
        counts = []
        for _ in range(2):
            t.gets(". 1:1(0) ack 1")
            counts.append(len(t.pending))
            t.pending.clear()
        assert counts == expected
        assert t.tcb.congestion.cwnd == 4 * MSS  # cwnd itself does not grow


def test_limited_transmit_with_sack_follows_what_is_held():  # RFC 6675 section 5 (3)
    for on, expected in ((True, [1, 1]), (False, [0, 0])):
        t = established(options=BOTH, rtt=100, initial_window_segments=4, limited_transmit=on)
        t.call.send(8 * MSS)
        t.sends(*full(0, 1, 2, 3))
        t.after(100)
        counts = []
        for end in (2, 3):
            held(t, f"{1 + MSS}:{1 + end * MSS}")
            counts.append(len(t.pending))
            t.pending.clear()
        assert counts == expected
