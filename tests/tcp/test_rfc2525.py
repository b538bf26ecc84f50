"""RFC 2525, "Known TCP Implementation Problems": each of its eighteen, by its name, is not ours.

At the end each problem is planted, and its test must see it.
"""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise
from typing import Any

import pytest

from lastack.tcp import arrives, calls, greeting, handshake, mss, output, predict, ranges, recovery, rtt, text, timeouts
from lastack.tcp.buffers import SendBuffer
from lastack.tcp.config import DEFAULT, NEVER
from lastack.tcp.congestion import newreno
from lastack.tcp.presets import PRESETS
from lastack.tcp.sequence import MASK
from lastack.tcp.states import State
from lastack.tcp.tcb import Tcb
from tests.tcp import harness
from tests.tcp.harness import Exchange, established, opening
from tests.tcp.segments import MSS, cwnd, full, sending

Patch = pytest.MonkeyPatch
HOUR = 3_600_000  # milliseconds


def burst(t: Exchange) -> int:
    """The bytes that have just been sent."""
    size = sum(segment.length for _, segment in t.pending)
    t.pending.clear()
    return size


def test_no_initial_slow_start():  # RFC 2525 section 2.1, RFC 6928
    t = established(options=f"mss {MSS}", congestion="newreno")
    t.call.send(60 * MSS)
    assert burst(t) == 10 * MSS
    t.gets(f". 1:1(0) ack {1 + 2 * MSS}")
    assert burst(t) == 4 * MSS


def test_no_slow_start_after_retransmission_timeout():  # RFC 2525 section 2.2
    t = sending(10, rtt=100, congestion="newreno")
    t.call.send(30 * MSS)
    t.after(t.tcb.rto / 1000)
    t.sends(*full(0))
    t.gets(f". 1:1(0) ack {1 + 10 * MSS}")
    assert burst(t) == 2 * MSS


def test_uninitialized_cwnd():  # RFC 2525 section 2.3: the SYN,ACK has no MSS option
    t = established(options="")
    t.call.send(60_000)
    assert burst(t) == 10 * 536


def test_inconsistent_retransmission():  # RFC 2525 section 2.4: the harness compares every octet with what was given
    t = sending(3, rtt=100)
    t.gets(". 1:1(0) ack 501")
    t.call.send(26)
    burst(t)
    t.after(t.tcb.rto / 1000)
    assert burst(t) > 0
    t.gets(". 1:1(0) ack 1501 win 0")
    t.log(10_000)
    t.gets(". 1:1(0) ack 1501 win 9000")
    assert burst(t) >= 1000
    t.gets(". 1:1(0) ack 2501 win 9000")
    assert burst(t) >= 525


def test_failure_to_retain_above_sequence_data():  # RFC 2525 section 2.5, SHLD-31
    t = established()
    for segment in range(1, 14):
        t.gets(f". {1 + segment * 536}:{537 + segment * 536}(536) ack 1")
        t.sends(". 1:1(0) ack 1")
    t.gets(". 1:537(536) ack 1")
    t.sends(f". 1:1(0) ack {1 + 14 * 536}")


def test_extra_additive_constant_in_congestion_avoidance():  # RFC 2525 section 2.6
    t = sending(10, congestion="newreno")
    t.tcb.congestion.ssthresh = 10 * MSS
    t.call.send(200 * MSS)
    acked, end = 1, 1 + 10 * MSS
    for window in range(10, 14):
        assert cwnd(t) == window * MSS
        for _ in range(window):
            acked += MSS
            t.gets(f". 1:1(0) ack {acked}")
            end += burst(t)


@pytest.mark.parametrize("name", PRESETS)
def test_initial_rto_too_low(name: str):  # RFC 2525 section 2.7; RFC 6298 (2.1): now one second
    t = opening(PRESETS[name])
    t.after(999)
    t.silent()
    t.gets("S. 0:0(0) ack 1 <mss 512>")  # the handshake is the first measurement
    t.sends(". 1:1(0) ack 1")
    t.call.send(512)
    t.sends("P. 1:513(512) ack 1")
    t.after(1_998)
    t.silent()


