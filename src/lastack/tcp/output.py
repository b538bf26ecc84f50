"""What to send now: decided here and nowhere else, so that acknowledgments ride on data wherever they can.

Data is decided in units (`sizes.unit`), each one range in `Tcb.sent`: of up to 16 super-segments, as which they leave
where the device takes such, or of up to 64 KiB, cut at the MSS here where it does not.
"""

from __future__ import annotations

from lastack.tcp import (
    busy,
    control,
    fast_open,
    greeting,
    handshake,
    parting,
    plpmtud,
    rack,
    ranges,
    rtt,
    segments,
    sending,
    sizes,
    spurious,
    straight,
    tlp,
)
from lastack.tcp.config import NEVER
from lastack.tcp.scoreboard import SentRange
from lastack.tcp.sequence import HALF, MASK
from lastack.tcp.states import State
from lastack.tcp.tcb import PUSHED, Tcb
from lastack.wire.segment import Segment

SYN_SENT = State.SYN_SENT
SYN_RCVD = State.SYN_RCVD
CLOSED = State.CLOSED
LISTEN = State.LISTEN
TIME_WAIT = State.TIME_WAIT


def transmit(tcb: Tcb, now: int) -> list[Segment]:
    """The segments that are to leave now, in order. Asking again at once gives none (MUST-58, MUST-59)."""
    out: list[Segment] = []
    if tcb.replies:
        out, tcb.replies = tcb.replies, out
    state = tcb.state
    if state is CLOSED or state is LISTEN:
        return out
    if tcb.syn_queued:
        if tcb.fast_open is not None and tcb.fast_open.waits:
            return out
        if state is SYN_RCVD and not out and not tcb.dup_acks_owed and greeting.replied(tcb, now, out):
            return out
        _first_syn(tcb, now, out)
    while tcb.dup_acks_owed:
        tcb.dup_acks_owed -= 1
        out.append(segments.pure_ack(tcb, now, tcb.dup_acks_owed))
    if tcb.sent and tcb.sent[0].syn and tcb.sent[0].lost:
        _again(tcb, tcb.sent[0], now)
        out.append(segments.syn(tcb, now))
    # With nothing to send or to be acknowledged there is nothing to ask: 130 bytecodes less for who only receives.
    some = tcb.sent or tcb.send_buffer.length or (tcb.fin_queued and state is not TIME_WAIT) or tcb.episode is not None
    if some and state is not SYN_SENT and (state is not SYN_RCVD or (tcb.fast_open is not None and _sends_early(tcb))):
        if not (parting.send if tcb.fin_queued else straight.send)(tcb, now, out):
            _send(tcb, now, out)
        if tcb.pipe > tcb.congestion.used:
            tcb.congestion.used = tcb.pipe
    if tcb.ack_now:
        out.append(segments.pure_ack(tcb, now))
    arm_timers(tcb, now)
    if tcb.send_buffer.length or tcb.statistics.limit:
        busy.note(tcb, now)
    return out


def _sends_early(tcb: Tcb) -> bool:
    """Text leaves in SYN-RECEIVED after a fast open (RFC 7413 4.2.2), until the peer's silence makes it doubtful that
    it is there: then its SYN,ACK goes again alone."""
    return fast_open.opened(tcb) and not tcb.retransmissions


def _send(tcb: Tcb, now: int, out: list[Segment]) -> None:
    """What is lost goes again before what is new, but after a time-out in doubt (RFC 5682 2.1 step 2 b)."""
    doubted = tcb.episode.frto if tcb.episode is not None else 0
    lost = tcb.pipe != (tcb.snd_nxt - tcb.snd_una) & MASK
    if lost and doubted < 2:
        _send_lost(tcb, now, out)
    nxt = tcb.snd_nxt
    if tcb.send_buffer.length or tcb.fin_queued:
        _send_new(tcb, now, out)
    if doubted == 2 and tcb.episode is not None:
        tcb.episode.frto = 3 if tcb.snd_nxt != nxt else 0
        if lost and not tcb.episode.frto:
            _send_lost(tcb, now, out)
    if tcb.snd_nxt != nxt and tcb.rack is not None and tcb.retransmission_at != NEVER:
        tlp.arm(tcb, tcb.rack, now)


