"""Exactly this segment: predicates, drops, holds, routing loops, and a path's MTU."""

from __future__ import annotations

import pytest

from lastack.link.match import IS_ACK, IS_DATA, IS_FIN, IS_SYN, at_sequence, covers, parse_choice, ports
from lastack.link.pipeline import Pipeline
from lastack.link.targeted import Drop, Hold, Loop, Mtu
from lastack.wire import ipv4, ipv6
from lastack.wire.checksum import verify, verify_transport
from lastack.wire.segment import ACK, FIN, RST, SYN
from tests.link.packets import ADDRESSES, frame

SECOND = 1_000_000


def passed(rule: Drop, *flags: int, seq: int = 1000) -> list[bool]:
    return [bool(rule.apply(0, frame(flags=one, seq=seq))) for one in flags]


def test_kinds_of_segments() -> None:
    assert IS_SYN(frame(flags=SYN))
    assert not IS_SYN(frame(flags=SYN | ACK))
    assert IS_ACK(frame())
    assert not IS_ACK(frame(b"text"))
    assert (IS_FIN & IS_DATA)(frame(b"text", flags=FIN | ACK))
    assert (IS_FIN | IS_DATA)(frame(b"text"))
    assert (~IS_FIN)(frame(flags=RST))
    assert at_sequence(1000)(frame())
    assert covers(1003)(frame(b"text"))
    assert not covers(1004)(frame(b"text"))
    assert ports(40000)(frame())
    assert not ports(None, 81)(frame())


def test_what_is_no_segment_matches_no_kind_of_one() -> None:
    garbage = frame().hurt_to(b"\x45" + bytes(10))
    assert not any(match(garbage) for match in (IS_SYN, IS_ACK, IS_DATA))
    assert parse_choice("every packet")[0](garbage)


def test_the_third_syn() -> None:
    assert passed(Drop.parse("3rd SYN"), SYN, FIN, SYN, SYN, SYN) == [True, True, True, False, True]


def test_every_fin_once_lets_the_retransmission_pass() -> None:
    rule = Drop.parse("every FIN once")
    assert passed(rule, FIN, FIN, seq=1) == [False, True]
    assert passed(rule, FIN, FIN, seq=2) == [False, True]
    assert rule.counters["lost"] == 2


@pytest.mark.parametrize(
    ("text", "numbers", "once"),
    [
        ("every RST", None, False),
        ("all SYN,ACK once", None, True),
        ("1,3 FIN", {1, 3}, False),
        ("2nd-4th data", {2, 3, 4}, False),
        ("1st,11th-13th,21st,22nd,23rd,24th,112th data", {1, 11, 12, 13, 21, 22, 23, 24, 112}, False),
    ],
)
def test_choices_read(text: str, numbers: set[int] | None, once: bool) -> None:
    assert parse_choice(text)[1:] == (numbers, once)


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("", "write for example"),
        ("3rd", "write for example"),
        ("3rd PUSH", "unknown kind of segment 'PUSH'"),
        ("third SYN", "'third' in 'third SYN' is not a number"),
        ("0th SYN", "counted from 1, write 1st"),
        ("0 SYN", "counted from 1, write 1st"),
        ("-1st SYN", "'-1st' in '-1st SYN' is not a number: write 3rd"),
        ("2rd SYN", "2rd in '2rd SYN' is no number: write 2nd"),
        ("1th SYN", "write 1st"),
        ("11st SYN", "write 11th"),
        ("1st,112nd SYN", "write 112th"),
        ("1st-3th SYN", "3th in '1st-3th SYN' is no number: write 3rd"),
        ("4-2 SYN", "no range"),
        ("3rd SYN once", "'once' goes with 'every'"),
    ],
)
def test_choices_that_cannot_be_read_say_why(text: str, problem: str) -> None:
    with pytest.raises(ValueError, match=problem):
        parse_choice(text)


