"""Our own suite of scripts: it is complete, it passes over each IP version, and it sees mistakes."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Any

import pytest

from lastack.packetdrill.language.parser import parse
from lastack.packetdrill.language.syntax import Script
from lastack.packetdrill.runner import play
from lastack.packetdrill.settings import Settings
from lastack.tcp.config import DEFAULT, MILLISECOND, SECOND, Config
from tests.tcp import test_rfc2525 as planted

ROOT = Path(__file__).parent.parent / "conformance" / "scripts"
STATES = ("closed", "listen", "syn_sent", "syn_received", "established", "fin_wait_1", "fin_wait_2", "close_wait")
STATES += ("closing", "last_ack", "time_wait")
TOPICS = {path.name for path in ROOT.iterdir() if path.is_dir()}


@cache
def scripts(topic: str) -> dict[str, Script]:
    """All of a topic, by their names."""
    paths = sorted((ROOT / topic).rglob("*.pkt"))
    defines = Settings().all_defines
    return {str(path.relative_to(ROOT))[:-4]: parse(path.read_text(), str(path), defines) for path in paths}


def failing(config: Config, *topics: str) -> set[str]:
    """The scripts of these topics that do not pass."""
    every = [one for topic in topics for one in scripts(topic).items()]
    return {name for name, one in every if play(one, Settings(), preset=config, folder=ROOT).outcome != "passed"}


def test_there_are_over_three_hundred():
    assert sum(len(scripts(topic)) for topic in TOPICS) >= 300


def test_each_state_meets_each_kind_of_segment():
    kinds = {name.split("/")[2] for name in scripts("states")}
    assert len(kinds) >= 20
    for state in STATES:
        have = [name for name in scripts("states") if name.startswith(f"states/{state}/")]
        assert len(have) >= 18, state  # where two kinds would be the same segment one of them is enough


def test_each_says_what_it_shows():
    for topic in TOPICS:
        for path in (ROOT / topic).rglob("*.pkt"):
            assert path.read_text().startswith("// "), path


@pytest.mark.parametrize("ip_version", ["ipv6", "ipv4-mapped-ipv6"])
def test_they_pass_over_ipv6_too(ip_version: str):
    settings = Settings(ip_version=ip_version)
    for topic in sorted(TOPICS):
        for name, one in scripts(topic).items():
            if any(option == "ip_version" for option, _, _ in one.options):
                continue  # it is about something of IPv4's
            result = play(one, settings, preset=DEFAULT, folder=ROOT)
            assert (result.outcome, result.message) == ("passed", ""), name


# A setting changed is a planted bug: these scripts, and as a rule no others of the topic, must see it.
CHANGED: list[tuple[dict[str, Any], str, set[str]]] = [
    ({"msl": 29 * SECOND}, "time_wait", {"still_there_before_the_end", "restarted_by_the_fin"}),
    ({"msl": 31 * SECOND}, "time_wait", {"waited_out_to_the_end", "restarted_by_the_fin", "not_restarted_by_an_ack"}),
    ({"rfc1337": False}, "time_wait", {"reset_does_not_assassinate"}),
    ({"reopen_by_sequence": False}, "time_wait", {"reused_by_a_later_number"}),
    ({"rfc6191": False}, "time_wait", {"reused_by_a_later_timestamp", "not_reused_by_an_older_timestamp"}),
    ({"fin_wait_2_timeout": 0}, "fin_wait_2", {"an_orphan_does_not_wait_for_ever"}),
    ({"fin_wait_2_timeout": 50 * SECOND}, "fin_wait_2", {"an_orphan_waits_a_while"}),
    ({"keepalive": True}, "keepalive", {"off_by_default"}),
    ({"keepalive_idle": 60 * SECOND}, "keepalive", {"two_hours"}),
    ({"rfc5961_rst": False}, "challenge", {"reset_in_window_then_exact", "are_limited"}),
    ({"rfc5961_syn": False}, "challenge", {"syn_in_window"}),
    ({"rfc5961_ack": False}, "challenge", {"data_with_an_impossible_ack"}),
    ({"delayed_ack": 600 * MILLISECOND}, "delayed_ack", {"alone_waits_a_little"}),
    ({"nagle": False}, "nagle", {"small_writes_wait"}),
    ({"sack": False}, "sack", {"two_holes", "duplicate_is_told", "receiver_tells_of_a_hole"}),
    ({"dsack": False}, "sack", {"duplicate_is_told"}),
    ({"timestamps": False}, "timestamps", {"echoed", "paws"}),
    ({"limited_transmit": False}, "fast_retransmit", {"limited_transmit"}),
    ({"tail_loss_probes": False, "rto_min": 2 * SECOND}, "rack_tlp", {"tail_loss_probe"}),
    ({"rto_initial": 3 * SECOND}, "opening", {"active_timed_out", "passive_syn_ack_repeated"}),
    ({"rto_min": 900 * MILLISECOND}, "rto", {"doubles"}),
    ({"rto_min": 900 * MILLISECOND}, "several", {"retransmitted_side_by_side"}),
    ({"quick_acks": 0}, "several", {"server_two_alive"}),
    ({"initial_window_segments": 2}, "fast_retransmit", {"three_duplicates"}),
    ({"reset_on_unread_data": False}, "closing", {"data_after_the_close_is_reset", "unread_data_resets"}),
    ({"soft_errors_end_opening": True}, "opening", {"unreachable_host_is_a_soft_error"}),
    ({"path_mtu_discovery": 3}, "pmtud", {"too_big_makes_segments_smaller"}),
    ({"oob_inline": False}, "urgent", set()),
    ({"udp_tunneling_overhead": 12}, "udp", {"answered_in_udp_where_it_came_from", "called_in_udp", "cookie_in_udp"}),
]


@pytest.mark.parametrize(("settings", "topic", "seen"), CHANGED, ids=[f"{one[0]}"[1:-1] for one in CHANGED])
def test_a_changed_setting_is_seen(settings: dict[str, Any], topic: str, seen: set[str]):
    assert {f"{topic}/{name}" for name in seen} <= failing(DEFAULT.having(**settings), topic)


BUGS: list[tuple[Any, str, dict[str, Any]]] = [
    (planted.no_congestion_window, "fast_retransmit", {}),
    (planted.timeout_leaves_the_window, "rto", {"congestion": "newreno"}),
    (planted.base_off_by_one, "fast_retransmit", {}),
    (planted.data_ahead_thrown_away, "sack", {}),
    (planted.constant_timeout, "rto", {}),
    (planted.closed_window_takes_nothing, "zero_window", {}),
    (planted.ack_of_every_fifth, "delayed_ack", {}),
    (planted.text_taken_that_nobody_reads, "closing", {}),
    (planted.unread_text_forgotten, "closing", {}),
]


@pytest.mark.parametrize(("plant", "topic", "settings"), BUGS, ids=[one[0].__name__ for one in BUGS])
def test_a_planted_bug_is_seen(plant: Any, topic: str, settings: dict[str, Any], monkeypatch: pytest.MonkeyPatch):
    config = DEFAULT.having(**settings)
    assert not failing(config, topic)
    plant(monkeypatch)
    assert failing(config, topic)
