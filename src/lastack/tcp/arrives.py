"""SEGMENT ARRIVES: RFC 9293 section 3.10.7, under its own headings and in its own order.

Read it with the RFC in the other hand. Section 3.10.7.1 (CLOSED) and the part of 3.10.7.2 that a listener does stand
in `lastack.host`: there is no TCB to look at. The sixth to eighth step are in `lastack.tcp.text`.
"""

from __future__ import annotations

from errno import ECONNREFUSED, ECONNRESET, EPIPE

from lastack.tcp import (
    autotune,
    ecn,
    fast_open,
    greeting,
    handshake,
    parting,
    pingpong,
    ranges,
    recovery,
    sack,
    time_wait,
)
from lastack.tcp.calls import deferred_close, ended
from lastack.tcp.challenge import acknowledge_unacceptable, challenge
from lastack.tcp.predict import as_predicted
from lastack.tcp.segments import reset
from lastack.tcp.sending import unsent
from lastack.tcp.sequence import HALF, MASK, ge, gt, le, lt
from lastack.tcp.states import Event, State, move
from lastack.tcp.tcb import OPENED, WRITABLE, Reason, Tcb
from lastack.tcp.text import check_fin, check_urg, process_text
from lastack.tcp.window import opened_meanwhile, receive_window, space
from lastack.wire.segment import ACK, RST, SYN, Segment, segment_length

SYN_SENT = State.SYN_SENT
SYN_RCVD = State.SYN_RCVD
CLOSED = State.CLOSED
LISTEN = State.LISTEN
ESTABLISHED = State.ESTABLISHED
FIN_WAIT_1 = State.FIN_WAIT_1
LAST_ACK = State.LAST_ACK
TIME_WAIT = State.TIME_WAIT


def segment_arrives(tcb: Tcb, segment: Segment, now: int) -> None:
    """One segment for this connection. What it makes us send, `output.transmit` will decide."""
    state = tcb.state
    if state is ESTABLISHED:
        if as_predicted(tcb, segment, now):
            return
    elif (state is LAST_ACK and parting.over(tcb, segment, now)) or (
        state is FIN_WAIT_1 and parting.both_over(tcb, segment, now)
    ):
        return
    tcb.statistics.arrived(segment, now)
    if state is SYN_RCVD:
        if not greeting.completed(tcb, segment, now):
            in_other_states(tcb, segment, now)
    elif state is SYN_SENT:
        if not greeting.answered(tcb, segment, now):
            in_syn_sent(tcb, segment, now)
    elif state is LISTEN or state is CLOSED:
        in_listen(tcb, segment, now)
    elif state is TIME_WAIT:
        _in_time_wait(tcb, segment, now)
    elif not parting.heard(tcb, segment, now):
        in_other_states(tcb, segment, now)


def reset_for(segment: Segment) -> Segment:
    """The RST that answers a segment which belongs to nothing (section 3.10.7.1)."""
    reset = Segment(segment.destination_port, segment.source_port, flags=RST)
    if segment.flags & ACK:
        reset.seq = segment.ack
    else:
        reset.ack = (segment.seq + segment_length(segment)) & MASK
        reset.flags = RST | ACK
    return reset


def in_listen(tcb: Tcb, segment: Segment, now: int) -> None:
    """3.10.7.2, LISTEN: for a TCB that a SYN was found to be for (the host's listener has looked at RST and ACK).

    Text on the SYN is not kept; the peer sends it again (RFC 9293 3.4 lets a receiver acknowledge the SYN alone), but
    where its cookie has made this a fast open.
    """
    if greeting.begun(tcb, segment, now) or segment.flags & RST:
        return
    if segment.flags & ACK:
        tcb.replies.append(reset_for(segment))
        return
    if segment.flags & SYN:
        handshake.accept_syn(tcb, segment, now)
        tcb.received_at = now
        move(tcb, Event.RCV_SYN, now)
        if tcb.fast_open is not None and tcb.fast_open.opened:
            _open_fast(tcb, segment, now)


