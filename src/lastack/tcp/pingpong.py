"""Acknowledgments that wait for an answer: what Linux calls "pingpong" mode (`Config.pingpong`).

A user that sends soon after text has come is having a conversation: from then on ACKs wait, to ride on its next
answer, and no quick ones are spent. One that waited in vain ends that. How long they wait (ATO) follows the pace at
which text comes. RFC 9293 3.8.6.3 leaves both open (MUST-40, SHLD-18). Linux: tcp_event_data_recv, tcp_event_data_sent,
tcp_send_delayed_ack, tcp_delack_timer_handler, tcp_fin; not modelled: ACKs at a read.
"""

from __future__ import annotations

from lastack.tcp.config import MILLISECOND
from lastack.tcp.sequence import MASK
from lastack.tcp.states import State
from lastack.tcp.tcb import Pingpong, Tcb
from lastack.tcp.window import receive_window

_LONGEST = 500 * MILLISECOND
_LONGEST_IN_CONVERSATION = 200 * MILLISECOND  # TCP_DELACK_MAX
_FEWEST = 2  # quick ACKs, however small the window


def begin(tcb: Tcb, now: int) -> Pingpong:
    """The first text has come, or a SYN,ACK while the user has more to send: quick ACKs up to half of the window."""
    tcb.quick_acks = min(tcb.quick_acks, _worthwhile(tcb))
    tcb.pingpong = Pingpong(tcb.config.delayed_ack, now)
    return tcb.pingpong


def _worthwhile(tcb: Tcb) -> int:
    return max(receive_window(tcb) // (2 * max(tcb.rcv_mss, 1)), _FEWEST)


def text_arrived(tcb: Tcb, now: int) -> int:
    """How long its ACK may wait."""
    state, least = tcb.pingpong, tcb.config.delayed_ack
    if state is None:
        state = begin(tcb, now)
    else:
        pause = now - state.text_at
        if pause <= least // 2:
            state.ato = state.ato // 2 + least // 2
        elif pause < state.ato:
            state.ato = min(state.ato // 2 + pause, tcb.rto)
        elif pause > tcb.rto:  # the peer begins anew with a small window
            tcb.quick_acks = max(tcb.quick_acks, min(tcb.config.quick_acks, _worthwhile(tcb)))
        state.text_at = now
    if state.ato <= least:
        return state.ato
    most = _LONGEST_IN_CONVERSATION if state.answers else _LONGEST
    if tcb.srtt:
        most = min(most, max(tcb.srtt, least))
    return min(state.ato, most)


def text_left(tcb: Tcb, now: int) -> None:
    """Text leaves: soon after other text came it is taken for an answer."""
    state = tcb.pingpong
    if state is not None and now - state.text_at < state.ato:
        state.answers = True


def end_comes(tcb: Tcb, now: int) -> None:
    """This text is the peer's last: now it is for the user to say something (Linux, tcp_fin())."""
    if tcb.state is State.ESTABLISHED:
        (tcb.pingpong or begin(tcb, now)).answers = True


def end_came(tcb: Tcb, now: int) -> None:
    """So the ACK of a FIN in ESTABLISHED waits as that of text does, if no full segment waits with it."""
    assert tcb.pingpong is not None
    tcb.pingpong.answers = True
    if (tcb.rcv_nxt - tcb.last_ack_sent) & MASK > tcb.rcv_mss:
        tcb.ack_now = True
    tcb.delayed_ack_at = min(tcb.delayed_ack_at, now + tcb.pingpong.ato)


def waited_in_vain(tcb: Tcb) -> None:
    """An ACK that was put off leaves alone."""
    state = tcb.pingpong
    if state is None:
        return
    if state.answers:
        state.answers, state.ato = False, tcb.config.delayed_ack
    else:
        state.ato = min(2 * state.ato, tcb.rto)


def quicken(tcb: Tcb) -> None:
    """The peer has sent text again: it misses our ACKs."""
    state = tcb.pingpong
    if state is not None:
        state.answers, state.ato = False, tcb.config.delayed_ack
        tcb.quick_acks = max(tcb.quick_acks, min(tcb.config.quick_acks, _worthwhile(tcb)))
