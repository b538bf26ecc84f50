"""A real flood: hping3 sends SYNs from forged sources, and programs over the kernel's TCP go on being served."""

from __future__ import annotations

from subprocess import Popen
from time import monotonic
from typing import Any

import pytest

from lastack.apps.services import Echo
from tests.interop.machine import Machine, machine

pytestmark = [pytest.mark.interop("hping3"), pytest.mark.slow]

ECHO = 7
SECONDS = 10
SYNS = 240_000
CLIENTS = 200


def flood(there: Machine) -> Popen[Any]:
    """SYNs to the echo service, some 20,000 a second where the machine can (the sender's timer adds 20 us to each), and
    no more of them than ten seconds take. The answers go to addresses that nobody has: with the kernel's own address
    as the source it would reset each."""
    pace = ("-i", "u24", "-c", str(SYNS))
    return there.start("hping3", "-q", "-n", "-S", "-p", str(ECHO), *pace, "--rand-source", there.box.ours[0])


def test_two_hundred_are_served_under_a_flood() -> None:
    with machine() as there:
        there.listen(Echo, ECHO)
        host = there.host
        began = monotonic()
        with flood(there) as attacker:
            try:
                assert there.driver.run(lambda: host.counters["SYN cookie sent"] > 0, 20)
                slowest = there.clients("echo", ECHO, CLIENTS, "at-once", 10_000)
                there.driver.run(timeout=max(SECONDS - (monotonic() - began), 0))
                sent, half_open, lasted = host.counters["SYN cookie sent"], host.half_open, monotonic() - began
            finally:
                attacker.kill()
        counters = host.counters
        print(
            f"\nSYN flood: {(sent + half_open) / lasted:,.0f} SYNs a second for {lasted:.1f} s, {half_open} half-open, "
            f"{sent:,} cookies; {CLIENTS} connections served, {counters['SYN cookie received']} by a cookie, "
            f"the slowest in {slowest:.2f} s"
        )
        assert there.reactor.counters["connections accepted"] == CLIENTS
        assert half_open <= host.config.half_open_limit
        assert len(host.tcbs) <= host.config.half_open_limit + CLIENTS
        assert sent > 10_000
        assert counters["SYN cookie received"] >= CLIENTS
