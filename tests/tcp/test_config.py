"""Configurations: values, and variants that are shared."""

from __future__ import annotations

import gc

import pytest

from lastack.tcp.config import DEFAULT, Config
from tests.tcp.harness import opening


def test_the_same_settings_are_the_same_object():
    held = DEFAULT.having(nagle=False, msl=5)
    assert DEFAULT.having(nagle=False, msl=5) is held
    assert DEFAULT.having() is DEFAULT
    assert DEFAULT.nagle


def test_who_set_the_same_for_themselves_share_one():
    """A copy of all settings takes 0.1 ms, and sockets by the thousand set the same."""
    held = DEFAULT.owning(nagle=False)
    assert DEFAULT.owning(nagle=False) is held
    further = held.owning(keepalive=True)
    assert held.owning(keepalive=True) is further
    assert further.owning(nagle=False) is not held
    assert not further.under(nagle=True).nagle
    assert not further.under(nagle=True, autotuning=False).autotuning


def test_an_unknown_setting_is_refused():
    with pytest.raises(TypeError, match="nagel"):
        DEFAULT.having(nagel=False)


@pytest.mark.parametrize(
    ("name", "value", "told"),
    [
        ("ecn", "yes", "ecn='yes': one of off, passive, on"),
        ("syn_cookies", True, "one of off, when_full, always"),
        ("mtu_probing", "never", "one of off, on_black_hole, always"),
        ("syn_options", ("mss", "mss"), "at most once"),
        ("syn_options", ("fast_open",), "each of mss, sack, timestamps, window_scale"),
    ],
)
def test_a_word_that_is_none_of_the_settings_is_refused(name, value, told):
    with pytest.raises(ValueError, match=told):
        DEFAULT.having(**{name: value})


def test_a_value_for_each_connection_is_not_kept():
    config = Config()
    first = config.having(user_timeout=1)
    for value in range(10_000):
        assert config.having(user_timeout=value).user_timeout == value
    assert len(config._variants) <= 2
    assert first.user_timeout == 1
    assert config.having(user_timeout=1) is first


def test_settings_upon_settings_are_not_kept_either():
    config = Config()
    for value in range(1_000):
        config.having(user_timeout=value).having(fin_wait_2_timeout=value).having(keepalive=True, keepalive_idle=value)
    gc.collect()
    assert len(config._variants) <= 1


def test_a_congestion_control_that_nobody_registered_is_named():
    with pytest.raises(ValueError, match="no congestion control 'vegas': one of cubic, newreno"):
        opening(congestion="vegas")


@pytest.mark.parametrize(
    "other",
    [
        {"pingpong": True},
        {"cork": True},
        {"push_bursts": True},
        {"send_units": True},
        {"freebsd_windows": True},
        {"window_clamp": 5000},
        {"notsent_low_water": 1},
        {"notsent_low_water_default": 1},
        {"ack_second_segment": True},
        {"delayed_ack": 0},
        {"rto_slop": 1},
        {"rto_min_above_srtt": True},
        {"user_timeout": 1},
        {"tail_loss_probes": False},
    ],
)
def test_what_short_cuts_need_not_ask_for(other: dict[str, bool | int]):
    assert DEFAULT.plain and DEFAULT.having(nagle=False, keepalive=True).plain
    assert not DEFAULT.having(**other).plain
