"""What stands on the arrows: whose numbers they are and from where they count, marks, windows and options."""

from __future__ import annotations

import pytest

from lastack.trace.entries import Arrival, Departure, see_segment
from lastack.trace.ladder import Style, draw
from lastack.trace.timeline import Timeline
from lastack.wire.segment import ACK, FIN, RST, SYN, Segment
from tests.trace import story
from tests.trace.story import ENDS, Story, lines


def between(*segments: tuple[str, Segment], ports: tuple[int, int], known: bool = True) -> Timeline:
    """A recording of segments, each 10 ms under way, between hosts whose ports are `ports`; of `known` addresses."""
    timeline = Timeline()
    ends = {host: (ENDS[host][0], port) for host, port in zip(ENDS, ports, strict=True)}
    for number, (sender, segment) in enumerate(segments):
        source, destination = ends[sender], ends[story.other(sender)]
        segment.source_port, segment.destination_port = source[1], destination[1]
        segment.window = 1000
        if segment.flags & RST and not known:
            source, destination = (b"", source[1]), (b"", destination[1])
        seen = see_segment(segment, source, destination)
        timeline.sent(number * 20 * story.MS, sender, seen)
        timeline.arrived((number * 20 + 10) * story.MS, story.other(sender), seen)
    return timeline


@pytest.mark.parametrize("known", [True, False])
def test_both_ends_may_have_one_port_number(known: bool) -> None:
    """The two directions count apart; a RST whose addresses nobody told belongs to its host's direction."""
    timeline = between(
        ("client", Segment(0, 0, 100, 0, SYN)),
        ("server", Segment(0, 0, 9000, 101, SYN | ACK)),
        ("client", Segment(0, 0, 101, 9001, ACK)),
        ("server", Segment(0, 0, 9001, 0, RST)),
        ports=(7000, 7000),
        known=known,
    )
    labels = ["-- S 0:0(0) -->", "<-- S. 0:0(0) ack 1 --", "-- . 1:1(0) ack 1 -->", "<-- R 1:1(0) --"]
    assert [label in row for label, row in zip(labels, lines(draw(timeline)), strict=True)] == [True] * 4


def test_connections_of_the_same_ports_between_other_addresses_count_apart() -> None:
    timeline = Timeline()
    for now, (address, seq, flags) in enumerate([(1, 100, SYN), (2, 5000, SYN), (1, 101, ACK), (2, 5001, ACK)]):
        source, destination = (bytes([10, 0, 0, address]), 7000), (bytes([10, 0, 0, address + 10]), 80)
        timeline.sent(now, "client", see_segment(Segment(7000, 80, seq, 1, flags, 1000), source, destination))
    assert [" 0:0(0)" in row or " 1:1(0)" in row for row in lines(draw(timeline))] == [True] * 4


def test_the_reset_from_closed_has_the_number_0_that_it_has() -> None:  # RFC 9293 section 3.10.7.1
    timeline = between(
        ("client", Segment(0, 0, 100, 0, SYN)),
        ("server", Segment(0, 0, 2_846_399_318, 101, SYN | ACK)),
        ("client", Segment(0, 0, 600_100, 0, SYN)),
        ("server", Segment(0, 0, 0, 600_101, RST | ACK)),
        ports=(40000, 80),
    )
    assert "R. 0:0(0) ack 1 --" in lines(draw(timeline))[-1]
    near = between(
        ("server", Segment(0, 0, 2**32 - 1000, 0, SYN)),
        ("server", Segment(0, 0, 0, 0, RST | ACK)),
        ports=(40000, 80),
    )
    assert "-- R. 0:0(0)" in lines(draw(near))[-1]


def test_an_abort_whose_number_has_just_wrapped_is_counted_as_ever() -> None:  # SEQ=SND.NXT, RFC 9293 section 3.10.5
    timeline = between(
        ("client", Segment(0, 0, 2**32 - 1, 0, SYN)),
        ("client", Segment(0, 0, 0, 0, RST | ACK)),
        ports=(40000, 80),
    )
    assert "-- R. 1:1(0)" in lines(draw(timeline))[-1]


@pytest.mark.parametrize(
    ("number", "label"),
    [(1001 + 2**30, "1073741825:1073741825"), (1002 + 2**30, "1073742826:1073742826"), (2**32 - 1, "-1001:-1001")],
)
def test_a_number_farther_away_than_any_window_stands_as_it_is(number: int, label: str) -> None:  # RFC 7323, 2.3
    timeline = between(("client", Segment(0, 0, 1000, 0, SYN)), ("client", Segment(0, 0, number, 0, RST)), ports=(1, 2))
    assert f"R {label}(0)" in lines(draw(timeline))[-1]


