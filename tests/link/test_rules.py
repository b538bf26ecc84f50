"""Rules alone and in a row: each does what it says, from one seed always the same."""

from __future__ import annotations

from random import Random

import pytest

from lastack.link.frame import Frame
from lastack.link.pipeline import Line, Pipeline
from lastack.link.rules import Corrupt, Delay, Duplicate, Loss, Mark, Partition, Rate, Reorder, Rule
from lastack.wire.address import parse_address
from lastack.wire.datagram import build_tcp, parse
from lastack.wire.errors import WireError
from lastack.wire.packet import Packet
from lastack.wire.segment import Segment
from tests.link.packets import believed, frame, packet


def through(rule: Rule, count: int, gap: int = 0, size: int = 60) -> list[tuple[int, int]]:
    """(number, when it arrives) of `count` frames sent `gap` microseconds apart, in order of arrival."""
    entries = []
    for number in range(count):
        for at, left in rule.apply(number * gap, frame(bytes(size), number)):
            entries.append((at, len(entries), left.number))
    return [(number, at) for at, _, number in sorted(entries)]


@pytest.mark.parametrize("source", ["10.0.0.1", "fd00::1"])
def test_a_mark_is_for_those_who_know_ecn(source: str) -> None:  # RFC 3168 section 5
    rule = Mark(1.0, Random(3))
    ends = (parse_address(source), parse_address(source.replace("1", "2")))
    for before, after in ((0, 0), (1, 3), (2, 3), (3, 3)):
        segment = Segment(1, 2, 3, 4, 0x10)
        segment.ecn = before
        packet = build_tcp(*ends, segment, traffic_class=0xA8)
        ((_, frame),) = rule.apply(0, Frame(packet.joined(), packet.transport, 1, 0))
        header, found = parse(frame)  # verifies the checksums
        assert (header.traffic_class, found.ecn) == (0xA8 | after, after)
    assert rule.counters["marked"] == 3


def test_loss_loses_its_share() -> None:
    rule = Loss(0.2, Random(1))
    assert 750 < len(through(rule, 1000)) < 850
    assert rule.counters["lost"] == 1000 - len(through(Loss(0.2, Random(1)), 1000))


def test_delay_and_jitter_keep_the_order() -> None:  # as a queue does
    arrived = through(Delay(10_000, Random(1), jitter=9_000), 200, gap=100)
    assert [number for number, _ in arrived] == list(range(200))
    assert all(at - number * 100 >= 1_000 for number, at in arrived)
    assert len({at - number * 100 for number, at in arrived}) > 20


def test_jitter_may_be_told_to_reorder() -> None:
    arrived = through(Delay(10_000, Random(1), jitter=9_000, keep_order=False), 200, gap=100)
    assert [number for number, _ in arrived] != list(range(200))


def test_reordered_frames_are_overtaken_and_none_is_lost() -> None:
    arrived = [number for number, _ in through(Reorder(0.3, Random(1)), 200, gap=100)]
    assert arrived != list(range(200))
    assert sorted(arrived) == list(range(200))


def test_a_duplicate_follows() -> None:
    assert through(Duplicate(1.0, Random(1)), 2) == [(0, 0), (0, 0), (1, 0), (1, 0)]
    ((_, first), (_, second)) = through(Duplicate(1.0, Random(1), later=1_000), 1)
    assert first == 0 < second <= 1_000


@pytest.mark.parametrize("version", [4, 6])
def test_a_flipped_bit_is_always_seen_or_harmless(version: int) -> None:  # RFC 1071: one bit always changes the sum
    rule, unseen = Corrupt(1.0, Random(3)), []
    sent = frame(b"some text", version=version)
    for _ in range(2000):
        ((_, hurt),) = rule.apply(0, sent)
        assert sum((a ^ b).bit_count() for a, b in zip(sent.data, hurt.data, strict=True)) == 1
        try:
            assert bytes(hurt.data[hurt.transport :]) == bytes(sent.data[sent.transport :])
            believed(hurt)
            unseen.append(hurt.data)
        except (AssertionError, WireError):
            pass
    # IPv6 has no header checksum: traffic class, flow label and hop limit may change unseen.
    assert bool(unseen) == (version == 6)
    assert all(data[4:7] + data[8:] == bytes(sent.data[4:7]) + bytes(sent.data[8:]) for data in unseen)


def test_a_rate_spaces_frames_and_its_queue_has_a_limit() -> None:
    rule = Rate(8_000_000, limit=300)  # a byte takes a microsecond; a frame of 60 bytes of text has 100
    assert through(rule, 5) == [(0, 100), (1, 200), (2, 300)]
    assert rule.counters["queue full"] == 2
    assert rule.apply(250, frame(bytes(60)))[0][0] == 400


def test_a_rate_above_a_byte_a_microsecond_adds_up() -> None:  # 1,250,000 bytes at 12,500 a microsecond
    assert through(Rate(100_000_000_000, 2_000_000), 1000, size=1210)[-1] == (999, 100)


def test_partition_and_its_time() -> None:
    pipeline = Pipeline([Partition().during(10, 20)])
    assert [len(pipeline.enter(now, frame())) for now in (9, 10, 19, 20)] == [1, 0, 0, 1]
    assert [rule.name for _, rule in pipeline.lost] == ["partition", "partition"]


def test_a_rule_sees_a_frame_when_it_gets_there() -> None:
    # Cut while the frame is under way: it meets the cut behind the delay, and not the one before it.
    delay, cut = Delay(100, Random(1)), Partition()
    cut.on = False
    pipeline = Pipeline([delay, cut])
    ((at, rest, waiting),) = pipeline.enter(0, frame())
    cut.on = True
    assert pipeline.enter(at, waiting, rest) == []
    pipeline.remove(cut)
    assert len(pipeline.enter(at, waiting, rest)) == 1


def test_the_order_of_rules_is_the_order_in_the_row() -> None:
    twice, rate = Duplicate(1.0, Random(1)), Rate(8_000_000)
    assert [at for at, _, _ in Pipeline([twice, rate]).enter(0, frame(bytes(60)))] == [100, 200]
    entries = Pipeline([Rate(8_000_000), twice]).enter(0, frame(bytes(60)))
    assert [at for at, _, _ in entries] == [100]


def test_one_seed_is_one_run() -> None:
    def run(seed: int) -> list[tuple[int, bytes]]:
        generator = Random(seed)
        line = Line(
            Pipeline(
                [Loss(0.1, generator), Corrupt(0.1, generator), Duplicate(0.1, generator), Reorder(0.3, generator)]
            )
        )
        arrived: list[Packet] = []
        for now in range(0, 20_000, 100):
            arrived += line.push(now, packet(b"%d" % now)) + line.pop(now)
        arrived += line.pop(1 << 40)
        assert line.deadline() is None
        return [(index, bytes(one.joined())) for index, one in enumerate(arrived)]

    assert run(1) == run(1)
    assert run(1) != run(2)


def test_a_line_without_rules_leaves_the_device_its_work() -> None:
    whole = packet(bytes(5000), gso_size=1000, partial=True)
    assert Line(Pipeline()).push(0, whole) == [whole]
    assert len(Line(Pipeline([Rule("nothing")])).push(0, whole)) == 5


def test_a_line_tells_when_to_come_back() -> None:
    line = Line(Pipeline([Delay(50, Random(1))]))
    assert line.push(7, packet()) == []
    assert line.deadline() == 57
    assert line.pop(56) == []
    (arrived,) = line.pop(57)
    assert isinstance(arrived, Frame)