def _open_fast(tcb: Tcb, syn: Segment, now: int) -> None:
    """The text of the SYN is the user's before the handshake is over (RFC 7413 4.2.2, server step 4)."""
    assert tcb.fast_open is not None
    autotune.make_room(tcb, syn.length, now)
    tcb.rcv_adv = (tcb.rcv_nxt + min(space(tcb), 0xFFFF)) & MASK
    syn.seq = (syn.seq + 1) & MASK
    check_urg(tcb, syn)
    process_text(tcb, syn, now)
    tcb.pingpong = None  # what the user sends now is no sign of a conversation yet
    tcb.fast_open.done = tcb.receive_buffer.length > 0
    check_fin(tcb, syn, now)
    _is_open(tcb, now)


def in_listen_cookie(tcb: Tcb, syn: Segment, segment: Segment, now: int) -> None:
    """The ACK of a SYN cookie (RFC 4987 section 3.6), and the SYN as it tells it: the handshake was without a TCB."""
    handshake.cookie_returned(tcb, syn, now)
    move(tcb, Event.RCV_ACK_OF_COOKIE, now)
    _is_open(tcb, now)
    in_other_states(tcb, segment, now)


def in_syn_sent(tcb: Tcb, segment: Segment, now: int) -> None:
    """3.10.7.3, SYN-SENT (MUST-10)."""
    flags = segment.flags
    acceptable = False
    if flags & ACK:
        acceptable = gt(segment.ack, tcb.snd_una) and le(segment.ack, tcb.snd_nxt)
        if not acceptable and tcb.config.syn_again_after and not tcb.retransmissions:
            tcb.retransmission_at = min(tcb.retransmission_at, now + tcb.config.syn_again_after)
        acceptable = acceptable and handshake.echoes_ours(tcb, segment, now)
        if not acceptable:
            if not flags & RST:
                tcb.replies.append(reset_for(segment))
            return
    if flags & RST:
        # A blind RST has no acceptable ACK; there is no RCV.NXT yet that RFC 5961 could compare with.
        if acceptable:
            ended(tcb, Event.RCV_RST, now, Reason.REFUSED, ECONNREFUSED)
        return
    if not flags & SYN:
        return
    handshake.accept_syn(tcb, segment, now)
    tcb.received_at = now
    if acceptable:
        _opened(tcb, segment, Event.RCV_SYN_ACK, now)
        tcb.statistics.delivered = 1  # our SYN, with its text if it had any (RFC 7413)
        tcb.ack_now = True
        if tcb.config.pingpong and unsent(tcb):
            pingpong.begin(tcb, now)
        check_urg(tcb, segment)
        segment.seq = (segment.seq + 1) & MASK
        process_text(tcb, segment, now)
        check_fin(tcb, segment, now)
        deferred_close(tcb, now)
    else:
        move(tcb, Event.RCV_SYN, now)  # simultaneous open: our SYN goes again, as SYN,ACK
        tcb.ack_now = True  # also if the peer's SYN,ACK comes before ours leaves
        if tcb.sent:
            ranges.mark_lost(tcb, tcb.sent[0])
            tcb.sent[0].transmissions -= 1  # the same octet in answer, not a retransmission that Karn would mind


def _opened(tcb: Tcb, segment: Segment, event: Event, now: int) -> None:
    """Our SYN is acknowledged."""
    late = tcb.retransmissions > 0
    # Text that left before it (RFC 7413) is a matter of `process_ack`.
    ack = handshake.text_start(tcb) if fast_open.opened(tcb) else segment.ack
    recovery.advance_una(tcb, ack, now, segment.ts_ecr if tcb.ts_on else None)
    fast_open.answered(tcb, segment, late)
    move(tcb, event, now)
    if late:
        tcb.rto = max(tcb.rto, tcb.config.rto_after_syn_loss)  # RFC 6298 (5.7)
        tcb.backoff = 0
        if not fast_open.opened(tcb):
            tcb.episode = None  # it was about our SYN, and is over
    _is_open(tcb, now)