def _first_syn(tcb: Tcb, now: int, out: list[Segment]) -> None:
    tcb.syn_queued = False
    tcb.snd_nxt = (tcb.iss + 1) & MASK
    tcb.sent.append(SentRange(tcb.iss, tcb.snd_nxt, now, syn=True))
    tcb.pipe = 1
    tcb.stalled_since = now
    syn = segments.syn(tcb, now)
    if tcb.fast_open is not None:
        fast_open.add_text(tcb, syn, now)
    out.append(syn)


def _again(tcb: Tcb, sent: SentRange, now: int) -> None:
    """Account for sending a lost range again."""
    if tcb.path is not None:
        plpmtud.sent_again(tcb, sent, now)
    validation = tcb.congestion.validation
    if validation is not None and sent.transmissions == 1:
        validation.retransmitted((sent.end - sent.first) & MASK)
    if tcb.rack is not None:
        rack.sent_again(tcb, tcb.rack, now)
    sent.lost = False
    sent.sent_at = now
    sent.transmissions += 1
    tcb.pipe += (sent.end - sent.first) & MASK
    tcb.total_retransmissions += 1
    tcb.statistics.bytes_again += (sent.end - sent.first) & MASK
    if tcb.episode is not None:
        stamp = handshake.timestamp(tcb, now) if tcb.ts_on else None
        spurious.sent_again(tcb, sent.end, (sent.end - sent.first) & MASK, stamp)


def _send_lost(tcb: Tcb, now: int, out: list[Segment]) -> None:
    """Send again what is marked lost, the oldest first, as far as the congestion window lets it.

    Data beyond a right edge that has shrunk is left to the persist timer (RFC 9293 SHLD-16, MAY-7 not taken).
    """
    mss = sizes.full(tcb)
    index = 0
    while index < len(tcb.sent):
        sent = tcb.sent[index]
        if sent.lost:
            room = tcb.congestion.cwnd - tcb.pipe
            if room < mss and index:
                return
            edge = (tcb.snd_una + tcb.snd_wnd - sent.first) & MASK
            if not 0 < edge < HALF:
                return
            ranges.cut(tcb, index, min(max(room - room % mss, mss), sizes.unit(tcb, mss), edge))
            _again(tcb, sent, now)
            if tcb.episode is None and sent.end == tcb.snd_nxt:
                _fill(tcb, sent, mss)
            segments.emit(tcb, sent, now, out)
            if not index:
                tcb.retransmission_at = NEVER  # a whole RTO for its answer (RFC 6675 section 6)
        index += 1


def _fill(tcb: Tcb, sent: SentRange, mss: int) -> None:
    """The octet of a probe that a closed window has thrown away goes again at the head of a segment, with what waits
    behind it: alone it would be one more small segment, and Nagle would hold the rest back for its round trip."""
    start = handshake.text_start(tcb)
    usable = min((start + tcb.snd_wnd - sent.end) & MASK, tcb.congestion.cwnd - tcb.pipe)
    waits = sending.unsent(tcb)
    size = min(waits, usable, mss - 1)
    if size <= 0 or sent.fin or (sent.end - sent.first) & MASK != 1 or tcb.send_buffer.cuts:
        return
    if tcb.config.probe_without_text:
        return
    sent.end = tcb.snd_nxt = (sent.end + size) & MASK
    sent.push = size == waits and tcb.hold in PUSHED
    tcb.pipe += size
    if size < mss - 1:
        tcb.snd_sml = sent.end
    if size == waits and tcb.fin_queued and size < usable:
        tcb.fin_seq = sent.end
        sent.end = tcb.snd_nxt = (sent.end + 1) & MASK
        sent.fin = True
        tcb.pipe += 1


