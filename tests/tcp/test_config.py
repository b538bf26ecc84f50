"""Configurations: values, and variants that are shared."""

from __future__ import annotations

import pytest

from lastack.tcp.config import DEFAULT, Config


def test_the_same_settings_are_the_same_object():
    assert DEFAULT.having(nagle=False, msl=5) is DEFAULT.having(nagle=False).having(msl=5)
    assert DEFAULT.nagle


def test_an_unknown_setting_is_refused():
    with pytest.raises(TypeError, match="nagel"):
        DEFAULT.having(nagel=False)


def test_a_value_for_each_connection_is_not_kept():
    config = Config()
    first = config.having(user_timeout=1)
    for value in range(10_000):
        assert config.having(user_timeout=value).user_timeout == value
    assert len(config._variants) < 1_000
    assert first.user_timeout == 1
