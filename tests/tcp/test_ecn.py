"""Explicit congestion notification: RFC 3168 section 6.1."""

from __future__ import annotations

from typing import Any

import pytest

from lastack.tcp import predict
from lastack.tcp.config import DEFAULT
from lastack.tcp.states import State
from tests.tcp.harness import Exchange, opening
from tests.tcp.segments import MSS, cwnd

ON: dict[str, Any] = {"ecn": "on", "congestion": "newreno"}


def asking(**more: Any) -> Exchange:
    """In SYN-SENT, having asked for ECN."""
    t = Exchange(DEFAULT.having(**{**ON, **more}))
    t.call.open()
    t.sends("[noecn] SEW 0:0(0)")
    return t


def agreed(*, passive: bool = False, options: str = f"mss {MSS}", **more: Any) -> Exchange:
    """Established, with ECN agreed on."""
    if passive:
        t = opening(passive=True, **more)
        t.gets(f"SEW 0:0(0) win 65535 <{options}>")
        t.sends("[noecn] SE. 0:0(0) ack 1")
        t.gets(". 1:1(0) ack 1")
    else:
        t = asking(**more)
        t.gets(f"SE. 0:0(0) ack 1 win 65535 <{options}>")
        t.sends("[noecn] . 1:1(0) ack 1")
    assert t.state is State.ESTABLISHED
    return t


def marked(t: Exchange) -> bool:
    """Whether what we send now bears ECT."""
    t.call.send(10)
    found = [segment.ecn for _, segment in t.pending]
    t.pending.clear()
    return found == [2]


# --- the handshake, section 6.1.1 ---


@pytest.mark.parametrize("passive", [False, True])
def test_both_sides_agree(passive: bool):  # RFC 3168 section 5, RFC 3168 6.1.1, SHLD-8
    t = agreed(passive=passive)
    t.call.send(10)
    t.sends("[ect0] P. 1:11(10) ack 1")


@pytest.mark.parametrize(
    "flags",
    [
        "S.",  # knows no ECN
        "SEW.",  # reflects what it got (section 6.1.1.2)
        "SW.",
    ],
)
def test_any_other_syn_ack_is_no_agreement(flags: str):
    t = asking()
    t.gets(f"{flags} 0:0(0) ack 1 win 65535 <mss {MSS}>")
    t.sends(". 1:1(0) ack 1")
    assert not marked(t)


@pytest.mark.parametrize("flags", ["S", "SE", "SW"])
def test_any_other_syn_is_not_answered_so(flags: str):  # section 6.1.1: otherwise it MUST NOT
    t = opening(passive=True, **ON)
    t.gets(f"{flags} 0:0(0) win 65535 <mss {MSS}>")
    t.sends("S. 0:0(0) ack 1")
    t.gets(". 1:1(0) ack 1")
    assert not marked(t)


def test_it_can_be_switched_off():
    t = opening(passive=True, ecn="off")
    t.gets(f"SEW 0:0(0) win 65535 <mss {MSS}>")
    t.sends("S. 0:0(0) ack 1")
    t.gets(". 1:1(0) ack 1")
    t.gets("[ce] P. 1:11(10) ack 1")
    t.sends(". 1:1(0) ack 11")  # a mark on a connection without ECN says nothing
    assert not marked(t)


def test_by_default_nobody_is_asked():  # Linux: tcp_ecn 2
    opening()


def test_a_syn_without_answer_is_sent_without():  # RFC 3168 6.1.1.1
    t = asking(ecn_syns=2)
    t.after(1000)
    t.sends("SEW 0:0(0)")
    t.after(2000)
    t.sends("S 0:0(0)")
    t.gets(f"SE. 0:0(0) ack 1 win 65535 <mss {MSS}>")  # in answer to the first
    t.sends(". 1:1(0) ack 1")
    assert not marked(t)  # MUST NOT: it has sent a SYN without
    t.gets("[ce] P. 1:11(10) ack 11")
    t.sends("E. 11:11(0) ack 11")  # the commitment to echo remains


def test_a_plain_syn_behind_an_asking_one():  # section 6.1.1.1, the example
    t = opening(passive=True)
    t.gets(f"SEW 0:0(0) win 65535 <mss {MSS}>")
    t.sends("SE. 0:0(0) ack 1")
    t.gets(f"S 0:0(0) win 65535 <mss {MSS}>")
    t.sends("S. 0:0(0) ack 1")
    t.gets(". 1:1(0) ack 1")
    assert not marked(t)


