"""The buffers against the simplest model of each, a bytes object; their copies share nothing that changes."""

from __future__ import annotations

import tracemalloc
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lastack.tcp.buffers import ReceiveBuffer, SendBuffer
from lastack.tcp.reassembly import Reassembly, trim_back, trim_front
from lastack.tcp.sequence import MASK
from lastack.wire.packet import Buffer
from tests.tcp.harness import text

SIZES = st.one_of(st.integers(0, 20), st.sampled_from([1, 2047, 2048, 4095, 4096, 5000, 70_000, 100_000]))
STEPS = st.lists(st.tuples(st.sampled_from(["add", "take", "look", "copy", "clear"]), SIZES, SIZES), max_size=120)


@given(STEPS)
def test_a_send_buffer_is_a_queue_of_bytes(steps: list[tuple[str, int, int]]):
    buffer, model, at = SendBuffer(), b"", 0
    for what, size, place in steps:
        if what == "add":
            data = text(at, size)
            buffer.append([bytes, bytearray, memoryview][place % 3](data))
            model, at = model + data, at + size
        elif what == "take":
            buffer.drop(min(size, len(model)))
            model = model[min(size, len(model)) :]
        elif what == "look":
            position = min(place, len(model))
            size = min(size, len(model) - position)
            assert b"".join(buffer.view(position, size)) == model[position : position + size]
        elif what == "copy":
            old, buffer = buffer, buffer.copy()
            old.append(b"x" * size)
            old.drop(min(size, old.length))
        elif place == 0:
            buffer.clear()
            model = b""
        assert buffer.length == len(model)
        assert b"".join(buffer.whole()) == model
    assert b"".join(buffer.view(0, len(model))) == model


def test_views_stay_valid_when_more_is_written_and_what_is_acknowledged_is_dropped():
    buffer = SendBuffer()
    buffer.append(b"abc")
    views = buffer.view(0, 3)
    buffer.append(b"def")
    buffer.drop(6)
    assert b"".join(views) == b"abc"


def test_much_is_acknowledged_at_once():
    buffer = SendBuffer()
    for at in range(0, 300_000, 30_000):
        buffer.append(text(at, 30_000))
    buffer.drop(110_000)
    assert b"".join(buffer.view(0, 190_000)) == text(110_000, 190_000)


def test_small_writes_are_gathered():
    buffer = SendBuffer()
    for _ in range(4000):
        buffer.append(b"x")
    assert len(buffer.view(0, 4000)) == 1


@pytest.mark.parametrize("kind", [bytearray, lambda data: memoryview(bytearray(data))])
@pytest.mark.parametrize("size", [3, 5000])
def test_what_the_user_writes_over_does_not_change_what_is_sent(kind: Callable[[bytes], Any], size: int):
    buffer, data = SendBuffer(), kind(text(0, size))
    buffer.append(data)
    data[:] = bytes(size)
    assert b"".join(buffer.view(0, size)) == text(0, size)


@pytest.mark.parametrize("kind", [bytes, memoryview, lambda data: memoryview(data)[:4096]])
def test_bytes_and_views_of_them_are_sent_without_a_copy(kind: Callable[[bytes], Any]):
    buffer, data = SendBuffer(), text(0, 5000)
    buffer.append(kind(data))
    (view,) = buffer.view(0, 4096)
    assert view.obj is data


@given(STEPS)
def test_a_receive_buffer_is_a_queue_of_bytes(steps: list[tuple[str, int, int]]):
    buffer, model, at = ReceiveBuffer(), b"", 0
    for what, size, place in steps:
        if what == "add":
            data = text(at, size)
            cut = min(place, size)
            buffer.append((memoryview(data)[:cut], data[cut:]))
            model, at = model + data, at + size
        elif what == "take":
            taken = buffer.read(size) if place % 2 else b"".join(buffer.take(size))
            assert taken == model[:size]
            model = model[size:]
        elif what == "look":
            assert buffer.peek(size) == model[:size]
        elif what == "copy":
            old, buffer = buffer, buffer.copy()
            old.append((b"x" * size,))
            old.read(place)
        elif place == 0:
            buffer.clear()
            model = b""
        assert buffer.length == len(model)
    assert buffer.read(1 << 30) == model


def test_small_payloads_do_not_pin_their_packets():
    buffer = ReceiveBuffer()
    packet = memoryview(bytearray(65_000))
    buffer.append((packet[100:200],))
    packet[100:200] = b"x" * 100
    assert buffer.read(100) == bytes(100)


def pinned(buffer: ReceiveBuffer) -> int:
    return sum({id(whole): len(whole) for whole in map(owner, buffer._chunks)}.values())


def owner(view: Buffer) -> bytes:
    whole = view.obj if isinstance(view, memoryview) else view
    assert isinstance(whole, bytes)
    return whole