def _is_open(tcb: Tcb, now: int) -> None:
    tcb.statistics.text_at = tcb.statistics.text_at or now  # from here Linux counts the time without text
    if tcb.config.keeps_alive:
        tcb.keepalive_at = now + tcb.config.keepalive_idle
    tcb.signals |= OPENED | WRITABLE


def in_other_states(tcb: Tcb, segment: Segment, now: int) -> None:
    """3.10.7.4: the steps one after another; each says whether the next is reached."""
    if (
        check_sequence(tcb, segment, now)
        and check_rst(tcb, segment, now)
        # Third, security: every packet has the compartment of its host, as IP hands up none.
        and check_syn(tcb, segment, now)
        and check_ack(tcb, segment, now)
    ):
        record_timestamp(tcb, segment, now)
        if tcb.ecn is not None:
            ecn.arrived(tcb, segment)
        check_urg(tcb, segment)
        process_text(tcb, segment, now)
        check_fin(tcb, segment, now)


def _in_time_wait(tcb: Tcb, segment: Segment, now: int) -> None:
    """TIME-WAIT while the user still holds the descriptor: the same rules as for the lean record."""
    answer = time_wait.segment_arrives(tcb, segment, now, tcb.config)
    if answer is time_wait.Answer.ACK or answer is time_wait.Answer.REOPEN:  # nobody listens: the host has looked
        tcb.ack_now = True
    elif answer is time_wait.Answer.RESTART:
        tcb.ack_now = True
        tcb.time_wait_at = now + 2 * tcb.config.msl
    elif answer is time_wait.Answer.RESET:
        ended(tcb, Event.RCV_RST, now, Reason.FINISHED, 0)


def check_sequence(tcb: Tcb, segment: Segment, now: int) -> bool:
    """First, check sequence number: Table 6, with PAWS before it (RFC 7323 5.3 R2; MUST-66)."""
    flags = segment.flags
    if tcb.ts_on and not flags & RST:
        # A SYN may come from a peer that has restarted.
        if segment.ts_val is None and not flags & SYN and tcb.config.timestamps_required:
            return False  # RFC 7323 3.2: dropped in silence; it never ends the connection
        if segment.ts_val is not None and not _paws(tcb, segment, now):
            return False
    _trim_syn_of_figure_8(tcb, segment)
    if segment.flags & (SYN | RST) == SYN and segment.seq == tcb.irs and _awaits_ack_of_syn(tcb):
        ecn.heard(tcb, segment)
        _syn_again(tcb)
        return False
    length = segment_length(segment)
    window = receive_window(tcb)
    offset = (segment.seq - tcb.rcv_nxt) & MASK
    if length == 0:
        acceptable = offset == 0 if window == 0 else offset < window
    elif window == 0:
        acceptable = offset == 0  # for its ACK, URG and RST alone: the text does not fit and is trimmed to nothing
        tcb.ack_now = tcb.ack_now or acceptable
    else:
        acceptable = offset < window or (offset + length - 1) & MASK < window
    if not acceptable:
        if not flags & RST:
            acknowledge_unacceptable(tcb, segment, length, now)
        return False
    return True


def record_timestamp(tcb: Tcb, segment: Segment, now: int) -> None:
    """RFC 7323 4.3 (2) and 5.3 R3, but only once the ACK is found acceptable: a blind segment must not set TS.Recent,
    or PAWS would then refuse every segment of the real peer."""
    if tcb.ts_on and segment.ts_val is not None and le(segment.seq, tcb.last_ack_sent):
        tcb.ts_recent, tcb.ts_recent_at, tcb.ts_echo = segment.ts_val, now, segment.ts_ecr