def test_a_syn_ack_that_goes_again_asks_again():
    t = opening(passive=True)
    t.gets(f"SEW 0:0(0) win 65535 <mss {MSS}>")
    t.sends("SE. 0:0(0) ack 1")
    t.after(1000)
    t.sends("[noecn] SE. 0:0(0) ack 1")
    t.gets(". 1:1(0) ack 1")
    assert marked(t)


@pytest.mark.parametrize(("syn", "answer", "syn_ack", "yes"), [("SEW", "SE.", "SE.", True), ("S", "S.", "S.", False)])
def test_a_simultaneous_open(syn: str, answer: str, syn_ack: str, yes: bool):  # section 6.1.1, RFC 9293 Figure 8
    t = asking()
    t.gets(f"{syn} 0:0(0) win 65535 <mss {MSS}>")
    t.sends(f"{answer} 0:0(0) ack 1")
    t.gets(f"{syn_ack} 0:0(0) ack 1 win 65535 <mss {MSS}>")
    assert (t.state, marked(t)) == (State.ESTABLISHED, yes)


def test_who_did_not_ask_does_not_agree_in_a_simultaneous_open():  # it has sent a SYN without
    t = opening()
    t.gets(f"SEW 0:0(0) win 65535 <mss {MSS}>")
    t.sends("S. 0:0(0) ack 1")
    t.gets(f"S. 0:0(0) ack 1 win 65535 <mss {MSS}>")
    assert not marked(t)


# --- the receiver, section 6.1.3 ---


def test_a_mark_is_echoed_until_cwr_comes():  # RFC 3168 6.1.3
    t = agreed()
    t.gets("[ce] P. 1:11(10) ack 1")
    t.sends("E. 1:1(0) ack 11")
    t.gets("[ect0] P. 11:21(10) ack 1")
    t.sends("E. 1:1(0) ack 21")
    t.call.send(10)
    t.sends("[ect0] PE. 1:11(10) ack 21")
    t.gets("[ect0] PW. 21:31(10) ack 11")
    t.sends(". 11:11(0) ack 31")
    t.gets("[ce] PW. 31:41(10) ack 11")  # a mark on the very packet that says CWR
    t.sends("E. 11:11(0) ack 41")


def test_any_mark_of_what_one_ack_acknowledges_counts():  # "if any of the received data packets are CE packets"
    t = agreed(quick_acks=0)
    t.gets("[ce] . 1:1001(1000) ack 1", "[ect0] P. 1001:2001(1000) ack 1")
    t.sends("E. 1:1(0) ack 2001")


def test_a_mark_outside_of_the_window_says_nothing():  # section 6.1.5: SHOULD ignore
    t = agreed()
    t.gets("P. 1:11(10) ack 1")
    t.sends(". 1:1(0) ack 11")
    t.gets("[ce] P. 1:11(10) ack 1")
    t.sends(". 1:1(0) ack 11")


def test_a_marked_probe_of_a_closed_window_is_echoed():  # section 6.1.6: SHOULD respond
    t = agreed(receive_buffer=1000, quick_acks=0)
    t.gets("P. 1:1001(1000) ack 1")
    t.after(40)
    t.sends(". 1:1(0) ack 1001 win 0")
    t.gets("[ce] . 1001:1002(1) ack 1")
    t.sends("E. 1:1(0) ack 1001 win 0")


def test_a_marked_ack_says_nothing():  # RFC 3168 6.1.4: those are sent as not-ECT
    t = agreed()
    t.gets("[ce] . 1:1(0) ack 1")
    t.call.send(1)
    t.sends("P. 1:2(1) ack 1")


# --- the sender, section 6.1.2 ---


def sending(count: int, **more: Any) -> Exchange:
    """Full segments under way, with ECT."""
    t = agreed(**more)
    t.call.send(count * MSS)
    assert all(segment.ecn == 2 for _, segment in t.pending)
    t.pending.clear()
    return t


def test_an_echo_halves_the_window_once_and_says_so():  # RFC 3168 6.1.2
    t = sending(20)
    assert cwnd(t) == 10 * MSS
    t.gets(f"E. 1:1(0) ack {1 + 2 * MSS}")
    assert (cwnd(t), t.tcb.congestion.ssthresh) == (5 * MSS, 5 * MSS)
    for acked in range(3, 6):  # the same window: no second time, and no growth
        t.gets(f"E. 1:1(0) ack {1 + acked * MSS}")
    t.silent()
    assert cwnd(t) == 5 * MSS
    t.gets(f"E. 1:1(0) ack {1 + 6 * MSS}")
    t.sends(f"[ect0] W. {1 + 10 * MSS}:{1 + 11 * MSS}({MSS}) ack 1")  # CWR on the first new text, and on it alone
    t.gets(f"E. 1:1(0) ack {1 + 7 * MSS}")
    t.sends(f"[ect0] . {1 + 11 * MSS}:{1 + 12 * MSS}({MSS}) ack 1")
    t.gets(f"E. 1:1(0) ack {1 + 11 * MSS}")  # beyond the reduction: marked anew
    assert cwnd(t) == 2 * MSS + MSS // 2
    t.sends(f"W. {1 + 12 * MSS}:{1 + 13 * MSS}({MSS}) ack 1")


