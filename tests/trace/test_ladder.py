"""The ladder: read as a learner reads it, line by line."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lastack.tcp.states import Event, State
from lastack.trace.ladder import Style, draw
from lastack.trace.timeline import Timeline
from lastack.wire.datagram import build_tcp
from lastack.wire.segment import SYN, Segment
from tests.trace import story
from tests.trace.story import ENDS, Connection, Story, lines, packet


def test_a_connection_from_open_to_the_end_of_time_wait() -> None:  # RFC 9293 Figures 6 and 12
    assert lines(draw(story.normal_close().timeline)) == [
        "open(passive) LISTEN 0.000",
        "0.000 SYN-SENT open(active)",
        "0.000 SYN-SENT -- S 0:0(0) --> SYN-RECEIVED 0.010",
        "0.020 ESTABLISHED <-- S. 0:0(0) ack 1 -- SYN-RECEIVED 0.010",
        "0.020 ESTABLISHED -- . 1:1(0) ack 1 --> ESTABLISHED 0.030",
        "0.040 ESTABLISHED send(10 bytes)",
        "0.040 ESTABLISHED -- P. 1:11(10) ack 1 --> ESTABLISHED 0.050",
        "0.060 ESTABLISHED <-- . 1:1(0) ack 11 -- ESTABLISHED 0.050",
        "0.100 FIN-WAIT-1 close()",
        "0.100 FIN-WAIT-1 -- F. 11:11(0) ack 1 --> CLOSE-WAIT 0.110",
        "0.120 FIN-WAIT-2 <-- . 1:1(0) ack 12 -- CLOSE-WAIT 0.110",
        "close() LAST-ACK 0.150",
        "0.160 TIME-WAIT <-- F. 1:1(0) ack 12 -- LAST-ACK 0.150",
        "0.160 TIME-WAIT -- . 12:12(0) ack 2 --> CLOSED 0.170",
        ". . . 59.99 s later . . .",
        "60.160 CLOSED * 2MSL timer *",
    ]


def test_a_loss_ends_in_an_x_and_leaves_the_other_side_as_it_was() -> None:
    rows = lines(draw(story.normal_close(lose_final_ack=True).timeline))
    assert "0.160 TIME-WAIT -- . 12:12(0) ack 2 --X lost LAST-ACK" in rows
    assert "* retransmission timer * LAST-ACK 0.350" in rows


def test_fins_that_cross_are_drawn_leaving_and_coming() -> None:  # RFC 9293 Figure 13
    assert lines(draw(story.simultaneous_close().timeline))[5:] == [
        "0.100 FIN-WAIT-1 close()",
        "0.100 FIN-WAIT-1 -- F. 1:1(0) ack 1 --... ESTABLISHED",
        "close() FIN-WAIT-1 0.100",
        "FIN-WAIT-1 ...-- F. 1:1(0) ack 1 -- FIN-WAIT-1 0.100",
        "FIN-WAIT-1 ...-- F. 1:1(0) ack 1 --> CLOSING 0.110",
        "FIN-WAIT-1 ...-- . 2:2(0) ack 2 -- CLOSING 0.110",
        "0.110 CLOSING <-- F. 1:1(0) ack 1 --... CLOSING",
        "0.110 CLOSING -- . 2:2(0) ack 2 --... CLOSING",
        "CLOSING ...-- . 2:2(0) ack 2 --> TIME-WAIT 0.120",
        "0.120 TIME-WAIT <-- . 2:2(0) ack 2 --... TIME-WAIT",
        ". . . 60 s later . . .",
        "60.120 CLOSED * 2MSL timer *",
        "* 2MSL timer * CLOSED 60.120",
    ]


def test_delay_overtaking_and_duplication() -> None:
    assert lines(draw(story.delayed().timeline))[5:] == [
        "0.040 ESTABLISHED -- P. 1:11(10) ack 1 --... ESTABLISHED",
        "0.240 ESTABLISHED * retransmission timer *",
        "0.240 ESTABLISHED -- P. 1:11(10) ack 1 --> ESTABLISHED 0.250",
        "0.260 ESTABLISHED <-- . 1:1(0) ack 11 -- ESTABLISHED 0.250",
        "0.260 ~ the wanderer comes out of its loop ~",
        "ESTABLISHED ...-- P. 1:11(10) ack 1 --> ESTABLISHED 0.300",
        "0.310 ESTABLISHED <-- . 1:1(0) ack 11 -- ESTABLISHED 0.300",
        "0.310 ESTABLISHED -- . 11:21(10) ack 1 --> ESTABLISHED 0.320",
        "ESTABLISHED ...-- . 11:21(10) ack 1 [duplicate] --> ESTABLISHED 0.320",
        "crashes 0.320",
    ]


def test_a_segment_of_an_older_incarnation_is_marked() -> None:
    tale = Story()
    tale.handshake()
    tale.leaves("client", "P. 1001:1011(10) ack 1")
    tale.at(70_000)
    tale.passes("client", "S 5000:5000(0) win 65535")
    tale.comes("client", "P. 1001:1011(10) ack 1")
    rows = lines(draw(tale.timeline))
    assert any("-- S 0:0(0) -->" in row for row in rows[6:])
    assert any("...-- P. 1001:1011(10) ack 1 [old] -->" in row for row in rows)


def test_a_reset_from_nowhere_has_the_number_it_has() -> None:  # RFC 9293 section 3.10.7.1
    tale = Story(listening=False)
    tale.passes("client", "S 0:0(0) win 65535")
    tale.leaves("server", f"R. {-story.ISN['server'] % 2**32}:{-story.ISN['server'] % 2**32}(0) ack 1 win 0")
    tale.at(20)
    tale.comes("server", f"R. {-story.ISN['server'] % 2**32}:{-story.ISN['server'] % 2**32}(0) ack 1 win 0")
    assert lines(draw(tale.timeline)) == [
        "0.000 CLOSED -- S 0:0(0) --> CLOSED 0.010",
        "0.020 CLOSED <-- R. 0:0(0) ack 1 -- CLOSED 0.010",
    ]


def test_a_child_of_a_listener_begins_in_listen_and_a_stranger_in_closed() -> None:
    tale = Story()
    tale.states["server"].remote = ENDS["client"]
    tale.leaves("client", "S 0:0(0) win 65535")
    assert lines(draw(tale.timeline))[-1].endswith("LISTEN")


def test_a_move_without_a_cause_is_told_by_its_event() -> None:
    tale = Story()
    tale.moves("client", Event.ACTIVE_OPEN)
    assert lines(draw(tale.timeline))[-1] == "0.000 SYN-SENT [active OPEN]"


def test_a_later_move_is_not_the_work_of_the_segment_before_it() -> None:
    tale = Story()
    tale.passes("client", "S 0:0(0) win 65535", Event.RCV_SYN)
    tale.at(500)
    tale.moves("server", Event.USER_TIMEOUT)
    assert lines(draw(tale.timeline))[1:] == [
        "0.000 CLOSED -- S 0:0(0) --> SYN-RECEIVED 0.010",
        "[user timeout] CLOSED 0.500",
    ]


@pytest.mark.parametrize(("style", "name"), [("rfc", "SYN-RECEIVED"), ("netstat", "SYN_RECV"), ("ss", "SYN-RECV")])
def test_names_as_the_reader_knows_them(style: str, name: str) -> None:
    assert f"--> {name} 0.010" in "\n".join(lines(draw(story.normal_close().timeline, Style(names=style))))


def test_a_style_of_names_that_does_not_exist() -> None:
    with pytest.raises(ValueError, match="no such style"):
        draw(Timeline(), Style(names="lsof"))


@pytest.mark.parametrize("width", [100, 110, 120])
def test_it_keeps_to_its_width(width: int) -> None:
    for tale in (story.normal_close(True), story.simultaneous_close(), story.delayed()):
        assert max(map(len, draw(tale.timeline, Style(width=width)).splitlines())) <= width


def test_colour_changes_nothing_but_the_colour() -> None:
    plain = draw(story.normal_close(True).timeline)
    coloured = draw(story.normal_close(True).timeline, Style(colour=True))
    assert "\x1b" not in plain
    assert "\x1b[31m" in coloured
    uncoloured = re.sub(r"\x1b\[\d+m", "", coloured)
    assert [line.rstrip() for line in uncoloured.splitlines()] == plain.splitlines()


def test_options_and_absolute_numbers_where_they_are_asked_for() -> None:
    rows = lines(draw(story.normal_close().timeline, Style(options=True, absolute=True)))
    assert rows[2].startswith("0.000 SYN-SENT -- S 4294967000:4294967000(0) -->")
    assert rows[3].startswith("win 65535 <mss 1460,sackOK,nop,wscale 7")


def test_numbers_count_on_beyond_the_wrap() -> None:
    tale = Story()
    tale.handshake()
    tale.passes("client", "P. 1001:1011(10) ack 1")  # the ISN is 296 below 2**32
    assert "P. 1001:1011(10) ack 1" in draw(tale.timeline)


def test_several_connections_are_told_apart_or_picked() -> None:
    tale = Story()
    tale.handshake()
    client = tale.observers["client"]
    second = Connection("client", State.SYN_SENT)
    second.local = (ENDS["client"][0], 40001)
    client.moved(tale.now, second, State.CLOSED, Event.ACTIVE_OPEN, State.SYN_SENT)
    both, one = draw(tale.timeline), draw(tale.timeline, connection=(40000, 80))
    assert "a: S 0:0(0)" in both
    assert "b: [active OPEN]" in both
    assert "a: " not in one
    assert "[active OPEN]" not in one


def test_a_host_that_is_alone_talks_to_a_peer_of_which_nothing_is_known() -> None:
    timeline = Timeline()
    observer = timeline.observer("client")
    connection = Connection("client", State.SYN_SENT)
    observer.moved(0, connection, State.CLOSED, Event.ACTIVE_OPEN, State.SYN_SENT)
    timeline.packet_sent(0, "client", packet("client", "S 0:0(0) win 65535"))
    timeline.packet_arrived(9_000, "client", packet("server", "S. 0:0(0) ack 1 win 65535"))
    observer.moved(9_000, connection, State.SYN_SENT, Event.RCV_SYN_ACK, State.ESTABLISHED)
    assert lines(draw(timeline))[1:] == [
        "0.000 SYN-SENT -- S 0:0(0) -->",
        "0.009 ESTABLISHED <-- S. 0:0(0) ack 1 --",
    ]


def test_a_host_that_talks_to_itself_stands_on_both_sides() -> None:
    """A socket connected to itself opens simultaneously (RFC 9293 section 3.5, Figure 7)."""
    timeline = Timeline()
    observer = timeline.observer("client")
    itself = Connection("client", State.SYN_SENT)
    itself.remote = itself.local
    syn = build_tcp(itself.local[0], itself.local[0], Segment(40000, 40000, 5, 0, SYN, 100))
    observer.moved(0, itself, State.CLOSED, Event.ACTIVE_OPEN, State.SYN_SENT)
    timeline.packet_sent(0, "client", syn)
    timeline.packet_arrived(0, "client", syn)
    observer.moved(0, itself, State.SYN_SENT, Event.RCV_SYN, State.SYN_RCVD)
    assert lines(draw(timeline))[1:] == ["0.000 SYN-SENT -- S 0:0(0) --> SYN-RECEIVED 0.000"]


def test_an_empty_recording_is_an_empty_ladder() -> None:
    assert draw(Timeline()).split() == ["host", "peer"]


packets = st.tuples(st.sampled_from(["client", "server"]), st.integers(0, 30), st.integers(0, 40), st.booleans())


@given(st.lists(packets, max_size=25))
def test_each_column_keeps_its_own_time(sent: list[tuple[str, int, int, bool]]) -> None:
    """Whatever overtakes, crosses or is doubled: down the page, neither clock ever runs back."""
    tale = Story()
    events: list[tuple[int, int, str, str]] = []
    for number, (sender, start, delay, twice) in enumerate(sent):
        line = f". {number}:{number}(0) ack 1"
        events.append((start, number, "leaves", f"{sender} {line}"))
        events += [(start + delay, number, "comes", f"{sender} {line}")] * (1 + twice)
    for now, _, what, told in sorted(events, key=lambda event: (event[0], event[2] == "comes", event[1])):
        tale.at(now)
        sender, _, line = told.partition(" ")
        getattr(tale, what)(sender, line)
    drawing = draw(tale.timeline)
    left = [float(found) for found in re.findall(r"^ *(\d+\.\d+) ", drawing, re.MULTILINE)]
    right = [float(found) for found in re.findall(r" (\d+\.\d+)$", drawing, re.MULTILINE)]
    assert left == sorted(left)
    assert right == sorted(right)
    assert len(left) + len(right) == len(events) + 1  # and the passive open


@pytest.mark.parametrize(
    ("seconds", "words"),
    [
        (75, "75 s"),
        (3_599, "3599 s"),
        (7_199.99, "7199.99 s (2 h)"),
        (86_400, "86400 s (24 h)"),
        (2_592_000.98, "2592000.98 s (30 days)"),
    ],
)
def test_a_long_silence_is_told_as_people_tell_it(seconds: float, words: str) -> None:
    tale = Story()
    tale.at(seconds * 1000)
    tale.call("server", "CLOSE")
    assert lines(draw(tale.timeline))[1] == f". . . {words} later . . ."


def test_a_call_says_what_its_number_counts_and_that_a_listener_is_not_a_connection() -> None:
    tale = Story()
    tale.call("client", "SEND", detail="4")
    listener = Connection("server", State.LISTEN, listener=True)
    tale.observers["server"].call_made(0, listener, "CLOSE", "")
    tale.observers["server"].moved(0, listener, State.LISTEN, Event.CLOSE, State.CLOSED)
    assert lines(draw(tale.timeline))[1:] == ["0.000 CLOSED send(4 bytes)", "close(listener) CLOSED 0.000"]


def test_a_timeout_is_not_called_a_timer_as_well() -> None:
    tale = Story()
    tale.timer("client", "user timeout")
    assert lines(draw(tale.timeline))[1] == "0.000 CLOSED * user timeout *"


@pytest.mark.parametrize(("ms", "words"), [(0, "down"), (10, "down"), (32_000, "down after 32 s")])
def test_a_loss_says_when_it_was_only_if_that_took_long(ms: int, words: str) -> None:
    tale = Story()
    tale.leaves("client", "S 0:0(0)")
    tale.timeline.packet_lost(ms * story.MS, "client", packet("client", "S 0:0(0)"), "down")
    assert lines(draw(tale.timeline))[1] == f"0.000 CLOSED -- S 0:0(0) --X {words} LISTEN"
