"""The stage itself: who is told what, which incarnation is meant, what a capture holds."""

from __future__ import annotations

from io import BytesIO

import pytest

from lastack.sim.scenarios.play import Play
from lastack.sim.scenarios.registry import find, near_matches, scenario, scenarios
from lastack.sim.scenarios.spelling import spell
from lastack.tcp.config import SECOND
from lastack.tcp.states import State
from lastack.trace.pcapng import read_stream
from lastack.wire.segment import ACK, RST, Segment


def test_each_incarnation_has_a_walk_of_its_own() -> None:
    s = Play().act(client={"msl": 0})
    s.open(local=5000)
    first = s.client.talk
    s.close(s.client, s.server)
    s.run()
    s.open(local=5000)
    assert first.state is State.CLOSED
    assert s.client.talk.states == [State.CLOSED, State.SYN_SENT, State.ESTABLISHED]
    assert s.server.states == [State.CLOSED, State.LISTEN, State.SYN_RCVD, State.ESTABLISHED]


def test_a_time_wait_that_is_reopened_begins_a_new_walk() -> None:
    s = Play().act(msl=30 * SECOND)
    s.open(local=5000)
    s.server.close()
    s.pause()
    s.client.close()
    s.pause()
    old = s.server.talk
    s.open(local=5000)
    assert old.state is State.TIME_WAIT
    assert s.server.talk.states == [State.TIME_WAIT, State.SYN_RCVD, State.ESTABLISHED]


def test_what_is_held_arrives_when_it_is_released() -> None:
    s = Play().act()
    s.open()
    wanderer = s.hold("1st data", s.client)
    s.client.send(b"late")
    s.wait(SECOND // 10)
    assert s.server.received == b""
    s.release(wanderer)
    s.wait(SECOND // 10)
    assert s.server.received == b"late"
    assert len(s.sent("data", s.client)) == 1


def test_a_forged_segment_comes_from_who_seems_to_send_it() -> None:
    s = Play().act()
    s.open()
    tcb = s.client.talk.tcb
    s.forge(s.client, Segment(tcb.local[1], 80, tcb.snd_nxt, tcb.rcv_nxt, RST | ACK))
    s.pause()
    assert isinstance(s.server.error, ConnectionResetError)
    assert s.client.state is State.ESTABLISHED


def test_nothing_passes_a_partition_until_it_is_healed() -> None:
    s = Play().act()
    s.open()
    s.partition()
    s.client.send(b"hello")
    s.wait(60 * SECOND)
    assert s.server.received == b""
    s.heal()
    s.run(lambda: s.server.received == b"hello")
    assert s.server.received == b"hello"


def test_who_loses_power_forgets_everything() -> None:
    s = Play().act()
    s.open()
    s.server.power_off()
    s.server.power_on()
    s.client.send(b"hello")
    s.pause()
    assert isinstance(s.client.error, ConnectionResetError)


def test_the_acts_of_a_capture_follow_each_other() -> None:
    play = Play()
    for _ in range(2):
        play.act().open()
    play.stream.seek(0)
    times = [now for now, _, _ in read_stream(BytesIO(play.stream.read()))]
    assert len(times) == 6
    assert times[3] - times[2] > 900 * SECOND


def test_settings_are_for_both_or_for_one() -> None:
    s = Play().act(client={"msl": 1}, msl=2)
    assert (s.client.host.config.msl, s.server.host.config.msl) == (1, 2)


@pytest.mark.parametrize(
    ("style", "text"),
    [
        ("rfc", "SYN-RECEIVED, FIN-WAIT-1: CLOSED and CLOSING. Not LISTENER"),
        ("netstat", "SYN_RECV, FIN_WAIT1: CLOSE and CLOSING. Not LISTENER"),
        ("ss", "SYN-RECV, FIN-WAIT-1: UNCONN and CLOSING. Not LISTENER"),
    ],
)
def test_states_in_a_text_are_spelled_as_asked(style: str, text: str) -> None:
    assert spell("SYN-RECEIVED, FIN-WAIT-1: CLOSED and CLOSING. Not LISTENER", style) == text


def test_near_matches() -> None:
    known = [one.name for one in scenarios()]
    assert near_matches("tree_way_handshake", known)[0] == "three-way-handshake"
    assert "lost-final-ack" in near_matches("final-ack", known)
    assert near_matches("xyzzy", known) == []
    with pytest.raises(LookupError, match="did you mean half-close"):
        find("halfclose")


def test_the_order_is_that_of_the_table() -> None:
    rows = [one.row for one in scenarios()]
    assert rows.index("2") < rows.index("8") < rows.index("8b") < rows.index("8c")


def test_no_two_scenarios_of_one_name() -> None:
    with pytest.raises(AssertionError, match="two scenarios"):
        scenario("half-close", row="4", title="Again")(lambda play: None)