def test_a_mark_may_lower_the_window_as_recovery_does():  # RFC 6937 section 3 in place of RFC 3168 6.1.2: Linux
    t = sending(10, congestion="newreno", prr_on_marks=True)
    t.call.send(20 * MSS)
    t.pending.clear()
    let_out = []
    for number in range(1, 11):
        t.gets(f"{'E' if number == 1 else ''}. 1:1(0) ack {1 + number * MSS}")
        let_out.append(len(t.pending))
        t.pending.clear()
    assert (let_out[0], max(let_out), sum(let_out), sum(let_out[5:])) == (1, 1, 5, 3)  # one for two, all the time
    assert t.tcb.congestion.ssthresh == 5 * MSS
    t.gets(f". 1:1(0) ack {1 + 11 * MSS}")  # beyond it
    assert (t.tcb.episode, t.tcb.congestion.cwnd // MSS) == (None, 5)
    t.pending.clear()


def test_a_loss_while_a_mark_lowers_the_window_is_repaired():  # RFC 3168 section 6.1.2: once a window of data
    t = sending(10, congestion="newreno", prr_on_marks=True)
    t.gets(f"E. 1:1(0) ack {1 + MSS}")
    for _ in range(3):
        t.gets(f". 1:1(0) ack {1 + MSS}")
    t.sends(f"[noecn] . {1 + MSS}:{1 + 2 * MSS}({MSS}) ack 1")
    assert t.tcb.in_recovery and t.tcb.congestion.ssthresh == 5 * MSS
    t.gets(f". 1:1(0) ack {1 + 10 * MSS}")
    assert t.tcb.congestion.cwnd == 5 * MSS


def test_an_echo_without_an_agreement_says_nothing():
    t = asking()
    t.gets(f"S. 0:0(0) ack 1 win 65535 <mss {MSS}>")
    t.sends(". 1:1(0) ack 1")
    t.call.send(10 * MSS)
    t.pending.clear()
    t.gets(f"E. 1:1(0) ack {1 + 2 * MSS}")
    assert cwnd(t) >= 10 * MSS


@pytest.mark.parametrize("options", [f"mss {MSS}", f"mss {MSS},sackOK"])
def test_a_loss_says_cwr_too_and_what_goes_again_bears_nothing(options: str):  # sections 6.1.2 and 6.1.5
    # RFC 3168 6.1.5
    t = sending(20, options=options)
    if "sack" in options:
        t.gets(f". 1:1(0) ack 1 <nop,nop,sack {1 + MSS}:{1 + 4 * MSS}>")
    else:
        t.gets(*[". 1:1(0) ack 1"] * 3)
    t.sends(f"[noecn] . 1:{1 + MSS}({MSS}) ack 1")
    t.gets(f". 1:1(0) ack {1 + 10 * MSS}")
    assert t.pending[0][1].ecn == 2
    flags = [t.line(segment).split()[1] for _, segment in t.pending]
    assert flags[0] == ".W" and set(flags[1:]) <= {".", "P."}
    t.pending.clear()


def test_a_time_out_says_cwr_too():
    t = sending(2, rto_min=200_000)
    t.after(t.tcb.rto / 1000)
    t.sends(f"[noecn] . 1:{1 + MSS}({MSS}) ack 1")
    t.gets(f". 1:1(0) ack {1 + 2 * MSS}")
    t.call.send(10)
    t.sends(f"[ect0] PW. {1 + 2 * MSS}:{11 + 2 * MSS}(10) ack 1")


def test_a_loss_in_a_window_that_was_reduced_is_the_same_congestion():  # section 6.1.2: once a window of data
    t = sending(20)
    t.gets(f"E. 1:1(0) ack {1 + MSS}")
    assert t.tcb.congestion.ssthresh == 5 * MSS
    for _ in range(3):
        t.gets(f". 1:1(0) ack {1 + MSS}")
    t.pending.clear()
    assert (t.tcb.in_recovery, t.tcb.congestion.ssthresh) == (True, 5 * MSS)


def test_an_echo_with_a_window_of_one_segment_waits_for_the_timer():  # section 6.1.2: MUST
    t = sending(4, initial_window_segments=1)
    t.gets(f"E. 1:1(0) ack {1 + MSS}")
    t.silent()
    assert cwnd(t) == MSS
    t.after(t.tcb.rto / 1000)
    assert t.watch.timers[-1] == "persist"
    t.sends(f"[ect0] .W {1 + MSS}:{1 + 2 * MSS}({MSS}) ack 1")
    t.gets(f". 1:1(0) ack {1 + 2 * MSS}")
    t.pending.clear()


def test_a_probe_of_a_closed_window_bears_neither_mark():  # RFC 3168 6.1.6: MUST NOT
    t = agreed()
    t.call.send(10)
    t.sends("[ect0] P. 1:11(10) ack 1")
    t.gets("E. 1:1(0) ack 11 win 0")
    t.call.send(10)
    t.after(t.tcb.rto / 1000)
    t.sends("[noecn] . 11:12(1) ack 1")
    t.gets(". 1:1(0) ack 11 win 1000")
    t.sends("[noecn] P. 11:21(10) ack 1")  # with the octet of the probe: sent again, section 6.1.5
    t.gets(". 1:1(0) ack 21 win 1000")
    t.call.send(10)
    t.sends("[ect0] PW. 21:31(10) ack 1")  # the first new text behind it says CWR


def test_a_fin_and_a_reset_bear_no_mark():
    t = agreed()
    t.call.close()
    t.sends("[noecn] F. 1:1(0) ack 1")
    t.call.abort()
    t.sends("[noecn] R. 2:2(0) ack 1")


def test_of_a_super_segment_the_first_cut_bears_cwr():  # section 6.1.2: only on the first
    t = agreed()
    t.tcb.unit = 65_000
    t.call.send(20 * MSS)
    t.sends(f"[ect0] . 1:{1 + 10 * MSS}({10 * MSS}) ack 1")
    t.gets(f"E. 1:1(0) ack {1 + 10 * MSS}")
    (segment,) = t.sends(f"[ect0] W. {1 + 10 * MSS}:{1 + 15 * MSS}({5 * MSS}) ack 1")
    assert segment.gso_size == MSS  # what cuts it keeps CWR on the first: tests/link/test_finishing.py


def test_the_peer_s_silence_keeps_the_reduction_but_not_for_ever():
    """2**31 bytes later an old reduction must not look like a young one."""
    t = sending(10)
    t.gets(f"E. 1:1(0) ack {1 + 2 * MSS}")
    t.gets(f". 1:1(0) ack {1 + 10 * MSS}")
    assert t.tcb.ecn is not None and t.tcb.ecn.recover is not None
    t.call.send(10)
    t.pending.clear()
    t.gets(f". 1:1(0) ack {11 + 10 * MSS}")
    assert t.tcb.ecn.recover is None


def test_header_prediction_changes_nothing_where_marks_come(monkeypatch: pytest.MonkeyPatch):
    def exchange() -> list[object]:
        t, seen = sending(30), []
        for number, mark in enumerate(("ect0", "ect0", "ce", "noecn", "ect0", "ect1", "ce")):
            first = 1 + 100 * number
            cwr, echo = "W" if number == 4 else "", "E" if number == 3 else ""
            t.gets(
                f"[{mark}] P.{cwr} {first}:{first + 100}(100) ack {1 + number * MSS}",
                f".{echo} {first + 100}:{first + 100}(0) ack {1 + (number + 1) * MSS}",
            )
            assert t.tcb.ecn is not None
            state = [getattr(t.tcb.ecn, name) for name in type(t.tcb.ecn).__slots__]
            seen += [t.line(segment) for _, segment in t.pending] + [state, cwnd(t)]
            t.pending.clear()
        return seen

    first = exchange()
    monkeypatch.setattr(predict, "predicted", lambda *given: False)
    assert exchange() == first


def test_a_syn_that_asks_late_agrees_on_nothing():  # RFC 3168 6.1.1: our SYN,ACK was plain, and so ECT is forbidden
    t = opening(passive=True, ecn="on")
    t.gets("S 0:0(0) win 65535 <mss 1460>")
    t.sends("S. 0:0(0) ack 1")
    t.gets("SEW 0:0(0) win 65535 <mss 1460>")  # it was sent before the other, and overtaken
    t.sends("S. 0:0(0) ack 1")
    t.gets(". 1:1(0) ack 1")
    t.call.send(100)
    assert [segment.ecn for segment in t.sends("P. 1:101(100) ack 1")] == [0]