def _send_new(tcb: Tcb, now: int, out: list[Segment]) -> None:
    """New data and the FIN: window, congestion window, Nagle and the silly window decide how much."""
    # RFC 9293 SHLD-28, SHLD-15
    if tcb.snd_una == tcb.snd_nxt and tcb.sent_at and tcb.snd_wnd:
        control.resumes(tcb, now)
    if tcb.ecn is not None and tcb.ecn.hold:
        return
    if tcb.path is not None and not tcb.send_buffer.records and (size := plpmtud.next_probe(tcb, now)):
        small = tcb.snd_sml
        _send_range(tcb, size, False, False, now, out)
        tcb.snd_sml = small  # it is larger than the others: nothing for Nagle to wait for
    mss = sizes.full(tcb)
    unit = sizes.unit(tcb, mss)
    start = handshake.text_start(tcb)  # both windows are of text: our SYN takes no part of them
    cwnd = sending.congestion_window(tcb) + ((start - tcb.snd_una) & MASK)
    while tcb.fin_seq is None:
        position = (tcb.snd_nxt - start) & MASK
        waits = unsent = tcb.send_buffer.length - position
        if tcb.send_buffer.cuts:
            unsent = tcb.send_buffer.cut_left(position)
        usable = (start + tcb.snd_wnd - tcb.snd_nxt) & MASK
        if usable >= HALF:
            return  # the window shrank (MUST-34)
        size = min(unsent, usable, max(cwnd - tcb.pipe, 0), unit)
        fin = tcb.fin_queued and size == waits and size < usable
        if not fin and not size:
            return
        if not fin and size < unsent:
            size = sizes.whole_segments(tcb, size, usable, mss)
            if not size:
                return
        elif not fin and size % mss and unsent == waits and sizes.nagle_holds(tcb):
            size -= size % mss  # the small rest waits
            if not size:
                return
        push = size == unsent and (tcb.hold in PUSHED if size == waits else tcb.send_buffer.records)
        _send_range(tcb, size, fin, push, now, out)


def _send_range(tcb: Tcb, size: int, fin: bool, push: bool, now: int, out: list[Segment]) -> None:
    first = tcb.snd_nxt
    end = (first + size + fin) & MASK
    if fin:
        tcb.fin_seq = (end - 1) & MASK
    if size % sizes.full(tcb):
        tcb.snd_sml = end
    sent = SentRange(first, end, now, fin=fin)
    sent.push = push
    tcb.sent.append(sent)
    tcb.pipe += size + fin
    tcb.snd_nxt = end
    tcb.sent_at = now
    if tcb.episode is not None:
        tcb.episode.out += size + fin
    if tcb.stalled_since == NEVER:
        tcb.stalled_since = now
    segments.emit(tcb, sent, now, out)


def probe(tcb: Tcb, now: int, out: list[Segment]) -> None:
    """A zero-window probe: one octet of new data, or the first outstanding one again (RFC 9293 3.8.6.1, MUST-36).

    Or nothing but an old number, which draws an ACK all the same (`Config.probe_without_text`).
    """
    if tcb.ecn is not None:
        tcb.ecn.hold = False
    if tcb.sent:
        if tcb.sent[0].sacked:  # what stands at SND.UNA is not acknowledged, so it is not held
            ranges.forget_sacked(tcb)
        ranges.cut(tcb, 0, 1)
        sent = tcb.sent[0]
        ranges.mark_lost(tcb, sent)
        _again(tcb, sent, now)
        segments.emit(tcb, sent, now, out)
    elif tcb.config.probe_without_text and not tcb.snd_wnd:
        out.append(segments.keepalive_probe(tcb, now))
    elif tcb.send_buffer.length:
        # The override of the sender's silly-window avoidance (3.8.6.2.1 (4)) sends what fits.
        size = min(tcb.send_buffer.length, tcb.snd_mss, max(tcb.snd_wnd, 1))
        small = tcb.snd_sml
        _send_range(tcb, size, False, size == tcb.send_buffer.length, now, out)
        tcb.snd_sml = small  # Nagle must not hold back what follows a probe when the window opens
    elif tcb.fin_queued and tcb.fin_seq is None:
        _send_range(tcb, 0, True, False, now, out)


