"""The TCP is broken, one rule at a time, and the claims of rows 9 to 21 notice."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from lastack.host.host import Host
from lastack.host.ports import Ports
from lastack.host.sockets import Socket
from lastack.host.tables import Tables
from lastack.link.targeted import Loop
from lastack.sim.scenarios import views
from lastack.sim.scenarios.forced import ForcedHost
from lastack.sim.scenarios.play import perform
from lastack.sim.scenarios.registry import find
from lastack.tcp import arrives, calls, parting, text, time_wait, timeouts
from lastack.tcp.config import NEVER
from lastack.tcp.states import State
from lastack.trace import names
from lastack.wire import datagram

Planted = Callable[..., Any]


def always(value: Any) -> Planted:
    return lambda *_, **__: value


def with_setting(original: Planted, **values: Any) -> Planted:
    """A function of a connection that runs under another setting."""

    def run(tcb: Any, *arguments: Any) -> Any:
        config = tcb.config
        tcb.config = config.having(**values)
        result = original(tcb, *arguments)
        tcb.config = config
        return result

    return run


def waiting_for(change: Callable[[int], int]) -> Planted:
    original = time_wait.enter

    def enter(tcb: Any, now: int) -> None:
        original(tcb, now)
        tcb.time_wait_at = now + change(2 * tcb.config.msl)

    return enter


def timed_close_wait(tcb: Any, now: int) -> None:
    """A timer in CLOSE-WAIT, as nothing in TCP has one."""
    _FIN_RECEIVED(tcb, now)
    tcb.time_wait_at = now + 60_000_000


def timed_for_owners(tcb: Any, now: int) -> None:
    tcb.fin_wait_2_at = now + tcb.config.fin_wait_2_timeout


def one_edge_short(*_: Any, **__: Any) -> str:
    return "\n".join(line for line in _TO_MERMAID().split("\n") if "CLOSING --> TIME_WAIT" not in line)


_FIN_RECEIVED = text.fin_received
_TO_MERMAID = views.to_mermaid
_NO_WAIT = waiting_for(lambda _: 0)
_IGNORE = always(time_wait.Answer.IGNORE)
_NO_CLOCK = always(77)
_UNCHECKED = with_setting(arrives.check_ack, rfc5961_ack=False)
_NO_IDLE = with_setting(timeouts._fin_wait_2, fin_wait_2_counts_idle=False)
_RISING = Host.initial_sequence_number
_FORGETS_TO_ASK = frozenset(State)

PLANTED: list[tuple[str, Any, str, Any, str]] = [
    ("delayed-duplicate", Socket, "_free", always(True), "the pair of endpoints is: EADDRNOTAVAIL"),
    ("delayed-duplicate", Ports, "may_bind", always(True), "the local port is refused"),
    ("delayed-duplicate", time_wait, "segment_arrives", _IGNORE, "TIME-WAIT answers it by an ACK"),
    ("delayed-duplicate-delivered", ForcedHost, "initial_sequence_number", _RISING, "the client reads the old bytes"),
    ("delayed-duplicate-delivered", time_wait, "enter", _NO_WAIT, "2MSL alone"),
    ("delayed-duplicate-delivered", Tables, "initial_sequence_number", _NO_CLOCK, "the ISN clock alone"),
    ("delayed-duplicate-delivered", arrives, "_paws", always(True), "PAWS alone"),
    ("delayed-duplicate-delivered", arrives, "check_ack", _UNCHECKED, "the ACK check alone"),
    ("delayed-duplicate-with-timestamps", arrives, "_paws", always(True), "PAWS rejects it"),
    ("delayed-duplicate-with-timestamps", time_wait, "reopens", always(True), "the second opens nothing"),
    ("delayed-duplicate-with-timestamps", time_wait, "reopens", always(False), "reopens the connection"),
    ("time-wait-is-the-active-closers", time_wait, "enter", _NO_WAIT, "the client is in TIME-WAIT"),
    ("restart-server", Ports, "may_bind", always(True), "bind is refused: EADDRINUSE"),
    ("restart-server", Ports, "may_bind", always(True), "by Linux's rule it may not"),
    ("restart-server", Ports, "enter", always(None), "the scenario runs to its end"),
    ("port-exhaustion", Socket, "_free", always(True), "the fifth connect is refused"),
    ("port-exhaustion", time_wait, "reopens", always(False), "five SYNs reopen what is in TIME-WAIT"),
    ("port-exhaustion", time_wait, "enter", waiting_for(lambda wait: wait // 2), "1 us before the first TIME-WAIT"),
    ("fin-wait-2", parting, "start_fin_wait_2", always(None), "60 s after it began it is CLOSED"),
    ("fin-wait-2", parting, "start_fin_wait_2", timed_for_owners, "after 30 days it is still FIN-WAIT-2"),
    ("fin-wait-2", timeouts, "_fin_wait_2", _NO_IDLE, "a microsecond before it is FIN-WAIT-2"),
    ("close-wait-for-ever", text, "fin_received", timed_close_wait, "the scenario runs to its end"),
    ("last-ack-ends", timeouts, "r2", always(3), "the FIN is sent once, and 8 times again"),
    ("half-open-power-loss", timeouts, "_NO_KEEPALIVE", _FORGETS_TO_ASK, "it was asked 9 times"),
    ("half-open-power-loss", timeouts, "user_timeout_at", always(NEVER), "the reason: user timeout"),
    ("half-open-reboot", Host, "reset", always(None), "the server answers with a RST"),
    ("half-open-network-break", timeouts, "r2", always(3), "after 10 min the client is still trying"),
    ("reset", Host, "reset", always(None), "answered by a RST that acknowledges it"),
    ("reset", calls, "abort_for_lost_data", always(None), "the close is a RST"),
    ("reset", text, "abort_for_lost_data", always(None), "the data is answered by a RST"),
    ("time-wait-assassination", time_wait, "_rst", always(time_wait.Answer.RESET), "TIME-WAIT goes on"),
    ("time-wait-assassination", time_wait, "_rst", _IGNORE, "TIME-WAIT is over before its time"),
    ("new-incarnation", time_wait, "reopens", always(False), "the SYN reopens the connection"),
    ("new-incarnation", time_wait, "reopens", always(True), "a SYN with a lower number opens nothing"),
    ("new-incarnation", time_wait, "reopens", always(True), "it opens nothing"),
    ("msl-presets", time_wait, "enter", waiting_for(lambda wait: wait - 1), "1 us before 2MSL it is in TIME-WAIT"),
    ("msl-presets", time_wait, "enter", waiting_for(lambda wait: wait + 1), "it is CLOSED at 2MSL"),
    ("why-two-msl", ForcedHost, "initial_sequence_number", _RISING, "the old FIN ends the new stream"),
    ("why-two-msl", time_wait, "segment_arrives", _IGNORE, "it answers the FIN by an ACK"),
    ("wanderer", Loop, "hops_taken", always(0), "at 32 s, after 64 routers, it is dead"),
    ("wanderer", time_wait, "segment_arrives", _IGNORE, "TIME-WAIT answers it by an ACK"),
    ("netstat-view", names, "_NAMES", {**names._NAMES, names.SS: names._NAMES[names.NETSTAT]}, "ss prints"),
    ("wireshark-view", datagram, "verify_transport", always(True), "with one bit of a packet flipped"),
    ("state-diagram", views, "to_mermaid", one_edge_short, "edges of the table are drawn"),
]


@pytest.mark.parametrize(
    ("name", "where", "what", "instead", "claim"), PLANTED, ids=[f"{one[0]}-{one[2]}-{one[4]}" for one in PLANTED]
)
def test_a_broken_rule_is_noticed(
    name: str, where: Any, what: str, instead: Any, claim: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(where, what, instead)
    result = perform(find(name))
    assert claim in "\n".join(one.text for one in result.claims if not one.ok)
