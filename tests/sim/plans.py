"""Plans made by hand, for simulations that a test knows beforehand."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from lastack.link.faults import Faults
from lastack.sim.plan import Ending, Meeting, Plan, Script
from lastack.tcp.config import DEFAULT

SECOND = 1_000_000
SENDS = Script(20_000, 5_000, 0, 65_536, 0, 0, Ending.HALF_CLOSE, 0, False)
READS = replace(SENDS, size=0, ending=Ending.WAIT)


def plan(a: Script = SENDS, b: Script = READS, **changes: Any) -> Plan:
    """A opens one connection to B over a path of 10 ms that does no harm; `changes` are fields of the plan."""
    plain = Plan(
        start=0,
        version=4,
        configs={"a": DEFAULT, "b": DEFAULT},
        options={"a": {}, "b": {}},
        faults={"a": Faults(delay=10_000), "b": Faults(delay=10_000)},
        partition=None,
        offload=False,
        heal_at=5 * SECOND,
        meetings=(Meeting(0, "a", False, 0, 0, {"a": a, "b": b}),),
        reboot=None,
        harsh=False,
    )
    return replace(plain, **changes)