def tail_probe(tcb: Tcb, now: int, out: list[Segment]) -> None:
    """RFC 8985 section 7.3: one new segment if the window takes it, else the last again, whatever cwnd says."""
    state = tcb.rack
    assert state is not None
    state.probe_at = NEVER
    if not tcb.sent or tcb.pipe != (tcb.snd_nxt - tcb.snd_una) & MASK:
        return
    position = (tcb.snd_nxt - handshake.text_start(tcb)) & MASK
    unsent = tcb.send_buffer.length - position if tcb.fin_seq is None else 0
    usable = (tcb.snd_una + tcb.snd_wnd - tcb.snd_nxt) & MASK
    size = min(unsent, sizes.full(tcb))
    if size and tcb.send_buffer.cuts:
        size = min(size, tcb.send_buffer.cut_left(position))
    new = 0 < size <= usable < HALF
    if new:
        fin = tcb.fin_queued and size == unsent and size < usable
        _send_range(tcb, size, fin, size == unsent, now, out)
    else:
        length = (tcb.sent[-1].end - tcb.sent[-1].first) & MASK
        ranges.cut(tcb, len(tcb.sent) - 1, max(length - sizes.full(tcb), 0))
        last = tcb.sent[-1]
        ranges.mark_lost(tcb, last)
        _again(tcb, last, now)
        segments.emit(tcb, last, now, out)
    tlp.sent(tcb, state, not new)


def arm_timers(tcb: Tcb, now: int) -> None:
    """The retransmission timer runs while something is outstanding (RFC 6298 5.1), the persist timer while the peer's
    window is all that holds the next octet back (RFC 9293 3.8.6.1)."""
    # RFC 6298 (5), (5.2)
    # RFC 9293 MUST-35, MUST-60
    if tcb.sent and (tcb.snd_wnd or tcb.sent[0].syn):
        tcb.persist_at = NEVER
        if tcb.retransmission_at == NEVER:
            tcb.retransmission_at = now + rtt.timeout(tcb)
            if tcb.rack is not None and tcb.rack.sampled:  # else none is armed
                tlp.arm(tcb, tcb.rack, now)
    elif tcb.sent or tcb.send_buffer.length or (tcb.fin_queued and tcb.fin_seq is None):
        tcb.retransmission_at = NEVER
        if tcb.persist_at == NEVER and tcb.state not in (SYN_SENT, SYN_RCVD):
            interval = tcb.config.sws_override if tcb.snd_wnd else probe_interval(tcb)
            if tcb.ecn is not None and tcb.ecn.hold:
                interval = rtt.timeout(tcb)
            tcb.persist_at = now + interval
            if tcb.stalled_since == NEVER:
                tcb.stalled_since = now
    else:
        tcb.retransmission_at = tcb.persist_at = NEVER
    if tcb.rack is not None and tcb.retransmission_at == NEVER:
        tcb.rack.probe_at = NEVER  # a tail probe goes in place of a retransmission


def probe_interval(tcb: Tcb) -> int:
    """The first probe after one RTO, then exponentially later (SHLD-29, SHLD-30)."""
    config = tcb.config
    if config.persist_min:
        base = 4 * (tcb.srtt or 0) + 8 * tcb.rttvar  # in FreeBSD's units: (srtt / 4 + rttvar) / 2
        return max(min(base << min(tcb.probes, 12), config.persist_max), config.persist_min)
    return min(tcb.rto << min(tcb.probes, 12), config.rto_max)