def _trim_syn_of_figure_8(tcb: Tcb, segment: Segment) -> None:
    """The crossing SYN,ACK of a simultaneous open has SEQ = IRS: by Table 6 it would never be taken."""
    if tcb.state is not SYN_RCVD or tcb.opened_from is not State.CLOSED:
        return
    if segment.flags & (SYN | ACK | RST) == SYN | ACK and segment.seq == tcb.irs:
        ecn.heard(tcb, segment)
        segment.flags &= ~SYN
        segment.seq = tcb.rcv_nxt
        segment.window >>= tcb.snd_wscale  # it is not scaled yet
        if tcb.config.acknowledge_crossing_syn_ack:
            tcb.ack_now = True
            sack.duplicate(tcb, tcb.irs, tcb.rcv_nxt)


def _awaits_ack_of_syn(tcb: Tcb) -> bool:
    """In SYN-RECEIVED, or after a fast open that the user has closed since, or whose SYN bore a FIN."""
    return tcb.state is SYN_RCVD or (fast_open.opened(tcb) and bool(tcb.sent) and tcb.sent[0].syn)


def _syn_again(tcb: Tcb) -> None:
    """The SYN that we have answered: our SYN,ACK was lost. Sent again it acknowledges better than an ACK would."""
    if tcb.sent:
        ranges.mark_lost(tcb, tcb.sent[0])


def _paws(tcb: Tcb, segment: Segment, now: int) -> bool:
    """RFC 7323 5.3 R1: an old timestamp is an old segment, unless ours is too old to say so (RFC 7323 5.5)."""
    assert segment.ts_val is not None
    if lt(segment.ts_val, tcb.ts_recent) and now - tcb.ts_recent_at < tcb.config.paws_idle:
        acknowledge_unacceptable(tcb, segment, segment_length(segment), now)
        return False
    return True


def check_rst(tcb: Tcb, segment: Segment, now: int) -> bool:
    """Second, check the RST bit, with RFC 5961 section 3 (SHLD-2)."""
    # RFC 5961 3.2, first, second and third check
    if not segment.flags & RST:
        return True
    if tcb.config.rfc5961_rst and segment.seq != tcb.rcv_nxt:
        if (segment.seq - tcb.rcv_nxt) & MASK < receive_window(tcb):  # the RST itself, not a text that it may bear
            challenge(tcb, now)
        return False
    if tcb.state is SYN_RCVD:
        _reset_in_syn_received(tcb, now)
    else:
        broken = tcb.state is State.CLOSE_WAIT and tcb.config.close_wait_reset_is_epipe
        ended(tcb, Event.RCV_RST, now, Reason.RESET, EPIPE if broken else ECONNRESET)
    return False


def _reset_in_syn_received(tcb: Tcb, now: int) -> None:  # MUST-11
    if fast_open.opened(tcb):
        ended(tcb, Event.RCV_RST, now, Reason.RESET, ECONNRESET)
    elif tcb.opened_from is LISTEN:
        ended(tcb, Event.RCV_RST_PASSIVE, now, Reason.RESET, ECONNRESET)
    elif tcb.opened_from is TIME_WAIT:
        ended(tcb, Event.RCV_RST_OLD_DUPLICATE, now, Reason.RESET, ECONNRESET)
    else:
        ended(tcb, Event.RCV_RST, now, Reason.REFUSED, ECONNREFUSED)


