"""How much SEND takes by Linux's count: units begun while there is room (`Config.send_units`)."""

from __future__ import annotations

import pytest

from lastack.tcp import calls, units
from tests.tcp.harness import Exchange, established, opening


def sender(size: int, **more: int) -> Exchange:
    """Segments of 1000, a window of ten of them, and a peer that offers 32,896: units of 16,000."""
    t = established(
        options="mss 1000", send_units=True, send_buffer=size, autotuning=False, congestion="newreno", **more
    )
    t.tcb.snd_wnd = t.tcb.max_snd_wnd = 32_896
    return t


@pytest.mark.parametrize(
    ("size", "low_water", "taken"),
    [
        (50_000, 0, 58_000),  # ten segments that leave, and three units of 16,000: the third begins below 50,000
        (50_000, 32_000, 42_000),  # two units are 32,000 that wait
        (50_000, 4_000, 26_000),
        (8_000, 0, 16_000),
        (1, 0, 16_000),
    ],
)
def test_a_unit_that_is_begun_is_taken_whole(size: int, low_water: int, taken: int):
    t = sender(size, notsent_low_water=low_water)
    assert units.unit(t.tcb) == 16_000
    assert calls.send_room(t.tcb) == taken


def test_what_is_acknowledged_makes_room_again():
    t = sender(50_000)
    assert t.call.send(200_000) == 58_000
    t.pending.clear()
    assert calls.send_room(t.tcb) == 0
    t.gets(". 1:1(0) ack 10001 win 32896")
    t.pending.clear()
    assert calls.send_room(t.tcb) == 0  # 48,000 and the headers of three units


def test_before_the_handshake_the_size_is_that_of_text():
    t = opening(send_units=True, send_buffer=5000, autotuning=False)
    assert calls.send_room(t.tcb) == 5000


def test_the_buffer_grows_with_the_congestion_window():
    t = sender(1 << 20)
    assert units.grown(t.tcb) == 2 * 10 * 2304
    t.tcb.congestion.cwnd = 36_000
    assert units.grown(t.tcb) == 2 * 36 * 2304