@given(st.lists(st.tuples(st.integers(0, 65_000), st.integers(1, 65_000), st.integers(0, 60_000)), max_size=20))
def test_received_text_keeps_no_more_memory_than_a_few_times_its_size(pieces: list[tuple[int, int, int]]):
    # A window counts the text alone: the end of a super-segment whose beginning was there must not keep it whole.
    buffer = ReceiveBuffer()
    for first, size, read in pieces:
        buffer.append((memoryview(bytes(65_545))[first : first + size],))
        buffer.take(read)
        assert pinned(buffer) <= 4 * buffer.length


def test_what_is_read_is_copied_at_most_once():
    buffer, packet = ReceiveBuffer(), bytes(60_010)
    buffer.append((memoryview(packet)[10:],))
    buffer.append((memoryview(packet)[10:],))
    first, second = buffer.take(90_000)
    assert owner(first) is owner(second) is packet
    assert (len(first), len(second), buffer.length) == (50_000 + 10_000, 30_000, 30_000)
    buffer.clear()
    buffer.append((b"x",))
    (small,) = buffer._chunks
    assert buffer.read(10) is small


def test_what_was_read_does_not_change_when_more_comes():
    buffer = ReceiveBuffer()
    buffer.append((b"abc",))
    whole = buffer.take(3)
    buffer.append((b"defghi",))
    part = buffer.take(2)
    buffer.append((b"jkl",))
    assert (b"".join(whole), b"".join(part), buffer.read(10)) == (b"abc", b"de", b"fghijkl")


def test_what_waits_for_a_hole_keeps_no_large_packet_whole():  # RFC 9293 SHLD-31
    held, packet = Reassembly(), bytes(65_545)
    held.insert(100, (memoryview(packet)[:3000],), 3000, 10)
    assert all(owner(view) is not packet for view in held.blocks[0].views if not isinstance(view, bytearray))


# --- reassembly ---

START = MASK - 150  # numbers wrap in the middle
BLOCKS = st.lists(st.tuples(st.integers(0, 300), st.integers(1, 80)), max_size=40)


@given(BLOCKS, st.integers(0, 400), st.integers(1, 30))
def test_reassembly_keeps_each_byte_once_and_in_order(pieces: list[tuple[int, int]], taken_to: int, cut: int):
    held, model = Reassembly(), {}
    for first, size in pieces:
        data = text(first, size)
        payload = tuple(memoryview(data)[at : at + cut] for at in range(0, size, cut))
        assert held.insert((START + first) & MASK, payload, size, 10_000)
        model.update({first + index: octet for index, octet in enumerate(data)})
        assert held.length == len(model)
        edges = [(edge - START) & MASK for block in held.blocks for edge in (block.first, block.end)]
        assert edges == sorted(set(edges))  # no two blocks touch
        assert all(sum(map(len, block.views)) == (block.end - block.first) & MASK for block in held.blocks)
    views, size = held.copy().take((START + taken_to) & MASK)
    run = 0
    while taken_to + run in model:
        run += 1
    assert (size, b"".join(views)) == (run, text(taken_to, run))


@given(BLOCKS, st.integers(1, 6))
def test_a_limit_of_holes_holds_and_what_is_held_is_right(pieces: list[tuple[int, int]], holes: int):
    held = Reassembly()
    for first, size in pieces:
        held.insert((START + first) & MASK, (text(first, size),), size, holes)
        assert len(held.blocks) <= holes
    for block in held.blocks:
        assert b"".join(block.views) == text((block.first - START) & MASK, (block.end - block.first) & MASK)


@pytest.mark.parametrize("step", [1, -1])
def test_tiny_segments_behind_a_hole_take_little_more_than_their_bytes(step: int):  # RFC 9293 section 3.10.7.4, SHLD-31
    held, count = Reassembly(), 5_000
    tracemalloc.start()
    before = tracemalloc.get_traced_memory()[0]
    for at in range(count)[::step]:
        packet = memoryview(bytes(40) + text(at, 1))
        assert held.insert((START + at) & MASK, (packet[40:],), 1, 256)
    used = tracemalloc.get_traced_memory()[0] - before
    tracemalloc.stop()
    assert used / count < 3
    views, size = held.take(START)
    assert (size, b"".join(views)) == (count, text(0, count))


def test_a_copy_of_a_reassembly_goes_its_own_way():
    held = Reassembly()
    held.insert(10, (b"abc",), 3, 9)
    held.fin = 13
    other = held.copy()
    held.clear()
    assert (other.length, other.fin, other.take(10)) == (3, 13, ((b"abc",), 3))


@given(st.lists(st.binary(max_size=9), max_size=6), st.integers(0, 60))
def test_trimming_views(parts: list[bytes], size: int):
    whole, payload = b"".join(parts), tuple(parts)
    assert b"".join(trim_front(payload, size)) == whole[size:]
    assert b"".join(trim_back(payload, size)) == whole[:size]
