"""What ICMP says of the path's MTU: RFC 1191, RFC 8201, whom to believe: RFC 5927 section 7.2; segment sizes: RFC 9293
section 3.7.1. Times are milliseconds."""

from __future__ import annotations

import pytest

from lastack.tcp import mss, pmtud
from lastack.tcp.config import MINUTE, NEVER
from lastack.tcp.sequence import MASK
from tests.tcp.harness import Exchange, established, opening
from tests.tcp.segments import cwnd, sending

PLAIN = {"timestamps": False, "window_scaling": False}


def too_big(t: Exchange, seq: int, mtu: int) -> None:
    t.step(lambda c, now: pmtud.too_big(c.tcb, (t.iss + seq) & MASK, mtu, now))


def counts(t: Exchange) -> dict[str, int]:
    return {name: count for name, count in (t.tcb.counts or {}).items() if "ICMP" in name}


def test_what_was_too_large_is_sent_again_at_once_and_smaller():  # RFC 1191 6.4, RFC 8201 5.4
    t = sending(3)
    before = cwnd(t)
    t.after(10)
    too_big(t, 1, 740)
    t.sends(
        *(". 1:701(700) ack 1", ". 701:1401(700) ack 1", ". 1401:2101(700) ack 1", ". 2101:2801(700) ack 1"),
        "P. 2801:3001(200) ack 1",
    )
    # As many segments as before, not fewer: RFC 5681 3.1.
    assert (t.tcb.mtu, t.tcb.snd_mss, cwnd(t)) == (740, 700, before * 700 // 1000)


def test_a_burst_of_messages_sends_nothing_twice():  # RFC 1191 6.4: MUST not retransmit for each
    t = sending(2)
    too_big(t, 1, 740)
    t.sends(". 1:701(700) ack 1", ". 701:1401(700) ack 1", "P. 1401:2001(600) ack 1")
    too_big(t, 1001, 740)
    too_big(t, 1, 740)
    assert counts(t)["dropped: ICMP too big, the segment was not"] == 2


def test_a_second_router_takes_less_still():  # RFC 1191 section 3
    t = sending(1)
    too_big(t, 1, 840)
    t.sends(". 1:801(800) ack 1", "P. 801:1001(200) ack 1")
    too_big(t, 1, 640)
    t.sends(". 1:601(600) ack 1", ". 601:801(200) ack 1")


def test_what_is_sent_again_measures_no_round_trip_and_has_a_whole_rto():  # RFC 6298 (3), MUST-18
    t = sending(1, **PLAIN)
    srtt, rto = t.tcb.srtt, t.tcb.rto
    t.after(rto / 1000 - 1)
    too_big(t, 1, 740)
    t.sends(". 1:701(700) ack 1", "P. 701:1001(300) ack 1")
    t.after(100)
    t.gets(". 1:1(0) ack 1001")
    assert (t.tcb.srtt, t.tcb.rto) == (srtt, rto)


@pytest.mark.parametrize("sack", [True, False])
def test_duplicate_acks_behind_it_are_no_congestion(sack: bool):  # RFC 8201 5.4
    t = sending(5, sack=sack)
    too_big(t, 1, 740)
    before = cwnd(t)
    assert len(t.pending) == 8
    t.pending.clear()
    t.gets(*[". 1:1(0) ack 1"] * 4)
    assert (cwnd(t), t.tcb.in_recovery) == (before, False)


def test_a_super_segment_is_cut_by_the_mss_of_the_moment():  # RFC 9293 MUST-16
    t = established(options="mss 1000", unit=65_000)
    t.call.send(7000)
    (one,) = t.sends("P. 1:7001(7000) ack 1")
    assert one.gso_size == 1000
    too_big(t, 3001, 740)
    (again,) = t.sends("P. 1:7001(7000) ack 1")
    assert again.gso_size == 700


def test_the_short_end_of_a_super_segment_has_arrived():
    t = established(options="mss 1000", unit=65_000)
    t.call.send(2300)
    t.sends("P. 1:2301(2300) ack 1")
    too_big(t, 1, 740)
    t.sends(". 1:2001(2000) ack 1")
    t.gets(". 1:1(0) ack 2301")


@pytest.mark.parametrize(("size", "mtu"), [(1500, 1492), (1492, 1006), (1006, 508), (65535, 32000), (70, 68), (60, 68)])
def test_the_plateaus(size: int, mtu: int):  # RFC 1191 section 7
    assert pmtud.plateau(size) == mtu


def test_an_old_router_does_not_say_how_much_it_takes():  # RFC 1191 section 5
    t = sending(1)
    too_big(t, 1, 0)
    t.sends(". 1:967(966) ack 1", "P. 967:1001(34) ack 1")
    assert t.tcb.mtu == 1006


def test_ipv6_has_no_such_routers():  # RFC 8201 section 4: less than 1280 is discarded; RFC 8200 section 5
    t = sending(1, version=6)
    too_big(t, 1, 0)
    too_big(t, 1, 1000)
    assert counts(t) == {"dropped: ICMP too big, less than every link takes": 2}


def test_ipv6_too_big():  # RFC 8201 section 4
    t = established(options="mss 1440", version=6)
    t.call.send(1440)
    t.sends("P. 1:1441(1440) ack 1")
    too_big(t, 1, 1280)
    t.sends(". 1:1221(1220) ack 1", "P. 1221:1441(220) ack 1")


@pytest.mark.parametrize(
    ("seq", "mtu", "why"),
    [
        (1, 67, "less than every link takes"),
        (1, 1040, "the segment was not"),
        (1, 1400, "the segment was not"),
        (500, 560, "the segment was not"),
        (1001, 600, "no such segment"),
        (0, 600, "no such segment"),
    ],
)
def test_what_cannot_be_is_dropped(seq: int, mtu: int, why: str):  # RFC 5927 sections 4.1 and 7.2
    t = sending(1)
    too_big(t, seq, mtu)
    assert (t.tcb.mtu, counts(t)) == (1500, {f"dropped: ICMP too big, {why}": 1})


def test_a_syn_is_never_too_big():
    t = opening()
    too_big(t, 0, 68)
    assert t.tcb.mtu == 1500


@pytest.mark.parametrize("how", [3, 4, 5])
def test_who_does_not_ask_icmp_is_not_told(how: int):  # Linux's IP_PMTUDISC_PROBE, _INTERFACE, _OMIT
    t = sending(1, path_mtu_discovery=how)
    too_big(t, 1, 600)
    assert t.tcb.mtu == 1500


# --- RFC 5927 section 7.2 ---


def proven(**more: object) -> Exchange:
    """A full segment has arrived, and the next is under way."""
    t = established(options="mss 1000", **more)  # type: ignore[arg-type]
    t.call.send(1000)
    t.sends("P. 1:1001(1000) ack 1")
    t.gets(". 1:1(0) ack 1001")
    t.call.send(1000)
    t.sends("P. 1001:2001(1000) ack 1")
    return t


def test_what_contradicts_experience_is_put_off_and_refuted_by_an_ack():
    t = proven()
    too_big(t, 1001, 600)
    assert t.tcb.mtu == 1500
    t.gets(". 1:1(0) ack 2001")
    assert counts(t) == {"ICMP too big put off": 1, "ICMP too big refuted by an ACK": 1}
    t.call.send(1000)
    t.sends("P. 2001:3001(1000) ack 1")


def test_what_was_put_off_is_believed_when_the_segment_times_out():  # MAXSEGRTO = 1
    t = proven(tail_loss_probes=False, rto_min=200_000)
    too_big(t, 1001, 600)
    t.after(t.tcb.rto / 1000)
    t.sends(". 1001:1561(560) ack 1")
    assert (t.tcb.mtu, t.tcb.mss_acked) == (600, 560)


def test_a_segment_that_has_timed_out_already_is_believed_at_once():
    t = proven(tail_loss_probes=False)
    t.after(t.tcb.rto / 1000)
    t.sends("P. 1001:2001(1000) ack 1")
    too_big(t, 1001, 600)
    t.sends(". 1001:1561(560) ack 1")


def test_maxsegrto_of_0_is_rfc_1191():
    t = proven(pmtu_time_outs=0)
    too_big(t, 1001, 600)
    t.sends(". 1001:1561(560) ack 1", "P. 1561:2001(440) ack 1")


def test_small_segments_that_one_ack_acknowledges_prove_nothing_large():  # the note in RFC 5927 7.2
    t = established(options="mss 1000", nagle=False)
    t.call.send(400)
    t.sends("P. 1:401(400) ack 1")
    t.call.send(500)
    t.pending.clear()
    t.gets(". 1:1(0) ack 901")
    assert t.tcb.mss_acked == 500


# --- what grows again ---


def shrunk(**more: object) -> Exchange:
    """A path of 740 bytes, as ICMP has said, and nothing under way."""
    t = sending(1, **more)
    too_big(t, 1, 740)
    t.sends(". 1:701(700) ack 1", "P. 701:1001(300) ack 1")
    t.gets(". 1:1(0) ack 1001")
    return t


def test_after_ten_minutes_a_larger_mtu_is_tried():  # RFC 1191 6.3
    t = shrunk(mtu_probing="off")
    t.after(10 * 60_000 - 1)
    t.call.send(700)
    t.sends("P. 1001:1701(700) ack 1")
    t.gets(". 1:1(0) ack 1701")
    t.after(1)
    t.call.send(1400)
    t.sends(". 1701:2701(1000) ack 1", "P. 2701:3101(400) ack 1")
    assert t.tcb.mtu == 1500


def test_it_may_be_never():  # RFC 1191 6.3: including "infinity"
    t = shrunk(mtu_probing="off", path_mtu_age=NEVER)
    t.after(1000 * MINUTE / 1000)
    t.call.send(1400)
    t.sends(". 1001:1701(700) ack 1", "P. 1701:2401(700) ack 1")


def test_what_left_before_it_grew_does_not_prove_the_new_size():  # RFC 5927 7.2
    t = shrunk(mtu_probing="off")
    t.after(10 * 60_000 - 1)
    t.call.send(2100)
    t.pending.clear()
    t.after(1)
    t.call.send(2000)
    t.pending.clear()
    assert t.tcb.snd_mss == 1000
    t.gets(". 1:1(0) ack 3101")
    assert t.tcb.mss_acked == 700
    t.gets(". 1:1(0) ack 5101")
    assert t.tcb.mss_acked == 1000


# --- segment sizes: RFC 9293 3.7.1, RFC 6691 ---


@pytest.mark.parametrize(("version", "default", "offered"), [(4, 536, 1460), (6, 1220, 1440)])
def test_without_an_option_the_default_holds(version: int, default: int, offered: int):  # MUST-14, MUST-15
    t = established(options="", version=version)
    assert (t.tcb.send_mss, t.tcb.snd_mss, mss.receive_mss(t.tcb)) == (default, default, offered)


@pytest.mark.parametrize(("mtu", "sized"), [(1500, 988), (900, 848)])
def test_the_smaller_of_what_the_peer_and_the_path_take(mtu: int, sized: int):  # MUST-16, RFC 6691: options taken off
    # RFC 6691 section 2
    t = established(options="mss 1000,nop,nop,TS val 1 ecr 0", mtu=mtu)
    assert t.tcb.snd_mss == sized


def test_a_search_says_nothing_of_what_the_path_takes():  # RFC 4821 section 7.2: it begins below
    t = opening(passive=True, mss_follows_path=True, mtu_probing="always")
    t.gets("S 0:0(0) <mss 1460>")
    t.sends("S. 0:0(0) ack 1 <mss 1460>")
    assert t.tcb.mtu == 1200


def test_the_offer_is_the_links_whatever_the_path_takes():  # MUST-67, RFC 8201 5.4
    t = shrunk()
    assert (mss.receive_mss(t.tcb), t.tcb.snd_mss) == (1460, 700)


@pytest.mark.parametrize("told", [0, 1, 47])
def test_a_tiny_mss_has_a_limit(told: int):  # Linux tcp_min_snd_mss
    t = established(options=f"mss {told}")
    assert (t.tcb.snd_mss, t.tcb.counts) == (48, {"limit: the peer's MSS": 1})


def test_the_peers_segments_are_measured_by_what_we_offered_not_by_what_we_send():  # TCP_INFO's rcv_mss
    t = established(options="mss 536")
    t.gets(". 1:1461(1460) ack 1")
    t.sends(". 1:1(0) ack 1461")
    assert t.tcb.rcv_mss == 1460