def test_a_number_of_nobodys_counting_is_never_negative() -> None:
    assert "R 4000000000:4000000000(0)" in draw(between(("client", Segment(0, 0, 4 * 10**9, 0, RST)), ports=(1, 2)))


def test_a_long_transfer_is_counted_beyond_the_numbers_there_are() -> None:
    steps = [(1 + (count << 29)) % 2**32 for count in range(20)]
    timeline = between(
        ("client", Segment(0, 0, 0, 0, SYN)),
        *(("client", Segment(0, 0, step, 1, ACK)) for step in steps),
        ports=(40000, 80),
    )
    assert f". {1 + (19 << 29)}:{1 + (19 << 29)}(0)" in lines(draw(timeline))[-1]


def under(tale: Story, width: int = 100) -> list[str]:
    """What stands below the arrows."""
    drawing = draw(tale.timeline, Style(options=True, width=width))
    return [line.strip() for line in drawing.partition("\n\n")[2].splitlines() if line.startswith(" " * 23)]


def test_options_are_broken_between_two_of_them() -> None:
    tale = Story(listening=False)
    tale.passes("client", "S 0:0(0) win 65535 <mss 1460,sackOK,TS val 4294967295 ecr 4294967294,nop,wscale 7>")
    assert under(tale) == ["win 65535 <mss 1460,sackOK,", "TS val 4294967295 ecr 4294967294,nop,wscale 7>"]


def test_an_option_that_is_longer_than_a_line_is_broken_at_its_blanks() -> None:
    tale = Story(listening=False)
    tale.now = 10**12
    tale.passes("client", ". 0:0(0) ack 1 win 9 <nop,nop,sack 1000001:1000002 1000003:1000004 1000005:1000006>")
    assert under(tale) == ["win 9 <nop,nop,", "sack 1000001:1000002 1000003:1000004", "1000005:1000006>"]


def reopened(iss: int, acknowledged: int = 102) -> Timeline:
    """A connection that ends by a FIN, which is acknowledged; a SYN; and then that FIN comes."""
    timeline = between(
        ("client", Segment(0, 0, 100, 0, SYN)),
        ("client", Segment(0, 0, 101, 0, FIN)),
        ("server", Segment(0, 0, 1, acknowledged, ACK)),
        ("client", Segment(0, 0, iss, 0, SYN)),
        ports=(40000, 80),
    )
    strayed = timeline.entries[2]
    assert isinstance(strayed, Departure)
    del timeline.entries[3]  # its arrival
    timeline.arrived(90 * story.MS, "server", strayed.packet, sent=1)
    return timeline


@pytest.mark.parametrize("iss", [500, 100])
def test_a_segment_of_an_older_incarnation_is_old_where_it_comes(iss: int) -> None:
    """Also where the new one begins at the very number of the old; and when it left, it was not old yet."""
    rows = lines(draw(reopened(iss)))
    assert [row for row in rows if " F " in row] == [
        "0.020 -- F 1:1(0) --...",
        "...-- F 1:1(0) [old] --> 0.090",
    ]


def test_a_syn_sent_again_opens_nothing_new() -> None:
    """Where our own SYN is not acknowledged yet, it is sent again, even though the FIN has left."""
    assert "[old]" not in draw(reopened(100, acknowledged=101))


def test_a_duplicate_is_marked_once() -> None:
    timeline = reopened(500)
    last = timeline.entries[-1]
    assert isinstance(last, Arrival)
    timeline.arrived(95 * story.MS, "server", last.packet, sent=1)
    timeline.arrived(96 * story.MS, "server", last.packet, sent=1)
    assert [row.partition(" F 1:1(0)")[2] for row in lines(draw(timeline))][-3:] == [
        " [old] --> 0.090",
        " [old] [duplicate] --> 0.095",
        " [old] [duplicate] --> 0.096",
    ]


def test_the_blocks_of_a_sack_count_from_their_own_connection() -> None:
    """Not from the one that has the same ports later."""
    tale = Story(listening=False)
    tale.passes("server", "S 0:0(0)")
    tale.passes("client", ". 0:0(0) ack 1 win 9 <nop,nop,sack 3:4>")
    tale.passes("server", "S 5000:5000(0)")
    assert under(tale)[1] == "win 9 <nop,nop,sack 3:4>"
