"""What is shown of a script that failed."""

from __future__ import annotations

from lastack.packetdrill.failure import LADDER_LINES, details, ladder, passage, side_by_side, versus
from lastack.trace.ladder import Style
from tests.packetdrill.recordings import timeline

STYLE = Style(options=True)


def test_the_line_stands_between_its_neighbours() -> None:
    text = "one\ntwo\nthree\nfour\x1b[2J\nfive\nsix\n"
    assert passage(text, 3).splitlines() == [
        "  1 | one",
        "  2 | two",
        "> 3 | three",
        "  4 | four\\x1b[2J",
        "  5 | five",
    ]
    assert passage(text, 1).splitlines()[0] == "> 1 | one"
    assert passage(text, 6).splitlines()[-1] == "> 6 | six"
    assert passage(text, 0) == passage(text, 7) == ""


def test_what_differs_is_marked_in_its_column() -> None:
    assert versus("> . 1:1001(1000) ack 1", "> P. 1:501(500) ack 1", STYLE).splitlines() == [
        "expected: >  . 1:1001(1000) ack 1",
        "got:      > P. 1:501 (500 ) ack 1",
        "            ^    ^^^^ ^^^^",
    ]


def test_a_long_difference_is_folded() -> None:
    lines = versus("> . 1:1(0) " + "sack " * 40, "> . 1:1(0) " + "sack " * 39 + "nop", Style(width=100)).splitlines()
    assert [line[:10] for line in lines] == ["expected: ", "got:      ", *[" " * 10] * 5]
    assert max(map(len, lines)) <= 100
    assert set(lines[-1]) == {" ", "^"}


def test_what_has_no_counterpart_is_told_alone() -> None:
    assert versus("> S 0:0(0)", "", STYLE) == "expected: > S 0:0(0)"
    assert versus("a\nb", "c", STYLE) == "expected:\n  a\n  b\ngot:\n  c"
    assert versus("", "", STYLE) == ""


def test_all_parts_come_in_their_order() -> None:
    text = details("0 x\n", 1, "+.1~+.2  > S", "> R", "SYN-SENT\nSND.UNA 1", timeline(), STYLE)
    places = [text.index(part) for part in ("> 1 | 0 x", "expected: > S", "  SYN-SENT\n  SND.UNA 1", "S 0:0(0) --")]
    assert places == sorted(places)
    assert details("", 0) == ""


def test_packets_are_compared_without_what_the_script_leaves_open() -> None:
    line, came = "+.1~+.2  > S. 0:0(0) ack 1", "0.150000 > S. 0:0(0) ack 1 win 100"
    assert details("", 0, line, came).splitlines() == ["expected: > S. 0:0(0) ack 1", "got:      > S. 0:0(0) ack 1"]
    assert details("", 0, f"{line} win 99", came).splitlines()[1].endswith("win 100")
    late = "at 1.100000 s: > . 1:1(0) ack 1", "at 1.900000 s: > . 1:1(0) ack 1 win 100"
    assert details("", 0, *late).splitlines() == [
        f"expected: {late[0]}",
        f"got:      {late[1][:-8]}",
        " " * 15 + "^" * 6,
    ]


def test_the_variables_of_a_connection_are_folded() -> None:
    state = "ESTABLISHED\n" + "  ".join(f"SND.WND {number}" for number in range(40))
    lines = details("", 0, state=state, style=STYLE).splitlines()
    assert lines[:2] == ["The connection:", "  ESTABLISHED"]
    assert len(lines) > 5
    assert max(map(len, lines)) <= STYLE.width


def test_of_a_long_ladder_the_end_is_shown() -> None:
    long = timeline(*[(number, f"> . {number}:{number + 1}(1) ack 1 win 500") for number in range(1, 100)])
    lines = ladder(long, Style()).splitlines()
    assert len(lines) < LADDER_LINES + 6
    assert lines[3].startswith("... ") and "--verbose" in lines[3]
    assert "99:100(1)" in lines[-1]
    assert len(ladder(long, Style(), whole=True).splitlines()) > 99


def test_two_traces_stand_side_by_side_with_their_differences_marked() -> None:
    syn, answer = "< S 0:0(0) win 9", "> S. 0:0(0) ack 1 win 500 <mss 1460,TS val {} ecr 0>"
    ours = timeline((0, syn), (10, answer.format(5)), (900, "> . 1:1(0) ack 1 win 7"))
    theirs = timeline((0, syn), (90, answer.format(8)), (950, "> R 1:1(0) win 0"))
    lines = side_by_side(("lastack", ours), ("kernel", theirs), Style(width=130)).splitlines()
    assert lines[0].split() == ["lastack", "kernel"]
    assert [line for line in lines if "!" in line] == lines[-1:]
    assert " ".join(lines[-1].split()) == "0.000900 > . 1:1(0) ack 1 win 7 ! 0.000950 > R 1:1(0) win 0"
    narrow = side_by_side(("lastack", ours), ("kernel", theirs), Style(width=70)).splitlines()
    assert max(map(len, narrow)) <= 70
    assert "TS val" in "".join(narrow)
