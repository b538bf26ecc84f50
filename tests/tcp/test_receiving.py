"""Acknowledgments and reassembly: RFC 9293 sections 3.8.6.3 and 3.10.7.4, RFC 5681 section 4.2."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lastack.tcp.states import State
from tests.tcp.harness import Exchange, established


def delaying(**more: object) -> Exchange:
    """Past the quick ACKs of the beginning."""
    return established(options="mss 1000", quick_acks=0, **more)  # type: ignore[arg-type]


def test_a_small_segment_is_acknowledged_after_the_delay():  # SHLD-18, MUST-40
    t = delaying()
    t.gets("P. 1:11(10) ack 1")
    t.after(40)
    t.sends(". 1:1(0) ack 11")
    assert t.watch.timers == ["delayed ACK"]


def test_the_delay_counts_from_the_first_segment():
    t = delaying()
    t.gets("P. 1:11(10) ack 1")
    t.after(30)
    t.gets("P. 11:21(10) ack 1")
    t.after(10)
    t.sends(". 1:1(0) ack 21")


def test_every_second_full_segment_is_acknowledged_at_once():  # SHLD-19
    t = delaying()
    t.gets(". 1:1001(1000) ack 1")
    t.silent()
    t.gets(". 1001:2001(1000) ack 1")
    t.sends(". 1:1(0) ack 2001")
    t.gets(". 2001:3001(1000) ack 1")
    t.gets(". 3001:4001(1000) ack 1")
    t.sends(". 1:1(0) ack 4001")


def test_a_batch_is_acknowledged_once():  # MUST-58, MUST-59
    t = delaying()
    t.gets(*(f". {1 + 1000 * n}:{1001 + 1000 * n}(1000) ack 1" for n in range(10)))
    t.sends(". 1:1(0) ack 10001")


def test_the_delay_is_below_half_a_second_in_every_preset():  # MUST-40
    from lastack.tcp.presets import PRESETS

    assert all(0 < preset.delayed_ack < 500_000 for preset in PRESETS.values())


def test_the_first_segments_are_acknowledged_at_once():  # so that the peer's slow start is not held up
    t = established(quick_acks=2)
    for number in range(2):
        t.gets(f"P. {1 + 10 * number}:{11 + 10 * number}(10) ack 1")
        t.sends(f". 1:1(0) ack {11 + 10 * number}")
    t.gets("P. 21:31(10) ack 1")
    t.silent()
    t.after(40)
    t.sends(". 1:1(0) ack 31")


def test_a_fin_is_acknowledged_at_once():
    t = delaying()
    t.gets("FP. 1:11(10) ack 1")
    t.sends(". 1:1(0) ack 12")


def test_text_ahead_of_a_hole_is_a_duplicate_ack_each():  # RFC 5681 4.2; MAY-13
    t = delaying()
    t.gets(". 1001:2001(1000) ack 1", ". 2001:3001(1000) ack 1", ". 3001:4001(1000) ack 1")
    t.sends(". 1:1(0) ack 1", ". 1:1(0) ack 1", ". 1:1(0) ack 1")


def test_what_fills_a_hole_is_acknowledged_at_once():  # RFC 5681 4.2: all or part of a gap
    t = delaying()
    t.gets(". 1001:2001(1000) ack 1", ". 3001:4001(1000) ack 1")
    t.sends(". 1:1(0) ack 1", ". 1:1(0) ack 1")
    t.gets(". 1:1001(1000) ack 1")
    t.sends(". 1:1(0) ack 2001")
    t.gets(". 2001:3001(1000) ack 1")
    t.sends(". 1:1(0) ack 4001")
    assert t.call.receive() == 4000


def test_text_that_comes_again_is_acknowledged_at_once():
    t = delaying()
    t.gets("P. 1:11(10) ack 1")
    t.after(40)
    t.sends(". 1:1(0) ack 11")
    t.gets("P. 1:11(10) ack 1")
    t.sends(". 1:1(0) ack 11")


def test_text_that_is_old_in_part_is_acknowledged_at_once():  # the peer has not had our ACK
    t = delaying()
    t.gets("P. 1:11(10) ack 1")
    t.after(40)
    t.sends(". 1:1(0) ack 11")
    t.gets("P. 1:21(20) ack 1")
    t.sends(". 1:1(0) ack 21")


def test_holes_have_a_limit():
    t = established(reassembly_holes=4)
    for number in range(10):
        t.gets(f"P. {101 + 20 * number}:{111 + 20 * number}(10) ack 1")
        t.sends(". 1:1(0) ack 1")
    assert t.tcb.reassembly is not None and len(t.tcb.reassembly.blocks) == 4
    assert t.tcb.counts == {"limit: reassembly holes": 6}
    t.gets("P. 1:101(100) ack 1")
    t.sends(". 1:1(0) ack 111")


def test_the_furthest_goes_when_there_are_too_many_holes():
    t = established(reassembly_holes=2)
    for first in (301, 201, 101):
        t.gets(f"P. {first}:{first + 10}(10) ack 1")
        t.sends(". 1:1(0) ack 1")
    t.gets("P. 1:101(100) ack 1")
    t.sends(". 1:1(0) ack 111")
    t.gets("P. 111:201(90) ack 1")
    t.sends(". 1:1(0) ack 211")
    t.gets("P. 211:301(90) ack 1")
    t.sends(". 1:1(0) ack 301")


def test_segments_in_reverse_order_are_one_block():  # a hole is what is missing, not how many segments came
    t = established(reassembly_holes=2)
    for first in range(1001, 1, -10):
        t.gets(f"P. {first}:{first + 10}(10) ack 1")
        t.sends(". 1:1(0) ack 1")
    assert t.tcb.counts is None
    t.gets("P. 1:11(10) ack 1")
    t.sends(". 1:1(0) ack 1011")


SIZE = 400
PIECES = st.lists(st.tuples(st.integers(0, SIZE - 1), st.integers(1, 120)), max_size=60)


@given(PIECES, st.booleans(), st.integers(0, 8), st.randoms(use_true_random=False))
def test_any_splits_and_overlaps_give_the_same_bytes(pieces, fin: bool, holes: int, random):  # SHLD-31
    """Pieces of the stream in any order and overlap, then all of it in order: what the reader gets is the stream."""
    t = established(reassembly_holes=holes or 256)
    cover = [(start, 50) for start in range(0, SIZE, 50)]
    sent = [(start, min(size, SIZE - start)) for start, size in pieces] + (cover if holes else random.sample(cover, 8))
    for start, size in sent:
        end = start + size
        t.gets(f"{'F' if fin and end == SIZE else ''}P. {1 + start}:{1 + end}({size}) ack 1")
        t.pending.clear()
        t.call.receive(size)
        t.pending.clear()
    t.call.receive()
    t.pending.clear()
    assert t.call.taken == SIZE
    assert t.tcb.rcv_nxt - t.irs & 0xFFFFFFFF == SIZE + 1 + fin
    assert t.state is (State.CLOSE_WAIT if fin else State.ESTABLISHED)
    t.log(100)


@pytest.mark.parametrize("size", [1, 2047, 2048, 5000])
def test_every_size_of_payload_is_delivered(size: int):
    t = established()
    t.gets(f"P. 1:{1 + size}({size}) ack 1")
    t.sends(f". 1:1(0) ack {1 + size}")
    assert t.call.receive() == size


def test_after_shutting_the_reading_half_the_fin_is_still_taken():
    t = established()
    t.call.leave()
    t.sends("F. 1:1(0) ack 1")
    t.gets("F. 1:1(0) ack 2")
    t.sends(". 2:2(0) ack 2")
    assert t.state is State.TIME_WAIT