def test_failure_of_window_deflation_after_loss_recovery():  # RFC 2525 section 2.8
    t = sending(10, send_buffer=200_000, congestion="newreno", prr=False, limited_transmit=False)
    t.call.send(100 * MSS)
    for _ in range(3):
        t.gets(". 1:1(0) ack 1")
    t.sends(*full(0))
    sent = 10 * MSS
    for _ in range(7):
        t.gets(". 1:1(0) ack 1")
        sent += burst(t)
    t.gets(f". 1:1(0) ack {1 + sent}")
    assert burst(t) <= 5 * MSS  # half of the window at the loss


@pytest.mark.parametrize("name", PRESETS)
def test_excessively_short_keepalive_connection_timeout(name: str):  # RFC 2525 section 2.9: as R2, 100 s at least
    t = established(PRESETS[name], keepalive=True)
    assert len(t.log(2 * HOUR)) == 1
    assert len(t.log(100_000)) <= 2
    assert t.state is State.ESTABLISHED


def test_failure_to_back_off_retransmission_timeout():  # RFC 2525 section 2.10, RFC 6298 (5.5)
    t = sending(1, rtt=100)
    t.gets(". 1:1(0) ack 1001")
    t.call.send(100)
    burst(t)
    times = [at for at, _ in t.log(30_000)]
    waits = [later - earlier for earlier, later in pairwise(times)]
    assert len(waits) >= 4
    assert all(later == 2 * earlier for earlier, later in pairwise(waits))


@pytest.mark.parametrize("name", PRESETS)
def test_insufficient_interval_between_keepalives(name: str):  # RFC 2525 section 2.11, MUST-28
    t = established(PRESETS[name], keepalive=True)
    for _ in range(3):
        t.after(2 * HOUR - 1)
        t.silent()
        t.after(1)
        t.sends(". 0:0(0) ack 1")
        t.gets(". 1:1(0) ack 1")


def test_window_probe_deadlock():  # RFC 2525 section 2.12
    t = established(receive_buffer=4000, options="mss 2000")
    t.gets(". 1:4001(4000) ack 1")
    t.sends(". 1:1(0) ack 4001 win 0")
    t.call.receive(1)  # too little for a window update
    t.gets(". 4001:4002(1) ack 1")
    (probed,) = [segment.ack - t.irs & MASK for _, segment in t.pending]
    t.pending.clear()
    t.call.send(2000)
    burst(t)
    t.gets(f". {probed}:{probed}(0) ack 2001")
    t.log(60_000)
    assert not t.tcb.sent


@pytest.mark.parametrize("options", ["mss 1000", "mss 1012,nop,nop,TS val 7000 ecr 1000"])
def test_stretch_ack_violation(options: str):  # RFC 2525 section 2.13, SHLD-19: also with options, each alone
    t = established(options=options, quick_acks=0, delayed_ack=400_000)
    silent = 0
    for segment in range(40):
        t.gets(f". {1 + segment * 1000}:{1001 + segment * 1000}(1000) ack 1")
        silent = 0 if t.pending else silent + 1
        t.pending.clear()
        assert silent < 2 or segment < 2  # it first has to learn what a full segment is


@pytest.mark.parametrize("options", ["mss 1000", "mss 1012,nop,nop,TS val 7000 ecr 1000"])
def test_retransmission_sends_multiple_packets(options: str):  # RFC 2525 section 2.14
    t = established(options=options, rtt=100)
    t.call.send(8 * MSS)
    burst(t)
    for _ in range(3):
        t.gets(". 1:1(0) ack 1")
    assert [segment.length for _, segment in t.pending] == [MSS]
    t.pending.clear()
    t.log(t.tcb.rto / 1000 - 0.001)
    t.after(0.001)
    assert [segment.length for _, segment in t.pending] == [MSS]
    t.pending.clear()


def test_failure_to_send_fin_notification_promptly():  # RFC 2525 section 2.15
    t = established()
    t.call.send(3)
    t.sends("P. 1:4(3) ack 1")
    t.call.close()
    t.sends("F. 4:4(0) ack 1")


def test_failure_to_send_a_rst_after_half_duplex_close():  # RFC 2525 section 2.16, SHLD-3
    t = established()
    t.call.leave()
    t.sends("F. 1:1(0) ack 1")
    t.gets("P. 1:101(100) ack 2")
    t.sends("R 2:2(0)")