def test_what_is_held_goes_on_when_released_to_the_rules_behind() -> None:
    hold, cut = Hold(IS_DATA, {1}), Drop(IS_ACK)
    pipeline = Pipeline([hold, cut])
    assert pipeline.enter(0, frame(b"old", 1)) == []
    assert not pipeline.lost
    assert len(pipeline.enter(0, frame(b"new", 2))) == 1
    ((at, rest, released),) = pipeline.release(9 * SECOND, hold)
    assert (at, rest, released.number) == (9 * SECOND, (), 1)
    assert pipeline.release(9 * SECOND, hold) == []


def test_a_held_copy_is_a_duplicate() -> None:
    hold = Hold(copy=True)
    assert len(hold.apply(0, frame())) == 1
    assert len(hold.release(5)) == 1


def test_what_is_too_much_to_hold_is_lost() -> None:
    hold = Hold(limit=1)
    pipeline = Pipeline([hold])
    assert [pipeline.enter(0, frame()) for _ in range(3)] == [[], [], []]
    assert len(hold.held) == 1
    assert len(pipeline.lost) == 2


@pytest.mark.parametrize("version", [4, 6])
def test_a_wanderer_comes_back_with_fewer_hops(version: int) -> None:
    loop = Loop(cycle=SECOND, hops=2)
    loop.apply(0, frame(version=version))
    (freed,) = loop.release(10 * SECOND)
    assert freed.hop_limit == 64 - 20
    if version == 4:
        ipv4.parse(freed.data)  # which verifies the header checksum


def test_a_wanderer_dies_by_its_hop_count() -> None:  # RFC 791 section 3.2
    loop = Loop(cycle=SECOND, hops=2)
    pipeline = Pipeline([loop])
    pipeline.enter(0, frame())
    assert loop.dies_at(0, frame()) == 32 * SECOND
    assert loop.alive(32 * SECOND - 1) == 1
    assert pipeline.release(32 * SECOND, loop) == []
    assert loop.counters["died"] == 1
    assert pipeline.lost[0][1] is loop


def test_too_big_for_ipv4_is_told_with_the_mtu() -> None:  # RFC 1191 section 4
    pipeline = Pipeline([Mtu(576)])
    sent = frame(bytes(1000))
    assert pipeline.enter(0, sent) == []
    (answer,) = pipeline.replies
    header = ipv4.parse(answer.data)
    message = bytes(answer.data[header.start :])
    assert (header.source, header.destination) == ADDRESSES[4][::-1]
    assert header.protocol == 1
    assert message[:2] == b"\x03\x04"
    assert int.from_bytes(message[6:8], "big") == 576
    assert verify(message)
    assert bytes(sent.data).startswith(message[8:])
    assert len(message) >= 8 + 28  # RFC 792: the header and 64 bits at least


def test_too_big_for_ipv6_is_told_with_the_mtu() -> None:  # RFC 4443 section 3.2
    rule = Mtu(1280, router=bytes(15) + b"\7")
    sent = frame(bytes(1400), version=6)
    rule.apply(0, sent)
    (answer,) = rule.replies
    header = ipv6.parse(answer.data)
    message = bytes(answer.data[header.start :])
    assert (header.source, header.destination) == (bytes(15) + b"\7", ADDRESSES[6][0])
    assert (message[0], message[1], int.from_bytes(message[4:8], "big")) == (2, 0, 1280)
    assert verify_transport(header.source, header.destination, 58, message)
    assert bytes(sent.data).startswith(message[8:])
    assert len(answer.data) <= 1280


def test_a_black_hole_tells_nothing() -> None:
    rule = Mtu(576, tells=False)
    assert rule.apply(0, frame(bytes(1000))) == []
    assert rule.replies == []
    assert len(rule.apply(0, frame(bytes(500)))) == 1


def test_a_packet_that_may_be_fragmented_gets_no_answer() -> None:
    rule = Mtu(576)
    assert rule.apply(0, frame(bytes(1000), dont_fragment=False)) == []
    assert rule.replies == []
    assert rule.counters["needs fragmentation"] == 1
