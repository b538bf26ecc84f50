"""Two stacks and no referee: random applications on a random network, with random options on each side.

What every simulation holds (tests/sim/test_checkers.py): each byte arrives once and in order, and once the network is
healed both ends reach CLOSED and nothing is left. Here hypothesis draws the plans, so that a failure is shrunk, and
each side has options of its own: one may be without timestamps, SACK or scaling.
"""

from __future__ import annotations

from dataclasses import fields, replace
from random import Random
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from lastack.sim.plan import Plan, draw_from
from lastack.sim.simulation import run_simulation
from lastack.tcp import handshake
from lastack.tcp.config import DEFAULT, Config
from lastack.tcp.congestion import ALGORITHMS
from lastack.tcp.tcb import Tcb
from lastack.wire.segment import Segment
from tests.sim.plans import plan as plan_of

# Every switch there is; of the other settings those that two ends may see differently.
SWITCHES = sorted(field.name for field in fields(Config) if field.type == "bool")
CHOICES: dict[str, tuple[Any, ...]] = {
    "congestion": tuple(sorted(ALGORITHMS)),
    "initial_window_segments": (1, 4, 10),
    "delayed_ack": (0, 40_000, 400_000),
    "reassembly_holes": (1, 256),
    "sent_ranges": (1, 8, 8192),
    "slow_start_limit": (0, 1, 2, 8),
    "ecn": ("off", "passive", "on"),
    "ecn_syns": (0, 1, 2),
    "syn_cookies": ("off", "when_full", "always"),
    "path_mtu_discovery": (1, 2),  # without it the plan's smaller path is a black hole
    "mtu_probing": ("off", "on_black_hole", "always"),
    "base_plpmtu": (576, 1200),
    "pmtu_time_outs": (0, 1),
    "syn_options": (
        ("mss", "sack", "timestamps", "window_scale"),
        ("mss", "window_scale", "sack", "timestamps"),
    ),
    "mss": (0, 536, 1400),
    "user_timeout": (0, 3_600_000_000),
}
# Not a matter of one side: who sends data to one that has gone must be told, or waits until its own time is out.
SWITCHES.remove("reset_on_unread_data")
# With it the SYN waits for something to send, which not every application here has.
SWITCHES.remove("fastopen_connect")

OPTIONS = st.fixed_dictionaries(
    {},
    optional={name: st.booleans() for name in SWITCHES}
    | {name: st.sampled_from(values) for name, values in CHOICES.items()},
)
PROPERTY = settings(suppress_health_check=list(HealthCheck))


@st.composite
def plans(draw: st.DrawFn) -> Plan:
    """A plan whose sides differ in any option."""
    plan = draw_from(draw(st.randoms(use_true_random=False)))
    return configured(plan, {name: config.having(**draw(OPTIONS)) for name, config in plan.configs.items()})


def configured(plan: Plan, configs: dict[str, Config]) -> Plan:
    """The plan with these options. A cookie does not go again (RFC 4987 section 3.6): who opens with nothing to send,
    and whose ACK of it is lost, may wait for ever."""
    if any(not meeting.scripts[meeting.opener].size for meeting in plan.meetings):
        configs = {
            name: config.having(syn_cookies="when_full") if config.syn_cookies == "always" else config
            for name, config in configs.items()
        }
    return replace(plan, configs=configs)


@given(plan=plans(), seed=st.integers(0, 1 << 32))
@settings(PROPERTY, max_examples=150)
@pytest.mark.slow
def test_every_byte_arrives_and_both_sides_end(plan: Plan, seed: int) -> None:
    result = run_simulation(seed, plan=plan)
    assert result.ok, result.details or result.problem


@given(options=OPTIONS, chance=st.integers(0, 1 << 32))
@settings(PROPERTY, max_examples=20)
@pytest.mark.slow
@pytest.mark.parametrize("missing", ["timestamps", "sack", "window_scaling"])
@pytest.mark.parametrize("without", ["a", "b"])
def test_and_so_where_one_side_lacks_an_option(
    missing: str, without: str, options: dict[str, Any], chance: int
) -> None:
    plan = draw_from(Random(chance))
    configs = {name: config.having(**{**options, missing: name != without}) for name, config in plan.configs.items()}
    result = run_simulation(chance, plan=configured(plan, configs))
    assert result.ok, result.details or result.problem


@pytest.mark.slow
def test_a_bug_where_one_side_lacks_scaling_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    """The planted bug: windows are taken for scaled though that was not agreed (RFC 7323 section 2.2)."""
    accept = handshake.accept_syn

    def scaled(tcb: Tcb, segment: Segment, now: int) -> None:
        accept(tcb, segment, now)
        tcb.snd_wscale = tcb.snd_wscale or 7

    monkeypatch.setattr(handshake, "accept_syn", scaled)
    plan = plan_of(configs={"a": DEFAULT, "b": DEFAULT.having(window_scaling=False, receive_buffer=8_000)})
    assert "window" in run_simulation(1, plan=plan).problem