def check_syn(tcb: Tcb, segment: Segment, now: int) -> bool:
    """Fourth, check the SYN bit, with RFC 5961 section 4.2 (RFC 5961 4.2)."""
    if not segment.flags & SYN:
        return True
    in_window = (segment.seq - tcb.rcv_nxt) & MASK < receive_window(tcb)  # not its text alone
    half_open = tcb.state is SYN_RCVD and tcb.opened_from is not State.CLOSED and not fast_open.opened(tcb)
    if half_open and in_window:
        ended(tcb, Event.RCV_SYN, now, Reason.RESET, ECONNRESET)
    elif tcb.state is SYN_RCVD or tcb.config.rfc5961_syn or not in_window:
        challenge(tcb, now)
    else:
        tcb.replies.append(reset(tcb, now) if tcb.config.abort_at_syn else reset_for(segment))
        ended(tcb, Event.RCV_SYN_IN_WINDOW, now, Reason.RESET, ECONNRESET)
    return False


def check_ack(tcb: Tcb, segment: Segment, now: int) -> bool:
    """Fifth, check the ACK field, with RFC 5961 section 5.2 (MAY-12; RFC 5961 5.2)."""
    if not segment.flags & ACK:
        return False
    ack = segment.ack
    if tcb.state is SYN_RCVD:
        if not (gt(ack, tcb.snd_una) and le(ack, tcb.snd_nxt)):
            tcb.replies.append(reset_for(segment))
            return False
        _opened(tcb, segment, Event.RCV_ACK_OF_SYN, now)
        set_window(tcb, segment, True)
        if fast_open.opened(tcb):
            if ack != tcb.snd_una or tcb.rack is not None:
                process_ack(tcb, segment, now)
            tcb.ack_now = tcb.ack_now or opened_meanwhile(tcb)
        deferred_close(tcb, now)
        tcb.received_at = now
        return True
    if gt(ack, tcb.snd_nxt):
        challenge(tcb, now)
        return False
    oldest = (tcb.snd_una - tcb.max_snd_wnd) & MASK
    if tcb.config.rfc5961_ack and lt(ack, oldest):
        challenge(tcb, now)
        return False
    tcb.received_at = now
    tcb.keepalive_sent = 0
    process_ack(tcb, segment, now)
    return parting.state_after_ack(tcb, now)


def process_ack(tcb: Tcb, segment: Segment, now: int) -> None:
    """The processing of ESTABLISHED, which every later state shares."""
    ack = segment.ack
    new = (ack - tcb.snd_una) & MASK
    if not segment.length:
        tcb.soft_error = 0  # something works (Linux)
    una, sacked = tcb.snd_una, tcb.sacked
    if tcb.ecn is not None:
        ecn.echoed(tcb, segment, now)
    recovery.ack_arrived(tcb, segment, now)
    if tcb.ecn is not None:
        ecn.delivered(tcb, ((tcb.snd_una - una) & MASK) + tcb.sacked - sacked)
    if tcb.probes:  # the peer lives: MUST-37
        tcb.unanswered_probes = 0
        if not tcb.config.user_timeout_in_persist:
            tcb.stalled_since = now
    if ge(ack, tcb.snd_una):
        set_window(tcb, segment, 0 < new < HALF)


def set_window(tcb: Tcb, segment: Segment, highest_ack: bool) -> None:
    """SND.WND, unless the segment is older than the last one that set it (SND.WL1, SND.WL2; MUST-1, REC-1).

    One with a higher acknowledgment than any before is never older, also where its text is a retransmission with a
    lower sequence number: SND.WND counts from SND.UNA, which has just moved (the refinement in section 3.8.6).
    """
    in_order = lt(tcb.snd_wl1, segment.seq) or (tcb.snd_wl1 == segment.seq and le(tcb.snd_wl2, segment.ack))
    if highest_ack or in_order:
        was = tcb.snd_wnd
        tcb.snd_wnd = segment.window << tcb.snd_wscale
        tcb.snd_wl1, tcb.snd_wl2 = segment.seq, segment.ack
        tcb.max_snd_wnd = max(tcb.max_snd_wnd, tcb.snd_wnd)
        if tcb.snd_wnd and not was:
            tcb.probes = 0
            for sent in tcb.sent:  # what was sent beyond the closed window has been thrown away
                ranges.mark_lost(tcb, sent)
