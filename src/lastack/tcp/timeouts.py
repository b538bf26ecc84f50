"""Timeouts: RFC 9293 section 3.10.8, the thresholds R1 and R2 (3.8.3), keep-alives (3.8.4). All in microseconds."""

from __future__ import annotations

from errno import ETIMEDOUT

from lastack.tcp import output, pingpong, pmtud, rack, recovery, segments
from lastack.tcp.calls import ended
from lastack.tcp.config import NEVER
from lastack.tcp.scoreboard import Rack
from lastack.tcp.states import Event, State
from lastack.tcp.tcb import Reason, Tcb
from lastack.wire.segment import Segment

SYN_SENT = State.SYN_SENT
_NO_KEEPALIVE = frozenset({State.CLOSED, State.LISTEN, State.SYN_SENT, State.SYN_RCVD, State.TIME_WAIT})


def deadline(tcb: Tcb) -> int:
    """When `advance` is next needed; NEVER where no timer runs."""
    # Comparisons, as `min` of so many takes twice as long (0.9 us to 0.45).
    at = tcb.retransmission_at
    if tcb.persist_at < at:
        at = tcb.persist_at
    if tcb.delayed_ack_at < at:
        at = tcb.delayed_ack_at
    if tcb.keepalive_at < at:
        at = tcb.keepalive_at
    if tcb.fin_wait_2_at < at:
        at = tcb.fin_wait_2_at
    if tcb.time_wait_at < at:
        at = tcb.time_wait_at
    rack = tcb.rack
    if rack is not None:
        if rack.probe_at < at:
            at = rack.probe_at
        if rack.reo_at < at:
            at = rack.reo_at
    if tcb.stalled_since != NEVER and (tcb.config.user_timeout or tcb.state is SYN_SENT):
        return min(at, user_timeout_at(tcb))
    return at


def user_timeout_at(tcb: Tcb) -> int:
    """When the user timeout (RFC 5482) runs out for what waits to be acknowledged, or the time to open in SYN-SENT."""
    # RFC 5482 section 3
    # RFC 9293 MUST-21
    patience = tcb.config.user_timeout
    if not patience and tcb.state is State.SYN_SENT:
        patience = tcb.config.open_timeout
    return tcb.stalled_since + patience if patience and tcb.stalled_since != NEVER else NEVER


def advance(tcb: Tcb, now: int) -> list[Segment]:
    """Time has passed: see to every timer that has run out. Returns probes to send at once."""
    out: list[Segment] = []
    if user_timeout_at(tcb) <= now:
        _fired(tcb, now, "user timeout")
        _give_up(tcb, now, Reason.USER_TIMEOUT)
        return out
    if tcb.delayed_ack_at <= now:
        tcb.delayed_ack_at = NEVER
        tcb.ack_now = True
        pingpong.waited_in_vain(tcb)
        _fired(tcb, now, "delayed ACK")
    if tcb.rack is not None:
        _rack(tcb, tcb.rack, now, out)
    if tcb.retransmission_at <= now:
        _retransmission(tcb, now)
    if tcb.persist_at <= now:
        _persist(tcb, now, out)
    if tcb.keepalive_at <= now:
        _keepalive(tcb, now, out)
    if tcb.fin_wait_2_at <= now:
        _fin_wait_2(tcb, now)
    if tcb.time_wait_at <= now:
        _fired(tcb, now, "2MSL")
        ended(tcb, Event.TIME_WAIT_TIMEOUT, now, Reason.FINISHED, 0)
    return out


def _fired(tcb: Tcb, now: int, timer: str) -> None:
    if tcb.observer is not None:
        tcb.observer.timer_fired(now, tcb, timer)


def r2(tcb: Tcb) -> int:
    """How many retransmissions in a row are made before the connection is given up (MUST-20, MUST-23; MUST-22)."""
    if tcb.state is State.SYN_SENT or (tcb.state is State.SYN_RCVD and tcb.opened_from is State.CLOSED):
        return tcb.config.syn_retransmissions
    if tcb.state is State.SYN_RCVD:
        return tcb.config.syn_ack_retransmissions
    return tcb.config.orphan_retransmissions if tcb.orphan else tcb.config.r2_retransmissions


def _retransmission(tcb: Tcb, now: int) -> None:
    """RETRANSMISSION TIMEOUT: the front of the queue is sent again (by `output`), the timer backs off."""
    tcb.retransmission_at = NEVER
    _fired(tcb, now, "retransmission")
    # With a user timeout R2 is measured in time (3.8.3 (a)).
    if tcb.retransmissions >= r2(tcb) and not tcb.config.user_timeout:
        _give_up(tcb, now, Reason.TIMED_OUT)
    else:
        if tcb.retransmissions == tcb.config.r1_retransmissions and not _half_open(tcb):
            _delivery_problem(tcb)
        pmtud.timed_out(tcb, now)
        recovery.timed_out(tcb, now)