def test_failure_to_rst_on_close_with_data_pending():  # RFC 2525 section 2.17, SHLD-3
    t = established()
    t.gets("P. 1:101(100) ack 1")
    t.sends(". 1:1(0) ack 101")
    t.call.leave()
    t.sends("R. 1:1(0) ack 101")


@pytest.mark.parametrize("mtu", [1500, 1280, 576])
def test_options_missing_from_tcp_mss_calculation(mtu: int):  # RFC 2525 section 2.18, MUST-16, RFC 6691
    t = established(options="mss 1460,nop,nop,TS val 7000 ecr 1000", mtu=mtu)
    t.call.send(4000)
    sizes = [40 + len(segment.options) + segment.length for _, segment in t.pending]
    t.pending.clear()
    assert max(sizes) == mtu


# --- each problem planted ---


def wrap(patch: Patch, holder: Any, name: str, change: Callable[..., Any]) -> None:
    """Replace `holder.name` by `change(original, *arguments)`."""
    original = getattr(holder, name)
    patch.setattr(holder, name, lambda *args, **named: change(original, *args, **named))


def no_congestion_window(patch: Patch) -> None:
    def accept_syn(original: Any, tcb: Tcb, *rest: Any) -> None:
        original(tcb, *rest)
        tcb.congestion.cwnd = 1 << 30

    wrap(patch, handshake, "accept_syn", accept_syn)


def timeout_leaves_the_window(patch: Patch) -> None:
    def timed_out(original: Any, control: Any, *rest: Any, **named: Any) -> None:
        was = control.cwnd
        original(control, *rest, **named)
        control.cwnd = was

    wrap(patch, newreno.NewReno, "timed_out", timed_out)


def window_set_by_the_mss_option(patch: Patch) -> None:
    def accept_syn(original: Any, tcb: Tcb, segment: Any, now: int) -> None:
        original(tcb, segment, now)
        if not segment.options:
            tcb.congestion.cwnd = 1 << 30

    wrap(patch, handshake, "accept_syn", accept_syn)


def base_off_by_one(patch: Patch) -> None:
    wrap(patch, SendBuffer, "drop", lambda original, buffer, size: original(buffer, max(size - 1, 0)))


def data_ahead_thrown_away(patch: Patch) -> None:
    def ahead(tcb: Tcb, *rest: Any) -> None:
        tcb.dup_acks_owed += 1

    patch.setattr(text, "_ahead", ahead)


def an_eighth_more(patch: Patch) -> None:
    def acked(original: Any, control: Any, size: int, *rest: Any) -> None:
        original(control, size, *rest)
        control.cwnd += control.mss // 8

    wrap(patch, newreno.NewReno, "acked", acked)


def first_timeout_of_200_ms(patch: Patch) -> None:
    def timeout(original: Any, tcb: Tcb) -> int:
        return min(original(tcb), 200_000) if tcb.backoff == 0 else original(tcb)

    wrap(patch, rtt, "timeout", timeout)


def window_stays_inflated(patch: Patch) -> None:
    def grow(original: Any, tcb: Tcb, *rest: Any) -> None:
        was = tcb.congestion.cwnd
        original(tcb, *rest)
        tcb.congestion.cwnd = max(was, tcb.congestion.cwnd)

    wrap(patch, recovery, "_advanced", grow)


def probes_once_a_second(patch: Patch) -> None:
    def keepalive(original: Any, tcb: Tcb, now: int, *rest: Any) -> None:
        original(tcb, now, *rest)
        if tcb.keepalive_sent and tcb.keepalive_at != NEVER:
            tcb.keepalive_at = now + 1_000_000

    wrap(patch, timeouts, "_keepalive", keepalive)


def constant_timeout(patch: Patch) -> None:
    patch.setattr(rtt, "timeout", lambda tcb: tcb.rto)


def keepalive_after_a_minute(patch: Patch) -> None:
    def opened(original: Any, tcb: Tcb, *rest: Any) -> None:
        tcb.config = tcb.config.having(keepalive_idle=60_000_000)
        original(tcb, *rest)

    wrap(patch, arrives, "_opened", opened)
    patch.setattr(greeting, "answered", lambda *given: False)


