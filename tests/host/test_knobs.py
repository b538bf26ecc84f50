"""Settings of a host that other systems let their operators choose."""

from __future__ import annotations

import pytest

from lastack.host.isn import timestamp_offset
from lastack.wire.address import parse_address
from tests.host.harness import SECRET, Bench, client


@pytest.mark.parametrize(
    ("hole", "syn", "ack"), [("off", "R. 0:0(0) ack 1", "R 7:7(0)"), ("syn", "", "R 7:7(0)"), ("all", "", "")]
)
def test_a_black_hole_says_nothing_of_its_closed_ports(hole: str, syn: str, ack: str) -> None:  # FreeBSD blackhole
    h = Bench(black_hole=hole)  # off is RFC 9293 3.10.7.1
    peer = h.peer()
    peer.gets("S 0:0(0)")
    peer.sends(*([syn] if syn else []))
    peer.gets(". 1:1(0) ack 7")
    peer.sends(*([ack] if ack else []))
    assert h.host.counters["dropped: black hole"] == (not syn) + (not ack)


@pytest.mark.parametrize("drops", [False, True])
def test_a_syn_with_fin_is_dropped_where_that_is_wanted(drops: bool) -> None:  # FreeBSD drop_synfin; RFC 9293 3.10.7.2
    h = Bench(drop_syn_fin=drops)
    h.listen(80)
    peer = h.peer()
    peer.gets("SF 0:0(0) <mss 1460>")
    assert h.forget() == (not drops)
    assert h.host.counters["dropped: SYN with FIN"] == drops


@pytest.mark.parametrize("cookies", ["off", "always"])
def test_timestamps_without_an_offset_are_the_hosts_clock(cookies: str) -> None:  # RFC 7323 5.4; Linux tcp_timestamps 2
    for wanted in (False, True):
        h = Bench(timestamp_offsets=wanted, syn_cookies=cookies)
        h.listen(80)
        h.peer().gets("S 0:0(0) <mss 1460,sackOK,TS val 5 ecr 0,nop,wscale 7>")
        ((_, answer),) = h.pending
        h.forget()
        offset = timestamp_offset(SECRET, parse_address("10.0.0.1"), parse_address("10.0.0.2"))
        assert 0 <= (h.now // 1000 + offset * wanted - answer.ts_val) & 0xFFFFFFFF < 64


def test_a_host_may_be_told_to_remember_no_path() -> None:  # FreeBSD hostcache.enable; RFC 8201 section 5.2
    h = Bench(path_mtu_entries=0)
    h.host.paths.learn(parse_address("10.0.0.2"), 1000, h.now)
    assert len(h.host.paths) == 0


def test_new_settings_hold_for_what_is_opened_from_now_on() -> None:
    h = Bench()
    before, _ = client(h)
    h.host.configure(window_scaling=False, host_challenge_acks_per_second=7, min_pmtu=1000)
    assert before.config.window_scaling and not h.socket().config.window_scaling
    assert h.host.challenges.about == 7
    assert h.host.paths.learn(parse_address("10.0.0.2"), 600, h.now).mtu == 1000


def test_a_route_of_its_own_holds_for_connections_to_come() -> None:  # RFC 9293 MUST-14
    h = Bench()
    h.host.route("10.0.0.2", mtu=1000, advmss=900, initial_window_segments=3)
    h.listen(80)
    peer = h.connected()
    assert (peer.tcb.mtu, peer.tcb.config.mss, peer.tcb.config.initial_window_segments) == (1000, 900, 3)


@pytest.mark.parametrize(("probing", "mtu"), [("off", 1500), ("always", 640)])
def test_a_route_that_is_changed_reaches_connections_under_way(probing: str, mtu: int) -> None:  # RFC 4821 7.3
    h = Bench(mtu_probing=probing, base_plpmtu=640)
    h.host.route("10.0.0.2", mtu=640)
    h.listen(80)
    peer = h.connected()
    h.host.route("10.0.0.2", mtu=1500)
    assert peer.tcb.mtu == mtu  # with probing, a search goes from there
    assert probing == "off" or (peer.tcb.path is not None and peer.tcb.path.search_high == 1500)
    h.host.route("10.0.0.2", mtu=600)
    assert peer.tcb.mtu == 600 and peer.tcb.snd_mss == 560


def test_what_was_learned_of_peers_can_be_forgotten() -> None:  # RFC 8201 section 5.2, RFC 7413 section 4.1.3
    h = Bench()
    h.host.paths.learn(parse_address("10.0.0.2"), 1000, h.now)
    h.host.forget_peers()
    assert len(h.host.paths) == 0
