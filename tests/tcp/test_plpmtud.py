"""Probes of the path's MTU, segment by segment: RFC 4821 section 7, RFC 8899. Whole searches: tests/sim."""

from __future__ import annotations

import pytest

from lastack.tcp import plpmtud, pmtud
from lastack.tcp.sequence import MASK
from tests.tcp.harness import Exchange, established, opening

SIZE = 1310  # the text of a probe of 1350 bytes, half-way from the base, 1200, to the link's 1500
BASE = 1160


def probing(**more: object) -> Exchange:
    """The first flight of a connection that searches from its beginning: the probe leads it."""
    t = established(**{"options": "mss 1460,sackOK", "mtu_probing": "always", **more})  # type: ignore[arg-type]
    t.call.send(100_000)
    sizes = [segment.length for _, segment in t.pending]
    assert sizes == [SIZE] + [BASE] * 8
    t.pending.clear()
    return t


def test_a_probe_that_is_acknowledged_raises_the_mtu():  # RFC 4821 7.6.1
    t = probing()
    t.gets(f". 1:1(0) ack {1 + SIZE}")
    assert (t.tcb.mtu, t.tcb.snd_mss, t.tcb.mss_acked) == (1350, SIZE, SIZE)
    t.pending.clear()


def test_a_passive_opening_may_probe_from_the_base_and_send_by_what_is_known():  # Linux
    t = opening(passive=True, mtu=640, mtu_probing="always", probing_keeps_mss=True, base_plpmtu=552)
    t.gets("S 0:0(0) win 65535 <mss 1460>")
    t.sends("S. 0:0(0) ack 1")
    t.gets(". 1:1(0) ack 1 win 65535")
    assert t.tcb.snd_mss == 600
    plpmtud.rerouted(t.tcb, 1500)
    t.call.send(4000)
    assert [segment.length for _, segment in t.pending] == [986, 600, 600, 600, 600, 600, 14]  # (552 + 1500) / 2 - 40
    t.pending.clear()
    t.gets(". 1:1(0) ack 987 win 65535")
    assert t.tcb.path is not None and (t.tcb.snd_mss, t.tcb.path.search_low) == (986, 0)
    t.pending.clear()


def test_three_probes_of_a_size_are_lost_before_it_is_too_large():  # RFC 8899 5.1.2: MAX_PROBES
    t = probing()
    before, cwnd = t.tcb.path, t.tcb.congestion.cwnd
    assert before is not None
    t.gets(f". 1:1(0) ack 1 <sack {1 + SIZE}:{1 + SIZE + 3 * BASE}>")
    assert (before.probes, before.search_high, t.tcb.in_recovery) == (1, 1500, False)
    assert t.tcb.congestion.cwnd >= cwnd
    assert [segment.length for _, segment in t.pending][:2] == [BASE, SIZE - BASE]
    t.pending.clear()
    assert before.next_at > t.now  # RFC 4821 7.6.2: not before a congestion event would be expected


def test_a_probe_that_goes_again_in_parts_proves_nothing():  # RFC 4821 7.6.4
    t = probing()
    t.gets(". 1:1(0) ack 1 win 0")
    t.gets(". 1:1(0) ack 1")
    assert [segment.length for _, segment in t.pending][:2] == [BASE, SIZE - BASE]
    t.pending.clear()
    t.gets(f". 1:1(0) ack {1 + SIZE}")
    assert t.tcb.mtu == 1200
    t.pending.clear()


def test_no_probe_leaves_without_data_behind_it():  # RFC 4821 7.4
    t = established(options="mss 1460", mtu_probing="always")
    t.call.send(SIZE + 3 * BASE - 1)
    assert max(segment.length for _, segment in t.pending) == BASE
    t.pending.clear()


@pytest.mark.parametrize("options", ["mss 1460", "mss 1460,sackOK"])
def test_a_probe_that_a_router_refuses_is_no_congestion(options: str):  # RFC 4821 7.5, RFC 8899 section 3 (7)
    t = probing(options=options, tail_loss_probes=False)
    cwnd = t.tcb.congestion.cwnd
    t.after(10)
    t.step(lambda c, now: pmtud.too_big(c.tcb, (t.iss + 1) & MASK, 1300, now))
    assert [segment.length for _, segment in t.pending] == [BASE, SIZE - BASE]
    t.pending.clear()
    t.after(1)
    for number in range(8):  # each segment behind it
        t.gets(". 1:1(0) ack 1" + (f" <sack {1 + SIZE}:{1 + SIZE + (number + 1) * BASE}>" if "sack" in options else ""))
        assert not any(segment.seq == t.iss + 1 for _, segment in t.pending)
        t.pending.clear()
    assert (t.tcb.in_recovery, t.tcb.mtu) == (False, 1200)
    assert t.tcb.congestion.cwnd >= cwnd
    t.pending.clear()