def closed_window_takes_nothing(patch: Patch) -> None:
    def check_sequence(original: Any, tcb: Tcb, *rest: Any) -> bool:
        tcb.ack_now = tcb.ack_now or tcb.rcv_adv == tcb.rcv_nxt
        return tcb.rcv_adv != tcb.rcv_nxt and bool(original(tcb, *rest))

    wrap(patch, arrives, "check_sequence", check_sequence)
    patch.setattr(predict, "predicted", lambda *given: False)


def ack_of_every_fifth(patch: Patch) -> None:
    def acknowledge_text(original: Any, tcb: Tcb, size: int, now: int) -> None:
        tcb.rcv_mss *= 5
        original(tcb, size, now)
        tcb.rcv_mss //= 5

    wrap(patch, text, "acknowledge_text", acknowledge_text)
    patch.setattr(predict, "predicted", lambda *given: False)


def options_sent_as_data(patch: Patch) -> None:
    wrap(patch, ranges, "cut", lambda original, tcb, index, size: original(tcb, index, size + 12))


def fin_waits_for_the_ack(patch: Patch) -> None:
    def send_new(original: Any, tcb: Tcb, *rest: Any) -> None:
        if not (tcb.fin_queued and tcb.sent):
            original(tcb, *rest)

    wrap(patch, output, "_send_new", send_new)


def text_taken_that_nobody_reads(patch: Patch) -> None:
    patch.setattr(text, "abort_for_lost_data", lambda tcb, now, expected=None: None)


def unread_text_forgotten(patch: Patch) -> None:
    patch.setattr(calls, "abort_for_lost_data", lambda tcb, now: None)


def timestamps_cost_nothing(patch: Patch) -> None:
    patch.setattr(mss, "TIMESTAMP_LENGTH", 0)


TS = "mss 1012,nop,nop,TS val 7000 ecr 1000"
CAUGHT: list[tuple[Callable[[Patch], None], Callable[..., None], tuple[Any, ...]]] = [
    (no_congestion_window, test_no_initial_slow_start, ()),
    (timeout_leaves_the_window, test_no_slow_start_after_retransmission_timeout, ()),
    (window_set_by_the_mss_option, test_uninitialized_cwnd, ()),
    (base_off_by_one, test_inconsistent_retransmission, ()),
    (data_ahead_thrown_away, test_failure_to_retain_above_sequence_data, ()),
    (an_eighth_more, test_extra_additive_constant_in_congestion_avoidance, ()),
    (first_timeout_of_200_ms, test_initial_rto_too_low, (DEFAULT.name,)),
    (window_stays_inflated, test_failure_of_window_deflation_after_loss_recovery, ()),
    (probes_once_a_second, test_excessively_short_keepalive_connection_timeout, (DEFAULT.name,)),
    (constant_timeout, test_failure_to_back_off_retransmission_timeout, ()),
    (keepalive_after_a_minute, test_insufficient_interval_between_keepalives, (DEFAULT.name,)),
    (closed_window_takes_nothing, test_window_probe_deadlock, ()),
    (ack_of_every_fifth, test_stretch_ack_violation, ("mss 1000",)),
    (options_sent_as_data, test_retransmission_sends_multiple_packets, (TS,)),
    (fin_waits_for_the_ack, test_failure_to_send_fin_notification_promptly, ()),
    (text_taken_that_nobody_reads, test_failure_to_send_a_rst_after_half_duplex_close, ()),
    (unread_text_forgotten, test_failure_to_rst_on_close_with_data_pending, ()),
    (timestamps_cost_nothing, test_options_missing_from_tcp_mss_calculation, (1500,)),
]


@pytest.mark.parametrize(("plant", "test", "given"), CAUGHT, ids=[plant.__name__ for plant, *_ in CAUGHT])
def test_the_problem_planted_is_seen(
    plant: Callable[[Patch], None], test: Callable[..., None], given: tuple[Any, ...], monkeypatch: Patch
):
    plant(monkeypatch)
    with pytest.raises(AssertionError):
        test(*given)
    harness.running.clear()
