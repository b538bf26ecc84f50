"""How much SEND takes by Linux's count: units begun while there is room (`Config.send_units`)."""

from __future__ import annotations

import pytest

from lastack.tcp import calls, units
from lastack.tcp.autotune import grow_send
from tests.tcp.harness import Exchange, established, opening


def sender(size: int, **more: int | bool) -> Exchange:
    """Segments of 1000, a window of ten of them, and a peer that offers 32,896: units of 16,000."""
    settings = {"autotuning": False, "congestion": "newreno", "sack": False, "slow_start_limit": 0, **more}
    t = established(options="mss 1000", send_units=True, send_buffer=size, **settings)
    t.tcb.snd_wnd = t.tcb.max_snd_wnd = 32_896
    return t


@pytest.mark.parametrize(
    ("size", "low_water", "taken"),
    [
        (50_000, 0, 58_000),  # ten segments that leave, and three units of 16,000: the third begins below 50,000
        (50_000, 32_000, 42_000),  # two units are 32,000 that wait
        (50_000, 4_000, 26_000),
        (18_500, 0, 26_000),  # what the first leaves behind is filled up to a unit, whatever that comes to
        (1, 0, 26_000),
    ],
)
@pytest.mark.parametrize("of_host", [False, True])
def test_a_unit_that_is_begun_is_taken_whole(size: int, low_water: int, taken: int, of_host: bool):
    t = sender(size, **{"notsent_low_water_default" if of_host else "notsent_low_water": low_water})
    assert units.unit(t.tcb) == 16_000
    assert t.call.send(59_000) == taken
    t.pending.clear()


def test_what_is_acknowledged_makes_room_again():
    t = sender(50_000)
    assert t.call.send(200_000) == 58_000
    t.pending.clear()
    t.gets(". 1:1(0) ack 10001 win 32896")
    t.pending.clear()
    assert not calls.has_room(t.tcb) and t.call.send(1) == 0  # 48,000 and the headers of four units
    t.gets(". 1:1(0) ack 30001 win 32896")
    t.pending.clear()
    assert calls.has_room(t.tcb)


def test_no_segment_bears_text_of_two_units():
    t = sender(50_000, mss=0)
    t.tcb.max_snd_wnd = 3_000  # units of 1000: half of that, in whole segments
    t.call.send(1_500)
    t.sends(". 1:1001(1000) ack 1", "P. 1001:1501(500) ack 1")
    t.call.send(200)  # something small is outstanding, so this waits, in the unit that it shares with what comes
    t.call.send(900)
    t.sends(". 1501:2501(1000) ack 1")
    t.gets(". 1:1(0) ack 2501 win 32896")
    t.sends("P. 2501:2601(100) ack 1")


def test_many_small_units_fill_the_buffer():
    t = sender(10_000, nagle=False, initial_window_segments=100)
    for at in range(1, 9):
        t.call.send(1)
        t.sends(f"P. {at}:{at + 1}(1) ack 1")
    assert units.held(t.tcb) == 8 * (1 + units.OVERHEAD) and t.call.send(1) == 0


def test_before_the_handshake_a_unit_is_as_large_as_can_be():
    t = opening(send_units=True, send_buffer=5000, autotuning=False)
    assert t.call.send(100_000) == units.UNIT - units.UNIT % 536


def test_the_buffer_grows_with_the_congestion_window_for_who_waits():
    t = sender(1 << 20, autotuning=True, send_buffer_initial=16_384)
    assert t.call.send(1 << 20) == 58_000 - 16_000 + 16_000
    t.pending.clear()
    assert t.tcb.snd_buf == 2 * 10 * 2304
    t.tcb.congestion.cwnd = 36_000
    calls.notice_room(t.tcb, t.now)
    assert t.tcb.snd_buf == 2 * 36 * 2304
    grow_send(t.tcb, units.at_first(t.tcb), t.now)
    assert t.tcb.snd_buf == 2 * 36 * 2304  # it never shrinks
