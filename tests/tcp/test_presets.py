"""The presets: what tells one system from another on the wire and in time."""

from __future__ import annotations

import pytest

from lastack.tcp.presets import BSD, LINUX, PRESETS, RFC9293
from lastack.tcp.states import State
from tests.tcp.harness import Exchange, established, opening


def test_the_options_of_a_syn_stand_in_the_order_of_the_system():
    for config, line in (
        (LINUX, "S 0:0(0) <mss 1460,sackOK,TS val 1000 ecr 0,nop,wscale 7>"),
        (BSD, "S 0:0(0) <mss 1460,nop,wscale 6,sackOK,TS val 1000 ecr 0>"),
    ):
        t = Exchange(config)
        t.call.open()
        t.sends(line)


def test_without_timestamps_the_alignment_is_linuxs():
    t = Exchange(LINUX.having(timestamps=False))
    t.call.open()
    t.sends("S 0:0(0) <mss 1460,nop,nop,sackOK,nop,wscale 7>")


def test_an_order_of_ones_own():
    t = Exchange(LINUX.having(syn_options=("window_scale", "mss"), timestamps=False))
    t.call.open()
    t.sends("S 0:0(0) <nop,wscale 7,mss 1460>")


@pytest.mark.parametrize(("config", "seconds"), [(LINUX, 127), (BSD, 75)], ids=["linux", "bsd"])
def test_how_long_a_syn_goes_unanswered(config, seconds):  # RFC 9293 3.8.3 MUST-23 asks for 180 s, `default` waits 247
    t = opening(config)
    t.log(1000 * seconds - 1)
    assert t.state is State.SYN_SENT
    t.log(2)
    assert t.state is State.CLOSED


@pytest.mark.parametrize(("name", "milliseconds"), [("linux", 40), ("default", 40), ("bsd", 40), ("rfc9293", 200)])
def test_how_long_an_ack_waits(name, milliseconds):  # RFC 9293 3.8.6.3 MUST-40
    t = established(PRESETS[name], quick_acks=0)
    t.gets(". 1:101(100) ack 1")
    t.after(milliseconds)
    t.sends(". 1:1(0) ack 101")


def test_each_value_can_be_set_alone():
    assert BSD.having(msl=RFC9293.msl).msl == RFC9293.msl != BSD.msl
    assert {name: preset.name for name, preset in PRESETS.items()} == {name: name for name in PRESETS}