def _rack(tcb: Tcb, state: Rack, now: int, out: list[Segment]) -> None:
    """The timers of RFC 8985: reordering (6.2 step 5) and tail loss probe (7.3)."""
    if state.reo_at <= now:
        _fired(tcb, now, "reordering")
        rack.detect(tcb, state, now)
    if state.probe_at <= now:
        _fired(tcb, now, "tail loss probe")
        output.tail_probe(tcb, now, out)


def _half_open(tcb: Tcb) -> bool:
    """A listener's child: of a stranger, who need not be there, nobody asks why he does not answer."""
    return tcb.state is State.SYN_RCVD and tcb.opened_from is not State.CLOSED


def _delivery_problem(tcb: Tcb) -> None:
    """R1 is reached (3.8.3 (b)). A host here has one link and no gateway to give up, so who watches is told, not IP."""
    # RFC 9293 SHLD-9
    tcb.count("R1 reached: not acknowledged")


def _give_up(tcb: Tcb, now: int, reason: Reason) -> None:
    silent = tcb.state is State.SYN_SENT or _half_open(tcb) or reason is Reason.KEEPALIVE  # which has said it
    if tcb.config.reset_when_given_up and not silent:
        tcb.replies.append(segments.reset(tcb, now))
    ended(tcb, Event.USER_TIMEOUT, now, reason, tcb.soft_error or ETIMEDOUT)


def _persist(tcb: Tcb, now: int, out: list[Segment]) -> None:
    """A zero-window probe. An answered one resets the count: the connection may stay so for ever (MUST-37; SHLD-17).

    Not one that nobody holds (as on Linux): its peer could keep it, and what it has to send, by answering alone.
    """
    tcb.persist_at = NEVER
    _fired(tcb, now, "persist")
    probes = tcb.probes if tcb.orphan else tcb.unanswered_probes
    if probes > r2(tcb) and (tcb.orphan or not tcb.config.user_timeout):
        _give_up(tcb, now, Reason.TIMED_OUT)
        return
    if not tcb.snd_wnd:
        tcb.probes += 1
        tcb.unanswered_probes += 1
    output.probe(tcb, now, out)


def _keepalive(tcb: Tcb, now: int, out: list[Segment]) -> None:
    """Only when nothing is outstanding and nothing has been received for the interval (MUST-26; MAY-5, MUST-29)."""
    config = tcb.config
    tcb.keepalive_at = NEVER
    if tcb.state in _NO_KEEPALIVE or not config.keeps_alive:
        return
    if tcb.sent or tcb.send_buffer.length:
        tcb.keepalive_at = now + config.keepalive_idle
    elif not tcb.keepalive_sent and now < tcb.received_at + config.keepalive_idle:
        tcb.keepalive_at = tcb.received_at + config.keepalive_idle
    elif _keepalive_unanswered(tcb, now):
        _fired(tcb, now, "keep-alive")
        tcb.replies.append(segments.reset(tcb, now))
        _give_up(tcb, now, Reason.KEEPALIVE)
    else:
        _fired(tcb, now, "keep-alive")
        tcb.keepalive_sent += 1
        tcb.keepalive_at = now + config.keepalive_interval
        out.append(segments.keepalive_probe(tcb, now))


def _keepalive_unanswered(tcb: Tcb, now: int) -> bool:
    """By a number of probes, or by the user timeout, which then is the only measure (as on Linux)."""
    if tcb.config.user_timeout:
        return tcb.keepalive_sent > 0 and now - tcb.received_at >= tcb.config.user_timeout
    return tcb.keepalive_sent >= tcb.config.keepalive_probes


def _fin_wait_2(tcb: Tcb, now: int) -> None:
    """The peer of an orphan never sent its FIN (no RFC). BSD counts idle time, Linux the time in the state."""
    idle_end = tcb.received_at + tcb.config.fin_wait_2_timeout
    if tcb.config.fin_wait_2_counts_idle and now < idle_end:
        tcb.fin_wait_2_at = idle_end
        return
    _fired(tcb, now, "FIN-WAIT-2")
    tcb.fin_wait_2_at = NEVER
    ended(tcb, Event.FIN_WAIT_2_TIMEOUT, now, Reason.FIN_WAIT_2, ETIMEDOUT)
