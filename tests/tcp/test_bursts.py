"""PSH at the end of each burst, as Linux sets it."""

from __future__ import annotations

from lastack.tcp import bursts
from lastack.tcp.config import DEFAULT
from tests.tcp.harness import established

CONFIG = DEFAULT.having(push_bursts=True)


def burst(count: int, every: int = 2) -> list[str]:
    """So many segments of 1000 bytes, with PSH on every second."""
    at = [1 + 1000 * number for number in range(count)]
    return [f"{'P.' if n % every == every - 1 else '.'} {seq}:{seq + 1000}(1000) ack 1" for n, seq in enumerate(at)]


def test_each_burst_ends_with_psh():  # RFC 9293 3.7.4 MUST-61 says when at the latest
    """Over a path of 100 ms a burst is two segments, and one that is left over alone is none."""
    t = established(CONFIG, options="mss 1000", rtt=100)
    t.call.send(11_000)
    t.sends(*burst(10))
    t.gets(". 1:1(0) ack 1001")
    t.sends("P. 10001:11001(1000) ack 1")  # the end of what SEND gave


def test_what_is_left_over_of_bursts_bears_none():
    t = established(CONFIG, options="mss 1000,sackOK", rtt=100)
    t.call.send(20_000)
    t.sends(*burst(10))
    t.after(100)
    t.gets(". 1:1(0) ack 1 <sack 1001:2001>")
    t.sends(". 10001:11001(1000) ack 1")  # limited transmit: one segment is no burst


def test_without_it_psh_stands_at_the_end_alone():
    t = established(DEFAULT, options="mss 1000", rtt=100)
    t.call.send(4000)
    t.sends(*burst(4, every=4))


def test_the_length_of_a_burst_follows_the_rate():
    t = established(CONFIG, options="mss 1000", rtt=100)
    assert bursts.length(t.tcb, 1000) == 2  # 10 segments in 100 ms are a fifth of one in a millisecond
    t.tcb.congestion.cwnd = 1_000_000
    assert bursts.length(t.tcb, 1000) == 19  # 2 * 1,000,000 in 100 ms: 19,531 in 1/1024 s
    near = established(CONFIG, options="mss 1000", rtt=1, initial_window_segments=120)
    assert bursts.length(near.tcb, 1000) == 60  # as the path is short, half of 65,536 more; half of the window
    t.tcb.congestion.cwnd = 1_000_000
    t.tcb.srtt = 0
    assert bursts.length(t.tcb, 1000) == 65  # not known yet: what a device takes
    t.tcb.congestion.cwnd = 10_000
    assert bursts.length(t.tcb, 1000) == 5


def test_a_burst_is_no_more_than_half_of_the_window():  # Linux tcp_cwnd_test
    t = established(CONFIG.having(least_burst=10), options="mss 1000", rtt=100)
    t.call.send(10_000)
    t.sends(*burst(10, every=5))


def test_what_goes_again_leaves_in_its_bursts():
    """As Linux keeps them: what is left of a burst bears PSH if it is more than one segment."""
    t = established(CONFIG, options="mss 1000,sackOK,nop,nop", rtt=100)
    t.call.send(10_000)
    t.sends(*burst(10))
    t.after(100)
    t.gets(". 1:1(0) ack 1001 <nop,nop,sack 5001:10001>")
    t.sends(". 1001:2001(1000) ack 1", ". 2001:3001(1000) ack 1", "P. 3001:4001(1000) ack 1", ". 4001:5001(1000) ack 1")
