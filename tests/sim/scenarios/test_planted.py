"""A scenario that cannot fail shows nothing: here the TCP is broken, one rule at a time, and the claims notice."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from lastack.host.timewait import TimeWaitTable
from lastack.sim.scenarios.play import Play, Result, perform
from lastack.sim.scenarios.registry import Scenario, find
from lastack.tcp import arrives, calls, handshake, parting, text, time_wait, timeouts
from lastack.tcp.calls import ended
from lastack.tcp.states import TRANSITIONS, Event, State


def false_claims(result: Result) -> str:
    assert not result.ok
    return "\n".join(claim.text for claim in result.claims if not claim.ok)


def nothing(*_: Any) -> None:
    """The rule that is missing."""


def no_waiting(tcb: Any, now: int) -> None:
    tcb.retransmission_at = tcb.persist_at = tcb.keepalive_at = tcb.fin_wait_2_at = 1 << 62
    tcb.time_wait_at = now


def ignoring(*_: Any) -> time_wait.Answer:
    return time_wait.Answer.IGNORE


def without_restart(table: TimeWaitTable, key: bytes, record: Any, expires: int) -> None:
    """The record stays as it is."""


def without_error(tcb: Any, event: Event, now: int, reason: Any, error: int) -> None:
    ended(tcb, event, now, reason, 0)


def forgetful(tcb: Any, size: int, now: int) -> bytes:
    return b"" if tcb.fin_received else bytes(tcb.receive_buffer.read(size))


def timed_for_owners(tcb: Any, now: int) -> None:
    tcb.fin_wait_2_at = now + tcb.config.fin_wait_2_timeout


PLANTED: list[tuple[str, Any, str, Callable[..., Any], str]] = [
    ("three-way-handshake", handshake, "syn_options", lambda tcb, now: b"", "both SYNs carry options"),
    ("four-way-close", time_wait, "enter", no_waiting, "waits in TIME-WAIT for 2MSL"),
    ("four-way-close", calls, "receive", forgetful, "EOF is delivered behind the queued data"),
    ("three-segment-close", text, "fin_received", nothing, "3 segments carry the data and close"),
    ("half-close", parting, "start_fin_wait_2", timed_for_owners, "100 s later the server still sends"),
    ("simultaneous-open", arrives, "_trim_syn_of_figure_8", nothing, "four segments do it: nothing is refused"),
    ("each-close-segment-lost", timeouts, "r2", lambda tcb: 0, "one FIN is sent again"),
    ("lost-final-ack", time_wait, "enter", no_waiting, "the client is in TIME-WAIT, the server in LAST-ACK"),
    ("lost-final-ack", time_wait, "segment_arrives", ignoring, "TIME-WAIT has answered both"),
    ("lost-final-ack", TimeWaitTable, "restart", without_restart, "2MSL began anew"),
    ("lost-final-ack-without-time-wait", arrives, "ended", without_error, "SO_ERROR is ECONNRESET"),
    ("late-syn-meets-last-ack", arrives, "challenge", nothing, "the SYN is answered by an ACK"),
]


@pytest.mark.parametrize(("name", "where", "what", "instead", "claim"), PLANTED)
def test_a_broken_rule_is_noticed(
    name: str, where: Any, what: str, instead: Callable[..., Any], claim: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(where, what, instead)
    assert claim in false_claims(perform(find(name)))


def test_a_close_that_skips_closing_is_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(TRANSITIONS[State.FIN_WAIT_1], Event.RCV_FIN, State.TIME_WAIT)
    told = false_claims(perform(find("simultaneous-close")))
    assert "by FIN-WAIT-1 and CLOSING to TIME-WAIT" in told


def of(script: Callable[[Play], None]) -> Scenario:
    return Scenario("planted", "99", "Planted", "text", False, script)


def test_an_exception_is_a_failure_with_its_text() -> None:
    def script(play: Play) -> None:
        s = play.act()
        s.claim("this is so", True)
        s.connect(local=80)
        s.connect(local=80)

    result = perform(of(script))
    assert not result.ok
    assert result.error.startswith("OSError: ")
    assert false_claims(result) == "the scenario runs to its end"


def test_a_scenario_without_claims_is_not_ok() -> None:
    assert not perform(of(lambda play: play.act().run() and None)).ok


def test_a_false_claim_tells_what_was_seen() -> None:
    def script(play: Play) -> None:
        s = play.act()
        s.open()
        s.claim_states("the client is closed", s.client, "CLOSED")
        s.claim("the two are listening", s.states() == (State.LISTEN, State.LISTEN), s.states())

    saw = [claim.saw for claim in perform(of(script)).claims]
    assert saw == ["CLOSED, SYN-SENT, ESTABLISHED", "ESTABLISHED, ESTABLISHED"]
